"""A scorer."""

from __future__ import annotations

from collections.abc import Sequence

import tts


class Brevity:
    """Fewer words are better; `brevity:words` or `brevity:letters`."""

    Options = tts.NoOptions
    light = True

    def __init__(self, model: str, options: tts.NoOptions) -> None:
        if model not in {"words", "letters"}:
            raise tts.ConfigError(f"there is no 'brevity:{model}'; give 'brevity:words' or 'brevity:letters'")
        self._words = model == "words"
        self.fingerprint = f"brevity:{model}"

    async def score(self, problem: tts.Problem, responses: Sequence[tts.Candidate]) -> list[tts.Score]:
        return [tts.Score(value=-len(one.text.split() if self._words else one.text)) for one in responses]

    async def aclose(self) -> None:
        pass
