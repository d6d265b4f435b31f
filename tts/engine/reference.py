"""What names a model in a call: `backend:model[@option=value,...]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from tts.contracts.models import JudgeFormat
from tts.registry.host import plugins
from tts.registry.instance import build
from tts.registry.parameters import noted
from tts.vocabulary.errors import ConfigError, did_you_mean
from tts.vocabulary.reference import NotAReference, join_reference, split_reference

ModelKind = Literal["backend", "scorer", "judge"]
DEFAULT_MODEL = "hf:miniature"
EXECUTORS = ("ray",)  # backends, scorers and judges of this name run others, elsewhere
_KINDS: tuple[ModelKind, ...] = ("backend", "scorer", "judge")


_BARE_ADDRESS = re.compile(r"@\s*[A-Za-z][\w+.-]*://")
_ADDRESS_WITH_USER = re.compile(r"://[^/?#\s]*@")


_SECRETS = ("api_key", "apikey", "key", "token", "password")


class Reference(NamedTuple):
    """`backend:model[@option=value,...]`, taken apart."""

    plugin: str
    model: str
    options: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.plugin}:{join_reference(self.model, self.options)}"


_EXAMPLES: dict[ModelKind, str] = {
    "backend": "'hf:Qwen/Qwen2.5-7B-Instruct' or 'hf:folder@dtype=float32'",
    "scorer": "'hf-reward:folder' or 'recorded:rm_scores'",
    "judge": "'generic:hf:folder'",
}


def parse_reference(text: str, kind: ModelKind = "backend") -> Reference:
    """Take a reference apart, by the grammar of `tts.vocabulary.reference`.

    Raises `ConfigError` for anything that has not this form, with examples of the kind.
    """
    plugin, colon, rest = text.partition(":")
    _refuse_bare_address(plugin, rest)
    if not colon or not plugin or not rest:
        before = f"; what comes before the colon is the {kind}" if text and not colon else ""
        raise ConfigError(f"model reference {text!r} should look like {_EXAMPLES[kind]}{before}")
    try:
        model, options = split_reference(rest)
    except NotAReference as error:
        raise ConfigError(f"model reference '{plugin}:{rest.partition('@')[0]}@…': {error}") from None
    if any(not value.startswith(("{", "[")) and _ADDRESS_WITH_USER.search(value) for _, value in options):
        raise ConfigError(
            f"model reference '{plugin}:{rest.partition('@')[0]}@…' has an address with a user or password, which "
            "references do not take; give them by @key_env=, @key_file= or @headers_file=, a proxy's by the "
            "environment (HTTPS_PROXY)"
        )
    return Reference(plugin, model, tuple(sorted(options)))


def _refuse_bare_address(plugin: str, rest: str) -> None:
    """Raise `ConfigError` for an address that stands where an option should.

    It would be taken for a part of the model's name and sent to whoever serves by default. It may hold a password, so
    the sentence does not repeat it.
    """
    name = rest.partition("@")[0]
    if _BARE_ADDRESS.search(rest):
        raise ConfigError(
            f"model reference '{plugin}:{name}@…': an address is an option; "
            f"write base_url= before it, as in '{plugin}:{name}@base_url=http://127.0.0.1:8000/v1'"
        )


class ModelKey(NamedTuple):
    """What makes two roles share a model: the kind, the class that loads it, and the reference.

    The class counts because a notebook may define it again under the same name.
    """

    kind: ModelKind
    plugin: Any
    reference: Reference


def model_key(kind: ModelKind, text: str) -> ModelKey:
    """Everything about a reference that can be checked without loading: the plugin's name and its options."""
    if kind == "judge" and (judging := judge_format(text)) is not None:
        kind, text = "backend", judging[1]
    reference = parse_reference(text, kind)
    key = ModelKey(kind, _plugin(kind, text), reference)
    if not (isinstance(getattr(key.plugin, "Options", None), type) and issubclass(key.plugin.Options, BaseModel)):
        raise ConfigError(f"{kind} {reference.plugin!r} has no Options; give its class `Options = tts.NoOptions`")
    options_of(key)
    _refuse_lone_option(key)
    return key


def _refuse_lone_option(key: ModelKey) -> None:
    """Raise `ConfigError` for an option without a value at the end of a name, which would be taken for a part of it."""
    name, at, last = key.reference.model.rpartition("@")
    if at and name and (not last or last in key.plugin.Options.model_fields):
        what = f"option {last!r} has no value" if last else "no option follows the '@'"
        raise ConfigError(f"model reference {str(key.reference)!r}: {what}; write {name}@option=value")


def options_of(key: ModelKey) -> Any:
    """The options of a reference, validated; raises `ConfigError`."""
    plugin, reference = key.plugin, key.reference
    try:
        return plugin.Options(**dict(reference.options))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden" and name in _SECRETS and "key_env" in plugin.Options.model_fields:
            raise ConfigError(
                f"{reference.plugin!r} takes no @{name}=, for references are written down; name the environment "
                "variable that holds the key, @key_env=NAME, or a file, @key_file=PATH"
            ) from None
        if first["type"] == "extra_forbidden":
            known = did_you_mean(name, plugin.Options.model_fields)
            unknown = ConfigError(f"{reference.plugin!r} has no option {name!r}{known}")
            raise noted(unknown, plugin.Options) from None  # pydantic's own says no more
        wrong = ConfigError(f"{reference}: option {name}={first.get('input')!r}: {first['msg']}")
        raise noted(wrong, plugin.Options, name) from None


def judge_format(text: str) -> tuple[JudgeFormat, str] | None:
    """The format and the backend reference in `FORMAT:BACKEND:MODEL`, or `None` for a judge that is a class of its own.

    Raises `ConfigError` for what is no judge reference, and for options that the format refuses.
    """
    reference = parse_reference(text, "judge")
    cls = _plugin("judge", text)
    if not (isinstance(cls, type) and issubclass(cls, JudgeFormat)):
        return None
    if ":" not in reference.model:
        raise ConfigError(f"judge {text!r} names no backend; it should look like '{reference.plugin}:hf:FOLDER'")
    own = {name: value for name, value in reference.options if name in cls.model_fields}
    others = [(name, value) for name, value in reference.options if name not in own]
    plugin, _, model = reference.model.partition(":")
    return build(f"judge {reference.plugin!r}", cls, own), f"{plugin}:{join_reference(model, others)}"


def _plugin(kind: ModelKind, text: str) -> Any:
    """The class of a reference; raises `ConfigError` that says so where the name is one of another kind."""
    name = parse_reference(text, kind).plugin
    others = [other for other in _KINDS if name in plugins().names(other)]
    if others and kind not in others:
        unformatted = kind == "judge" and others == ["backend"]
        example = f"; a format comes before it, e.g. 'generic:{text}'" if unformatted else ""
        known = ", ".join(plugins().names(kind))
        raise ConfigError(f"{text!r} is no {kind}: {name!r} is a {others[0]}{example}; known {kind}s: {known}")
    return plugins().resolve(kind, name)


class FoundModel(NamedTuple):
    """What a reference stands for: `cls(model, options)` loads it."""

    cls: Any
    model: str
    options: Any


def find_model(kind: ModelKind, text: str, options: Mapping[str, str] | None = None) -> FoundModel:
    """Take a reference apart and check all of it that can be checked without loading.

    With `options` the text is `backend:model` and nothing else, so that no letter of either has a meaning.
    Raises `ConfigError`, or `MissingDependencyError` where the plugin's packages are not installed.
    """
    if options is not None:
        plugin, _, model = text.partition(":")
        text = f"{plugin}:{join_reference(model, options.items())}"
    key = model_key(kind, text)
    return FoundModel(key.plugin, key.reference.model, options_of(key))


def placed(kind: ModelKind, text: str, executor: str | None) -> str:
    """The reference of a model that an executor runs: `hf:m` becomes `ray:hf:m`, `rrm:hf:m` becomes `rrm:ray:hf:m`.

    A plugin that says `light = True` stays where the engine is. Raises `ConfigError` for an unknown executor.
    """
    if executor is None or text.startswith(f"{executor}:"):
        return text
    if executor not in EXECUTORS:
        raise ConfigError(f"executor={executor!r}; known: {', '.join(EXECUTORS)}, or None for models in this process")
    if kind == "judge" and judge_format(text) is not None:
        name, _, backend = text.partition(":")
        return f"{name}:{placed('backend', backend, executor)}"
    return text if getattr(_plugin(kind, text), "light", False) else f"{executor}:{text}"
