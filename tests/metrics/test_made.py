"""A comparison says where it came from: models by name, source, sampling, day; a report has it at its top."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import tts
from tts.metrics.made import told_sampling
from tts.vocabulary.records import shown_model


def reply(prompt: str) -> str:
    return r"\boxed{4}"


def same(gold: str, answer: str) -> bool:
    return gold == answer


def test_a_run_knows_its_source_sampling_day_and_model(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"problem": "What is 2+2?", "answer": "4"}) + "\n")
    done = tts.run(file, strategy="first", k=1, model=reply, grader=same, sampling=tts.Sampling(temperature=1, top_k=5))
    assert done.made.source == "mine.jsonl"
    assert done.made.sampling == "temperature 1.0, top_p 0.95, top_k 5"
    assert done.made.date == dt.datetime.now().astimezone().date().isoformat()
    assert done.results[0].provenance.model().startswith("reply (")
    page = done.report(tmp_path / "page.md").read_text()
    assert "policy reply (" in page
    assert r"mine.jsonl · temperature 1.0, top\_p 0.95, top\_k 5 · 2" in page


def test_candidates_that_were_given_have_no_sampling_of_ours() -> None:
    problem = tts.Problem(id="a", prompt="What is 2+2?")
    found = tts.CandidateSet(problem=problem, candidates=(tts.Candidate(index=0, text="4", summary="4", answer="4"),))
    done = tts.compare([tts.Sampled(found, "4")], strategies=["first"], k=1, grader=same)
    assert done.made.sampling == ""


def test_a_sampling_is_told_by_what_is_no_default() -> None:
    assert told_sampling(tts.Sampling()) == "temperature 0.6, top_p 0.95"
    assert told_sampling(tts.Sampling(max_tokens=9, seed=2)) == "temperature 0.6, top_p 0.95, max_tokens 9, seed 2"


def test_a_model_is_shown_by_its_name_and_the_beginning_of_its_fingerprint() -> None:
    assert shown_model("hf:m", "0123456789abcdef") == "hf:m (01234567)"
    assert shown_model("fake:7", "fake:7") == "fake:7"
    assert shown_model("", "0123456789abcdef") == "0123456789abcdef"


def test_what_a_model_was_called_is_no_part_of_where_its_results_are_kept(tmp_path: Path) -> None:
    class Named:
        fingerprint = "one"
        capabilities = tts.Capabilities()

        def __init__(self, name: str) -> None:
            self.name = name

        async def generate(self, request: tts.Request):  # type: ignore[no-untyped-def]
            for index in range(request.n):
                yield tts.Completion(index=index, text="4", summary="4")

        async def count_tokens(self, texts: list[str]) -> list[int]:
            return [1 for _ in texts]

        async def aclose(self) -> None: ...

    for name in ("first name", "second name"):
        tts.run("What is 2+2?", strategy="first", k=1, model=Named(name), store=tmp_path / "s.db")  # type: ignore[arg-type]  # without Options
    with tts.Store(tmp_path / "s.db", read_only=True) as store:
        assert store.counts()["results"] == 1
