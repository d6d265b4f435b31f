"""A kernel that SGLang looks up and does not call on a CPU."""

from __future__ import annotations

from typing import Any, NoReturn


def rotary_embedding(*_: Any, **__: Any) -> NoReturn:
    """Is not there."""
    raise NotImplementedError("vllm._custom_ops.rotary_embedding needs a GPU")
