"""Stand-ins for models, which note what they are asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from tts.contracts.models import Capabilities, NoOptions, Request
from tts.vocabulary.records import Candidate, Completion, Message, Problem, Score, Usage, Verdict

CHARACTERS = 4  # of a token, as an estimate
_SAYS = "\\boxed{0}"  # what is written where there is no response to repeat


class Noted:
    """What stand-ins were asked: the first prompt, calls by role, characters of all prompts."""

    def __init__(self) -> None:
        self.first: tuple[Message, ...] = ()
        self.calls: dict[str, int] = dict.fromkeys(("policy", "scorer", "judge", "synthesizer"), 0)
        self.characters: int = 0

    def ask(self, role: str, messages: Sequence[Message], times: int) -> None:
        """Note a prompt that is asked so many times."""
        self.first = self.first or tuple(messages)
        self.calls[role] += times
        self.characters += times * sum(len(one.content) for one in messages)

    def show(self, role: str, problem: Problem, responses: Sequence[Candidate]) -> None:
        """Note responses that a model is shown to value them."""
        self.calls[role] += 1
        self.characters += len(problem.text) + sum(len(one.text) for one in responses)


class Writer:
    """Stands in for a policy or synthesizer; it says what it is given to say, in turns."""

    Options = NoOptions
    capabilities: Capabilities = Capabilities(seed=True, logprobs=True)

    def __init__(self, noted: Noted, role: str, says: Sequence[str]) -> None:
        self._noted, self._role, self._says = noted, role, list(says) or [_SAYS]
        self.fingerprint: str = f"explain:{role}"

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Completions that cost nothing."""
        self._noted.ask(self._role, request.messages, request.n)
        for index in range(request.n):
            text = self._says[index % len(self._says)]
            yield Completion(index=index, text=text, summary=text, usage=Usage(calls=1), logprob=-1.0)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """An estimate."""
        return [len(text) // CHARACTERS for text in texts]

    async def aclose(self) -> None:
        """Nothing is held."""


class Valuer:
    """Stands in for a scorer or judge, to whom all are alike and the first is better."""

    Options = NoOptions

    def __init__(self, noted: Noted, role: str) -> None:
        self._noted, self._role = noted, role
        self.fingerprint: str = f"explain:{role}"

    async def score(self, problem: Problem, responses: Sequence[Candidate]) -> list[Score]:
        """Zero for each."""
        for one in responses:
            self._noted.show(self._role, problem, [one])
        return [Score(value=0.0) for _ in responses]

    async def compare(self, problem: Problem, a: Candidate, b: Candidate, *, seed: int) -> Verdict:  # noqa: ARG002 - a judge's signature
        """The first."""
        self._noted.show(self._role, problem, [a, b])
        return Verdict(winner="a")

    async def aclose(self) -> None:
        """Nothing is held."""
