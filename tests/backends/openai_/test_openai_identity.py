"""Which model a stored sample is of: what is part of a fingerprint, how samples of another are adopted."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

import tts
from tts.testing import Asked, Reply, Service, plain_reply
from tts_backends.openai import OpenAIBackend
from tts_backends.openai.card import Card, last_part

PROBLEMS = [tts.Example(problem=tts.Problem(id=f"p{i}", prompt=f"What is {i} and {i}?")) for i in range(5)]


def listing(card: dict[str, Any], status: int = 200) -> Any:
    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/models"):
            return Reply((json.dumps({"data": [{"id": "m", **card}]}).encode(),), status)
        return plain_reply(asked)

    return answer


def sample(store: Path, card: dict[str, Any], k: int = 4, **options: Any) -> tuple[int, list[str]]:
    """How many completions were asked for, and what was said of those in the store."""
    asked: list[tts.Event] = []
    with Service(listing(card)) as service, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base, **options))
        tts.sample(PROBLEMS, k=k, model=backend, store=store, listeners=[asked.append])
    told = [str(one.message) for one in caught if str(one.message).startswith("the store has")]
    return sum(one.kind == "candidate" and not one.stored for one in asked), told


@pytest.mark.parametrize(
    ("written", "last"),
    [
        ("/srv/models/Qwen3-8B", "Qwen3-8B"),
        ("/srv/models/Qwen3-8B/", "Qwen3-8B"),
        ("~/models/q.gguf", "q.gguf"),
        ("./q.gguf", "q.gguf"),
        ("../../q", "q"),
        ("C:\\models\\q.gguf", "q.gguf"),
        ("\\\\host\\share\\q.gguf", "q.gguf"),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("gpt-4o", "gpt-4o"),
        ("/", "/"),
        ("", ""),
        (None, None),
        (4096, 4096),
    ],
)
def test_where_a_model_lies_is_no_part_of_what_it_is(written: Any, last: Any) -> None:
    assert last_part(written) == last


def test_how_a_server_was_started_is_no_part_of_the_model() -> None:
    def identity(root: str, **meta: Any) -> str:
        return Card({"root": root, "meta": {"n_params": 7, **meta}}).identity

    assert identity("/a/q", n_ctx=4096, path="/a/q.gguf") == identity("/b/q", n_ctx=8192, path="/b/q.gguf")
    assert identity("/a/q") != identity("/a/r")
    assert identity("a/q") != identity("b/q"), "names with an owner are names"
    assert identity("/a/q") != Card({"root": "/a/q", "meta": {"n_params": 8}}).identity


def test_samples_under_another_fingerprint_are_told_and_adopted(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    assert sample(store, {"root": "Qwen/Qwen3-8B"}) == (20, [])
    asked, (told,) = sample(store, {}, k=1)
    assert asked == 5
    found = re.search(
        r"the store has 20 completions of openai:m under another fingerprint \(([0-9a-f]{32})\) and none under this "
        r"one: .*; if it is the same model, write @fingerprint=\1 in the reference to go on with them",
        told,
    )
    assert found
    assert sample(store, {}, fingerprint=found[1]) == (0, []), "it is the user's word"
    assert sample(store, {}, k=2) == (5, []), "there are some of its own by now"


def test_samples_of_early_stores_are_known_by_their_server(tmp_path: Path) -> None:
    """Their completions do not have the name by which the model was asked."""
    early = tts.Completion(index=0, text="4", summary="4", server="http://there/v1")
    with tts.Store(tmp_path / "s.db") as store:
        store.put_draw("k", PROBLEMS[0].problem, "sample", "early", None, ())
        store.put_completion("k", 0, early)
    with tts.Store(tmp_path / "s.db") as store:
        assert store.namesakes("now", "openai:m", ("http://there/v1",)) == {"early": 1}
        assert store.namesakes("now", "openai:m", ("http://elsewhere/v1",)) == {}
        assert store.namesakes("early", "openai:m", ("http://there/v1",)) == {}, "it has its own"


def test_an_option_that_changes_what_is_written_is_another_model(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    assert sample(store, {}) == (20, [])
    assert sample(store, {}, tag="b", k=1) == (5, []), "kept apart on purpose"
    assert sample(store, {}, reasoning_effort="low", k=1) == (5, [])


def test_a_sample_that_was_drawn_without_a_parameter_says_so_from_the_store_too(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if "temperature" in asked.body and asked.body["temperature"] != 1:
            said = {"error": {"message": "Unsupported value: 'temperature' does not support 0.6 with this model."}}
            return Reply((json.dumps(said).encode(),), 400)
        return plain_reply(asked)

    with Service(answer) as service, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):  # asked, and from the store
            backend = OpenAIBackend("m", OpenAIBackend.Options(base_url=service.base))
            found = tts.run(PROBLEMS, strategy="majority", k=2, model=backend, store=tmp_path / "s.db")
            assert list(found.results[0].provenance.dropped) == ["policy"]
            assert list(found.results[0].provenance.dropped["policy"]) == ["temperature"]
        asked = len(service.of("What is 1 and 1?"))
    with tts.Store(tmp_path / "s.db") as opened:
        stored = [one for drawn in opened.sets() for one in opened.completions(drawn.key).values()]
    assert {one.dropped for one in stored} == {("temperature",)}
    assert asked <= 3, "the second time nothing is asked"
    (sentence,) = [str(one.message) for one in caught if issubclass(one.category, tts.OriginWarning)]
    assert sentence == (
        "stored samples of openai:m were drawn otherwise than asked, since its server refused a parameter: 10 without "
        "temperature; the server's own setting held"
    )
