from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from tiny_models import bpe_tokenizer, save_llama
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaForCausalLM, MambaConfig, MambaForCausalLM

from tts import BackendUnavailable, ConfigError
from tts_backends.checkpoints.source import find
from tts_backends.hf import HFBackend
from tts_backends.hf.load import Options, load
from tts_backends.judges.pairrm import PairRM
from tts_backends.scorers.hf_prm import HFProcessReward
from tts_backends.scorers.hf_reward import HFReward


def fingerprint(folder: Path, **options: object) -> str:
    backend = HFBackend(str(folder), Options(**options))
    asyncio.run(backend.aclose())
    return backend.fingerprint


def test_options_come_as_strings() -> None:
    options = Options(max_batch="16", trust_remote_code="false", dtype="bfloat16", gguf="a.gguf", think_open="[T]")
    assert (options.max_batch, options.trust_remote_code, options.dtype) == (16, False, "bfloat16")
    for wrong in ({"max_batch": "0"}, {"dtype": "int4"}, {"colour": "red"}, {"think_close": ""}):
        with pytest.raises(ValidationError):
            Options(**wrong)


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no model: it has neither a config\.json nor a GGUF file"):
        HFBackend(str(tmp_path), Options())
    with pytest.raises(ConfigError, match="is no folder"):
        HFBackend(str(tmp_path / "nowhere"), Options())
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BackendUnavailable, match="cannot be loaded") as caught:
        HFBackend(str(tmp_path), Options())
    assert not caught.value.retryable
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("load", [HFBackend, HFReward, HFProcessReward, PairRM])
def test_an_unreachable_hub_id_is_one_sentence_and_quick(load: type, monkeypatch: pytest.MonkeyPatch) -> None:
    here, real = threading.get_ident(), time.sleep

    def waiting(seconds: float) -> None:
        assert threading.get_ident() != here, "it tries again and again"
        real(seconds)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", waiting)
    for name in ("org/none", "no-folder"):
        sentence = f"'{name}' cannot be loaded: it is no folder, nothing of it is in the hub's cache, and the hub"
        with pytest.raises(BackendUnavailable, match=sentence) as caught:
            load(name, load.Options())
        assert "\n" not in str(caught.value)
        assert not caught.value.retryable


@pytest.mark.parametrize("load", [HFProcessReward, PairRM])
def test_a_scorer_or_judge_of_a_wrong_folder_is_one_sentence(load: type, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere' is no folder; give a folder with a model or a hub id"):
        load(str(tmp_path / "nowhere"), load.Options())
    with pytest.raises(ConfigError, match=r"holds no model: it has neither a config\.json nor a GGUF file"):
        load(str(tmp_path), load.Options())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BackendUnavailable, match="it has no tokenizer that transformers can read") as caught:
        load(str(tmp_path), load.Options())
    assert "\n" not in str(caught.value)


def test_gguf_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    assert find(str(tmp_path)).gguf == "a.gguf"
    assert find(str(tmp_path / "a.gguf")).gguf == "a.gguf"
    (tmp_path / "b.gguf").touch()
    with pytest.raises(ConfigError, match=r"2 GGUF files; choose one with @gguf=, e\.g\. 'a\.gguf'"):
        find(str(tmp_path))
    assert find(str(tmp_path), "b.gguf").gguf == "b.gguf"
    with pytest.raises(ConfigError, match=r"no file 'c\.gguf'"):
        find(str(tmp_path), "c.gguf")
    (tmp_path / "config.json").touch()
    assert find(str(tmp_path)).gguf is None


def test_unknown_devices_and_templates_are_refused(llama: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no device 'abacus'"):
        HFBackend(str(llama), Options(device="abacus"))
    with pytest.raises(ConfigError, match=r"none\.jinja"):
        HFBackend(str(llama), Options(chat_template=tmp_path / "none.jinja"))


def test_a_recurrent_model_is_refused(tmp_path: Path) -> None:
    tokenizer = bpe_tokenizer()
    config = MambaConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, state_size=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MambaForCausalLM(config).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        with pytest.raises(ConfigError, match="attention models only"):
            HFBackend(str(tmp_path), Options())


def test_attention_stays_soft_capped(tmp_path: Path) -> None:
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Gemma2Config(vocab_size=100, num_key_value_heads=1, head_dim=16, attn_logit_softcapping=0.5, **small)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(20)
    model.save_pretrained(tmp_path)
    bpe_tokenizer().save_pretrained(tmp_path)
    ids = torch.arange(20)[None]
    model.set_attn_implementation("eager")
    expected = model(ids).logits
    assert torch.allclose(load(str(tmp_path), Options(attn="eager")).model(ids).logits, expected, atol=1e-4)
    assert torch.allclose(load(str(tmp_path), Options()).model(ids).logits, expected, atol=1e-4)
    with pytest.raises(BackendUnavailable, match="sdpa|scaled_dot_product_attention"):
        load(str(tmp_path), Options(attn="sdpa"))
    for layer in model.model.layers:
        layer.self_attn.attn_logit_softcapping = None
    assert not torch.allclose(model(ids).logits, expected, atol=1e-1), "the cap matters here"


def test_the_fingerprint_follows_weights_dtype_template_and_markers(llama: Path, tmp_path: Path) -> None:
    plain = fingerprint(llama)
    copy = Path(shutil.copytree(llama, tmp_path / "copy"))
    assert fingerprint(copy) == plain
    assert fingerprint(copy, max_batch=3) == plain
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages[0].content }}")
    others = [
        fingerprint(copy, **o) for o in ({"dtype": "bfloat16"}, {"chat_template": template}, {"think_open": "[T]"})
    ]
    model = LlamaForCausalLM.from_pretrained(llama)
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1e-3
    model.save_pretrained(copy)
    others.append(fingerprint(copy))
    assert len({plain, *others}) == 5


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it
def test_the_fingerprint_of_an_adapter_follows_its_base(llama: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base, adapter = Path(shutil.copytree(llama, tmp_path / "base")), tmp_path / "adapter"
    model = LlamaForCausalLM.from_pretrained(base)
    peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(adapter)
    bpe_tokenizer().save_pretrained(adapter)
    before = fingerprint(adapter)
    assert fingerprint(adapter) == before
    other = LlamaForCausalLM.from_pretrained(base)
    with torch.no_grad():
        other.lm_head.weight[0, 0] += 1e-3
    other.save_pretrained(base)  # trained anew, under the same name
    assert fingerprint(adapter) != before


def test_capabilities_say_what_holds(llama: Path) -> None:
    backend = HFBackend(str(llama), Options(max_batch=7))
    half = HFBackend(str(llama), Options(dtype="bfloat16"))
    assert backend.capabilities.model_dump() == {
        "seed": True, "logprobs": True, "exact_token_counts": True, "context_length": 512, "concurrency": 7,
        "prompts": None, "streams": True, "response_format": False, "tools": False, "raw": False,
    }  # fmt: skip
    assert not half.capabilities.seed
    for one in (backend, half):
        asyncio.run(one.aclose())


def test_tokens_are_counted_as_text(llama: Path) -> None:
    backend = HFBackend(str(llama), Options())
    tokenizer = bpe_tokenizer()
    texts = ["", "What is 3*8?", "<|im_end|>", "<think>"]
    counts = asyncio.run(backend.count_tokens(texts))
    asyncio.run(backend.aclose())
    assert counts[:2] == [0, len(tokenizer("What is 3*8?").input_ids)]
    assert all(n > 1 for n in counts[2:])


def test_the_miniature_is_a_folder_of_the_package() -> None:
    with contextlib.suppress(BackendUnavailable):  # not shipped in this tree
        assert Path(find("miniature").place).name == "miniature"
    with pytest.raises(ConfigError, match="there is no hf:miniature/none; the built-in models are 'miniature'"):
        find("miniature/none")


def test_a_short_context_is_read_from_the_model(tmp_path: Path) -> None:
    folder = save_llama(tmp_path, bpe_tokenizer(), max_position_embeddings=40)
    backend = HFBackend(str(folder), Options())
    asyncio.run(backend.aclose())
    assert backend.capabilities.context_length == 40
