from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interop_rows import detail, generation, lines, review

import tts
from tts.interop import FORMATS, detect


def read(path: Path | str, **parameters: Any) -> list[tts.Sampled]:
    extract = tts.plugins().resolve("extractor", "auto")
    return list(tts.read_candidate_sets(path, extract=extract, **parameters))


def answers(found: tts.Sampled) -> list[str | None]:
    return [candidate.answer for candidate in found.candidates]


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    first = [generation("2+2?", "4", "It is 4", id="a"), generation("3*3?", "9", "It is 6", id="b")]
    second = [
        generation("2+2?", "4", "It is 5", id="a"),
        generation("3*3?", "9", "It is 9", id="b", reasoning_content="three threes"),
    ]
    lines(tmp_path / "output-rs10.jsonl", second)
    lines(tmp_path / "output-rs2.jsonl", first)
    return tmp_path


def test_nemo_skills_seeds_are_candidates_in_order_of_the_seed(seeds: Path) -> None:
    one, two = read(seeds)
    assert [answers(one), answers(two)] == [["4", "5"], ["6", "9"]]
    assert (one.answer, two.answer) == ("4", "9")
    assert one.candidates.problem.metadata["recorded"]["correct"] == [True, False]
    assert [candidate.thinking for candidate in two.candidates] == [None, "three threes"]
    assert one.candidates[0].usage.answer_tokens == 3


def test_nemo_skills_one_file_stands_for_all_beside_it(seeds: Path) -> None:
    assert len(read(seeds / "output-rs2.jsonl")[0].candidates) == 2


def test_nemo_skills_files_of_two_runs_are_not_joined(seeds: Path) -> None:
    lines(seeds / "output-rs11.jsonl", [generation("2+2?", "4", "It is 4"), generation("5-1?", "4", "It is 4")])
    with pytest.raises(tts.TaskError, match=r"output-rs11.jsonl, line 2: another problem than line 2 of output-rs2"):
        read(seeds)


def test_nemo_skills_unfinished_files_are_named(seeds: Path) -> None:
    lines(seeds / "output-rs11.jsonl", [generation("2+2?", "4", "It is 4")])
    with pytest.raises(tts.TaskError, match=r"output-rs11.jsonl ends before line 2"):
        read(seeds)


def test_evalscope_samples_of_a_group_are_joined_wherever_they_stand(tmp_path: Path) -> None:
    parts = [{"type": "reasoning", "reasoning": "add"}, {"type": "text", "text": "It is 4."}]
    path = lines(
        tmp_path / "reviews" / "my-model" / "sums_main.jsonl",
        [
            review(2, 1, "3*3?", "9", "It is 9.", 1.0),
            review(0, 0, "2+2?", "4", parts, 1.0),
            review(3, 1, "3*3?", "9", "It is 6.", 0.0),
            review(1, 0, "2+2?", "4", "It is 5.", 0.0),
        ],
    )
    nine, four = read(path)
    assert [answers(nine), answers(four)] == [["9", "6"], ["4", "5"]]
    assert four.candidates[0].thinking == "add"
    assert four.candidates.policy == "my-model"
    assert four.candidates.problem.metadata["request"][0] == {"role": "system", "content": "Be brief."}
    assert nine.candidates.problem.metadata["recorded"]["scores"] == [{"acc": 1.0}, {"acc": 0.0}]


def test_evalscope_input_of_older_releases(tmp_path: Path) -> None:
    row = review(0, 0, "2+2?", "4", "", 1.0)
    row |= {"input": "2+2?", "target": "4"}
    del row["messages"]
    row["sample_score"]["score"]["prediction"] = "It is 4."
    [found] = read(lines(tmp_path / "sums.jsonl", [row]))
    assert (answers(found), found.answer) == (["4"], "4")


def test_a_broken_line_is_named_or_skipped(tmp_path: Path) -> None:
    path = lines(tmp_path / "sums.jsonl", [review(0, 0, "2+2?", "4", "It is 4.", 1.0)])
    with path.open("a") as file:
        file.write('{"index": 1, "sample_\n')
        file.write(json.dumps({"index": 2, "sample_score": {"score": {}}, "target": ["1"]}) + "\n")
    with pytest.raises(tts.TaskError, match=r"sums.jsonl, line 2: not JSON"):
        read(path)
    assert len(read(path, on_error="skip")) == 1


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_lighteval_details(tmp_path: Path) -> None:
    path = parquet(tmp_path / "details_sums_2026.parquet", [detail("2+2?", "4", ["It is 4", "So it must be 5"])])
    [found] = read(path)
    assert (answers(found), found.answer, found.candidates.problem.id) == (["4", "5"], "4", "2+2")
    assert [candidate.usage.generated_tokens for candidate in found.candidates] == [3, 5]
    assert found.candidates.problem.metadata["lighteval"] == {"math_pass@1": 0.5}


def test_lighteval_log_likelihoods_have_no_responses(tmp_path: Path) -> None:
    path = parquet(tmp_path / "details.parquet", [detail("2+2?", "4", [], logprobs=[-0.5])])
    with pytest.raises(tts.TaskError, match=r"details.parquet, row 1: there are no responses"):
        read(path)


def test_lighteval_of_older_releases_without_responses_says_so(tmp_path: Path) -> None:
    path = parquet(tmp_path / "old.parquet", [{"full_prompt": "2+2?", "predictions": "[-0.5]", "gold": "['4']"}])
    with pytest.raises(tts.TaskError, match="no responses among the 'predictions' of this older lighteval"):
        read(path)


def test_an_unknown_format_lists_those_there_are(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", [{"problem": "1+1?"}])
    with pytest.raises(
        tts.ConfigError, match=r"format='helm' is unknown; known: evalscope, folder, inspect, lighteval"
    ):
        read(path, format="helm")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_file_that_is_not_there_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(tts.TaskError, match="there is no file"):
        read(tmp_path / "none.jsonl", format=name)


@pytest.mark.parametrize("text", ["What is 2+2?", "~nobody knows", "a" * 5000, "x\ny", "", "\0", "."])
def test_the_text_of_a_problem_is_no_file(text: str) -> None:
    assert detect(text) is None


def test_own_files_are_not_taken_for_those_of_others(tmp_path: Path) -> None:
    path = lines(tmp_path / "sets.jsonl", [{"problem": "1+1?", "answer": "2", "candidates": ["2"]}])
    assert detect(path) is None
    assert answers(read(path)[0]) == ["2"]
