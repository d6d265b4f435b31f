"""A checkpoint that knows its prompts is asked with them, and a call that asks otherwise is warned once."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeBackend, sums

import tts
from tts.prompts import CANDIDATE_TOKENS, PROMPTS_FILE, Prompts, Template, direct_messages

TRAINED = Prompts(
    direct_template="Solve.\nProblem:\n{{ problem }}\n",
    refine_template="Merge.\nProblem:\n{{ problem }}\n{% for c in candidates %}Candidate Response: {{ c }}{% endfor %}",
    candidate_tokens=3,
    k=2,
)


@pytest.fixture
def trained(fake: Callable[..., type[FakeBackend]]) -> type[FakeBackend]:
    """A backend whose model was trained on prompts of its own."""
    return fake(capabilities=tts.Capabilities(seed=True, concurrency=8, prompts=TRAINED))


def asked(backend: type[FakeBackend]) -> list[str]:
    return [request.messages[-1].content for request in backend.requests]


def caught(call: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        call()
    assert all(issubclass(one.category, tts.MismatchWarning) for one in seen)
    return [str(one.message) for one in seen]


def test_both_modes_use_the_prompts_of_the_checkpoint(trained: type[FakeBackend]) -> None:
    result = tts.solve("1+2", strategy="gsr", k=2, model="fake:m")
    direct, refine = asked(trained)
    assert direct == "Solve.\nProblem:\n1+2"
    assert refine.startswith("Merge.\nProblem:\n1+2\nCandidate Response: ")
    assert result.decision.trace["candidate_tokens"] == 3  # type: ignore[union-attr]  # it did not fail
    assert result.decision.trace["template"] == TRAINED.refine.digest  # type: ignore[union-attr]


def test_without_such_a_checkpoint_ours_are_used(fake: Callable[..., type[FakeBackend]]) -> None:
    backend = fake()
    result = tts.solve("1+2", strategy="gsr", k=2, model="fake:m")
    direct, refine = asked(backend)
    assert direct == direct_messages(tts.Problem(id="p", prompt="1+2"))[0].content
    assert refine.startswith("You are an expert and creative problem solver.")
    assert result.decision.trace["candidate_tokens"] == CANDIDATE_TOKENS  # type: ignore[union-attr]


def test_what_the_user_gives_comes_first(trained: type[FakeBackend], tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text("Mine.\nProblem:\n{{ problem }}\n")
    gsr = tts.strategy("gsr", template="refine", candidate_tokens=50)
    with pytest.warns(tts.MismatchWarning):
        result = tts.solve("1+2", strategy=gsr, k=2, model="fake:m", direct_template=str(tmp_path / "mine.jinja"))
    direct, refine = asked(trained)
    assert direct == "Mine.\nProblem:\n1+2"
    assert refine.startswith("You are an expert")
    assert result.decision.trace["candidate_tokens"] == 50  # type: ignore[union-attr]


def test_a_run_that_differs_in_everything_is_warned_once(trained: type[FakeBackend], tmp_path: Path) -> None:
    gsr = tts.strategy("gsr", template="refine", candidate_tokens=50)
    (sentence,) = caught(
        lambda: tts.run(sums(5), strategy=gsr, k=3, model="fake:m", direct_template="direct", store=tmp_path / "s.db")
    )
    assert sentence == (
        "'fake:m' is not used as it was trained: direct_template='direct' is not the one it was trained on (leave it "
        "out); gsr shows 3 candidates and it was trained on 2 (give k=2 or group_size=2); candidate_tokens=50 and it "
        "was trained on 3 (leave it out); template='refine' is not the one it was trained on (leave it out)"
    )


@pytest.mark.parametrize(
    ("parameters", "k", "about"),
    [
        ({}, 2, None),
        ({"candidate_tokens": 3}, 2, None),
        ({"group_size": 2}, 4, None),
        ({}, 4, "gsr shows 4 candidates and it was trained on 2 (give k=2 or group_size=2)"),
        ({}, 1, "gsr shows 1 candidates and it was trained on 2 (give k=2)"),
        ({"group_size": 3}, 9, "gsr shows 3 candidates and it was trained on 2 (give group_size=2)"),
        ({"candidate_tokens": 4}, 2, "candidate_tokens=4 and it was trained on 3"),
    ],
)
@pytest.mark.usefixtures("trained")
def test_each_mismatch_and_none(parameters: dict[str, Any], k: int, about: str | None) -> None:
    found = caught(lambda: tts.run(sums(2), strategy=tts.strategy("gsr", **parameters), k=k, model="fake:m"))
    assert len(found) == (about is not None)
    assert about is None or about in found[0]


@pytest.mark.usefixtures("trained")
def test_a_template_of_the_same_content_is_no_mismatch(tmp_path: Path) -> None:
    (tmp_path / "r.jinja").write_text(TRAINED.refine_template)
    (tmp_path / "d.jinja").write_text(TRAINED.direct_template)
    gsr = tts.strategy("gsr", template=str(tmp_path / "r.jinja"))
    same = str(tmp_path / "d.jinja")
    assert not caught(lambda: tts.run(sums(1), strategy=gsr, k=2, model="fake:m", direct_template=same))


@pytest.mark.usefixtures("trained")
def test_strategies_that_refine_nothing_may_have_any_k() -> None:
    assert not caught(lambda: tts.run(sums(1), strategy="majority", k=5, model="fake:m"))
    assert not caught(lambda: tts.sample(sums(1), k=5, model="fake:m"))
    assert len(caught(lambda: tts.sample(sums(1), k=5, model="fake:m", direct_template="direct"))) == 1


class Outer(tts.Strategy):
    """Hands the problem to another strategy."""

    name = "outer"
    needs = tts.Needs(policy=True)
    inner: tts.Strategy

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        return await self.inner.aggregate(ctx)


def test_a_strategy_inside_another_is_heard_and_served(trained: type[FakeBackend]) -> None:
    (sentence,) = caught(lambda: tts.run(sums(1), strategy=Outer(inner=tts.strategy("gsr")), k=4, model="fake:m"))
    assert "gsr shows 4 candidates" in sentence
    assert asked(trained)[1].startswith("Merge.")


def test_samples_drawn_with_another_template_are_others(trained: type[FakeBackend], tmp_path: Path) -> None:
    """The key of a draw holds the prompt, so that nothing stale is used after a template changed."""
    for template in (None, None, "direct"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tts.MismatchWarning)
            tts.sample(sums(1), k=2, model="fake:m", store=tmp_path / "s.db", direct_template=template)
    assert trained.completions() == 4


def test_the_file_reads_back(tmp_path: Path) -> None:
    assert Prompts.read(TRAINED.write(tmp_path)) == TRAINED
    assert TRAINED.refine == Template(source=TRAINED.refine_template, origin="refine_template")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "cannot be used: Expecting property name"),
        ("[]", "content: Input should be"),
        (TRAINED.model_dump() | {"k": 0}, "k: Input should be greater than or equal to 1"),
        (TRAINED.model_dump() | {"temperature": 1}, "temperature: Extra inputs are not permitted"),
        (TRAINED.model_dump() | {"refine_template": "{{ problem }}"}, "'refine_template' never uses {{ candidates }}"),
        (TRAINED.model_dump() | {"direct_template": "{{ problem"}, "template 'direct_template', line 1: "),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, content: Any, sentence: str) -> None:
    file = tmp_path / PROMPTS_FILE
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(tts.ConfigError) as error:
        Prompts.read(file)
    assert sentence in str(error.value)
    assert str(file) in str(error.value)
    assert str(error.value).endswith("; mend the file or remove it")


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    prompts = Prompts(
        direct_template="{{ problem }}", refine_template="{{ problem }} {{ candidates }}", candidate_tokens=10, k=3
    )
    assert json.loads(prompts.write(tmp_path).read_text("utf-8")) == prompts.model_dump()
    assert Prompts.read(tmp_path / "tts.json") == prompts


def test_prompts_without_a_field_are_refused() -> None:
    with pytest.raises(tts.ConfigError, match="'refine_template' never uses {{ candidates }}; it must"):
        Prompts(direct_template="{{ problem }}", refine_template="{{ problem }}", candidate_tokens=1, k=1)
