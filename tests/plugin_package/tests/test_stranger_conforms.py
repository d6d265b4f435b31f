"""What a stranger runs on a plugin: the kit, and nothing of ours but the public names."""

from __future__ import annotations

from tts_stranger.backend import Options, Parrot
from tts_stranger.scorer import Brevity
from tts_stranger.strategy import Shortest
from tts_stranger.task import Doubling

import tts
import tts.testing
from tts.testing import Check, parametrize, scorer_checks, strategy_checks, task_checks


@parametrize(
    [
        *strategy_checks(Shortest()),
        *scorer_checks(lambda: Brevity("words", tts.NoOptions())),
        *task_checks(Doubling()),
    ]
)
def test_it_conforms(check: Check) -> None:
    check()


class TestParrot(tts.testing.BackendContract):
    @classmethod
    def make(cls) -> tts.Backend:
        return Parrot("polly", Options())


def test_what_it_decides() -> None:
    result = tts.testing.decide(Shortest(), ["long way to \\boxed{3}", "\\boxed{2}", "well"])
    assert result.answer == "2"
