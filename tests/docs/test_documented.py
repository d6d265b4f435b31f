"""Nothing public is undocumented: names, hooks, commands and options, errors, whatever has a name of its own."""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import tts
import tts.answers
import tts.eval
import tts.prompts
import tts.report
import tts.testing
from tts.cli import main
from tts.registry.host import Plugin
from tts.vocabulary import errors, hooks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DIRECTIVE = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)
REFERENCE = {
    "api.md": tts,
    "testing.md": tts.testing,
    "eval.md": tts.eval,
    "prompts.md": tts.prompts,
    "answers.md": tts.answers,
    "report.md": tts.report,
}
HOOKS = [name for name in vars(hooks) if name.startswith("tts_")]
ERRORS = [
    one
    for one in vars(errors).values()
    if inspect.isclass(one) and one.__module__ == "tts" and issubclass(one, Exception)
]


def text(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


@pytest.mark.parametrize(("page", "module"), REFERENCE.items(), ids=REFERENCE)
def test_the_reference_has_every_public_name_and_no_other(page: str, module: ModuleType) -> None:
    listed = DIRECTIVE.findall(text(f"reference/{page}"))
    assert sorted(listed) == sorted(f"{module.__name__}.{name}" for name in module.__all__)


@pytest.mark.parametrize("module", REFERENCE.values(), ids=REFERENCE)
def test_public_functions_and_classes_say_what_they_do(module: ModuleType) -> None:
    named = {name: getattr(module, name) for name in module.__all__}
    ours = {name: one for name, one in named.items() if inspect.isclass(one) or inspect.isfunction(one)}
    assert [name for name, one in ours.items() if not one.__doc__] == []


def trainers() -> Iterator[str]:
    """The functions that train, and the recipes they take."""
    source = ROOT / "trainers"
    for path in sorted(source.rglob("*.py")):
        module = ".".join(path.relative_to(source).with_suffix("").parts)
        if not path.stem.startswith("_") and "replica" not in path.parts:
            for name in re.findall(r"^(?:def|class) (train_\w+|\w+Recipe)\(", path.read_text("utf-8"), re.MULTILINE):
                yield f"{module}.{name}"


def test_the_reference_has_the_trainers_and_their_recipes() -> None:
    found = set(trainers()) - {"tts_trainers.helpers.recipe.HelperRecipe"}  # what the helpers' recipes share
    assert len(found) >= 9
    assert found <= set(DIRECTIVE.findall(text("reference/trainers.md")))


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_there_with_its_signature(name: str) -> None:
    signature = inspect.signature(getattr(hooks, name))
    assert f"\n## `{name}{str(signature).replace(chr(39), '')}`\n" in text("hooks.md")
    assert f"\n| `{name}({', '.join(signature.parameters)})` | " in text("hooks.md")


def test_no_hook_is_there_that_does_not_exist() -> None:
    assert set(re.findall(r"^## `(tts_\w+)\(", text("hooks.md"), re.MULTILINE)) == set(HOOKS)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_its_section_and_its_place_in_the_tree(error: type[Exception]) -> None:
    page = text("errors.md")
    section = re.search(rf"^##+ {error.__name__}\n\n(.+?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert section
    assert len(section.group(1).split()) >= 4
    assert re.search(rf"^[│├└─ ]*{error.__name__}\b", page, re.MULTILINE)


def test_the_errors_page_covers_the_tree() -> None:
    assert len(ERRORS) > 15
    everything = {one.__name__ for one in ERRORS}
    assert set(re.findall(r"^##+ (\w+)$", text("errors.md"), re.MULTILINE)) == everything
    assert {name for name in tts.__all__ if name.endswith(("Error", "Warning"))} <= everything


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    yield context.command_path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, click.Context(found, context, name))


COMMANDS = dict(commands(main, click.Context(main, info_name="tts")))


def made(page: str, hook: str) -> str:
    """A page as a hook of the site fills it in."""
    spec = importlib.util.spec_from_file_location(hook, DOCS / f"{hook}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.on_page_markdown(text(page)))


def command_line_page() -> str:
    return made("cli.md", "command_line")


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_explained(path: str) -> None:
    page = command_line_page()
    command = COMMANDS[path]
    assert command.help
    _, _, section = page.partition(f"# `{path}` {{") if path != "tts" else ("", "", page)
    assert section
    section = section.partition("\n#")[0]
    assert " ".join(command.help.split()[:4]) in " ".join(section.split())
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, f"{path} {option.opts[0]} has no help"
            assert all(re.search(rf"[` ]{re.escape(name)}[,` ]", section) for name in option.opts), option.opts


@pytest.mark.parametrize(
    ("page", "kinds"),
    [
        ("models.md", ("backend", "scorer", "judge")),
        ("tasks.md", ("task", "grader")),
        ("strategies.md", ("strategy",)),
        ("cli.md", ("command",)),
    ],
)
def test_everything_with_a_name_is_on_the_page_of_its_kind(page: str, kinds: tuple[str, ...]) -> None:
    found = command_line_page() if page == "cli.md" else text(page)
    ours = [one for kind in kinds for one in tts.plugins().all(kind) if one.distribution == "ttscale"]
    assert ours
    assert [one.entry.name for one in ours if not re.search(rf"`(tts )?{one.entry.name}[`:]", found)] == []


def test_pages_count_the_strategies_right() -> None:
    ours = [one for one in tts.plugins().all("strategy") if one.distribution == "ttscale"]
    assert f"* {len(ours)} [strategies](strategies.md)" in text("index.md")
    assert f"| {len(ours)}, plugins |" in text("peers.md")


def test_every_recipe_is_named_on_a_page() -> None:
    recipes = [path.stem for path in (ROOT / "trainers" / "tts_trainers" / "recipes").glob("*.toml")]
    pages = text("training.md") + text("training-data.md")
    assert [name for name in recipes if name not in pages] == []


def test_pages_use_no_name_that_is_gone() -> None:
    for page in DOCS.rglob("*.md"):
        for name in re.findall(r"\btts\.([A-Za-z]\w*)(?=[`(\s])", page.read_text("utf-8")):
            assert hasattr(tts, name) or name in ("json", "toml"), f"{page.name}: tts.{name}"  # which are files


def fields(plugin: Plugin) -> dict[str, FieldInfo]:
    cls = tts.plugins().resolve(plugin.kind, plugin.entry.name)
    found: dict[str, FieldInfo] = (cls if issubclass(cls, BaseModel) else cls.Options).model_fields
    return found


def test_the_page_of_options_has_every_one_with_its_meaning() -> None:
    page = made("options.md", "parameters")
    assert "<!--" not in page
    for kind in ("backend", "scorer", "judge", "task"):
        for plugin in tts.plugins().all(kind):
            if plugin.distribution != "ttscale":
                continue
            section = page.partition(f"{{ #{kind}-{plugin.entry.name} }}")[2].partition("\n#")[0]
            assert plugin.entry.summary in section
            if plugin.entry.extra != "ttscale[ray]":
                rows = {row.split("`")[1]: row for row in section.splitlines() if row.startswith("| `")}
                assert list(rows) == list(fields(plugin))
                assert all(row.endswith(f" | {plain(fields(plugin)[name])} |") for name, row in rows.items())


def plain(field: FieldInfo) -> str:
    return " ".join(str(field.description).split()).replace("|", "\\|")


def test_the_page_of_recipes_has_every_key() -> None:
    page = made("recipes.md", "parameters")
    assert "<!--" not in page
    for key in ("optimisation.batch", "lora.r", "filter.pass_rate", "sizes.NAME.layers", "pairs_per_problem"):
        assert f"| `{key}` | " in page
    assert all(row.count(" | ") >= 3 for row in page.splitlines() if row.startswith("| `"))


def test_what_the_glossary_names_exists() -> None:
    named = re.findall(r"`((?:tts[\w.]*|Comparison|Outcome)\.\w+)`", text("glossary.md"))
    assert len(named) > 30
    homes = {"Comparison": "tts.eval.Comparison", "Outcome": "tts.Outcome"}
    for name in named:
        first, _, rest = name.partition(".")
        pkgutil.resolve_name(f"{homes.get(first, first)}.{rest}")


def test_the_glossary_defines_each_word_once() -> None:
    words = [word for line in text("glossary.md").splitlines() for word in re.findall(r"\*\*([^*]+)\*\*", line)]
    assert len(words) == len(set(map(str.lower, words))) > 60
    for word in ("candidate", "group", "draw", "decision", "class", "N_c", "Refinement Gap", "role", "unit"):
        assert word in words
