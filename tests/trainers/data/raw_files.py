"""Raw data for the tests of `tts train-data`: files shaped like OpenMathReasoning, and like a file of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tts_trainers.data.recipe import DataRecipe
from tts_trainers.rows import Row, read_rows


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def openmath(problem: str, answer: str = "1", **changed: Any) -> dict[str, Any]:
    """A row with the columns of OpenMathReasoning."""
    return {
        "expected_answer": answer,
        "problem_type": "has_answer_extracted",
        "problem_source": "aops_c4_high_school_math",
        "generation_model": "QwQ-32B",
        "pass_rate_72b_tir": "0.5",
        "problem": problem,
        "generated_solution": f"<think>\nhm\n</think>\n\n\\boxed{{{answer}}}",
        "inference_mode": "cot",
        "used_in_kaggle": True,
    } | changed


def own(number: int, correct: int, solutions: int = 1) -> dict[str, Any]:
    """A problem `number + 1` with six candidates, `correct` of them correct, and as many solutions as asked for."""
    answer = number + 1
    candidates = [f"It is \\boxed{{{answer if i < correct else answer + 1 + i}}} said {i}." for i in range(6)]
    given = [f"<think>\nway {i}\n</think>\n\n\\boxed{{{answer}}}" for i in range(solutions)]
    return {
        "id": f"own-{number}",
        "problem": f"{number}+1",
        "answer": str(answer),
        "candidates": candidates,
        "solutions": given,
    }


def recorded(data: Path, **tables: Mapping[str, Any]) -> DataRecipe:
    """A recipe in which nothing is asked of a model."""
    settings: dict[str, dict[str, Any]] = {
        "source": {"data": str(data), "candidates": "candidates", "solutions": "solutions"},
        "student": {"model": "recorded"},
        "teacher": {"model": "recorded"},
        "output": {"evaluation_share": 0.3, "format": "jsonl"},
    }
    for name, table in tables.items():
        settings[name] = {**settings.get(name, {}), **table}
    return DataRecipe.model_validate(settings)


def both_sides(out: Path) -> tuple[list[Row], list[Row]]:
    """The rows of the two files; none where there is no file."""
    paths = [path for side in ("train", "evaluation") for path in out.glob(f"{side}.*")]
    found = {path.stem: list(read_rows(path)) for path in paths}
    return found.get("train", []), found.get("evaluation", [])
