"""Models that are in memory already, checkpoints with prompts, and both through the public face."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel, LlamaForCausalLM

import tts
from tts.prompts import Prompts
from tts_backends.hf import HFBackend
from tts_backends.hf import load as hf_load

PROMPTS = Prompts(
    direct_template="{{ problem }} =", refine_template="{{ problem }} {{ candidates }}", candidate_tokens=7, k=2
)
GREEDY = tts.Sampling(temperature=0, max_tokens=12, logprobs=True)


@pytest.fixture
def model(llama: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(llama).eval()


@pytest.fixture
def tokenizer(llama: Path) -> Any:
    return AutoTokenizer.from_pretrained(llama)


@pytest.fixture
def live(model: Any, tokenizer: Any) -> Iterator[HFBackend]:
    backend = HFBackend.from_model(model, tokenizer, prompts=PROMPTS)
    yield backend
    asyncio.run(backend.aclose())


def outputs(
    backend: Any, problems: Sequence[str] = ("What is 37*8?", "6*21"), **engine: Any
) -> list[tuple[str, float]]:
    """Greedy responses with their log-probabilities, which show changes that do not change a word."""
    found = tts.sample(list(problems), k=2, model=backend, sampling=GREEDY, **engine)
    return [(candidate.text, round(candidate.logprob or 0, 3)) for one in found for candidate in one]


def step(model: Any) -> None:
    """What an optimiser does: change weights in place, without counting gradients."""
    weights = [p for p in model.parameters() if p.requires_grad]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    torch.optim.AdamW(weights, lr=0.05).step()


def test_it_gives_what_the_saved_model_gives(live: HFBackend, llama: Path) -> None:
    assert live.capabilities.prompts is PROMPTS
    problem = tts.Problem(id="p", messages=(tts.Message(role="user", content="37*8"),))
    given, saved = (
        [c.text for c in tts.sample([problem], k=2, model=m, sampling=GREEDY)[0]] for m in (live, f"hf:{llama}")
    )
    assert given == saved
    assert given[0]


def test_nothing_is_copied_and_a_step_is_seen(live: HFBackend, model: Any) -> None:
    before = outputs(live)
    assert outputs(live) == before
    step(model)
    assert outputs(live) != before


def test_the_fingerprint_follows_the_weights(live: HFBackend, model: Any, tokenizer: Any) -> None:
    first = live.fingerprint
    assert live.fingerprint == first
    step(model)
    second = live.fingerprint
    assert second != first
    again = HFBackend.from_model(model, tokenizer, name="other")
    assert again.fingerprint == second  # of the weights, not of the object or its name
    with torch.no_grad():
        model.model.norm.weight[3] += 1.0
    assert live.fingerprint == again.fingerprint != second
    model.load_state_dict({name: weight + 1 for name, weight in model.state_dict().items()})
    assert live.fingerprint not in {first, second}
    third = live.fingerprint
    for parameter in model.parameters():  # as DeepSpeed steps: torch counts nothing
        parameter.data.add_(0.01)
    assert live.fingerprint not in {first, second, third}
    asyncio.run(again.aclose())


def test_a_large_model_is_read_in_part(
    live: HFBackend, model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = live.fingerprint
    monkeypatch.setattr("tts_backends.hf.live._READ", 500)  # of 20,000 elements
    before = HFBackend.from_model(model, tokenizer)
    first = before.fingerprint
    assert first != whole
    step(model)
    assert before.fingerprint != first
    asyncio.run(before.aclose())


def test_stored_samples_of_older_weights_are_not_used(live: HFBackend, model: Any, tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    before = outputs(live, store=store)
    step(model)
    after = outputs(live, store=store)
    assert after != before
    assert outputs(live, store=store) == after


def test_the_engine_leaves_it_running_and_it_can_be_closed(model: Any, tokenizer: Any) -> None:
    backend = HFBackend.from_model(model, tokenizer, name="mine", options=HFBackend.Options(max_batch=2))
    events: list[tts.Event] = []
    outputs(backend, listeners=[events.append])
    assert outputs(backend)
    assert backend.capabilities.concurrency == 2
    assert {event.message for event in events if event.kind == "loaded"} == {"hf:mine"}
    asyncio.run(backend.aclose())
    assert model(torch.tensor([[1, 2]])).logits.shape[1] == 2  # the model itself is the user's, and as it was
    assert "this hf backend is closed" in str(tts.sample("1+1", k=1, model=backend)[0][0].error)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it
def test_an_adapter_is_part_of_the_model(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    adapted = peft.get_peft_model(
        model, peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    )
    adapted.eval()
    backend = HFBackend.from_model(adapted, tokenizer)
    # Prompts of different length are padded on the left, which is wrong unless positions reach the model.
    together = outputs(backend)
    assert together == outputs(backend, ["What is 37*8?"]) + outputs(backend, ["6*21"])
    for part in (adapted, tokenizer):
        part.save_pretrained(tmp_path)
    assert outputs(f"hf:{tmp_path}") == together  # a folder with nothing but the adapter
    first = backend.fingerprint
    step(adapted)
    assert backend.fingerprint != first
    assert outputs(backend) != together
    with adapted.disable_adapter():
        assert outputs(backend) != together
    asyncio.run(backend.aclose())


def test_generating_leaves_gradients_and_flags_alone(live: HFBackend, model: Any) -> None:
    model.train()
    model.activation_checkpointing_enable()
    loss = model(torch.arange(8)[None], labels=torch.arange(8)[None], use_cache=False).loss
    loss.backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.eval()
    outputs(live)
    model.train()
    assert model.is_activation_checkpointing
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    model(torch.arange(8)[None], labels=torch.arange(8)[None], use_cache=False).loss.backward()  # nothing is frozen
    assert all(torch.allclose(p.grad, 2 * g) for p, g in zip(model.parameters(), gradients, strict=True))


def test_what_cannot_be_used_is_one_sentence(model: Any, tokenizer: Any) -> None:
    def refused(given: Any, sentence: str, **options: Any) -> None:
        with pytest.raises(tts.ConfigError, match=sentence):
            HFBackend.from_model(given, tokenizer, options=hf_load.Options(**options) if options else None)

    refused(model, "'hf:live' is loaded already: option dtype cannot be given for it", dtype="bfloat16")
    refused(nn.Linear(1, 1), "'hf:live' is a Linear; from_model takes a loaded model of transformers")
    refused(model.train(), r"'hf:live' is in training mode.*call model.eval\(\) first")
    slow = type("Slow", (), {"backend_tokenizer": None})()
    with pytest.raises(tts.ConfigError, match="needs a fast tokenizer and this model's is a Slow"):
        HFBackend.from_model(model.eval(), slow)


def test_sharded_parameters_are_refused(tokenizer: Any, tmp_path: Path) -> None:
    from torch.distributed import destroy_process_group, init_process_group
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    try:
        model = LlamaForCausalLM.from_pretrained(str(resources.files("tts_backends") / "miniature")).eval()
        fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
        with pytest.raises(tts.ConfigError, match="are sharded over processes .* evaluate a saved checkpoint instead"):
            HFBackend.from_model(model, tokenizer)
    finally:
        destroy_process_group()
    zero = nn.Linear(1, 1)
    zero.weight.ds_id = 0  # type: ignore[assignment]  # how DeepSpeed ZeRO-3 marks a parameter
    bert = BertModel(BertConfig(hidden_size=2, num_hidden_layers=1, num_attention_heads=1, vocab_size=2)).eval()
    bert.extra = zero
    with pytest.raises(tts.ConfigError, match="are sharded"):
        HFBackend.from_model(bert, tokenizer)


def test_a_checkpoint_offers_its_prompts_and_they_are_no_part_of_its_fingerprint(llama: Path, tmp_path: Path) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(llama), AutoTokenizer.from_pretrained(llama)
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path)
    plain = HFBackend(str(tmp_path), hf_load.Options())
    PROMPTS.write(tmp_path)
    prompted = HFBackend(str(tmp_path), hf_load.Options())
    assert (plain.capabilities.prompts, prompted.capabilities.prompts) == (None, PROMPTS)
    assert plain.fingerprint == prompted.fingerprint
    assert outputs(plain) != outputs(prompted)  # they are asked otherwise
    (tmp_path / "tts.json").write_text("{}")
    with pytest.raises(
        tts.ConfigError, match=r"tts.json': direct_template: Field required; mend the file or remove it"
    ):
        HFBackend(str(tmp_path), hf_load.Options())
    for one in (plain, prompted):
        asyncio.run(one.aclose())


def test_the_miniature_was_trained_on_our_prompts() -> None:
    from tts.prompts import DIRECT_FIELDS, REFINE_FIELDS, Template

    trained = Prompts.read(Path(str(resources.files("tts_backends") / "miniature" / "tts.json")))
    assert trained.direct_template == Template.load("direct", DIRECT_FIELDS).source
    assert trained.refine_template == Template.load("refine", REFINE_FIELDS).source
    assert (trained.candidate_tokens, trained.k) == (1536, 4)


HUB = """
from tts_backends.hf import HFBackend
for model in ("org/prompted", "org/plain"):
    prompts = HFBackend(model, HFBackend.Options()).capabilities.prompts
    print(prompts.k if prompts else None)
"""


def test_a_hub_snapshot_offers_its_prompts(llama: Path, tmp_path: Path) -> None:
    commit = "0" * 40
    for name in ("prompted", "plain"):
        repository = tmp_path / f"models--org--{name}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(commit)
        shutil.copytree(llama, repository / "snapshots" / commit)
    PROMPTS.write(tmp_path / "models--org--prompted" / "snapshots" / commit)
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", HUB], capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert done.stdout.split() == ["2", "None"], done.stderr
