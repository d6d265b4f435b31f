"""A scalar reward model from graded candidates: TRL's `RewardTrainer` on pairs of which one response is correct.

A conversation is the problem (user) and the response (assistant), without a system prompt, and its score is
`logits[:, 0]` of an `AutoModelForSequenceClassification`: the interface of Skywork-Reward and kin, so that the result
serves wherever they do. Of a response the visible part is scored, which is what a user compares; its thinking is not.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from pydantic import Field

from tts import Candidate, ConfigError, Message, Problem
from tts.eval import Estimate, clustered_mean
from tts.prompts import visible
from tts_trainers.helpers.command import Job, coin, done, helper_command, percentage
from tts_trainers.helpers.evaluate import measured
from tts_trainers.helpers.fit import run_and_save
from tts_trainers.helpers.graded import Pair
from tts_trainers.helpers.recipe import HelperRecipe
from tts_trainers.runtime.terminal import say

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger("tts.train")

_INSTEAD = "give it more pairs, or rank by likelihood:MODEL, which is not trained"
# Gemma 2's soft-capping is lost in sdpa, which corrupts the scores.
_ATTENTION = {"gemma2": "eager"}


class RewardModelRecipe(HelperRecipe):
    """The settings of `tts train reward-model`."""

    own_prefix: ClassVar[str] = "reward-model-"
    pairs_per_problem: int = Field(4, ge=1)
    """The most pairs of a correct and a wrong response to one problem, so that no problem dominates. By default four
    (our choice).
    """


class RewardModelReport(NamedTuple):
    """How many pairs were learned from and left out as too long, and how often a held-out pair is ordered right.

    `pair_accuracy` is `None` without held-out pairs, and on further processes.
    """

    pairs: int
    left_out: int
    pair_accuracy: Estimate | None
    log: list[dict[str, float]]


class _Encoded(NamedTuple):
    """A pair as token ids."""

    problem: str
    chosen: list[int]
    rejected: list[int]

    @property
    def length(self) -> int:
        return max(len(self.chosen), len(self.rejected))


def conversation(problem: Problem, candidate: Candidate) -> tuple[Message, ...]:
    """What a reward model reads: the problem and one response to it; a system prompt of the problem is dropped."""
    asked = problem.messages or (Message(role="user", content=problem.text),)
    return (*(m for m in asked if m.role != "system"), Message(role="assistant", content=visible(candidate)))


def train_reward_model(
    model: str | Path | PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Pair],
    recipe: RewardModelRecipe,
    out: Path,
    *,
    held_out: Sequence[Pair] = (),
    progress: Callable[[str], None] = log.info,
) -> RewardModelReport:
    """Train a reward model on the trunk of a causal language model and write it to `out`.

    `model` is a checkpoint, or a model in memory, which is copied and not changed. Raises `ConfigError` where the
    tokenizer has no chat template or every pair is too long for the model.
    """
    from datasets import Dataset
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer

    config = _config(model)
    limit = recipe.optimisation.longest(getattr(config.get_text_config(), "max_position_embeddings", None))
    encoded, left_out = _fitting(pairs, tokenizer, limit)
    if not encoded:
        raise ConfigError(f"all {left_out} pairs are longer than {limit:,} tokens (problem and response together)")
    rows = [{"chosen_ids": e.chosen, "rejected_ids": e.rejected, "length": e.length} for e in encoded]
    # Rows of one length together, or most of a batch is padding; the column of lengths must survive for that.
    grouped = {"train_sampling_strategy": "group_by_length", "remove_unused_columns": False}
    trainer = RewardTrainer(
        str(model) if isinstance(model, (str, Path)) else with_score_head(model, recipe.seed),
        recipe.optimisation.config(RewardConfig, out, recipe.seed, **grouped, **_loading(model, config)),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    run_and_save(trainer, out, progress)
    tests, _ = _fitting(held_out, tokenizer, limit)
    batch, device = recipe.optimisation.micro_batch, trainer.args.device
    accuracy = measured(tests, lambda pairs: _pair_accuracy(_scorer(out, device), tokenizer, pairs, batch))
    return RewardModelReport(len(encoded), left_out, accuracy, list(trainer.state.log_history))


def with_score_head(model: PreTrainedModel, seed: int = 0) -> PreTrainedModel:
    """A copy of a causal language model with a random score head in place of its vocabulary head."""
    import torch
    from transformers import AutoModelForSequenceClassification

    config = copy.deepcopy(model.config)
    config.num_labels = 1
    torch.manual_seed(seed)
    build: Any = AutoModelForSequenceClassification
    headed: Any = build.from_config(config, dtype=model.dtype)
    headed.base_model.load_state_dict(model.base_model.state_dict())
    return cast("PreTrainedModel", headed.to(model.device))


def _config(model: str | Path | PreTrainedModel) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(model) if isinstance(model, (str, Path)) else model.config


def _loading(model: str | Path | PreTrainedModel, config: Any) -> dict[str, Any]:
    """How TRL is to load a checkpoint; it warns of settings for what is in memory already."""
    if not isinstance(model, (str, Path)) or config.model_type not in _ATTENTION:
        return {}
    return {"model_init_kwargs": {"attn_implementation": _ATTENTION[config.model_type]}}


def _fitting(
    pairs: Sequence[Pair], tokenizer: PreTrainedTokenizerBase, limit: int | None
) -> tuple[list[_Encoded], int]:
    """The pairs as token ids, and how many were left out because a response is too long."""
    if tokenizer.chat_template is None:
        raise ConfigError("the tokenizer has no chat template, so no conversation can be written; use a chat model")

    def ids(problem: Problem, candidate: Candidate) -> list[int]:
        chat = [message.model_dump() for message in conversation(problem, candidate)]
        return list(tokenizer.apply_chat_template(chat, return_dict=False))

    encoded = [_Encoded(p.problem.digest, ids(p.problem, p.chosen), ids(p.problem, p.rejected)) for p in pairs]
    kept = [one for one in encoded if limit is None or one.length <= limit]
    if len(kept) < len(encoded):
        log.warning("%d of %d pairs have more than %s tokens: left out", len(encoded) - len(kept), len(encoded), limit)
    return kept, len(encoded) - len(kept)


def _scorer(folder: Path, device: Any) -> PreTrainedModel:
    """The checkpoint as it was written: a model in training may be spread over processes that do not measure."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(folder)
    attention = _ATTENTION.get(config.model_type)
    model = AutoModelForSequenceClassification.from_pretrained(folder, config=config, attn_implementation=attention)
    return cast("PreTrainedModel", model.to(device))


def _pair_accuracy(model: Any, tokenizer: Any, pairs: Sequence[_Encoded], batch: int) -> Estimate | None:
    """How often the correct response has the higher score; a tie, but for rounding in a batch, counts half."""
    scores = _scores(
        model, tokenizer.pad_token_id, [ids for pair in pairs for ids in (pair.chosen, pair.rejected)], batch
    )
    right = [
        0.5 if math.isclose(chosen, rejected, rel_tol=1e-5, abs_tol=1e-6) else float(chosen > rejected)
        for chosen, rejected in zip(scores[::2], scores[1::2], strict=True)
    ]
    return clustered_mean(zip((pair.problem for pair in pairs), right, strict=True), (0.0, 1.0))


def _scores(model: Any, pad: int, rows: Sequence[list[int]], batch: int) -> list[float]:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found = [0.0] * len(rows)
    model.eval()
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        sequences = [torch.tensor(rows[i]) for i in places]
        ids = pad_sequence(sequences, batch_first=True, padding_value=pad).to(model.device)
        mask = pad_sequence([torch.ones_like(s) for s in sequences], batch_first=True).to(model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, 0]
        for place, score in zip(places, logits.float().tolist(), strict=True):
            found[place] = score
    return found


@helper_command("reward-model", RewardModelRecipe)
def command(job: Job[RewardModelRecipe]) -> None:
    """Train a reward model on the CANDIDATES, graded: a store (.db) or a file as `tts sample` writes it.

    It learns to score a correct response to a problem higher than a wrong one. Use it with
    `tts compare --strategy best_of_n --scorer hf-reward:FOLDER`.
    """
    pairs, tests = job.pairs(job.recipe.pairs_per_problem)
    place = job.place()
    model = place.name if place.gguf is None else job.model()
    report = train_reward_model(model, job.tokenizer(), pairs, job.recipe, job.out, held_out=tests, progress=say)
    say(f"{report.pairs} pairs learned from, {report.left_out} left out as too long")
    if report.pair_accuracy is not None:
        say(f"held-out pairs ordered right: {percentage(report.pair_accuracy)}")
        if warning := coin(report.pair_accuracy, "this reward model", _INSTEAD):
            say(warning)
    done(job.out, f"--strategy best_of_n --scorer hf-reward:{job.out}")
