from __future__ import annotations

import datetime as dt
import io
import json
import logging
import sys
import types
from itertools import count, islice
from pathlib import Path

import pytest

import tts
from tts.sources.reading import read_examples
from tts.sources.reference import parse_reference


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def sentence(source: object, **options: object) -> str:
    with pytest.raises(tts.TTSError) as caught:
        list(read_examples(source, **options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Two(tts.Task):
    name = "two"
    number: int = 2

    def examples(self) -> list[tts.Example]:
        return [
            tts.Example(problem=tts.Problem(id=str(i), prompt=f"{i}+{i}?"), answer=str(2 * i))
            for i in range(self.number)
        ]


# -- sources -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "1+1?",
        ["1+1?"],
        ({"question": q} for q in ["1+1?"]),
        tts.Problem(id="p000001", prompt="1+1?"),
        tts.Example(problem=tts.Problem(id="p000001", prompt="1+1?")),
        [tts.Problem(id="p000001", prompt="1+1?")],
        {"prompt": "1+1?"},
    ],
)
def test_one_problem_in_many_shapes(source: object) -> None:
    assert list(read_examples(source)) == [tts.Example(problem=tts.Problem(id="p000001", prompt="1+1?"))]  # type: ignore[arg-type]


def test_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.sources.opening.task", lambda name, **options: Two(**options))
    assert len(list(read_examples(Two()))) == 2
    assert [e.answer for e in read_examples("task:two@number=3")] == ["0", "2", "4"]
    assert len(list(read_examples())) == 2  # no source: the built-in task


def test_the_name_of_a_task_is_not_a_problem() -> None:
    assert "write 'task:sums'" in sentence("sums")


def test_an_iterable_is_read_only_as_far_as_asked() -> None:
    numbers = count()
    texts = (f"{i}+1?" for i in numbers)
    assert [e.problem.text for e in islice(read_examples(texts), 3)] == ["0+1?", "1+1?", "2+1?"]
    assert next(numbers) == 3
    assert len(list(read_examples((f"{i}?" for i in count()), limit=5))) == 5
    assert list(read_examples(["a"], limit=0)) == []


def test_a_file_is_read_lazily(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text('{"problem": "a"}\n' * 1000 + "broken")
    assert len(list(read_examples(path, limit=1000))) == 1000
    assert "line 1001: not JSON" in sentence(path)


@pytest.mark.parametrize("name", ["p.jsonl", "p.json", "p.csv", "p.tsv", "p.parquet"])
def test_every_format_reads_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = [
        {"id": "a", "question": 'say "x,y"\nor\tz', "answer": "é\u2028"},
        {"id": "b", "question": "2?", "answer": None},
    ]
    if name.endswith(("csv", "tsv")):
        import csv

        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["id", "question", "answer"], delimiter="\t" if name == "p.tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    elif name == "p.parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name == "p.json":
        path.write_text(json.dumps(rows))
    else:
        write(path, *rows)
    for source in (path, str(path)):
        first, second = read_examples(source)
        assert (first.problem.id, first.problem.prompt, first.answer) == ("a", 'say "x,y"\nor\tz', "é")
        assert second.answer is None


def test_json_lines_under_a_json_name(tmp_path: Path) -> None:
    assert len(list(read_examples(write(tmp_path / "p.json", {"problem": "a"}, {"problem": "b"})))) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"What is 1+1?\n\n{1,2} is a set. How big?\n", ["What is 1+1?", "{1,2} is a set. How big?"]),
        (b"{1,2} is a set. How big?", ["{1,2} is a set. How big?"]),
        (b'\xef\xbb\xbf{"problem": "a"}\n{"problem": "b"}', ["a", "b"]),
        (b"17\n", ["17"]),
    ],
)
def test_standard_input(monkeypatch: pytest.MonkeyPatch, text: bytes, expected: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert [e.problem.text for e in read_examples("-")] == expected


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n \n")))
    assert "standard input is empty" in sentence("-")


def test_a_frame_is_its_rows() -> None:
    import pandas as pd

    frame = pd.DataFrame({"problem": [f"{i}?" for i in range(1500)], "answer": [142.0, None] * 750})
    examples = list(read_examples(frame))
    assert len(examples) == 1500
    assert [e.answer for e in examples[:2]] == ["142", None]
    assert examples[-1].problem.text == "1499?"
    assert list(read_examples(frame.iloc[:0])) == []


class Hub(types.ModuleType):
    def get_dataset_split_names(self, name: str, config: str | None, revision: str | None) -> list[str]:
        if name == "no/where":
            raise ConnectionError("cannot\nreach")
        return ["train", "test"] if name == "two/splits" else ["test"]

    def load_dataset(self, name: str, config: str | None, **options: object) -> list[dict[str, object]]:
        assert options["streaming"] is True
        return [{"question": f"{name} {config} {options['split']} {options['revision']}", "answer": 4.0}]


def test_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", Hub("datasets"))
    [example] = read_examples("hub:org/set@config=main,revision=abc")
    assert (example.problem.text, example.answer) == ("org/set main test abc", "4")
    assert "has the splits train, test; choose one, e.g. 'hub:two/splits@split=test'" in sentence("hub:two/splits")
    assert "hub:no/where cannot be read: ConnectionError: cannot reach" in sentence("hub:no/where")
    assert "did you mean 'split'" in sentence("hub:a/b@splt=x")


@pytest.mark.parametrize("module", ["datasets", "pyarrow"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "p.parquet").write_bytes(b"")
    with pytest.raises(tts.MissingDependencyError, match=r"pip install 'ttscale\[(hub|data)\]'"):
        list(read_examples("hub:a/b" if module == "datasets" else tmp_path / "p.parquet"))


def test_sources_that_are_none() -> None:
    assert "a value of type bytes is not a source" in sentence(b"1+1?")
    assert "a value of type int is not a source" in sentence(7)
    assert "problem 1: a value of type int is not a problem" in sentence([7])
    assert "empty" in sentence("  ")
    assert "empty" in sentence("")
    assert "problem 2: problem 'p000002' is empty" in sentence(["a", " "])


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "problems.jsonl", {"problem": "a"})
    assert "did you mean 'problems.jsonl'?" in sentence(str(tmp_path / "problem.jsonl"))
    assert "there is no folder" in sentence(str(tmp_path / "nowhere" / "problem.jsonl"))
    (tmp_path / "notes.txt").write_text("1+1?")
    assert "a .txt file is not readable; readable: .jsonl, .json" in sentence(str(tmp_path / "notes.txt"))
    (tmp_path / "d.json").mkdir()
    assert "is a folder" in sentence(tmp_path / "d.json")
    assert "is a folder" in sentence(str(tmp_path))
    (tmp_path / "empty.csv").write_text("problem,answer\n")
    assert "has no rows" in sentence(tmp_path / "empty.csv")


# -- columns -----------------------------------------------------------------------------------------------------------


def one(row: dict[str, object], **options: object) -> tts.Example:
    [example] = read_examples([row], **options)  # type: ignore[arg-type]
    return example


def test_columns_by_mapping() -> None:
    row = {"n": 7, "quiz": "1+1?", "solution": "long", "final": 2, "level": 3}
    example = one(row, columns={"id": "n", "problem": "quiz", "answer": "final"})
    assert example == tts.Example(problem=tts.Problem(id="7", prompt="1+1?", metadata={"level": 3}), answer="2")
    assert "no column 'quizz'; did you mean 'quiz'?" in sentence([row], columns={"problem": "quizz"})
    assert "columns cannot map 'question'" in sentence([row], columns={"question": "quiz"})
    assert "it has 'n', 'quiz'" in sentence([row])


def test_two_columns_that_could_be_one() -> None:
    assert "'gold' and 'target' could both be the answer" in sentence([{"problem": "a", "gold": "1", "target": "2"}])
    assert one({"Problem": "a", "question": "b"}).problem.text == "a"


def test_gold_answers_do_not_become_metadata() -> None:
    example = one({"problem": "a", "answer": "1", "solution": "so it is 1", "year": 2024})
    assert example.problem.metadata == {"year": 2024}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (142.0, "142"),
        (0.5, "0.5"),
        (-3, "-3"),
        (float("nan"), None),
        ("", None),
        ("  ", None),
        (None, None),
        (True, "True"),
        (["2"], "2"),
        ([1, 2.0], "1, 2"),
        (10**20, "1" + "0" * 20),
        ("She has 3*4=12.\n#### 1,200", "1,200"),
        ("142.0", "142.0"),
    ],
)
def test_gold_answers_become_text(answer: object, text: str | None) -> None:
    assert one({"problem": "a", "answer": answer}).answer == text


def test_an_answer_that_is_an_object_is_its_json() -> None:
    assert one({"problem": "a", "answer": {"b": 2, "a": [1]}}).answer == '{"a": [1], "b": 2}'


def test_an_answer_that_is_none() -> None:
    assert "the answer is of type bytes" in sentence([{"problem": "a", "answer": b"1"}])


def test_messages() -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}]
    for row in ({"messages": chat}, {"prompt": chat}, {"messages": json.dumps(chat)}):
        assert [m.content for m in one(row).problem.messages or ()] == ["Be brief.", "1+1?"]
    answered = [*chat, {"role": "assistant", "content": "2"}]
    assert "nothing is asked" in sentence([{"messages": answered}])
    assert "messages.0.role Input should be" in sentence([{"messages": [{"role": "robot", "content": "a"}]}])
    assert "messages are a list" in sentence([{"messages": "1+1?"}])
    assert "a problem is text or a list of messages" in sentence([{"problem": 12}])


def test_metadata_can_always_be_stored() -> None:
    row = {"problem": "a", "day": dt.date(2025, 1, 1), "raw": b"\xff", "thing": object(), "x": float("nan")}
    assert json.dumps(one(row).problem.metadata, allow_nan=False)


# -- broken rows -------------------------------------------------------------------------------------------------------


def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.jsonl"
    lines = [
        b'{"problem": "a"}',
        b"",
        b"{oops",
        b'{"problem": ""}',
        b'{"problem": "\xff"}',
        b"[1]",
        b'{"problem": "b"}',
    ]
    path.write_bytes(b"\n".join(lines))
    return path


def test_a_broken_line_is_one_sentence(tmp_path: Path) -> None:
    assert "broken.jsonl, line 3: not JSON: Expecting property name" in sentence(broken(tmp_path))


def test_what_is_wrong_with_the_first_line_is_known_at_once(tmp_path: Path) -> None:
    with pytest.raises(tts.TaskError, match="line 1: no column"):
        read_examples(write(tmp_path / "p.jsonl", {"quiz": "a"}))


def test_broken_lines_are_skipped_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tts"):
        examples = list(read_examples(broken(tmp_path), on_error="skip"))
    assert [(e.problem.id, e.problem.text) for e in examples] == [("p000001", "a"), ("p000006", "b")]
    [record] = caplog.records
    assert record.getMessage().startswith("2 rows read, 4 skipped (line 3, 4, 5, 6); the first: ")


def test_nothing_but_broken_lines_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", {"quiz": 1}, {"quiz": 2})
    assert sentence(path, on_error="skip").startswith("none of 2 rows could be read; the first: ")
    assert "neither" in sentence(path, on_error="ignore")
    assert "negative" in sentence(path, limit=-1)


def test_ids_must_differ(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "p.jsonl", {"id": 1, "problem": "a"}, {"problem": "b"}, {"id": "1", "problem": "c"})
    assert "line 3: the id '1' is already that of line 1" in sentence(path)
    assert len(list(read_examples(path, on_error="skip"))) == 2


@pytest.mark.parametrize("name", ["p.jsonl", "p.json"])
def test_half_a_surrogate_pair_is_no_character(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"problem": "a \\ud83d b \\ud83d\\ude00", "tags": [{"x": "\\uDE00"}]}')
    [example] = read_examples(tmp_path / name)
    assert example.problem.text == "a \ufffd b 😀"
    assert example.problem.metadata == {"tags": [{"x": "\ufffd"}]}


def test_broken_tables(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("problem,answer\na,1\nb,2,3\n")
    assert "line 3: 3 cells under 2 columns" in sentence(path)
    path.write_text("problem,problem\na,1\n")
    assert "two columns are called 'problem'" in sentence(path)
    path.write_text('problem,answer\n"a"b,1\n')
    assert "line 2: " in sentence(path)
    path.write_bytes(b"problem,answer\ncaf\xe9,1\n")
    assert "line 2: byte 0xe9 is not UTF-8" in sentence(path)
    path.write_text("problem,answer\n" + "x" * 200_000 + ",1\n")
    assert len(next(read_examples(path)).problem.text) == 200_000
    (tmp_path / "p.parquet").write_bytes(b"PAR1nonsense")
    assert "not readable as Parquet" in sentence(tmp_path / "p.parquet")
    (tmp_path / "p.json").write_text('[{"problem": "a"},\n {]')
    assert "p.json, line 2" in sentence(tmp_path / "p.json")
    (tmp_path / "q.jsonl").write_text("[" * 100_000)
    assert "not readable as JSON" in sentence(tmp_path / "q.jsonl")


# -- references --------------------------------------------------------------------------------------------------------


def test_references() -> None:
    assert parse_reference("a/b@x=1,y=c=d") == ("a/b", {"x": "1", "y": "c=d"})
    with pytest.raises(tts.ConfigError, match="write a@option=value"):
        parse_reference("a@b")
