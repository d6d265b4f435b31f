"""The stages in order, each made once unless its settings or those of a stage before it changed."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import tts
from tts import ConfigError, IncompleteError, StoreError
from tts.eval import MaxFailed
from tts.prompts import DIRECT_FIELDS, REFINE_FIELDS, Template
from tts_trainers.data.audit import audit_files
from tts_trainers.data.card import as_text, card
from tts_trainers.data.lost import LOST, WHO
from tts_trainers.data.mixture import make_rows
from tts_trainers.data.problems import make_problems
from tts_trainers.data.prompts import make_prompts
from tts_trainers.data.recipe import RECORDED, DataRecipe
from tts_trainers.data.run import Run
from tts_trainers.data.teach import make_answers
from tts_trainers.data.workfile import STAGES, Table, WorkFile

WORK = "work.db"
RECIPE_FILE = "recipe.json"  # what the rows were made by, for whoever makes them again
Say = Callable[[str], None]


class Stage(NamedTuple):
    """A stage with the settings that decide what it makes."""

    name: str
    settings: dict[str, Any]
    make: Callable[[Run], list[Table]]


def curate(recipe: DataRecipe, out: Path, say: Say = lambda _: None, *, max_failed: MaxFailed = "100%") -> list[Table]:
    """Make training rows in the folder `out`, going on where an earlier run with this recipe ended; all counts.

    Where the student or the teacher did not answer, the rows are made of the others, and the next run asks only for
    what is missing; `tts.IncompleteError` is raised at the end where more problems are incomplete than `max_failed`
    tolerates, a number or a share of them. Raises `tts.ConfigError` or another error of the tree, before models are
    loaded where that is possible.
    """
    check(recipe)
    _prepare(out)
    try:
        with WorkFile(out / WORK) as work:
            run = Run(recipe, out, work, say)
            tables = _make_all(run, _stages(recipe))
    except sqlite3.OperationalError as error:  # a full disk, a lost mount
        raise StoreError(f"{str(out / WORK)!r} cannot be used: {error}; what was made before is kept") from error
    for stage, who in WHO.items():
        missing = run.lost.missing(stage)
        if missing.exceeds(max_failed):
            raise IncompleteError(
                f"{who} did not answer all: {missing}; rows are written without them, and the same command again "
                f"asks only for what is missing (max_failed={max_failed} says how many may be incomplete)"
            )
    return tables


def count_only(recipe: DataRecipe, out: Path, say: Say = lambda _: None) -> list[Table]:
    """The counts of loading and filtering alone, worked out in the folder `out`."""
    check(recipe)
    with WorkFile(out / WORK) as work:
        work.begin(STAGES[0])
        run = Run(recipe, out, work, say)
        with run.stage(STAGES[0]):
            return make_problems(run)


def check(recipe: DataRecipe) -> None:
    """Raise what can be known to be wrong without reading data or loading a model."""
    prompt, label = recipe.prompt, recipe.label
    Template.load(prompt.direct_template, DIRECT_FIELDS)
    Template.load(prompt.refine_template, REFINE_FIELDS)
    tts.plugins().resolve("extractor", label.extractor)
    tts.run_sync(tts.grader(label.grader).aclose)
    for key, reference in {"student.model": recipe.student.model, "teacher.model": recipe.teacher.model}.items():
        name, colon, model = reference.partition(":")
        if reference != RECORDED and not (colon and model):
            raise ConfigError(f"{key} = {reference!r} is neither a model such as 'hf:folder' nor {RECORDED!r}")
        if colon:
            tts.plugins().find("backend", name)
    if label.scorer is not None:
        tts.plugins().find("scorer", label.scorer.partition(":")[0])


def _prepare(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / WORK).is_file():
        raise ConfigError(f"the folder {str(out)!r} is not empty and not of train-data; give another")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{str(out)!r} is a file; give a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {str(out)!r} cannot be made ({error.strerror}); give another") from error


def _make_all(run: Run, stages: list[Stage]) -> list[Table]:
    tables: list[Table] = []
    anew = False
    for stage in stages:
        finished = run.work.finished(stage.name)
        if finished is not None and not anew and finished.settings == stage.settings and _is_there(run, stage):
            tables += finished.tables
            run.say(f"{stage.name}: made before, kept")
            continue
        if finished is not None and not anew:
            changed = _changed(finished.settings, stage.settings | {LOST: finished.settings.get(LOST)})
            why = f"other settings than before ({changed})" if changed else "its files are gone"
            if not changed and LOST in finished.settings:
                why = f"{finished.settings[LOST]:,} candidates are missing and asked for again"
            run.say(
                f"{stage.name}: {why}; this and later stages are made anew, what was sampled is in {run.store.name}"
            )
        anew = True
        run.work.begin(stage.name)
        with run.stage(stage.name):
            made = stage.make(run)
        run.work.finish(stage.name, stage.settings | run.lost.settings(stage.name), made)
        tables += made
        run.say("\n".join(map(as_text, made)))
    return tables


def _is_there(run: Run, stage: Stage) -> bool:
    return stage.name != "rows" or ((run.out / "README.md").is_file() and any(run.out.glob("train.*")))


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    return ", ".join(f"{key}: {before.get(key)} → {now.get(key)}" for key in keys[:3]) + (" …" if len(keys) > 3 else "")


def _stages(recipe: DataRecipe) -> list[Stage]:
    def rows(run: Run) -> list[Table]:
        tables, files = make_rows(run)
        found = audit_files(run.out / files[0].name, run.recipe.prompt.refine_template)
        if warning := found.warning():
            run.say(warning)
        tables.append(found.table())
        before = [t for name in STAGES[:-1] if (stage := run.work.finished(name)) for t in stage.tables]
        text = card(recipe, sources, [*before, *tables], files)
        part = run.out / "README.md.part"
        part.write_text(text, "utf-8")
        part.replace(run.out / "README.md")
        (run.out / RECIPE_FILE).write_text(recipe.model_dump_json(indent=2) + "\n", "utf-8")
        return tables

    sources = {name: _hash(name) for name in (recipe.source.data, *recipe.filter.evaluation)}
    student, teacher = recipe.student.model, recipe.teacher.model
    templates = {
        "refine": (recipe.prompt.refine_template, REFINE_FIELDS),
        "direct": (recipe.prompt.direct_template, DIRECT_FIELDS),
    }
    digests = {f"template.{name}": Template.load(*template).digest for name, template in templates.items()}
    of = _settings(recipe)
    models = _weights(student) | _weights(recipe.label.scorer or "")
    parts: dict[str, dict[str, Any]] = {
        "problems": of("seed", "source", "filter", "label.kind", "label.extractor")
        | {f"file {k}": v for k, v in sources.items()}
        | _code_of_problems(recipe),
        "prompts": of("student", "label", "prompt", "kinds", "direct.origin")
        | digests
        | models
        | _code_of_labels(recipe)
        | _code_of_model("backend", student),
        "answers": of("teacher") | _weights(teacher) | _code_of_model("backend", teacher),
        "rows": of("direct", "output"),
    }
    makers = dict(zip(STAGES, (make_problems, make_prompts, make_answers, rows), strict=True))
    return [Stage(name, settings, makers[name]) for name, settings in parts.items()]


def _code_of_problems(recipe: DataRecipe) -> dict[str, str]:
    """What identifies the code that finds answers, and that of tasks which make problems."""
    found = {f"code of {recipe.label.extractor}": tts.plugins().resolve("extractor", recipe.label.extractor)}
    for source in (recipe.source.data, *recipe.filter.evaluation):
        kind, _, name = source.partition(":")
        if kind == "task":
            found[f"code of {source}"] = tts.plugins().resolve("task", re.split("[:@]", name)[0])
    return _told(found)


def _code_of_labels(recipe: DataRecipe) -> dict[str, str]:
    """What identifies the code that says which candidates are correct."""
    grader = tts.grader(recipe.label.grader)
    try:
        code = _told({f"code of {recipe.label.grader}": grader})
    finally:
        tts.run_sync(grader.aclose)
    return code | _code_of_model("scorer", recipe.label.scorer or "")


def _code_of_model(kind: Literal["backend", "scorer"], reference: str) -> dict[str, str]:
    """What identifies the code of somebody else's model; ours is not imported to be told that it is ours."""
    name, colon, _ = reference.partition(":")
    if not colon or tts.plugins().find(kind, name).distribution == "ttscale":
        return {}
    return _told({f"code of {name}": tts.plugins().resolve(kind, name)})


def _told(plugins: Mapping[str, Any]) -> dict[str, str]:
    """Their code, but for what belongs to this version of the library: a folder that an earlier one made is kept."""
    codes = {name: tts.code_of(plugin) for name, plugin in plugins.items()}
    return {name: code for name, code in codes.items() if code != f"ttscale {tts.__version__}"}


def _settings(recipe: DataRecipe) -> Callable[..., dict[str, Any]]:
    """Picks keys and tables of a recipe as a flat mapping `table.key` → value."""
    flat: dict[str, Any] = {}
    for name, value in recipe.model_dump(mode="json").items():
        flat |= {f"{name}.{key}": inner for key, inner in value.items()} if isinstance(value, dict) else {name: value}
    return lambda *names: {k: v for k, v in flat.items() if k in names or k.partition(".")[0] in names}


def _hash(source: str) -> str:
    """SHA-256 of a local file; what a hub or a task gives is named by its reference alone."""
    path = Path(source).expanduser() if "\n" not in source and len(source) < 1024 else None
    if path is None or not path.is_file():
        return "–"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(reference: str) -> dict[str, Any]:
    """When a model's folder was last written, so that a newer checkpoint under the same name is noticed."""
    folder = Path(reference.partition(":")[2].rpartition("@")[0] or reference.partition(":")[2])
    if not folder.parts or not folder.is_dir():
        return {}
    files = [file for file in folder.iterdir() if file.is_file()]
    return {f"last change of {reference}": max((file.stat().st_mtime_ns for file in files), default=0)}
