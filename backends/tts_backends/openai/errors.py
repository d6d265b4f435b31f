"""What a server's refusals mean: which may be tried again, which are about the context, one sentence for each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tts import BackendError, BackendTimeout, BackendUnavailable
from tts_backends.openai.overflow import Overflow, overflow_of
from tts_backends.openai.parameter import refused_parameter
from tts_backends.openai.waiting import pause, used_up

_AGAIN = {
    408, 409, 424, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 527, 529, 530, 598, 599,
}  # fmt: skip
_SHOWN = 300  # characters of a server's message
# The codes with which Azure and OpenAI decline a prompt.
_FILTER = re.compile(rb'"code"\s*:\s*"(?:content_filter|content_policy_violation|invalid_prompt)"')
# What an error that comes with status 200 calls itself, and the status that it would have.
_KINDS = (
    (re.compile(r"rate.?limit|too.?many.?requests|quota|resource.?exhausted|throttl", re.IGNORECASE), 429),
    (re.compile(r"overloaded|unavailable|capacity", re.IGNORECASE), 503),
    (re.compile(r"timeout|timed.?out", re.IGNORECASE), 504),
    (re.compile(r"auth|api.?key", re.IGNORECASE), 401),
    (re.compile(r"permission|forbidden", re.IGNORECASE), 403),
    (re.compile(r"not.?found", re.IGNORECASE), 404),
    (re.compile(r"context.?(?:length|size)|invalid|bad.?request|unsupported|validation", re.IGNORECASE), 400),
)


class Trouble(Exception):  # noqa: N818 - it is what a request met, and carries the error to raise
    """A request that brought nothing: `error` is for the user if it was the last attempt.

    `after` is for how many seconds the server wants to be left alone. `unreachable` says that nobody took the request;
    `overflow` that prompt and new tokens do not fit; `parameter` which part of the request is refused as such;
    `filtered` that a content filter declines the prompt; `over` that the server gives nothing more in this run;
    `in_vain` that it may have worked for what did not arrive.
    """

    def __init__(
        self,
        error: BackendError,
        *,
        status: int | None = None,
        after: float | None = None,
        unreachable: bool = False,
        overflow: Overflow | None = None,
        parameter: str | None = None,
        filtered: bool = False,
        over: bool = False,
        in_vain: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error, self.status, self.after = error, status, after
        self.unreachable, self.overflow = unreachable, overflow
        self.parameter, self.filtered, self.over, self.in_vain = parameter, filtered, over, in_vain


def refusal(status: int, headers: Mapping[str, str], body: bytes, where: str, withheld: str = "") -> Trouble:
    """What an answer with an error status means; `where` names model and server, `withheld` says which key it lacks."""
    said, text = message_of(body), body.decode("utf-8", "replace")
    tail = f": {said[:_SHOWN]}" if said else ""
    after = pause(headers, text) if status in _AGAIN else None
    if used_up(status, text, after):
        wait = f"; it asks to wait {after / 60:,.0f} minutes" if after else ""
        sentence = f"{where} gives no more today: a quota or a balance is used up (HTTP {status}){tail}{wait}"
        return Trouble(BackendError(sentence), status=status, over=True)
    parameter = refused_parameter(status, said, body)
    if overflow := overflow_of(status, said, text):
        error = BackendError(f"{where} refuses the request (HTTP {status}){tail}")
        return Trouble(error, status=status, overflow=overflow, parameter=parameter)
    if status in _AGAIN:
        what = "is rate-limited" if status == 429 else "failed"
        again = BackendUnavailable(f"{where} {what} (HTTP {status}){tail}")
        return Trouble(again, status=status, after=after, parameter=parameter)
    if status in {401, 403}:
        what = withheld or "set @key_env= or @key_file="
        sentence = f"{where} refuses the API key (HTTP {status}); {what}{tail}"
    elif status == 404:
        sentence = f"{where} does not know this model or address (HTTP 404){tail}"
    elif 300 <= status < 400:
        sentence = f"{where} redirects to {headers.get('Location', 'another address')!r}; use that as base_url"
    else:
        sentence = f"{where} refuses the request (HTTP {status}){tail}"
    filtered = status == 400 and _FILTER.search(body) is not None
    return Trouble(BackendError(sentence), status=status, parameter=parameter, filtered=filtered)


def status_of(told: Any) -> int:
    """The status that belongs to an error which came with status 200: its own code, or what its words mean."""
    if not isinstance(told, dict):
        told = {"message": told}
    for name in ("code", "status", "status_code", "http_code"):
        number = str(told.get(name) or "")
        if number.isdecimal() and 400 <= int(number) < 600:
            return int(number)
    for name in ("code", "type", "status"):
        words = told.get(name)
        found = next((status for kind, status in _KINDS if isinstance(words, str) and kind.search(words)), None)
        if found is not None:
            return found
    return 500


def inside(told: Any, where: str) -> Trouble:
    """What an error means that came where an answer should be."""
    return refusal(status_of(told), {}, json.dumps({"error": told}).encode(), where)


def message_of(body: bytes) -> str:
    """The server's own words in the body of an error, on one line."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        return "" if is_page(body) else " ".join(text.split())
    if isinstance(found, list) and len(found) == 1:  # as Gemini's interface wraps it
        found = found[0]
    if isinstance(found, dict):
        found = found.get("error") or found
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
    error = BackendUnavailable(f"{where} {verb}: {words[:_SHOWN]}")
    return Trouble(error, unreachable=unreachable, in_vain=not unreachable)


def untrusted(words: str, where: str) -> Trouble:
    """A certificate that does not convince."""
    return Trouble(
        BackendError(
            f"{where} shows a certificate that is not trusted ({words[:_SHOWN]}); give the file of the authority that "
            "signed it by @ca="
        )
    )


def encoded(words: str, where: str) -> Trouble:
    """A body in an encoding that was not asked for."""
    package = "brotli" if "br" in words.lower() else "zstandard" if "zstd" in words.lower() else "aiohttp[speedups]"
    return Trouble(
        BackendError(
            f"{where} answers in an encoding that was not asked for ({words[:_SHOWN]}); install {package}, or have the "
            "proxy before it leave answers as they are"
        )
    )


def damaged(words: str, where: str) -> Trouble:
    """A body in an encoding that was asked for, and that it does not keep to."""
    error = BackendError(f"{where} answered with a damaged body ({words[:_SHOWN]})", retryable=True)
    return Trouble(error, in_vain=True)


def timed_out(where: str, seconds: float | None, *, unreachable: bool) -> Trouble:
    """A timeout; `seconds` is the one that was kept longest."""
    what = "could not be connected to in time (@connect_timeout)" if unreachable else (
        f"did not answer in time{'' if seconds is None else f' ({seconds:g} s; @first_byte_timeout, @timeout)'}"
    )  # fmt: skip
    return Trouble(BackendTimeout(f"{where} {what}"), unreachable=unreachable, in_vain=not unreachable)
