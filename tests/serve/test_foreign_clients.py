"""Clients that others wrote, unmodified, each as its documentation says: `make test-clients` installs them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeBackend
from serving import running

# What is deprecated in packages of others is theirs to mend.
pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore")]
HI: list[Any] = [{"role": "user", "content": "1+2"}]
SAID = "So it is \\boxed{3}"
REASON = "it is not installed; `make test-clients` brings it"


@pytest.fixture
def base(fake: Callable[..., type[FakeBackend]]) -> Iterator[str]:
    """The address of a gateway that refines sums."""
    fake()
    with running() as address:
        yield f"{address}/v1"


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Told not to ask the network for prices when it is imported."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    return pytest.importorskip("litellm", reason=REASON)


def test_litellm_asks_and_streams(base: str, litellm: Any) -> None:
    asks = {"model": "openai/gsr", "api_base": base, "api_key": "none", "messages": HI}
    said = litellm.completion(**asks, temperature=0.5, max_tokens=100)
    assert said.choices[0].message.content == SAID
    assert said.usage.total_tokens > 0
    chunks = list(litellm.completion(**asks, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID
    with pytest.raises(litellm.NotFoundError, match="did you mean 'gsr'"):
        litellm.completion(**{**asks, "model": "openai/gsrr"})


def test_litellm_passes_on_what_is_ours(base: str, litellm: Any) -> None:
    said = litellm.completion(
        model="openai/majority", api_base=base, api_key="none", messages=HI, extra_body={"tts": {"k": 3}}
    )
    assert said.tts["k"] == 3


@pytest.mark.parametrize("stream", [True, False])
def test_the_llm_command_asks(base: str, tmp_path: Path, stream: bool) -> None:
    pytest.importorskip("llm", reason=REASON)
    models = [{"model_id": "refined", "model_name": "gsr", "api_base": base}]
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(models), encoding="utf-8")  # JSON is YAML
    command = [sys.executable, "-m", "llm", "-m", "refined", "--key", "none", "-s", "Be brief.", "1+2"]
    done = subprocess.run(
        command + ([] if stream else ["--no-stream"]),
        env={"LLM_USER_PATH": str(tmp_path), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.stdout.strip() == SAID, done.stderr


def test_inspect_ai_evaluates(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inspect_ai = pytest.importorskip("inspect_ai", reason=REASON)
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate, system_message

    monkeypatch.setenv("TTSCALE_BASE_URL", base)
    monkeypatch.setenv("TTSCALE_API_KEY", "none")
    task = inspect_ai.Task(
        dataset=[Sample(input=f"{i}+{i + 1}", target=f"boxed{{{2 * i + 1}}}") for i in range(5)],
        solver=[system_message("Be brief."), generate()],
        scorer=includes(),
    )
    (log,) = inspect_ai.eval(
        task, model="openai-api/ttscale/gsr", log_dir=str(tmp_path), display="none", temperature=0.5, max_tokens=100
    )
    assert log.status == "success", log.error
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    assert log.stats.model_usage["openai-api/ttscale/gsr"].total_tokens > 0


def test_lm_eval_evaluates(base: str, tmp_path: Path) -> None:
    lm_eval = pytest.importorskip("lm_eval", reason=REASON)
    rows = [{"question": f"{i}+{i + 1}", "answer": f"{2 * i + 1}"} for i in range(5)]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    task = {
        "task": "sums", "dataset_path": "json", "test_split": "test", "output_type": "generate_until",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "sums.jsonl")}, "cache_dir": str(tmp_path / "cache")},
        "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}", "metric_list": [{"metric": "exact_match"}],
        "filter_list": [{"name": "box", "filter": [
            {"function": "regex", "regex_pattern": r"\\boxed\{(.*?)\}"}, {"function": "take_first"},
        ]}],
        "generation_kwargs": {"until": ["\n\n\n"], "do_sample": True, "temperature": 0.6},
    }  # fmt: skip
    found = lm_eval.simple_evaluate(
        "local-chat-completions",
        model_args=f"model=gsr,base_url={base}/chat/completions,num_concurrent=4,max_retries=1,tokenized_requests=False",
        tasks=[task], apply_chat_template=True, bootstrap_iters=0,
    )  # fmt: skip
    assert found is not None
    assert found["results"]["sums"]["exact_match,box"] == 1.0
