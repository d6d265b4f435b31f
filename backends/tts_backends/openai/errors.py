"""What a server's refusals mean: which may be tried again, which are about the context, one sentence for each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from tts import BackendError, BackendTimeout, BackendUnavailable

_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_SHOWN = 300  # characters of a server's message
# How vLLM, SGLang, llama.cpp and hosted services word it; there is no field for it in the interface.
_LIMIT = (
    r"(?:context (?:length|size|window|limit)|model length|prompt length|n_ctx)[^\d{]{0,40}?(\d[\d,]*)",
    r"(?:> |larger than |with |exceeds the limit of )(\d[\d,]*) (?:maximum|tokens)",
)
_PROMPT = (
    r"(\d[\d,]*) (?:in the messages|in the prompt|input tokens|tokens? from the input)",
    r"(?:input|request) \((\d[\d,]*) tokens",
    r"(?:resulted in|contains?|too long:?|n_prompt_tokens\"?:?) ?(?:at least )?(\d[\d,]*)",
    r"requested (\d[\d,]*) tokens",
)
# The codes with which Azure and OpenAI decline a prompt.
_FILTER = re.compile(rb'"code"\s*:\s*"(?:content_filter|content_policy_violation|invalid_prompt)"')
_ABOUT_CONTEXT = re.compile(r"context|too long|prompt length|model length|input length", re.IGNORECASE)


class Overflow(NamedTuple):
    """What a server said of a prompt and a context, in tokens; `None` where it gave no number."""

    prompt: int | None
    context: int | None


class Trouble(Exception):  # noqa: N818 - it is what a request met, and carries the error to raise
    """A request that brought nothing: `error` is for the user if it was the last attempt.

    `after` is for how many seconds the server wants to be left alone. `unreachable` says that nobody took the request;
    `overflow` that prompt and new tokens do not fit; `filtered` that a content filter declines the prompt.
    """

    def __init__(
        self,
        error: BackendError,
        *,
        status: int | None = None,
        after: float | None = None,
        unreachable: bool = False,
        overflow: Overflow | None = None,
        filtered: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error, self.status, self.after = error, status, after
        self.unreachable, self.overflow, self.filtered = unreachable, overflow, filtered


def refusal(status: int, headers: Mapping[str, str], body: bytes, where: str) -> Trouble:
    """What an answer with an error status means; `where` names model and server."""
    said = message_of(body)
    tail = f": {said[:_SHOWN]}" if said else ""
    if status in {400, 413, 422} and _ABOUT_CONTEXT.search(said):
        overflow = overflow_in(f"{said} {body.decode('utf-8', 'replace')}")
        if overflow.context is not None or overflow.prompt is not None:
            return Trouble(BackendError(f"{where} refuses the request (HTTP {status}){tail}"), overflow=overflow)
    if status in _AGAIN:
        what = "is rate-limited" if status == 429 else "failed"
        error = BackendUnavailable(f"{where} {what} (HTTP {status}){tail}")
        return Trouble(error, status=status, after=retry_after(headers))
    if status in {401, 403}:
        sentence = f"{where} refuses the API key (HTTP {status}); set @key_env= or @key_file={tail}"
    elif status == 404:
        sentence = f"{where} does not know this model or address (HTTP 404){tail}"
    elif 300 <= status < 400:
        sentence = f"{where} redirects to {headers.get('Location', 'another address')!r}; use that as base_url"
    else:
        sentence = f"{where} refuses the request (HTTP {status}){tail}"
    return Trouble(BackendError(sentence), status=status, filtered=status == 400 and _FILTER.search(body) is not None)


def message_of(body: bytes) -> str:
    """The server's own words in the body of an error, on one line."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        return "" if is_page(body) else " ".join(text.split())
    if isinstance(found, dict):
        found = found.get("error", found)
    if isinstance(found, dict):
        found = found.get("message") or found.get("detail") or found
    return " ".join((found if isinstance(found, str) else json.dumps(found)).split())


def is_page(body: bytes) -> bool:
    """Whether this is HTML, as proxies and wrong addresses answer."""
    return body.lstrip()[:15].lower().startswith((b"<!doctype", b"<html"))


def unreadable(body: bytes, where: str) -> Trouble:
    """An answer with status 200 that is no answer."""
    if is_page(body):
        what = (
            "answered with an HTML page; does base_url lead to an OpenAI-compatible interface (it often ends in /v1)?"
        )
    else:
        what = f"answered with something that is not the JSON of a completion: {body[:80]!r}"
    return Trouble(BackendError(f"{where} {what}", retryable=True))


def disconnected(words: str, where: str, *, unreachable: bool) -> Trouble:
    """A connection that failed, in the words of the client, which may name addresses but no headers."""
    verb = "cannot be reached" if unreachable else "broke the connection off"
    return Trouble(BackendUnavailable(f"{where} {verb}: {words[:_SHOWN]}"), unreachable=unreachable)


def timed_out(where: str, seconds: float | None, *, unreachable: bool) -> Trouble:
    """A timeout; `seconds` is the one that was kept longest."""
    what = "could not be connected to in time (@connect_timeout)" if unreachable else (
        f"did not answer in time{'' if seconds is None else f' ({seconds:g} s; @first_byte_timeout, @timeout)'}"
    )  # fmt: skip
    return Trouble(BackendTimeout(f"{where} {what}"), unreachable=unreachable)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header Retry-After asks for, given in seconds or as a date."""
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def overflow_in(text: str) -> Overflow:
    """Prompt and context length that an error message names."""
    return Overflow(_number(_PROMPT, text), _number(_LIMIT, text))


def _number(patterns: Sequence[str], text: str) -> int | None:
    """What the first pattern that is found says."""
    found = next((match for pattern in patterns if (match := re.search(pattern, text, re.IGNORECASE))), None)
    return int(found[1].replace(",", "")) if found else None
