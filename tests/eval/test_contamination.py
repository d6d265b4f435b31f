"""Signs that problems were seen: n-grams in a corpus, the order of a file."""

from __future__ import annotations

import gzip
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import tts
from tts.cli import main
from tts.eval.corpus import Document, corpus_files, documents, words_of
from tts.eval.order_test import canonical_order
from tts.eval.overlap import LEAST, _Index

LONG = "A train leaves the station at noon and goes at sixty miles in each hour; how far is it at three o'clock?"


def example(text: str, answer: str | None = None, id_: str = "p") -> tts.Example:
    return tts.Example(problem=tts.Problem(id=id_, prompt=text), answer=answer)


def by_hand(problem: list[str], corpus: list[str], n: int) -> tuple[int, int]:
    size = min(n, len(problem))
    grams = [tuple(problem[i : i + size]) for i in range(len(problem) - size + 1)] if len(problem) >= LEAST else []
    there = {tuple(corpus[i : i + size]) for i in range(len(corpus) - size + 1)}
    return sum(gram in there for gram in grams), len(grams)


@given(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=20),
    st.lists(st.sampled_from("ab"), max_size=200),
    st.integers(8, 13),
)
@settings(max_examples=150, deadline=None)
def test_an_overlap_is_what_a_count_of_all_n_grams_says(problem: list[str], corpus: list[str], n: int) -> None:
    index = _Index([example(" ".join(problem)), example(" ".join(corpus) or "x")], n)
    index.read(Document("here", iter(corpus)))
    found = index.overlaps()
    assert (found[0].covered, found[0].of) == by_hand(problem, corpus, n)
    assert found[1].covered == found[1].of, "the corpus is all in itself"


def test_a_corpus_is_text_and_rows_and_what_is_packed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"before.\n{LONG.upper()}\nAnswer: it is at 180 miles.\n")
    row = {"deep": {"messages": [{"content": LONG}]}, "number": 3}
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.jsonl").write_text("\n" + json.dumps(row) + "\nno json at all\n")
    with gzip.open(tmp_path / "c.txt.gz", "wt") as file:
        file.write("one two")
    (tmp_path / "d.bin").write_bytes(b"\0")
    files = corpus_files(tmp_path)
    assert [path.name for path in files] == ["a.txt", "c.txt.gz", "b.jsonl"]
    assert [one.where for one in documents(files)] == ["a.txt", "c.txt.gz", "b.jsonl:2", "b.jsonl:3"]
    found = tts.eval.ngram_overlap(
        [
            example(LONG, "180"),
            example(LONG, "18", "q"),
            example("short", "1", "s"),
            example(f"no {LONG} no", "7", "r"),
        ],
        tmp_path,
    )
    assert [(one.level, one.answer, one.where) for one in found.problems] == [
        ("most", True, "a.txt"),
        ("most", False, "a.txt"),
        ("too short", False, ""),
        ("most", False, "a.txt"),
    ]
    assert found.share("most").mean == 1.0
    assert "too short to tell, fewer than 8 words, in no number here: 1 problem" in str(found)
    assert (found.files, found.texts) == (3, 4)


def test_an_answer_in_the_problem_itself_is_no_answer_behind_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{LONG} Nobody knows.")
    assert not tts.eval.ngram_overlap([example(LONG, "sixty")], tmp_path / "a.txt").problems[0].answer


def test_words_are_whole_where_a_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.eval.corpus._CHUNK", 7)
    text = "Extraordinarily, many words; some_of them long: \u00e9t\u00e9 42!"
    (tmp_path / "a.txt").write_text(text)
    assert [list(one.words) for one in documents([tmp_path / "a.txt"])] == [words_of(text)]


def test_what_cannot_be_read_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match="there is no corpus"):
        tts.eval.ngram_overlap([example(LONG)], tmp_path / "none")
    with pytest.raises(tts.ConfigError, match="has no file that is read"):
        tts.eval.ngram_overlap([example(LONG)], tmp_path)
    with pytest.raises(tts.ConfigError, match="n=3: runs of fewer than 8 words"):
        tts.eval.ngram_overlap([example(LONG)], tmp_path, n=3)
    with pytest.raises(tts.ConfigError, match="an order is of two or more"):
        canonical_order([example(LONG)], "likes:nothing")


class Remembers:
    """A scorer that likes texts in which each line follows the one that it knows; of 2,000 characters at most."""

    Options = tts.NoOptions
    fingerprint = "remembers"
    knows: tuple[str, ...] = ()

    def __init__(self, model: str, options: Any) -> None:
        self.model = model

    async def score(self, problem: tts.Problem, responses: list[tts.Candidate]) -> list[tts.Score]:
        def liking(text: str) -> float:
            rank = {line: place for place, line in enumerate(self.knows)}
            lines = [rank.get(line, 0) for line in text.split("\n\n")]
            return sum(b == a + 1 for a, b in pairwise(lines)) + len(text) % 7 / 100

        usage = [tts.Usage(calls=1, prompt_tokens=min(len(one.text), 2000)) for one in responses]
        return [tts.Score(value=liking(one.text), usage=used) for one, used in zip(responses, usage, strict=True)]

    async def aclose(self) -> None:
        pass


@pytest.fixture
def remembers() -> type[Remembers]:
    fresh = type("Fresh", (Remembers,), {})
    tts.plugins().register("scorer", "remembers", fresh)
    return fresh


def test_an_order_that_a_model_knows_is_found_and_any_other_is_not(remembers: type[Remembers]) -> None:
    texts = [f"problem {i}" for i in range(40)]
    remembers.knows = tuple(texts)
    found = canonical_order([example(one) for one in texts], "remembers:m", shuffles=39)
    assert (found.p, found.shards, found.cut) == (1 / 40, 4, False)
    assert found.likelier > 5
    assert "seen in this order" in str(found)
    random.Random(1).shuffle(texts)
    other = canonical_order([example(one) for one in texts], "remembers:m", shuffles=39)
    assert other.p > 0.05
    assert "cannot tell" in str(other)
    long = canonical_order([example(one * 100) for one in texts], "remembers:m", shuffles=2)
    assert "were cut" in str(long)


def test_p_is_even_where_the_order_means_nothing(remembers: type[Remembers]) -> None:
    rng = random.Random(2)
    remembers.knows = tuple(f"problem {i}" for i in range(12))
    values = []
    for _ in range(60):
        texts = rng.sample(remembers.knows, 12)
        values.append(canonical_order([example(one) for one in texts], "remembers:m", shuffles=9, shard=4).p)
    assert sum(one <= 0.1 for one in values) <= 14, "a tenth, as far as 60 tell"


def test_the_command_says_both_and_writes_a_column_for_strata(tmp_path: Path, remembers: type[Remembers]) -> None:
    rows = [{"problem": LONG, "answer": "180"}, {"problem": f"Otherwise: {LONG[::-1]} and so on", "answer": "1"}]
    problems, corpus, out = tmp_path / "p.jsonl", tmp_path / "c.txt", tmp_path / "o.jsonl"
    problems.write_text("\n".join(map(json.dumps, rows)))
    corpus.write_text(f"{LONG} 180")
    args = ["contamination", str(problems), "--corpus", str(corpus), "-o", str(out), "--scorer", "remembers:m"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.output
    assert "50.0" in done.output
    assert "Canonical order" in done.output
    assert [json.loads(line)["contamination"] for line in out.read_text().splitlines()] == ["most", "none"]
    told = json.loads(CliRunner().invoke(main, [*args, "--json"]).stdout)
    assert told["overlap"]["problems"][0]["answer"] is True
    assert set(told["canonical_order"]) >= {"p", "likelier", "cut"}
    assert CliRunner().invoke(main, ["contamination", str(problems)]).exit_code == 2
