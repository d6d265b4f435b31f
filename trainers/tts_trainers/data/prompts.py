"""Stage 2: refine prompts over sets of the student's candidates for each problem."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing

import tts
from tts import ConfigError, Example
from tts_trainers.data.candidates import over_shares
from tts_trainers.data.drawing import Recorded, batches, check_answered, engine_of, problem_of, target_text
from tts_trainers.data.kinds import KINDS
from tts_trainers.data.labels import Labelled, Labeller
from tts_trainers.data.run import Run
from tts_trainers.data.showing import Builder
from tts_trainers.data.workfile import Table, WorkFile, draw_number


def make_prompts(run: Run) -> list[Table]:
    """Fill `prompts`, `labels` and `own` (the student's own correct responses).

    Raises `ConfigError` where no prompt is left.
    """
    return tts.run_sync(lambda: _make_prompts(run))


async def _make_prompts(run: Run) -> list[Table]:
    recipe, work = run.recipe, run.work
    extract = tts.plugins().resolve("extractor", recipe.label.extractor)
    total = work.one("SELECT count(*) FROM problems")
    template, scorer = recipe.prompt.direct_template, recipe.label.scorer
    engine = engine_of(recipe.student, recipe, run.store, template=template, scorer=scorer)
    reader = _Reader(run)
    async with engine, Labeller(recipe.label, engine) as labeller:
        async with aclosing(batches(engine, recipe.student, _problems(work), extract)) as sets:
            async for batch in sets:
                if not reader.counts["problems"]:
                    check_answered(batch, f"the student {recipe.student.model!r}", recipe.label.extractor)
                for labelled in await labeller.label(batch):
                    reader.add(labelled)
                work.commit()
                run.progress("problems with candidates", reader.counts["problems"], total)
        builder = Builder(run, engine, labeller, reader.counts)
        await builder.build()
    _mix(run)
    tables = _tables(run, reader.counts, builder)
    if not work.one("SELECT count(*) FROM prompts WHERE used"):
        raise ConfigError(f"no refine prompt is left of {total:,} problems: {_why(tables[0])}")
    return tables


def _problems(work: WorkFile) -> Iterator[Recorded]:
    sql = "SELECT n, id, problem, answer, candidates FROM problems WHERE n > ? ORDER BY n"
    for page in work.pages(sql):
        for _, id_, problem, answer, candidates in page:
            example = Example(problem=problem_of(id_, json.loads(problem)), answer=answer)
            yield Recorded(example, json.loads(candidates) if candidates else ())


class _Reader:
    """Keeps what is known of labelled candidates in the work file, counting what is left out and why."""

    def __init__(self, run: Run) -> None:
        self._run, self._recipe = run, run.recipe
        self.counts: Counter[str] = Counter()

    def add(self, labelled: Labelled) -> None:
        """Keep a problem's label, its own correct responses, and the candidates that a prompt may show."""
        problem, write = labelled.candidates.problem, self._run.work.write
        self._count(labelled)
        number = self._run.work.one("SELECT n FROM problems WHERE id=?", problem.id)
        if labelled.label is None:
            self.counts["no label"] += 1
            return
        write("INSERT INTO labels VALUES(?,?)", number, labelled.label)
        self._keep_own(number, labelled)
        usable = [
            {"index": c.index, "text": c.summary, "summary": c.summary, "answer": c.answer, "correct": right}
            for c, right in zip(labelled.candidates, labelled.correct, strict=True)
            if c.ok and c.summary
        ]
        if usable:
            write("INSERT INTO sets VALUES(?,?)", number, json.dumps(usable, ensure_ascii=False))
        else:
            self.counts["no candidate with a summary"] += 1

    def _count(self, labelled: Labelled) -> None:
        candidates = labelled.candidates.candidates
        self._run.lost.add("prompts", candidates)
        self.counts["problems"] += 1
        self.counts["candidates"] += len(candidates)
        self.counts["correct candidates"] += sum(labelled.correct)
        self.counts["candidates without an answer"] += sum(c.answer is None for c in candidates)
        self.counts["candidates cut at max_tokens"] += sum(c.finish_reason == "length" for c in candidates)
        self.counts["failed candidates"] += sum(c.error is not None for c in candidates)

    def _keep_own(self, number: int, labelled: Labelled) -> None:
        """The student's own correct responses, where the direct half is drawn from them."""
        if self._recipe.direct.origin != "candidates":
            return
        for candidate, correct in zip(labelled.candidates, labelled.correct, strict=True):
            if correct:
                text = target_text(candidate)
                draw = draw_number(self._recipe.seed, "own", labelled.candidates.problem.digest, text)
                self._run.work.write("INSERT OR IGNORE INTO own(problem, text, draw) VALUES(?,?,?)", number, text, draw)


def _mix(run: Run) -> None:
    """Leave out prompts over the share of their N_c."""
    prompts = run.work.rows("SELECT problem, n_correct FROM prompts ORDER BY problem")
    rng = random.Random(draw_number(run.recipe.seed, "mix"))
    for position in over_shares([n_correct for _, n_correct in prompts], run.recipe.prompt.mix, rng=rng):
        run.work.write("UPDATE prompts SET used=0 WHERE problem=?", prompts[position][0])


def _why(counts: Table) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.rows[2:] if count)


def _tables(run: Run, counted: Counter[str], builder: Builder) -> list[Table]:
    """What was counted, and how many prompts there are by N_c and by kind."""
    work = run.work
    by_n_correct = work.rows("SELECT n_correct, count(*), sum(used) FROM prompts GROUP BY 1 ORDER BY 1")
    by_kind = {kind: counts for kind, *counts in work.rows("SELECT kind, count(*), sum(used) FROM prompts GROUP BY 1")}
    made, used = work.rows("SELECT count(*), coalesce(sum(used), 0) FROM prompts")[0]
    counts = [(what, count) for what, count in counted.items() if count]
    counts += [("prompts", made), ("prompts over the share of their N_c", made - used), ("prompts used", used)]
    kinds = tuple(
        (kind, KINDS[kind].says, builder.impossible[kind], *by_kind.get(kind, (0, 0)))
        for kind in run.recipe.kinds.weights.keys() | by_kind.keys()
    )
    order = list(KINDS)
    tables = [
        Table("Candidates", ("", "count"), tuple(counts)),
        Table("Prompts by correct candidates shown", ("N_c", "prompts", "used"), tuple(by_n_correct)),
    ]
    if by_kind.keys() == {"own"} and not builder.impossible:
        return tables
    head = ("kind", "candidates", "not possible, own instead", "prompts", "used")
    return [*tables, Table("Prompts by kind", head, tuple(sorted(kinds, key=lambda row: order.index(str(row[0])))))]
