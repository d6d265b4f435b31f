"""The page at `/`: one form to try the gateway, what is running."""

from __future__ import annotations

import base64
import hashlib
import html as escaping
from importlib import resources
from typing import Any

from tts._version import __version__
from tts.serve.gateway import Gateway


def _part(tag: str) -> str:
    """What stands between a tag of the page, as its policy must have it."""
    return _TEXT.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


def _digest(tag: str) -> str:
    return base64.b64encode(hashlib.sha256(_part(tag).encode()).digest()).decode()


_TEXT = resources.files("tts.serve").joinpath("page.html").read_text("utf-8")
# Nothing but this page's own script and style runs, and nothing is asked of any other place.
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'sha256-{_digest('script')}'; style-src 'sha256-{_digest('style')}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def html(gateway: Gateway) -> str:
    """The page, with the models as they are now."""
    why = gateway.why_not_ready()
    door = gateway.admission
    fields = {
        "VERSION": __version__,
        "STATE": "ready" if why is None else f"not ready: {why}",
        "POLICY": gateway.catalog.plain.name,
        "INSIDE": str(door.inside),
        "WAITING": str(door.waiting),
    }
    text = _TEXT
    for name, value in fields.items():
        text = text.replace(f"%{name}%", escaping.escape(value))
    options = [_option(name, name == "default") for name in gateway.catalog.names()]
    rows = [_row(card) for card in gateway.catalog.cards()]
    return text.replace("%MODELS%", "".join(options)).replace("%ROWS%", "".join(rows))


def _option(name: str, selected: bool) -> str:
    return f"<option{' selected' if selected else ''}>{escaping.escape(name)}</option>"


def _row(card: dict[str, Any]) -> str:
    """A model as `/v1/models` has it."""
    told = card["tts"]
    deadline = "none" if told["deadline"] is None else f"{told['deadline']:g} s"
    cells = [card["id"], told["strategy"] or "none: the policy itself", told["k"], ", ".join(told["needs"]), deadline]
    return f"<tr>{''.join(f'<td>{escaping.escape(str(cell))}</td>' for cell in cells)}</tr>"
