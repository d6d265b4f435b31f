"""Stage 3: the teacher's answers to the refine prompts, as far as they are kept."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing

import tts
from tts import ConfigError, Example, Message, Problem
from tts_trainers.data.candidates import keep_by_correctness
from tts_trainers.data.drawing import Recorded, batches, check_answered, engine_of, problem_of, target_text
from tts_trainers.data.labels import Labelled, Labeller
from tts_trainers.data.recipe import RECORDED
from tts_trainers.data.run import Run
from tts_trainers.data.workfile import Table, draw_number

_PROMPTS = (
    "SELECT p.n, p.id, p.problem, l.label, q.messages FROM prompts q JOIN problems p ON p.n=q.problem"
    " JOIN labels l ON l.problem=p.n WHERE q.used AND p.n > ? ORDER BY p.n"
)


def make_answers(run: Run) -> list[Table]:
    """Fill `answers` with the teacher's correct answers, less of them where all are correct.

    Raises `ConfigError` where none of the first prompts has a correct answer, or none at all.
    """
    return tts.run_sync(lambda: _make_answers(run))


async def _make_answers(run: Run) -> list[Table]:
    recipe, work = run.recipe, run.work
    who = f"the teacher {recipe.teacher.model!r}"
    extract = tts.plugins().resolve("extractor", recipe.label.extractor)
    total = work.one("SELECT count(*) FROM prompts WHERE used")
    keeper = _Keeper(run)
    async with engine_of(recipe.teacher, recipe, run.store) as engine, Labeller(recipe.label, engine) as labeller:
        sets = batches(engine, recipe.teacher, _prompts(run), extract)
        async with aclosing(sets):
            async for batch in sets:
                if not keeper.counts["prompts"]:
                    check_answered(batch, who, recipe.label.extractor)
                for graded in await labeller.grade(batch):
                    keeper.add(graded)
                if keeper.counts["answers"]:
                    keeper.check_any_correct(who)
                work.commit()
                run.progress("prompts answered", keeper.counts["prompts"], total)
    keeper.check_any_correct(who)
    return keeper.tables()


def _prompts(run: Run) -> Iterator[Recorded]:
    recorded = run.recipe.teacher.model == RECORDED
    for page in run.work.pages(_PROMPTS):
        for number, id_, problem, label, messages in page:
            if recorded:
                example = Example(problem=problem_of(id_, json.loads(problem)), answer=label)
                solutions = run.work.rows("SELECT text FROM solutions WHERE problem=? ORDER BY n", number)
                yield Recorded(example, [text for (text,) in solutions])
            else:
                prompt = _instructed([Message(**m) for m in json.loads(messages)], run.recipe.teacher.instruction)
                asked = Problem(id=id_, messages=tuple(prompt))
                yield Recorded(Example(problem=asked, answer=label), ())


def _instructed(messages: list[Message], instruction: str | None) -> list[Message]:
    """The prompt as the teacher gets it."""
    if instruction is None:
        return messages
    last = messages[-1]
    return [*messages[:-1], last.model_copy(update={"content": f"{last.content.rstrip()}\n\n{instruction}"})]


class _Keeper:
    """Keeps answers by correctness, and counts."""

    def __init__(self, run: Run) -> None:
        self._work, self._section, self._seed = run.work, run.recipe.teacher, run.recipe.seed
        self._lost = run.lost
        self.counts: Counter[str] = Counter()
        self._by_correct: Counter[tuple[int, int]] = Counter()

    def add(self, graded: Labelled) -> None:
        """Keep what is to be kept of the answers to one prompt."""
        problem = graded.candidates.problem
        rng = random.Random(draw_number(self._seed, "keep", problem.digest))
        kept = keep_by_correctness(graded.correct, of_all_correct=self._section.of_all_correct, rng=rng)
        number = self._work.one("SELECT n FROM problems WHERE id=?", problem.id)
        for index in kept:
            text = target_text(graded.candidates[index])
            self._work.write("INSERT INTO answers VALUES(?,?,?)", number, index, text)
        self._count(graded, len(kept))

    def _count(self, graded: Labelled, kept: int) -> None:
        candidates, right = graded.candidates.candidates, sum(graded.correct)
        self._lost.add("answers", candidates)
        every = bool(candidates) and right == len(candidates)
        self.counts["prompts"] += 1
        self.counts["answers"] += len(candidates)
        self.counts["correct answers"] += right
        self.counts["answers cut at max_tokens"] += sum(c.finish_reason == "length" for c in candidates)
        self.counts["failed answers"] += sum(c.error is not None for c in candidates)
        self.counts["prompts without a correct answer"] += not right
        self.counts["prompts with correct and wrong answers"] += bool(right) and not every
        self.counts["prompts with correct answers only"] += every
        self.counts["answers kept"] += kept

    def check_any_correct(self, who: str) -> None:
        """Raise `ConfigError` where nothing was correct so far."""
        if not self.counts["correct answers"]:
            raise ConfigError(
                f"none of the {self.counts['answers']:,} answers of {who} to the first {self.counts['prompts']:,} "
                "prompts is correct, so nothing can be learned from it; use another teacher, or label.grader or "
                "label.extractor that fit its answers"
            )

    def tables(self) -> list[Table]:
        """What was counted."""
        return [Table("Teacher", ("", "count"), tuple((what, count) for what, count in self.counts.items() if count))]
