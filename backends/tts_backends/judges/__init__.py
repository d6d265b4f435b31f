"""Generative judges' formats beside the classifier of pairs."""

from __future__ import annotations

from tts_backends.judges.formats import RMR1, RRM, Generic, PairJudge, RMR1Instruct

__all__ = ["RMR1", "RRM", "Generic", "PairJudge", "RMR1Instruct"]
