"""Contamination by text: how much of each problem stands in a corpus, word for word."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tts.eval.corpus import Document, corpus_files, documents, words_of
from tts.metrics.estimate import Estimate, clustered_mean
from tts.metrics.tables import Table, counted, percent
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.records import Example

N = 13
LEAST = 8  # words; a shorter run is found by chance
MOST_OF = 0.8  # from so much on a problem counts as known, as for Llama 2 (arXiv 2307.09288, appendix A.6)
_NEAR = 200  # words after an n-gram in which a gold answer is looked for
_SHOWN = 10
_BASE, _PRIME = 1_000_003, (1 << 61) - 1


class Overlap(NamedTuple):
    """How much of a problem's n-grams the corpus has, `covered` of `of`; no n-grams where it is too short to tell.

    `answer` says whether the gold answer stands within 200 words after some of them, `where` the first text with one.
    """

    problem: str
    covered: int
    of: int
    answer: bool
    where: str

    @property
    def share(self) -> float:
        """Of its n-grams."""
        return self.covered / self.of if self.of else 0.0

    @property
    def level(self) -> str:
        """none, some, most (80 % or more), or "too short"."""
        if not self.of:
            return "too short"
        return "most" if self.share >= MOST_OF else "some" if self.covered else "none"


class Overlaps(NamedTuple):
    """The overlap of each problem with a corpus of so many `words`; prints as a table."""

    problems: list[Overlap]
    n: int
    files: int
    texts: int
    words: int

    def __str__(self) -> str:
        return str(self.table())

    def share(self, *levels: str) -> Estimate | None:
        """How many problems are of these levels, of those that are long enough to tell."""
        told = [one for one in self.problems if one.of]
        return clustered_mean(((str(i), float(one.level in levels)) for i, one in enumerate(told)), (0.0, 1.0))

    def table(self) -> Table:
        """Shares of problems, then those of which most is there."""
        rows = []
        for name, levels in (
            ("some n-gram is in the corpus", ("some", "most")),
            ("80 % of them or more", ("most",)),
        ):
            one = self.share(*levels)
            if one is not None:
                count = sum(each.level in levels for each in self.problems)
                bounds = f"{percent(one.low)} … {percent(one.high)}" if one.bounded else ""
                rows.append([name, f"{count:,}", percent(one.mean), bounds])
        answered = sum(one.answer for one in self.problems)
        size = f"{counted(self.files, 'file')}, {counted(self.texts, 'text')}, {self.words:,} words"
        notes = [
            f"{size}; n-grams of {self.n} words without case and punctuation, of all words of shorter problems",
            f"with the gold answer within {_NEAR} words after one: {answered:,}",
        ]
        if short := sum(not one.of for one in self.problems):
            notes.append(f"too short to tell, fewer than {LEAST} words, in no number here: {counted(short, 'problem')}")
        ranked = sorted(self.problems, key=lambda one: (-one.share, one.problem))
        notes += [
            f"{one.problem}: {percent(one.share)} % in {one.where}{', with the answer' if one.answer else ''}"
            for one in ranked[:_SHOWN]
            if one.covered
        ]
        return Table("Overlap of problems with the corpus", ["", "problems", "%", "95 % interval"], rows, notes)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        shares = {"some": self.share("some", "most"), "most": self.share("most")}
        return {
            "n": self.n,
            "files": self.files,
            "texts": self.texts,
            "words": self.words,
            "shares": {name: one.to_dict() if one else None for name, one in shares.items()},
            "problems": [one._asdict() | {"share": one.share, "level": one.level} for one in self.problems],
        }


def ngram_overlap(examples: Iterable[Example], corpus: str | Path, *, n: int = N) -> Overlaps:
    """How much of each problem stands in a corpus, by n-grams of words (arXiv 2005.14165, appendix C).

    `corpus` is a file, or a folder of text and .jsonl, also with .gz; of a row all texts count as one. Only the
    problems' n-grams are held, and the corpus is read once, so its size costs time and no memory. An overlap is a hint
    and no proof: a phrase of thirteen words may be common, and a problem that was paraphrased has none. Raises
    `ConfigError` for a corpus that is not there, or n below 8.
    """
    if n < LEAST:
        raise ConfigError(f"n={n}: runs of fewer than {LEAST} words are found by chance; give {LEAST} or more")
    index = _Index(list(examples), n)
    files = corpus_files(corpus)
    texts = words = 0
    for one in documents(files):
        texts += 1
        words += index.read(one)
    return Overlaps(index.overlaps(), n, len(files), texts, words)


class _Index:
    """The n-grams of problems by a rolling hash, and which of them were seen."""

    def __init__(self, examples: Sequence[Example], n: int) -> None:
        self._examples = examples
        self._words = [words_of(example.problem.text) for example in examples]
        self._golds = [words_of(example.answer or "") for example in examples]
        self._sizes = [min(n, len(own)) if len(own) >= LEAST else 0 for own in self._words]
        self._grams: dict[int, dict[int, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for place, (own, size) in enumerate(zip(self._words, self._sizes, strict=True)):
            for start in range(len(own) - size + 1) if size else ():
                self._grams[size][_hash(own[start : start + size])].append((place, start))
        self._seen: list[dict[int, str]] = [{} for _ in examples]
        self._answered: set[int] = set()
        self._held = max([*self._grams, *map(len, self._golds), 1]) + 1

    def read(self, document: Document) -> int:
        """Mark what a text has of the problems; how many words it has."""
        rolling = {size: _Rolling(size) for size in self._grams}
        recent: deque[str] = deque(maxlen=self._held)
        near: dict[int, int] = {}  # problems of which an n-gram was just seen, by the last word that is near
        count = 0
        for count, word in enumerate(document.words, 1):
            recent.append(word)
            for size, hashed in rolling.items():
                for place, start in self._grams[size].get(hashed.add(word, recent), ()):
                    if list(recent)[-size:] == self._words[place][start : start + size]:  # not only their hash
                        self._seen[place].setdefault(start, document.where)
                        near[place] = count + _NEAR
            if near:
                self._look_for_answers(near, count, recent)
        return count

    def _look_for_answers(self, near: dict[int, int], count: int, recent: deque[str]) -> None:
        for place, last in list(near.items()):
            gold = self._golds[place]
            behind = count > last - _NEAR  # not a word of the problem itself
            if gold and behind and list(recent)[-len(gold) :] == gold:
                self._answered.add(place)
            if count >= last or place in self._answered:
                del near[place]

    def overlaps(self) -> list[Overlap]:
        """What was found of each problem."""
        return [
            Overlap(
                problem=example.problem.id,
                covered=len(seen),
                of=len(own) - size + 1 if size else 0,
                answer=place in self._answered,
                where=next(iter(seen.values()), ""),
            )
            for place, (example, own, size, seen) in enumerate(
                zip(self._examples, self._words, self._sizes, self._seen, strict=True)
            )
        ]


class _Rolling:
    """The hash of the last words, as many as an n-gram has."""

    def __init__(self, size: int) -> None:
        self._size, self._value = size, 0
        self._out = pow(_BASE, size, _PRIME)

    def add(self, word: str, recent: deque[str]) -> int:
        """The hash with one more word; `recent` ends with it, and begins no later than the word that goes."""
        gone = hash(recent[-1 - self._size]) if len(recent) > self._size else 0
        self._value = (self._value * _BASE + hash(word) - gone * self._out) % _PRIME
        return self._value


def _hash(words: Sequence[str]) -> int:
    value = 0
    for word in words:
        value = (value * _BASE + hash(word)) % _PRIME
    return value
