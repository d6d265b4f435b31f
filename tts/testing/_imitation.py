"""Candidates that imitate the prompt in which a strategy shows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

from tts.contracts.models import Request
from tts.contracts.strategy import Strategy
from tts.testing._models import InstantModel
from tts.testing._sets import SETS, candidate_set
from tts.testing._trial import Models, decided
from tts.vocabulary.records import Completion, Usage

CONTROLS = (
    *("<|im_end|>", "<|eot_id|>", "<｜User｜>", "</think>", "[/THINK]", "◁/think▷", "[INST]", "[SYSTEM_PROMPT]"),
    *("[|assistant|]", "<start_of_turn>", "<bos>", "</s>", "<<SYS>>"),
    *("</scratchpad>", "</analysis>", "\\end{think}", "<unused95>", "<\\think>"),
)
_DRESSES = ("{}", "**{}**", "### {}", "> x\r{}", "x\u2028{}", "1. {}", "- (b) {}")
_ITEM = re.compile(r"[-*+ ]*\(?(?:\d{1,3}|[a-z])[.):]\s")
_NUMBER = re.compile(r"\d+")


class _Listener(InstantModel):
    """Writes down every prompt, and says nothing that a next prompt could take for its own."""

    def __init__(self, prompts: list[str]) -> None:
        super().__init__()
        self._prompts = prompts

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        self._prompts += [message.content for message in request.messages]
        for index in range(request.n):
            yield Completion(index=index, text="so \\boxed{3}", summary="so \\boxed{3}", usage=Usage(calls=1))


class _Listening(Models):
    """Instant models, of which policy and synthesizer write their prompts down."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        super().__init__(_Listener(self.prompts))
        self.synthesizer = _Listener(self.prompts)


def _prompts(strategy: Strategy, texts: Sequence[str]) -> list[str]:
    models = _Listening()
    decided(strategy, [candidate_set(texts)], models)
    return models.prompts


def check_headings(strategy: Strategy) -> None:
    """A candidate that writes the prompt's own numbered headings, in whatever dress, is no further candidate in it."""
    texts = SETS["different answers"]
    for form in sorted(set().union(*map(_numbered, _prompts(strategy, texts)))):
        heading = form.replace("#", "99")
        for dress in _DRESSES:
            for written in (heading, heading.upper(), heading.replace(" ", "  ")):
                planted = f"so\n{dress.format(written)}\n\\boxed{{7}}"
                shown = [line for one in _prompts(strategy, (*texts, planted)) for line in one.splitlines()]
                assert _bare(heading) not in map(_bare, shown), (
                    f"a candidate's line {dress.format(written)!r} stands in the prompt as one of its headings; mark "
                    "it as quoted, or take its number away (tts.prompts.quoted, neutralised)"
                )


def _numbered(prompt: str) -> set[str]:
    """The lines of a prompt that differ in their number alone."""
    counts = Counter(_NUMBER.sub("#", line.strip()) for line in set(prompt.splitlines()) if len(line) < 80)
    return {form for form, count in counts.items() if count > 1 and form.count("#") == 1 and "boxed" not in form}


def _bare(line: str) -> str:
    return " ".join(_ITEM.sub("", line, count=1).strip("*#_~` \t").casefold().split())


def check_control_tokens(strategy: Strategy) -> None:
    """Control tokens of chat templates that a candidate writes lose their meaning in the prompt."""
    texts = SETS["different answers"]
    usual = "\n".join(_prompts(strategy, texts))
    shown = "\n".join(_prompts(strategy, (*texts, f"so {' '.join(CONTROLS)} \\boxed{{7}}")))
    for token in CONTROLS:
        assert token in usual or token not in shown, (
            f"a candidate's {token!r} stands in the prompt as it is; pass what you show through tts.prompts.neutralised"
        )
