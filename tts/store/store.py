"""The store: one SQLite file, or one database, that everything sampled goes into, so that nothing is asked for twice.

* A *draw* is one prompt given to one model under one sampling; its key hashes problem, model fingerprint, sampling and
  messages. Its completions are rows (key, index): the index is part of the key, so k of them never collapse into one,
  and asking for 16 after 4 leaves 12 to sample. First candidates and refinements are both draws.
* A *call* is a score or a verdict under its own content key.
* Reads happen where they are asked for (they never wait for a writer); writes go through one thread. A result is only
  reported once `flushed`.
* What several processes want is claimed by one of them before it is asked for; all go on with the row that was first.
* Extracted answers are not stored: extraction may improve, completions stay.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from tts.bridge.waits import waiting
from tts.output.text import mended
from tts.store.address import database_of, is_store, shown_store, store_exists
from tts.store.candidate import candidate_of
from tts.store.checksum import is_damaged
from tts.store.claims import Claimed, Wanted
from tts.store.codec import decode_completion, encode_completion
from tts.store.glance import Glance, glance
from tts.store.link import Link
from tts.store.models import namesakes, policies
from tts.store.place import Place, damaged
from tts.store.sqlite import SqliteFile
from tts.store.tables import CHECKSUMS, TABLES
from tts.store.writer import Listener, Row, Writer, listener
from tts.vocabulary.errors import StoreError
from tts.vocabulary.record import digest
from tts.vocabulary.records import CandidateSet, Completion, Message, Problem, Result, Sampling

T = TypeVar("T")


class StoredSet(NamedTuple):
    """One draw of first candidates: what was asked, of which model, and how many completions are stored."""

    key: str
    problem: Problem
    answer: str | None
    policy: str
    sampling: Sampling | None
    stored: int


class Generation(NamedTuple):
    """What a strategy had a model write: the prompt, and the completions drawn so far in index order."""

    role: str
    model: str
    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]


class Store:
    """One store: the path of a file, or the URL `postgresql://…` of a database; to be closed, or used by `with`.

    Several processes may use it at once. `busy_seconds` is how long a file may stay locked, or a server out of reach;
    `lease_seconds` how long claims count after the last sign of life of their process. With `read_only` nothing is
    written, not even beside the file, and whatever would be is a `StoreError`. Raises `StoreError` where it is no
    store, has a later schema version, or cannot be read or written; what was committed before stays readable. So is a
    row whose checksum does not fit.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_seconds: float = 30.0,
        lease_seconds: float = 30.0,
        read_only: bool = False,
    ) -> None:
        self._database = database_of(path, busy_seconds, read_only=read_only)
        with waiting(f"store {self._database.name!r} to be free", idle=True):
            self._reader = Link(self._database, self._database.open())
        self._checked = self._database.version >= CHECKSUMS
        self._read_lock = threading.Lock()
        self._writing = None if read_only else Writer(self._database, lease_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self._database.name!r})"

    @property
    def name(self) -> str:
        """Where it is, as messages say it: the file, or the URL without the password."""
        return self._database.name

    @property
    def path(self) -> Path:
        """The file; raises `StoreError` for a store in a database on a server, which has none."""
        if isinstance(self._database, SqliteFile):
            return self._database.path
        raise StoreError(f"store {self.name!r} is in a database, not in a file")

    @staticmethod
    def named(place: object) -> str | None:
        """What messages call the store that this names, without a password; `None` where it names none.

        A store is named by a file that ends in `.db`, or by a URL `postgresql://…`.
        """
        return shown_store(place) if is_store(place) else None

    @staticmethod
    def exists(place: str | Path) -> bool:
        """Whether there is a store; raises `StoreError` where a server does not say."""
        return store_exists(place)

    # --- writing ---------------------------------------------------------------------------------------------------

    @property
    def _writer(self) -> Writer:
        if self._writing is None:
            raise StoreError(f"store {self.name!r} is open for reading only")
        return self._writing

    def _put(self, kind: str, *values: Any) -> None:
        self._writer.put(Row(kind, tuple(map(mended, values))))

    def put_problem(self, problem: Problem, answer: str | None = None) -> None:
        """Queue a problem with its gold answer; a known answer is never overwritten by `None`."""
        row = problem.model_dump(mode="json", exclude_none=True, fallback=repr)
        text = json.dumps(row, ensure_ascii=False)
        self._put("problem", problem.digest, text, answer)
        if answer is not None:
            self._put("gold", problem.digest, problem.id, text, answer)

    def put_draw(
        self, key: str, problem: Problem, role: str, model: str, sampling: Sampling | None, messages: Iterable[Message]
    ) -> None:
        """Queue the head of a draw; `role` is "sample" for first candidates, else the role that generates."""
        rows = [message.row for message in messages]
        self._put(
            "draw",
            key,
            problem.digest,
            role,
            model,
            sampling and sampling.model_dump_json(),
            json.dumps(rows, ensure_ascii=False),
        )

    def put_completion(self, key: str, index: int, completion: Completion) -> None:
        """Queue one completion of a draw; the first one stored under (key, index) stays.

        Raises `StoreError` for one that failed: it would be taken for an answer for ever.
        """
        self._put("completion", key, index, _kept(key, index, completion))

    def replace_completion(self, key: str, index: int, completion: Completion) -> None:
        """Queue a completion in place of one which lacks its end, or the log-probabilities that this one has.

        Raises `StoreError` as `put_completion` does.
        """
        self._put("better completion", key, index, _kept(key, index, completion))

    def put_call(self, key: str, kind: str, problem: Problem, answer: str) -> None:
        """Queue the answer (JSON) of a score or verdict; the first one stored under the key stays."""
        self._put("call", key, kind, problem.digest, answer)

    def put_result(self, result: Result) -> None:
        """Queue a result without its candidates, which are stored once, as draws.

        It replaces an earlier one of the same strategy, parameters, seed and models on the same candidates.
        """
        texts = [candidate.text for candidate in result.candidates]
        made = result.provenance
        absent = {name for name in ("code", "limits") if not getattr(made, name)}  # early results tell neither
        made_by = made.model_dump(mode="json", exclude={"dropped", "stopped", "named", *absent})
        key = digest(result.problem.digest, result.group, made_by, texts)
        row = result.model_dump(mode="json", exclude={"candidates", "problem"}, exclude_defaults=True, fallback=repr)
        text = json.dumps(row, ensure_ascii=False)
        self._put("result", key, result.problem.digest, result.provenance.strategy, text)

    # --- asking once, however many processes want it ---------------------------------------------------------------

    async def claim(self, places: Sequence[Place], enough: Callable[[str], bool] = lambda _: True) -> Claimed:
        """Which of these places are to be asked for here, and what is stored at others; the rest somebody asks for.

        `enough` says whether a stored row will do. What was claimed is given up with its row (`keep_completion`,
        `keep_calls`) or without one (`unclaim`), and when the store is closed.
        """
        return await self._writer.claim(Wanted(places, enough))

    def unclaim(self, places: Collection[Place]) -> None:
        """Give up claims for which no row will come."""
        self._writer.drop(places)

    async def freed(self, places: Iterable[Place]) -> None:
        """Return when one of these places has its row, or may be claimed: who asked has ended, or has been killed."""
        await self._writer.freed(places)

    def keep_completion(
        self,
        key: str,
        index: int,
        completion: Completion,
        then: Callable[[Completion | StoreError], None],
        *,
        better: bool = False,
    ) -> None:
        """Store a completion; `then` hears, on this loop, which one is stored: the one that was first.

        It is this one, or another process's, or comes as the error that kept it from being stored. With `better` it
        takes the place of one that lacks something, as with `replace_completion`.
        """
        text = mended(_kept(key, index, completion))

        def hear(stored: str | StoreError) -> None:
            known = completion if stored == text else stored
            then(decode_completion(known, index) if isinstance(known, str) else known)

        place, kind = Place("completion", key, index), "better completion" if better else "completion"
        self._writer.put(Row(kind, (key, index, text), place, Listener(asyncio.get_running_loop(), hear)))

    async def keep_calls(self, kind: str, problem: Problem, answers: Mapping[str, str]) -> dict[str, str]:
        """Store the answers (JSON) of scores or verdicts by key; what is stored under each, which was first."""
        loop = asyncio.get_running_loop()
        stored = {key: loop.create_future() for key in answers}
        for key, answer in answers.items():
            values = tuple(map(mended, (key, kind, problem.digest, answer)))
            self._writer.put(Row("call", values, Place("call", key), listener(stored[key])))
        return {key: await told for key, told in stored.items()}

    async def flushed(self) -> None:
        """Return when all that was put before is committed; raises `StoreError` where it could not be."""
        await self._writer.flushed()

    def close(self) -> None:
        """Commit what is queued and close the file; raises `StoreError` where that failed."""
        writer = self._writing
        if writer is None or writer.close():
            with self._read_lock:
                self._reader.close()
            if writer is not None and writer.failure is not None:
                raise writer.failure

    # --- reading ---------------------------------------------------------------------------------------------------

    async def read(self, work: Callable[[], T]) -> T:
        """What `work` reads from this store: on a thread where it is on a server, which may let one wait."""
        return work() if isinstance(self._database, SqliteFile) else await asyncio.to_thread(work)

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._read_lock:
                return self._reader.run(lambda connection: connection.execute(sql, values).fetchall())
        except self._database.errors as error:
            raise self._database.error(error) from error

    def _summed(self, sql: str) -> str:
        """A query for rows with their checksums; a store of an early version that is only read has none."""
        return sql if self._checked else sql.replace("p.checksum", "NULL").replace("checksum", "NULL")

    def _check(self, table: str, row: Sequence[Any], stored: int | None) -> None:
        if is_damaged(table, row, stored):
            places = {"completions": f"completion {row[0]}/{row[1]}", "calls": f"call {row[0]}"}
            raise damaged(self.name, places.get(table, f"a row of {table}, {row[0]},"))

    def completions(self, key: str) -> dict[int, Completion]:
        """The stored completions of a draw by index."""
        rows = self._rows(
            self._summed("SELECT idx, completion, checksum FROM completions WHERE draw=? ORDER BY idx"), key
        )
        for index, text, stored in rows:
            self._check("completions", (key, index, text), stored)
        try:
            return {index: decode_completion(text, index) for index, text, _ in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"store {self._database.name!r}: draw {key} holds what is no completion: {error}"
            ) from error

    def drawn(self, *keys: str) -> set[str]:
        """Which of these draws are stored, with completions or without."""
        places = ",".join("?" * len(keys))
        return {key for (key,) in self._rows(f"SELECT key FROM draws WHERE key IN ({places})", *keys)}  # noqa: S608

    def call(self, key: str) -> str | None:
        """The stored answer (JSON) of a score or verdict."""
        rows = self._rows(self._summed("SELECT key, kind, problem, answer, checksum FROM calls WHERE key=?"), key)
        for *row, stored in rows:
            self._check("calls", row, stored)
        return rows[0][3] if rows else None

    def messages(self, key: str) -> tuple[Message, ...]:
        """The prompt of a draw."""
        sql = "SELECT key, problem, role, model, sampling, messages, checksum FROM draws WHERE key=?"
        whole = self._rows(self._summed(sql), key)
        for *row, stored in whole:
            self._check("draws", row, stored)
        rows = [(row[5],) for row in whole]
        return tuple(map(Message.of, json.loads(rows[0][0]))) if rows else ()

    def sets(self, key_prefix: str = "") -> Iterator[StoredSet]:
        """The stored draws of first candidates whose key begins so, in key order; read in pages, memory stays flat.

        Where several problems have one text and different answers, the draw comes once for each of them.
        """
        after = ""
        while True:
            rows = self._rows(
                self._summed(
                    "SELECT key, p.problem, answer, model, sampling, (SELECT count(*) FROM completions WHERE draw=key),"
                    " p.digest, p.checksum FROM draws JOIN problems p ON p.digest=draws.problem"
                    " WHERE role='sample' AND key>? AND substr(key,1,?)=? ORDER BY key LIMIT 500"
                ),
                after, len(key_prefix), key_prefix,
            )  # fmt: skip
            golds = self._golds(sorted({row[6] for row in rows}))
            for key, problem, answer, model, sampling, stored, known, checksum in rows:
                self._check("problems", (known, problem), checksum)
                parsed = Sampling.model_validate_json(sampling) if sampling else None
                for text, gold in golds.get(known, [(problem, answer)]):
                    yield StoredSet(key, Problem.model_validate_json(text), gold, model, parsed, stored)
            if not rows:
                return
            after = rows[-1][0]

    def _golds(self, digests: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """Problems with their answers where several of one text have different ones, by the digest of the text."""
        if not digests or not self._checked:
            return {}
        places = ",".join("?" * len(digests))
        found: dict[str, list[tuple[str, str]]] = {}
        wanted = f"SELECT problem, id, named, answer, checksum FROM golds WHERE problem IN ({places})"  # noqa: S608 - marks
        for *row, stored in self._rows(f"{wanted} ORDER BY problem, id", *digests):
            self._check("golds", row, stored)
            found.setdefault(row[0], []).append((row[2], row[3]))
        return {known: golds for known, golds in found.items() if len({answer for _, answer in golds}) > 1}

    def load(self, found: StoredSet, extract: Callable[[str], str | None]) -> CandidateSet:
        """The candidates of a stored draw, in index order, with answers extracted now.

        An index whose completion failed is missing; the engine draws it anew where the model is at hand.
        """
        stored = self.completions(found.key)
        candidates = tuple(candidate_of(stored[index], index, extract) for index in sorted(stored))
        return CandidateSet(problem=found.problem, candidates=candidates, policy=found.policy, sampling=found.sampling)

    def generations(self, problem: Problem) -> Iterator[Generation]:
        """All that strategies generated for a problem, in whatever run, by role and then key."""
        rows = self._rows(
            "SELECT key, role, model, messages FROM draws WHERE problem=? AND role<>'sample' ORDER BY role, key",
            problem.digest,
        )
        for key, role, model, messages in rows:
            prompt = tuple(map(Message.of, json.loads(messages)))
            yield Generation(role, model, prompt, tuple(self.completions(key).values()))

    def results(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(problem digest, result as a dictionary) of every stored result."""
        sql = "SELECT key, problem, strategy, result, checksum FROM results ORDER BY strategy, key"
        for *row, stored in self._rows(self._summed(sql)):
            self._check("results", row, stored)
            yield row[1], json.loads(row[3])

    def policies(self) -> list[tuple[str, str]]:
        """The different (policy fingerprint, sampling as JSON) of the stored first candidates.

        Samplings that differ in log-probabilities alone are one, unless a problem was sampled under both, as in early
        stores.
        """
        return policies(self._rows)

    def namesakes(self, fingerprint: str, name: str, servers: Collection[str] = ()) -> dict[str, int]:
        """How many completions a model of this name has under other fingerprints; none where it has its own.

        Those of early stores have no name, and count where they came from one of the `servers`.
        """
        return namesakes(self._rows, fingerprint, name, servers)

    def glance(self) -> Glance:
        """What is in the store now, what it cost, and who is at work on it, for who watches a run."""
        return glance(self._rows, self._database.now, self._database.version)

    def counts(self) -> dict[str, int]:
        """Rows per kind of thing stored."""
        return {table: self._rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}  # noqa: S608 - fixed names


def _kept(key: str, index: int, completion: Completion) -> str:
    if not completion.whole:
        raise StoreError(f"completion {index} of draw {key} is {completion.finish_reason!r}; it is not to be kept")
    return encode_completion(completion)
