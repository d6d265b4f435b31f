"""`tts answers`: which answer a response states."""

from __future__ import annotations

import sys

import click

from tts.answers import find_answer
from tts.cli._json_line import write_json
from tts.output.text import printable
from tts.vocabulary.thinking import split_thinking


@click.command()
@click.argument("text")
@click.option("--against", metavar="ANSWER", help="Say whether it equals this answer, such as the gold one.")
@click.option(
    "--problem", metavar="TEXT", default="", help="What was asked: its wording says how answers are compared."
)
@click.option("--json", "as_json", is_flag=True, help="All of it as one JSON object.")
def answers(text: str, against: str | None, problem: str, as_json: bool) -> None:
    """Show which answer TEXT states, by which rule and where, and the statements that it outranks.

    TEXT is a whole response, `-` for one on standard input. Exit status 1 where no answer is found.
    """
    response = sys.stdin.read() if text == "-" else text
    extraction = find_answer(response)
    equal = _equal(extraction.found.answer, against, problem) if extraction.found and against is not None else None
    if as_json:
        found = extraction.found._asdict() if extraction.found else None
        told = {"found": found, "rivals": [one._asdict() for one in extraction.rivals]}
        write_json(told | {"thinking": split_thinking(response).thinking is not None, "equal": equal})
    elif extraction.found is None:
        click.echo("no answer")
    else:
        _line("answer", extraction.found.answer, extraction.found.rule, extraction.found.start, extraction.found.end)
        for one in extraction.rivals:
            _line("outranked", one.answer, one.rule, one.start, one.end)
    if equal is not None and not as_json:
        click.echo("equal" if equal else "not equal")
    if extraction.found is None:
        raise SystemExit(1)


def _line(kind: str, answer: str, rule: str, start: int, end: int) -> None:
    click.echo(printable(f"{kind:<10} {answer!r:<24} {rule:<8} characters {start} to {end}"))


def _equal(answer: str, against: str, problem: str) -> bool:
    import asyncio

    from tts.answers import Answers, expected

    async def work() -> bool:
        async with Answers() as service:
            return await service.equal(against, answer, expected(problem))

    return asyncio.run(work())
