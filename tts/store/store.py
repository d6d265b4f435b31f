"""The store: one SQLite file (WAL) that everything sampled goes into, so that nothing is asked for twice.

* A *draw* is one prompt given to one model under one sampling; its key hashes problem, model fingerprint, sampling and
  messages. Its completions are rows (key, index): the index is part of the key, so k of them never collapse into one,
  and asking for 16 after 4 leaves 12 to sample. First candidates and refinements are both draws.
* A *call* is a score or a verdict under its own content key.
* Reads happen where they are asked for (WAL readers never wait for a writer); writes go through one thread. A result is
  only reported once `flushed`.
* Extracted answers are not stored: extraction may improve, completions stay.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tts.output.text import mended
from tts.store.candidate import candidate_of
from tts.store.codec import decode_completion, encode_completion
from tts.store.file import StoreFile
from tts.store.writer import Writer
from tts.vocabulary.errors import StoreError
from tts.vocabulary.record import digest
from tts.vocabulary.records import CandidateSet, Completion, Message, Problem, Result, Sampling


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
    """One store file; open it as a context manager, or call `close`.

    Several processes may use one file. Raises `StoreError` where the file is not a store, has another schema version,
    stays locked for `busy_seconds`, or cannot be written (disk full); what was committed before stays readable.
    """

    def __init__(self, path: str | Path, *, busy_seconds: float = 30.0) -> None:
        self.path: Path = Path(path)
        self._file = StoreFile(self.path, busy_seconds)
        self._reader = self._file.open()
        self._read_lock = threading.Lock()
        self._writer = Writer(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    # --- writing ---------------------------------------------------------------------------------------------------

    def _put(self, kind: str, *values: Any) -> None:
        self._writer.put(kind, tuple(map(mended, values)))

    def put_problem(self, problem: Problem, answer: str | None = None) -> None:
        """Queue a problem with its gold answer; a known answer is never overwritten by `None`."""
        row = problem.model_dump(mode="json", exclude_none=True, fallback=repr)
        self._put("problem", problem.digest, json.dumps(row, ensure_ascii=False), answer)

    def put_draw(
        self, key: str, problem: Problem, role: str, model: str, sampling: Sampling | None, messages: Iterable[Message]
    ) -> None:
        """Queue the head of a draw; `role` is "sample" for first candidates, else the role that generates."""
        rows = [[m.role, m.content] for m in messages]
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
        """Queue a completion that takes the place of one which lacks something, such as log-probabilities.

        Raises `StoreError` as `put_completion` does.
        """
        self._put("better completion", key, index, _kept(key, index, completion))

    def put_call(self, key: str, kind: str, problem: Problem, answer: str) -> None:
        """Queue the answer (JSON) of a score or verdict."""
        self._put("call", key, kind, problem.digest, answer)

    def put_result(self, result: Result) -> None:
        """Queue a result without its candidates, which are stored once, as draws.

        It replaces an earlier one of the same strategy, parameters, seed and models on the same candidates.
        """
        texts = [candidate.text for candidate in result.candidates]
        made_by = result.provenance.model_dump(mode="json", exclude={"dropped"})
        key = digest(result.problem.digest, result.group, made_by, texts)
        row = result.model_dump(mode="json", exclude={"candidates", "problem"}, exclude_defaults=True, fallback=repr)
        text = json.dumps(row, ensure_ascii=False)
        self._put("result", key, result.problem.digest, result.provenance.strategy, text)

    async def flushed(self) -> None:
        """Return when all that was put before is committed; raises `StoreError` where it could not be."""
        await self._writer.flushed()

    def close(self) -> None:
        """Commit what is queued and close the file; raises `StoreError` where that failed."""
        if self._writer.close():
            with self._read_lock:
                self._reader.close()
            if self._writer.failure is not None:
                raise self._writer.failure

    # --- reading ---------------------------------------------------------------------------------------------------

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with self._read_lock:
                return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._file.error(error) from error

    def completions(self, key: str) -> dict[int, Completion]:
        """The stored completions of a draw by index."""
        rows = self._rows("SELECT idx, completion FROM completions WHERE draw=? ORDER BY idx", key)
        try:
            return {index: decode_completion(text, index) for index, text in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"store {str(self.path)!r}: draw {key} holds what is no completion: {error}") from error

    def drawn(self, *keys: str) -> set[str]:
        """Which of these draws are stored, with completions or without."""
        places = ",".join("?" * len(keys))
        return {key for (key,) in self._rows(f"SELECT key FROM draws WHERE key IN ({places})", *keys)}  # noqa: S608

    def call(self, key: str) -> str | None:
        """The stored answer (JSON) of a score or verdict."""
        rows = self._rows("SELECT answer FROM calls WHERE key=?", key)
        return rows[0][0] if rows else None

    def messages(self, key: str) -> tuple[Message, ...]:
        """The prompt of a draw."""
        rows = self._rows("SELECT messages FROM draws WHERE key=?", key)
        return tuple(Message(role=r, content=c) for r, c in json.loads(rows[0][0])) if rows else ()

    def sets(self, key_prefix: str = "") -> Iterator[StoredSet]:
        """The stored draws of first candidates whose key begins so, in key order; read in pages, memory stays flat."""
        after = ""
        while True:
            rows = self._rows(
                "SELECT key, p.problem, answer, model, sampling, (SELECT count(*) FROM completions WHERE draw=key)"
                " FROM draws JOIN problems p ON p.digest=draws.problem"
                " WHERE role='sample' AND key>? AND substr(key,1,?)=? ORDER BY key LIMIT 500",
                after, len(key_prefix), key_prefix,
            )  # fmt: skip
            for key, problem, answer, model, sampling, stored in rows:
                parsed = Sampling.model_validate_json(sampling) if sampling else None
                yield StoredSet(key, Problem.model_validate_json(problem), answer, model, parsed, stored)
            if not rows:
                return
            after = rows[-1][0]

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
            prompt = tuple(Message(role=r, content=c) for r, c in json.loads(messages))
            yield Generation(role, model, prompt, tuple(self.completions(key).values()))

    def results(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(problem digest, result as a dictionary) of every stored result."""
        for problem, text in self._rows("SELECT problem, result FROM results ORDER BY strategy, key"):
            yield problem, json.loads(text)

    def policies(self) -> list[tuple[str, str]]:
        """The different (policy fingerprint, sampling as JSON) of the stored first candidates.

        Samplings that differ in log-probabilities alone are one, unless a problem was sampled under both, as in early
        stores.
        """
        found: dict[tuple[str, Sampling | None], list[tuple[str, str]]] = {}
        for model, text in self._rows(
            "SELECT DISTINCT model, sampling FROM draws WHERE role='sample' ORDER BY model, sampling"
        ):
            sampling = Sampling.model_validate_json(text).model_copy(update={"logprobs": False}) if text else None
            found.setdefault((model, sampling), []).append((model, text))
        return [one for same in found.values() for one in (same if self._overlap(same) else same[:1])]

    def _overlap(self, policies: list[tuple[str, str]]) -> bool:
        """Whether a problem has first candidates under two of these."""
        return len(policies) > 1 and bool(
            self._rows(
                "SELECT 1 FROM draws WHERE role='sample' AND model=? AND sampling IN (?, ?)"
                " GROUP BY problem, messages HAVING count(*) > 1 LIMIT 1",
                policies[0][0], policies[0][1], policies[1][1],
            )
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Rows per kind of thing stored."""
        tables = ("problems", "draws", "completions", "calls", "results")
        return {table: self._rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}  # noqa: S608 - fixed names


def _kept(key: str, index: int, completion: Completion) -> str:
    if not completion.whole:
        raise StoreError(f"completion {index} of draw {key} is {completion.finish_reason!r}; it is not to be kept")
    return encode_completion(completion)
