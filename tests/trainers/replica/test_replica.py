from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import tts
from tts import ConfigError, Message
from tts.tasks.sums import Sums, Term, plan, response, solution, terms_of
from tts_trainers.hybrid.trainer import HybridSFTTrainer
from tts_trainers.recipe import load_recipe
from tts_trainers.replica import student
from tts_trainers.replica.export import export
from tts_trainers.replica.family import Family
from tts_trainers.replica.groups import base_rows
from tts_trainers.replica.recipe import CandidateStage, ReplicaRecipe, TokenizerSettings
from tts_trainers.replica.replicate import replicate
from tts_trainers.replica.rows import direct_rows, judge_thinking
from tts_trainers.replica.scorers import measure_scorers
from tts_trainers.replica.stages import Stage, run_stages
from tts_trainers.replica.student import build_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")


def _tiny() -> ReplicaRecipe:
    """The shipped recipe with every number cut down."""
    recipe = load_recipe("replica", ReplicaRecipe).model_dump(mode="json")
    step = {"steps": 2, "batch": 4, "learning_rate": 1e-3}
    shape = {"layers": 1, "width": 16, "heads": 1, "head_size": 8, "feed_forward": 16}
    recipe["sizes"] = dict.fromkeys(("small", "large"), shape)
    recipe["main"] = "large"
    recipe["tokenizer"]["vocab"] = 300
    recipe["base"] = {"problems": 8, "shown_share": 0.25, "optimisation": step | {"save_steps": 1}}
    recipe["candidates"] |= {"problems": 8, "max_tokens": 8}
    recipe["arm"] = {"direct_problems": 8, "optimisation": step | {"accumulate": 2}}
    for helper in ("reward", "judge", "synthesizer"):
        recipe[helper]["optimisation"] |= {"steps": 2, "batch": 4}
    recipe["judge"]["max_tokens"] = recipe["synthesizer"]["max_tokens"] = 8
    recipe["evaluation"] |= {"groups": 4, "arm_groups": 3, "outputs": 2, "max_tokens": 8, "ks": [2, 3]}
    recipe["evaluation"] |= {"control_groups": 4, "scorer_problems": 4, "controls": ["other", "misread in 4"]}
    return ReplicaRecipe.model_validate(recipe)


@pytest.fixture
def able_students(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps teach nobody to solve a problem, so every second candidate is replaced by a right one."""
    sample = Family._sample

    def replaced(self: Family, examples: Sequence[tts.Example], model: str, stage: CandidateStage) -> tts.Samples:
        samples = sample(self, examples, model, stage)
        samples.sampled = [_every_second_right(one) for one in samples.sampled]
        return samples

    monkeypatch.setattr(Family, "_sample", replaced)


def _every_second_right(one: tts.Sampled) -> tts.Sampled:
    terms = terms_of(one.candidates.problem)
    wrong = [Term(terms[0].left + 1, terms[0].right), *terms[1:]]
    summaries = [solution(terms if candidate.index % 2 else wrong) for candidate in one.candidates]
    candidates = tuple(
        tts.Candidate(index=i, text=response(plan(terms), summary), summary=summary)
        for i, summary in enumerate(summaries)
    )
    return tts.Sampled(one.candidates.model_copy(update={"candidates": candidates}), one.answer)


def _files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")}


@pytest.mark.usefixtures("able_students")
def test_from_nothing_to_tables_and_again(tmp_path: Path) -> None:
    report = replicate(tmp_path, _tiny(), all_sizes=True)
    for title in ("Table 1", "Table 2", "Table 4", "Table 5, Figure 5", "Figure 2", "Figure 6", "Figure 7", "Controls"):
        assert f"## {title}" in report
    folder = tmp_path / "hybrid-large"
    assert AutoModelForCausalLM.from_pretrained(folder).config.model_type == "llama"
    assert "<think>" in AutoTokenizer.from_pretrained(folder).get_vocab()
    shown = {len(g.candidates) for g in Family(tmp_path, _tiny()).groups("candidates-large")}
    assert shown <= set(_tiny().candidates.shown)

    shipped = tmp_path.with_name(f"{tmp_path.name}-shipped")
    export(tmp_path, _tiny(), shipped)
    for one in (".", "base", "reward", "judge", "synthesizer"):
        assert json.loads((shipped / one / "config.json").read_text("utf-8"))["dtype"] == "bfloat16"
        assert {t.dtype for t in load_file(shipped / one / "model.safetensors").values()} == {torch.bfloat16}
        tokenizer = json.loads((shipped / one / "tokenizer_config.json").read_text("utf-8"))
        assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"

    weights = _files(tmp_path)
    assert len(weights) == 9
    assert replicate(tmp_path, _tiny(), all_sizes=True) == report
    assert _files(tmp_path) == weights

    with pytest.raises(
        ConfigError, match=r"was made with other settings; give another --out, or delete tokenizer.done"
    ):
        replicate(tmp_path, _tiny().model_copy(update={"seed": 1}))


def test_a_size_may_have_base_steps_of_its_own() -> None:
    recipe = load_recipe("replica", ReplicaRecipe)
    steps = {size: recipe.base.optimisation_of(shape).steps for size, shape in recipe.sizes.items()}
    assert steps == {"200K": 2000, "400K": 1400, "600K": 1000, "1M": 1000}


def test_a_stage_depends_on_the_settings_of_those_before_it(tmp_path: Path) -> None:
    made: list[str] = []

    def stages(first: int) -> list[Stage]:
        return [
            Stage("one", lambda target: made.append(target.name), [first]),
            Stage("two", lambda target: made.append(target.name), [0], ["one"]),
            Stage("other", lambda target: made.append(target.name), [0]),
        ]

    run_stages(tmp_path, stages(1))
    (tmp_path / "two.done").unlink()
    run_stages(tmp_path, stages(1))
    assert made == ["one", "two", "other", "two"]
    (tmp_path / "one.done").unlink()
    with pytest.raises(ConfigError, match="two' was made with other settings"):
        run_stages(tmp_path, stages(2))
    assert made[-1] == "one"


def test_an_interrupted_stage_starts_from_an_empty_folder(tmp_path: Path) -> None:
    def make(target: Path) -> None:
        assert list(target.iterdir()) == []
        (target / "half").touch()
        if not interrupted:
            raise KeyboardInterrupt

    interrupted: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_stages(tmp_path, [Stage("one", make)])
    interrupted.append("once")
    run_stages(tmp_path, [Stage("one", make)])
    assert (tmp_path / "one.done").is_file()


@cache
def _tokenizer() -> Any:
    examples = list(Sums(split="train", size=500, terms=(3, 4)).examples())
    return build_tokenizer(examples, TokenizerSettings(), seed=0)


def _ids(tokenizer: Any, text: str) -> list[str]:
    return [tokenizer.decode([i]) for i in tokenizer(text)["input_ids"]]


def test_tokenizer_keeps_digits_and_marks_apart() -> None:
    tokenizer = _tokenizer()
    assert _ids(tokenizer, "</think>\n\n12*34")[:1] == ["</think>"]
    tokens = _ids(tokenizer, "<think>\n37*8: agree, 296\n</think>\n\n37*8 = 296\n\\boxed{296}")
    assert all(len(t) == 1 for t in tokens if any(c.isdigit() for c in t))
    assert "".join(tokens) == "<think>\n37*8: agree, 296\n</think>\n\n37*8 = 296\n\\boxed{296}"
    assert _ids(tokenizer, "Größe 🙂")


def test_chat_template_drops_thinking_of_earlier_turns_only() -> None:
    tokenizer = _tokenizer()
    turns = [
        Message(role="user", content="a"),
        Message(role="assistant", content="<think>\nx\n</think>\n\ny"),
        Message(role="user", content="b"),
        Message(role="assistant", content="<think>\nz\n</think>\n\nw"),
    ]
    text = tokenizer.apply_chat_template([t.model_dump() for t in turns], tokenize=False)
    assert text == "<|user|>a<|end|><|assistant|>y<|end|><|user|>b<|end|><|assistant|><think>\nz\n</think>\n\nw<|end|>"


def test_generation_prompt_with_and_without_thinking() -> None:
    tokenizer = _tokenizer()
    chat = [{"role": "user", "content": "a"}]
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert prompt == "<|user|>a<|end|><|assistant|>"
    without = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    assert without == prompt + "<think>\n\n</think>\n\n"


def test_a_judge_thinks_up_to_the_first_difference_and_names_who_is_right() -> None:
    terms = [Term(37, 8), Term(21, 6)]
    problem = tts.Problem(id="p", prompt="?", metadata={"terms": [list(t) for t in terms]})
    right = solution(terms)
    wrong = right.replace("= 126", "= 136").replace("296+126 = 422", "296+136 = 432")
    shown = [tts.Candidate(index=i, text=text, summary=text) for i, text in enumerate((right, wrong))]
    thinking = judge_thinking(problem, *shown, "A")
    assert thinking == "37*8: agree, 296\n21*6: A 126, B 136, 1*6=6, 2*6=12, 126, 666==, 223=x: A"
    assert judge_thinking(problem, shown[0], shown[0], "A") == "37*8: agree, 296\n21*6: agree, 126\n296+126: agree, 422"


def test_a_student_answers_refine_prompts_and_learns_nothing_of_what_they_show() -> None:
    recipe, task = load_recipe("replica", ReplicaRecipe), Sums(split="train", size=40)

    async def count(texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    base = recipe.base.model_copy(update={"shown_share": 0.25})
    rows = base_rows(list(task.examples()), base, recipe.candidates, task.planted, count, 0)
    shown = [row for row in rows if "Candidate Response 1" in row["prompt"][0]["content"]]
    assert (len(rows), len(shown)) == (40, 10)
    assert {row["objective"] for row in rows} == {"direct"}
    direct = {row["problem_id"]: row["completion"] for row in direct_rows(e.problem for e in task.examples())}
    assert all(row["completion"] == direct[row["problem_id"]] for row in rows), "as if nothing were shown"


def test_an_interrupted_training_goes_on_from_its_checkpoint_and_another_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = Family(tmp_path, _tiny())
    run_stages(tmp_path, [family.tokenizer()])
    base = family.size("large")[0]

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(student, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            run_stages(tmp_path, [family.tokenizer(), base])
    (folder,) = (tmp_path / "trainer").iterdir()
    assert [one.name for one in folder.glob("checkpoint-*")] == ["checkpoint-2"]
    begun: list[int] = []
    step = HybridSFTTrainer.training_step
    monkeypatch.setattr(HybridSFTTrainer, "training_step", lambda *a, **k: begun.append(1) or step(*a, **k))  # type: ignore[func-returns-value]
    run_stages(tmp_path, [family.tokenizer(), base])
    assert begun == []
    assert (tmp_path / "base-large" / "tts.json").is_file()
    assert list((tmp_path / "trainer").iterdir()) == []


def test_the_scorer_that_orders_pairs_right_is_chosen_on_other_problems_than_it_is_measured_on(tmp_path: Path) -> None:
    sets = []
    for example in Sums(size=8).examples():
        good = solution(terms_of(example.problem))
        texts = [good, good.rpartition("\n")[0] + "\n" + r"\boxed{1}" + " " * 30]
        candidates = [
            tts.Candidate(index=i, text=t, summary=t, answer=a)
            for i, (t, a) in enumerate(zip(texts, (example.answer, "1"), strict=True))
        ]
        sets.append(
            tts.Sampled(tts.CandidateSet(problem=example.problem, candidates=tuple(candidates)), example.answer)
        )
    references = {"the longer": "length:longer", "the shorter": "length:shorter"}
    found = measure_scorers(sets, references, tmp_path / "scores.db")
    assert found.chosen == "the shorter"
    best, worst = found.held_out["the shorter"], found.held_out["the longer"]
    assert best is not None
    assert worst is not None
    assert (best.mean, best.problems, worst.mean) == (1.0, 4, 0.0)
    assert measure_scorers(sets[:0], references, tmp_path / "none.db").held_out == dict.fromkeys(references)
