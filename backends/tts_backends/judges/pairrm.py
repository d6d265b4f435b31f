"""PairRM: a small classifier of pairs, in process (LLM-Blender, arXiv 2306.02561; model card llm-blender/PairRM-hf).

The model is DeBERTa-v2 with a head of its own, which transformers does not have; the weights' names are those of
PairRM-hf. It reads three pieces, each between [CLS] and [SEP] and opened by a token of its own: the problem, the first
response, the second. The head scores each response from the encodings of its opening token and the problem's.
"""

from __future__ import annotations

import asyncio
import math
import re
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from transformers import DebertaV2Model, DebertaV2PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from tts import BackendError, Candidate, ConfigError, Problem, Usage, Verdict
from tts.prompts import neutralised, visible
from tts_backends.checkpoints.digest import fingerprint
from tts_backends.foreign import in_thread
from tts_backends.hf.load import load_as
from tts_backends.hf.score_batch import Item, LengthBatcher
from tts_backends.hf.scoring import ScoringOptions, no_head

__all__ = ["PairRM"]

TOKENS, PROBLEM_TOKENS = 2048, 1224  # of the model card: all three pieces, and the problem's at most
_NAMED = ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id", "n_tasks", "drop_out")


class PairRanker(DebertaV2PreTrainedModel):  # type: ignore[no-untyped-call]  # as transformers wrote it
    """The architecture `DebertaV2PairRM`: logits (one per row) above 0 say that the first response is better."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        if absent := [name for name in _NAMED if not hasattr(config, name)]:
            raise ValueError(f"its config has no {absent[0]!r}, so it is no model of the PairRM-hf interface")
        self.pretrained_model = DebertaV2Model(config)
        size = config.hidden_size
        self.head_layer = nn.Sequential(
            nn.Dropout(config.drop_out),
            nn.Linear(2 * size, size),
            nn.Tanh(),
            nn.Dropout(config.drop_out),
            nn.Linear(size, config.n_tasks),
        )
        self.post_init()  # type: ignore[no-untyped-call]  # as transformers wrote it

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SequenceClassifierOutput:
        """Logits of shape (rows,); each row has each opening token once."""
        encoded = self.pretrained_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        source, first, second = (encoded[input_ids == getattr(self.config, name)] for name in _NAMED[:3])
        scores = [self.head_layer(torch.cat([source, one], dim=-1)) for one in (first, second)]
        return SequenceClassifierOutput(logits=(scores[0] - scores[1]).mean(dim=-1))


class PairRM:
    """The judge `pairrm:MODEL`, e.g. `pairrm:llm-blender/PairRM-hf`: a logit above 0 says that the first is better.

    Responses are shown without their thinking; special tokens in them lose their brackets. Of 2,048 tokens
    (`@max_length=`) a problem has at most 1,224 and keeps its beginning, as on the model card; responses have half each
    of what it leaves and keep their ends, where the card keeps the beginnings, because the answer stands at the end. It
    draws nothing: votes on one order are all the same. Verdicts do not depend on the batch beyond rounding.
    """

    Options: type[BaseModel] = ScoringOptions

    def __init__(self, model: str, options: ScoringOptions) -> None:
        """Load the model; raises `ConfigError` or `BackendUnavailable`."""
        loaded, absent = load_as(PairRanker, model, options)
        if absent:
            raise ConfigError(f"{no_head(model, absent, 'head for pairs')}; give a model like llm-blender/PairRM-hf")
        self._name, self._tokenizer, config = f"pairrm:{model}", loaded.tokenizer, loaded.model.config
        self._opening = loaded.tokenizer.convert_ids_to_tokens([getattr(config, name) for name in _NAMED[:3]])
        special = (token.content for token in loaded.tokenizer.added_tokens_decoder.values() if token.special)
        self._special = re.compile("|".join(map(re.escape, special)))
        self._window, self._files = options.max_length or TOKENS, loaded.files
        attention = config._attn_implementation  # noqa: SLF001 - transformers has no public name for it
        self.fingerprint = fingerprint(loaded.digest, loaded.model.dtype, attention, self._window)
        self._batcher = LengthBatcher(loaded.model, options.max_batch, options.batch_tokens, _logits)
        self._stop = weakref.finalize(self, self._batcher.stop)

    async def at_work(self) -> bool | None:
        """Whether the model's thread takes processor time."""
        return await self._batcher.at_work()

    def outdated(self) -> bool:
        """Whether the files that it was loaded from have changed."""
        return self._files is not None and self._files.changed()

    async def compare(self, problem: Problem, a: Candidate, b: Candidate, *, seed: int) -> Verdict:  # noqa: ARG002 - it draws nothing
        """The winner by the sign of the logit, which is the verdict's text; see `tts.Judge`."""
        ids = await in_thread(self._encode, problem, a, b)
        logit = await asyncio.wrap_future(self._batcher.submit(ids))
        if not math.isfinite(logit):
            raise BackendError(f"{self._name!r} gave a logit that is no number; try @dtype=float32")
        usage = Usage(calls=1, prompt_tokens=len(ids))
        return Verdict(winner="a" if logit > 0 else "b", text=f"{logit:.4f}", usage=usage)

    async def aclose(self) -> None:
        """End the model's thread and free the model; verdicts that are under way fail."""
        await asyncio.to_thread(self._stop)

    def _encode(self, problem: Problem, a: Candidate, b: Candidate) -> list[int]:
        asked = self._piece(0, problem.text)
        most = self._window * PROBLEM_TOKENS // TOKENS
        if len(asked) > most:
            asked = [*asked[: most - 1], asked[-1]]
        room = (self._window - len(asked)) // 2
        responses = [self._piece(place, visible(one)) for place, one in ((1, a), (2, b))]
        cut = [ids if len(ids) <= room else [*ids[:2], *ids[2 - room :]] for ids in responses]
        return [*asked, *cut[0], *cut[1]]

    def _piece(self, place: int, text: str) -> list[int]:
        """[CLS], the opening token, the text's tokens, [SEP]."""
        written = self._opening[place] + neutralised(text, self._special)
        ids: list[int] = self._tokenizer.encode(written, truncation=False)
        return ids


def _logits(logits: Tensor, _: Sequence[Item]) -> list[float]:
    values: list[float] = logits.float().tolist()
    return values
