"""Reward models on the real engine give the scores of transformers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("vllm.v1", reason="vLLM has an environment of its own: make test-vllm")
import torch
from tiny_models import bpe_tokenizer, save_llama
from transformers import LlamaConfig, LlamaForSequenceClassification

import tts
from tts_backends.scorers.hf_reward import HFReward
from tts_backends.scorers.vllm_reward import VLLMReward

PROBLEM = tts.Problem(id="p", prompt="What is 37*8?")
SIZES = {
    "hidden_size": 128, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 512,
}  # fmt: skip
SMALL = {"enforce_eager": "true", "block_size": "32", "kv_cache_memory_bytes": "200M"}


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
def scorer(folder: Path) -> Iterator[VLLMReward]:
    scorer = VLLMReward(str(folder), VLLMReward.Options(**SMALL))
    yield scorer
    asyncio.run(scorer.aclose())


def responses() -> list[tts.Candidate]:
    texts = ["It is 296.", "<|im_end|>", "297", "Сорок два 🧮", "step " * 300, "<think>no</think>296", ""]
    return [tts.Candidate(index=i, text=text) for i, text in enumerate(texts)]


def test_scores_are_those_of_hf_reward(folder: Path, scorer: VLLMReward) -> None:
    reference = HFReward(str(folder), HFReward.Options(dtype="float32"))
    expected = asyncio.run(reference.score(PROBLEM, responses()))
    asyncio.run(reference.aclose())
    found = asyncio.run(scorer.score(PROBLEM, responses()))
    assert [one.value for one in found] == pytest.approx([one.value for one in expected], abs=1e-4)
    assert [one.usage for one in found] == [one.usage for one in expected]
    assert len({one.value for one in found}) > 3


def test_calls_of_two_loops_at_once(scorer: VLLMReward) -> None:
    async def both() -> list[list[tts.Score]]:
        return await asyncio.gather(*(scorer.score(PROBLEM, responses()[:3]) for _ in range(4)))

    found = asyncio.run(both()) + asyncio.run(both())
    values = [[round(one.value, 4) for one in scores] for scores in found]
    assert values == [values[0]] * 8


def test_a_head_with_two_outputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match="2 outputs"):
        VLLMReward(str(save(tmp_path, 2)), VLLMReward.Options())


def test_a_language_model_is_refused(tmp_path: Path) -> None:
    sizes = SIZES | {"num_labels": 1}
    with pytest.raises(tts.ConfigError, match="no reward model"):
        VLLMReward(str(save_llama(tmp_path, bpe_tokenizer(), **sizes)), VLLMReward.Options(**SMALL))
