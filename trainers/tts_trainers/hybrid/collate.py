"""From rows to batches that know the stratum of every token: padded, packed or padding-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset, Sequence, Value
from transformers import PreTrainedModel
from trl.data_utils import pack_dataset

from tts import ConfigError
from tts_trainers.hybrid.objectives import stratum
from tts_trainers.rows import OBJECTIVES

_PACKED = ["input_ids", "labels", "strata"]
_SEEN, _MOVED = 0.05, 0.5  # shares of the effect of another row: of its content, of all that its presence changes
_MASKED = ("eager", "sdpa", "flex_attention")  # their masks are made from position_ids; flash kernels get boundaries


def add_strata(tokenised: Dataset) -> Dataset:
    """Add `strata` (one per token) and `length` to a dataset that TRL has tokenised.

    Raises `ConfigError` where the column `objective` is missing or holds something else.
    """
    if "objective" not in tokenised.column_names:
        raise ConfigError("the training rows have no column 'objective'; write them with `tts train-data`")
    features = tokenised.features.copy()
    features["strata"] = Sequence(Value("int8"))
    features["length"] = Value("int32")
    return tokenised.map(_strata_of_rows, batched=True, features=features)


def _strata_of_rows(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    known = rows.get("n_correct") or [None] * len(rows["objective"])
    lengths = [len(ids) for ids in rows["input_ids"]]
    strata = [stratum(objective, n) for objective, n in zip(rows["objective"], known, strict=True)]
    per_token = [[one] * length for one, length in zip(strata, lengths, strict=True)]
    return {"strata": per_token, "length": lengths}


def pack(rows: Dataset, max_length: int) -> Dataset:
    """Join whole rows to packs of at most `max_length` tokens; every token keeps its stratum."""
    packed: Dataset = pack_dataset(rows.select_columns(_PACKED), max_length, "bfd")
    return packed


def check_joinable(model: PreTrainedModel) -> None:
    """Raise `ConfigError` where rows joined to one sequence would see each other in this model.

    Rows are told apart by positions that start again. Attention kernels that do not look at positions are known by
    name; architectures that do not (OPT and Bloom, for two) differ from one release of transformers to the next, so the
    model itself is tried on two short rows, unless its weights are sharded and it cannot be run alone.
    """
    attention = str(model.config._attn_implementation)  # noqa: SLF001  # there is no public name for it
    if attention not in _MASKED and "flash" not in attention:
        raise ConfigError(f"packing needs {', '.join(_MASKED)} or flash attention, not {attention!r}; turn it off")
    if model._is_stateful or (_is_whole(model) and _leaks(model)):  # noqa: SLF001
        kind = type(model).__name__
        raise ConfigError(f"rows packed together would see each other in {kind}; turn packing and padding_free off")


def _is_whole(model: PreTrainedModel) -> bool:
    return all(p.numel() and not p.is_meta for p in model.parameters())  # ZeRO-3 and FSDP leave empty or meta tensors


def _leaks(model: PreTrainedModel) -> bool:
    words = model.config.get_text_config().vocab_size
    row, one, other = (torch.arange(start, start + 8, device=model.device)[None] % words for start in (2, 10, 18))
    starting_again = torch.arange(16, device=model.device)[None] % 8
    training = model.training
    model.train(False)
    with torch.no_grad():
        alone = model(input_ids=row, use_cache=False).logits.float()
        after_one = model(input_ids=torch.cat([one, row], 1), use_cache=False).logits[:, 8:].float()
        packed, swapped = (
            model(input_ids=torch.cat([first, row], 1), position_ids=starting_again, use_cache=False)
            .logits[:, 8:]
            .float()
            for first in (one, other)
        )
    model.train(training)
    # Relative to what reading on from another row changes, so that no precision needs a tolerance of its own. Packed
    # and swapped have one shape and hardly any rounding between them; packed and alone may take different kernels.
    seen = (after_one - alone).norm()
    return bool((packed - swapped).norm() > _SEEN * seen or (packed - alone).norm() > _MOVED * seen)


def batch_lengths(rows: Dataset) -> tuple[list[int], list[int]]:
    """What the sampler needs: the objective (packs hold both, and count as one kind) and the length of each row."""
    if "seq_lengths" in rows.column_names:
        return [0] * len(rows), [sum(parts) for parts in rows["seq_lengths"]]
    return [OBJECTIVES.index(name) for name in rows["objective"]], rows["length"][:]


@dataclass
class StrataCollator:
    """TRL's collator, with the stratum of each token and the row that it came from.

    `strata` and `rows` have the shape of `input_ids`. A padded position has the stratum of its row and no target.
    """

    collate: Callable[[list[dict[str, Any]]], dict[str, Any]]

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch."""
        batch = self.collate(examples)
        count, width = batch["input_ids"].shape
        if "attention_mask" in batch:
            batch["strata"] = torch.tensor([[example["strata"][0]] for example in examples]).expand(count, width)
            batch["rows"] = torch.arange(count)[:, None].expand(count, width)
            return batch
        strata = torch.cat([torch.tensor(example["strata"]) for example in examples])
        lengths = torch.tensor([len(example["strata"]) for example in examples])
        rows = torch.repeat_interleave(torch.arange(len(examples)), lengths)
        filling = (0, width - len(strata))
        batch["strata"] = torch.nn.functional.pad(strata, filling)[None]
        batch["rows"] = torch.nn.functional.pad(rows, filling)[None]
        return batch
