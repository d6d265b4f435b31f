"""The answers service: the fast path in process, algebra in workers, verdicts cached."""

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tts.answers._clusters import Graph, assemble
from tts.answers._sorting import pairs_to_compare
from tts.answers.asked import fast_equal, read_as
from tts.answers.expectation import NOTHING, Expectation, packed
from tts.answers.extraction import bare
from tts.answers.kinds import Reading
from tts.answers.reading import SHORT
from tts.vocabulary.clusters import Clusters

if TYPE_CHECKING:
    from tts.answers._pool import Judgement, Pair, Pool

_VERDICTS = 65536  # verdicts of workers that are kept
_PARTITIONS = 8192  # sets of answers whose classes are kept: strategies ask about the same candidates
_Key = tuple[str, str, Expectation]  # in the order of the alphabet, and what is asked for
_BREATH = 200  # fast comparisons between two turns of the event loop


@dataclass(slots=True)
class Stats:
    """Counts since the service was made.

    Attributes:
        fast: comparisons decided in process.
        cached: comparisons decided by an earlier verdict of a worker.
        compared: comparisons decided by a worker.
        timeouts: comparisons cut at the time limit, undecided.
        memory: comparisons cut at the memory limit, undecided.
        crashes: comparisons that ended their worker, undecided.
        hopeless: comparisons not tried, because an expression had failed twice; undecided.
    """

    fast: int = 0
    cached: int = 0
    compared: int = 0
    timeouts: int = 0
    memory: int = 0
    crashes: int = 0
    hopeless: int = 0

    @property
    def undecided(self) -> int:
        """Comparisons without a verdict: wrong for a grade, which says so; neither equal nor different for classes."""
        return self.timeouts + self.memory + self.crashes + self.hopeless


class Answers:
    """Equality, equivalence classes and grades of final answers.

    Worker processes start when the fast path first cannot decide, and end with `close`, with the last reference, or
    with the program, however it ends. One service serves many tasks at once and several event loops in a row.

    Args:
        workers: most worker processes at a time; a second one starts only where there is work for it. After an
            expression has taken too long twice its further pairs are not tried, and with several workers which ones
            those are depends on timing.
        time_limit: seconds of processor time for one comparison; past them its worker is killed and the two are
            undecided. The wall limit lies a minute above it.
        memory_mb: address space of one worker, where the system can limit it.
    """

    def __init__(self, workers: int = 2, time_limit: float = 2.0, memory_mb: int = 512) -> None:
        if workers < 1 or time_limit <= 0 or memory_mb < 1:
            raise ValueError(f"workers, time_limit, memory_mb must be positive: {workers}, {time_limit}, {memory_mb}")
        self.stats: Stats = Stats()
        self._workers = workers
        self._time_limit = time_limit
        self._memory_mb = memory_mb
        self._verdicts: dict[_Key, Judgement] = {}
        self._graphs: dict[tuple[Expectation, tuple[str, ...]], Graph] = {}
        self._pool: Pool | None = None
        self._end_pool: Callable[[], object] = lambda: None
        self._lock = threading.RLock()  # an owner may be collected, and end its pool, anywhere
        self._closed = False

    async def equal(self, gold: str, answer: str, asked: Expectation = NOTHING) -> bool:
        """Whether two answers are equal; symmetric. `asked` is what the problem asks for."""
        return bool((await self.judge_many([(gold, answer)], [asked]))[0])

    async def grade_many(
        self, pairs: Sequence[tuple[str, str | None]], asked: Sequence[Expectation] | None = None
    ) -> list[bool]:
        """Whether each answer equals its gold answer, in order; no answer (None) is wrong, as is what is undecided.

        `asked` has for each pair what its problem asks for.
        """
        return [bool(verdict) for verdict in await self.judge_many(pairs, asked)]

    async def judge_many(
        self, pairs: Sequence[tuple[str, str | None]], asked: Sequence[Expectation] | None = None
    ) -> list[bool | None]:
        """As `grade_many`, with `None` for what was cut at a limit and so is undecided."""
        import asyncio

        asks = asked or [NOTHING] * len(pairs)
        questions = [(*pair, ask) for pair, ask in zip(pairs, asks, strict=True)]
        known: dict[tuple[str, str | None, Expectation], bool | None] = {}
        open_pairs: dict[tuple[str, str | None, Expectation], _Key] = {}
        for index, question in enumerate(dict.fromkeys(questions)):
            gold, answer, ask = question
            verdict = False if answer is None else fast_equal(gold, answer, ask)
            if verdict is None and answer is not None:
                open_pairs[question] = _key(gold, answer, ask)
            else:
                known[question] = bool(verdict)
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
        self.stats.fast += sum(question in known for question in questions)
        judged = await self._judge(list(open_pairs.values()))
        for question, key in open_pairs.items():
            judgement = judged[key]
            known[question] = bool(judgement.equal) if judgement.outcome == "decided" else None
        return [known[question] for question in questions]

    async def cluster(self, answers: Sequence[str | None], asked: Expectation = NOTHING) -> Clusters:
        """Equivalence classes; the partition does not depend on the order of the answers.

        `asked` is what the problem asks for.
        """
        distinct = tuple(sorted({answer for answer in answers if answer is not None}))
        found = self._graphs.get((asked, distinct))
        if found is None:
            found = await self._compared(distinct, asked)
            if max(map(len, distinct), default=0) <= SHORT and not found.undecided:
                self._graphs[asked, distinct] = found
                if len(self._graphs) > _PARTITIONS:
                    self._graphs.pop(next(iter(self._graphs)), None)
        return assemble(answers, found)

    async def _compared(self, distinct: Sequence[str], asked: Expectation) -> Graph:
        """What is equal among distinct answers: by keys where they have them, else in pairs."""
        import asyncio

        places: dict[Reading, int] = {}
        node_of = {answer: places.setdefault(read_as(answer, asked), len(places)) for answer in distinct}
        nodes = list(places)
        names = [""] * len(nodes)
        for answer in reversed(distinct):
            names[node_of[answer]] = answer
        equal: list[set[int]] = [set() for _ in nodes]
        open_pairs: list[tuple[int, int]] = []
        pairs, settled = await asyncio.to_thread(pairs_to_compare, nodes)
        self.stats.fast += settled
        for index, (i, j) in enumerate(pairs):
            verdict = fast_equal(names[i], names[j], asked)
            if verdict is None:
                open_pairs.append((i, j))
            elif verdict:
                equal[i].add(j)
                equal[j].add(i)
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
        self.stats.fast += len(pairs) - len(open_pairs)
        judged = await self._judge([_key(names[i], names[j], asked) for i, j in open_pairs])
        undecided, asymmetric = set[tuple[int, int]](), []
        for i, j in open_pairs:
            judgement = judged[_key(names[i], names[j], asked)]
            if judgement.equal:
                equal[i].add(j)
                equal[j].add(i)
            if judgement.asymmetric:
                asymmetric.append((i, j))
            if judgement.outcome != "decided":
                undecided.add((i, j))
        return Graph(node_of, names, equal, frozenset(undecided), tuple(asymmetric))

    async def _judge(self, keys: Sequence[_Key]) -> "dict[_Key, Judgement]":
        """Judgements by workers, or by memory; failures are not remembered here."""
        known = {key: self._verdicts[key] for key in keys if key in self._verdicts}
        self.stats.cached += len(known)
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            import asyncio

            parts = [asyncio.wrap_future(part) for part in self._started().submit([_pair(key) for key in unknown])]
            judgements = [judgement for part in await asyncio.gather(*parts) for judgement in part]
            for key, judgement in zip(unknown, judgements, strict=True):
                self._record(key, judgement)
                known[key] = judgement
        return known

    def _record(self, key: _Key, judgement: "Judgement") -> None:
        stats = self.stats
        stats.compared += judgement.outcome == "decided"
        stats.timeouts += judgement.outcome == "timeout"
        stats.memory += judgement.outcome == "memory"
        stats.crashes += judgement.outcome == "crash"
        stats.hopeless += judgement.outcome == "hopeless"
        if judgement.outcome == "decided" and max(map(len, key[:2])) <= SHORT:
            self._verdicts[key] = judgement
            if len(self._verdicts) > _VERDICTS:
                self._verdicts.pop(next(iter(self._verdicts)), None)

    def _started(self) -> "Pool":
        from tts.answers._pool import Pool

        with self._lock:
            if self._closed:
                raise RuntimeError("this Answers service is closed: make a new one")
            if self._pool is None:
                self._pool = Pool(self._workers, self._time_limit, self._memory_mb)
                self._end_pool = weakref.finalize(self, self._pool.close)
            return self._pool

    def rest(self) -> None:
        """End the workers; they start again when they are needed. Comparisons under way raise RuntimeError."""
        with self._lock:
            self._pool, end = None, self._end_pool
        end()

    def close(self) -> None:
        """End the workers; the service cannot be used again. Comparisons under way raise RuntimeError."""
        with self._lock:
            self._closed = True
        self.rest()

    async def aclose(self) -> None:
        """Close from an event loop."""
        import asyncio

        await asyncio.to_thread(self.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


def _key(a: str, b: str, asked: Expectation) -> _Key:
    a, b = bare(a), bare(b)
    return (a, b, asked) if a <= b else (b, a, asked)


def _pair(key: _Key) -> "Pair":
    a, b, asked = key
    return (a, b) if asked == NOTHING else (a, b, packed(asked))
