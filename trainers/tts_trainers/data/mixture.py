"""Stage 4: refine rows with as many direct ones as are wanted, shuffled, split by problem, written."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

import tts
from tts import ConfigError, Grader, Message
from tts.prompts import direct_messages
from tts_trainers.data.drawing import problem_of
from tts_trainers.data.run import Run
from tts_trainers.data.workfile import Table, draw_number
from tts_trainers.rows import ENDINGS, Objective, Row, row, write_rows

SIDES = ("train", "evaluation")
_EXAMPLE = "INSERT INTO examples VALUES(?,?,?,?,?)"
_SOLUTIONS = """
    SELECT s.draw, s.n, s.problem, p.key, s.text, LABEL FROM POOL s JOIN problems p ON p.n = s.problem
    LEFT JOIN labels l ON l.problem = s.problem WHERE s.draw > ? ORDER BY s.draw"""
_EXAMPLES = """
    SELECT e.draw, e.objective, e.ref, p.id, p.problem, coalesce(a.text, s.text), q.messages,
        q.n_correct, q.shown, q.kind
    FROM examples e JOIN problems p ON p.n = e.problem
    LEFT JOIN answers a ON e.objective = 'refine' AND a.problem = e.problem AND a.idx = e.ref
    LEFT JOIN prompts q ON e.objective = 'refine' AND q.problem = e.problem
    LEFT JOIN POOL s ON e.objective = 'direct' AND s.n = e.ref
    WHERE e.held_out = ? AND e.draw > ? ORDER BY e.draw"""


class Written(NamedTuple):
    """A file of rows."""

    name: str
    rows: int
    sha256: str


def make_rows(run: Run) -> tuple[list[Table], list[Written]]:
    """Fill `examples` and write the files.

    Raises `ConfigError` where no direct row or no training row comes of it.
    """
    refine = _add_refine(run)
    drawn = tts.run_sync(lambda: _add_direct(run, round(run.recipe.direct.per_refine * refine)))
    run.work.commit()
    files = [_write(run, SIDES[side], _rows(run, side)) for side in range(len(SIDES))]
    if not files[0].rows:
        raise ConfigError(
            f"all {files[1].rows} rows went to the evaluation side; lower output.evaluation_share "
            f"({run.recipe.output.evaluation_share:g}) or use more problems"
        )
    arms = _write_arms(run)
    return [drawn, *_tables(run)], [file for file in [*files, *arms] if file.rows]


def _write_arms(run: Run) -> list[Written]:
    """The rows of each arm, over the same problems.

    Raises `ConfigError` where there are fewer problems with rows of both kinds than an arm has rows.
    """
    wanted = run.recipe.output.arms
    if wanted is None:
        return []
    both = run.work.rows(
        "SELECT min(CASE objective WHEN 'direct' THEN draw END), min(CASE objective WHEN 'refine' THEN draw END)"
        " FROM examples WHERE NOT held_out GROUP BY problem HAVING count(DISTINCT objective) = 2 ORDER BY min(draw)"
        " LIMIT ?",
        wanted,
    )
    if len(both) < wanted:
        raise ConfigError(
            f"output.arms = {wanted:,} rows need as many problems with direct and refine rows, and there are "
            f"{len(both):,}; lower it, use more problems, or raise direct.per_refine"
        )
    direct, refine = ([pair[i] for pair in both] for i in range(2))
    chosen = {"direct": direct, "refine": refine, "hybrid": [*direct[::2], *refine[1::2]]}
    written = []
    for arm, draws in chosen.items():
        (run.out / arm).mkdir(exist_ok=True)
        written.append(_write(run, f"{arm}/{SIDES[0]}", _rows(run, 0, frozenset(draws))))
    return written


def _add_refine(run: Run) -> int:
    count = 0
    sql = (
        "SELECT a.rowid, a.problem, a.idx, p.key FROM answers a JOIN problems p ON p.n=a.problem"
        " WHERE a.rowid > ? ORDER BY a.rowid"
    )
    for page in run.work.pages(sql):
        for _, problem, index, key in page:
            _add(run, "refine", problem, key, index, str(index))
        count += len(page)
    return count


def _add(run: Run, objective: Objective, problem: int, key: bytes, reference: int, name: str) -> None:
    seed, share = run.recipe.seed, run.recipe.output.evaluation_share
    held_out = draw_number(seed, "split", key.hex()) < share * 2**63
    draw = draw_number(seed, "row", objective, key.hex(), name)
    run.work.write(_EXAMPLE, held_out, draw, objective, problem, reference)


async def _add_direct(run: Run, wanted: int) -> Table:
    """Draw solutions at random until there are enough correct ones, or no more."""
    direct, taken, looked_at = run.recipe.direct, 0, 0
    grader = tts.grader(run.recipe.label.grader)
    try:
        label = "p.answer" if run.recipe.label.kind == "gold" else "l.label"
        for page in run.work.pages(_SOLUTIONS.replace("POOL", _pool(run)).replace("LABEL", label)) if wanted else ():
            good = await _correct(run, grader, [(text, label) for *_, text, label in page])
            for (draw, number, problem, key, *_), right in zip(page, good, strict=True):
                if taken < wanted:
                    looked_at += 1
                    taken += right
                    if right:
                        _add(run, "direct", problem, key, number, str(draw))
            if taken == wanted:
                break
            await asyncio.sleep(0)  # a turn of the loop, in which Ctrl-C is heard
    finally:
        await grader.aclose()
    origin = "given solutions" if direct.origin == "solutions" else "correct candidates"
    if wanted and not taken:
        raise ConfigError(_nothing(run, origin, looked_at))
    rows = (
        ("wanted", wanted),
        (f"{origin} looked at", looked_at),
        ("of them wrong", looked_at - taken),
        ("drawn", taken),
    )
    return Table("Direct half", ("", "count"), rows)


def _nothing(run: Run, origin: str, looked_at: int) -> str:
    if not looked_at:
        return (
            f"there are no {origin} for the direct half; set direct.origin to the other kind, or direct.per_refine = 0"
        )
    extractor = run.recipe.label.extractor
    return (
        f"none of {looked_at:,} {origin} ends in the answer of its problem as extractor {extractor!r} finds it; set "
        "label.extractor to fit them, or direct.check = false"
    )


def _pool(run: Run) -> str:
    return "solutions" if run.recipe.direct.origin == "solutions" else "own"


async def _correct(run: Run, grader: Grader, solutions: Sequence[tuple[str, str | None]]) -> list[bool]:
    if run.recipe.direct.origin == "candidates" or not run.recipe.direct.check:
        return [True] * len(solutions)
    extract = tts.plugins().resolve("extractor", run.recipe.label.extractor)
    pairs = []
    for text, label in solutions:
        visible = tts.split_thinking(text).summary
        pairs.append((label or "", extract(visible) if visible and label is not None else None))
    return await grader.grade(pairs)


def _write(run: Run, name: str, rows: Iterator[Row]) -> Written:
    """Write rows under a name, whole or not at all."""
    output = run.recipe.output
    for ending in ENDINGS:  # also that of an earlier run in the other format
        (run.out / f"{name}{ending}").unlink(missing_ok=True)
    target, part = run.out / f"{name}.{output.format}", run.out / f"part.{output.format}"
    count = write_rows(part, rows)
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if count:
        part.replace(target)
    else:
        part.unlink()
    return Written(target.relative_to(run.out).as_posix(), count, sha256)


def _rows(run: Run, side: int, only: Container[int] | None = None) -> Iterator[Row]:
    """The rows of a side in their order; `only` has the draws of those that are wanted."""
    for page in run.work.pages(_EXAMPLES.replace("POOL", _pool(run)), side):
        for draw, objective, reference, *columns in page:
            if only is not None and draw not in only:
                continue
            yield _refine_row(run, reference, *columns) if objective == "refine" else _direct_row(run, *columns)


def _refine_row(
    run: Run, index: int, id_: str, _: str, answer: str, messages: str, n_correct: int, shown: str, kind: str
) -> Row:
    recipe = run.recipe
    provenance = {
        "source": recipe.source.data,
        "label": recipe.label.kind,
        "student": recipe.student.model,
        "kind": kind,
        "candidates": json.loads(shown),
        "teacher": recipe.teacher.model,
        "answer": index,
    }
    return row(
        [Message(**m) for m in json.loads(messages)],
        answer,
        "refine",
        problem_id=id_,
        n_correct=n_correct if recipe.label.kind == "gold" else None,
        provenance=provenance,
    )


def _direct_row(run: Run, id_: str, problem: str, solution: str, *_: None) -> Row:
    recipe, given = run.recipe, run.recipe.direct.origin == "solutions"
    provenance = {
        "source": recipe.source.data,
        "label": recipe.label.kind if recipe.direct.check or not given else "unchecked",
        "solution": "given" if given else recipe.student.model,
    }
    messages = direct_messages(problem_of(id_, json.loads(problem)), recipe.prompt.direct_template)
    return row(messages, solution, "direct", problem_id=id_, provenance=provenance)


def _tables(run: Run) -> list[Table]:
    counts = run.work.rows(
        "SELECT held_out, sum(objective='refine'), sum(objective='direct'), count(DISTINCT problem)"
        " FROM examples GROUP BY held_out ORDER BY held_out"
    )
    by_n_correct = run.work.rows(
        "SELECT q.n_correct, count(*) FROM examples e JOIN prompts q ON q.problem=e.problem"
        " WHERE e.objective='refine' AND NOT e.held_out GROUP BY 1 ORDER BY 1"
    )
    by_kind = run.work.rows(
        "SELECT q.kind, count(*) FROM examples e JOIN prompts q ON q.problem=e.problem"
        " WHERE e.objective='refine' AND NOT e.held_out GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    sides = tuple((SIDES[side], *numbers) for side, *numbers in counts)
    return [
        Table("Rows", ("side", "refine", "direct", "problems"), sides),
        Table("Refine rows for training by correct candidates shown", ("N_c", "rows"), tuple(by_n_correct)),
        Table("Refine rows for training by kind of candidates", ("kind", "rows"), tuple(by_kind)),
    ]
