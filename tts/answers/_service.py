"""The answers service: the fast path in process, algebra in workers, verdicts cached."""

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Self

from tts.answers._clusters import assemble, components
from tts.answers._equality import fast_equal
from tts.answers.extraction import bare
from tts.answers.reading import SHORT, Number, Reading, read
from tts.vocabulary.clusters import Clusters, Conflict

if TYPE_CHECKING:
    from tts.answers._pool import Judgement, Pool

_VERDICTS = 65536  # verdicts of workers that are kept
_PARTITIONS = 8192  # sets of answers whose classes are kept: strategies ask about the same candidates
_BREATH = 2000  # fast comparisons between two turns of the event loop

_Partition = tuple[dict[str, int], list[Conflict]]  # the component of each distinct answer; what does not fit


@dataclass(slots=True)
class Stats:
    """Counts since the service was made.

    Attributes:
        fast: comparisons decided in process.
        cached: comparisons decided by an earlier verdict of a worker.
        compared: comparisons decided by a worker.
        timeouts: comparisons cut at the time limit, taken as unequal.
        memory: comparisons cut at the memory limit, taken as unequal.
        crashes: comparisons that ended their worker, taken as unequal.
        hopeless: comparisons not tried, because an expression had failed twice; taken as unequal.
    """

    fast: int = 0
    cached: int = 0
    compared: int = 0
    timeouts: int = 0
    memory: int = 0
    crashes: int = 0
    hopeless: int = 0


class Answers:
    """Equality, equivalence classes and grades of final answers.

    Worker processes start when the fast path first cannot decide, and end with `close`, with the last reference, or
    with the program, however it ends. One service serves many tasks at once and several event loops in a row.

    Args:
        workers: most worker processes at a time; a second one starts only where there is work for it. After an
            expression has taken too long twice its further pairs are not tried, and with several workers which ones
            those are depends on timing.
        time_limit: seconds of wall time for one comparison; past them its worker is killed and the two are unequal.
        memory_mb: address space of one worker, where the system can limit it.
    """

    def __init__(self, workers: int = 2, time_limit: float = 2.0, memory_mb: int = 512) -> None:
        if workers < 1 or time_limit <= 0 or memory_mb < 1:
            raise ValueError(f"workers, time_limit, memory_mb must be positive: {workers}, {time_limit}, {memory_mb}")
        self.stats: Stats = Stats()
        self._workers = workers
        self._time_limit = time_limit
        self._memory_mb = memory_mb
        self._verdicts: dict[tuple[str, str], Judgement] = {}
        self._partitions: dict[tuple[str, ...], _Partition] = {}
        self._pool: Pool | None = None
        self._end_pool: Callable[[], object] = lambda: None
        self._lock = threading.RLock()  # an owner may be collected, and end its pool, anywhere
        self._closed = False

    async def equal(self, gold: str, answer: str) -> bool:
        """Whether two answers are equal; symmetric."""
        return (await self.grade_many([(gold, answer)]))[0]

    async def grade_many(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        """Whether each answer equals its gold answer, in order; no answer (None) is wrong."""
        import asyncio

        known: dict[tuple[str, str | None], bool] = {}
        open_pairs: dict[tuple[str, str | None], tuple[str, str]] = {}
        for index, pair in enumerate(dict.fromkeys(pairs)):
            gold, answer = pair
            verdict = False if answer is None else fast_equal(gold, answer)
            if verdict is None and answer is not None:
                open_pairs[pair] = _key(gold, answer)
            else:
                known[pair] = bool(verdict)
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
        self.stats.fast += sum(pair in known for pair in pairs)
        judged = await self._judge(list(open_pairs.values()))
        known |= {pair: bool(judged[key].equal) for pair, key in open_pairs.items()}
        return [known[pair] for pair in pairs]

    async def cluster(self, answers: Sequence[str | None]) -> Clusters:
        """Equivalence classes; the partition does not depend on the order of the answers."""
        distinct = tuple(sorted({answer for answer in answers if answer is not None}))
        found = self._partitions.get(distinct)
        if found is None:
            found = await self._partition(distinct)
            if max(map(len, distinct), default=0) <= SHORT and not any(one.kind == "undecided" for one in found[1]):
                self._partitions[distinct] = found
                if len(self._partitions) > _PARTITIONS:
                    self._partitions.pop(next(iter(self._partitions)), None)
        return assemble(answers, *found)

    async def _partition(self, distinct: Sequence[str]) -> _Partition:
        places: dict[Reading, int] = {}
        place_of = {answer: places.setdefault(read(answer), len(places)) for answer in distinct}
        nodes = list(places)
        names: list[str] = []
        for answer, place in place_of.items():
            if place == len(names):
                names.append(answer)
        edges: list[tuple[int, int]] = []
        unequal: list[tuple[int, int]] = []
        open_pairs: list[tuple[int, int]] = []
        for i, j in combinations(range(len(nodes)), 2):
            verdict = False if _both_exact(nodes[i], nodes[j]) else fast_equal(names[i], names[j])
            (open_pairs if verdict is None else edges if verdict else unequal).append((i, j))
        self.stats.fast += len(edges) + len(unequal)
        judged = await self._judge([_key(names[i], names[j]) for i, j in open_pairs])
        conflicts: list[Conflict] = []
        for i, j in open_pairs:
            judgement = judged[_key(names[i], names[j])]
            (edges if judgement.equal else unequal).append((i, j))
            if judgement.asymmetric:
                conflicts.append(Conflict("asymmetric", names[i], names[j]))
            if judgement.outcome != "decided":
                conflicts.append(Conflict("undecided", names[i], names[j]))
        roots = components(len(nodes), edges)
        conflicts += [Conflict("intransitive", names[i], names[j]) for i, j in unequal if roots[i] == roots[j]]
        return {answer: roots[place] for answer, place in place_of.items()}, conflicts

    async def _judge(self, keys: Sequence[tuple[str, str]]) -> "dict[tuple[str, str], Judgement]":
        """Judgements by workers, or by memory; failures are not remembered here."""
        known = {key: self._verdicts[key] for key in keys if key in self._verdicts}
        self.stats.cached += len(known)
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            import asyncio

            parts = [asyncio.wrap_future(part) for part in self._started().submit(unknown)]
            judgements = [judgement for part in await asyncio.gather(*parts) for judgement in part]
            for key, judgement in zip(unknown, judgements, strict=True):
                self._record(key, judgement)
                known[key] = judgement
        return known

    def _record(self, key: tuple[str, str], judgement: "Judgement") -> None:
        stats = self.stats
        stats.compared += judgement.outcome == "decided"
        stats.timeouts += judgement.outcome == "timeout"
        stats.memory += judgement.outcome == "memory"
        stats.crashes += judgement.outcome == "crash"
        stats.hopeless += judgement.outcome == "hopeless"
        if judgement.outcome == "decided" and max(map(len, key)) <= SHORT:
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


def _key(a: str, b: str) -> tuple[str, str]:
    a, b = bare(a), bare(b)
    return (a, b) if a <= b else (b, a)


def _both_exact(a: Reading, b: Reading) -> bool:
    """Whether two different readings are exact numbers, hence unequal: the common case among candidates."""
    return isinstance(a, Number) and isinstance(b, Number) and not (a.decimal or b.decimal or a.percent or b.percent)
