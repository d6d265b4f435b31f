"""`tts solve`: one problem."""

from __future__ import annotations

import sys
from typing import Any

import click

import tts
from tts.api.reading import visible_text
from tts.cli import say
from tts.cli._json_line import write_json
from tts.cli._max_failed import end, max_failed_option
from tts.cli._options import Pairs, engine_options, k_option, one_strategy_option, parameter_option, strategies_of
from tts.cli._progress import watch
from tts.cli._writing import Writing
from tts.metrics.completeness import cut_of
from tts.metrics.missing import missing_of_sets
from tts.rows.files import is_file_name
from tts.vocabulary.records import Result, Usage


@click.command()
@click.argument("problem")
@one_strategy_option
@k_option()
@parameter_option
@engine_options
@max_failed_option
@click.option("--stream", is_flag=True, help="Print the answer while it is written.")
@click.option("--json", "as_json", is_flag=True, help="The whole result as one JSON object.")
def solve(
    problem: str, strategy: str, k: int, parameters: Pairs, engine: dict[str, Any], max_failed: str, stream: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Sample K candidates of one PROBLEM, aggregate them and print the response.

    PROBLEM is the text itself; `-` reads it from standard input.
    """
    if stream and as_json:
        raise tts.ConfigError("--stream prints the answer and --json the whole result: leave one of them out")
    text = sys.stdin.read() if problem == "-" else problem
    if not text.strip():
        raise tts.TaskError("the problem is empty; give its text")
    if problem != "-" and is_file_name(problem) and not any(map(str.isspace, problem)):
        raise tts.ConfigError(f"{problem!r} is the name of a file; for the problems in it: tts run {problem}")
    [chosen] = strategies_of([strategy], parameters)
    writing = Writing()
    with watch("candidate", k, engine.get("store"), streams=stream, summary=False) as listener, writing.line():
        on_text = writing if stream else None
        result = tts.solve(text.strip(), strategy=chosen, k=k, on_text=on_text, listeners=[listener], **engine)
    if as_json:
        write_json(result.model_dump(mode="json"))
    else:
        writing.end(visible_text(result))
        say(_summary(result))
        sampling = engine.get("sampling")
        if (cut := cut_of(result.candidates, sampling and sampling.max_tokens)) is not None:
            say(str(cut))
    end(missing_of_sets([result.candidates]), max_failed, engine.get("store"))


def _summary(result: Result) -> str:
    usage = sum(result.usage.values(), Usage())
    answer = "no answer found in it" if result.answer is None else f"answer: {result.answer}"
    return f"{answer} ({len(result.candidates)} candidates, {usage.generated_tokens:,} tokens, {result.seconds:.1f} s)"
