"""The formats of judges: markers, grammar, and candidates that try to break them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doubles import boxed, candidate_set, decide
from tiny_models import bpe_tokenizer, save_llama

import tts
from tts_backends.judges import RMR1, RRM, Generic, PairJudge, RMR1Instruct

NAMES = ["generic", "rm-r1", "rm-r1-instruct", "rrm", "pairjudge"]
PROBLEM = tts.Problem(id="p", prompt="What is 1+2?")


def candidate(text: str) -> tts.Candidate:
    return candidate_set(text)[0]


def judged(a: str, b: str) -> str:
    return f"<resp_a_judge>{a}</resp_a_judge> <resp_b_judge>{b}</resp_b_judge>"


@pytest.mark.parametrize(
    ("form", "text", "winner"),
    [
        (Generic(), "reasons <answer>[[A]]</answer>", "a"),
        (Generic(), "[[A]]? No: <answer>[[B]]</answer>", "b"),
        (Generic(), "[[B]]", "b"),
        (Generic(), "[[A]] or [[B]]", None),
        (Generic(), "A is better", None),
        (RMR1(), "<eval>..</eval><answer>[[A]]</answer>", "a"),
        (RMR1(), "[[B]], yes, [[B]]", "b"),
        (RMR1(), "[[A]]? No: <answer>[[B]]</answer>", None),
        (RMR1(), "[[C]]", None),
        (RMR1(), "[[a]]", None),
        (RMR1(), "", None),
        (RRM(), "Both get 3: \\boxed{3}. \\boxed{Assistant 1}", "a"),
        (RRM(), "\\boxed{Assistant 2}", "b"),
        (RRM(), "I choose option \\boxed{A}, so \\boxed{Assistant 2}", "b"),
        (RRM(), "I choose option \\boxed{B}", None),
        (RRM(), "\\boxed{Assistant 2} ... \\boxed{3}", None),
        (RRM(), "\\boxed{Assistant 1} or \\boxed{Assistant 2}", None),
        (RRM(), "\\boxed{assistant 1}", None),
        (RRM(), "\\boxed{\\text{Assistant 1}}", None),
        (RRM(), "Assistant 1", None),
        (RMR1Instruct(), "<type>Chat</type> <eval>A errs</eval> <answer>[[B]]</answer>", "b"),
        (RMR1Instruct(), "<answer>[[A/B]]</answer>", None),
        (RMR1Instruct(), "<answer>[[A]]</answer> <answer>[[B]]</answer>", None),
        (PairJudge(), judged("Correct", "Incorrect"), "a"),
        (PairJudge(), judged("Incorrect", "\nCorrect\n"), "b"),
        (PairJudge(), judged("Correct", "Correct"), "tie"),
        (PairJudge(), judged("Incorrect", "Incorrect"), "tie"),
        (PairJudge(), judged("Correct", "Incorrect") + judged("Incorrect", "Correct"), None),
        (PairJudge(), "<resp_a_judge>Correct</resp_a_judge> <resp_a_judge>Incorrect</resp_a_judge>", None),
        (PairJudge(), "<resp_b_judge>Correct</resp_b_judge>", None),
        (PairJudge(), judged("Correct/Incorrect", "Correct/Incorrect"), None),
        (PairJudge(), "Response A: Correct. Response B: Incorrect.", None),
    ],
)
def test_verdict_grammar(form: tts.JudgeFormat, text: str, winner: str | None) -> None:
    assert form.read(text) == winner


def test_rm_r1_is_one_user_message_with_its_markers() -> None:
    (message,) = RMR1().messages(PROBLEM, candidate("<think>secret</think>three"), candidate("four"))
    assert message.role == "user"
    assert re.search(
        r"\[Client Question\]\nWhat is 1\+2\?\n\n\[The Start of Chatbot A's Response\]\nthree\n"
        r"\[The End of Chatbot A's Response\]\n\n\[The Start of Chatbot B's Response\]\nfour\n"
        r"\[The End of Chatbot B's Response\]\n",
        message.content,
    )
    assert message.content.index("<answer>[[A]]</answer>") > message.content.index("Chatbot B's Response]\n")
    assert "secret" not in message.content
    assert (RMR1().temperature, RMR1().max_tokens) == (0.0, None)


def test_rrm_is_a_system_and_a_user_message_with_its_headings() -> None:
    system, user = RRM().messages(PROBLEM, candidate("<think>secret</think>three"), candidate("four"))
    assert (system.role, user.role) == ("system", "user")
    assert re.search(
        r"## Query\n\nWhat is 1\+2\?\n\n## Assistant responses\n\n### Assistant 1\n\nthree\n\n\n"
        r"### Assistant 2\n\nfour\n\n\n## Analysis\n\n.*\\boxed\{Assistant 1\}.*\\boxed\{Assistant 2\}",
        user.content,
    )
    assert "secret" not in user.content
    assert (RRM().temperature, RRM().top_p, RRM().max_tokens) == (0.6, 1.0, 8192)


def test_rm_r1_instruct_has_its_task_in_the_system_message() -> None:
    system, user = RMR1Instruct().messages(PROBLEM, candidate("<think>secret</think>three"), candidate("four"))
    assert (system.role, user.role) == ("system", "user")
    sections = ["type", "solution", "rubric", "justify", "eval", "quote_A", "quote_B", "summary_A", "summary_B"]
    assert all(f"<{section}>" in system.content for section in sections)
    assert "<type>Reasoning</type>" in system.content and "<type>Chat</type>" in system.content
    assert "<answer>[[A]]</answer> or <answer>[[B]]</answer>" in system.content
    assert user.content == (
        "[Client Question]\nWhat is 1+2?\n\n[The Start of Chatbot A's Response]\nthree\n"
        "[The End of Chatbot A's Response]\n\n[The Start of Chatbot B's Response]\nfour\n"
        "[The End of Chatbot B's Response]"
    )
    assert (RMR1Instruct().temperature, RMR1Instruct().max_tokens) == (0.0, None)


def test_pairjudge_asks_for_both_judgments_and_shows_its_blocks() -> None:
    system, user = PairJudge().messages(PROBLEM, candidate("<think>secret</think>three"), candidate("four"))
    assert (system.role, user.role) == ("system", "user")
    assert user.content.endswith(
        "### **Question:**\n<question>\nWhat is 1+2?\n</question>\n\n### **Response A:**\n<response_a>\nthree\n"
        "</response_a>\n\n### **Response B:**\n<response_b>\nfour\n</response_b>"
    )
    for name in "ab":
        for said in ("Correct", "Incorrect"):
            assert f"<resp_{name}_judge>{said}</resp_{name}_judge>" in user.content
    assert (PairJudge().temperature, PairJudge().top_p, PairJudge().max_tokens) == (0.0, 1.0, 2048)


def test_templates_are_files_and_their_text_is_part_of_the_key(fake, tmp_path: Path) -> None:
    backend = fake(script=lambda *_: "\\boxed{Assistant 1} [[A]] " + judged("Correct", "Incorrect"))
    path = tmp_path / "mine.jinja"
    for wording in ("Better?", "Which one is better?"):
        path.write_text(wording + " {{ problem }} 1: {{ a }} 2: {{ b }}")
        for name in NAMES:
            judge, store = f"{name}:fake:j@template={path}", tmp_path / "s.db"
            assert decide(boxed(1, 2), "knockout", judge=judge, store=store).error is None
            assert backend.requests[-1].messages[-1].content.startswith(wording + " 1+2 1: so \\boxed{")
    assert backend.completions() == 2 * len(NAMES), "a changed template reuses nothing"
    path.write_text("{{ problem }} {{ a }}")
    with pytest.raises(tts.ConfigError, match=r"never uses \{\{ b \}\}"):
        decide(boxed(1, 2), "knockout", judge=f"rrm:fake:j@template={path}")


@pytest.mark.parametrize("name", ["rm-r1-instruct", "rrm", "pairjudge"])
def test_the_system_message_is_a_file_too_and_part_of_the_key(fake, tmp_path: Path, name: str) -> None:
    backend = fake(script=lambda *_: "\\boxed{Assistant 1} [[A]] " + judged("Correct", "Incorrect"))
    path = tmp_path / "system.jinja"
    for wording in ("Be fair.", "Be fair.", "Be strict."):
        path.write_text(wording)
        judge = f"{name}:fake:j@system={path}"
        assert decide(boxed(1, 2), "knockout", judge=judge, store=tmp_path / "s.db").error is None
        assert backend.requests[-1].messages[0] == tts.Message(role="system", content=wording)
    assert backend.completions() == 2, "the same wording is not paid for again, a new one is"
    path.write_text("{{ problem }}")
    with pytest.raises(tts.ConfigError, match=r"uses \{\{ problem \}\}"):
        decide(boxed(1, 2), "knockout", judge=f"{name}:fake:j@system={path}")


@pytest.mark.parametrize("name", NAMES)
def test_a_real_model_that_knows_no_verdicts_still_ends_the_tournament(name: str) -> None:
    settings = {"judge": f"{name}:hf:miniature@max_tokens=24", "seed": 1}
    result = decide(boxed(1, 2, 3), "knockout", **settings)
    assert result.error is None
    assert [match["by"] for played in result.decision.trace["rounds"] for match in played["matches"]] == ["coin"] * 2
    assert result.usage["judge"].calls == 4
    assert 0 < result.usage["judge"].generated_tokens <= 4 * 24
    assert decide(boxed(1, 2, 3), "knockout", **settings).answer == result.answer


def test_a_real_model_with_a_short_context_sees_the_ends(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "llama", bpe_tokenizer(), max_position_embeddings=1400)
    found = candidate_set("step " * 2000 + "so \\boxed{1}", "so \\boxed{2}")
    result = decide(found, "knockout", judge=f"generic:hf:{folder}@max_tokens=16")
    assert result.error is None
    assert result.usage["judge"].prompt_tokens <= 2 * 1400
