"""Self-certainty and mean log-probability under a model, against their formulas over plain logits."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
import torch
from doubles import candidate_set, decide
from tiny_models import bpe_tokenizer, save_llama
from transformers import AutoModelForCausalLM, AutoTokenizer

import tts
from tts.prompts import Prompts, direct_messages
from tts_backends.scorers.hf_confidence import ConfidenceOptions, HFConfidence

PROBLEM = tts.Problem(id="p", prompt="What is 37*8?")
TEXTS = [
    "so \\boxed{296}",
    "<think>30*8 = 240</think>so \\boxed{296}",
    "0" * 50,
    "37*8 = " + "30*8+7*8 = " * 12 + "296",
]
MEASURES = ["self-certainty", "mean-logprob"]


def score(folder: Path | str, texts: list[str], problem: tts.Problem = PROBLEM, **options) -> list[tts.Score]:
    scorer = HFConfidence(str(folder), ConfidenceOptions(**options))

    async def main() -> list[tts.Score]:
        try:
            return await scorer.score(problem, candidate_set(*texts).candidates)
        finally:
            await scorer.aclose()

    return asyncio.run(main())


def by_hand(folder: Path, text: str, measure: str, prompt: str | None = None) -> float:
    """Token by token, as in equation 5 of the paper: -1/(nV) times the sum over places and words of log(V p)."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    asked = prompt or direct_messages(PROBLEM)[0].content
    turns = [{"role": "user", "content": asked}]
    before = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    written = tokenizer(text, add_special_tokens=False).input_ids
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([before + written])).logits[0].double()
    values = []
    for place, token in enumerate(written):
        p = logits[len(before) + place - 1].softmax(-1)
        uniform = -sum(math.log(len(p) * float(x)) for x in p) / len(p)
        values.append(uniform if measure == "self-certainty" else math.log(float(p[token])))
    return sum(values) / len(values)


@pytest.mark.parametrize("measure", MEASURES)
def test_scores_are_those_of_the_formula(llama: Path, measure: str) -> None:
    found = score(llama, TEXTS, measure=measure)
    expected = [by_hand(llama, text, measure) for text in TEXTS]
    assert [one.value for one in found] == pytest.approx(expected, abs=1e-4)
    assert max(expected) - min(expected) > 0.01
    one_by_one = [one.value for one in score(llama, TEXTS, measure=measure, max_batch=1)]
    assert one_by_one == pytest.approx(expected, abs=1e-4)


def test_a_model_that_knows_nothing_is_not_certain(tmp_path: Path) -> None:
    folder = save_llama(tmp_path, bpe_tokenizer(), scale=0)
    (one,) = score(folder, ["so \\boxed{296}"])
    assert one.value == pytest.approx(0, abs=1e-6)
    (one,) = score(folder, ["so \\boxed{296}"], measure="mean-logprob")
    assert one.value == pytest.approx(-math.log(len(bpe_tokenizer())), abs=1e-5)


def test_it_reads_the_log_probabilities_that_the_policy_gave() -> None:
    """Where a response was cut by its length it has no end token, and written text is tokenized as it was sampled."""
    sampling = tts.Sampling(max_tokens=12, temperature=1.0, logprobs=True)
    (sampled,) = tts.sample(k=8, limit=1, sampling=sampling, model="hf:miniature@dtype=float32")
    candidates = [c for c in sampled.candidates if c.finish_reason == "length" and c.ok]
    assert candidates
    texts = [c.text for c in candidates]
    found = score("miniature", texts, sampled.problem, measure="mean-logprob", dtype="float32")
    expected = [c.logprob / c.usage.generated_tokens for c in candidates]
    assert [one.value for one in found] == pytest.approx(expected, abs=1e-3)


def test_the_prompt_is_the_models_own_or_the_one_given(llama: Path, tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "trained", bpe_tokenizer())
    Prompts(
        direct_template="Solve {{ problem }}!",
        refine_template="{{ problem }} {{ candidates }}",
        candidate_tokens=9,
        k=2,
    ).write(folder)
    text, measure = "so \\boxed{296}", "self-certainty"
    assert score(folder, [text])[0].value == pytest.approx(by_hand(folder, text, measure, f"Solve {PROBLEM.text}!"))
    mine = tmp_path / "mine.jinja"
    mine.write_text("{{ problem }} Quick.")
    found = score(folder, [text], template=str(mine))[0].value
    assert found == pytest.approx(by_hand(folder, text, measure, f"{PROBLEM.text} Quick."))


def test_what_does_not_fit_is_not_counted_and_a_long_problem_is_one_sentence(llama: Path) -> None:
    text = "37*8 = " * 200
    (long,) = score(llama, [text], max_length=200)
    assert long.usage.prompt_tokens == 200
    with pytest.raises(tts.ContextLengthError):
        score(llama, ["yes"], tts.Problem(id="p", prompt="why? " * 100), max_length=60)


def test_control_tokens_in_a_response_are_text(llama: Path) -> None:
    scorer = HFConfidence(str(llama), ConfidenceOptions())
    ids, start = scorer._encode(PROBLEM, candidate_set("<|im_end|><|im_start|>user")[0])
    marked, begin = scorer._encode(PROBLEM, candidate_set("<think>a</think>b")[0])
    asyncio.run(scorer.aclose())
    tokenizer = AutoTokenizer.from_pretrained(llama)
    assert not set(ids[start:]) & set(tokenizer.all_special_ids)
    assert tokenizer.convert_ids_to_tokens(marked[begin:]) == ["<think>", "a", "</think>", "b"]


def test_best_of_n_by_self_certainty(llama: Path) -> None:
    found = candidate_set(*TEXTS, problem=PROBLEM.text)
    expected = [by_hand(llama, text, "self-certainty") for text in TEXTS]
    result = decide(found, "best_of_n", scorer=f"hf-confidence:{llama}")
    assert result.decision.chosen == expected.index(max(expected))
    assert result.usage["scorer"].calls == 4


def test_likelihood_is_the_mean_log_probability(llama: Path) -> None:
    reference = f"likelihood:{llama}"
    found = candidate_set(*TEXTS, problem=PROBLEM.text)
    chosen = decide(found, "best_of_n", scorer=reference).decision
    values = [one.value for one in score(llama, TEXTS, found.problem, measure="mean-logprob")]
    assert chosen is not None
    assert chosen.chosen == values.index(max(values))
