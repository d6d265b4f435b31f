"""`HFReward` under the path that programs know it by."""

from __future__ import annotations

from tts_backends.scorers.hf_reward import HFReward

__all__ = ["HFReward"]
