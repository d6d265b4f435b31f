"""Weights that change on the disk: every byte counts, and a model in memory does not answer for its successor."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

import tts
import tts_backends
from tts_backends.checkpoints import digest
from tts_backends.checkpoints.digest import weights_digest
from tts_backends.checkpoints.files import CheckpointFiles
from tts_backends.checkpoints.source import Source
from tts_backends.hf import HFBackend

MINIATURE = Path(tts_backends.__file__).parent / "miniature"
LARGE = 3 * 2**20 + 12_345


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The base miniature, without what it was trained on."""
    shutil.copytree(MINIATURE / "base", tmp_path / "model")
    return tmp_path / "model"


def become(folder: Path, other: Path) -> None:
    """Its weights are overwritten in place, as a training run or a copy does."""
    for name in ("model.safetensors", "config.json"):
        shutil.copyfile(other / name, folder / name)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file that counts as large: five pieces."""
    monkeypatch.setattr(digest, "_WHOLE", 2**19)
    monkeypatch.setattr(digest, "_READ", 2**17)
    monkeypatch.setattr(digest, "_known", {})
    (tmp_path / "model.safetensors").write_bytes(random.Random(0).randbytes(LARGE))
    return tmp_path


def of(folder: Path) -> str:
    return weights_digest(Source(str(folder), folder, None), None)


def poke(file: Path, place: int) -> None:
    """Change one byte and no time, size or inode."""
    found = file.stat()
    with file.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte[0] ^ 1]))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_every_byte_of_a_large_file_counts(large: Path) -> None:
    file, seen = large / "model.safetensors", set()
    places = [0, LARGE - 1, 2**19 - 1, 2**19, *random.Random(1).sample(range(LARGE), 30)]
    for place in places:
        seen.add(of(large))
        poke(file, place)
    assert len(seen) == len(places)


def test_a_large_file_is_read_once_while_it_stays(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = large / "model.safetensors"
    os.utime(file, (1e9, 1e9))
    read: list[int] = []
    piece = digest._piece
    monkeypatch.setattr(digest, "_piece", lambda path, start: read.append(start) or piece(path, start))
    first = of(large)
    assert len(read) == 7
    assert of(large) == first
    assert len(read) == 7
    file.write_bytes(file.read_bytes()[::-1])
    assert of(large) != first
    assert len(read) == 14


def test_the_digest_of_small_files_is_what_it_was() -> None:
    """Stores of small models are found again; those of files over 64 MB are not: their digests missed changes."""
    seen = hashlib.blake2b(digest_size=16)
    for file in sorted((MINIATURE / "base").iterdir()):
        if file.suffix in {".safetensors", ".json", ".bin", ".model"} and file.name != "tts.json":
            seen.update(f"{file.name}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    assert of(MINIATURE / "base") == seen.hexdigest()


def test_what_was_only_touched_has_not_changed(folder: Path) -> None:
    files = CheckpointFiles(Source(str(folder), folder, None))
    files.digest(None)
    assert not files.changed()
    for file in folder.iterdir():
        os.utime(file, (1e9, 1e9))
    assert not files.changed()
    poke(folder / "model.safetensors", 5000)
    os.utime(folder / "model.safetensors")
    assert files.changed()


@pytest.mark.parametrize("name", ["chat_template.jinja", "tts.json", "tokenizer.json", "config.json"])
def test_templates_and_vocabularies_count(folder: Path, name: str) -> None:
    files = CheckpointFiles(Source(str(folder), folder, None))
    files.digest(None)
    (folder / name).write_text((folder / name).read_text("utf-8") + " ", "utf-8")
    assert files.changed()


def test_a_file_that_is_gone_is_a_change(folder: Path) -> None:
    files = CheckpointFiles(Source(str(folder), folder, None))
    files.digest(None)
    shutil.rmtree(folder)
    assert files.changed()


def test_a_change_while_the_model_is_loaded_is_said(folder: Path) -> None:
    files = CheckpointFiles(Source(str(folder), folder, None))
    become(folder, MINIATURE)
    with pytest.raises(tts.BackendUnavailable, match="has changed while it was loaded"):
        files.digest(None)


def test_an_adapters_base_counts(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(f'{{"base_model_name_or_path": "{folder}"}}')
    files = CheckpointFiles(Source(str(adapter), adapter, None))
    files.digest(None)
    assert not files.changed()
    become(folder, MINIATURE)
    assert files.changed()


def test_the_next_call_answers_with_the_new_weights(folder: Path, tmp_path: Path) -> None:
    reference, store = f"hf:{folder}", tmp_path / "s.db"
    sampling = tts.Sampling(max_tokens=20, temperature=0.0)
    problems = [tts.Example(problem=tts.Problem(id="p", prompt="Compute 12*7+31*4."))]

    def ask() -> tts.CandidateSet:
        return tts.sample(problems, k=1, model=reference, store=store, sampling=sampling)[0]

    before = ask()
    assert ask().policy == before.policy
    become(folder, MINIATURE)
    after = ask()
    assert after.policy != before.policy
    assert after.candidates[0].text != before.candidates[0].text
    fresh = HFBackend(str(folder), HFBackend.Options())
    assert after.policy == fresh.fingerprint
    become(folder, MINIATURE / "base")
    assert ask() == before, "what the first weights had said is still in the store"


@pytest.mark.parametrize("commit", [None, "abc"])
def test_a_chat_template_of_the_users_counts_also_of_a_model_of_the_hub(tmp_path: Path, commit: str | None) -> None:
    template = tmp_path / "chat.jinja"
    template.write_text("one")
    files = CheckpointFiles(Source("org/name", None, None), template)
    files.digest(commit)
    assert not files.changed()
    template.write_text("two")
    assert files.changed()
    template.write_text("one")
    assert not files.changed()


def test_a_chat_template_that_changes_in_place_is_in_the_key_and_read_at_the_next_call(tmp_path: Path) -> None:
    template, store = tmp_path / "chat.jinja", tmp_path / "s.db"
    problems = [tts.Example(problem=tts.Problem(id="p", prompt="Compute 12*7+31*4."))]

    def ask(text: str) -> tts.CandidateSet:
        template.write_text(text)
        reference = f"hf:miniature@chat_template={template}"
        return tts.sample(problems, k=1, model=reference, store=store, sampling=tts.Sampling(max_tokens=4))[0]

    plain = "{% for message in messages %}{{ message.content }}{% endfor %}"
    before = ask(plain)
    after = ask(plain.replace("}}{%", "}}!{%"))
    assert after.policy != before.policy
    assert after.candidates[0].usage.prompt_tokens == before.candidates[0].usage.prompt_tokens + 1
    assert ask(plain) == before, "what the first template had led to is still in the store"
