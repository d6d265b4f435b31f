"""The pages of a view: the list of runs, one run, several runs side by side."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tts.contracts.prices import Prices
from tts.report.data import report_data
from tts.report.gather import sections
from tts.report.page import Document, document, page, style
from tts.report.runs import read_runs, runs_document
from tts.report.section import Section
from tts.report.stored import stored_run
from tts.store.store import Store
from tts.view.runs import SeenRun
from tts.view.state import Watched
from tts.vocabulary.errors import TTSError

_HERE = Path(__file__).parent


class Shown(NamedTuple):
    """A page of a run, and how many decisions of its store it was made of."""

    html: str
    total: int


class Pages:
    """Pages as they are asked for; that of a store is made anew when it has more decisions. Used by several threads.

    `stored` are options of `stored_run`.
    """

    def __init__(self, stored: Mapping[str, Any], prices: Prices | None) -> None:
        self._stored, self._prices = dict(stored), prices
        self._watched: dict[str, Watched] = {}
        self._shown: dict[str, Shown] = {}
        self._lock = threading.Lock()

    def runs(self, found: Sequence[SeenRun]) -> str:
        """The list of runs."""
        from jinja2 import Environment, FileSystemLoader
        from markupsafe import Markup

        environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
        rows = [(one, self._facts(one)) for one in found]
        text = Markup(style())  # noqa: S704 - a file of this package
        return environment.get_template("runs.html.jinja").render(rows=rows, style=text)

    def run(self, one: SeenRun) -> str:
        """The page of a run; where there is nothing to report yet, it says why, and what is going on."""
        if one.kind == "summary":
            return page(self._alone(one))
        total = self._total(one)
        with self._lock:  # drawing is not for several threads at once
            known = self._shown.get(one.id)
            if known is None or known.total != total:
                known = self._shown[one.id] = Shown(page(self._document(one), f"/run/{one.id}/state"), total)
        return known.html

    def compared(self, found: Sequence[SeenRun]) -> str:
        """Several runs side by side."""
        with self._lock:
            return page(runs_document(read_runs([one.place for one in found], **self._stored)))

    def state(self, one: SeenRun) -> dict[str, Any]:
        """What is going on in a run's store; `shown` is how many decisions its page was made of."""
        try:
            told = self._watch(one).state()
        except TTSError as error:
            return {"error": str(error)}
        shown = self._shown.get(one.id)
        return told | {"shown": shown.total if shown else 0}

    def _watch(self, one: SeenRun) -> Watched:
        return self._watched.setdefault(one.id, Watched(one.place, self._prices))

    def _total(self, one: SeenRun) -> int:
        try:
            with Store(one.place, read_only=True) as store:
                return store.counts()["results"]
        except TTSError:
            return 0

    def _facts(self, one: SeenRun) -> str:
        if one.kind == "summary":
            return "a summary"
        told = self.state(one)
        if "error" in told:
            return str(told["error"])
        decided = ", ".join(f"{name} {number:,}" for name, number in told["decisions"].items())
        going = "going on" if told["working"] else ""
        facts = (going, f"{told['problems']:,} problems", f"{told['completions']:,} completions", decided)
        return " · ".join(filter(None, facts))

    def _alone(self, one: SeenRun) -> Document:
        return runs_document(read_runs([one.place], **self._stored), one.name)

    def _document(self, one: SeenRun) -> Document:
        try:
            compared = stored_run(one.place, **self._stored)
            with Store(one.place, read_only=True) as store:
                data = report_data(compared, title=one.name, store=store, prices=self._prices)
            return document(data, sections(data))
        except TTSError as error:
            return Document(one.name, (), [Section("summary", "Nothing to report yet", (str(error),))])
