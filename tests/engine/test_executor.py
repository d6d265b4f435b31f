"""Where models are loaded: `executor=` rewrites references; the executor itself is a plugin like others."""

from __future__ import annotations

import pickle
from typing import Any, ClassVar

import pytest
from doubles import FakeBackend, LengthScorer, sums

import tts
from tts.engine.reference import find_model, placed


class Elsewhere(FakeBackend):
    """Stands for Ray: a backend whose model is another reference."""

    models: ClassVar[list[str]] = []

    def __init__(self, model: str, options: Any) -> None:
        self.models.append(model)
        super().__init__(model, options)


class LightScorer(LengthScorer):
    """Computes next to nothing."""

    light: ClassVar[bool] = True


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("tts.engine.reference.EXECUTORS", ("elsewhere",))
    tts.plugins().register("backend", "elsewhere", Elsewhere)
    Elsewhere.models = []
    return Elsewhere.models


@pytest.mark.usefixtures("helpers", "elsewhere")
def test_references_are_placed_by_kind(fake: Any) -> None:
    fake()
    tts.plugins().register("scorer", "light", LightScorer)
    assert placed("backend", "fake:m@a=1", "elsewhere") == "elsewhere:fake:m@a=1"
    assert placed("backend", "elsewhere:fake:m", "elsewhere") == "elsewhere:fake:m"
    assert placed("judge", "generic:fake:m@top_p=1", "elsewhere") == "generic:elsewhere:fake:m@top_p=1"
    assert placed("judge", "fake:m", "elsewhere") == "elsewhere:fake:m"
    assert placed("scorer", "fake:m", "elsewhere") == "elsewhere:fake:m"
    assert placed("scorer", "light:m", "elsewhere") == "light:m"
    assert placed("backend", "fake:m", None) == "fake:m"


def test_a_run_loads_its_models_there(fake: Any, elsewhere: list[str]) -> None:
    here = fake()
    run = tts.run(sums(2), strategy="gsr", k=2, model="fake:m", executor="elsewhere")
    assert [result.error for result in run.results] == [None, None]
    assert elsewhere == ["fake:m"]
    assert not here.instances


def test_an_unknown_executor_is_one_sentence(fake: Any) -> None:
    fake()
    with pytest.raises(tts.ConfigError, match="executor='slurm'; known: ray, or None for models in this process"):
        tts.run(sums(1), model="fake:m", executor="slurm")


def test_a_model_is_found_without_loading_it(fake: Any) -> None:
    cls = fake()
    assert find_model("backend", "fake:m")[:2] == (cls, "m")
    assert not cls.instances
    with pytest.raises(tts.ConfigError, match="has no option 'a'"):
        find_model("backend", "fake:m@a=1")


@pytest.mark.parametrize(
    "error",
    [
        tts.ContextLengthError(2000, 1000, "hf:m"),
        tts.UnknownPluginError("backend", "hff", iter(["hf", "vllm"])),
        tts.BackendError("no", retryable=True),
        tts.MissingDependencyError("install it"),
        tts.ConfigError("wrong"),
    ],
)
def test_errors_come_from_other_processes_as_they_are(error: tts.TTSError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error)
    assert str(there) == str(error)
    assert vars(there) == vars(error)
