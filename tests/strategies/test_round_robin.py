"""All pairs under judges whose taste is known, and the Bradley-Terry model against its own equations."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import combinations

import pytest
from doubles import FakeBackend, boxed, candidate_set, decide
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tts
from tts_strategies.round_robin import PENALTY, bradley_terry

Fake = Callable[..., type[FakeBackend]]
several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
games_of = st.integers(2, 5).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda g: g[0] != g[1]), max_size=25),
    )
)


def shown(request: tts.Request) -> tuple[int, int]:
    """The answers of the two responses in a judge's prompt, in order."""
    a, b = re.findall(r"so \\boxed\{(\d+)\}", request.messages[-1].content)
    return int(a), int(b)


def larger(request: tts.Request, _: int) -> str:
    a, b = shown(request)
    return "<answer>[[A]]</answer>" if a >= b else "<answer>[[B]]</answer>"


def always(text: str) -> Callable[[tts.Request, int], str]:
    return lambda _request, _index: text


def play(found: tts.CandidateSet, seed: int = 0, **parameters: object) -> tts.Result:
    return decide(found, tts.strategy("round_robin", **parameters), judge="generic:fake:j", seed=seed)


class TestModel:
    @given(games_of)
    def test_the_strengths_satisfy_its_equations(self, drawn: tuple[int, list[tuple[int, int]]]) -> None:
        """Wins less expected wins equal the pull of the penalty: the one maximum of a concave function."""
        players, games = drawn
        strengths = bradley_terry(players, games)
        for i, own in enumerate(strengths):
            wins = sum(winner == i for winner, _ in games) / 2
            against = [strengths[b if a == i else a] for a, b in games if i in (a, b)]
            expected = sum(1 / (1 + math.exp(other - own)) for other in against) / 2
            assert wins - expected == pytest.approx(2 * PENALTY * own, abs=1e-4)
        assert sum(strengths) == pytest.approx(0, abs=1e-4)

    def test_by_search_over_a_grid(self) -> None:
        games = [(0, 1)] * 6 + [(1, 0)] * 2

        def objective(gap: float) -> float:
            likelihood = sum(-math.log1p(math.exp(-gap if winner == 0 else gap)) / 2 for winner, _ in games)
            return likelihood - PENALTY * 2 * (gap / 2) ** 2

        best = max((step / 1000 for step in range(-4000, 4000)), key=objective)
        a, b = bradley_terry(2, games)
        assert a - b == pytest.approx(best, abs=2e-3)

    def test_who_wins_or_loses_all_or_never_plays_stays_finite(self) -> None:
        strengths = bradley_terry(5, [(0, 1), (0, 2), (1, 2)] * 2)
        assert strengths[0] > strengths[1] > strengths[2]
        assert strengths[3:] == pytest.approx([0, 0], abs=1e-6)
        assert bradley_terry(3, []) == [0, 0, 0]
        two_islands = bradley_terry(4, [(0, 1)] * 2 + [(2, 3)] * 2)
        assert two_islands[0] == pytest.approx(two_islands[2], abs=1e-6)

    @given(st.integers(2, 6), st.data())
    def test_where_all_play_equally_often_the_order_is_that_of_the_games_won(
        self, players: int, data: st.DataObject
    ) -> None:
        games = [pair if data.draw(st.booleans()) else pair[::-1] for pair in combinations(range(players), 2)]
        won = Counter(winner for winner, _ in games)
        strengths = bradley_terry(players, games * 2)
        for a, b in combinations(range(players), 2):
            assert (won[a] > won[b]) == (strengths[a] > strengths[b] + 1e-5)


class TestPlay:
    @several
    @given(answers=st.lists(st.integers(0, 9), min_size=1, max_size=7), seed=st.integers(0, 3))
    def test_a_perfect_judge_finds_the_best_and_equal_answers_are_free(
        self, fake: Fake, answers: list[int], seed: int
    ) -> None:
        backend = fake(script=larger)
        result = play(boxed(*answers), seed)
        assert result.answer == str(max(answers))
        pairs = list(combinations(answers, 2))
        paid = sum(a != b for a, b in pairs)
        rates = result.decision.rates
        assert rates == {"invalid verdicts": (0, paid), "flips": (0, 0), "undecided": (0, paid)}
        assert backend.completions() <= paid, "equal texts give equal prompts, which are shared"
        trace = result.decision.trace
        assert len(trace["matches"]) == len(pairs)
        assert [match["votes"] is None for match in trace["matches"]].count(True) == len(pairs) - paid
        order = [answers[index] for index, _ in sorted(trace["strengths"], key=lambda one: -one[1])]
        assert order == sorted(answers, reverse=True)
        assert 1 / len(answers) - 1e-9 <= result.decision.confidence <= 1

    @several
    @given(votes=st.integers(1, 3), both=st.booleans(), k=st.integers(1, 5))
    def test_calls(self, fake: Fake, votes: int, both: bool, k: int) -> None:
        backend = fake(script=larger)
        result = play(boxed(*range(k)), votes=votes, both_orders=both)
        wanted = k * (k - 1) // 2 * votes * (1 + both)
        assert backend.completions() == result.decision.rates["invalid verdicts"][1] == wanted
        assert result.decision.rates["flips"] == (0, k * (k - 1) // 2 * votes * both)

    @several
    @given(order=st.permutations(range(5)), seed=st.integers(0, 2))
    def test_the_order_of_the_candidates_does_not_matter(self, fake: Fake, order: list[int], seed: int) -> None:
        fake(script=lambda request, _: "[[A]]" if request.seeds[0] % 2 else "[[B]]" if request.seeds[0] % 3 else "?")
        assert play(boxed(*order), seed).answer == play(boxed(*range(5)), seed).answer

    def test_invalid_verdicts_are_asked_again_and_then_count_for_nobody(self, fake: Fake) -> None:
        backend = fake(script=always("<think>[[A]]"))
        results = [play(boxed(*range(4)), seed) for seed in range(12)]
        assert backend.completions() == 12 * 6 * 2
        rates = {"invalid verdicts": (12, 12), "flips": (0, 0), "undecided": (6, 6)}
        assert all(one.decision.rates == rates for one in results)
        assert all(one.decision.confidence == pytest.approx(1 / 4) for one in results)
        assert len({one.answer for one in results}) > 1, "the seeded draw decides"
        assert results[3].answer == play(boxed(*range(4)), 3).answer

    def test_readable_verdicts_of_one_pair_connect_only_that_pair(self, fake: Fake) -> None:
        fake(script=lambda request, i: larger(request, i) if set(shown(request)) == {1, 2} else "?")
        assert {play(boxed(*range(4)), seed).answer for seed in range(4)} == {"2"}

    def test_a_judge_that_always_says_a_flips(self, fake: Fake) -> None:
        fake(script=always("[[A]]"))
        rates = play(boxed(*range(4)), both_orders=True).decision.rates
        assert rates == {"invalid verdicts": (0, 12), "flips": (6, 6), "undecided": (6, 6)}

    def test_all_matches_are_in_flight_together(self, fake: Fake) -> None:
        most = 0

        def before(_: tts.Request) -> None:
            nonlocal most
            most = max(most, fake_class.live + 1)

        fake_class = fake(
            script=larger, before=before, delay=lambda *_: 0.05, capabilities=tts.Capabilities(concurrency=64)
        )
        play(boxed(*range(6)))
        assert most == 15

    def test_equal_answers_are_judged_if_asked(self, fake: Fake) -> None:
        backend = fake(script=always("[[A]]"))
        found = candidate_set("it is \\boxed{1/2}", "so \\boxed{0.5}", "well \\boxed{\\frac12}")
        assert play(found).decision.confidence == pytest.approx(1 / 3)
        assert backend.completions() == 0
        play(found, judge_equal=True)
        assert backend.completions() == 3


def test_scipy_is_loaded_when_it_is_needed_and_not_before() -> None:
    code = (
        "import sys, tts; tts.strategy('round_robin'); assert not {'choix', 'scipy', 'numpy'} & set(sys.modules); "
        "from tts_strategies.round_robin import bradley_terry; bradley_terry(2, [(0, 1)]); "
        "assert 'scipy' in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_without_choix_it_says_what_to_install() -> None:
    code = (
        "import importlib.util, tts; real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'choix' else real(name, *more)\n"
        "try: tts.strategy('round_robin')\n"
        "except tts.MissingDependencyError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == (
        "strategy 'round_robin' (of ttscale) needs 'choix', which is not installed; pip install 'ttscale[rank]'\n"
    )


@pytest.mark.parametrize("parameters", [{"votes": 0}, {"vote": 3}, {"both_orders": "perhaps"}])
def test_wrong_parameters_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(tts.ConfigError, match="strategy 'round_robin'"):
        tts.strategy("round_robin", **parameters)
