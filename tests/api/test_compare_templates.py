"""Templates are files that a user can replace; what was stored under one wording is never taken for another's."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from doubles import candidate_set

import tts
from tts.testing import InstantJudge, InstantModel

PACKAGES = [Path(str(resources.files(name))) for name in ("tts", "tts_strategies", "tts_backends")]
OURS = [plugin.entry.name for plugin in tts.plugins().all("strategy") if plugin.distribution == "ttscale"]
FIELDS = [
    (name, field) for name in OURS for field in type(tts.strategy(name)).model_fields if field.endswith("template")
]
FORMATS = [
    (name, field)
    for name in sorted(set(tts.plugins().names("judge")) - {"ray"})  # it runs others, and wants an extra
    if name != "pairrm"  # which has no prompt
    for field in ("template", "system")
    if field in getattr(tts.plugins().resolve("judge", name), "model_fields", {})
]
SET = candidate_set("one \\boxed{1}", "two \\boxed{2}", "three \\boxed{3}")


class Listener(InstantModel):
    """Keeps what it is asked."""

    heard: list[str] = []

    def generate(self, request: tts.Request) -> Any:
        self.heard.extend(message.content for message in request.messages)
        return super().generate(request)


def source_of(name: str) -> str:
    (file,) = [file for package in PACKAGES for file in package.rglob(f"{name}.jinja")]
    return file.read_text("utf-8")


def heard(strategy: tts.Strategy, store: Path, **roles: Any) -> list[str]:
    Listener.heard = []
    given = {"model": Listener(), "synthesizer": Listener(), "judge": InstantJudge()} | roles
    done = tts.compare([SET], strategies=[strategy], k=3, store=store, **given)
    assert done.failed == []
    return Listener.heard


def check(own: Path, source: str, ask: Any) -> None:
    """Calls of one wording are stored for it alone."""
    own.write_text(source + "\nMind the zebra.", "utf-8")
    first = ask()
    assert any("Mind the zebra." in text for text in first)
    assert ask() == []
    own.write_text(source + "\nMind the okapi.", "utf-8")
    second = ask()
    assert any("Mind the okapi." in text for text in second)
    assert not any("zebra" in text for text in second)
    own.write_text(source + "\nMind the zebra.", "utf-8")
    assert ask() == []


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_strategy_s_template(name: str, field: str, tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    default = getattr(tts.strategy(name), field) or "refine"
    own.write_text(source_of(default), "utf-8")
    strategy = tts.strategy(name, **{field: str(own)})
    check(own, source_of(default), lambda: heard(strategy, tmp_path / "a.db"))


@pytest.mark.parametrize(("name", "field"), FORMATS)
def test_a_judge_s_template(name: str, field: str, tmp_path: Path) -> None:
    tts.plugins().register("backend", "listener", Listener)
    own = tmp_path / "own.jinja"
    default = source_of(getattr(tts.plugins().resolve("judge", name)(), field))
    own.write_text(default, "utf-8")
    knockout = tts.strategy("knockout")
    check(own, default, lambda: heard(knockout, tmp_path / "a.db", judge=f"{name}:listener:x@{field}={own}"))


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_template_that_cannot_be_used_is_said_at_once(name: str, field: str, tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text("no field at all", "utf-8")
    with pytest.raises(tts.ConfigError, match="never uses"):
        tts.strategy(name, **{field: str(own)})
    with pytest.raises(tts.ConfigError, match="no template"):
        tts.strategy(name, **{field: str(tmp_path / "nowhere.jinja")})
