"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import tts
from tts.vocabulary import hooks

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import structure  # noqa: E402 - a script of docs/

PACKAGES = [ROOT / p for p in ("tts", "strategies/tts_strategies", "backends/tts_backends", "trainers/tts_trainers")]
NAMES = {package.name for package in PACKAGES}
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


def test_files_are_well_named() -> None:
    assert not {p.name for p in SOURCES} & {"utils.py", "common.py", "base.py", "types.py", "helpers.py"}
    assert not [root for root in ("strategies", "backends", "trainers") if (ROOT / root / "__init__.py").exists()]
    assert all((package / "py.typed").exists() for package in PACKAGES)


LAZY = [path.parent for path in sorted((ROOT / "tts").rglob("__init__.pyi"))]


@pytest.mark.parametrize("folder", LAZY, ids=lambda folder: folder.name)
def test_a_door_gives_what_its_stub_promises(folder: Path) -> None:
    package = importlib.import_module(".".join(folder.relative_to(ROOT).parts))
    tree = ast.parse((folder / "__init__.pyi").read_text("utf-8"))
    (promised,) = (ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    assert package.__all__ == sorted(promised) == promised
    assert set(promised) <= set(dir(package))
    assert [name for name in promised if getattr(package, name) is None] == []


def test_importing_the_library_loads_what_is_used() -> None:
    code = "import sys, tts; tts.BackendError; early = 'pydantic' in sys.modules; tts.prompts.Prompts; print(early)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
    star = "from tts import *; import tts; assert set(tts.__all__) <= set(globals()), set(tts.__all__) - set(globals())"
    subprocess.run([sys.executable, "-c", star], timeout=60, check=True)
    with pytest.raises(AttributeError, match="module 'tts' has no attribute 'Candidates'"):
        _ = tts.Candidates


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
        if p.suffix in {".py", ".md", ".toml", ".jinja"} and not {".venv", ".engines", ".envs", ".env"} & set(p.parts)
    ]
    offenders = [
        str(p) for p in texts if p.is_file() and path.search(p.read_text("utf-8")) and p.name != "test_layout.py"
    ]
    assert offenders == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_its_one_thing_in_one_sentence(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = re.match(r"(.+?[.?!])(?= [A-Z]|$)", " ".join(docstring.split("\n\n")[0].split()))
    assert first, "its docstring begins with a sentence"
    assert not re.search(r"\band\b", first[1]), "two things are two files"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_no_room_uses_what_another_keeps_to_itself(package: Path) -> None:
    offenders = []
    for path in package.rglob("*.py"):
        own = room_of(path.relative_to(package.parent).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for name in imported(node):
                target = tuple(name.split("."))
                kept = any(re.match(r"_[a-z]", part) for part in target[1:]) and "__version__" not in target
                if target[0] in NAMES and kept and room_of(target) != own:
                    offenders.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert offenders == []


def room_of(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Package and folder of a module; what lies beside the folders is of the package's own room."""
    (package,) = (one for one in PACKAGES if one.name == parts[0])
    return parts[:2] if len(parts) > 1 and (package / parts[1]).is_dir() else parts[:1]


def imported(node: ast.AST) -> list[str]:
    """The full names that a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_the_house_has_no_circle_and_its_picture_is_of_today() -> None:
    found = structure.house()
    rooms = structure.rooms(found)
    assert (structure.circles(found.imports), structure.circles(rooms)) == ([], [])
    assert structure.drawn(rooms, found.files) == structure.PICTURE.read_text("utf-8"), "make map draws it anew"
