"""A connection that is made anew where it was lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from tts.store.database import Connection, Database

_log = logging.getLogger("tts")
AGAIN_SECONDS = 0.5  # before the next try
T = TypeVar("T")


class Link:
    """A connection to a database, made when it is first used where there is none yet."""

    def __init__(self, database: Database, connection: Connection | None = None) -> None:
        self._database, self._connection = database, connection

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns. It is done again on a new connection where that may help, while patience lasts."""
        began, told = time.monotonic(), False
        while True:
            try:
                if self._connection is None:
                    self._connection = self._database.connect()
                return work(self._connection)
            except self._database.errors as error:
                if not self._database.passing(error) or time.monotonic() > began + self._database.patience:
                    raise
                self.close()
                if not told:
                    patience = self._database.patience
                    _log.warning("%s; it is tried again for %g s", self._database.error(error), patience)
                told = True
                time.sleep(AGAIN_SECONDS)

    def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._database.errors):
                connection.close()

    def last(self, work: Callable[[Connection], object]) -> None:
        """Do it where there is a connection, then close; what fails now matters to nobody."""
        if self._connection is not None:
            with suppress(*self._database.errors):
                work(self._connection)
        self.close()
