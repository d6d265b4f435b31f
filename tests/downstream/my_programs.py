"""Programs as their users write them: the verbs, the engine, what is read and what is written.

FROZEN, as `my_plugin.py` says. Each function takes a folder and models that stand for real ones.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import my_plugin

import tts
from tts.tasks.sums import Sums

if TYPE_CHECKING:  # engines that need not be installed
    from tts_backends.hf import HFBackend
    from tts_backends.openai import OpenAIBackend

PROBLEMS = [tts.Problem(id="a", prompt="1+2"), tts.Problem(id="b", prompt="2+3")]
GOLD = {"a": "3", "b": "5"}


def examples() -> list[tts.Example]:
    return [tts.Example(problem=problem, answer=GOLD[problem.id]) for problem in PROBLEMS]


# --- verbs ------------------------------------------------------------------------------------------


def solves(model: tts.Backend) -> tts.Result:
    result = tts.solve("What is 2+3?", strategy="gsr", k=4, model=model, seed=1)
    assert_type(result, tts.Result)
    assert_type(result.answer, str | None)
    assert_type(result.decision, tts.Decision | None)
    assert_type(result.usage["policy"].generated_tokens, int)
    assert result.provenance.k == len(result.candidates)
    return result


def runs(model: tts.Backend, folder: Path) -> str:
    heard: list[str] = []
    run = tts.run(
        examples(),
        strategy=my_plugin.Longest(least=3),
        k=2,
        limit=2,
        on_result=lambda result: heard.append(result.problem.id),
        grader="math",
        model=model,
        store=folder / "runs.db",
        sampling=tts.Sampling(temperature=0.7, top_p=0.9, seed=3, stop=("\n\n",)),
        concurrency=4,
        budget=10_000,
        request_timeout=60.0,
    )
    assert sorted(heard) == sorted(run.answers)
    assert_type(run[0], tts.Result)
    assert_type(run.results[0].usage["policy"].prompt_tokens, int)
    assert_type(run.accuracy(run.strategy), tts.eval.Estimate | None)
    run.report(folder / "run.html", title="Mine")
    run.save(folder / "run.jsonl")
    return str(run)


def settings_of_its_own(model: tts.Backend) -> tts.eval.Comparison:
    settings: tts.Settings = {"model": model, "seed": 1, "progress": False}
    assert tts.TimeLimits(deadline=2.0, quorum=2).deadline == 2.0
    further: tts.ComparisonSettings = {"model": model, "seed": 1, "limit": 2, "order_trials": 1}
    assert len(tts.compare(examples(), strategies=["majority"], k=2, **further).rows) == 2
    return tts.run(examples(), strategy="majority", k=2, **settings)


def compares(model: tts.Backend, scorer: tts.Scorer, judge: tts.Judge, folder: Path) -> tts.eval.Comparison:
    samples = tts.sample(examples(), k=4, model=model, store=folder / "samples.db")
    assert_type(samples, tts.Samples)
    assert_type(samples[0], tts.CandidateSet)
    assert_type(samples[0][0], tts.Candidate)
    assert_type(samples.answers, dict[str, str | None])
    strategies: list[str | tts.Strategy] = [
        "first",
        "majority",
        tts.strategy("gsr", outputs=2),
        tts.strategy(my_plugin.Longest, least=1),
        "best_of_n",
        "knockout",
    ]
    table = tts.compare(samples, strategies=strategies, k=4, scorer=scorer, judge=judge, store=folder / "samples.db")
    assert_type(table, tts.eval.Comparison)
    gap = table.gap("gsr", "majority")
    assert gap is not None
    assert gap.low <= gap.mean <= gap.high
    assert {pair.verdict for pair in table.pairs()} <= {"better", "worse", "cannot tell"}
    pair = table.pair("gsr", "majority")
    assert_type(pair, tts.eval.Pair | None)
    assert pair is None or pair.detectable is None or isinstance(pair.detectable, tts.eval.Detectable)
    assert_type(table.equal_budgets("all tokens"), list[tts.eval.Budget])
    assert_type(table.g_pass(0.5), tts.eval.Estimate | None)
    assert tts.eval.g_pass_at_k([[True, False]], 1.0)[0, 1] == 0
    assert_type(table.unlike_slots, tts.eval.UnlikeSlots | None)
    assert tts.eval.clustered_difference([("p", 1.0), ("q", 0.0)]) is not None
    assert table.usage("knockout").calls > 0
    assert table.costs("best_of_n")["scorer"].calls > 0
    assert set(table.curves()) <= {"pass", "maj", "bon", "weighted", *table.strategies, *table.curves()}
    assert json.dumps(table.to_dict())
    return table


def joins(model: tts.Backend, folder: Path) -> tts.Samples:
    mine = tts.sample(examples(), k=2, model=model)
    theirs = mine.save(folder / "theirs.jsonl")
    joined = tts.join_candidates(mine, theirs)
    assert_type(joined.sampled, list[tts.Sampled])
    assert [len(one) for one in joined] == [4, 4]
    return joined


# --- the engine -------------------------------------------------------------------------------------


async def engine(model: tts.Backend, scorer: tts.Scorer, folder: Path) -> list[str]:
    events: list[tts.Event] = []
    texts: list[str] = []
    async with tts.Engine(
        model=model, scorer=scorer, store=folder / "engine.db", seed=1, timeout=60.0, listeners=[events.append]
    ) as one:
        async for outcome in one.run(examples(), ["majority", my_plugin.Rewrite()], 2, n=4):
            assert_type(outcome, tts.Outcome)
            texts += [result.text for result in outcome.results.values()]
            assert outcome.errors == {}
        sampled = [each async for each in one.sample(examples(), 4)]
        async for outcome in one.compare(sampled, ["first"], 2, order_trials=0):
            assert outcome.answer == GOLD[outcome.problem.id]
        result = await one.solve("What is 5+5?", "majority", 2)
        assert_type(result.alternatives, tuple[str | None, ...])
        assert await one.count_tokens(["some words"]) == [2]
        assert one.spent["policy"].total_tokens > 0
        assert "policy" in one.fingerprints
    assert {"problem_started", "candidate", "decision"} <= {event.kind for event in events}
    return texts


def from_synchronous_code(model: tts.Backend, scorer: tts.Scorer, folder: Path) -> list[str]:
    return tts.run_sync(lambda: engine(model, scorer, folder))


def stored(path: Path) -> int:
    with tts.Store(path) as store:
        for found in store.sets():
            candidates = store.load(found, tts.answers.extract)
            assert_type(candidates, tts.CandidateSet)
            assert len(candidates) == found.stored
        return store.counts()["problems"]


# --- reading ----------------------------------------------------------------------------------------


def reads(folder: Path) -> None:
    table = folder / "problems.csv"
    table.write_text("question,gold,level\n1+2,3,easy\n2+3,5,hard\n", "utf-8")
    columns = {"problem": "question", "answer": "gold"}
    found = list(tts.read_examples(table, columns=columns, limit=1))
    assert_type(found, list[tts.Example])
    assert (found[0].problem.text, found[0].answer) == ("1+2", "3")
    rows: list[tts.ReadRow] = list(tts.read_rows(table, columns=columns))
    assert [row.columns["level"] for row in rows] == ["easy", "hard"]
    assert {row.example.problem.digest for row in rows} == {row.example.problem.digest for row in rows}

    file = folder / "candidates.jsonl"
    row = {"problem": "1+2", "answer": "3", "candidates": ["<think>hm</think>\\boxed{3}", {"text": "\\boxed{4}"}]}
    file.write_text(json.dumps(row) + "\n", "utf-8")
    (read,) = tts.read_candidate_sets(file, extract=tts.answers.extract)
    assert_type(read, tts.Sampled)
    assert [one.answer for one in read.candidates] == ["3", "4"]
    assert read.candidates[0].thinking == "hm"
    assert tts.interop.detect(file) is None
    assert "lm-eval" in tts.interop.FORMATS


def names() -> dict[str, str]:
    host = tts.plugins()
    host.register("backend", "my-parrot", my_plugin.Parrot, "says a number")
    found = tts.find_model("backend", "my-parrot:polly@wrong=0.5")
    model = found.cls(found.model, found.options)
    task = tts.task("sums", size=3)
    assert_type(task, tts.Task)
    assert isinstance(task, Sums)
    assert [one.answer is not None for one in task.examples()] == [True] * 3
    assert isinstance(tts.task(my_plugin.Doubling), my_plugin.Doubling)
    return {"model": model.fingerprint, "strategy": tts.strategy("majority").name, "version": tts.__version__}


async def grades() -> list[bool]:
    grader: tts.Grader = tts.grader("math")
    function = tts.grader("my_plugin:same_letters")
    try:
        return [*await grader.grade([("1/2", "0.5"), ("1", None)]), *await function.grade([("abc", "cab")])]
    finally:
        await grader.aclose()
        await function.aclose()


async def answers() -> None:
    async with tts.answers.Answers(workers=1) as service:
        assert await service.equal("1/2", "0.5")
        classes: tts.answers.Clusters = await service.cluster(["0.5", "1/2", None, "3"])
        assert (classes.labels, classes.sizes) == ((0, 0, None, 1), (2, 1))
        assert await service.grade_many([("3", "3"), ("3", "4")]) == [True, False]
    assert tts.answers.extract("so \\boxed{3}") == "3"
    assert tts.answers.fast_equal("3", "3.0") is True


async def prompts(folder: Path) -> None:
    problem = PROBLEMS[0]
    assert_type(tts.prompts.direct_messages(problem), tuple[tts.Message, ...])
    candidates = [tts.Candidate(index=i, text=f"\\boxed{{{i}}}", summary=f"\\boxed{{{i}}}") for i in range(2)]

    async def count_tokens(texts: Any) -> list[int]:
        return [len(text) for text in texts]

    prompt = await tts.prompts.refine_messages(
        problem, candidates, rng=random.Random(0), count_tokens=count_tokens, candidate_tokens=100
    )
    assert sorted(prompt.order) == [0, 1]
    assert tts.prompts.synthesize_messages(problem, candidates, rng=random.Random(0)).messages
    trained = tts.prompts.Prompts(
        direct_template="{{ problem }}",
        refine_template="{{ problem }}{% for one in candidates %}{{ one }}{% endfor %}",
        candidate_tokens=100,
        k=2,
    )
    assert tts.prompts.Prompts.read(trained.write(folder)) == trained
    assert trained.refine.fields == {"problem", "candidates"}


def evaluates(model: tts.Backend, folder: Path) -> list[str]:
    evaluation = tts.eval.evaluate(
        examples(), folder / "eval", strategies=["majority"], k=2, n=4, outputs=1, model=model, report="page.html"
    )
    assert_type(evaluation, tts.eval.Evaluation)
    assert evaluation.comparison.pass_at_k is not None
    price = tts.eval.Price(prompt=0.1, generated=0.4)
    assert tts.eval.Prices(policy=price).of(evaluation.comparison.costs("majority")) >= 0
    found: tts.report.ReportData = tts.report.report_data(evaluation.comparison)
    assert my_plugin.calls(found) is not None
    tts.report.write_report(evaluation.comparison, folder / "again.html")
    assert my_plugin.page(evaluation.comparison, folder / "mine.txt").exists()
    assert tts.eval.pass_at_k([[True, False]]).shape == (1, 2)
    return [table.title for table in evaluation.tables()]


# --- what goes wrong --------------------------------------------------------------------------------


def advice(error: Exception) -> str:
    """What a program tells its user."""
    match error:
        case tts.MissingDependencyError():
            return "install"
        case tts.UnknownPluginError():
            return f"no {error.kind} {error.name}"
        case tts.DuplicateNameError() | tts.MissingRoleError() | tts.MissingCapabilityError() | tts.ConfigError():
            return "change the call"
        case tts.ContextLengthError():
            return f"shorten {error.prompt_tokens} to {error.context_length}"
        case tts.BackendTimeout() | tts.BackendUnavailable() | tts.BackendError():
            return "try again" if error.retryable else "look at the model"
        case tts.StrategyError() | tts.DeadlineError() | tts.NoCandidatesError() | tts.BudgetExceededError():
            return "look at the strategy"
        case tts.IncompleteError():
            return "run it again"
        case tts.StoreError() | tts.TaskError() | tts.OutputError() | tts.TTSError():
            return "look at the file"
        case _:
            raise error


WARNINGS: tuple[type[Warning], ...] = (tts.PluginWarning, tts.MismatchWarning, tts.OriginWarning)


def refuses() -> list[str]:
    said: list[str] = []
    for call in (
        lambda: tts.strategy("majorty"),
        lambda: tts.strategy("gsr", outputs=0),
        lambda: tts.compare(PROBLEMS, strategies=["best_of_n"], model=my_plugin.Parrot("p", my_plugin.ParrotOptions())),
        lambda: list(tts.read_examples("there-is-no-such-file.jsonl")),
    ):
        try:
            call()
        except tts.TTSError as error:
            said.append(advice(error))
    return said


def called(text: str) -> list[str]:
    """The names of the tools that a response calls; what stands before the calls is written back with them."""
    said = tts.split_tool_calls(text)
    again = tts.with_tool_calls(said.text, [tts.ToolCall(one.name, one.arguments) for one in said.calls])
    assert tts.split_tool_calls(again) == said
    return [one.name for one in said.calls]


# --- backends at their paths ------------------------------------------------------------------------


async def in_memory(model: Any, tokenizer: Any, problems: Iterable[tts.Example]) -> int:
    """A transformers model in memory, e.g. one in training."""
    from tts_backends.hf import HFBackend

    backend: HFBackend = HFBackend.from_model(model, tokenizer, name="mine", prompts=None)
    async with tts.Engine(model=backend) as one:
        return len([each async for each in one.sample(problems, 2)])


def served(url: str) -> OpenAIBackend:
    """A server with OpenAI's interface."""
    from tts_backends.openai import OpenAIBackend

    found = tts.find_model("backend", f"openai:my-model@base_url={url},retries=0")
    backend = found.cls(found.model, found.options)
    assert isinstance(backend, OpenAIBackend)
    typed: tts.Backend = backend
    assert typed.capabilities.concurrency > 0
    return backend
