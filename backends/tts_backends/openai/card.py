"""What a server says of its model on pages of its own: its name, its context, how it draws by itself."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

_RUN_TIME = {"n_ctx", "n_ctx_slot"}  # of llama.cpp's meta: how it was started, not what it runs
# What llama.cpp does to a draw unless a request says otherwise, and what leaves the model's distribution as it is.
_NEUTRAL: dict[str, float] = {
    "top_k": 0, "min_p": 0.0, "top_n_sigma": -1.0, "xtc_probability": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0,
    "presence_penalty": 0.0, "frequency_penalty": 0.0, "dry_multiplier": 0.0, "mirostat": 0,
}  # fmt: skip


_PATH = re.compile(r"[/~]|\.{1,2}[/\\]|[A-Za-z]:[/\\]|\\\\")


class Card(NamedTuple):
    """The entry of a model in the list of models; empty where there is none."""

    told: dict[str, Any]

    @classmethod
    def of(cls, models: list[dict[str, Any]], name: str) -> Card:
        """The entry of this name, or of the only one there is: llama.cpp serves one under any name."""
        named = [card for card in models if card.get("id") == name]
        return cls((named or (models if len(models) == 1 else [{}]))[0])

    @property
    def context(self) -> int | None:
        """The context length in tokens, under the names that vLLM, SGLang, OpenRouter, Groq and llama.cpp give it."""
        meta = self.told.get("meta") if isinstance(self.told.get("meta"), dict) else {}
        names = ("max_model_len", "context_length", "context_window", "max_context_length")
        found = [self.told.get(name) for name in names] + [(meta or {}).get("n_ctx")]
        return next((int(one) for one in found if isinstance(one, int) and one > 0), None)

    @property
    def identity(self) -> str:
        """What tells this model from another one of its name."""
        meta = self.told.get("meta")
        if isinstance(meta, dict):
            meta = {key: last_part(value) for key, value in meta.items() if key not in _RUN_TIME}
        return json.dumps([last_part(self.told.get("root")), meta], sort_keys=True)


def last_part(value: Any) -> Any:
    """The last part of a path, since where a model lies is no part of what it is; anything else as it is."""
    if not isinstance(value, str) or not _PATH.match(value):
        return value
    return re.split(r"[/\\]", value.rstrip("/\\"))[-1] or value


class Props(NamedTuple):
    """llama.cpp's page about itself; empty for other servers."""

    told: dict[str, Any]

    @property
    def _settings(self) -> dict[str, Any]:
        found = self.told.get("default_generation_settings")
        return found if isinstance(found, dict) else {}

    @property
    def context(self) -> int | None:
        """Tokens of prompt and response together that one request may have."""
        found = self._settings.get("n_ctx")
        return found if isinstance(found, int) and found > 0 else None

    def own_sampling(self, sent: set[str]) -> dict[str, float]:
        """How it changes a draw by itself, but for what requests say."""
        params = self._settings.get("params")
        params = params if isinstance(params, dict) else {}
        return {
            name: value
            for name, neutral in _NEUTRAL.items()
            if name not in sent and isinstance(value := params.get(name), int | float) and value != neutral
        }
