"""Models under names of one's own: `@local` for a reference with its settings, from `tts.toml` or `pyproject.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tts.registry.instance import build
from tts.vocabulary.errors import ConfigError, did_you_mean
from tts.vocabulary.records import Sampling

OWN, SHARED = "tts.toml", "pyproject.toml"
_ROLES = ("model", "scorer", "judge", "synthesizer")


class Profiles(NamedTuple):
    """The models of the nearest file that has some; `place` is `None` where there is no such file.

    A model is a reference, or a table of `model` with the other roles, sampling fields, and settings of the verbs.
    """

    place: Path | None
    models: dict[str, dict[str, Any]]


def read_profiles(folder: Path | None = None) -> Profiles:
    """The profiles that count in a folder: those of the first `tts.toml`, or `[tool.ttscale]`, in it or above it.

    Raises `ConfigError` for a file that is no TOML, or a model that is neither text nor a table with a `model`.
    """
    start = (folder or Path.cwd()).resolve()
    for place in (one / name for one in (start, *start.parents) for name in (OWN, SHARED)):
        if place.is_file() and (found := _table(place)) is not None:
            models = found.get("models", {})
            if not isinstance(models, dict):
                raise ConfigError(f"{place}: `models` must be a table, such as [models] local = 'hf:FOLDER'")
            return Profiles(place, {name: _profile(place, name, one) for name, one in models.items()})
    return Profiles(None, {})


def expanded(settings: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """The settings with every `@name` replaced; what a profile says beside its model counts where the call is silent.

    `known` are the settings that a profile may have. Raises `ConfigError` for a name that there is not.
    """
    given = dict(settings)
    named = [role for role in _ROLES if isinstance(given.get(role), str) and given[role].startswith("@")]
    if not named:
        return given
    profiles = read_profiles()
    for role in named:
        name = given[role][1:]
        if name not in profiles.models:
            where = f"in {profiles.place}" if profiles.place else f"for there is no {OWN}, and no [tool.ttscale]"
            raise ConfigError(f"no model is called '@{name}' {where}{did_you_mean(name, profiles.models)}")
        profile = dict(profiles.models[name])
        given[role] = profile.pop(role, profile["model"])
        if role == "model":
            profile.pop("model", None)
            _complete(given, profile, f"profile '@{name}'", known)
    return given


def _complete(given: dict[str, Any], profile: dict[str, Any], what: str, known: frozenset[str]) -> None:
    """Fill in what the call does not say."""
    sampling = {name: profile.pop(name) for name in list(profile) if name in Sampling.model_fields and name != "seed"}
    for name, value in profile.items():
        if name not in known:
            raise ConfigError(f"{what} has no setting {name!r}{did_you_mean(name, {*known, *Sampling.model_fields})}")
        if given.get(name) is None:
            given[name] = value
    if sampling:
        own = given.get("sampling") or {}
        asked = own.model_dump(include=own.model_fields_set) if isinstance(own, Sampling) else dict(own)
        given["sampling"] = build(what, Sampling, sampling | asked)


def _table(place: Path) -> dict[str, Any] | None:
    try:
        found = tomllib.loads(place.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if place.name == SHARED:
            return None  # not ours to judge
        raise ConfigError(f"{place} is no TOML: {error}") from None
    except OSError:
        return None
    own = found if place.name == OWN else found.get("tool", {}).get("ttscale")
    return own if isinstance(own, dict) else None


def _profile(place: Path, name: str, value: Any) -> dict[str, Any]:
    profile = {"model": value} if isinstance(value, str) else value
    if not isinstance(profile, dict) or not isinstance(profile.get("model"), str):
        raise ConfigError(f"{place}: model {name!r} must be a reference, or a table with `model = 'BACKEND:MODEL'`")
    return profile
