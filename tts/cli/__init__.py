"""The `tts` command: one file per subcommand.

Subcommands, those of plugins included, come from the plugin host; each is imported only when it is called. stdout is
data, stderr is progress and messages.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from tts._version import __version__
from tts.cli._interrupt import INTERRUPTED, begin, interrupted, see_to_ctrl_c
from tts.cli._leaving import leave
from tts.cli._streams import prints_aside, steady
from tts.output.text import printable
from tts.registry import host  # not its function: the module tts.cli.plugins would take that name here
from tts.vocabulary.errors import (
    ConfigError,
    IncompleteError,
    MismatchWarning,
    OriginWarning,
    PluginWarning,
    TaskError,
    TTSError,
    UnknownPluginError,
    did_you_mean,
)
from tts.vocabulary.hooks import Entry, hookimpl

INCOMPLETE = 3  # all is written, and something of more problems is missing than --max-failed tolerates


@hookimpl
def tts_commands() -> list[Entry]:
    """The built-in commands."""
    return [
        Entry(name="solve", target="tts.cli.solve:solve", summary="one problem: sample, aggregate, print the response"),
        Entry(name="run", target="tts.cli.run:run", summary="many problems with one strategy, graded"),
        Entry(name="serve", target="tts.cli.serve:serve", summary="every strategy as a model of OpenAI's interface"),
        Entry(name="view", target="tts.cli.view:view", summary="the report of a run in a browser, while it goes on"),
        Entry(name="sample", target="tts.cli.sample:sample", summary="draw candidates now, aggregate them later"),
        Entry(name="adopt", target="tts.cli.adopt:adopt", summary="any table of responses as candidate sets"),
        Entry(name="compare", target="tts.cli.compare:compare", summary="many strategies on the same candidates"),
        Entry(name="eval", target="tts.cli.eval:evaluate", summary="a whole protocol, resumable, with its report"),
        Entry(name="controls", target="tts.cli.controls:controls", summary="the same strategies on changed candidates"),
        Entry(
            name="contamination",
            target="tts.cli.contamination:contamination",
            summary="whether problems may have been seen in training",
        ),
        Entry(name="answers", target="tts.cli.answers:answers", summary="which answer a text states, by which rule"),
        Entry(name="gaps", target="tts.cli.gaps:gaps", summary="the Refinement Gap of several runs in one table"),
        Entry(name="plan", target="tts.cli.plan:plan", summary="how many problems and samples show a gap"),
        Entry(name="report", target="tts.cli.report:report", summary="a stored run as a page, tables and figures"),
        Entry(
            name="plugins", target="tts.cli.plugins:show", summary="what is installed: strategies, backends, tasks ..."
        ),
        Entry(name="plugin", target="tts.cli.plugin_new:plugin", summary="write a plugin: tts plugin new NAME"),
        Entry(name="models", target="tts.cli.models:models", summary="which models --model can name here"),
        Entry(name="doctor", target="tts.cli.doctor:doctor", summary="check this installation, or a model"),
        Entry(name="completion", target="tts.cli.completion:completion", summary="let the shell complete names"),
        Entry(
            name="store", target="tts.cli.store:store", summary="look into a store; export and import candidate sets"
        ),
    ]


class PluginGroup(click.Group):
    """A group whose commands are plugins: listed by their declarations, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, without importing anything."""
        return host.plugins().names("command")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported; `None` where there is none of this name."""
        try:
            command = host.plugins().resolve("command", cmd_name)
        except UnknownPluginError:
            return None
        if not isinstance(command, click.Command):
            raise ConfigError(f"command {cmd_name!r} is a {type(command).__name__}; a plugin must give a click.Command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own, with the nearest names in the message."""
        name = args[0]
        if name not in host.plugins().names("command") and not name.startswith("-"):
            ctx.fail(f"no command is called {name!r}{did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The help lines, from the declarations."""
        rows = [(plugin.entry.name, plugin.entry.summary) for plugin in host.plugins().all("command")]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line: whatever the library raises becomes one line and an exit status.

        With no arguments given here they are the process's, which is then ended, too: by Ctrl-C whatever it does, and
        in the end whatever has been left behind.
        """
        if args or extra.get("args") is not None:
            return self._main(*args, **extra)
        see_to_ctrl_c(say)
        status: Any = 1
        try:
            return self._main(**extra)
        except SystemExit as end:
            status = end.code
            raise
        finally:
            leave(status if isinstance(status, int) else int(status is not None), say)

    def _main(self, *args: Any, **extra: Any) -> Any:
        begin()
        with _messages():
            try:
                with steady():
                    with prints_aside():
                        host.plugins()  # which imports what is installed
                    return super().main(*args, **extra)
            except KeyboardInterrupt:  # before a command has begun
                interrupted(say)
                sys.exit(INTERRUPTED)
            except TTSError as error:
                if os.environ.get("TTS_DEBUG") == "1":
                    raise
                say(f"error: {' '.join(str(error).split())}")
                for note in getattr(error, "__notes__", ()):
                    say(textwrap.fill(note, shutil.get_terminal_size().columns, subsequent_indent="      "))
                sys.exit(_status(error))

    def invoke(self, ctx: click.Context) -> Any:
        """Click's own; Ctrl-C ends with the status that shells know."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            interrupted(say)
            ctx.exit(INTERRUPTED)


def _status(error: TTSError) -> int:
    if isinstance(error, IncompleteError):
        return INCOMPLETE
    return 2 if isinstance(error, ConfigError | TaskError) else 1


def say(message: str) -> None:
    """A line for the person, on stderr; where nobody can be reached there, nothing."""
    with suppress(OSError, ValueError):  # a full disk, a closed stream: what is told is worth less than the work
        click.echo(printable(message), err=True)


def show_text(text: str) -> None:
    """Somebody else's text on stdout: exact in a file or pipe, without what a terminal would obey on a terminal."""
    click.echo(printable(text) if sys.stdout.isatty() else text)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def _messages() -> Iterator[None]:
    """Warnings of the library and its log records as lines on stderr."""
    log, handler = logging.getLogger("tts"), _Lines(logging.WARNING)
    log.addHandler(handler)
    try:
        with warnings.catch_warnings():
            for ours in (PluginWarning, MismatchWarning, OriginWarning):
                warnings.simplefilter("always", ours)
            show, told = warnings.showwarning, set[str]()

            def shown(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
                if not issubclass(category, PluginWarning | MismatchWarning | OriginWarning):
                    show(message, category, *where, **more)
                elif str(message) not in told:  # a listener may raise at every event
                    told.add(str(message))
                    say(f"warning: {message}")

            warnings.showwarning = shown
            yield
    finally:
        log.removeHandler(handler)


@click.command(
    cls=PluginGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="With nothing given, commands use the built-in task and the miniature model that comes with the package. "
    "TTS_MODEL, TTS_STORE, TTS_SEED … stand for --model, --store, --seed … where these are not given. "
    "TTS_DEBUG=1 shows tracebacks, TTS_PLUGINS=a,b loads only those plugins.",
)
@click.version_option(__version__, prog_name="tts")
def main() -> None:
    """Parallel test-time scaling: sample k candidates once, then turn them into one answer with any strategy."""
