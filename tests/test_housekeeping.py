"""The files around the code say what is so: citation, contributing page, hooks before a commit, issue forms."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import tts

ROOT = Path(__file__).parents[1]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_the_citation_is_of_this_version_and_licence() -> None:
    citation = read("CITATION.cff")
    assert (citation["cff-version"], citation["version"]) == ("1.2.0", tts.__version__)
    assert citation["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8").splitlines()[0]


def test_contributing_fits_a_screen_and_names_what_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert page.count("\n") <= 60
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", page)) <= targets
    paths = re.findall(r"`((?:docs|tests|tts)/[\w./-]*)`|`([A-Z]+\.md)`", page)
    assert len(paths) > 4
    assert [path for found in paths for path in found if path and not (ROOT / path).exists()] == []


def test_hooks_before_a_commit_are_tools_of_the_environment() -> None:
    (local,) = read(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    for hook in local["hooks"]:
        tool = Path(shlex.split(hook["entry"])[0])
        assert tool.parent == Path(".venv/bin")
        assert {"lint-imports": "import-linter"}.get(tool.name, tool.name) in settings
        assert hook["language"] == "system"


@pytest.mark.parametrize("form", ["bug", "strategy"])
def test_issue_forms_ask_questions_with_names_of_their_own(form: str) -> None:
    found = read(f".github/ISSUE_TEMPLATE/{form}.yml")
    assert {"name", "description", "body"} <= found.keys()
    asked = [question["id"] for question in found["body"] if question["type"] != "markdown"]
    assert len(asked) == len(set(asked)) > 2
