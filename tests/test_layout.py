"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tts
from tts.vocabulary import hooks

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / p for p in ("tts", "strategies/tts_strategies", "backends/tts_backends", "trainers/tts_trainers")]
SOURCES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))


def lengths() -> dict[str, int]:
    found = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node, clean=False)
                size = node.end_lineno - node.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)
                found[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = size
    return found


def test_functions_are_short() -> None:
    sizes = lengths()
    assert {name: size for name, size in sizes.items() if size > 60} == {}
    assert statistics.quantiles(sizes.values(), n=10)[-1] <= 25


def test_files_are_short_and_well_named() -> None:
    assert {p.name: n for p in SOURCES if (n := p.read_text("utf-8").count("\n")) > 400} == {}
    assert not {p.name for p in SOURCES} & {"utils.py", "common.py", "base.py", "types.py", "helpers.py"}
    assert not [root for root in ("strategies", "backends", "trainers") if (ROOT / root / "__init__.py").exists()]
    assert all((package / "py.typed").exists() for package in PACKAGES)


def test_all_and_reality_agree() -> None:
    public = {name for name in vars(tts) if not name.startswith("_") and not isinstance(vars(tts)[name], type(sys))}
    public -= {"annotations"}
    assert public | {"__version__"} == set(tts.__all__)
    assert tts.__all__ == sorted(tts.__all__)


def test_public_names_have_docstrings() -> None:
    assert [name for name in tts.__all__ if name != "__version__" and not getattr(tts, name).__doc__] == []


def test_every_declared_plugin_resolves() -> None:
    ours = [plugin for plugin in tts.plugins().all() if plugin.distribution == "ttscale"]
    assert len(ours) > 15
    installed = {distribution.name for distribution in importlib.metadata.distributions()}
    for plugin in ours:
        assert plugin.entry.summary
        if plugin.entry.name == "ray" and "ray" not in installed:
            continue  # not part of the tests' environment: make test-ray
        assert tts.plugins().resolve(plugin.kind, plugin.entry.name) is not None


def test_every_hook_is_documented() -> None:
    names = [name for name in vars(hooks) if name.startswith("tts_")]
    assert len(names) == 12
    assert all(getattr(hooks, name).__doc__ for name in names)


@pytest.mark.parametrize("package", ["tts", "tts.cli", "tts_strategies", "tts_backends", "tts_trainers"])
def test_packages_import_lightly(package: str) -> None:
    heavy = {"torch", "transformers", "sympy", "numpy"}
    code = f"import sys, {package}; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_nothing_committed_names_a_machine() -> None:
    path = re.compile(r"(?<![\w.])/(?:root|home/\w+|tmp)/[\w.]")
    texts = [
        p
        for p in ROOT.rglob("*")
        if p.suffix in {".py", ".md", ".toml", ".jinja"} and not {".venv", ".engines"} & set(p.parts)
    ]
    offenders = [
        str(p) for p in texts if p.is_file() and path.search(p.read_text("utf-8")) and p.name != "test_layout.py"
    ]
    assert offenders == []


def test_the_modules_of_the_import_contract_exist() -> None:
    names = re.findall(r'"(tts\._\w+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert names
    for name in set(names):
        importlib.import_module(name)


def test_every_private_module_of_the_core_is_forbidden_to_plugins() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (contract,) = (one for one in settings["contracts"] if one["name"] == "plugins use only the public tts")
    private = {f"tts.{path.stem}" for path in (ROOT / "tts").glob("_[a-z]*.py")}
    assert private == set(contract["forbidden_modules"])
