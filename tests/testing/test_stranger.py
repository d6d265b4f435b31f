"""A third-party distribution, installed from its own wheel: found, listed, run, tested with the kit, and gone again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from installing import Environment

PACKAGE = Path(__file__).parents[1] / "plugin_package"
KINDS = {
    "shortest": "strategy",
    "brevity": "scorer",
    "parrot": "backend",
    "doubling": "task",
    "greet": "command",
    "words": "report",
}
ROWS = [{"problem": "1+1", "answer": "2", "candidates": ["long way to \\boxed{3}", "\\boxed{2}", "no answer"]}]
BROKEN = {
    "broken-import": "import nothing_of_this_name",
    "broken-hook": "import tts\n@tts.hookimpl\ndef tts_strategys(): return []",
    "broken-type": "import tts\n@tts.hookimpl\ndef tts_strategies(): return ['shortest']",
    "broken-name": (
        "import tts\n@tts.hookimpl\ndef tts_scorers(): return [tts.Entry(name='brevity', target='nowhere:Nothing')]"
    ),
}


@pytest.fixture(scope="module")
def installed(environment: Environment) -> Iterator[Environment]:
    environment.install(PACKAGE)
    yield environment
    environment.uninstall("tts-stranger")
    assert not list(environment.site.glob("tts_stranger*")), "uninstalling leaves files behind"
    assert not KINDS.keys() & listed(environment).keys()


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    file = tmp_path / "sets.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)))
    return file


def listed(environment: Environment, **variables: str) -> dict[str, dict[str, str]]:
    lines = environment.tts("plugins", "--json", **variables).splitlines()
    return {row["name"]: row for row in map(json.loads, lines)}


def test_it_is_found_and_listed_with_its_version(installed: Environment) -> None:
    found = listed(installed)
    for name, kind in KINDS.items():
        assert (found[name]["kind"], found[name]["distribution"], found[name]["version"]) == (
            kind,
            "tts-stranger",
            "1.2.3",
        )
    assert not KINDS.keys() & listed(installed, TTS_PLUGINS="strategies").keys()
    assert "greet" in installed.tts("--help")


def test_everything_in_it_runs(installed: Environment, sets: Path, tmp_path: Path) -> None:
    compared = installed.tts(
        "compare", str(sets), "-s", "shortest,first,best_of_n", "-k", "3", "--scorer", "brevity:words",
        "--report", str(tmp_path / "report.md"), "--json",
    )  # fmt: skip
    strategies = json.loads(compared)["strategies"]
    assert strategies["shortest"]["accuracy"]["mean"] == 1.0
    assert strategies["best_of_n"]["accuracy"]["mean"] == 1.0
    assert strategies["first"]["accuracy"]["mean"] == 0.0
    assert "Words of a stranger" in (tmp_path / "report.md").read_text("utf-8")
    rows = installed.tts("run", "task:doubling", "-s", "majority", "-k", "8", "-m", "parrot:polly@wrong=0.1", "--json")
    results = [json.loads(line) for line in rows.splitlines()]
    assert len(results) == 10
    assert sum(row["answer"] == str(2 * int(row["problem_id"].removeprefix("d"))) for row in results) >= 9
    assert installed.tts("greet") == "hello from a stranger\n"


def test_it_passes_the_kit_with_its_own_tests(installed: Environment, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE / "tests", tmp_path / "tests")  # away from our own settings of pytest
    done = installed.run("-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def broken_siblings(installed: Environment) -> Iterator[None]:
    written = []
    for name, code in BROKEN.items():
        module = name.replace("-", "_")
        info = installed.site / f"{module}-0.1.dist-info"
        info.mkdir()
        files = {
            installed.site / f"{module}.py": code,
            info / "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n",
            info / "entry_points.txt": f"[tts]\n{module} = {module}\n",
        }
        for path, text in files.items():
            path.write_text(text)
            written.append(path)
    yield
    for path in written:
        path.unlink()
    for name in BROKEN:
        (installed.site / f"{name.replace('-', '_')}-0.1.dist-info").rmdir()


@pytest.mark.usefixtures("broken_siblings")
def test_broken_siblings_hurt_nobody(installed: Environment, sets: Path) -> None:
    done = installed.run("-m", "tts", "compare", str(sets), "-s", "shortest,majority", "-k", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["strategies"]["shortest"]["accuracy"]["mean"] == 1.0
    warned = [line for line in done.stderr.splitlines() if line.startswith("warning:")]
    assert {name for name in BROKEN for line in warned if name in line} == BROKEN.keys() - {"broken-name"}
    assert len(warned) == 3
    shown = installed.run("-m", "tts", "plugins", "--json").stdout
    problems = [row["problem"] for row in map(json.loads, shown.splitlines()) if row["problem"]]
    assert all(any(name in problem for problem in problems) for name in BROKEN)
    asked = installed.run("-m", "tts", "compare", str(sets), "-s", "best_of_n", "-k", "3", "--scorer", "brevity:words")
    assert asked.returncode == 2
    assert "scorer 'brevity' is offered by broken-name 0.1 and tts-stranger 1.2.3" in asked.stderr
