"""Graded outcomes of several strategies as numbers, tables, files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts.contracts.prices import Prices
from tts.contracts.strategy import Strategy
from tts.metrics.accuracies import present, share_correct
from tts.metrics.comparison_tables import comparison_tables, failure_lines, missing_lines, rate_lines
from tts.metrics.estimate import Estimate
from tts.metrics.grading import Graded
from tts.metrics.judge_bias import Judged
from tts.metrics.made import Made
from tts.metrics.own_verdicts import OwnVerdicts, own_verdicts
from tts.metrics.tables import Table, counted
from tts.output.file import whole_file
from tts.output.text import json_line, mended, mended_row, spreadsheet_cell
from tts.registry.host import plugins
from tts.rows.makers import several
from tts.vocabulary.errors import ConfigError, MissingDependencyError
from tts.vocabulary.outcome_class import result_classes
from tts.vocabulary.records import CurveName, Usage

if TYPE_CHECKING:
    import pandas as pd

    from tts.metrics.checks import Disagreement


class Comparison(Judged):
    """Several strategies on the same candidates: prints as tables, renders in notebooks.

    Accuracies are over groups of k candidates; where a strategy gives several outputs per group they are averaged. What
    is missing, since it failed or was refused, is no wrong answer: it is left out and counted (`missing`,
    `outcome_classes`), and `bounds` say what accuracy would be with all of it wrong, and right. Intervals are 95 %,
    clustered by problem. `max_tokens` is the limit that candidates were sampled with, `answers_are` what kind of
    answers they are, as `answers=` said; `made` is where they came from, when, by which command. What a strategy costs
    is what it alone would have cost; `spent` is what was really paid, shared completions once and stored ones not at
    all.
    """

    def __init__(
        self,
        rows: Sequence[Graded],
        strategies: Mapping[str, Strategy],
        k: int,
        spent: dict[str, Usage],
        seconds: float,
        max_tokens: int | None = None,
        answers: str | None = None,
    ) -> None:
        self.rows: list[Graded] = list(rows)
        self.strategies: list[str] = list(strategies)
        self.k: int = k
        self.spent: dict[str, Usage] = spent
        self.seconds: float = seconds
        self.max_tokens: int | None = max_tokens
        self.answers_are: str = answers or "auto"
        self.made: Made = Made()
        self.curve_names: dict[str, CurveName | None] = {label: one.curve() for label, one in strategies.items()}
        cards = ((label, one.card) for label, one in strategies.items() if label == one.name)
        metrics = {label: card.metric.replace("@k", f"@{k}") for label, card in cards if card and card.metric}
        self._shown = {label: f"{label} ({metrics[label]})" if label in metrics else label for label in strategies}

    @cached_property
    def own_verdicts(self) -> OwnVerdicts | None:
        """How often verdicts that came with a file of candidates agree with the grades; `None` where none came."""
        return own_verdicts(self.rows)

    def tables(self) -> list[Table]:
        """The tables that `str` prints: accuracy and cost, Refinement Gap, accuracy by N_c, confidence, order, strata.

        Where some response is neither right nor wrong, outcome classes, too.
        """
        return comparison_tables(self, self._shown)

    def failure_lines(self) -> list[str]:
        """The most frequent reasons of what failed, a sentence each."""
        return failure_lines(self)

    def missing_lines(self) -> list[str]:
        """What is missing and what was cut, a line each; none where all is there."""
        return missing_lines(self)

    def rate_lines(self) -> list[str]:
        """The rates of every strategy that has some, a line each."""
        return rate_lines(self)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables()))

    def __repr__(self) -> str:
        what = f"{', '.join(self.strategies)} on {counted(len(self.rows), 'group')} of k={self.k}"
        return f"<{'; '.join((f'{type(self).__name__} of {what}', *self.missing_lines()))}>"

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())

    def to_dict(self) -> dict[str, Any]:
        """The summary as JSON-able numbers: accuracies are shares, intervals (low, high)."""
        strategies = {}
        for label in self.strategies:
            strategies[label] = {
                "accuracy": _plain(self.accuracy(label)),
                "unbiased": _plain(self.unbiased(label)),
                "gap_to_majority": _plain(self.refinement_gap(label)),
                "order_sensitivity": _plain(self.order_sensitivity(label)),
                "by_n_correct": _plain_all(self.by_n_correct(label)),
                "usage": self.usage(label).model_dump(),
                "rates": self.rates(label),
                "mean_seconds": self.mean_seconds(label),
                "failed": sum(row.outcome.results[label].error is not None for row in self.rows),
                "outcomes": self.outcome_classes(label),
                "bounds": self.bounds(label),
            }
        return {
            "k": self.k,
            "groups": len(self.rows),
            "problems": len({row.outcome.problem.digest for row in self.rows}),
            "pass@1": _plain(self.pass_at_1),
            f"pass@{self.k}": _plain(self.pass_at_k),
            "strategies": strategies,
            **self._completeness(),
            **self._analysis(),
            **self._cost_summary(),
            **self._budget_summary(),
            **self._confidence_summary(),
            "strata": self._strata_summary(),
            "judge_bias": {label: one.to_dict() for label, one in self._biases.items()},
            "own_verdicts": None if self.own_verdicts is None else self.own_verdicts.to_dict(),
            "g_pass": {f"{tau:g}": _plain(self.g_pass(tau)) for tau in (0.5, 0.75, 1.0)},
            "position_bias": {label: _plain_all(self.position_bias(label)) for label in self.strategies},
            "unlike_slots": None if self.unlike_slots is None else self.unlike_slots.to_dict(),
            "positions": {label: _plain_all(self.positions(label)) for label in self.strategies},
            "spent": {role: usage.model_dump() for role, usage in self.spent.items()},
            "seconds": self.seconds,
            "models": self.models,
            "made": self.made._asdict(),
        }

    @property
    def models(self) -> dict[str, str]:
        """The models by role, as the call named them, with the beginnings of their fingerprints.

        Under `candidates` stand those that made candidates which came with a file, as it names them.
        """
        made = [result.provenance for result in self.results]
        told = dict(made[0].shown) if made else {}
        makers = [name for one in made for name in one.named.get("candidates", "").split(", ")]
        return told | ({"candidates": several(makers)} if any(makers) else {})

    def records(self) -> Iterator[dict[str, Any]]:
        """One flat JSON-able row per group and strategy; `outcome` is the class of the answer in it."""
        for row in self.rows:
            outcome = row.outcome
            for label in self.strategies:
                result = outcome.results[label]
                usage = sum(result.usage.values(), Usage())
                yield {
                    "problem_id": outcome.problem.id,
                    "problem_digest": outcome.problem.digest,
                    "group": outcome.group,
                    "strategy": label,
                    "answer": result.answer,
                    "gold": outcome.answer,
                    "outcome": result_classes(result, (row.decisions or {}).get(label))[0],
                    "correct": share_correct(row, label),
                    "n_correct": self.n_correct(row),
                    "candidates_missing": self._expected(row) - len(present(row)),
                    "chosen": result.decision.chosen if result.decision else None,
                    "confidence": result.decision.confidence if result.decision else None,
                    "text": result.text,
                    "generated_tokens": usage.generated_tokens,
                    "prompt_tokens": usage.prompt_tokens,
                    "estimated_tokens": usage.estimated_tokens,
                    "seconds": result.seconds,
                    "error": result.error,
                }

    def to_dataframe(self) -> pd.DataFrame:
        """`records` as a pandas frame; raises `MissingDependencyError` without pandas."""
        return _frame(self.records())

    def report(
        self,
        path: str | Path,
        *,
        title: str = "",
        store: str | Path | None = None,
        prices: Prices | None = None,
        disagreements: Sequence[Disagreement] | None = None,
        controls: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a report: an .html page, .md, .tex tables, or a folder of all; see `tts.report.write_report`."""
        write_report = plugins().resolve("page", "report")  # above this room, so it is found by name
        beside: dict[str, Any] = {"prices": prices, "disagreements": disagreements, "controls": controls}
        written: Path = write_report(self, path, title=title, store=store, **beside)
        return written

    def save(self, path: str | Path) -> Path:
        """Write by ending: .json the summary, .jsonl one record per line, .csv and .parquet the frame.

        The file is whole or not there. In a .csv, text that a spreadsheet would compute (`=1+1`) is marked by an
        apostrophe before it. Raises `ConfigError` for another ending, `OutputError` where it cannot be written.
        """
        target = Path(path)
        if target.suffix not in {".json", ".jsonl", ".csv", ".parquet"}:
            raise ConfigError(f"cannot save to {str(path)!r}: the ending must be .json, .jsonl, .csv or .parquet")
        with whole_file(target) as part:
            self._write(part, target.suffix)
        return target

    def _write(self, part: Path, ending: str) -> None:
        rows: Iterator[dict[str, Any]] = map(mended_row, self.records())
        if ending == ".json":
            text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n"
            part.write_text(mended(text), "utf-8")
        elif ending == ".jsonl":
            with part.open("w", encoding="utf-8") as file:
                file.writelines(json_line(row) + "\n" for row in rows)
        elif ending == ".csv":
            rows = ({name: spreadsheet_cell(value) for name, value in row.items()} for row in rows)
            _frame(rows).to_csv(part, index=False)
        else:
            _frame(rows).to_parquet(part, index=False)


def _frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError("to_dataframe() needs pandas; pip install 'ttscale[data]'") from error
    return pd.DataFrame.from_records(list(rows))


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_dict()


def _plain_all(estimates: Mapping[int, Estimate]) -> dict[str, Any]:
    return {str(key): estimate.to_dict() for key, estimate in estimates.items()}
