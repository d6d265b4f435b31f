"""`tts compare`: many strategies on the same candidates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import click

import tts
from tts.api.settings import Settings, extractor_given, settle_answers
from tts.api.verbs import DEFAULT_STRATEGIES
from tts.cli import say
from tts.cli._explain import explain_option, show_explanation
from tts.cli._json_line import write_json
from tts.cli._max_failed import finish, max_failed_option
from tts.cli._options import (
    Pairs,
    by_option,
    engine_options,
    grader_option,
    k_option,
    output_option,
    parameter_option,
    report_option,
    source_options,
    strategies_named,
    strategies_of,
    strategy_option,
    think_option,
)
from tts.cli._output import check_output, save
from tts.cli._progress import watch
from tts.contracts.grader import extractor
from tts.contracts.strategy import Strategy
from tts.metrics.comparison import Comparison
from tts.metrics.pairs import PAIRS
from tts.output.columns import terminal_width, wrapped
from tts.sources.layout import holds_candidates
from tts.sources.opening import at_hand
from tts.store.address import check_exists, is_store
from tts.vocabulary.thinking import CLOSE, OPEN

ENDINGS = (".json", ".jsonl", ".csv", ".parquet")


@click.command()
@source_options
@strategy_option(",".join(DEFAULT_STRATEGIES))
@k_option()
@parameter_option
@click.option(
    "--order-trials",
    type=click.IntRange(min=0),
    default=0,
    metavar="M",
    help="Decide again on M other orders of the candidates; say how often the answer changes.",
)
@click.option(
    "--shuffle", is_flag=True, help="Put stored candidates in a seeded random order first: for sets of several models."
)
@by_option
@click.option(
    "--balanced",
    is_flag=True,
    help="Groups that use all candidates where K does not divide them: they overlap, each candidate in equally many.",
)
@grader_option
@think_option
@engine_options
@output_option("The graded results", ENDINGS)
@report_option
@max_failed_option
@explain_option
@click.option("--pairs", "show_pairs", is_flag=True, help="A paired test of every two strategies, one line each.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
def compare(
    problems: str | None,
    columns: dict[str, str] | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    names: tuple[str, ...],
    k: int,
    parameters: Pairs,
    order_trials: int,
    shuffle: bool,
    by: tuple[str, ...],
    balanced: bool,
    grader: str | None,
    think: tuple[str, str] | None,
    engine: dict[str, Any],
    output: Path | None,
    report: Path | None,
    title: str,
    max_failed: str,
    explain: bool,
    show_pairs: bool,
    as_json: bool,
) -> None:
    """Let several strategies decide on the same candidates, in groups of K.

    PROBLEMS is a file of candidate sets (rows of problem, answer, candidates), `-` for such rows on standard input, or
    a store; these need no model unless a strategy calls one. Other problems, as in `tts run`, are sampled first.
    """
    check_output(output, ENDINGS)
    if names:
        chosen = strategies_named(names, parameters)
    else:
        chosen = _defaults(problems, columns, parameters, has_model="model" in engine)
    if is_store(problems):
        check_exists(str(problems))
    source: str | list[tts.Sampled] | None = problems
    if explain:
        how: dict[str, Any] = {"columns": columns, "limit": limit, "on_error": on_error, "think": think}
        show_explanation(problems, chosen, k, **how, engine=engine)
        return
    if problems == "-":
        source = list(_piped(columns, limit, on_error, think, cast("Settings", engine)))
    with watch("decision", None, engine.get("store")) as listener:
        comparison = tts.compare(
            source,
            strategies=chosen,
            k=k,
            order_trials=order_trials,
            shuffle=shuffle,
            balanced=balanced,
            columns=columns,
            limit=limit,
            on_error=on_error,
            grader=grader,
            think=think,
            listeners=[listener],
            **engine,
        )
    comparison.by = by
    save(comparison, output, report, engine, title)
    _show(comparison, as_json=as_json, pairs=show_pairs)
    finish(comparison, max_failed, engine.get("store"), given=_given(problems, columns))


def _show(comparison: Comparison, *, as_json: bool, pairs: bool) -> None:
    if as_json:
        write_json(comparison.to_dict())
        return
    click.echo(str(comparison))
    if pairs:
        told = ["", PAIRS, *map(str, comparison.pairs())]
        click.echo("\n".join(line for one in told for line in wrapped(one, terminal_width())))


def _defaults(
    problems: str | None, columns: dict[str, str] | None, parameters: Pairs, *, has_model: bool
) -> list[Strategy]:
    """The default strategies; for stored candidates without a model, those that need none."""
    chosen = strategies_of(DEFAULT_STRATEGIES, parameters)
    if has_model or not _given(problems, columns):
        return chosen
    left_out = [strategy.name for strategy in chosen if strategy.required().policy]
    say(f"without --model nothing can be generated: {', '.join(left_out)} left out")
    return [strategy for strategy in chosen if not strategy.required().policy]


def _given(problems: str | None, columns: dict[str, str] | None) -> bool:
    """The source is of candidates, so that none is sampled."""
    return problems == "-" or is_store(problems) or holds_candidates(problems or "", columns)


def _piped(
    columns: dict[str, str] | None,
    limit: int | None,
    on_error: Literal["raise", "skip"],
    think: tuple[str, str] | None,
    engine: Settings,
) -> Iterator[tts.Sampled]:
    """The candidate sets on standard input."""
    rows = at_hand("-")
    settle_answers(engine, rows, columns)
    extract, tags = extractor(extractor_given(engine)), think or (OPEN, CLOSE)
    return tts.read_candidate_sets(rows, columns=columns, limit=limit, on_error=on_error, think=tags, extract=extract)
