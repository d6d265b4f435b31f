"""Candidates of several models for the same problems, as one set each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from tts.api.candidate_sets import candidate_sets
from tts.api.samples import Samples
from tts.sources.opening import Source
from tts.vocabulary.errors import ConfigError, TaskError
from tts.vocabulary.records import Candidate, CandidateSet, Sampled, Usage

Key = tuple[str, int]


def join_candidates(*sources: Samples | Source, extractor: str = "auto") -> Samples:
    """Join what several models, or several runs of one, said to the same problems.

    A source is what `tts.compare` takes as candidates: samples, a list of sets, a file, a store. Problems are told
    apart by their text; order, ids and metadata are the first source's. Candidates alternate between the sources, so
    that a group of k has its share of each, and are numbered anew. Under `problem.metadata["recorded"]` stands the
    `policy` that made each of them, beside what the sources recorded.

    Raises `ConfigError` for a source that holds no candidates, `TaskError` where a problem is missing from a source or
    sources disagree on its gold answer.
    """
    if len(sources) < 2:
        raise ConfigError("join_candidates joins the candidates of two sources or more; give each as an argument")
    parts = [_by_problem(source, number, extractor) for number, source in enumerate(sources, 1)]
    for number, part in enumerate(parts[1:], 2):
        for here, there, holder, lacking in ((parts[0], part, 1, number), (part, parts[0], number, 1)):
            if missing := [found for key, found in here.items() if key not in there]:
                raise TaskError(
                    f"problem {missing[0].candidates.problem.id!r} of source {holder} is not in source {lacking}; "
                    "sources to join hold the same problems"
                )
    spent: dict[str, Usage] = {}
    for source in sources:
        for role, usage in source.spent.items() if isinstance(source, Samples) else ():
            spent[role] = spent.get(role, Usage()) + usage
    return Samples([_joined([part[key] for part in parts]) for key in parts[0]], None, None, spent)


def _by_problem(source: Samples | Source, number: int, extractor: str) -> dict[Key, Sampled]:
    """The sets of a source by problem; a problem that occurs again is another one."""
    sets = candidate_sets(source, None, None, "raise", {"extractor": extractor}).sets
    if sets is None:
        raise ConfigError(f"source {number} of join_candidates holds no candidates; sample its problems first")
    seen: Counter[str] = Counter()
    found: dict[Key, Sampled] = {}
    for sampled in sets:
        problem = sampled.candidates.problem.digest
        found[problem, seen[problem]] = sampled
        seen[problem] += 1
    return found


def _joined(parts: Sequence[Sampled]) -> Sampled:
    problem = parts[0].candidates.problem
    answers = list(dict.fromkeys(part.answer for part in parts if part.answer is not None))
    if len(answers) > 1:
        raise TaskError(
            f"problem {problem.id!r} has the gold answers {answers[0]!r} and {answers[1]!r} in different sources; "
            "make them one"
        )
    turns = [
        (part.candidates, candidate)
        for row in zip_longest(*(part.candidates for part in parts))
        for part, candidate in zip(parts, row, strict=True)
        if candidate is not None
    ]
    known = dict.fromkeys(name for part in parts for name in _recorded(part.candidates))
    recorded = {name: [_recorded_of(name, *turn) for turn in turns] for name in known}
    recorded["policy"] = [_recorded_of("policy", found, one) or found.policy or None for found, one in turns]
    joined = CandidateSet(
        problem=problem.model_copy(update={"metadata": {**problem.metadata, "recorded": recorded}}),
        candidates=tuple(one.model_copy(update={"index": place}) for place, (_, one) in enumerate(turns)),
    )
    return Sampled(joined, answers[0] if answers else None)


def _recorded(found: CandidateSet) -> dict[str, list[Any]]:
    """What is recorded of each candidate, by name."""
    recorded = found.problem.metadata.get("recorded", {})
    return {name: values for name, values in recorded.items() if isinstance(values, list)}


def _recorded_of(name: str, found: CandidateSet, candidate: Candidate) -> Any:
    values = _recorded(found).get(name, [])
    return values[candidate.index] if candidate.index < len(values) else None
