"""A broken plugin is one sentence that names it, never a crash."""

from __future__ import annotations

import sys
import textwrap
import warnings
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import tts
from tts.registry.host import PluginHost


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name: str, code: str) -> EntryPoint:
        (tmp_path / f"{name}.py").write_text("import tts\n" + textwrap.dedent(code))
        sys.modules.pop(name, None)
        return EntryPoint(name=name, value=name, group="tts")

    return write


GOOD = """
    @tts.hookimpl
    def tts_strategies():
        return [tts.Entry(name="mine", target="tts_strategies.first:First", summary="a stranger's")]
"""


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import nothing_of_this_name", "importing 'bad' raised ModuleNotFoundError: No module named"),
        ("raise SystemError('boom')", "raised SystemError: boom"),
        ("@tts.hookimpl\ndef tts_strategys(): return []", "unknown hook 'tts_strategys', which is never called"),
        ("@tts.hookimpl\ndef tts_strategies(): return ['mine']", "returned a str; it must return tts.Entry objects"),
        ("@tts.hookimpl\ndef tts_strategies(): return None", "tts_strategies() raised TypeError"),
        ("@tts.hookimpl\ndef tts_strategies(): return 1 / 0", "raised ZeroDivisionError"),
        ("@tts.hookimpl\ndef tts_event(nothing): pass", "nothing"),
    ],
)  # fmt: skip
def test_a_broken_plugin_is_one_warning_and_the_others_work(module, code: str, sentence: str) -> None:
    with pytest.warns(tts.PluginWarning, match="plugin 'bad'") as caught:
        host = PluginHost([module("bad", code), module("good", GOOD)])
    assert len(caught) == 1
    assert sentence in str(caught[0].message)
    assert host.problems == [str(caught[0].message)]
    assert host.names("strategy") == ["mine"]
    assert host.resolve("strategy", "mine").name == "first"


def test_two_offers_of_one_name_are_an_error_for_who_asks(module) -> None:
    host = PluginHost([module("one", GOOD), module("two", GOOD)])
    assert len(host.all("strategy")) == 2
    with pytest.raises(tts.DuplicateNameError, match="'mine' is offered by .* and "):
        host.resolve("strategy", "mine")


def test_the_filter_keeps_only_those_named(module) -> None:
    points = [module("one", GOOD), module("two", GOOD)]
    assert len(PluginHost(points, only="two").all("strategy")) == 1
    with pytest.warns(tts.PluginWarning, match="TTS_PLUGINS names 'tow'; did you mean 'two'"):
        assert PluginHost(points, only="tow").all() == []


def test_a_missing_extra_is_named_with_its_command(module) -> None:
    code = """
        @tts.hookimpl
        def tts_backends():
            return [tts.Entry(name="far", target="needs_far:Far", extra="farpackage[gpu]")]
    """
    module("needs_far", "import a_package_that_is_not_there")
    host = PluginHost([module("far", code)])
    with pytest.raises(
        tts.MissingDependencyError, match=r"needs 'a_package_that_is_not_there'.*pip install 'farpackage\[gpu\]'"
    ):
        host.resolve("backend", "far")
    assert issubclass(tts.MissingDependencyError, ImportError)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [("tts_strategies.first:Last", "has no 'Last'"), ("tts_strategies.frist:First", "cannot be imported")],
)
def test_a_wrong_target_is_one_sentence(module, target: str, sentence: str) -> None:
    code = f"""
        @tts.hookimpl
        def tts_strategies():
            return [tts.Entry(name="mine", target="{target}")]
    """
    with pytest.raises(tts.ConfigError, match=sentence):
        PluginHost([module("one", code)]).resolve("strategy", "mine")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tts.strategy("gsrr"), "no strategy is called 'gsrr'; did you mean 'gsr'?"),
        (
            lambda: tts.strategy("gsr", candidate_token=5),
            "has no parameter 'candidate_token'; did you mean 'candidate_tokens'",
        ),
        (lambda: tts.strategy("gsr", outputs=0), "parameter outputs=0"),
        (lambda: tts.task("sum"), "no task is called 'sum'; did you mean 'sums'"),
        (lambda: tts.run("1+1", model="hff:x"), "no backend is called 'hff'; did you mean 'hf'"),
        (lambda: tts.run("1+1", model="miniature"), "model reference 'miniature' should look like"),
        (lambda: tts.run("1+1", strategy="majority", extractor="box"), "no extractor is called 'box'"),
        (
            lambda: tts.run("1+1", strategy="majority", grader="maths"),
            "no grader is called 'maths'; did you mean 'math'",
        ),
    ],
)
def test_unknown_names_get_a_hint(call, sentence: str) -> None:
    with pytest.raises(tts.ConfigError) as caught:
        call()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_listing_imports_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys, tts; names = [p.entry.name for p in tts.plugins().all()]; assert 'hf' in names;"
        "heavy = {'torch', 'transformers', 'sympy', 'numpy', 'tts_backends.hf', 'tts_strategies.gsr'};"
        "heavy &= set(sys.modules);"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_event_listeners_of_plugins_hear_and_cannot_hurt(module, fake, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
        heard = []
        @tts.hookimpl
        def tts_event(event):
            heard.append(event.kind)
            raise ValueError("listener")
    """
    point = module("listening", code)
    host = PluginHost([point])
    fake()
    real = tts.plugins()
    monkeypatch.setattr(real, "event_listeners", host.event_listeners)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = tts.run("1+2", strategy="majority", model="fake:m")
    assert run.answers
    assert "decision" in sys.modules["listening"].heard
    assert "an event listener raised ValueError: listener" in str(caught[0].message)
