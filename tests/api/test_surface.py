"""What users rely on changes on purpose only: the public names and signatures are those of surface.txt."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from surface import surface


def test_the_public_surface_is_as_written_down() -> None:
    written = (Path(__file__).parent / "surface.txt").read_text("utf-8").splitlines()
    found = surface()
    changes = [
        line for line in difflib.unified_diff(written, found, lineterm="", n=0) if line[:3] not in {"---", "+++"}
    ]
    if changes:
        pytest.fail(
            "the public surface changed; undo it, or run `make api`, commit tests/api/surface.txt and follow "
            "'What may change' in CONTRIBUTING.md:\n" + "\n".join(changes)
        )
