"""Jinja templates that are files, named by a content hash."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tts.vocabulary.errors import ConfigError
from tts.vocabulary.names import refuse_from_data
from tts.vocabulary.record import Record, digest

if TYPE_CHECKING:
    import jinja2

TemplateSource = str  # a path to a Jinja file, or the name of one of ours


class Template(Record):
    """A prompt template: Jinja source with named fields.

    Values are inserted as plain text and never expanded again. `digest` is part of the key of every stored call made
    with the template.
    """

    source: str
    origin: str = "inline"

    @classmethod
    def load(cls, source: TemplateSource, required: frozenset[str], folder: Path | None = None) -> Self:
        """Read one of ours by name (such as `"refine"`) or a file by path, and check its fields.

        With `folder` the names are those of the Jinja files in it: a plugin's own. Raises `ConfigError` for a missing
        file, a syntax error, or a required field that the template never uses.
        """
        path, own = Path(source), _own(source, folder)
        if own is None:
            refuse_from_data(source)
        if own is not None:
            text = own.read_text("utf-8")
        elif path.is_file():
            text = path.read_text("utf-8")
        else:
            names = _named(folder, required)
            choice = f", or one of {', '.join(map(repr, names))}" if names else ""
            raise ConfigError(f"no template {source!r}: give the path of a Jinja file{choice}")
        template = cls(source=text, origin=source)
        template.check(required)
        return template

    def check(self, required: frozenset[str]) -> None:
        """Raise `ConfigError` where the source does not parse or does not use exactly the required fields."""
        import jinja2

        try:
            used = self.fields
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(f"template {self.origin!r}, line {error.lineno}: {error.message}") from error
        if missing := sorted(required - used):
            raise ConfigError(f"template {self.origin!r} never uses {{{{ {missing[0]} }}}}; it must")
        if unknown := sorted(used - required):
            allowed = ", ".join(sorted(required)) or "no fields"
            raise ConfigError(f"template {self.origin!r} uses {{{{ {unknown[0]} }}}}; it can use {allowed}")

    @property
    def fields(self) -> set[str]:
        """The fields that the source uses; raises jinja2's `TemplateSyntaxError` where it does not parse."""
        from jinja2 import meta

        return meta.find_undeclared_variables(_environment().parse(self.source))

    @property
    def digest(self) -> str:
        """Content hash of the source."""
        return digest(self.source)

    def render(self, **fields: Any) -> str:
        """The prompt text, without trailing white space."""
        return _compiled(self.source).render(**fields).rstrip()


def read_template(source: TemplateSource | Template, required: frozenset[str], folder: Path | None = None) -> Template:
    """`Template.load`, once, and again when the file changes (a notebook edits it between two runs).

    A template that is loaded already is only checked.
    """
    if isinstance(source, Template):
        return _checked(source, required)
    if folder is None and _ours(source) is not None:
        return _read(source, required, folder, 0)
    if _own(source, folder) is None:
        refuse_from_data(source)  # here, too, for the file may have been read before
    path = Path(source)
    return _read(source, required, folder, path.stat().st_mtime_ns if path.is_file() else 0)


def _own(source: TemplateSource, folder: Path | None) -> Traversable | None:
    """The file of a template that is named, not given by its path."""
    return _ours(source) if folder is None else _named_in(folder, source)


@lru_cache(maxsize=64)  # the package's own do not change
def _ours(source: TemplateSource) -> Traversable | None:
    return _named_in(resources.files("tts.prompts"), source)


def _named_in(folder: Traversable, source: TemplateSource) -> Traversable | None:
    file = folder.joinpath(f"{source}.jinja")
    return file if Path(source).suffix == "" and file.is_file() else None


@lru_cache(maxsize=32)
def _read(source: TemplateSource, required: frozenset[str], folder: Path | None, _modified: int) -> Template:
    return Template.load(source, required, folder)


@lru_cache(maxsize=32)
def _checked(template: Template, required: frozenset[str]) -> Template:
    template.check(required)
    return template


def _named(folder: Path | None, required: frozenset[str]) -> list[str]:
    """The names of the templates that have these fields."""
    files = [file for file in (folder or resources.files("tts.prompts")).iterdir() if file.name.endswith(".jinja")]
    fitting = (file for file in files if Template(source=file.read_text("utf-8")).fields == required)
    return sorted(file.name.removesuffix(".jinja") for file in fitting)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    import jinja2.sandbox

    # Prompts are plain text for a model, not HTML: escaping would corrupt `<` and `&` in problems.
    return jinja2.sandbox.SandboxedEnvironment(
        autoescape=False, keep_trailing_newline=False, undefined=jinja2.StrictUndefined
    )


@lru_cache(maxsize=64)
def _compiled(source: str) -> jinja2.Template:
    return _environment().from_string(source)
