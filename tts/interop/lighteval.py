"""lighteval: `details_TASK_DATE.parquet`, as `--save-details` writes it from 0.10 on (doc, model_response, metric).

From its documented format and the source of 0.13; the tool itself was not run. Details of older releases have the
whole prompt, their predictions and gold answers as lists, or as the text of lists. The scores are one number per
problem and metric, not per response.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tts.interop._foreign import Converted, converted, list_at, response, take, text_at, usage_of
from tts.rows.cells import list_of
from tts.rows.files import Row, rows_of_file


def holds(path: Path, first: Mapping[str, Any]) -> bool:
    """A Parquet file of details, of this or an older release."""
    return path.suffix == ".parquet" and ({"doc", "model_response"} <= first.keys() or _older(first))


def _older(first: Mapping[str, Any]) -> bool:
    return {"full_prompt", "predictions", "gold"} <= first.keys()


def rows(path: Path) -> Iterator[Row]:
    """One row per problem; the model is not named in the file."""
    return converted(rows_of_file(path), _convert)


def _convert(row: Row) -> Converted:
    if _older(row.value):
        return _older_details(row)
    answered = take(row, "model_response")
    texts = list_at(row, "text", of=answered)
    if not texts:
        raise row.error("there are no responses; the task compares log-likelihoods")
    reasoning = answered.get("reasonings") or [None] * len(texts)
    tokens = answered.get("output_tokens") or []
    prompt = len(answered.get("input_tokens") or [])
    return {
        **_identity(row),
        "problem": text_at(row, "doc", "query"),
        "answer": _gold(row),
        "candidates": [
            {
                **response(reasoning[i] if i < len(reasoning) else None, text),
                "usage": usage_of(prompt, len(tokens[i]) if i < len(tokens) else 0),
            }
            for i, text in enumerate(texts)
        ],
        "metadata": {"lighteval": row.value.get("metric")},
    }


def _older_details(row: Row) -> Converted:
    predicted, gold = list_of(row.value["predictions"]), list_of(row.value["gold"])
    if not predicted or not all(isinstance(one, str) for one in predicted):
        raise row.error("there are no responses among the 'predictions' of this older lighteval")
    golds = row.value["gold"] if gold is None else ", ".join(map(str, gold))
    return {"problem": text_at(row, "full_prompt"), "answer": golds or None, "candidates": predicted}


def _identity(row: Row) -> dict[str, str]:
    name = take(row, "doc").get("id")
    return {} if name in (None, "") else {"id": str(name)}


def _gold(row: Row) -> str | None:
    """The gold answers by their places among the choices; several of them are one list."""
    places = take(row, "doc", "gold_index")
    choices = list_at(row, "doc", "choices")
    golds = [take(row, place, of=choices) for place in (places if isinstance(places, list) else [places])]
    flat = [one for gold in golds for one in (gold if isinstance(gold, list) else [gold])]
    return ", ".join(map(str, flat)) or None
