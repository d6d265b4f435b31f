"""What the tests of several rooms share; no folder here has the name of a library, whose place it would take."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_models import bpe_tokenizer, save_llama


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Llama."""
    return save_llama(tmp_path_factory.mktemp("models") / "llama", bpe_tokenizer())
