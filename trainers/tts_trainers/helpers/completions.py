"""SFT of a helper that writes: a judge or a synthesizer learns prompt/completion rows, with the loss on completions."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tts import ConfigError
from tts_trainers.helpers.fit import run_and_save
from tts_trainers.helpers.recipe import HelperOptimisation
from tts_trainers.hybrid.targets import targets
from tts_trainers.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger("tts.train")


class Fitted(NamedTuple):
    """How many rows were learned from and left out as too long, and what the trainer logged."""

    rows: int
    left_out: int
    log: list[dict[str, float]]


def fit_completions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    optimisation: HelperOptimisation,
    out: Path,
    seed: int,
    progress: Callable[[str], None] = log.info,
) -> Fitted:
    """Train `model` in place on the rows and write it to `out`.

    All rows are of one objective, so the loss is the mean over target tokens. Raises `ConfigError` where there are
    fewer rows than a micro-batch, those too long for the model left out.
    """
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig

    from tts_trainers.hybrid.trainer import HybridSFTTrainer

    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    kept = _fitting(rows, tokenizer, optimisation.longest(positions))
    if len(kept) < optimisation.needed:
        why = f" ({len(rows) - len(kept)} more are too long)" if len(kept) < len(rows) else ""
        raise ConfigError(
            f"{len(kept)} rows{why} are fewer than a batch of {optimisation.needed}: give more candidates, or lower "
            "optimisation.batch or per_device"
        )
    trainer = HybridSFTTrainer(
        model,
        optimisation.config(SFTConfig, out, seed),
        train_dataset=Dataset.from_list(list(kept)),
        processing_class=tokenizer,
    )
    run_and_save(trainer, out, progress)
    return Fitted(len(kept), len(rows) - len(kept), list(trainer.state.log_history))


def _fitting(rows: Sequence[Row], tokenizer: Any, limit: int | None) -> list[Row]:
    """The rows of at most `limit` tokens, completion included.

    Raises `ConfigError` where the tokenizer's chat template would teach something else than a row says.
    """
    if tokenizer.chat_template is None:
        raise ConfigError("the tokenizer has no chat template, so no prompt can be written; use a chat model")
    kept = [row for row in rows if _tokens(row, tokenizer) <= (limit or math.inf)]
    if len(kept) < len(rows):
        log.warning("%d of %d rows have more than %d tokens: left out", len(rows) - len(kept), len(rows), limit)
    return kept


def _tokens(row: Row, tokenizer: Any) -> int:
    prompt = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
    text = tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], tokenize=False)
    [found] = targets(tokenizer, [prompt], [text], [row["completion"][0]["content"]])
    if isinstance(found, str):
        raise ConfigError(f"the chat template {found}; use a model whose template keeps it")
    return len(found.ids)
