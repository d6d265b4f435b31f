"""Files of tools that were written by hand from their documentation, and layouts that older releases wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interop_rows import generation, gym, lines, monkey, rollout

import tts
from tts.interop import detect

LM_EVAL = Path(__file__).parent / "data" / "own__scripted" / "samples_own_words.jsonl"


def read(path: Path | str, **parameters: Any) -> list[tts.Sampled]:
    extract = tts.plugins().resolve("extractor", "auto")
    return list(tts.read_candidate_sets(path, extract=extract, **parameters))


def answers(found: tts.Sampled) -> list[str | None]:
    return [candidate.answer for candidate in found.candidates]


def recorded(found: tts.Sampled, name: str) -> Any:
    return found.candidates.problem.metadata["recorded"][name]


def test_lm_eval_filters_without_a_name_are_one_document(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in LM_EVAL.read_text().splitlines()]
    for row in rows:
        del row["filter"]
    pens, cards = read(lines(tmp_path / "model" / "samples_words.jsonl", rows))
    assert [answers(pens), answers(cards)] == [["84", "19", "84"], ["32", "68", "32"]]


def test_lm_eval_documents_with_other_responses_are_not_taken_for_filters(tmp_path: Path) -> None:
    row = json.loads(LM_EVAL.read_text().splitlines()[0])
    del row["filter"]
    other = row | {"resps": [["It is 7"]]}
    with pytest.raises(tts.TaskError, match="line 2: the id .* is already that of line 1"):
        read(lines(tmp_path / "samples.jsonl", [row, other]))


def test_nemo_skills_results_without_problems_are_joined(tmp_path: Path) -> None:
    rows = [generation("", "4", "It is 4"), generation("", "9", "It is 6")]
    for row in rows:
        del row["problem"]
    path = lines(tmp_path / "output-rs0.jsonl", rows)
    with pytest.raises(tts.TaskError, match="no column 'problem'"):
        read(path)
    problems = [{"problem": "2+2?", "answer": "4"}, {"problem": "3*3?", "answer": "9"}]
    four, nine = read(path, problems=problems)
    assert [one.candidates.problem.text for one in (four, nine)] == ["2+2?", "3*3?"]
    assert [answers(four), answers(nine), nine.answer] == [["4"], ["6"], "9"]
    with pytest.raises(tts.TaskError, match="there is no problem for it: those to join are 1"):
        read(path, problems=problems[:1])


def test_problems_are_joined_by_id_wherever_they_stand(tmp_path: Path) -> None:
    rows = [{"id": "b", "candidates": ["It is 9"]}, {"id": "a", "candidates": ["It is 5"]}]
    problems = [{"id": "a", "problem": "2+2?", "answer": "4"}, {"id": "b", "problem": "3*3?", "answer": "9"}]
    nine, four = read(lines(tmp_path / "a.jsonl", rows), problems=problems)
    assert [(nine.candidates.problem.text, nine.answer), (four.candidates.problem.text, four.answer)] == [
        ("3*3?", "9"),
        ("2+2?", "4"),
    ]


@pytest.mark.parametrize("name", ["results.jsonl", "results.json"])
def test_verifiers_rollouts_of_an_example_are_candidates(tmp_path: Path, name: str) -> None:
    rows = [
        rollout(7, "2+2?", "4", "It is 4"),
        rollout(8, "3*3?", "9", "It is 6"),
        rollout(7, "2+2?", "4", "It is 5"),
        rollout(8, "3*3?", "9", "It is 9"),
    ]
    path = lines(tmp_path / name, rows)
    if name.endswith(".json"):
        path.write_text(json.dumps(rows))
    (tmp_path / "metadata.json").write_text(json.dumps({"model": "m", "sampling_args": {"temperature": 0.7}}))
    assert detect(path) == "verifiers"
    four, nine = read(path)
    assert [answers(four), answers(nine)] == [["4", "5"], ["6", "9"]]
    assert (four.candidates.problem.id, four.candidates.problem.text, four.answer) == ("7", "2+2?", "4")
    assert (four.candidates.policy, four.candidates.sampling and four.candidates.sampling.temperature) == ("m", 0.7)
    assert recorded(nine, "reward") == [0.0, 1.0]


def test_one_rollout_for_each_example_is_enough(tmp_path: Path) -> None:
    assert len(read(lines(tmp_path / "results.jsonl", [rollout(0, "2+2?", "4", "It is 4")]))) == 1


def test_verl_takes_the_user_s_turn_of_the_decoded_chat(tmp_path: Path) -> None:
    chat = "system\nBe brief.\nuser\nWhat is\n2+2?\nassistant\n"
    rows = [
        {"input": chat, "output": "It is 4", "gts": "4", "score": 1.0, "step": 3},
        {"input": chat, "output": "It is 5", "gts": "4", "score": 0.0, "step": 3},
        {"input": "3*3?", "output": "It is 9", "gts": "9", "score": 1.0, "step": 3},
    ]
    path = lines(tmp_path / "3.jsonl", rows)
    assert detect(path) == "verl"
    four, nine = read(path)
    assert [one.candidates.problem.text for one in (four, nine)] == ["What is\n2+2?", "3*3?"]
    assert (answers(four), four.answer, recorded(four, "score")) == (["4", "5"], "4", [1.0, 0.0])
    named = read(path, columns={"problem": "input", "candidates": "output"})
    assert named[0].candidates.problem.text == chat


def test_opencompass_predictions_in_lists_or_one_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    turns = [{"role": "HUMAN", "prompt": "1+1?"}, {"role": "BOT", "prompt": "2"}, {"role": "HUMAN", "prompt": "2+2?"}]
    single = {str(i): {"origin_prompt": turns, "prediction": f"It is {4 + i}", "gold": "4"} for i in range(2)}
    (folder / "sums.json").write_text(json.dumps(single))
    together = {"0": {"origin_prompt": "2+2?", "prediction": ["It is 4", "It is 5"], "gold": ["4"]}}
    (folder / "lists.json").write_text(json.dumps(together))
    for name in ("sums.json", "lists.json"):
        assert detect(folder / name) == "opencompass"
        [found] = read(folder / name)
        assert (found.candidates.problem.text, answers(found), found.answer) == ("2+2?", ["4", "5"], "4")
        assert found.candidates.policy == "my-model"


def test_reasoning_gym_results_of_a_model_or_of_one_data_set(tmp_path: Path) -> None:
    results = [gym("2+2?", "4", ["It is 4", "It is 5"]), gym("3*3?", "9", ["It is 6", "It is 9"])]
    one = {"name": "basic_arithmetic", "category": "arithmetic", "results": results}
    (tmp_path / "basic_arithmetic.json").write_text(json.dumps(one))
    whole = {"model": "m", "categories": [{"name": "arithmetic", "datasets": [one]}]}
    (tmp_path / "results.json").write_text(json.dumps(whole))
    for name in ("basic_arithmetic.json", "results.json"):
        assert detect(tmp_path / name) == "reasoning-gym"
        four, nine = read(tmp_path / name)
        assert [answers(four), answers(nine)] == [["4", "5"], ["6", "9"]]
        assert recorded(nine, "score") == [0.0, 1.0]
        assert nine.candidates.problem.metadata["dataset"] == "basic_arithmetic"
    assert four.candidates.policy == "m"


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_a_folder_with_a_file_for_each_problem(tmp_path: Path, ending: str) -> None:
    yaml = pytest.importorskip("yaml") if ending == "yaml" else json
    dump = yaml.safe_dump if ending == "yaml" else json.dumps
    for number, row in [(10, monkey("3*3?", "9", ["It is 6", "It is 9"])), (2, monkey("2+2?", "4", ["It is 4"]))]:
        (tmp_path / f"{number}.{ending}").write_text(dump(row))
    assert detect(tmp_path) == "folder"
    four, nine = read(tmp_path)
    assert [(one.candidates.problem.id, one.candidates.problem.text) for one in (four, nine)] == [
        ("2", "2+2?"),
        ("10", "3*3?"),
    ]
    assert [answers(four), answers(nine), nine.answer] == [["4"], ["6", "9"], "9"]
    assert nine.candidates.problem.metadata["request"][0]["content"].startswith("Few-shot")


def test_a_broken_file_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.json").write_text(json.dumps(monkey("2+2?", "4", ["It is 4"])))
    (tmp_path / "1.json").write_text('{"samples": [')
    with pytest.raises(tts.TaskError, match=r"1\.json cannot be read"):
        read(tmp_path)
    assert len(read(tmp_path, on_error="skip")) == 1


def test_yaml_without_its_library_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "0.yaml").write_text("samples: []\n")
    with pytest.raises(tts.MissingDependencyError, match="pip install pyyaml"):
        read(tmp_path)


def test_a_folder_of_other_files_is_none() -> None:
    assert detect(Path(__file__).parent) is None


@pytest.mark.parametrize("dump", [str, json.dumps, list])
def test_lighteval_of_older_releases(tmp_path: Path, dump: Any) -> None:
    row = {"full_prompt": "2+2?", "predictions": dump(["It is 4", "It is 5"]), "gold": dump(["4"])}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "old.parquet")
    [found] = read(tmp_path / "old.parquet")
    assert (answers(found), found.answer) == (["4", "5"], "4")
