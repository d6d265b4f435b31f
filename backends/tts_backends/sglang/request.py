"""A request in the words of SGLang's `/generate`, to the reading of its answer."""

from __future__ import annotations

import json
import uuid
from typing import Any, NamedTuple, Self

from tts import Completion, Request
from tts_backends.checkpoints.chat import Chat
from tts_backends.checkpoints.request import Prepared, completion
from tts_backends.openai.server import Server
from tts_backends.sglang.serve import Facts


class Ask:
    """One request for n completions: their common part, encoded once, and where each of them is under way."""

    def __init__(self, request: Request, prepared: Prepared, ends: list[int], facts: Facts) -> None:
        self.request, self.prompt = request, prepared.prompt
        self._seeded = facts.seed
        common: dict[str, Any] = {"input_ids": prepared.prompt.ids}
        if facts.order:
            common["priority"] = facts.order * request.priority
        self._common = json.dumps(common).encode()[:-1]
        sampling = request.sampling
        self._sampling: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k or -1,
            "max_new_tokens": prepared.limit,
            "stop": list(sampling.stop),
            "stop_token_ids": ends,
            "skip_special_tokens": False,  # think markers may be special tokens, and stop strings, too
            **structured(sampling.response_format),
        }
        self.at: dict[int, Server] = {}
        self._rids: dict[int, str] = {}
        self.led: Answer | None = None
        self.withdrawn = False

    def prefill(self) -> bytes:
        """What has the prompt computed and nothing written."""
        return self._encoded({"sampling_params": {"max_new_tokens": 0, "temperature": 0.0}})

    def body(self, index: int, *, stream: bool = False) -> bytes:
        """One attempt at one completion, under a name of its own, by which it can be aborted."""
        self._rids[index] = uuid.uuid4().hex
        seed = {"sampling_seed": self.request.seeds[index] & 0x7FFFFFFF} if self._seeded else {}
        return self._encoded({
            "rid": self._rids[index],
            "sampling_params": self._sampling | seed,
            "return_logprob": self.request.sampling.logprobs,
            **({"stream": True} if stream else {}),
        })  # fmt: skip

    def abort(self, index: int) -> bytes:
        """What ends the last attempt at a completion."""
        return json.dumps({"rid": self._rids[index]}).encode()

    def _encoded(self, further: dict[str, Any]) -> bytes:
        return self._common + b", " + json.dumps(further).encode()[1:]


def structured(form: dict[str, Any] | None) -> dict[str, str]:
    """What SGLang calls the form of an answer."""
    if form is None:
        return {}
    schema = form["json_schema"]["schema"] if form.get("type") == "json_schema" else {"type": "object"}
    return {"json_schema": json.dumps(schema)}


class Answer(NamedTuple):
    """One completion as the server gives it; an aborted one has the tokens that were made until then.

    `message` is what the server says beside its reason.
    """

    tokens: list[int]
    cached_tokens: int
    finish_reason: str
    stopped_by: str | None
    logprob: float | None
    message: str = ""
    server: str | None = None

    @classmethod
    def of(cls, said: dict[str, Any]) -> Self:
        """Raises `KeyError`, `TypeError` or `ValueError` where it has another form."""
        meta = said["meta_info"]
        reason = meta["finish_reason"] or {"type": ""}
        if not isinstance(reason, dict):
            raise TypeError(f"the finish_reason is {reason!r}")
        ids = [int(token) for token in said.get("output_ids", ())]
        # SGLang 0.5 puts the end of the prompt before them, which it needs to write text piece by piece.
        before = max(0, len(ids) - int(meta.get("completion_tokens", len(ids))))
        matched = reason.get("matched")
        logprobs = meta.get("output_token_logprobs")
        return cls(
            tokens=ids[before:],
            cached_tokens=int(meta.get("cached_tokens") or 0),
            finish_reason=str(reason["type"] or ""),
            stopped_by=matched if isinstance(matched, str) else None,
            logprob=None if logprobs is None else float(sum(value for value, *_ in logprobs)),
            message=str(reason.get("message") or ""),
        )

    @property
    def aborted(self) -> bool:
        """Whether somebody ended it, not the model."""
        return self.finish_reason in {"abort", "error", ""}

    def completion(self, chat: Chat, ask: Ask, index: int) -> Completion:
        """The completion of this index."""
        # The first pays for the prompt that went ahead for all.
        cached = self.cached_tokens if index or ask.led is None else min(self.cached_tokens, ask.led.cached_tokens)
        whole = completion(
            chat,
            ask.prompt,
            self.tokens,
            index=index,
            text=self._cut(chat, ask.request.sampling.stop),
            finish_reason=self.finish_reason,
            cached_tokens=cached,
            logprob=self.logprob if ask.request.sampling.logprobs else None,
        )
        return whole if self.server is None else whole.model_copy(update={"server": self.server})

    def _cut(self, chat: Chat, stops: tuple[str, ...]) -> str | None:
        """The text before the first stop string, where one ended the completion."""
        if self.stopped_by is None:
            return None
        text = chat.decode(self.tokens)
        found = [place for stop in stops if (place := text.find(stop)) >= 0]
        return text[: min(found)] if found else None
