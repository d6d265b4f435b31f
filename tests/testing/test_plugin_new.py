"""`tts plugin new`: what it writes is installed, passes its own tests at once, and runs; single files run, too."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from installing import Environment

import tts
from tts.cli import main
from tts.testing import check_strategy

MINE = '''"""A strategy in a file. No paper."""

from __future__ import annotations

from typing import ClassVar

import tts


class Longest(tts.Strategy):
    """The longest response. No paper."""

    name: ClassVar[str] = "longest"
    least: int = 0

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        best = max((await ctx.candidates()).usable, key=lambda one: (len(one.text), one.text))
        if len(best.text) < self.least:
            return tts.Decision(text="too short")
        return tts.Decision(text=best.text, chosen=best.index)


number = 3
'''
ROWS = [{"problem": "1+1", "answer": "3", "candidates": ["long way to \\boxed{3}", "\\boxed{2}", "no answer"]}]


def written(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["plugin", "new", *arguments], prog_name="tts")
    return done.exit_code, done.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_a_new_package_passes_its_own_tests_and_runs(here: Path, environment: Environment) -> None:
    status, output = written("short-vote")
    assert status == 0, output
    folder = here / "tts-short-vote"
    assert "tts-short-vote/tts_short_vote/short_vote.py" in output
    assert tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"] == "tts-short-vote"
    assert "{{" not in (folder / "README.md").read_text()
    assert "python-version: ${{ matrix.python }}" in (folder / ".github/workflows/test.yml").read_text()
    environment.install(folder)
    try:
        tested = environment.run("-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=folder)
        assert tested.returncode == 0, tested.stdout
        assert int(tested.stdout.split(" passed")[0].split()[-1]) > 20
        compared = environment.tts("compare", "sets.jsonl", "-s", "short_vote", "-k", "3", "--json", cwd=here)
        assert list(json.loads(compared)["strategies"]) == ["short_vote"]
    finally:
        environment.uninstall("tts-short-vote")


def test_the_strategy_in_it_is_short(here: Path) -> None:
    assert written("brief", "--folder", "elsewhere")[0] == 0
    lines = (here / "elsewhere/tts_brief/brief.py").read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) <= 25


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Short"], "NAME='Short': lower-case letters"),
        (["../up"], "NAME='../up': lower-case letters"),
        (["majority"], "ttscale has a strategy of this name"),
        (["other", "--folder", "."], "is there already and is not empty"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(here: Path, arguments: list[str], sentence: str) -> None:
    before = sorted(here.iterdir())
    status, output = written(*arguments)
    assert status == 2
    assert sentence in output
    assert sorted(here.iterdir()) == before


def test_a_strategy_in_a_single_file_runs(here: Path) -> None:
    def compared(*more: str) -> dict[str, dict[str, dict[str, float]]]:
        command = ["compare", "sets.jsonl", "-k", "3", "--json", "-s", "./mine.py:Longest,first", *more]
        done = CliRunner().invoke(main, command, prog_name="tts")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)["strategies"]  # type: ignore[no-any-return]

    assert compared()["longest"]["accuracy"]["mean"] == 1.0
    assert compared("-p", "./mine.py:Longest.least=100")["longest"]["accuracy"]["mean"] == 0.0


def test_a_strategy_in_a_file_is_a_strategy_of_the_library(here: Path) -> None:
    mine = tts.strategy("./mine.py:Longest", least=7)
    assert mine.model_dump() == {"least": 7}
    check_strategy(mine)
    composed = tts.strategy("cascade", dear=f"{here / 'mine.py'}:Longest")
    assert composed.required() == tts.Needs()


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("./yours.py:Longest", "'./yours.py:Longest': there is no file"),
        ("./mine.py:Shortest", "there is no class 'Shortest' in './mine.py'"),
        ("./mine.py:number", "there is no class 'number' in './mine.py'"),
        ("json:JSONDecoder", "must be a subclass of tts.Strategy"),
        ("mine_that_is_not_there:Longest", "No module named 'mine_that_is_not_there'"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_reference_that_names_no_strategy_is_one_sentence(reference: str, sentence: str) -> None:
    with pytest.raises(tts.ConfigError) as caught:
        tts.strategy(reference)
    assert sentence in str(caught.value)
