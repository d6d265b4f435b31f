from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tts
from tts.sources.reading import read_candidate_sets

FAKE = ("-m", "fake:5")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_solve(run_tts: Any) -> None:
    done = run_tts("solve", "2+3?", *FAKE, "-s", "majority", "-k", 3)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "It is \\boxed{5}.\n"
    assert "answer: 5 (3 candidates, 15 tokens" in done.stderr
    done = run_tts("solve", "-", *FAKE, "-s", "first", "--json", stdin="2+3?\n")
    result = json.loads(done.stdout)
    assert (result["answer"], result["problem"]["prompt"]) == ("5", "2+3?")
    tts.Result.model_validate(result)


def test_run(run_tts: Any, problems: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = run_tts("run", problems, *FAKE, "-s", "majority", "-o", out)
    assert done.exit_code == 0, done.stderr
    assert "3 problems, 3 groups of k=4" in done.stdout
    assert "33.3" in done.stdout  # one of three answers is 5
    assert "3/3 decisions" in done.stderr
    assert [row["correct"] for row in lines(out.read_text())] == [0.0, 0.0, 1.0]


def test_run_as_json_lines(run_tts: Any, problems: Path) -> None:
    done = run_tts("run", problems, *FAKE, "-s", "first", "--json", "--limit", 2)
    rows = lines(done.stdout)
    assert {row["problem_id"] for row in rows} == {"q0", "q1"}
    assert all(row["answer"] == "5" and row["error"] is None for row in rows)
    assert "2 problems" in done.stderr


def test_run_on_standard_input_with_columns(run_tts: Any) -> None:
    row = json.dumps({"n": 1, "quiz": "2+3?", "final": 5.0})
    done = run_tts("run", "-", *FAKE, "-s", "first", "--columns", "id=n,problem=quiz,answer=final", stdin=row)
    assert "100.0" in done.stdout, done.stderr


def test_problems_that_fail_are_told(run_tts: Any, problems: Path) -> None:
    done = run_tts("run", problems, "-m", "fake:5@fail=true", "-s", "majority", "--json")
    assert done.exit_code == 1  # not one could be decided
    assert all("the fake fails as told" in row["error"] for row in lines(done.stdout))
    assert "error: all 3 failed; the first: " in done.stderr
    assert "failed: q0: " in done.stderr
    assert "3 failed" in done.stderr


def test_candidates_that_fail_are_told(run_tts: Any, problems: Path) -> None:
    done = run_tts("sample", problems, "-m", "fake:5@fail=true", "-k", 2)
    assert done.exit_code == 1
    assert [len(row["candidates"]) for row in lines(done.stdout)] == [2, 2, 2]
    assert "error: 6 candidates failed: the fake fails as told" in done.stderr


def test_a_model_that_says_nothing_at_all_is_an_error_and_nothing_is_missing(run_tts: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"problem": "1+1?", "answer": "2", "candidates": [" ", " "]}))
    done = run_tts("compare", path, "-s", "majority", "-k", 2)
    assert done.exit_code == 1
    assert "error: all 1 failed; the first: NoCandidatesError" in done.stderr
    assert "no answer" in done.stdout and "missing" not in done.stdout


def test_candidates_missing_in_a_file_are_not_asked_for_here(run_tts: Any, tmp_path: Path) -> None:
    lost = {"text": "", "finish_reason": "error", "error": "gone"}
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"problem": "1+1?", "answer": "2", "candidates": ["\\boxed{2}", lost]}))
    done = run_tts("compare", path, "-s", "majority", "-k", 2)
    assert done.exit_code == 3
    assert "1 of 2 candidates is missing (1× gone); the candidates are missing where these came from" in done.stderr
    assert run_tts("compare", path, "-s", "majority", "-k", 2, "--max-failed", 1).exit_code == 0


def test_messages_of_strategies_are_shown_but_not_all(run_tts: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text("".join(json.dumps({"problem": f"{i}?", "candidates": ["well"]}) + "\n" for i in range(20)))
    done = run_tts("compare", path, "-s", "majority", "-k", 1)
    assert done.stderr.count("no candidate has an answer") == 5
    assert done.stderr.count("more such messages not shown") == 1


def test_broken_rows_are_skipped_on_request(run_tts: Any, problems: Path) -> None:
    problems.write_text(problems.read_text() + "{oops\n")
    refused = run_tts("run", problems, *FAKE, "-s", "first")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "error: " in refused.stderr
    assert "problems.jsonl, line 4: not JSON" in refused.stderr
    done = run_tts("run", problems, *FAKE, "-s", "first", "--on-error", "skip")
    assert done.exit_code == 0
    assert "warning: 3 rows read, 1 skipped (line 4)" in done.stderr


@pytest.mark.parametrize("name", ["sets.jsonl", "sets.parquet"])
def test_sample_then_compare(run_tts: Any, problems: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    done = run_tts("sample", problems, *FAKE, "-k", 2, "-o", out)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    assert f"tts compare {out}" in done.stderr
    [first, *_] = read_candidate_sets(out, extract=lambda text: text)
    assert [c.thinking for c in first.candidates] == ["hmm", "hmm"]
    assert first.candidates.policy == "fake:5"
    assert first.candidates.sampling == tts.Sampling()
    compared = run_tts("compare", out, "-k", 2, "--json")
    assert compared.exit_code == 0, compared.stderr
    assert set(json.loads(compared.stdout)["strategies"]) == {"first", "majority"}
    assert "gsr left out" in compared.stderr


def test_sample_to_stdout(run_tts: Any, problems: Path) -> None:
    done = run_tts("sample", problems, *FAKE, "-k", 2, "--temperature", 1, "--seed", 7)
    rows = lines(done.stdout)
    assert [row["id"] for row in rows] == ["q0", "q1", "q2"]
    assert (rows[0]["sampling"]["temperature"], rows[0]["sampling"]["seed"]) == (1.0, 7)


def test_sample_piped_into_compare(run_tts: Any, problems: Path) -> None:
    sampled = run_tts("sample", problems, *FAKE, "-k", 2).stdout
    done = run_tts("compare", "-", "-k", 2, stdin=sampled)
    assert "3 problems, 3 groups of k=2" in done.stdout, done.stderr
    assert "no column 'candidates'" in run_tts("compare", "-", stdin='{"problem": "a"}').stderr


def test_compare_a_file_without_a_model(run_tts: Any, candidates: Path) -> None:
    done = run_tts("compare", candidates, "-k", 3, "-s", "first,majority")
    assert done.exit_code == 0, done.stderr
    table = {line.split()[0]: line for line in reversed(done.stdout.splitlines()) if line.strip()}
    assert "50.0" in table["first"]
    assert "100.0" in table["majority"]


def test_compare_needs_a_model_for_what_generates(run_tts: Any, candidates: Path) -> None:
    done = run_tts("compare", candidates, "-s", "gsr", "-k", 3)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith("error: strategy 'gsr' needs a policy")


def test_parameters_of_strategies(run_tts: Any, candidates: Path) -> None:
    def compare(*more: str) -> str:
        done = run_tts("compare", candidates, "-k", 3, *more)
        assert done.exit_code == 2
        return str(done.stderr)

    assert "has no parameter 'nonsense'" in compare("-s", "first", "-p", "nonsense=1")
    assert "say whose it is, e.g. -p first.x=1" in compare("-s", "first,majority", "-p", "x=1")
    assert "'gsr' is not one of the strategies first" in compare("-s", "first", "-p", "gsr.x=1")
    assert "candidate_tokens='many'" in compare("-s", "first", "-s", "gsr", "-p", "gsr.candidate_tokens=many")
    assert "'nonsense' is not name=value" in compare("-s", "first", "-p", "nonsense")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("solve", ""), "the problem is empty"),
        (("solve", "a", "-s", "majorty"), "did you mean 'majority'?"),
        (("solve", "a", "-m", "nonsense"), "should look like"),
        (("solve", "a", "-m", "fake:5@speed=1"), "has no option 'speed'"),
        (("solve", "a", "-m", "fake:5", "--temperature", "-1"), "parameter temperature=-1.0"),
        (("run", "nowhere.jsonl"), "there is no file 'nowhere.jsonl'"),
        (("run", "sums"), "write 'task:sums'"),
        (("run", "-o", "out.txt"), "the ending must be .json or .jsonl or .csv or .parquet"),
        (("run", "-o", "no/where/out.json"), "there is no folder"),
        (("run", "--columns", "question"), "'question' is not name=value,name=value"),
        (("run", "a", "--columns", "quiz=question"), "columns cannot map 'quiz'"),
        (("compare", "nowhere.db"), "there is no store 'nowhere.db'"),
        (("store", "list", "nowhere.db"), "there is no store 'nowhere.db'"),
    ],
)
def test_nonsense_is_one_sentence_and_status_2(run_tts: Any, arguments: tuple[str, ...], message: str) -> None:
    done = run_tts(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    (sentence,) = [line for line in done.stderr.splitlines() if line.lower().startswith("error: ")]
    assert message in sentence


def test_other_errors_have_status_1(run_tts: Any) -> None:
    done = run_tts("solve", "a", "-m", "fake:5@fail=true", "-s", "first")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_debugging_shows_the_traceback(run_tts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_DEBUG", "1")
    assert isinstance(run_tts("run", "sums").exception, tts.TaskError)


# -- the store ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(run_tts: Any, problems: Path, tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    done = run_tts("sample", problems, *FAKE, "-k", 2, "--store", path)
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    return path


def test_store_list_and_show(run_tts: Any, store: Path) -> None:
    done = run_tts("store", "list", store)
    assert "What is 3+2?" in done.stdout
    assert "3 problems, 3 draws, 6 completions" in done.stdout
    heads = lines(run_tts("store", "list", store, "--json").stdout)
    assert {(head["id"], head["answer"], head["candidates"]) for head in heads} == {
        ("q0", "3", 2),
        ("q1", "4", 2),
        ("q2", "5", 2),
    }
    key = heads[0]["key"]
    assert "candidate 1: answer 5, 5 tokens, stop" in run_tts("store", "show", store, key[:12]).stdout
    assert json.loads(run_tts("store", "show", store, key, "--json").stdout)["id"] == heads[0]["id"]
    assert "no stored set has a key that begins with 'zzz'" in run_tts("store", "show", store, "zzz").stderr
    assert "more than one" in run_tts("store", "show", store, "").stderr


@pytest.mark.parametrize("name", ["sets.jsonl", "sets.parquet"])
def test_an_imported_store_is_not_sampled_again(
    run_tts: Any, store: Path, problems: Path, tmp_path: Path, name: str
) -> None:
    out, other = tmp_path / name, tmp_path / "b.db"
    assert run_tts("store", "export", store, "-o", out).exit_code == 0
    done = run_tts("store", "import", other, out)
    assert "3 candidate sets imported" in done.stderr
    assert run_tts("store", "export", store).stdout == run_tts("store", "export", other).stdout
    again = run_tts("sample", problems, *FAKE, "-k", 2, "--store", other, "-o", tmp_path / "again.jsonl")
    assert "6 of them from the store" in again.stderr
    compared = run_tts("compare", other, "-k", 2, "-s", "majority", "--json")
    assert json.loads(compared.stdout)["strategies"]["majority"]["accuracy"]["n"] == 3


def test_a_file_that_is_no_store(run_tts: Any, problems: Path) -> None:
    done = run_tts("store", "list", problems)
    assert done.exit_code == 1
    assert "not a SQLite file" in done.stderr


# -- plugins and doctor ------------------------------------------------------------------------------------------------


def test_a_parameter_can_be_none(run_tts: Any, problems: Path) -> None:
    done = run_tts("run", problems, *FAKE, "-s", "synthesizer", "--synthesizer", "fake:5", "-p", "group_size=none")
    assert done.exit_code == 0, done.stderr


def test_a_listener_that_raises_is_told_once(run_tts: Any, problems: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tts.plugins(), "event_listeners", [lambda event: 1 / 0])
    done = run_tts("run", problems, *FAKE, "-s", "first")
    assert done.exit_code == 0
    assert done.stderr.count("warning: an event listener raised ZeroDivisionError") == 1


def test_unknown_commands_and_options(run_tts: Any) -> None:
    done = run_tts("solv")
    assert done.exit_code == 2
    assert "no command is called 'solv'; did you mean 'solve'?" in done.stderr
    assert run_tts("run", "--nonsense").exit_code == 2


def test_a_command_that_cannot_be_imported(run_tts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host = tts.plugins()
    [solve] = [plugin for plugin in host.all("command") if plugin.entry.name == "solve"]
    broken = tts.Entry(name="broken", target="tts.no_such_module:command", summary="of a stranger")
    monkeypatch.setitem(host._entries["command"], "broken", [solve._replace(entry=broken)])
    assert "of a stranger" in run_tts("--help").stdout
    done = run_tts("broken")
    assert done.exit_code == 2
    assert "command 'broken' (of ttscale) cannot be imported" in done.stderr


@pytest.fixture
def light_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without loading torch and the model, which have tests of their own."""
    monkeypatch.setattr("tts.cli.doctor._device", lambda: "cpu")
    monkeypatch.setattr("tts.cli.doctor._default_model", lambda: "loaded")
    host = tts.plugins()
    resolve = host.resolve
    light = ("command", "strategy")
    monkeypatch.setattr(host, "resolve", lambda kind, name: resolve(kind, name) if kind in light else None)


def test_doctor(run_tts: Any, store: Path, light_doctor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_tts("doctor", "--json")
    report = json.loads(done.stdout)
    assert done.exit_code == 0, report
    states = {check["check"]: check["state"] for check in report["checks"]}
    assert states["ttscale"] == states["extra data"] == states["store"] == "ok"
    assert "6 completions" in run_tts("doctor", "--store", store).stdout
    monkeypatch.setattr(tts.plugins(), "problems", ["plugin 'x' of y 1 was left out"])
    done = run_tts("doctor")
    assert done.exit_code == 1
    assert "plugin 'x' of y 1 was left out" in done.stdout


@pytest.mark.usefixtures("light_doctor")
def test_doctor_names_what_is_missing(run_tts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Metadata:
        requires = ("click>=8.1", "no-such-package[x]>=2 ; extra == 'hf'", "click>=99 ; extra == 'hub'")

    monkeypatch.setattr("tts.cli.doctor.distribution", lambda name: Metadata)
    done = run_tts("doctor")
    assert done.exit_code == 0
    assert "missing or too old: no-such-package; pip install 'ttscale[hf]'" in done.stdout
    assert "pip install 'ttscale[hub]'" in done.stdout


def test_answers_shows_the_rule_the_place_and_the_rivals(run_tts: Any) -> None:
    text = r"First \boxed{3}. No: \boxed{50\%}."
    shown = run_tts("answers", text, "--against", "0.5", "--problem", "What is the probability?")
    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["answer", "outranked", "equal"]
    found = json.loads(run_tts("answers", "-", "--json", stdin=text).stdout)
    assert (found["found"]["answer"], found["found"]["rule"], len(found["rivals"])) == (r"50\%", "box", 1)
    nothing = run_tts("answers", "no idea")
    assert (nothing.exit_code, nothing.stdout) == (1, "no answer\n")
