"""Process reward models of transformers in process: a token classifier that says of each step whether it is right."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForTokenClassification, Qwen2ForTokenClassification

from tts import Candidate, ConfigError, Problem
from tts_backends.hf.load import load_as
from tts_backends.hf.score_batch import Item
from tts_backends.hf.scoring import BatchedScorer, Encoded, ScoringOptions, no_head

__all__ = ["HFProcessReward"]

Reduce = Literal["product", "min", "last", "mean"]
_REDUCE: dict[str, Callable[[list[float]], float]] = {
    "product": math.prod,
    "min": min,
    "last": lambda steps: steps[-1],
    "mean": statistics.fmean,
}


class ProcessOptions(ScoringOptions):
    """What `hf-prm:model[@option=value,...]` takes: as `hf-reward`, and how steps are marked and scored."""

    reduce: Reduce = "product"
    """What the scores of the steps come to: their product, the least, the last, or the mean. By default the product, as
    in arXiv 2501.07301 and arXiv 2305.20050.
    """

    step_token: str = Field("<extra_0>", min_length=1)
    """The model's own token that stands after each step. By default that of Qwen2.5-Math-PRM."""


class Qwen2ForProcessRewardModel(Qwen2ForTokenClassification):  # type: ignore[no-untyped-call]  # of transformers
    """Qwen2.5-Math-PRM's architecture, by the name in its configuration: a head of two layers."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # type: ignore[no-untyped-call]
        size = config.hidden_size
        head = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, config.num_labels))
        self.score = head  # type: ignore[assignment]  # theirs is one layer
        self.post_init()  # type: ignore[no-untyped-call]


class _AutoModel:
    """Loads either head; neither needs the code that comes with a checkpoint."""

    @staticmethod
    def from_pretrained(place: str, **settings: Any) -> Any:
        where = {name: settings[name] for name in ("revision", "trust_remote_code") if name in settings}
        known = AutoConfig.from_pretrained(place, **where).architectures or ()
        two_layers = Qwen2ForProcessRewardModel.__name__ in known
        auto: Any = Qwen2ForProcessRewardModel if two_layers else AutoModelForTokenClassification
        return auto.from_pretrained(place, **settings)


class HFProcessReward(BatchedScorer):
    """Qwen2.5-Math-PRM (arXiv 2501.07301) and any `AutoModelForTokenClassification` with two labels of that interface.

    The response without its thinking is split into steps at blank lines, and the model's step token is written after
    each; a step's score is the second label's probability there. `reduce` makes one score of them: their product, as
    in that paper and in Lightman et al. 2023 (arXiv 2305.20050), the least, the last, or the mean. Otherwise as
    `hf-reward`; the system message is what the model's chat template writes where none is given.
    """

    Options: type[BaseModel] = ProcessOptions

    def __init__(self, model: str, options: ProcessOptions) -> None:
        """Load the model; raises `ConfigError` or `BackendUnavailable`."""
        loaded, absent = load_as(_AutoModel, model, options, num_labels=2, ignore_mismatched_sizes=True)
        if absent:
            raise ConfigError(
                f"{no_head(model, absent, 'step head with two outputs')}; give a token classifier with num_labels=2"
            )
        if options.step_token not in loaded.tokenizer.get_added_vocab():
            raise ConfigError(
                f"{options.step_token!r} is no special token of {model!r}; give the one that it was trained with as "
                "@step_token="
            )
        self._step: int = loaded.tokenizer.convert_tokens_to_ids(options.step_token)
        self._reduce = options.reduce
        super().__init__(f"hf-prm:{model}", loaded, options, options.step_token, options.reduce)
        self._mark = self._chat.written(options.step_token) or options.step_token

    def _encode(self, problem: Problem, response: Candidate) -> Encoded:
        return Encoded(self._conversation(problem, response, self._marked))

    def _marked(self, text: str) -> str:
        return "".join(step.strip() + self._mark for step in re.split(r"\n\s*\n", text.strip()))

    def _reader(self) -> Callable[[Tensor, Sequence[Item]], list[float]]:
        step, reduce = self._step, _REDUCE[self._reduce]

        def read(logits: Tensor, items: Sequence[Item]) -> list[float]:
            right = logits.float().softmax(-1)[:, :, 1].tolist()
            return [
                reduce([score for score, token in zip(scores, item.ids, strict=False) if token == step])
                for scores, item in zip(right, items, strict=True)
            ]

        return read
