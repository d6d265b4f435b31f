"""Which parameter of a request a server refuses."""

from __future__ import annotations

import json
import re
from typing import Any

NAMES = (
    "max_completion_tokens", "max_tokens", "temperature", "top_p", "top_k", "min_p", "top_logprobs", "logprobs", "seed",
    "stream_options", "stop", "reasoning_effort", "chat_template_kwargs", "response_format",
    "parallel_tool_calls", "tool_choice", "tools", "n",
)  # fmt: skip
_REFUSED = re.compile(
    r"unsupported|not support|n't support|unrecogni[sz]ed|unknown|unexpected|extra|not permitted|not allowed|"
    r"not available|cannot (?:both )?be|cannot find field|only the default|deprecated|not implemented",
    re.IGNORECASE,
)
_OUT_OF_RANGE = re.compile(r"at most|at least|greater than|less than|between|in the range|>=|<=", re.IGNORECASE)


def refused_parameter(status: int, said: str, body: bytes) -> str | None:
    """The parameter that a refusal is about, where it is about one as such and not about its value."""
    if status not in {400, 404, 422, 500, 501}:
        return None
    about = _field(body)
    if about is None:
        found = [(match.start(), name) for name in NAMES if (match := _mention(name, said))]
        about = min(found)[1] if found else None
        if about is None or not _REFUSED.search(said):
            return None
    if _OUT_OF_RANGE.search(said) and not _REFUSED.search(said):
        return about if about == "n" else None
    if "cannot both be" in said and "top_p" in said:
        return "top_p"  # services that take one of the two take the temperature
    return about


def _mention(name: str, said: str) -> re.Match[str] | None:
    """Where the name stands; one letter must be in quotation marks."""
    left, right = (r"['\"`/]", r"['\"`:]") if len(name) == 1 else (r"(?<![\w.])", r"(?![\w])")
    return re.search(f"{left}{name}{right}", said)


def _field(body: bytes) -> str | None:
    """The name in the field that OpenAI has for it (`param`), or in the place that pydantic tells (`loc`)."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    inner = found.get("error")
    error = inner if isinstance(inner, dict) else found
    detail = found.get("detail")
    places = [detail[0].get("loc") or [""]] if isinstance(detail, list) and isinstance((detail or [0])[0], dict) else []
    told = [error.get("param"), *(place[-1] for place in places)]
    return next((str(one) for one in told if one in NAMES), None)
