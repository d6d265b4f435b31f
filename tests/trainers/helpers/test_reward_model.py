from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch
from helper_parts import candidate, llama, run_train, tokenizer, toy_set, write_candidates
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tts import ConfigError, Message, Problem, plugins
from tts.eval import Estimate
from tts_trainers.helpers import reward_model
from tts_trainers.helpers.command import coin
from tts_trainers.helpers.graded import Pair, preference_pairs
from tts_trainers.helpers.recipe import HelperOptimisation
from tts_trainers.helpers.reward_model import RewardModelRecipe, conversation, train_reward_model, with_score_head
from tts_trainers.recipe import load_recipe

PROBLEM = Problem(id="p", prompt="What is 1+1?")


def recipe(**optimisation: object) -> RewardModelRecipe:
    settings = {"steps": 2, "batch": 4, "learning_rate": 1e-2} | optimisation
    return RewardModelRecipe(optimisation=HelperOptimisation.model_validate(settings))


def pairs(*numbers: int) -> list[Pair]:
    return preference_pairs([toy_set(n) for n in numbers], per_problem=2, seed=0)


def test_a_conversation_is_problem_and_visible_response_without_a_system_prompt() -> None:
    said = candidate(0, "2", thinking="one and one")
    user, assistant = Message(role="user", content="What is 1+1?"), Message(role="assistant", content="2")
    assert conversation(PROBLEM, said) == (user, assistant)
    chat = Problem(id="p", messages=(Message(role="system", content="Be brief."), user))
    assert conversation(chat, said) == (user, assistant)


def test_it_learns_what_tells_right_from_wrong_and_serves_as_a_scorer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    student, before = llama(), llama().state_dict()
    report = train_reward_model(
        student, tokenizer(), pairs(*range(40)), recipe(steps=25, batch=8), tmp_path, held_out=pairs(*range(50, 70))
    )
    assert (report.pairs, report.left_out) == (80, 0)
    assert report.pair_accuracy is not None
    assert report.pair_accuracy.mean > 0.9
    assert (report.pair_accuracy.problems, report.pair_accuracy.n) == (20, 40)
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items()), "a copy is trained"
    assert not (tmp_path / "training_args.bin").exists()

    one = toy_set(99)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=1).eval()
    assert loaded.config.pad_token_id == 0
    chats = [[m.model_dump() for m in conversation(one.problem, c)] for c in one.candidates]
    own = AutoTokenizer.from_pretrained(tmp_path)
    with torch.inference_mode():
        scores = [loaded(own.apply_chat_template(c, return_tensors="pt")["input_ids"]).logits[0, 0] for c in chats]
    assert min(scores[:2]) > max(scores[2:])

    scorer_class = plugins().resolve("scorer", "hf-reward")
    scorer = scorer_class(str(tmp_path), scorer_class.Options())
    found = asyncio.run(scorer.score(one.problem, one.candidates))
    asyncio.run(scorer.aclose())
    assert [score.value for score in found] == pytest.approx([float(score) for score in scores], abs=1e-4)


def test_the_score_head_keeps_the_trunk() -> None:
    model = llama()
    headed = with_score_head(model)
    ids = torch.arange(10, 30)[None]
    assert torch.equal(headed.base_model(ids).last_hidden_state, model.base_model(ids).last_hidden_state)
    assert headed(ids).logits.shape == (1, 1)


def test_a_checkpoint_folder_is_a_start_too(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path / "base")
    report = train_reward_model(str(tmp_path / "base"), tokenizer(), pairs(1, 2), recipe(), tmp_path / "out")
    assert report.pair_accuracy is None
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_pairs_too_long_for_the_model_are_left_out_and_counted(tmp_path: Path) -> None:
    long = Pair(PROBLEM, candidate(0, "7 " * 300), candidate(1, "3"))
    report = train_reward_model(llama(positions=128), tokenizer(), [*pairs(1, 2), long], recipe(), tmp_path)
    assert (report.pairs, report.left_out) == (4, 1)
    with pytest.raises(ConfigError, match="all 1 pairs are longer than 128 tokens"):
        train_reward_model(llama(positions=128), tokenizer(), [long], recipe(), tmp_path)
    with pytest.raises(ConfigError, match="optimisation.max_length = 256 and the model has 128 positions; lower it"):
        train_reward_model(llama(positions=128), tokenizer(), pairs(1), recipe(max_length=256), tmp_path)


def test_the_template_writes_the_only_bos() -> None:
    from tokenizers.processors import TemplateProcessing

    own = tokenizer()
    own.add_special_tokens({"bos_token": "<|bos|>"})
    own.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", own.bos_token_id)]
    )
    assert own("x")["input_ids"][0] == own.bos_token_id
    own.chat_template = "{{ bos_token }}" + own.chat_template
    (encoded,), _ = reward_model._fitting(pairs(1)[:1], own, None)
    assert encoded.chosen[0] == own.bos_token_id
    assert encoded.chosen.count(own.bos_token_id) == 1


def test_without_a_chat_template_no_conversation_can_be_written(tmp_path: Path) -> None:
    own = tokenizer()
    own.chat_template = None
    with pytest.raises(ConfigError, match="the tokenizer has no chat template"):
        train_reward_model(llama(), own, pairs(1), recipe(), tmp_path)


def test_padding_and_batches_do_not_change_scores_and_a_tie_counts_half() -> None:
    headed = with_score_head(llama()).eval()
    encoded, _ = reward_model._fitting(pairs(1, 12, 123), tokenizer(), None)
    rows = [ids for pair in encoded for ids in (pair.chosen, pair.rejected)]
    alone = reward_model._scores(headed, 0, rows, 1)
    assert reward_model._scores(headed, 0, rows, 4) == pytest.approx(alone, abs=1e-5)
    tie = encoded[0]._replace(rejected=encoded[0].chosen)
    found = reward_model._pair_accuracy(headed, tokenizer(), [tie], 2)
    assert found is not None
    assert found.mean == 0.5


def test_settings_are_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    assert load_recipe("reward-model-small", RewardModelRecipe).pairs_per_problem == 4
    with pytest.raises(ConfigError, match=r"optimisation.learning_rat: there is no such key; did you mean 'learning"):
        load_recipe("reward-model-small", RewardModelRecipe, ["optimisation.learning_rat=1"])
    with pytest.raises(ConfigError, match=r"batch \(10\) is not a multiple of per_device \(8\)"):
        load_recipe("reward-model-small", RewardModelRecipe, ["optimisation.batch=10"])


def test_the_command(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    candidates = write_candidates(tmp_path / "c.jsonl", [toy_set(n) for n in range(20)])
    arguments = ["reward-model", candidates, "--model", tmp_path / "base", "--out", tmp_path / "out"]
    changes = ["--set", "optimisation.steps=2", "--set", "optimisation.batch=8"]
    result = run_train(*arguments, *changes)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'out'}\n"
    assert "18 problems to learn from, 2 held out" in result.stderr
    assert "72 pairs learned from, 0 left out as too long" in result.stderr
    assert "held-out pairs ordered right: " in result.stderr
    low = float(result.stderr.partition("ordered right: ")[2].partition("(")[2].partition(" ")[0])
    assert ("this reward model may be no better than a coin" in result.stderr) is (low <= 50)
    again = run_train(*arguments)
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr == f"error: --out {tmp_path / 'out'}: it exists and is not an empty folder; give a new one\n"
    nowhere = run_train("reward-model", candidates, "--model", "./nowhere", "--out", tmp_path / "other")
    assert nowhere.exit_code == 2
    assert nowhere.stderr == (  # and nothing was read or graded before
        "error: --model ./nowhere is no folder; give a folder with a model or a hub id like 'org/name'\n"
    )


@pytest.mark.parametrize(("low", "told"), [(0.4, True), (0.5, True), (0.51, False)])
def test_a_coin_is_told(low: float, told: bool) -> None:
    assert bool(coin(Estimate(0.6, low, 0.8, 10, 40), "it", "do other things")) is told
