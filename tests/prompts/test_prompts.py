from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from tts.prompts import Template, direct_messages, heading, neutralised, quoted, refine_messages
from tts.prompts.refine import share_budget
from tts.testing._imitation import CONTROLS


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12), st.integers(0, 20000))
def test_shares_are_max_min_fair(counts: list[int], budget: int) -> None:
    shares = share_budget(counts, budget)
    assert sum(shares) <= budget
    assert all(0 <= share <= count for share, count in zip(shares, counts, strict=True))
    if sum(counts) <= budget:
        assert shares == counts
    else:
        assert budget - sum(shares) < len(counts)
        short = [share for share, count in zip(shares, counts, strict=True) if share < count]
        assert max(shares) - min(short) <= 1, "whoever is cut has as much as anybody, to within a token"


@pytest.mark.parametrize("text", ["as in Candidate Response 7: so 1", "as in\nCandidate Response 8: 666 so 2"])
def test_no_cut_makes_a_further_candidate(text: str) -> None:
    """Where a text is cut in front of the words of a heading, they come to stand at the start of a line."""

    async def characters(texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    for limit in range(1, len(text) + 2):
        settings = {"rng": random.Random(0), "count_tokens": characters, "candidate_tokens": limit}
        found = [tts.Candidate(index=0, text=text, summary=text)]
        made = asyncio.run(refine_messages(tts.Problem(id="x", prompt="1+1?"), found, **settings))
        lines = made.messages[0].content.splitlines()
        assert [line for line in lines if line.lstrip().startswith("Candidate Response")] == ["Candidate Response 1:"]
        assert lines[-1].endswith(text[-min(limit, 4) :])


def test_a_problem_is_never_expanded_as_a_template() -> None:
    (message,) = direct_messages(tts.Problem(id="x", prompt="What is {{ 1 + 1 }} {% raw %} <b> & {0}?"))
    assert message.content.startswith("What is {{ 1 + 1 }} {% raw %} <b> & {0}?\n\nReason step by step")


def test_messages_are_sent_as_they_are() -> None:
    messages = (tts.Message(role="system", content="s"), tts.Message(role="user", content="u"))
    assert direct_messages(tts.Problem(id="x", messages=messages)) == messages


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nothing here", "never uses {{ candidates }}; it must"),
        ("{{ problem }} {{ candidates }} {{ gold }}", "uses {{ gold }}; it can use candidates, problem"),
        ("{{ problem }}\n{% for %}", "line 2"),
    ],
)
def test_a_template_without_its_fields_is_refused(tmp_path, source: str, sentence: str) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text(source)
    with pytest.raises(tts.ConfigError) as caught:
        Template.load(str(path), frozenset({"problem", "candidates"}))
    assert sentence in str(caught.value)


def test_a_missing_template_file_is_one_sentence() -> None:
    with pytest.raises(tts.ConfigError, match=r"no template 'nowhere.jinja': give the path of a Jinja file$"):
        Template.load("nowhere.jinja", frozenset())


def test_a_name_that_is_no_template_is_answered_with_the_names_whose_fields_fit(tmp_path) -> None:
    with pytest.raises(tts.ConfigError, match="or one of 'refine', 'synthesize'$"):
        Template.load("refined", frozenset({"problem", "candidates"}))
    (tmp_path / "mine.jinja").write_text("{{ problem }}{{ candidates }}")
    (tmp_path / "other.jinja").write_text("{{ problem }}")
    assert Template.load("mine", frozenset({"problem", "candidates"}), tmp_path).origin == "mine"
    with pytest.raises(tts.ConfigError, match="or one of 'mine'$"):
        Template.load("refine", frozenset({"problem", "candidates"}), tmp_path)


def test_templates_cannot_reach_python(tmp_path) -> None:
    import jinja2.exceptions

    path = tmp_path / "evil.jinja"
    path.write_text("{{ problem.__class__.__mro__ }}{{ candidates }}")
    template = Template.load(str(path), frozenset({"problem", "candidates"}))
    with pytest.raises(jinja2.exceptions.SecurityError):
        template.render(problem="x", candidates=[])


def test_records_refuse_what_is_not_theirs() -> None:
    with pytest.raises(ValueError, match="'x' is empty"):
        tts.Problem(id="x", prompt=" \n")
    with pytest.raises(ValueError, match="either a prompt or messages"):
        tts.Problem(id="x")
    with pytest.raises(ValueError, match="answer"):
        tts.Problem(id="x", prompt="q", answer="42")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "written",
    [
        "Candidate Response 5:",
        "**Candidate Response 5:**",
        "### Candidate Response 5",
        "CANDIDATE  RESPONSE  #5 :",
        "__candidate response__ **5**:",
        "\u2028Candidate Response 5:",
        "\rCandidate Response 5:",
    ],
)
def test_a_heading_is_one_in_any_dress(written: str) -> None:
    clean = quoted(f"so\n{written}\nno", heading("Candidate Response"))
    [line] = [line for line in clean.splitlines() if "5" in line]
    assert "> " in line
    assert line.replace("> ", "", 1) == written.strip("\r\u2028")
    assert quoted(clean, heading("Candidate Response")) == clean


@pytest.mark.parametrize("token", [*CONTROLS, "</thought>", "</seed:think>", "[/SYSTEM_PROMPT]", "[gMASK]", "<eos>"])
def test_control_tokens_lose_their_brackets(token: str) -> None:
    clean = neutralised(f"a {token} b")
    assert token not in clean
    assert len(clean) == len(f"a {token} b")


@pytest.mark.parametrize(
    "text", ["the area [ABC]", "a < b > c", "f(x) = [x] + {x}", "<b>bold</b>", "[1, 2]", "x <s_1> y"]
)
def test_mathematics_stays(text: str) -> None:
    assert neutralised(text) == text
