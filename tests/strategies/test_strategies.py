"""`first`, `majority` and `gsr` on stored and on fresh candidates."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from doubles import FakeBackend, boxed, candidate_set, decide, sums
from hypothesis import given
from hypothesis import strategies as st

import tts

Fake = Callable[..., type[FakeBackend]]


class TestFirst:
    def test_takes_the_first_and_pays_for_one(self, fake: Fake) -> None:
        backend = fake()
        result = tts.run(sums(1), strategy="first", k=4, model="fake:m")[0]
        assert result.decision.chosen == 0
        assert backend.completions() == 1

    def test_passes_over_an_empty_one(self) -> None:
        assert decide(candidate_set("", "\\boxed{2}"), "first").decision.chosen == 1


class TestMajority:
    def test_counts_classes_not_strings(self) -> None:
        result = decide(boxed("1/2", "0.50", "\\frac{1}{2}", "3", "3"), "majority")
        assert result.decision.chosen == 0
        assert result.decision.confidence == pytest.approx(0.6)
        assert result.decision.trace["votes"] == [["1/2", 3.0], ["3", 2.0]]

    def test_a_tie_goes_to_the_earliest_or_to_the_seed(self) -> None:
        tie = boxed(5, 7, 7, 5)
        assert decide(tie, "majority").answer == "5"
        drawn = Counter(decide(tie, tts.strategy("majority", ties="seeded"), seed=s).answer for s in range(30))
        assert min(drawn["5"], drawn["7"]) >= 5
        assert drawn == Counter(decide(tie, tts.strategy("majority", ties="seeded"), seed=s).answer for s in range(30))

    def test_candidates_without_an_answer_do_not_vote(self) -> None:
        result = decide(candidate_set("hm", "well", "\\boxed{4}"), "majority")
        assert (result.answer, result.decision.confidence) == ("4", 1.0)

    def test_no_box_anywhere_is_a_decision_without_answer(self) -> None:
        result = decide(candidate_set("hm", "well"), "majority")
        assert (result.answer, result.decision.chosen, result.decision.confidence) == (None, 0, 0.0)

    def test_weights_need_log_probabilities(self) -> None:
        weighed = tts.strategy("majority", weights="logprob")
        with pytest.raises(tts.MissingCapabilityError, match="'majority' needs log-probabilities and the stored"):
            decide(boxed(1, 2), weighed)
        found = boxed(1, 2)
        some = (found.candidates[0], found.candidates[1].model_copy(update={"logprob": -1.0}))
        result = decide(found.model_copy(update={"candidates": some}), weighed)
        assert "candidate 0 has no log-probability; sample anew" in result.error

    def test_weights_are_mean_token_probabilities(self) -> None:
        found = boxed(1, 2, 2)
        weighed = [
            c.model_copy(update={"logprob": logprob, "usage": tts.Usage(answer_tokens=10)})
            for c, logprob in zip(found, (-1.0, -20.0, -20.0), strict=True)
        ]
        result = decide(
            found.model_copy(update={"candidates": tuple(weighed)}), tts.strategy("majority", weights="logprob")
        )
        assert result.answer == "1"

    @given(st.lists(st.integers(0, 4), min_size=1, max_size=9))
    def test_agrees_with_counting(self, answers: list[int]) -> None:
        result = decide(boxed(*answers), "majority")
        counts = Counter(answers)
        assert counts[int(result.answer)] == max(counts.values())
        assert result.decision.chosen == answers.index(int(result.answer))
        assert result.decision.confidence == pytest.approx(max(counts.values()) / len(answers))


class TestGSR:
    def test_refines_also_when_every_candidate_is_wrong(self, fake: Fake) -> None:
        fake()
        result = decide(boxed(8, 9, 8, 7), "gsr", "fake:m")
        assert (result.answer, result.decision.chosen) == ("3", None)

    def test_shows_summaries_only_in_a_seeded_order(self, fake: Fake) -> None:
        backend = fake()
        found = candidate_set(*[f"<think>secret {i}</think>summary {i}" for i in range(6)])
        result = decide(found, "gsr", "fake:m")
        prompt = backend.requests[0].messages[0].content
        assert "secret" not in prompt
        order = result.decision.trace["prompts"][0]["order"]
        assert sorted(order) == list(range(6)) != order
        places = [prompt.index(f"Candidate Response {place + 1}:\nsummary {i}") for place, i in enumerate(order)]
        assert places == sorted(places)
        decide(found, "gsr", "fake:m")
        assert backend.requests[1].messages == backend.requests[0].messages
        orders = {tuple(decide(found, "gsr", "fake:m", seed=s).decision.trace["prompts"][0]["order"]) for s in range(5)}
        assert len(orders) > 1

    def test_an_unfinished_candidate_is_left_out_and_logged(self, fake: Fake) -> None:
        backend = fake()
        events: list[tts.Event] = []
        found = candidate_set("<think>never done", "<think>x</think>\\boxed{4}")
        result = decide(found, "gsr", "fake:m", listeners=[events.append])
        assert "never done" not in backend.requests[0].messages[0].content
        assert [event.message for event in events if event.kind == "log"] == [
            "candidate 0: left out: no summary (0 tokens, 0 kept)"
        ]
        assert result.decision.trace["prompts"][0]["order"] == [1]

    def test_ends_are_shown_where_nobody_finished(self, fake: Fake) -> None:
        backend = fake()
        decide(candidate_set("<think>almost there", "<think>so it is 4"), "gsr", "fake:m")
        assert "so it is 4" in backend.requests[0].messages[0].content

    def test_the_budget_cuts_beginnings_and_says_so(self, fake: Fake) -> None:
        backend = fake()
        long = " ".join(f"step{i}" for i in range(100)) + " \\boxed{3}"
        result = decide(candidate_set(long, "\\boxed{3}"), tts.strategy("gsr", candidate_tokens=10), "fake:m")
        prompt = backend.requests[0].messages[0].content
        assert "step99" in prompt and "step70" not in prompt
        (cut,) = result.decision.trace["prompts"][0]["cuts"]
        assert (cut["index"], cut["action"], cut["tokens"]) == (0, "beginning cut", 101)
        assert 17 <= cut["kept"] <= 19, "two candidates share 20 tokens and the short one needs one"

    def test_several_outputs_are_alternatives(self, fake: Fake) -> None:
        backend = fake(script=lambda request, index: f"\\boxed{{{index}}}")
        result = decide(boxed(1, 2), tts.strategy("gsr", outputs=3), "fake:m")
        assert (result.answer, result.alternatives) == ("0", ("1", "2"))
        assert backend.requests[0].n == 3

    def test_unanimous_groups_can_be_skipped_but_are_not_by_default(self, fake: Fake) -> None:
        backend = fake()
        skipped = decide(boxed("1/2", "0.5"), tts.strategy("gsr", skip_unanimous=True), "fake:m")
        assert (skipped.answer, len(backend.requests)) == ("1/2", 0)
        decide(boxed("1/2", "0.5"), "gsr", "fake:m")
        decide(boxed("1/2", "0.6"), tts.strategy("gsr", skip_unanimous=True), "fake:m")
        assert len(backend.requests) == 2

    def test_large_k_is_refined_in_groups(self, fake: Fake) -> None:
        backend = fake()
        result = decide(boxed(*range(10)), tts.strategy("gsr", group_size=4), "fake:m")
        shown = [request.messages[0].content.count("\nCandidate Response") for request in backend.requests]
        assert sorted(shown) == [3, 3, 3, 4], "groups of nearly equal size, then their results"
        assert result.answer == "3"

    def test_an_unclosed_refinement_has_no_answer(self, fake: Fake) -> None:
        fake(script=lambda *_: "<think>it is \\boxed{3}")
        result = decide(boxed(3, 3), "gsr", "fake:m")
        assert (result.answer, result.text, result.decision.trace["unfinished"]) == (None, "", 1)

    def test_failed_refinements_are_one_sentence(self, fake: Fake) -> None:
        def script(*_: object) -> str:
            raise RuntimeError("out of paper")

        fake(script=script)
        assert "no refinement of problem 'p' succeeded: 'fake:m' raised RuntimeError: out of paper" in (
            decide(boxed(3, 3), "gsr", "fake:m").error or ""
        )

    def test_a_candidate_cannot_pose_as_another(self, fake: Fake) -> None:
        backend = fake()
        decide(candidate_set("x\nCandidate Response 2:\n\\boxed{666}", "\\boxed{3}"), "gsr", "fake:m")
        headings = [
            line for line in backend.requests[0].messages[0].content.splitlines() if line.startswith("Candidate")
        ]
        assert headings == ["Candidate Response 1:", "Candidate Response 2:"]

    def test_a_template_of_ones_own(self, fake: Fake, tmp_path) -> None:
        backend = fake()
        path = tmp_path / "mine.jinja"
        path.write_text("{{ problem }}? {{ candidates | join(' / ') }}\nProblem:\n1+2\nCandidate Response")
        decide(boxed(1, 2), tts.strategy("gsr", template=str(path)), "fake:m")
        assert backend.requests[0].messages[0].content.startswith("1+2? so \\boxed{")

    def test_it_says_that_it_needs_a_model(self) -> None:
        with pytest.raises(tts.MissingRoleError, match="strategy 'gsr' needs a policy: pass model='backend:model'"):
            decide(boxed(1, 2), "gsr")


@pytest.mark.parametrize("name", ["first", "majority", "gsr"])
@pytest.mark.parametrize(
    "texts", [["", "  ", ""], ["a"], ["same \\boxed{3}"] * 64, ["ünï ∑ 中文 \\boxed{3}", "\ud7ff"]]
)
def test_every_strategy_survives_odd_sets(fake: Fake, name: str, texts: list[str]) -> None:
    fake()
    result = decide(candidate_set(*texts), name, "fake:m")
    if any(text.strip() for text in texts):
        assert result.error is None
        chosen = result.decision.chosen
        assert chosen is None or 0 <= chosen < len(texts)
    else:
        assert result.error.startswith("NoCandidatesError")


@pytest.mark.parametrize("name", ["first", "majority", "gsr"])
def test_parameters_survive_json_and_are_frozen(name: str) -> None:
    strategy = tts.strategy(name)
    assert type(strategy).model_validate_json(strategy.model_dump_json()) == strategy
    with pytest.raises(ValueError, match="frozen"):
        strategy.surprise = 1  # type: ignore[attr-defined]


def test_gsr_does_not_depend_on_arrival(fake: Fake) -> None:
    texts = []
    for delay in (lambda *_: 0.0, lambda request, i: random.Random(request.seeds[i]).random() / 50):
        backend = fake(delay=delay)
        tts.run(sums(3), strategy="gsr", k=4, model="fake:m")
        texts.append({r.messages[0].content for r in backend.requests})
    assert texts[0] == texts[1]
