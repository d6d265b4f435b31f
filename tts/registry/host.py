"""The plugin host: entry points of the group `tts`, loaded one by one, so that one broken plugin never hurts the rest.

pluggy's own loader lets a plugin's import error kill the host and registers a misspelt hook silently; hence this loop.
Whatever is wrong with a plugin becomes one `PluginWarning` that names its distribution, and a line of `tts plugins`.
Two plugins that offer one name are an error only for who asks for that name.
"""

from __future__ import annotations

import difflib
import importlib
import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import pluggy

from tts.boundary.foreign import Foreign
from tts.boundary.program import importing
from tts.boundary.raised import did, passes, raised
from tts.bridge.waits import waiting
from tts.vocabulary import hooks
from tts.vocabulary.errors import (
    ConfigError,
    DuplicateNameError,
    MissingDependencyError,
    PluginWarning,
    UnknownPluginError,
    did_you_mean,
)
from tts.vocabulary.hooks import Entry

if TYPE_CHECKING:
    from tts.vocabulary.events import Event

GROUP = "tts"
THIS_PROCESS = "this process"
_ABSENT = object()
Kind = Literal[
    "strategy", "backend", "scorer", "judge", "grader", "extractor", "task", "trainer", "report", "page", "command"
]  # fmt: skip
_HOOK_OF: dict[Kind, str] = {
    "strategy": "tts_strategies",
    "backend": "tts_backends",
    "scorer": "tts_scorers",
    "judge": "tts_judges",
    "grader": "tts_graders",
    "extractor": "tts_extractors",
    "task": "tts_tasks",
    "trainer": "tts_trainers",
    "report": "tts_reports",
    "page": "tts_pages",
    "command": "tts_commands",
}


class Plugin(NamedTuple):
    """One declared plugin object and the distribution it came from."""

    kind: Kind
    entry: Entry
    distribution: str
    version: str


class PluginHost:
    """All plugins of this process.

    `problems` holds one sentence for each plugin, or part of one, that was left out.
    """

    def __init__(self, points: Iterable[EntryPoint] | None = None, only: str | None = None) -> None:
        self.problems: list[str] = []
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hooks)
        self._entries: dict[Kind, dict[str, list[Plugin]]] = {kind: defaultdict(list) for kind in get_args(Kind)}
        self._resolved: dict[tuple[Kind, str], Any] = {}
        wanted = None if only is None else {name.strip() for name in only.split(",") if name.strip()}
        found = sorted(entry_points(group=GROUP) if points is None else points, key=lambda p: (p.name, p.value))
        for point in dict.fromkeys(found):
            own = point.value.partition(".")[0] == "tts"  # the core's own answers, commands and tasks always stay
            if wanted is None or own or point.name in wanted or _distribution(point)[0] in wanted:
                self._load(point)
        if wanted and (unknown := wanted - {n for p in found for n in (p.name, _distribution(p)[0])}):
            name = min(unknown)
            self._leave_out(f"TTS_PLUGINS names {name!r}{did_you_mean(name, {p.name for p in found})}")
        self.event_listeners: list[Callable[..., object]] = [
            impl.function for impl in self._manager.hook.tts_event.get_hookimpls()
        ]

    def _leave_out(self, sentence: str) -> None:
        self.problems.append(sentence)
        warnings.warn(sentence, PluginWarning, stacklevel=2)

    def _load(self, point: EntryPoint) -> None:
        distribution, version = _distribution(point)
        who = f"plugin {point.name!r} of {distribution} {version}"
        changes: list[str] = []
        try:
            with importing() as changes:
                module = point.load()
                self._register(module, point, distribution, who)
                for kind, hook in _HOOK_OF.items():
                    template = Plugin(kind, Entry(name="x", target="x:x"), distribution, version)
                    self._collect(module, kind, hook, template, who)
        except pluggy.PluginValidationError as error:
            self._leave_out(f"{who} was left out: {str(error).splitlines()[-1]}")
        except BaseException as error:
            if passes(error):
                raise
            if self._manager.has_plugin(f"{distribution}:{point.name}"):
                self._manager.unregister(name=f"{distribution}:{point.name}")
            self._leave_out(f"{who} was left out: importing {point.value!r} {did(error)}")
        if changes:
            self._leave_out(f"{who} {' and '.join(changes)} when it was imported; that was undone")

    def _register(self, module: Any, point: EntryPoint, distribution: str, who: str) -> None:
        self._manager.register(module, name=f"{distribution}:{point.name}")
        self._check_spelling(module, who)

    def _check_spelling(self, module: Any, who: str) -> None:
        known = [*_HOOK_OF.values(), "tts_event"]
        for name in dir(module):
            if self._manager.parse_hookimpl_opts(module, name) is not None and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                self._leave_out(f"{who} defines the unknown hook {name!r}, which is never called{hint}")

    def _collect(self, module: Any, kind: Kind, hook: str, template: Plugin, who: str) -> None:
        if not hasattr(module, hook) or self._manager.parse_hookimpl_opts(module, hook) is None:
            return
        try:
            declared = list(getattr(module, hook)())
        except BaseException as error:
            if passes(error):
                raise
            self._leave_out(f"{who}: {hook}() {did(error)}")
            return
        for entry in declared:
            if not isinstance(entry, Entry):
                self._leave_out(f"{who}: {hook}() returned a {type(entry).__name__}; it must return tts.Entry objects")
                continue
            self._entries[kind][entry.name].append(template._replace(entry=entry))

    def names(self, kind: Kind) -> list[str]:
        """The names of one kind, sorted."""
        return sorted(self._entries[kind])

    def all(self, kind: Kind | None = None) -> list[Plugin]:
        """Every declared plugin, or those of one kind; nothing is imported for it."""
        kinds = get_args(Kind) if kind is None else (kind,)
        return [p for one in kinds for name in self.names(one) for p in self._entries[one][name]]

    def find(self, kind: Kind, name: str) -> Plugin:
        """The declaration of one plugin.

        Raises `UnknownPluginError`, or `DuplicateNameError` where two distributions offer the name.
        """
        offers = self._entries[kind].get(name, [])
        if not offers:
            raise UnknownPluginError(kind, name, self.names(kind))
        if len(offers) > 1:
            owners = " and ".join(f"{p.distribution} {p.version}" for p in offers)
            raise DuplicateNameError(
                f"{kind} {name!r} is offered by {owners}; uninstall one, or choose with TTS_PLUGINS=name,name"
            )
        return offers[0]

    def register(self, kind: Kind, name: str, target: Any, summary: str = "") -> None:
        """Add an object of this process, e.g. a class defined in a notebook; one that was added before is replaced.

        Raises `DuplicateNameError` for a name that an installed plugin has.
        """
        entry = Entry(name=name, target=f"{target.__module__}:{target.__name__}", summary=summary)
        if any(plugin.distribution != THIS_PROCESS for plugin in self._entries[kind].get(name, [])):
            raise DuplicateNameError(f"{kind} {name!r} is an installed plugin; register yours under another name")
        self._entries[kind][name] = [Plugin(kind, entry, THIS_PROCESS, "")]
        self._resolved[kind, name] = target

    def resolve(self, kind: Kind, name: str) -> Any:
        """Import the plugin object.

        Raises `MissingDependencyError` where an import fails for a package that its extra provides, else `ConfigError`.
        """
        if (kind, name) not in self._resolved:
            plugin = self.find(kind, name)
            with waiting(f"{kind} {name!r} to be imported", idle=True):
                self._resolved[kind, name] = _import(plugin)
        return self._resolved[kind, name]


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else ("unknown distribution", "?")


def _import(plugin: Plugin) -> Any:
    module_name, _, attribute = plugin.entry.target.partition(":")
    who = f"{plugin.kind} {plugin.entry.name!r} (of {plugin.distribution})"
    changes: list[str] = []
    try:
        with importing() as changes:
            module = importlib.import_module(module_name)
            found = getattr(module, attribute, _ABSENT)
    except ModuleNotFoundError as error:
        own = module_name.partition(".")[0]
        if plugin.entry.extra and error.name and not error.name.startswith(own):
            raise MissingDependencyError(
                f"{who} needs {error.name!r}, which is not installed; pip install '{plugin.entry.extra}'"
            ) from error
        raise ConfigError(f"{who} cannot be imported: {raised(error)}") from error
    except BaseException as error:
        if passes(error):
            raise
        raise ConfigError(f"{who} cannot be imported: {raised(error)}") from error
    if changes:
        sentence = f"{who} {' and '.join(changes)} when it was imported; that was undone"
        warnings.warn(sentence, PluginWarning, stacklevel=2)
    if found is _ABSENT:
        raise ConfigError(f"{who}: {module_name!r} has no {attribute!r}")
    return found


@cache
def plugins() -> PluginHost:
    """The plugins of this process, loaded on first use; `TTS_PLUGINS=a,b` keeps only those named."""
    return PluginHost(only=os.environ.get("TTS_PLUGINS"))


def emit(event: Event, listeners: Iterable[Callable[..., object]]) -> None:
    """Hand an event to listeners; one that raises is warned about and does not disturb the run."""
    for listener in listeners:
        try:
            with Foreign():
                listener(event)
        except BaseException as error:
            if passes(error):
                raise
            warnings.warn(f"an event listener {did(error)}", PluginWarning, stacklevel=2)
