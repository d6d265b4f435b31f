"""Files of other tools, written by hand in their documented form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def generation(question: str, answer: str, text: str, **more: Any) -> dict[str, Any]:
    """A line of NeMo-Skills: the row of its data set and what was generated."""
    return {
        "problem": question,
        "expected_answer": answer,
        "generation": text,
        "predicted_answer": text.split()[-1],
        "symbolic_correct": text.split()[-1] == answer,
        "num_generated_tokens": len(text.split()),
        "generation_time": 0.1,
        **more,
    }


def review(index: int, group: int, question: str, target: str, text: Any, score: float) -> dict[str, Any]:
    """A line of evalscope's reviews."""
    return {
        "index": index,
        "target": [target],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": question},
            {"role": "assistant", "content": text},
        ],
        "sample_score": {
            "score": {"value": {"acc": score}, "extracted_prediction": target, "prediction": "unused"},
            "sample_id": index,
            "group_id": group,
        },
    }


def detail(question: str, gold: str, texts: list[str], **more: Any) -> dict[str, Any]:
    """A row of lighteval's details."""
    return {
        "doc": {"query": question, "choices": [gold], "gold_index": 0, "id": question[:3], "num_samples": len(texts)},
        "model_response": {
            "text": texts,
            "input_tokens": [1, 2, 3],
            "output_tokens": [[0] * len(text.split()) for text in texts],
            "reasonings": [None] * len(texts),
            **more,
        },
        "metric": {"math_pass@1": 0.5},
    }


def rollout(number: int, question: str, answer: str, text: Any, **more: Any) -> dict[str, Any]:
    """A line of verifiers' results.jsonl."""
    return {
        "example_id": number,
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": text}],
        "answer": answer,
        "task": "sums",
        "reward": float(answer in text),
        "generation_ms": 3.5,
        **more,
    }


def monkey(question: str, answer: str, texts: list[str]) -> dict[str, Any]:
    """A file of one problem of Large Language Monkeys."""
    return {"question": question, "gt_answer": answer, "samples": texts, "prompt": f"Few-shot …\n{question}"}


def gym(question: str, answer: str, texts: list[str]) -> dict[str, Any]:
    """A result of reasoning-gym's evaluation."""
    return {
        "question": question,
        "expected_answer": answer,
        "best_model_answer": answer,
        "best_score": 1.0,
        "completions": [
            {"model_answer": text.split()[-1], "full_model_response": text, "score": float(text.endswith(answer))}
            for text in texts
        ],
    }
