"""The paths that programs import from lead to the rooms, and a room loads no more than it must."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "path",
    [
        "tts_backends.hf:HFBackend",
        "tts_backends.hf_reward:HFReward",
        "tts_backends.judges:RMR1",
        "tts_backends.judges:RRM",
        "tts_backends.judges:Generic",
        "tts_backends.judges:PairJudge",
        "tts_backends.judges:RMR1Instruct",
        "tts_backends.openai:OpenAIBackend",
        "tts_backends.openai_batch:OpenAIBatchBackend",
        "tts_backends.sglang:SGLangBackend",
        "tts_backends.vllm:VLLMBackend",
        "tts_trainers.hybrid:HybridSFTTrainer",
    ],
)
def test_what_programs_import_is_there(path: str) -> None:
    room, _, name = path.partition(":")
    module = importlib.import_module(room)
    assert getattr(module, name).__name__ == name
    assert name in module.__all__


@pytest.mark.parametrize("room", ["tts_backends.sglang", "tts_trainers.hybrid"])
def test_a_room_that_loads_late_says_what_it_does_not_have(room: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{room}' has no attribute 'Nothing'"):
        _ = importlib.import_module(room).Nothing


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("tts_backends.sglang.host", "tts_backends.sglang.backend"),
        ("tts_backends.checkpoints.digest", "torch"),
        ("tts_backends.judges", "torch"),
        ("tts_backends.scorers.length", "torch"),
        ("tts_trainers.hybrid.recipe", "torch"),
        ("tts_trainers.runtime.folder", "torch"),
    ],
)
def test_a_light_part_of_a_room_loads_nothing_heavy(module: str, heavy: str) -> None:
    code = f"import sys, {module}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
