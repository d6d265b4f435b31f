"""Reward models on the real SGLang give the scores of transformers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("sglang") is None:
    pytest.skip("SGLang has an environment of its own: make test-sglang", allow_module_level=True)
import torch
from sglang_server import SMALL, Server, model
from tiny_models import bpe_tokenizer
from transformers import LlamaConfig, LlamaForSequenceClassification

import tts
from tts_backends.scorers.hf_reward import HFReward
from tts_backends.scorers.sglang_reward import SGLangReward

PROBLEM = tts.Problem(id="p", prompt="What is 37*8?")
SIZES = {
    "hidden_size": 128, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 512,
}  # fmt: skip


def save(folder: Path, labels: int) -> Path:
    tokenizer = bpe_tokenizer()
    torch.manual_seed(1)
    config = LlamaConfig(vocab_size=len(tokenizer), num_labels=labels, pad_token_id=0, **SIZES)
    model = LlamaForSequenceClassification(config)
    with torch.no_grad():
        model.score.weight.mul_(20)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("reward"), 1)


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[tts.Score]:
    reference = HFReward(str(folder), HFReward.Options(dtype="float32"))
    scores = asyncio.run(reference.score(PROBLEM, responses()))
    asyncio.run(reference.aclose())
    return scores


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Iterator[SGLangReward]:
    scorer = SGLangReward(str(folder), SGLangReward.Options(**SMALL))
    yield scorer
    asyncio.run(scorer.aclose())


def responses() -> list[tts.Candidate]:
    texts = ["It is 296.", "<|im_end|>", "297", "Сорок два 🧮", "step " * 60, "<think>no</think>296", ""]
    return [tts.Candidate(index=i, text=text) for i, text in enumerate(texts)]


def alike(found: list[tts.Score], expected: list[tts.Score]) -> bool:
    values = [one.value for one in found] == pytest.approx([one.value for one in expected], abs=1e-4)
    return values and [one.usage for one in found] == [one.usage for one in expected]


def test_scores_are_those_of_hf_reward(scorer: SGLangReward, expected: list[tts.Score]) -> None:
    assert alike(asyncio.run(scorer.score(PROBLEM, responses())), expected)
    assert len({one.value for one in expected}) > 3


def test_a_response_too_long_keeps_its_end(scorer: SGLangReward) -> None:
    long = tts.Candidate(index=0, text="step " * 900)
    (score,) = asyncio.run(scorer.score(PROBLEM, [long]))
    assert 480 < score.usage.prompt_tokens < 512


def test_calls_of_two_loops_at_once(scorer: SGLangReward) -> None:
    async def both() -> list[list[tts.Score]]:
        return await asyncio.gather(*(scorer.score(PROBLEM, responses()[:3]) for _ in range(4)))

    found = asyncio.run(both()) + asyncio.run(both())
    values = [[round(one.value, 4) for one in scores] for scores in found]
    assert values == [values[0]] * 8


def test_a_running_server_is_asked_and_its_model_checked(folder: Path, expected: list[tts.Score]) -> None:
    server = Server(str(folder), "--is-embedding", "--served-model-name", "grader")
    try:
        scorer = SGLangReward(str(folder), SGLangReward.Options(base_url=server.base))
        assert alike(asyncio.run(scorer.score(PROBLEM, responses())), expected)
        asyncio.run(scorer.aclose())
        with pytest.raises(tts.ConfigError, match="'grader'"):
            SGLangReward(model(), SGLangReward.Options(base_url=server.base))
    finally:
        server.stop()


def test_a_head_with_two_outputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match="2 numbers"):
        SGLangReward(str(save(tmp_path, 2)), SGLangReward.Options(**SMALL))


def test_a_language_model_is_refused() -> None:
    with pytest.raises(tts.ConfigError, match="no reward model"):
        SGLangReward(model(), SGLangReward.Options(**SMALL))
