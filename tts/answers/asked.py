"""Answers under what their problem asks for: read, then compared."""

from functools import lru_cache

from tts.answers._equality import compare
from tts.answers.expectation import NOTHING, Expectation, understood
from tts.answers.kinds import Reading, Word
from tts.answers.reading import read


@lru_cache(maxsize=16384)
def read_as(answer: str, asked: Expectation) -> Reading:
    """Reading of an answer under an expectation: the letter where it is the text of an option."""
    reading = read(answer)
    if asked == NOTHING:
        return reading
    if asked.choices and not (isinstance(reading, Word) and len(reading.word) == 1):
        letter = _letter(reading, asked)
        if letter is not None:
            return Word(letter.casefold(), answer)
    return understood(reading, asked)


def fast_equal(a: str, b: str, asked: Expectation = NOTHING) -> bool | None:
    """Whether two answers are equal, or None where only algebra can tell; symmetric, in-process, never raises.

    `asked` is what the problem asks for.
    """
    if a == b:
        return True
    return compare(read_as(a, asked), read_as(b, asked), _undecided)


def _letter(reading: Reading, asked: Expectation) -> str | None:
    """The one option whose text reads the same."""
    plain = asked._replace(choices=())
    meant = understood(reading, plain)
    found = [
        letter for letter, text in asked.choices if text and compare(understood(read(text), plain), meant, _undecided)
    ]
    return found[0] if len(found) == 1 else None


def _undecided(_a: str, _b: str) -> None:
    return None
