"""From candidates in the work file to refine prompts: the kind of each, what it shows, whether it fits."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any, NamedTuple

import tts
from tts import Candidate, CandidateSet, Engine, Problem, Sampled
from tts.eval.control_kinds import plant_of
from tts.prompts import refine_messages
from tts_trainers.data.candidates import CandidateGroup
from tts_trainers.data.drawing import problem_of
from tts_trainers.data.kinds import KINDS, Pool, drawn
from tts_trainers.data.labels import Labeller
from tts_trainers.data.run import Run
from tts_trainers.data.workfile import draw_number

_SETS = (
    "SELECT p.n, p.id, p.problem, l.label, s.candidates FROM sets s JOIN problems p ON p.n=s.problem"
    " JOIN labels l ON l.problem=p.n WHERE p.n > ? ORDER BY p.n"
)
_INSERT = "INSERT INTO prompts(problem, messages, shown, n_correct, kind) VALUES(?,?,?,?,?)"
_TRIES = 4  # problems that are asked for a response with another answer
_CHOSEN = frozenset(("own", "all_right", "one_right", "duplicates"))  # kinds that show candidates as they are


class _Set(NamedTuple):
    number: int
    problem: Problem
    label: str
    candidates: tuple[Candidate, ...]
    correct: tuple[bool, ...]


class Builder:
    """Makes one refine prompt of each candidate set; `counts` is added to, `impossible` counts by kind."""

    def __init__(self, run: Run, engine: Engine, labeller: Labeller, counts: Counter[str]) -> None:
        self._run, self._recipe, self._engine, self._labeller = run, run.recipe, engine, labeller
        self._plant = plant_of(run.recipe.source.data)
        self.counts, self.impossible = counts, Counter[str]()

    async def build(self) -> None:
        """Fill `prompts`."""
        total, done = self._run.work.one("SELECT count(*) FROM sets"), 0
        for page in self._run.work.pages(_SETS):
            sets = [_read(*row) for row in page]
            groups = [self._group(one) for one in sets]
            for one, group in zip(sets, await self._graded(groups, sets), strict=True):
                await self._add(one, group)
            self._run.work.commit()
            done += len(page)
            self._run.progress("prompts looked at", done, total)

    def _group(self, one: _Set) -> CandidateGroup:
        """What the prompt of a set shows; changed candidates are not graded yet."""
        recipe, digest = self._recipe, one.problem.digest
        which = random.Random(draw_number(recipe.seed, "kind", digest))
        kind, shown = drawn(recipe.kinds.weights, which), which.choice(recipe.prompt.numbers)
        donor = self._donor(one, which) if kind == "other" else ()
        rng = random.Random(draw_number(recipe.seed, "choose", digest))
        k = min(shown, len(one.candidates)) if kind in _CHOSEN - {"duplicates"} else shown
        pool = Pool(one.problem, one.label, one.candidates, one.correct, donor, k, self._plant, rng)
        made = KINDS[kind].make(pool)
        if made is None:
            self.impossible[kind] += 1
            kind, made = "own", pool.own()
        candidates = tuple(_candidate(place, each, kind) for place, each in enumerate(made))
        verdicts = {id(c): right for c, right in zip(one.candidates, one.correct, strict=True)}
        correct = tuple(verdicts[id(each)] for each in made if id(each) in verdicts)
        return CandidateGroup(one.problem, candidates, correct if len(correct) == len(made) else (), kind)

    def _donor(self, one: _Set, rng: random.Random) -> tuple[str, ...]:
        """Responses to another problem with another answer; none where a few tries find none."""
        last = self._run.work.one("SELECT max(problem) FROM sets")
        for _ in range(_TRIES):
            rows = self._run.work.rows(
                "SELECT l.label, s.candidates FROM sets s JOIN labels l ON l.problem=s.problem"
                " WHERE s.problem >= ? ORDER BY s.problem LIMIT 1",
                rng.randint(1, last),
            )
            if rows and rows[0][0] != one.label:
                return tuple(candidate["summary"] for candidate in json.loads(rows[0][1]))
        return ()

    async def _graded(self, groups: list[CandidateGroup], sets: list[_Set]) -> list[CandidateGroup]:
        """The groups with their verdicts; what was changed may have another answer than before."""
        extract: Any = tts.plugins().resolve("extractor", self._recipe.label.extractor)
        changed = [place for place, group in enumerate(groups) if not group.correct]
        asked = []
        for place in changed:
            found = tuple(
                c.model_copy(update={"answer": extract(c.summary or c.text)}) for c in groups[place].candidates
            )
            asked.append(Sampled(CandidateSet(problem=sets[place].problem, candidates=found), sets[place].label))
        for place, one in zip(changed, await self._labeller.grade(asked) if asked else [], strict=True):
            groups[place] = groups[place]._replace(candidates=one.candidates.candidates, correct=one.correct)
        return groups

    async def _add(self, one: _Set, group: CandidateGroup) -> None:
        """Build the prompt, and keep it where it fits."""
        section = self._recipe.prompt
        prompt = await refine_messages(
            one.problem,
            group.candidates,
            rng=random.Random(draw_number(self._recipe.seed, "order", one.problem.digest)),
            count_tokens=self._engine.count_tokens,
            candidate_tokens=section.candidate_tokens or section.max_tokens,
            template=section.refine_template,
        )
        (tokens,) = await self._engine.count_tokens(["\n".join(m.content for m in prompt.messages)])
        if tokens > section.max_tokens:
            self.counts[f"prompt over {section.max_tokens:,} tokens"] += 1
            return
        self.counts["candidates cut"] += sum(cut.action == "beginning cut" for cut in prompt.cuts)
        messages = json.dumps([m.model_dump() for m in prompt.messages], ensure_ascii=False)
        shown = json.dumps(prompt.order) if group.kind == "own" else "null"
        self._run.work.write(_INSERT, one.number, messages, shown, group.n_correct, group.kind)


def _read(number: int, id_: str, problem: str, label: str, candidates: str) -> _Set:
    found = json.loads(candidates)
    correct = tuple(one.pop("correct") for one in found)
    return _Set(number, problem_of(id_, json.loads(problem)), label, tuple(Candidate(**one) for one in found), correct)


def _candidate(place: int, made: Candidate | str, kind: str) -> Candidate:
    """A candidate of the group; those that are not the own choice are numbered by their place."""
    if isinstance(made, Candidate):
        return made if kind == "own" else made.model_copy(update={"index": place})
    thinking, summary = tts.split_thinking(made)
    return Candidate(index=place, text=made, thinking=thinking, summary=summary)
