"""`tts train-data`: from raw problems to training rows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tts_trainers.data.recipe import DataRecipe

_INTERRUPTED = 130


@click.command("train-data")
@click.argument("recipe")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where rows, card and work files go.")
@click.option("--source", metavar="SOURCE", help="Raw problems: a file, hub:ORG/NAME@split=..., task:NAME.")
@click.option(
    "--student", metavar="BACKEND:MODEL", help="Whose candidates are refined; a newer checkpoint refreshes them."
)
@click.option(
    "--teacher", metavar="BACKEND:MODEL", help="Who answers the refine prompts; 'recorded' for given solutions."
)
@click.option("--set", "changes", multiple=True, metavar="TABLE.KEY=VALUE", help="Change one key of the recipe.")
@click.option(
    "--max-failed",
    default="0",
    show_default=True,
    metavar="N|P%",
    help="How many problems the student or the teacher may fail on; with more the status is 3.",
)
@click.option("--dry-run", is_flag=True, help="Only load and filter, and print the counts.")
@click.option(
    "--audit",
    is_flag=True,
    help="Say of how many refine rows the target could be told from the candidates alone; "
    "RECIPE may be a file or folder of rows.",
)
def command(
    recipe: str,
    out: Path | None,
    source: str | None,
    student: str | None,
    teacher: str | None,
    changes: tuple[str, ...],
    max_failed: str,
    dry_run: bool,
    audit: bool,
) -> None:
    """Make training rows as RECIPE says: a TOML file, or one of ours (data-gsr, data-small).

    The same command again goes on where it ended: what models answered is never asked again, what they failed on is.
    """
    if audit and Path(recipe).exists() and Path(recipe).suffix != ".toml":
        _audit(Path(recipe), "refine")
        return
    from tts import IncompleteError
    from tts.eval import tolerated
    from tts_trainers.data.card import as_text
    from tts_trainers.data.pipeline import count_only, curate
    from tts_trainers.data.recipe import DataRecipe
    from tts_trainers.recipe import load_recipe

    tolerated(max_failed, 1)
    named = {"source.data": source, "student.model": student, "teacher.model": teacher}
    given = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in named.items() if value is not None]
    loaded: DataRecipe = load_recipe(recipe, DataRecipe, [*changes, *given])
    if dry_run:
        with tempfile.TemporaryDirectory() as folder:
            click.echo("\n".join(map(as_text, count_only(loaded, Path(folder), _say))))
        return
    if out is None:
        raise click.UsageError("give --out FOLDER, or --dry-run for the counts of loading and filtering alone")
    saved = f"saved in {out}; what is in it is told in {out / 'README.md'}"
    with _interruptible(out):
        try:
            curate(loaded, out, _say, max_failed=max_failed)
        except IncompleteError:
            _say(saved)
            raise
    _say(saved)
    if audit:
        _audit(out, loaded.prompt.refine_template)


def _audit(place: Path, template: str) -> None:
    from tts_trainers.data.audit import audit_files
    from tts_trainers.data.card import as_text

    found = audit_files(place, template)
    click.echo(as_text(found.table()))
    click.echo(found.sentence())
    if warning := found.warning():
        _say(warning)


def _say(message: str) -> None:
    click.echo(message, err=True)


@contextmanager
def _interruptible(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        _say(
            f"interrupted; finished stages and what was sampled are kept in {out}: give the same command again to go on"
        )
        raise click.exceptions.Exit(_INTERRUPTED) from None
