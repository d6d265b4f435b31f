"""Whether targets could be told from candidates alone: the old family's rows trip the audit, the new ones do not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from raw_files import own, recorded, write

import tts
from tts import Candidate, CandidateSet, Sampled
from tts.tasks.sums import Sums, comparison, solution, terms_of
from tts_trainers.data.audit import RefinePrompts, audit
from tts_trainers.data.cli import command
from tts_trainers.data.pipeline import curate
from tts_trainers.data.recipe import KindsSection
from tts_trainers.recipe import load_recipe
from tts_trainers.replica.groups import groups_of
from tts_trainers.replica.recipe import ReplicaRecipe
from tts_trainers.replica.refinement import refinement
from tts_trainers.replica.rows import refine_rows
from tts_trainers.rows import Row, write_rows

RECIPE = load_recipe("replica", ReplicaRecipe)


async def _count(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def _family_rows(*, old: bool, problems: int = 120) -> list[Row]:
    """Refine rows of the family over candidates with slips; the old ones show these alone, and walk through them."""
    task, rng = Sums(split="train", size=problems), random.Random(0)
    sets = []
    for example in task.examples():
        good = solution(terms_of(example.problem))
        slips = [task.planted(example.problem, "slip", rng) or "" for _ in range(6)]
        texts = [good] * 4 + [tts.split_thinking(text).summary or "" for text in slips]
        boxed = tts.plugins().resolve("extractor", "boxed")
        candidates = [Candidate(index=i, text=text, summary=text, answer=boxed(text)) for i, text in enumerate(texts)]
        sets.append(Sampled(CandidateSet(problem=example.problem, candidates=tuple(candidates)), example.answer))
    stage = RECIPE.candidates.model_copy(update={"kinds": KindsSection()} if old else {})
    groups = groups_of(sets, stage, task.planted, rng)
    return refine_rows(groups, count_tokens=_count, seed=0, thinking=comparison if old else refinement)


def test_the_old_rows_of_the_family_trip_it_and_the_new_ones_do_not() -> None:
    old, new = audit(_family_rows(old=True)), audit(_family_rows(old=False))
    assert old.share == 1.0
    assert "100% of the targets could be told from the candidates alone" in (old.warning() or "")
    assert new.share is not None
    assert 0.5 < new.share < 0.8
    assert new.warning() is None
    share = {kind: new.swappable[kind] / count for kind, count in new.rows.items()}
    assert share["own"] == share["slip"] == 1
    assert share["boxes"] < 0.1
    assert share["other"] < 0.7


def test_a_swapped_problem_is_what_it_counts() -> None:
    """By brute force: with another problem in the prompt, the same target takes nothing that its candidates lack."""
    rows = _family_rows(old=True, problems=20)
    swapped = [_with_problem(one, other) for one, other in zip(rows, rows[3:] + rows[:3], strict=True)]
    assert audit(rows).share == 1.0
    changed = audit(swapped)
    assert changed.swappable.total() + changed.unjudged.total() < changed.rows.total() / 2, "it looks at the problem"


def _with_problem(one: Row, other: Row) -> Row:
    prompts = RefinePrompts()
    mine, theirs = (prompts.read(row["prompt"][0]["content"]) for row in (one, other))
    assert mine is not None
    assert theirs is not None
    content = other["prompt"][0]["content"].replace(theirs.problem, f"{mine.problem}", 1)
    return Row(**(one | {"prompt": [{"role": "user", "content": content}]}))  # type: ignore[typeddict-item]


@pytest.mark.parametrize("count", [1, 2, 10])
def test_prompts_are_taken_apart_as_they_were_put_together(count: int) -> None:
    template = tts.prompts.Template.load("refine", tts.prompts.REFINE_FIELDS)
    candidates = tuple(f"line {i}\n\nCandidate {i}\n\\boxed{{{i}}}" for i in range(count))
    shown = RefinePrompts().read(template.render(problem="What is\n\n2+2?", candidates=list(candidates)))
    assert shown is not None
    assert (shown.problem, shown.candidates) == ("What is\n\n2+2?", candidates)
    assert RefinePrompts().read("something else") is None


def test_a_template_that_cannot_be_taken_apart_is_not_guessed_at(tmp_path: Path) -> None:
    template = tmp_path / "odd.jinja"
    template.write_text("{{ problem }}: {% for c in candidates %}{{ c }}{{ c }}{% endfor %}", "utf-8")
    assert RefinePrompts(str(template)).read("What?: abab") is None
    found = audit(_family_rows(old=True, problems=3), str(template))
    assert found.share is None
    assert found.sentence() == "there is no refine row of this template (9 of another one)"


def test_the_command_audits_rows_that_are_there(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", _family_rows(old=True, problems=10))
    found = CliRunner().invoke(command, [str(tmp_path / "rows.jsonl"), "--audit"], catch_exceptions=False)
    assert "in 30 of 30 refine rows (100%) the problem could be swapped" in found.stdout
    assert "give the recipe a table [kinds]" in found.stderr
    with pytest.raises(tts.ConfigError, match="neither a file of training rows nor a folder with train.parquet"):
        CliRunner().invoke(command, [str(tmp_path), "--audit"], catch_exceptions=False)


def test_the_card_says_it_and_rows_without_numbers_are_not_judged(tmp_path: Path) -> None:
    said = list[str]()
    rows = [own(i, 3) for i in range(12)]
    curate(recorded(write(tmp_path / "raw.jsonl", rows)), tmp_path / "out", said.append)
    assert not any("could be told" in line.partition("\n")[0] for line in said), (
        "the targets take nothing, so nothing is said"
    )
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "Could the target be told from the candidates alone?" in card
    found = CliRunner().invoke(command, [str(tmp_path / "out"), "--audit"], catch_exceptions=False)
    assert "refine rows" in found.stdout
