"""A model that is missing, or cannot do what is asked, is said before any token is spent, with the argument to give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from doubles import boxed, sums

import tts
from tts.cli import main
from tts.testing import InstantJudge, InstantModel, InstantScorer

ARGUMENTS = {"policy": "model", "scorer": "scorer", "judge": "judge", "synthesizer": "synthesizer"}
INSTALLED = [plugin.entry.name for plugin in tts.plugins().all("strategy") if plugin.distribution == "ttscale"]
MISSING = [
    (name, role) for name in INSTALLED for role in ARGUMENTS if getattr(tts.strategy(name).required(), role)
]  # fmt: skip
calls: list[object] = []


class CountingModel(InstantModel):
    def generate(self, request: tts.Request) -> Any:
        calls.append(request)
        return super().generate(request)


class Mute(CountingModel):
    capabilities = tts.Capabilities(seed=True)


class CountingScorer(InstantScorer):
    async def score(self, *given: Any) -> list[tts.Score]:
        calls.append(given)
        return await super().score(*given)


class CountingJudge(InstantJudge):
    async def compare(self, *given: Any, seed: int) -> tts.Verdict:
        calls.append(given)
        return await super().compare(*given, seed=seed)


@pytest.fixture(autouse=True)
def _counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The models `counting:x` of every kind, gone afterwards."""
    calls.clear()
    host, kinds = tts.plugins(), {"backend": CountingModel, "scorer": CountingScorer, "judge": CountingJudge}
    for kind, cls in kinds.items():
        host.register(kind, "counting", cls)
    host.register("backend", "mute", Mute)
    yield
    for kind, name in [*((kind, "counting") for kind in kinds), ("backend", "mute")]:
        host._entries[kind].pop(name)
        host._resolved.pop((kind, name))


def all_but(role: str) -> dict[str, str]:
    return {argument: "counting:x" for other, argument in ARGUMENTS.items() if other != role}


@pytest.mark.parametrize(("name", "role"), MISSING)
def test_compare_and_run_say_which_argument_is_missing(name: str, role: str) -> None:
    argument = ARGUMENTS[role]
    form = {"judge": "format:backend:model", "scorer": "scorer:model"}.get(role, "backend:model")
    sentence = f"strategy {name!r} needs a {role}: pass {argument}='{form}' .on the command line --{argument}"
    with pytest.raises(tts.MissingRoleError, match=sentence):
        tts.compare([boxed(1, 2)], strategies=["majority", name], k=2, **all_but(role))
    if role != "policy":  # a policy is needed to sample, and there is always the embedded one
        with pytest.raises(tts.MissingRoleError, match=sentence):
            tts.run(sums(2), strategy=name, k=2, **all_but(role))
    assert calls == []


@pytest.mark.parametrize(("name", "role"), MISSING)
def test_so_does_the_command_line(name: str, role: str, tmp_path: Path) -> None:
    stored = tmp_path / "sets.jsonl"
    stored.write_text(json.dumps({"problem": "1+1", "candidates": ["\\boxed{1}", "\\boxed{2}"]}))
    given = [part for argument, reference in all_but(role).items() for part in (f"--{argument}", reference)]
    done = CliRunner().invoke(main, ["compare", str(stored), "-s", name, "-k", "2", *given], prog_name="tts")
    assert done.exit_code != 0
    assert f"needs a {role}: pass " in done.stderr
    assert f"--{ARGUMENTS[role]}" in done.stderr
    assert calls == []


@pytest.mark.parametrize("name", INSTALLED)
def test_with_every_role_it_decides(name: str) -> None:
    found = tts.compare([boxed(1, 2)], strategies=[name], k=2, **all_but("none"))
    assert found.failed == []


class Weigher(tts.Strategy):
    """Wants log-probabilities. No paper."""

    name: ClassVar[str] = "weigher"
    needs: ClassVar[tts.Needs] = tts.Needs(logprobs=True)

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        raise AssertionError("it must not get so far")


@pytest.mark.parametrize("strategy", [tts.strategy("majority", weights="logprob"), Weigher()], ids=["majority", "own"])
def test_log_probabilities_that_the_model_has_not(strategy: tts.Strategy) -> None:
    sentence = f"strategy {strategy.name!r} needs log-probabilities and 'mute:x' gives none; pass a model="
    with pytest.raises(tts.MissingCapabilityError, match=sentence):
        tts.run(sums(2), strategy=strategy, model="mute:x")
    with pytest.raises(tts.MissingCapabilityError, match=sentence):
        tts.compare(sums(2), strategies=["first", strategy], model="mute:x")
    assert calls == []


@pytest.mark.parametrize(
    ("argument", "reference", "sentence"),
    [
        ("judge", "hf:x", "'hf:x' is no judge: 'hf' is a backend; a format comes before it, e.g. 'generic:hf:x'"),
        ("judge", "generic:x", "judge 'generic:x' names no backend; it should look like 'generic:hf:FOLDER'"),
        ("judge", "generic", "model reference 'generic' should look like 'generic:hf:folder'"),
        ("scorer", "folder", "model reference 'folder' should look like 'hf-reward:folder' or 'recorded:rm_scores'"),
        ("judge", "recorded:x", "'recorded:x' is no judge: 'recorded' is a scorer; known judges: "),
        ("scorer", "hf:x", "'hf:x' is no scorer: 'hf' is a backend; known scorers: "),
        ("synthesizer", "rrm:hf:x", "'rrm:hf:x' is no backend: 'rrm' is a judge; known backends: "),
        ("model", "recorded:x", "'recorded:x' is no backend: 'recorded' is a scorer"),
        ("scorer", "nothing:x", "no scorer is called 'nothing'"),
        ("scorer", 3, "an object of type int is no scorer"),
    ],
)
def test_a_model_in_the_wrong_role(argument: str, reference: object, sentence: str) -> None:
    given = all_but("none") | {argument: reference}
    with pytest.raises(tts.ConfigError, match=sentence.replace("(", ".")):
        tts.compare([boxed(1, 2)], strategies=["gsr", "best_of_n", "knockout", "synthesizer"], k=2, **given)
    assert calls == []
