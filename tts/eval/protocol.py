"""`evaluate`: a protocol from problems to a report in a folder, resumable at any point.

It is `tts.compare` with what the paper's evaluation fixes (arXiv 2509.00084, section 4): n candidates of each problem
in groups of k, several outputs of generative strategies for each group, every strategy that the models at hand allow.
All calls are in the folder's store, so the same command again pays for what is missing and writes the same report; what
depends on the run itself (seconds, what was really spent, what a cache served) is in a file of its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from tts.answers.shared import held
from tts.api.samples import Samples
from tts.api.settings import ComparisonSettings, spelled_out
from tts.api.verbs import compare
from tts.contracts.labels import label_strategies
from tts.contracts.prices import Prices
from tts.contracts.strategy import Strategy
from tts.contracts.strategy import strategy as strategy_of
from tts.eval._protocol_tables import Shown, protocol_tables, screen_tables
from tts.eval.controlled import DEFAULT_STRATEGIES, Controls
from tts.eval.controlled import controls as controlled
from tts.metrics.checks import Disagreement, Duplicate, duplicate_problems, grader_disagreements
from tts.metrics.comparison import Comparison
from tts.metrics.paired import Estimator
from tts.metrics.tables import Table
from tts.output.file import check_folder, write_whole
from tts.output.text import json_line
from tts.registry.host import plugins
from tts.sources.layout import holds_candidates
from tts.sources.reading import told_source
from tts.store.address import is_store
from tts.store.store import Store
from tts.vocabulary.errors import ConfigError

STRATEGIES = ("first", "majority", "best_of_n", "weighted_majority", "knockout", "synthesizer", "gsr")
FILES = ("report.md", "report.json", "results.jsonl", "timings.json")
PAGE = "report.html"
CONTROLS = "controls.json"
_OWN = ("order_trials", "on_result", "think")  # of a comparison, which controls do not take
_log = logging.getLogger("tts.eval")


class Evaluation(NamedTuple):
    """What a protocol found; prints as tables. `protocol` is what was asked, JSON-able."""

    comparison: Comparison
    protocol: dict[str, Any]
    prices: Prices | None
    duplicates: list[Duplicate]
    disagreements: list[Disagreement] | None
    controls: Controls | None = None

    def tables(self) -> list[Table]:
        """The tables of the report."""
        return protocol_tables(self._shown)

    def screen(self) -> list[Table]:
        """The tables that fit a screen: accuracies, and what was asked for beside them."""
        return screen_tables(self._shown)

    @property
    def _shown(self) -> Shown:
        return Shown(self.comparison, self.protocol, self.prices, self.duplicates, self.disagreements)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables()))

    def save(self, folder: str | Path) -> list[Path]:
        """Write report.md, report.json, results.jsonl, timings.json, what controls say; each is whole or not there."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        report, timings = self._report()
        rows = list(self.comparison.records())
        timings["results"] = [row.pop("seconds") for row in rows]
        texts = (
            "\n\n".join(table.markdown() for table in self.tables()) + "\n",
            _text(report),
            "".join(json_line(row) + "\n" for row in rows),
            _text(timings),
        )
        made = dict(zip(FILES, texts, strict=True))
        if self.controls is not None:
            made |= {"controls.md": self.controls.markdown(), CONTROLS: json_line(self.controls.to_dict()) + "\n"}
        return [write_whole(target / name, text) for name, text in made.items()]

    def report(self) -> dict[str, Any]:
        """What report.json holds."""
        return self._report()[0]

    def _report(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The report, and what of it depends on the run."""
        found, timings = _without_timings(self.comparison.to_dict())
        found = {"protocol": self.protocol, **found, "checks": self._checks()}
        if self.prices is not None:
            found["price"] = {label: self.prices.of(self.comparison.costs(label)) for label in found["strategies"]}
        return found, timings

    def _checks(self) -> dict[str, Any]:
        found: dict[str, Any] = {"duplicates": [one._asdict() for one in self.duplicates]}
        if self.disagreements is not None:
            found["disagreements"] = [
                one._asdict() | {"opinions": one.opinions._asdict()} for one in self.disagreements
            ]
        return found


@spelled_out
@held()  # strategies, grades, analysis and page ask about the same answers
def evaluate(
    problems: Any = None,
    folder: str | Path = "evaluation",
    *,
    strategies: Sequence[str | Strategy] | None = None,
    k: int = 4,
    n: int = 16,
    outputs: int = 4,
    estimator: Estimator = "groups",
    by: Sequence[str] = (),
    balanced: bool = False,
    check_grades: bool = False,
    controls: bool = False,
    report: str | Path | None = PAGE,
    title: str = "",
    command: str = "",
    overwrite: bool = False,
    columns: Mapping[str, str] | None = None,
    **settings: Unpack[ComparisonSettings],
) -> Evaluation:
    """Sample n candidates per problem, decide on groups of k with every strategy, grade, and write tables to `folder`.

    `problems` and `settings` are those of `tts.compare`; stored candidates are taken as they are, up to n of each
    problem. `strategies` are by default the paper's, as far as models are given for them. `outputs` is given to those
    that have such a parameter and not their own value of it. `estimator` decides what the tables show, gaps and
    verdicts too: "groups", the paper's, one decision for each non-overlapping group of k, or "subsets", the mean over
    all subsets of k of the n, for the strategies that have such an estimate. `by` names columns of the problems'
    metadata, or "difficulty", by which accuracies and gaps are shown apart. `balanced` groups use all n where k does
    not divide it, as in `tts.compare`. `check_grades` asks other graders, which takes as long as Math-Verify does.
    With `controls` the strategies, or majority and gsr where none are named, decide on the first k candidates of each
    problem after they were changed, too (`tts.eval.controls`). `report` is where the page goes, as
    `tts.report.write_report` takes it, in `folder` unless it is absolute; `None` writes none. It has `title` at its
    top, and the `command` that made it. Raises `ConfigError` for an estimator that is neither, a page that cannot be,
    or a folder with the report of another protocol, unless `overwrite` says that it may go.
    """
    if estimator not in ("groups", "subsets"):
        raise ConfigError(f"estimator={estimator!r}: give 'groups' or 'subsets'")
    target = Path(folder)
    check_folder(target)
    page = _page(target, report)
    chosen = protocol_strategies(problems, strategies, outputs, columns, settings)
    asked = {"problems": told_source(problems), "n": n, "k": k, "outputs": outputs, "estimator": estimator}
    if balanced:
        asked["balanced"] = True
    if not overwrite:
        _refuse_another(target, asked, chosen)
    settings.setdefault("store", target / "store.db")
    prices = settings.get("prices")
    told = None if prices is None else Prices.of_any(prices)
    comparison = compare(problems, strategies=chosen, k=k, n=n, balanced=balanced, columns=columns, **settings)
    comparison.estimator = estimator
    comparison.by = tuple(by)
    evaluation = Evaluation(
        comparison,
        asked | _provenance(comparison),
        told,
        duplicate_problems(comparison.rows),
        grader_disagreements(comparison.rows) if check_grades else None,
        _controls(problems, strategies, k, columns, settings) if controls else None,
    )
    evaluation.save(target)
    if page is not None:
        kept, under = settings["store"], evaluation.controls
        beside: dict[str, Any] = {"disagreements": evaluation.disagreements, "store": kept, "prices": told}
        beside["store"] = None if isinstance(kept, Store) else kept  # what is open is its user's
        beside["controls"] = None if under is None else under.to_dict()
        comparison.made = comparison.made._replace(date="", command=command)  # the same command writes the same page
        comparison.report(page, title=title or _title(evaluation), **beside)
    return evaluation


def _controls(
    problems: Any,
    strategies: Sequence[str | Strategy] | None,
    k: int,
    columns: Mapping[str, str] | None,
    settings: ComparisonSettings,
) -> Controls:
    """What controls say, with the settings of the comparison; what is sampled is in the same store."""
    shared: dict[str, Any] = {name: one for name, one in settings.items() if name not in _OWN}
    return controlled(problems, strategies=strategies or DEFAULT_STRATEGIES, k=k, columns=columns, **shared)


def protocol_strategies(
    problems: Any,
    strategies: Sequence[str | Strategy] | None,
    outputs: int,
    columns: Mapping[str, str] | None,
    settings: Mapping[str, Any],
) -> list[Strategy]:
    """The strategies of a protocol: those given, else those that the models allow, with so many outputs of each."""
    given = _allowed(problems, columns, settings) if strategies is None else strategies
    return [_with_outputs(strategy_of(one), outputs) for one in given]


def _refuse_another(folder: Path, asked: Mapping[str, Any], chosen: Sequence[Strategy]) -> None:
    """Raise `ConfigError` where the folder has the report of another protocol, which this one would write over."""
    try:
        before = json.loads((folder / "report.json").read_text("utf-8"))["protocol"]
        told = dict(
            {"balanced": False} | before, strategies={label: dict(one) for label, one in before["strategies"].items()}
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # there is none, or none of ours
    strategies = {
        label: {"name": one.name, **one.model_dump(mode="json")} for label, one in label_strategies(chosen).items()
    }
    now = {"balanced": False, **asked, "strategies": strategies}
    other = [name for name, value in now.items() if told.get(name) != value]
    if not other:
        return
    what = ", ".join(
        f"other {name}" if name == "strategies" else f"{name}={told.get(name)!r}, not {now[name]!r}" for name in other
    )
    raise ConfigError(
        f"{str(folder)!r} has the report of another protocol ({what}); give another folder, or overwrite=True "
        "(on the command line --overwrite), which keeps the samples in its store"
    )


def _page(folder: Path, report: str | Path | None) -> Path | None:
    """Where the page goes, checked before anything is sampled."""
    from tts.report.writer import WITHOUT_FIGURES, check_target

    if report is None:
        return None
    check_target(folder / report)
    if Path(report).suffix not in WITHOUT_FIGURES and find_spec("matplotlib") is None:
        _log.warning("no page is written, for its charts need matplotlib; pip install 'ttscale[report]'")
        return None
    return folder / report


def _title(evaluation: Evaluation) -> str:
    comparison = evaluation.comparison
    who = f"{len(comparison.strategies)} strategies" if len(comparison.strategies) > 1 else comparison.strategies[0]
    return f"{who} on {evaluation.protocol['problems']}"


def _with_outputs(strategy: Strategy, outputs: int) -> Strategy:
    if "outputs" not in type(strategy).model_fields or "outputs" in strategy.model_fields_set:
        return strategy
    return strategy.model_copy(update={"outputs": outputs})


def _allowed(problems: Any, columns: Mapping[str, str] | None, settings: Mapping[str, Any]) -> list[Strategy]:
    """The strategies of the protocol whose models are there; stored candidates come without a policy."""
    known = plugins().names("strategy")
    stored = is_store(problems) or isinstance(problems, Samples) or holds_candidates(problems, columns)
    there = {role: settings.get(role) is not None for role in ("scorer", "judge", "synthesizer")}
    there["policy"] = settings.get("model") is not None or not stored
    every = [strategy_of(name) for name in STRATEGIES if name in known]
    return [one for one in every if all(there[role] for role in there if getattr(one.required(), role))]


def _provenance(comparison: Comparison) -> dict[str, Any]:
    results = comparison.rows[0].outcome.results if comparison.rows else {}
    told = {label: result.provenance for label, result in results.items()}
    first = next(iter(told.values()), None)
    return {
        "strategies": {label: {"name": one.strategy, **one.parameters} for label, one in told.items()},
        "models": first.models if first else {},
        "named": comparison.models,
        "seed": first.seed if first else None,
        "version": first.version if first else None,
        "code": {label: one.code for label, one in told.items() if one.code},
    }


def _without_timings(summary: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A comparison's summary, and what of it depends on the run: times, what was spent, what a cache served."""
    timings = {name: summary.pop(name) for name in ("spent", "seconds", "made")}
    cached: dict[str, Any] = {}
    for label, one in summary["strategies"].items():
        cached[label] = {"mean_seconds": one.pop("mean_seconds"), **_taken(one["usage"], "")}
        for role, usage in summary["costs"][label].items():
            cached[label] |= _taken(usage, f"{role}_")
    return summary, timings | {"strategies": cached}


def _taken(usage: dict[str, Any], role: str) -> dict[str, Any]:
    names = {"cached_tokens": f"{role}cached_tokens", "seconds": f"{role}model_seconds"}
    return {told: usage.pop(name) for name, told in names.items()}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
