"""What `openai-batch:model[@option=value,...]` takes."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from tts import ConfigError
from tts_backends.openai.options import Options as OpenAIOptions

MOST_ROWS = 50_000
"""Requests in one file, as OpenAI's interface limits them."""


class Options(OpenAIOptions):
    """Those of `openai:`, and how requests are gathered, kept and asked about."""

    ledger: Path | None = None
    """The folder in which files of requests and the names of batches are kept, so that none is sent twice and no paid
    answer is lost. By default `ttscale/batches` in the folder for state (XDG_STATE_HOME, else ~/.local/state): the same
    for every run of this user, wherever it is started.
    """

    gather: float = Field(5.0, gt=0)
    """Seconds without another request after which those that have gathered are sent as a file. By default five (our
    choice: a stage of sampling asks for all it wants within a second, and a batch takes hours).
    """

    poll: float = Field(60.0, gt=0)
    """The most seconds between two questions whether a batch is done; they begin at a twelfth of it. By default a
    minute (our choice).
    """

    rows: int = Field(MOST_ROWS, ge=1, le=MOST_ROWS)
    """The most requests in one file. By default 50,000, which is the interface's limit."""

    window: str = Field("24h", min_length=1)
    """Within which time the service is to be done, in its words. By default `24h`, which is the only one that OpenAI
    has.
    """

    fallback: Literal["single", "none"] = "single"
    """What becomes of requests that a batch left without an answer: `single` asks for each at once, at the full price,
    `none` leaves the candidate missing.
    """

    run_batch: bool = False
    """Ask no service: each file of requests waits in the ledger for a program of yours, such as `vllm run-batch`, that
    writes its answers beside it. Off by default.
    """

    patience: float = Field(3600.0, ge=0)
    """Seconds that the service may not be there before problems fail. By default an hour (our choice: a batch goes on
    meanwhile).
    """

    def check(self, model: str) -> None:
        """Raise `ConfigError` for what does not go with a batch."""
        if self.stream or self.grouping == "always":
            wrong = "stream=true" if self.stream else "grouping=always"
            raise ConfigError(
                f"openai-batch:{model}@{wrong}: each completion is a line of a file of its own, so that one that is "
                "asked for again is known again; leave it out"
            )
        if not self.run_batch and len(self.addresses()) > 1:
            raise ConfigError(f"openai-batch:{model}: a batch is at one service; give one address as base_url")

    def place(self, model: str) -> Path:
        """The folder of this model at this service."""
        base = self.ledger.expanduser() if self.ledger else _state() / "ttscale" / "batches"
        where = "run-batch" if self.run_batch else self.addresses()[0].origin
        shown = re.sub(r"[^\w.-]+", "-", re.sub(r"^https?://", "", where) + "-" + model)[:60].strip("-.")
        mark = hashlib.blake2b(f"{where}\n{model}".encode(), digest_size=4).hexdigest()
        return base.resolve() / f"{shown}-{mark}"


def _state() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
