"""What a call would do, without asking a model: its first prompt, what is extracted, what it would cost.

Decisions: the first problem is really decided, with stand-ins for the models that note what they are asked, so that
prompt and number of calls are those of the strategy itself and not of a description of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from tts.answers import find_answer
from tts.api.candidate_sets import candidate_sets
from tts.api.problems import problems_of
from tts.api.settings import Settings, checked, extractor_given, settle_answers
from tts.api.stand_ins import CHARACTERS, Noted, Valuer, Writer
from tts.api.told import name_of
from tts.bridge.loop import run_sync
from tts.contracts.grader import Extract
from tts.contracts.grader import extractor as extractor_of
from tts.contracts.strategy import Strategy
from tts.engine.engine import Engine
from tts.sources.opening import at_hand
from tts.sources.understood import counted
from tts.vocabulary.records import Candidate, Message, Sampled, Sampling

SHOWN = 3  # responses
_WIDTH = 100  # characters of a response that are shown: its end, where answers stand
_MANY = 100_000  # problems that are counted at most; a task may never end
# Of the engine's settings, for the stand-ins.
_KEPT = ("sampling", "seed", "direct_template", "system", "answers", "extractor")


class Extracted(NamedTuple):
    """The end of a response, the answer that is found in the whole of it, and by what."""

    end: str
    answer: str | None
    rule: str

    def __str__(self) -> str:
        found = "no answer" if self.answer is None else f"answer {self.answer!r} by {self.rule}"
        return f"  {found}, in: {self.end}"


class Explanation(NamedTuple):
    """The first prompt as messages, responses with what is extracted from them, the calls and tokens of the whole call.

    `tokens` are of the prompts, at four characters a token; `limit` is how many a response may have.
    """

    prompt: tuple[Message, ...]
    extracted: list[Extracted]
    problems: int
    calls: dict[str, int]
    tokens: int
    limit: int | None

    def __str__(self) -> str:
        said = [f"[{message.role}]\n{message.content}" for message in self.prompt]
        prompt = ["The first prompt, before the model's chat template:", *said]
        read = ["What is extracted from responses:", *map(str, self.extracted)]
        return "\n".join([
            *(prompt if said else ["No prompt: nothing is asked of a model that writes."]),
            "",
            *(read if self.extracted else ["No responses yet, so nothing is extracted."]),
            "",
            self._cost(),
        ])  # fmt: skip

    def _cost(self) -> str:
        calls = ", ".join(f"{number:,} by the {role}" for role, number in self.calls.items() if number)
        limit = f", each of at most {self.limit:,} new tokens" if self.limit and calls else ""
        problems = counted(self.problems, "problem")
        prompts = f"about {self.tokens:,} tokens of prompts"
        return f"Estimate for {problems} like the first: calls: {calls or 'none'}{limit}; {prompts}."


def explain(
    source: Any,
    strategies: Sequence[Strategy],
    k: int,
    *,
    n: int | None = None,
    columns: Any = None,
    limit: int | None = None,
    on_error: Any = "raise",
    think: tuple[str, str] | None = None,
    engine: Settings,
) -> Explanation:
    """What deciding on a source by these strategies would ask of models.

    Without strategies, what sampling k candidates would. Raises what reading the source raises.
    """
    source = at_hand(source)
    settle_answers(engine, source, columns)
    given = checked(engine)
    sets, _ = candidate_sets(source, columns, limit, on_error, engine, think)
    if sets is None:
        examples, _ = problems_of(source, columns, limit, on_error, given.get("model"))
        known = list(islice(examples, _MANY))
        return _explained(_noted(known[:1], strategies, k, n or k, given, []), [], len(known), len(known), given)
    found = list(sets)
    texts = [one for each in found for one in each.candidates if one.text.strip()]
    groups = sum(max(len(one.candidates) // k, 1) for one in found)
    noted = _noted([_group(one, k) for one in found[:1]], strategies, k, None, given, [one.text for one in texts[:k]])
    return _explained(noted, texts, len(found), groups, given)


def _group(sampled: Sampled, k: int) -> Sampled:
    """The first k candidates."""
    kept = sampled.candidates.candidates[:k]
    return Sampled(sampled.candidates.model_copy(update={"candidates": kept}), sampled.answer)


def _explained(
    noted: Noted, texts: Sequence[Candidate], problems: int, times: int, engine: dict[str, Any]
) -> Explanation:
    """The whole call, which does `times` what was noted."""
    sampling: Sampling = engine.get("sampling") or Sampling()
    return Explanation(
        noted.first,
        [_extracted(one, extractor_given(engine)) for one in texts[:SHOWN]],
        problems,
        {role: number * times for role, number in noted.calls.items()},
        noted.characters * times // CHARACTERS,
        sampling.max_tokens,
    )


def _extracted(one: Candidate, extractor: str | Extract) -> Extracted:
    text = " ".join(one.text.split())
    end = text if len(text) <= _WIDTH else f"…{text[1 - _WIDTH :]}"
    shown = one.summary or ""
    if extractor != "auto":
        found_by = f"the extractor {name_of(extractor)!r}"
        return Extracted(end, extractor_of(extractor)(shown) if shown else None, found_by)
    found = find_answer(shown).found if shown else None
    return Extracted(end, found.answer if found else None, f"the rule {found.rule!r}" if found else "")


def _noted(
    first: Sequence[Any],
    strategies: Sequence[Strategy],
    k: int,
    n: int | None,
    engine: dict[str, Any],
    says: Sequence[str],
) -> Noted:
    """What deciding on the first problem asks of stand-ins; `n` of its candidates are sampled, or it has them."""
    noted = Noted()
    models: dict[str, Any] = {
        "model": Writer(noted, "policy", says),
        "synthesizer": Writer(noted, "synthesizer", says),
        "scorer": Valuer(noted, "scorer"),
        "judge": Valuer(noted, "judge"),
    }
    settings = {name: engine[name] for name in _KEPT if name in engine}

    async def work() -> None:
        async with Engine(**models, **settings) as one:
            if not strategies:
                _ = [each async for each in one.sample(first, k)]
            elif n is not None:
                _ = [each async for each in one.run(first, strategies, k, n=n)]
            else:
                _ = [each async for each in one.compare(first, strategies, k)]

    run_sync(work)
    return noted
