"""`tts.json`: the prompts that a checkpoint was trained on, in a file beside its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from tts.output.file import write_whole
from tts.prompts._template import Template
from tts.prompts.refine import DIRECT_FIELDS, REFINE_FIELDS
from tts.vocabulary.errors import ConfigError
from tts.vocabulary.record import Record

PROMPTS_FILE = "tts.json"


class Prompts(Record):
    """What a model was trained on: the sources of its templates, and what a refine prompt showed.

    That is `k` candidates of at most `candidate_tokens` tokens each. A template that does not parse, or lacks a field,
    is a `ConfigError`.
    """

    direct_template: str
    refine_template: str
    candidate_tokens: int = Field(ge=1)
    k: int = Field(ge=1)

    @model_validator(mode="after")
    def _templates_are_whole(self) -> Self:
        self.direct.check(DIRECT_FIELDS)
        self.refine.check(REFINE_FIELDS)
        return self

    @property
    def direct(self) -> Template:
        """The template of direct solving."""
        return Template(source=self.direct_template, origin="direct_template")

    @property
    def refine(self) -> Template:
        """The template of refining."""
        return Template(source=self.refine_template, origin="refine_template")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a `tts.json`; raises `ConfigError` that names the file."""
        try:
            return cls.model_validate(json.loads(file.read_text("utf-8")))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "content"
            raise ConfigError(f"{str(file)!r}: {where}: {first['msg']}; mend the file or remove it") from error
        except (OSError, ValueError, ConfigError) as error:
            raise ConfigError(f"{str(file)!r} cannot be used: {error}; mend the file or remove it") from error

    def write(self, folder: Path) -> Path:
        """Write `tts.json` into a checkpoint's folder."""
        text = json.dumps(self.model_dump(), ensure_ascii=False, indent=2) + "\n"
        return write_whole(folder / PROMPTS_FILE, text)
