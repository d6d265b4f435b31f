"""What will be learned, to be read before it is: some rows as their tokens say them, the targets marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tts_trainers.hybrid.targets import IGNORED
from tts_trainers.rows import OBJECTIVES

if TYPE_CHECKING:
    from datasets import Dataset

_BEFORE, _FIRST, _LAST = 400, 900, 300  # characters of a prompt's end, of the targets' beginning and end


def preview(train: Dataset, tokenizer: Any) -> str:
    """The first row of each objective and the longest row; targets stand between ⟦ and ⟧."""
    objectives, lengths = train["objective"][:], train["length"][:]
    places = [objectives.index(one) for one in OBJECTIVES if one in objectives]
    places.append(max(range(len(lengths)), key=lengths.__getitem__))
    return "\n\n".join(_shown(train[place], place, tokenizer) for place in dict.fromkeys(places))


def _shown(row: dict[str, Any], place: int, tokenizer: Any) -> str:
    labels = row["labels"]
    first = next(at for at, label in enumerate(labels) if label != IGNORED)
    prompt, learned = tokenizer.decode(row["input_ids"][:first]), tokenizer.decode(labels[first:])
    head = (
        f"row {place + 1}: {row['objective']}, problem {row['problem_id']!r}, {row['targets']:,} of {row['length']:,} "
    )
    begun = f"… {prompt[-_BEFORE:]}" if len(prompt) > _BEFORE else prompt
    if len(learned) > _FIRST + _LAST:
        cut = len(learned) - _FIRST - _LAST
        learned = f"{learned[:_FIRST]} … {cut:,} characters … {learned[-_LAST:]}"
    return f"{head}tokens to be learned\n{begun}⟦{learned}⟧"
