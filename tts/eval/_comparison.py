"""`Comparison` and `Run`: graded outcomes as numbers, tables and files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts._contracts import Strategy
from tts._errors import ConfigError, MissingDependencyError
from tts._records import CurveName, Result, Usage
from tts.eval._costs import Costs, Prices
from tts.eval._followed import Followed
from tts.eval._grading import Graded
from tts.eval._metrics import Estimate, clustered_mean
from tts.eval._tables import Table, percent, quantity

if TYPE_CHECKING:
    import pandas as pd

    from tts.eval._checks import Disagreement

MIN_PROBLEMS = 6  # with fewer, even a sign test on unanimous differences says nothing at 5 %
_COUNTS = ("failed", "calls", "tokens out", "tokens in", "model s")  # left out where they would be all zeros


class Comparison(Followed, Costs):
    """Several strategies on the same candidates: prints as tables, renders in notebooks.

    Accuracies are over groups of k candidates; where a strategy gives several outputs per group they are averaged.
    A failed result counts as wrong, but a strategy that failed on every group has no accuracy. Intervals are 95 %,
    clustered by problem. What a strategy costs is what it alone would have cost; `spent` is what
    was really paid, shared completions once and stored ones not at all.
    """

    def __init__(
        self,
        rows: Sequence[Graded],
        strategies: Mapping[str, Strategy],
        k: int,
        spent: dict[str, Usage],
        seconds: float,
    ) -> None:
        self.rows: list[Graded] = list(rows)
        self.strategies: list[str] = list(strategies)
        self.k: int = k
        self.spent: dict[str, Usage] = spent
        self.seconds: float = seconds
        self.curve_names: dict[str, CurveName | None] = {label: one.curve() for label, one in strategies.items()}
        cards = ((label, one.card) for label, one in strategies.items() if label == one.name)
        self._metrics = {label: card.metric.replace("@k", f"@{k}") for label, card in cards if card and card.metric}

    # --- numbers ---------------------------------------------------------------------------------------------------

    @property
    def results(self) -> list[Result]:
        """Every result, problem by problem, strategies in the order asked for."""
        return [row.outcome.results[label] for row in self.rows for label in self.strategies]

    @property
    def failed(self) -> list[Result]:
        """The results that have an error instead of a decision."""
        return [result for result in self.results if result.error is not None]

    def correct(self, strategy: str) -> list[float | None]:
        """For each group, the share of the strategy's outputs that are correct; `None` without a gold answer."""
        self._check(strategy)
        return [_share(row, strategy) for row in self.rows]

    def accuracy(self, strategy: str) -> Estimate | None:
        """Mean accuracy of a strategy; `None` where no problem has a gold answer, or it failed on every group."""
        self._check(strategy)
        return None if strategy in self.undecided else self._mean(lambda row: _share(row, strategy))

    @cached_property
    def pass_at_1(self) -> Estimate | None:
        """Mean accuracy of single candidates; a group that could not be sampled counts as wrong."""
        return self._mean(lambda row: _mean_of(row.candidates))

    @cached_property
    def pass_at_k(self) -> Estimate | None:
        """Share of groups with at least one correct candidate: what an oracle that selects would reach.

        A group that could not be sampled counts as wrong; `None` where a strategy stopped before all k were there.
        """
        if any(row.candidates and len(row.candidates) < self.k for row in self.rows):
            return None
        return self._mean(lambda row: None if row.candidates is None else float(any(row.candidates)))

    def n_correct(self, row: Graded) -> int | None:
        """N_c, the number of correct candidates of a complete group; `None` for any other."""
        return sum(row.candidates) if row.candidates is not None and len(row.candidates) == self.k else None

    def gap(self, strategy: str, baseline: str) -> Estimate | None:
        """Paired difference of accuracies on the same groups.

        With self-refinement and `majority` this is the Refinement Gap (arXiv 2509.00084). `None` where one has none.
        """
        if self.accuracy(strategy) is None or self.accuracy(baseline) is None:
            return None

        def difference(row: Graded) -> float | None:
            ours, theirs = _share(row, strategy), _share(row, baseline)
            return None if ours is None or theirs is None else ours - theirs

        return self._mean(difference, bounds=(-1.0, 1.0))

    def refinement_gap(self, strategy: str) -> Estimate | None:
        """Accuracy minus that of the majority vote on the same groups; `None` for the vote itself, and without one."""
        baseline = self.baseline
        return None if baseline is None or baseline == strategy else self.gap(strategy, baseline)

    def by_n_correct(self, strategy: str) -> dict[int, Estimate]:
        """Accuracy by N_c, the number of correct candidates in the group, most first; empty where it has none."""
        counts = self._n_correct_values() if self.accuracy(strategy) is not None else []
        strata = ((n, self._mean(partial(self._share_at, n_correct=n, strategy=strategy))) for n in counts)
        return {n: share for n, share in strata if share is not None}

    def _share_at(self, row: Graded, n_correct: int, strategy: str) -> float | None:
        return _share(row, strategy) if self.n_correct(row) == n_correct else None

    def _n_correct_values(self) -> list[int]:
        return sorted({n for row in self.rows if (n := self.n_correct(row)) is not None}, reverse=True)

    def order_sensitivity(self, strategy: str) -> Estimate | None:
        """How often another order of the candidates changes the strategy's answer: a share of groups and orders.

        `None` where no order was tried: without order trials, and for strategies that declare themselves invariant.
        """
        self._check(strategy)

        def share(row: Graded) -> float | None:
            changed = (row.outcome.changed or {}).get(strategy)
            return sum(changed) / len(changed) if changed else None

        return self._mean(share)

    def usage(self, strategy: str) -> Usage:
        """Calls and tokens of a strategy over all groups and roles, as if it had run alone."""
        self._check(strategy)
        return sum(self.costs(strategy).values(), Usage())

    def mean_seconds(self, strategy: str) -> float:
        """Mean seconds from when the model took a problem up to the strategy's decision."""
        return sum(row.outcome.results[strategy].seconds for row in self.rows) / max(len(self.rows), 1)

    def rates(self, strategy: str) -> dict[str, tuple[int, int]]:
        """How often things happened in a strategy's decisions, of how often they could have; see `tts.Decision`."""
        self._check(strategy)
        decisions = [d for row in self.rows if (d := row.outcome.results[strategy].decision) is not None]
        names = dict.fromkeys(name for decision in decisions for name in decision.rates)
        pairs = {name: [d.rates[name] for d in decisions if name in d.rates] for name in names}
        return {name: (sum(n for n, _ in found), sum(of for _, of in found)) for name, found in pairs.items()}

    def _mean(
        self, value: Callable[[Graded], float | None], bounds: tuple[float, float] = (0.0, 1.0)
    ) -> Estimate | None:
        pairs = ((row.outcome.problem.digest, value(row)) for row in self.rows)
        return clustered_mean(((problem, number) for problem, number in pairs if number is not None), bounds)

    # --- tables ----------------------------------------------------------------------------------------------------

    def tables(self) -> list[Table]:
        """The tables that `str` prints: accuracy and cost, Refinement Gap, accuracy by N_c, order sensitivity."""
        tables = [self._main_table()]
        if any(row.candidates is not None for row in self.rows):
            tables += [t for t in (self._gap_table(), self._n_correct_table()) if t.rows]
        if any(row.outcome.changed is not None for row in self.rows):
            tables.append(self._order_table())
        return tables

    def _main_table(self) -> Table:
        problems = len({row.outcome.problem.digest for row in self.rows})
        title = f"{problems} problems, {len(self.rows)} groups of k={self.k}"
        head = ["strategy", "accuracy", "95 % interval", "answered", *_COUNTS, "s/problem"]
        rows = []
        if self.pass_at_1 is not None:
            rows.append(["pass@1 (mean candidate)", *_accuracy(self.pass_at_1), *[""] * 7])
        if self.pass_at_k is not None:
            rows.append([f"pass@{self.k} (oracle)", *_accuracy(self.pass_at_k), *[""] * 7])
        rows += [self._strategy_row(label) for label in self.strategies]
        kept = [i for i, name in enumerate(head) if name not in _COUNTS or any(row[i] not in ("", "0") for row in rows)]
        shown = [[row[i] for i in kept] for row in (head, *rows)]
        return Table(title, shown[0], shown[1:], [*self.failure_lines(), *self.rate_lines(), self._spent_line()])

    def _strategy_row(self, label: str) -> list[str]:
        results = [row.outcome.results[label] for row in self.rows]
        usage = self.usage(label)
        return [
            self._display(label),
            *(["failed", ""] if label in self.undecided else _accuracy(self.accuracy(label))),
            percent(sum(r.answer is not None for r in results) / max(len(results), 1)),
            str(sum(r.error is not None for r in results)),
            quantity(usage.calls),
            quantity(usage.generated_tokens),
            quantity(usage.prompt_tokens),
            f"{usage.seconds:,.1f}" if usage.seconds else "0",
            f"{self.mean_seconds(label):.2f}",
        ]

    def _display(self, label: str) -> str:
        """The label, with what papers call its accuracy."""
        return f"{label} ({self._metrics[label]})" if label in self._metrics else label

    def failure_lines(self) -> list[str]:
        """The most frequent reasons of failed results, a sentence each."""
        reasons: dict[str, int] = defaultdict(int)
        for result in self.failed:
            sentence = (result.error or "").replace(f" of problem {result.problem.id!r}", "")
            sentence = sentence.replace(f" on problem {result.problem.id!r}", "")
            reasons[f"{result.provenance.strategy}: {sentence}"] += 1
        worst = sorted(reasons.items(), key=lambda item: -item[1])[:3]
        return [f"failed {count}×: {reason}" for reason, count in worst]

    def rate_lines(self) -> list[str]:
        """The rates of every strategy that has some, a line each."""
        lines = []
        for label in self.strategies:
            shown = {name: rate for name, rate in self.rates(label).items() if rate[1]}
            said = (f"{name} {quantity(n)} of {quantity(of)} ({percent(n / of)} %)" for name, (n, of) in shown.items())
            if shown:
                lines.append(f"{label}: {', '.join(said)}")
        return lines

    def _spent_line(self) -> str:
        spent = "; ".join(
            f"{role} {quantity(u.calls)} calls, {quantity(u.generated_tokens)} generated and "
            f"{quantity(u.prompt_tokens)} prompt tokens ({quantity(u.cached_tokens)} of them cached), "
            f"{u.seconds:,.1f} model-seconds"
            for role, u in sorted(self.spent.items())
            if u != Usage()  # recorded scores cost nothing
        )
        return f"really spent in {self.seconds:.1f} s: {spent or 'nothing'}"

    def _gap_table(self) -> Table:
        rows = []
        for label in self.strategies:
            gap = self.refinement_gap(label)
            if gap is not None:
                enough = gap.problems >= MIN_PROBLEMS
                verdict = "better" if gap.low > 0 else "worse" if gap.high < 0 else ""
                verdict = verdict if enough and verdict else "cannot tell at this n"
                rows.append([self._display(label), *_accuracy(gap, signed=True), verdict])
        return Table(
            "Refinement Gap: accuracy minus majority, same groups", ["strategy", "gap", "95 % interval", ""], rows
        )

    def _n_correct_table(self) -> Table:
        counts = self._n_correct_values()
        groups = [sum(self.n_correct(row) == n for row in self.rows) for n in counts]
        rows = [["groups", *map(str, groups)]]
        found = ((label, strata) for label in self.strategies if (strata := self.by_n_correct(label)))
        rows += [
            [self._display(label), *(percent(strata[n].mean) if n in strata else "" for n in counts)]
            for label, strata in found
        ]
        return Table("Accuracy by number of correct candidates", ["N_c", *map(str, counts)], rows)

    def _order_table(self) -> Table:
        tried = {label: share for label in self.strategies if (share := self.order_sensitivity(label)) is not None}
        rows = [[self._display(label), *_accuracy(share), str(share.n)] for label, share in tried.items()]
        others = ", ".join(label for label in self.strategies if label not in tried)
        notes = [f"not tried, for they declare that order does not matter or never decided: {others}"] if others else []
        head = ["strategy", "changed", "95 % interval", "groups"]
        return Table("Order: how often another order of the candidates changes the answer, in %", head, rows, notes)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self.strategies)} on {len(self.rows)} groups of k={self.k}>"

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())

    # --- out -------------------------------------------------------------------------------------------------------

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
            }
        return {
            "k": self.k,
            "groups": len(self.rows),
            "problems": len({row.outcome.problem.digest for row in self.rows}),
            "pass@1": _plain(self.pass_at_1),
            f"pass@{self.k}": _plain(self.pass_at_k),
            "strategies": strategies,
            **self._analysis(),
            **self._cost_summary(),
            "positions": {label: _plain_all(self.positions(label)) for label in self.strategies},
            "spent": {role: usage.model_dump() for role, usage in self.spent.items()},
            "seconds": self.seconds,
        }

    def records(self) -> Iterator[dict[str, Any]]:
        """One flat JSON-able row per group and strategy."""
        for row in self.rows:
            outcome = row.outcome
            for label in self.strategies:
                result = outcome.results[label]
                usage = sum(result.usage.values(), Usage())
                yield {
                    "problem_id": outcome.problem.id,
                    "group": outcome.group,
                    "strategy": label,
                    "answer": result.answer,
                    "gold": outcome.answer,
                    "correct": _share(row, label),
                    "n_correct": self.n_correct(row),
                    "chosen": result.decision.chosen if result.decision else None,
                    "confidence": result.decision.confidence if result.decision else None,
                    "text": result.text,
                    "generated_tokens": usage.generated_tokens,
                    "prompt_tokens": usage.prompt_tokens,
                    "seconds": result.seconds,
                    "error": result.error,
                }

    def to_dataframe(self) -> pd.DataFrame:
        """`records` as a pandas frame; raises `MissingDependencyError` without pandas."""
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingDependencyError("to_dataframe() needs pandas; pip install 'ttscale[data]'") from error
        return pd.DataFrame.from_records(list(self.records()))

    def report(
        self,
        path: str | Path,
        *,
        title: str = "",
        store: str | Path | None = None,
        prices: Prices | None = None,
        disagreements: Sequence[Disagreement] | None = None,
    ) -> Path:
        """Write a report: an .html page, .md, .tex tables, or a folder of all; see `tts.report.write_report`."""
        from tts.report import write_report

        return write_report(self, path, title=title, store=store, prices=prices, disagreements=disagreements)

    def save(self, path: str | Path) -> Path:
        """Write by ending: .json the summary, .jsonl one record per line, .csv and .parquet the frame."""
        target = Path(path)
        if target.suffix not in {".json", ".jsonl", ".csv", ".parquet"}:
            raise ConfigError(f"cannot save to {str(path)!r}: the ending must be .json, .jsonl, .csv or .parquet")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".json":
            target.write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n", "utf-8")
        elif target.suffix == ".jsonl":
            lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in self.records())
            with target.open("w", encoding="utf-8") as file:
                file.writelines(lines)
        elif target.suffix == ".csv":
            self.to_dataframe().to_csv(target, index=False)
        else:
            self.to_dataframe().to_parquet(target, index=False)
        return target


def _share(row: Graded, strategy: str) -> float | None:
    if row.decisions is None:
        return None
    verdicts = row.decisions[strategy]
    return sum(verdicts) / len(verdicts)


def _mean_of(verdicts: tuple[bool, ...] | None) -> float | None:
    return None if verdicts is None else sum(verdicts) / len(verdicts) if verdicts else 0.0


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_dict()


def _plain_all(estimates: Mapping[int, Estimate]) -> dict[str, Any]:
    return {str(key): estimate.to_dict() for key, estimate in estimates.items()}


def _accuracy(estimate: Estimate | None, *, signed: bool = False) -> list[str]:
    if estimate is None:
        return ["", ""]
    sign = "+" if signed else ""
    if estimate.problems < 2:
        return [f"{100 * estimate.mean:{sign}.1f}", ""]
    return [f"{100 * estimate.mean:{sign}.1f}", f"{100 * estimate.low:{sign}.1f} … {100 * estimate.high:{sign}.1f}"]
