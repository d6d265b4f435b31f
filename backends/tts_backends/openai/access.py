"""What lets us in at a server: headers with the key in them, trust in its certificate."""

from __future__ import annotations

import ssl
from typing import NamedTuple


class Access(NamedTuple):
    """The headers that let us in; it does not show them.

    `withheld` is a sentence about a key that is there and not sent; `tls` is what certificates are checked with, by
    default what the system trusts.
    """

    headers: dict[str, str]
    withheld: str = ""
    tls: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"Access({', '.join(self.headers)})"

    @property
    def secrets(self) -> list[str]:
        """Every value, and the key within its header, longest first."""
        values = {part for value in self.headers.values() for part in (value, value.removeprefix("Bearer "))}
        return sorted((value for value in values if len(value) > 3), key=len, reverse=True)
