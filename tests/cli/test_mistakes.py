"""Every mistake of a newcomer ends in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tts

sys.path.insert(0, str(Path(__file__).parent))

from mistakes import CALLS, COMMANDS, Told, everything

HINTS = {
    "tts solve p.jsonl -m fake:2": "for the problems in it: tts run p.jsonl",
    'tts solve "What?" -m openai:x@api_key=sk-123': "@key_env=NAME, or a file, @key_file=PATH",
    'tts solve "What?" -m hf:miniature/jdge': "'miniature/judge'",
    'tts solve "What?" -m fake:2@seconds': "option 'seconds' has no value",
    'tts solve "What?" -m mine.py': "as in 'mine.py:reply'",
    'tts solve "What?" -m fake:2 -s mine.py': "as in 'mine.py:MyStrategy'",
    'tts solve "What?" -m fake:2 -s gsr,majority': "`tts compare` takes several",
    "tts report p.jsonl": "tts compare p.jsonl --report",
    "tts run sums -m fake:2": "write 'task:sums'",
}
"""What the sentence must say beside what is wrong."""


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, Told]]:
    for kind in ("scorer", "judge"):  # what other tests have registered is no mistake
        tts.plugins()._entries[kind].pop("fake", None)
        tts.plugins()._resolved.pop((kind, "fake"), None)
    yield {one.mistake: one for one in everything()}
    host = tts.plugins()
    host._entries["backend"].pop("fake", None)
    host._resolved.pop(("backend", "fake"), None)


def test_there_are_more_than_120_mistakes() -> None:
    assert len(COMMANDS.strip().splitlines()) + len(CALLS) > 120


@pytest.mark.timeout(900)  # on a machine that is busy with other things
def test_every_mistake_ends_in_one_sentence(told: dict[str, Told]) -> None:
    assert [f"{one.mistake}: {one.message}" for one in told.values() if not one.ok] == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("mistake", "hint"), HINTS.items(), ids=HINTS)
def test_the_sentence_says_what_to_do(told: dict[str, Told], mistake: str, hint: str) -> None:
    assert hint in told[mistake].message
    assert "sk-123" not in told[mistake].message


@pytest.mark.timeout(900)
def test_a_wrong_option_leaves_its_sentence_on_the_screen(told: dict[str, Told]) -> None:
    assert all(len(one.message.splitlines()) <= 24 for one in told.values() if "devise" in one.mistake)
