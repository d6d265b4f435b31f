"""`tts.json`, as training writes it and the `hf` backend reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tts
from tts.prompts import Prompts
from tts_trainers.prompts_file import write_prompts


def test_it_writes_sources_and_numbers(tmp_path: Path) -> None:
    written = write_prompts(
        tmp_path,
        direct_template="{{ problem }}",
        refine_template="{{ problem }} {{ candidates }}",
        candidate_tokens=10,
        k=3,
    )
    assert json.loads((tmp_path / "tts.json").read_text("utf-8")) == {
        "direct_template": "{{ problem }}",
        "refine_template": "{{ problem }} {{ candidates }}",
        "candidate_tokens": 10,
        "k": 3,
    }
    assert Prompts.read(tmp_path / "tts.json") == written


def test_a_template_without_its_field_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match="'refine_template' never uses {{ candidates }}; it must"):
        write_prompts(
            tmp_path, direct_template="{{ problem }}", refine_template="{{ problem }}", candidate_tokens=1, k=1
        )
    assert not list(tmp_path.iterdir())
