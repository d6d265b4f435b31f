"""Tournaments under judges whose taste is known, through a real format and a scripted backend."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner
from doubles import FakeBackend, boxed, candidate_set, decide
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tts
from tts.cli import main

Fake = Callable[..., type[FakeBackend]]
several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def shown(request: tts.Request) -> list[int]:
    """The answers of the two responses in a judge's prompt, in order."""
    return [int(answer) for answer in re.findall(r"so \\boxed\{(\d+)\}", request.messages[-1].content)]


def larger(request: tts.Request, _: int) -> str:
    """A judge that prefers the larger number."""
    a, b = shown(request)
    return "<think>hm</think>So <answer>[[A]]</answer>" if a >= b else "<think>[[A]]?</think>So <answer>[[B]]</answer>"


def always(text: str) -> Callable[[tts.Request, int], str]:
    return lambda _request, _index: text


def compare(found: tts.CandidateSet, seed: int = 0, **parameters: object) -> tts.Result:
    return decide(found, tts.strategy("knockout", **parameters), judge="generic:fake:j", seed=seed)


class TestBracket:
    @several
    @given(answers=st.lists(st.integers(0, 9), min_size=1, max_size=11), seed=st.integers(0, 3))
    def test_a_perfect_judge_always_advances_the_best(self, fake: Fake, answers: list[int], seed: int) -> None:
        backend = fake(script=larger)
        result = compare(boxed(*answers), seed)
        assert result.answer == str(max(answers))
        rounds = result.decision.trace["rounds"]
        matches = [match for one in rounds for match in one["matches"]]
        assert len(matches) == len(answers) - 1
        assert len(rounds) == (len(answers) - 1).bit_length()
        paid = [match for match in matches if match["by"] != "equal answers"]
        assert backend.completions() <= len(paid) == result.decision.rates["invalid verdicts"][1]
        assert all(answers[m["a"]] != answers[m["b"]] for m in paid)

    @several
    @given(answers=st.lists(st.integers(0, 9), min_size=1, max_size=9))
    def test_who_lost_is_out_and_byes_wait(self, fake: Fake, answers: list[int]) -> None:
        fake(script=larger)
        standing = set(range(len(answers)))
        trace = compare(boxed(*answers), judge_equal=True).decision.trace
        for one in trace["rounds"]:
            players = [m[side] for m in one["matches"] for side in "ab"] + [one["bye"]] * (one["bye"] is not None)
            assert sorted(players) == sorted(standing)
            assert len(one["matches"]) == len(standing) // 2
            assert all(m["winner"] in (m["a"], m["b"]) for m in one["matches"])
            standing -= {m[side] for m in one["matches"] for side in "ab"} - {m["winner"] for m in one["matches"]}
        assert len(standing) == 1

    @several
    @given(order=st.permutations(range(7)), seed=st.integers(0, 2))
    def test_the_order_of_the_candidates_does_not_matter(self, fake: Fake, order: list[int], seed: int) -> None:
        fake(script=lambda request, _: "[[A]]" if request.seeds[0] % 2 else "[[B]]" if request.seeds[0] % 3 else "?")
        assert compare(boxed(*order), seed).answer == compare(boxed(*range(7)), seed).answer

    def test_the_draw_follows_the_seed(self, fake: Fake) -> None:
        fake(script=always("[[A]]"))
        assert len({compare(boxed(*range(8)), seed).answer for seed in range(12)}) > 3

    def test_one_candidate_needs_no_judge(self, fake: Fake) -> None:
        backend = fake()
        assert compare(boxed(4)).answer == "4"
        assert not backend.requests

    def test_who_has_nothing_to_show_stays_out(self, fake: Fake) -> None:
        backend = fake(script=always("[[A]]"))
        result = compare(candidate_set("<think>12, no 13", "<think>x</think>so \\boxed{3}", "so \\boxed{4}"))
        assert result.answer in {"3", "4"}
        assert len(result.decision.trace["rounds"]) == 1
        assert all("12, no 13" not in r.messages[-1].content for r in backend.requests)
        assert compare(candidate_set("<think>1", "<think>2")).error is None

    def test_a_round_is_in_flight_together(self, fake: Fake) -> None:
        most = 0

        def before(_: tts.Request) -> None:
            nonlocal most
            most = max(most, fake_class.live + 1)

        fake_class = fake(script=larger, before=before, delay=lambda *_: 0.02)
        compare(boxed(*range(8)))
        assert most == 4


class TestVotes:
    def test_equal_answers_are_paid_for_only_if_asked(self, fake: Fake) -> None:
        backend = fake(script=always("[[A]]"))
        found = candidate_set("it is \\boxed{1/2}", "so \\boxed{0.5}", "well \\boxed{\\frac12}")
        assert [m["by"] for r in compare(found).decision.trace["rounds"] for m in r["matches"]] == ["equal answers"] * 2
        assert backend.completions() == 0
        compare(found, judge_equal=True)
        assert backend.completions() == 2

    def test_an_unreadable_verdict_is_asked_again_in_the_other_order(self, fake: Fake) -> None:
        def script(request: tts.Request, _: int) -> str:
            return larger(request, 0) if shown(request) == [1, 2] else "[[A]] or [[B]], who knows"

        backend = fake(script=script)
        results = [compare(boxed(1, 2), seed) for seed in range(8)]
        assert {result.answer for result in results} == {"2"}
        counts = {(r.decision.rates["invalid verdicts"], r.decision.rates["decided by coin"]) for r in results}
        assert counts == {((0, 1), (0, 1)), ((1, 2), (0, 1))}, "in half of the matches the good order comes first"
        assert {tuple(shown(request)) for request in backend.requests} == {(1, 2), (2, 1)}

    def test_then_the_seeded_coin_decides(self, fake: Fake) -> None:
        fake(script=always("<think>[[A]] is best"))  # never finished thinking: no verdict
        results = [compare(boxed(1, 2), seed) for seed in range(20)]
        assert {result.answer for result in results} == {"1", "2"}
        rates = {"invalid verdicts": (2, 2), "flips": (0, 0), "decided by coin": (1, 1)}
        assert all(result.decision.rates == rates for result in results)
        traces = [result.decision.trace for result in results]
        assert all(t["rounds"][0]["matches"][0]["by"] == "coin" for t in traces)
        assert results[3].answer == compare(boxed(1, 2), 3).answer

    def test_both_orders_count_flips(self, fake: Fake) -> None:
        fake(script=always("[[A]]"))
        biased = compare(boxed(*range(4)), both_orders=True).decision.rates
        assert biased == {"invalid verdicts": (0, 6), "flips": (3, 3), "decided by coin": (3, 3)}
        fake(script=larger)
        fair = compare(boxed(*range(4)), both_orders=True).decision.rates
        assert fair == {"invalid verdicts": (0, 6), "flips": (0, 3), "decided by coin": (0, 3)}

    def test_votes_outvote_a_slip(self, fake: Fake) -> None:
        def slips(request: tts.Request, index: int) -> str:
            right = larger(request, index)
            if request.seeds[index] % 5:
                return right
            return right.replace("[[A]]</a", "[[C]]</a").replace("[[B]]</a", "[[A]]</a").replace("[[C]]</a", "[[B]]</a")

        fake(script=slips)
        wins = {v: sum(compare(boxed(1, 2), s, votes=v).answer == "2" for s in range(40)) for v in (1, 9)}
        assert wins[1] < wins[9]
        decision = compare(boxed(1, 2), votes=9).decision
        assert decision.rates["invalid verdicts"] == (0, 9)
        assert len(decision.trace["rounds"][0]["matches"][0]["votes"]) == 9

    def test_biased_judges_do_not_favour_a_candidate(self, fake: Fake) -> None:
        fake(script=always("[[A]]"))
        wins = sum(compare(boxed(1, 2), seed).answer == "1" for seed in range(60))
        assert 18 <= wins <= 42


class TestCost:
    def test_verdicts_are_stored_and_charged_to_the_judge(self, fake: Fake, tmp_path: Path) -> None:
        backend = fake(script=larger)
        strategy = tts.strategy("knockout", votes=2)
        for _ in range(2):
            result = decide(boxed(1, 2, 3), strategy, judge="generic:fake:j", store=tmp_path / "s.db")
            assert (result.answer, result.usage["judge"].calls) == ("3", 4)
        assert backend.completions() == 4, "the second time they come from the store"

    def test_judge_and_synthesizer_of_one_reference_are_one_model(self, fake: Fake) -> None:
        backend = fake(script=lambda request, i: larger(request, i) if "judge" in request.messages[0].content else "4")
        settings = {"judge": "generic:fake:m@max_tokens=7", "synthesizer": "fake:m", "k": 2}
        comparison = tts.compare([boxed(1, 2)], strategies=["knockout", "synthesizer"], **settings)
        assert [result.error for result in comparison.results] == [None, None]
        assert len(backend.instances) == 1
        assert {request.sampling.max_tokens for request in backend.requests} == {7, None}

    def test_a_judge_that_fails_is_no_invalid_verdict(self, fake: Fake) -> None:
        def script(*_: object) -> str:
            raise RuntimeError("out of paper")

        fake(script=script)
        assert "the judge failed on problem 'p': " in (compare(boxed(1, 2)).error or "")

    @pytest.mark.usefixtures("helpers")
    def test_a_judge_that_is_a_class_of_its_own(self) -> None:
        result = decide(boxed(1, 2, 3), tts.strategy("knockout", votes=3, both_orders=True), judge="fake:j")
        assert result.decision.rates["invalid verdicts"][1] == result.usage["judge"].calls == 12
        assert result.decision.rates["flips"] == (6, 6)

    def test_without_a_judge_it_says_which_argument_gives_it(self) -> None:
        with pytest.raises(tts.MissingRoleError, match="'knockout' needs a judge: pass judge='format:backend:model'"):
            decide(boxed(1, 2), "knockout")


class Blunt(tts.JudgeFormat):
    """A stranger's format."""

    temperature: float = 0.0
    question: str = "?"
    markers: ClassVar[str] = "first"

    def messages(self, problem: tts.Problem, a: tts.Candidate, b: tts.Candidate) -> tuple[tts.Message, ...]:
        text = f"{problem.text}\n{a.summary}\n{b.summary}\n{self.question}"
        return (tts.Message(role="user", content=text),)

    def read(self, text: str) -> str | None:
        return {"first": "a", "second": "b"}.get(text)


class TestFormats:
    def test_options_go_to_the_format_or_to_the_backend(self, fake: Fake) -> None:
        tts.plugins().register("judge", "blunt", Blunt)
        backend = fake(script=always("second"))
        result = decide(boxed(1, 2), "knockout", judge="blunt:fake:j@question=Who,top_p=0.5", seed=5)
        assert result.error is None
        request = backend.requests[0]
        assert request.messages[0].content.endswith("\nWho")
        assert (request.sampling.temperature, request.sampling.top_p, request.sampling.seed) == (0.0, 0.5, 5)
        assert "question='Who'" in result.provenance.models["judge"]

    def test_long_responses_keep_their_ends(self, fake: Fake) -> None:
        backend = fake(script=always("[[A]]"), capabilities=tts.Capabilities(context_length=400))
        long = " ".join(f"step{i}" for i in range(500)) + " so \\boxed{1}"
        assert (
            decide(candidate_set(long, "so \\boxed{2}"), "knockout", judge="generic:fake:j@max_tokens=100").error
            is None
        )
        text = backend.requests[0].messages[0].content
        assert "so \\boxed{1}" in text and "so \\boxed{2}" in text and "step499" in text and "step0 " not in text
        assert 250 <= len(text.split()) <= 300

    @pytest.mark.parametrize(
        ("judge", "sentence"),
        [
            (
                "generic:miniature",
                "judge 'generic:miniature' names no backend; it should look like 'generic:hf:FOLDER'",
            ),
            ("generic:fakes:m", "no backend is called 'fakes'"),
            ("generic:fake:m@max_tokens=0", "judge 'generic': parameter max_tokens='0'"),
            ("generic:fake:m@colour=red", "'fake' has no option 'colour'"),
            ("generic:fake:m@template=none.jinja", "no template 'none.jinja'"),
            (
                "rrm:fake:m@system=none.jinja",
                "no template 'none.jinja': give the path of a Jinja file, or one of 'pairjudge-system', ",
            ),
            ("rrm:fake:m@system=rrm", "template 'rrm' uses {{ a }}; it can use no fields"),
            ("genericc:fake:m", "no judge is called 'genericc'; did you mean 'generic'"),
        ],
    )
    def test_a_wrong_reference_is_one_sentence_before_anything_is_spent(
        self, fake: Fake, judge: str, sentence: str
    ) -> None:
        backend = fake()
        with pytest.raises(tts.ConfigError, match=re.escape(sentence)):
            decide(boxed(1, 2), "knockout", judge=judge)
        assert not backend.instances


@pytest.mark.parametrize("strategy", ["knockout", "round_robin"])
def test_a_tie_is_a_verdict_that_counts_for_neither(fake: Fake, strategy: str) -> None:
    both = "<resp_a_judge>Correct</resp_a_judge> <resp_b_judge>Correct</resp_b_judge>"
    backend = fake(script=always(both))
    table = tts.compare([boxed(1, 2)], strategies=[strategy], k=2, judge="pairjudge:fake:j")
    assert backend.completions() == 1, "it is not asked for again"
    rates = table.rates(strategy)
    assert rates["invalid verdicts"] == (0, 1)
    assert rates["decided by coin" if strategy == "knockout" else "undecided"] == (1, 1)


def test_the_command_line_names_the_helpers(fake: Fake, tmp_path: Path) -> None:
    fake(script=lambda request, i: larger(request, i) if "judge" in request.messages[0].content else "\\boxed{9}")
    path = tmp_path / "sets.jsonl"
    row = {"problem": "1+1?", "answer": "2", "candidates": ["so \\boxed{2}", "so \\boxed{1}"], "rm": [1, 3]}
    path.write_text(json.dumps(row))
    helpers = ["--scorer", "recorded:rm", "--judge", "generic:fake:j", "--synthesizer", "fake:m"]
    arguments = ["compare", str(path), "-s", "best_of_n,knockout,synthesizer", "-p", "knockout.votes=3", "-k", "2"]
    out = tmp_path / "out.jsonl"
    done = CliRunner().invoke(main, [*arguments, *helpers, "-o", str(out)])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {one["strategy"]: one["answer"] for one in rows} == {"best_of_n": "1", "knockout": "2", "synthesizer": "9"}
