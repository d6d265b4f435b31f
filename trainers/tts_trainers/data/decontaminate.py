"""Problems of the training data that are also in the evaluation tasks, found by their text.

Decisions: two texts are the same problem when they are equal without case, spacing, punctuation and LaTeX mark-up, or
share a run of 13 words (GPT-3's length). A run that three or more problems of one evaluation task have in common is a
phrase of contests ("where m and n are relatively prime positive integers …") and not a leak; the same problem in three
tasks makes no phrase. A problem whose every run is a phrase (others begin as it does, say) keeps them all, so that an
evaluation problem of 13 words or more is always found where it is quoted from end to end. What can slip through is a
text that shares nothing but phrases with a problem. A text shorter than the run can only be equal.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

NGRAM = 13
_PHRASE = 3  # problems of one evaluation task that share a run: from here on it is a phrase
_MARKUP = re.compile(
    r"\\(?:left|right|[dt](?=frac)|text(?:bf|it|rm)?|math(?:rm|bf|it|cal)|displaystyle|quad|[,;:! ()\[\]])"
)
_TOKEN = re.compile(r"[^\W_]+|[-+*/^=<>|%()\[\]]")  # signs count: 3+4 is not 3-4, nor (1+2)*3 1+(2*3)


def normalised(text: str) -> str:
    """What is left of a problem's text for comparing it: words, numbers and signs, with one space between."""
    plain = unicodedata.normalize("NFKC", _MARKUP.sub(" ", text)).casefold()
    return " ".join(_TOKEN.findall(plain))


def overlapping(train_texts: Iterable[str], held_out_texts: Iterable[str], ngram: int = NGRAM) -> set[int]:
    """Positions of the training texts that are a held-out text, or share a run of `ngram` words with one.

    Only what is held out is kept in memory; the training texts are read once.
    """
    held_out = HeldOut(ngram)
    held_out.add_task(held_out_texts)
    return {position for position, text in enumerate(train_texts) if text in held_out}


@lru_cache(maxsize=4096)  # the solutions of one problem are neighbours
def problem_key(text: str) -> bytes:
    """What makes two rows the same problem: the text without case, spacing and mark-up."""
    return hashlib.blake2b((normalised(text) or text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class HeldOut:
    """The texts of evaluation problems; `text in held_out` says whether a training text is one of them."""

    def __init__(self, ngram: int = NGRAM) -> None:
        if ngram < 1:
            raise ValueError(f"ngram={ngram}: a run has at least one word")
        self._ngram = ngram
        self._texts: set[str] = set()
        self._runs: set[str] = set()

    def add_task(self, texts: Iterable[str]) -> None:
        """Hold out the problems of one evaluation task."""
        plain = {normalised(text) for text in texts} - {""}
        self._texts |= plain
        by_problem = [set(_runs(text, self._ngram)) for text in plain]
        counts = Counter(run for runs in by_problem for run in runs)
        for runs in by_problem:
            self._runs |= {run for run in runs if counts[run] < _PHRASE} or runs

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, text: str) -> bool:
        plain = normalised(text)
        return plain in self._texts or any(run in self._runs for run in _runs(plain, self._ngram))


def _runs(plain: str, ngram: int) -> Iterator[str]:
    words = [word for word in plain.split(" ") if word[:1].isalnum()]
    for start in range(len(words) - ngram + 1):
        yield " ".join(words[start : start + ngram])
