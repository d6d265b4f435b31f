"""Whether bfloat16 is worth computing in here."""

from __future__ import annotations


def half_is_fast() -> bool:
    """Whether this machine multiplies in bfloat16 itself.

    A CPU that has no instructions for it takes many times as long as in float32 (`benchmarks/replica_half.py`), so a
    recipe that asks for bfloat16 where it is fast is computed in float32 elsewhere.
    """
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - torch asks itself in this way
