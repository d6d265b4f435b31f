"""What identifies code follows the code: of files, of notebooks, of closures, of distributions."""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.registry.code import code_of, file_content, other_sources
from tts.registry.user_code import user_class, user_function
from tts.vocabulary.errors import PluginWarning

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def over(value: Any) -> Callable[[], Any]:
    return lambda: value


class Holds:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__ |= attributes


@given(PLAIN, PLAIN)
def test_closures_and_objects_are_equal_where_what_they_hold_is(one: Any, other: Any) -> None:
    same = repr(one) == repr(other)  # nan, 0.0 and -0.0, 1 and True
    assert (code_of(over(one)) == code_of(over(other))) == same
    assert (code_of(Holds(a=one)) == code_of(Holds(a=other))) == same
    assert (code_of(functools.partial(over, one)) == code_of(functools.partial(over, other))) == same


def test_lambdas_on_one_line_and_functions_of_one_file_differ() -> None:
    pair = (lambda x: x == 1, lambda x: x != 1)
    found = [code_of(one) for one in (*pair, over, file_content, len, Holds, tts.Strategy, Holds(a=1).__init__)]  # type: ignore[misc]
    assert len(set(found)) == len(found) - 1  # what belongs to a version of ours is that version
    assert found.count(f"ttscale {tts.__version__}") == 2


def test_a_class_made_by_a_function_counts_with_what_it_is_made_from() -> None:
    def made(limit: int) -> type:
        class Scorer:
            depth = limit

            def score(self) -> int:
                return limit

        return Scorer

    assert code_of(made(1)) == code_of(made(1)) != code_of(made(2))


def test_an_installed_distribution_is_its_version() -> None:
    import click
    import pluggy

    assert code_of(pluggy.PluginManager) == f"pluggy {pluggy.__version__}"
    assert code_of(click.command).startswith("click ")
    assert code_of(tts.plugins().resolve("grader", "math")) == f"ttscale {tts.__version__}"


def test_its_own_fingerprint_comes_first_and_settings_count() -> None:
    class Mine:
        fingerprint = "mine 3"

    assert code_of(Mine) == code_of(Mine()) == "mine 3"
    assert code_of(Mine, "a") == code_of(Mine, "a") != code_of(Mine, "b")
    with other_sources():
        assert code_of(Mine) == "mine 3"
        changed = code_of(Holds)
    assert changed != code_of(Holds)


def test_what_cannot_be_told_is_said_once_by_name(recwarn: pytest.WarningsRecorder) -> None:
    class Locked(Holds):
        pass

    with pytest.warns(
        PluginWarning, match=r"Locked has no fingerprint, and its attribute 'key' \(a _thread.lock\) cannot"
    ):
        first = code_of(Locked(key=threading.Lock()))
    recwarn.clear()
    assert code_of(Locked(key=threading.Lock())) == first
    assert not recwarn.list


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file_that_changes_within_a_second_is_run_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file, found, codes = tmp_path / "mine.py", [], []
    for sign in ("==", "!=", "==", "!="):  # of one length, within one second: Python's cache would not see it
        file.write_text(f"def same(gold, answer):\n    return gold {sign} answer\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        function = user_function(f"{file}:same")
        found.append(function("1", "1"))
        codes.append(code_of(function))
    assert found == [True, False, True, False]
    assert codes[0] == codes[2] != codes[1] == codes[3]


def test_a_class_keeps_the_code_that_it_was_made_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class A:\n    def f(self): return 1\n")
    first = user_class(f"{file}:A")
    before = code_of(first)
    file.write_text("class A:\n    def f(self): return 2\n")
    second = user_class(f"{file}:A")
    assert (first().f(), second().f()) == (1, 2)
    assert code_of(first) == before != code_of(second)


def test_moving_a_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    codes = set()
    for file in (tmp_path / "mine.py", tmp_path / "there" / "mine.py"):
        file.write_text("def same(gold, answer): return True\n")
        codes.add(code_of(user_function(f"{file}:same")))
    assert len(codes) == 1


def test_a_module_that_it_takes_from_counts_once_it_is_reloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    rules, file = tmp_path / "rules_of_mine.py", tmp_path / "mine.py"
    rules.write_text("def same(gold, answer): return gold == answer\n")
    file.write_text(
        "import rules_of_mine\nfrom rules_of_mine import same as other\ndef same(g, a): return other(g, a)\n"
    )
    before = code_of(user_function(f"{file}:same"))
    rules.write_text("def same(gold, answer): return answer is not None\n")
    assert code_of(user_function(f"{file}:same")) == before  # what runs is what was imported
    importlib.reload(sys.modules["rules_of_mine"])
    assert code_of(user_function(f"{file}:same")) != before


def test_a_setting_that_is_a_file_counts_with_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "words.txt"
    file.write_text("one")
    before = [code_of(Holds, str(file)), code_of(Holds, file), code_of(Holds, str(tmp_path))]
    file.write_text("two")
    assert all(
        old != new
        for old, new in zip(
            before, [code_of(Holds, str(file)), code_of(Holds, file), code_of(Holds, str(tmp_path))], strict=True
        )
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fast").write_text("a name is no path")
    assert file_content("fast") is None


# --- notebooks and consoles -----------------------------------------------------------------------------------------

CELLS = """
from tts.registry.code import code_of
THRESHOLD = {threshold}
def helper(x):
    return x > THRESHOLD
class Scorer:
    def score(self, text):
        return {body} if helper(len(text)) else 0
print(code_of(Scorer), code_of(lambda x: helper(x)), code_of(Scorer()))
"""


def _run(program: list[str], cells: str) -> str:
    done = subprocess.run(
        [sys.executable, *program], input=cells, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip().splitlines()[-1]


NOTEBOOK = textwrap.dedent("""
    import sys
    from IPython.core.interactiveshell import InteractiveShell
    InteractiveShell.instance().run_cell(sys.stdin.read(), store_history=True).raise_error()
""")


@pytest.mark.parametrize("program", [["-c", NOTEBOOK], ["-"]], ids=["notebook", "console"])
def test_a_class_without_a_file_is_its_source_and_what_it_uses(program: list[str]) -> None:
    if program[0] == "-c":
        pytest.importorskip("IPython")
    cells = [CELLS.format(threshold=t, body=b) for t, b in ((3, 1), (3, 1), (4, 1), (3, 2))]
    first, again, other_global, other_body = (_run(program, cell) for cell in cells)
    assert first == again
    assert len({first, other_global, other_body}) == 3


def test_the_cells_of_a_notebook_may_be_run_again_in_another_order() -> None:
    pytest.importorskip("IPython")
    program = textwrap.dedent("""
        from IPython.core.interactiveshell import InteractiveShell
        from tts.registry.code import code_of
        shell = InteractiveShell.instance()
        helper, user = "def helper(x): return x", "class A:\\n    def f(self): return helper(1)"
        found = []
        for cells in ([helper, user], [user, helper], ["# more", user], [helper.replace("return x", "return -x")]):
            for cell in cells:
                shell.run_cell(cell).raise_error()
            found.append(code_of(shell.user_ns["A"]))
        print(found[0] == found[1] == found[2] != found[3])
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip().endswith("True")


def test_nothing_that_is_told_warns_of_itself() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("strategy", "extractor", "grader", "task"):
            for name in tts.plugins().names(kind):  # type: ignore[arg-type]
                with suppress(tts.MissingDependencyError):  # of an extra
                    assert code_of(tts.plugins().resolve(kind, name))  # type: ignore[arg-type]
