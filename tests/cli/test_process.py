"""What only a real process shows: streams, signals, exit statuses, start-up time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import line

FAKE = str(Path(__file__).with_name("fake_backend.py"))


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from tts.cli import main\n"
        "try: main(['--help'], prog_name='tts')\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'transformers', 'pydantic', 'sympy', 'math_verify', 'datasets', 'pandas',"
        " 'pyarrow', 'numpy', 'rich.progress', 'rich.console') if m in sys.modules], file=sys.stderr)"
    )
    process = start("-c", code)
    out, err = process.communicate(timeout=120)
    assert "compare" in out
    assert err.strip() == "[]"


def test_plugins_imports_no_plugin() -> None:
    code = (
        "import sys; from tts.cli import main\n"
        "try: main(['plugins'], prog_name='tts')\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m in ('torch', 'transformers', 'pydantic') or m.startswith(('tts_backends.', "
        "'tts_strategies.', 'tts_trainers.'))], file=sys.stderr)"
    )
    out, err = start("-c", code).communicate(timeout=120)
    assert "gsr" in out
    assert err.strip() == "[]"


def test_python_m() -> None:
    out, _ = start("-m", "tts", "--version").communicate(timeout=120)
    assert out.startswith("tts, version ")


def test_plugin_warnings_are_lines_on_stderr() -> None:
    process = start("-m", "tts", "plugins", env={**os.environ, "TTS_PLUGINS": "cli,nonsense"})
    out, err = process.communicate(timeout=120)
    assert err.startswith("warning: TTS_PLUGINS names 'nonsense'")
    assert len(err.splitlines()) == 1
    assert "command" in out


@pytest.mark.parametrize("store", [True, False])
def test_ctrl_c(problems: Path, tmp_path: Path, store: bool) -> None:
    path = tmp_path / "a.db"
    where = ("--store", path) if store else ()
    process = start(FAKE, "run", problems, "-m", "fake:5@seconds=0.2", "-s", "majority", "-k", 50, "--json", *where)
    assert line(process, of="stderr").startswith("problems.jsonl: 3 problems")  # what was understood
    assert line(process, of="stderr").startswith("loading ")
    time.sleep(1.0)  # some candidates arrive
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    [last] = err.strip().splitlines()[-1:]
    assert last.startswith("interrupted after ")
    assert "Traceback" not in err
    if store:
        assert f"candidates are kept in {path}: give the same command again to go on" in last
        done = start(FAKE, "store", "list", path)
        assert " 0 completions" not in done.communicate(timeout=120)[0]
    else:
        assert "nothing is kept: with --store FILE a run can be resumed" in last


def test_a_broken_pipe_ends_quietly(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"problem": "What is {i}+1? {"x" * 500}"}}\n' for i in range(2000)))
    process = start(FAKE, "sample", path, "-m", "fake:5", "-k", 1)
    assert process.stdout is not None
    assert process.stderr is not None
    line(process)
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert "error" not in err


def test_streaming_into_a_broken_pipe_stops_the_run(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"problem": "What is {i}+1?"}}\n' for i in range(100_000)))
    process = start(FAKE, "run", path, "-m", "fake:5", "-s", "first", "-k", 1, "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    line(process)
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
    assert "Traceback" not in err
    assert "error" not in err
