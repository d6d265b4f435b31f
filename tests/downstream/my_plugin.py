"""A plugin as its author writes it: hooks, with one object of each kind behind them.

FROZEN. People have written code like this, and it has to go on working as it stands. A change to a file of this folder
is a change to the promise (CONTRIBUTING.md, "What may change, and how"): what is new in `tts` is added here; a line
that is there may change only where a release has warned of it before.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import click
from pydantic import Field

import tts
from tts.eval import Comparison
from tts.prompts import Template, judge_messages, neutralised, read_template, read_verdict, shuffled, visible
from tts.report import Figure, Point, ReportData, Section, Series, StrategyData, Table

# --- hooks: nothing heavy is imported until somebody asks for a name -----------------------------------


@tts.hookimpl
def tts_strategies() -> list[tts.Entry]:
    return [
        tts.Entry(
            name="my-longest",
            target="my_plugin:Longest",
            summary="the longest response",
            paper="Nobody 2020, arXiv 2001.00001",
        ),
        tts.Entry(name="my-rewrite", target="my_plugin:Rewrite", summary="the policy writes the best one anew"),
        tts.Entry(name="my-council", target="my_plugin:Council", summary="another strategy, then a judge and a writer"),
    ]


@tts.hookimpl
def tts_backends() -> list[tts.Entry]:
    return [tts.Entry(name="my-parrot", target="my_plugin:Parrot", extra="my-plugin[parrot]", summary="says a number")]


@tts.hookimpl
def tts_scorers() -> list[tts.Entry]:
    return [tts.Entry(name="my-brevity", target="my_plugin:Brevity", summary="fewer words are better")]


@tts.hookimpl
def tts_judges() -> list[tts.Entry]:
    return [
        tts.Entry(name="my-terse", target="my_plugin:Terse", summary="a format that asks for brevity"),
        tts.Entry(name="my-alphabet", target="my_plugin:Alphabet", summary="prefers what comes first in a dictionary"),
    ]


@tts.hookimpl
def tts_tasks() -> list[tts.Entry]:
    return [tts.Entry(name="my-doubling", target="my_plugin:Doubling", summary="doubles of whole numbers")]


@tts.hookimpl
def tts_graders() -> list[tts.Entry]:
    return [tts.Entry(name="my-letters", target="my_plugin:Letters", summary="equal but for case")]


@tts.hookimpl
def tts_extractors() -> list[tts.Entry]:
    return [tts.Entry(name="my-last-word", target="my_plugin:last_word", summary="the last word")]


@tts.hookimpl
def tts_reports() -> list[tts.Entry]:
    return [tts.Entry(name="my-calls", target="my_plugin:calls", summary="calls of each strategy")]


@tts.hookimpl
def tts_pages() -> list[tts.Entry]:
    return [tts.Entry(name="my-page", target="my_plugin:page", summary="a page of one line")]


@tts.hookimpl
def tts_commands() -> list[tts.Entry]:
    return [tts.Entry(name="my-greet", target="my_plugin:greet", summary="says hello")]


HEARD: list[tuple[str, str]] = []


@tts.hookimpl
def tts_event(event: tts.Event) -> None:
    HEARD.append((event.kind, event.message or event.problem or event.strategy))


# --- strategies -----------------------------------------------------------------------------------


class Longest(tts.Strategy):
    """The longest response that has an answer. No paper."""

    name: ClassVar[str] = "my-longest"
    order_invariant: ClassVar[bool] = True
    tells_confidence: ClassVar[bool] = True
    card: ClassVar[tts.Card | None] = tts.Card(calls="none", use="never", weakness="long is not right")

    least: int = Field(default=0, ge=0)
    """The fewest characters of a response that is considered. By default none (our choice)."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        usable = [one for one in found.usable if len(one.text) >= self.least] or list(found.usable)
        classes = await ctx.cluster([one.answer for one in usable])
        best = max(usable, key=lambda one: (one.answer is not None, len(one.text), one.text))
        label = classes.labels[usable.index(best)]
        share = 0.0 if label is None else classes.sizes[label] / len(usable)
        ctx.log("chose", characters=len(best.text), of=ctx.k)
        trace = {"least": self.least, "classes": list(classes.representatives)}
        return tts.Decision(text=best.text, chosen=best.index, confidence=share, trace=trace)


TEMPLATE = "{{ problem }}\n\nWrite this anew:\n{{ response }}\n"


class Rewrite(tts.Strategy):
    """The policy writes the candidate with the best score anew (my paper, arXiv 2001.00002)."""

    name: ClassVar[str] = "my-rewrite"
    needs: ClassVar[tts.Needs] = tts.Needs(policy=True, scorer=True)

    outputs: int = Field(default=1, ge=1)
    """Independent rewritings; the first is the answer, the rest are alternatives. By default one (our choice)."""

    template: str | None = None
    """The prompt: the path of a Jinja file with the fields `problem` and `response`. By default ours."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        usable = (await ctx.candidates()).usable
        scores = await ctx.score(usable)
        best, score = max(zip(usable, scores, strict=True), key=lambda pair: (pair[1].value, pair[0].text))
        tokens = await ctx.count_tokens([visible(best)])
        fields = frozenset({"problem", "response"})
        template = read_template(self.template, fields) if self.template else Template(source=TEMPLATE)
        prompt = template.render(problem=ctx.problem.text, response=neutralised(visible(best)))
        sampling = tts.Sampling(temperature=0.3, max_tokens=256)
        written = await ctx.generate([tts.Message(role="user", content=prompt)], self.outputs, sampling=sampling)
        good = [one for one in written if one.ok]
        if not good:
            raise tts.NoCandidatesError(f"none of {self.outputs} rewritings can be used; give more outputs=")
        first, *rest = good
        return tts.Decision(
            text=first.summary or first.text,
            alternatives=tuple(one.summary or one.text for one in rest),
            rates={"rewritten": (len(good), len(written))},
            trace={"score": score.value, "tokens": tokens, "template": template.digest},
        )


class Council(tts.Strategy):
    """Another strategy decides; the judge compares it with a candidate, and the synthesizer has the last word."""

    name: ClassVar[str] = "my-council"
    needs: ClassVar[tts.Needs] = tts.Needs(judge=True, synthesizer=True)
    order_invariant: ClassVar[bool] = False

    inner: tts.Strategy = Field(default_factory=lambda: tts.strategy("majority"))
    """The strategy that decides first. By default `majority` (our choice)."""

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        arrived: list[tts.Candidate] = []
        async with ctx.sample(2) as arriving:
            async for candidate in arriving:
                arrived.append(candidate)
        decided = await ctx.decide(self.inner)
        a, *others = shuffled((await ctx.candidates()).usable, ctx.rng)
        verdicts = await ctx.judge(a, others[0], n=1) if others else []
        winner = others[0] if verdicts and verdicts[0].winner == "b" else a
        written = await ctx.synthesize([tts.Message(role="user", content=f"{decided.text}\n{winner.text}")])
        texts = [one.text for one in written if one.ok] or [decided.text]
        trace = {"arrived": len(arrived), "answer": ctx.extract(texts[0]), "trained": ctx.prompts is not None}
        return tts.Decision(text=texts[0], trace=trace)


# --- models ---------------------------------------------------------------------------------------


class ParrotOptions(tts.NoOptions):
    """What `my-parrot:NAME[@option=value,...]` takes."""

    wrong: float = Field(default=0.25, ge=0, le=1)
    """Share of numbers that are wrong. By default a quarter (our choice)."""


class Parrot:
    """A backend: words, then a number in a box. A token is a word."""

    Options = ParrotOptions
    capabilities = tts.Capabilities(seed=True, exact_token_counts=True, concurrency=8)

    def __init__(self, model: str, options: ParrotOptions) -> None:
        if not model:
            raise tts.ConfigError("the parrot has no name; write 'my-parrot:polly'")
        self.fingerprint = f"my-parrot:{model}:{options.wrong}"
        self._wrong = options.wrong
        self._open = True

    async def generate(self, request: tts.Request) -> AsyncGenerator[tts.Completion, None]:
        if not self._open:
            raise tts.BackendUnavailable("the parrot is gone; make another")
        if len(request.seeds) != request.n:
            raise tts.ConfigError(f"{request.n} completions and {len(request.seeds)} seeds; give one for each")
        prompt = sum(len(message.content.split()) for message in request.messages)
        left = request.n
        try:
            for index, seed in enumerate(request.seeds):
                words, finish = self._words(request, random.Random(seed if request.sampling.temperature else 0))
                for _ in words:
                    await asyncio.sleep(0)
                text = " ".join(words)
                for stop in request.sampling.stop:
                    text = text.partition(stop)[0]
                thinking, summary = tts.split_thinking(text)
                left -= 1
                yield tts.Completion(
                    index=index,
                    text=text,
                    thinking=thinking,
                    summary=summary,
                    finish_reason=finish,
                    usage=tts.Usage(calls=1, prompt_tokens=prompt, answer_tokens=len(words)),
                )
        finally:
            for _ in range(left):
                request.on_cancelled(tts.Usage(calls=1, prompt_tokens=prompt, cancelled=1))

    def _words(self, request: tts.Request, rng: random.Random) -> tuple[list[str], Literal["stop", "length"]]:
        found = re.search(r"(\d+)\+(\d+)", request.messages[-1].content)
        right = int(found[1]) + int(found[2]) if found else 0
        answer = right + (rng.random() < self._wrong)
        words = [*rng.choices(("so", "then", "hence"), k=rng.randint(2, 9)), f"\\boxed{{{answer}}}"]
        limit = request.sampling.max_tokens or len(words)
        return words[:limit], "stop" if limit >= len(words) else "length"

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def aclose(self) -> None:
        self._open = False


class BrevityOptions(tts.NoOptions):
    """What `my-brevity:UNIT[@option=value,...]` takes."""

    penalty: float = Field(default=1.0, gt=0)
    """What a unit costs. By default one (our choice)."""


class Brevity:
    """A scorer: `my-brevity:words` or `my-brevity:letters`."""

    Options = BrevityOptions
    light = True

    def __init__(self, model: str, options: BrevityOptions) -> None:
        if model not in {"words", "letters"}:
            raise tts.ConfigError(f"there is no 'my-brevity:{model}'; give 'my-brevity:words' or 'my-brevity:letters'")
        self._words, self._penalty = model == "words", options.penalty
        self.fingerprint = f"my-brevity:{model}:{options.penalty}"

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        lengths = [len(one.text.split()) if self._words else len(one.text) for one in responses]
        return [tts.Score(value=-self._penalty * length, usage=tts.Usage(calls=1)) for length in lengths]

    async def aclose(self) -> None: ...


class Terse(tts.JudgeFormat):
    """A judge format over any backend: the generic prompt, and a word about length."""

    max_tokens: int | None = 64
    """As in `tts.JudgeFormat`, but a verdict is short. By default 64 (our choice)."""

    hint: str = "Be brief."
    """The last line of the prompt. By default ours."""

    def messages(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate) -> tuple[tts.Message, ...]:
        *before, asked = judge_messages(problem, a, b)
        return (*before, tts.Message(role="user", content=f"{asked.content}\n{self.hint}"))

    def read(self, text: str) -> Literal["a", "b", "tie"] | None:
        letter = read_verdict(text)
        return None if letter is None else "a" if letter == "A" else "b"


class Alphabet:
    """A judge by means of its own: the response that comes first in a dictionary."""

    Options = tts.NoOptions

    def __init__(self, model: str, options: tts.NoOptions) -> None:
        self.fingerprint = tts.code_of(type(self), model)

    async def compare(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate, *, seed: int) -> tts.Verdict:
        winner: Literal["a", "b", "tie"] = "tie" if a.text == b.text else "a" if a.text < b.text else "b"
        usage = tts.Usage(calls=1, prompt_tokens=len(a.text.split()) + len(b.text.split()))
        return tts.Verdict(winner=winner, text=f"{a.text!r} against {b.text!r}", usage=usage)

    async def aclose(self) -> None: ...


# --- tasks and answers ----------------------------------------------------------------------------


class Doubling(tts.Task):
    """Doubles of whole numbers."""

    name: ClassVar[str] = "my-doubling"
    argument: ClassVar[str | None] = "kind"

    kind: Literal["plain", "words"] = "plain"
    """How a problem is written; `task:my-doubling:words` gives it. By default in digits."""

    size: int = Field(default=10, ge=1)
    """Number of problems. By default ten (our choice)."""

    grader: str = "math"
    extractor: str = "auto"

    def examples(self) -> Iterator[tts.Example]:
        for number in range(self.size):
            text = f"{number}+{number}" if self.kind == "plain" else f"Twice the number {number}, please."
            problem = tts.Problem(id=f"double-{number}", prompt=text, metadata={"number": number})
            yield tts.Example(problem=problem, answer=str(2 * number))


class Letters:
    """A grader: equal but for case."""

    async def grade(self, pairs: Sequence[tuple[str, str | None]]) -> list[bool]:
        return [answer is not None and gold.casefold() == answer.casefold() for gold, answer in pairs]

    async def aclose(self) -> None: ...


def last_word(text: str) -> str | None:
    """An extractor."""
    words = re.findall(r"\w+", text)
    return str(words[-1]) if words else None


def same_letters(gold: str, answer: str) -> bool:
    """A grader as a function, for `grader="my_plugin:same_letters"`."""
    return sorted(gold) == sorted(answer)


# --- reports and commands -------------------------------------------------------------------------


def calls(data: ReportData) -> Section | None:
    """A section of reports."""
    if not data.strategies:
        return None
    table = Table("Calls", ["strategy", "calls", "accuracy"], [_row(one) for one in data.strategies])
    points = tuple(Point(one.label, one.total.calls) for one in data.strategies)
    series = Series("calls", points, data.color(data.strategies[0].label))
    figure = Figure("my-calls", "Calls", "bars", "strategy", "calls", (series,))
    words = (f"{data.problems} problems in groups of {data.k}.",)
    return Section("my-calls", "Calls of a stranger", text=words, tables=(table,), figures=(figure,), order=95)


def _row(one: StrategyData) -> list[str]:
    accuracy = one.accuracy
    return [one.label, str(one.total.calls), "" if accuracy is None else f"{accuracy.low:.2f} … {accuracy.high:.2f}"]


def page(compared: Comparison, path: str | Path, **_: object) -> Path:
    """A writer of reports."""
    target = Path(path)
    target.write_text(f"{', '.join(compared.strategies)} on {len(compared.rows)} groups\n", "utf-8")
    return target


@click.command()
@click.option("--name", default="stranger")
def greet(name: str) -> None:
    """Say hello."""
    click.echo(f"hello {name}")


def declared() -> Iterable[tts.Entry]:
    """All that the hooks above declare."""
    for hook in (
        tts_strategies, tts_backends, tts_scorers, tts_judges, tts_tasks, tts_graders, tts_extractors, tts_reports,
        tts_pages, tts_commands,
    ):  # fmt: skip
        yield from hook()
