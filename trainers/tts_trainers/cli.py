"""`tts train`: one subcommand for each kind of model, listed without importing any of them."""

from __future__ import annotations

import difflib
import importlib
from typing import NamedTuple

import click

from tts import MissingDependencyError


class _Subcommand(NamedTuple):
    module: str
    summary: str


_SUBCOMMANDS = {
    "aggregator": _Subcommand("aggregator.run", "a refiner by rewards, on prompts over stored candidates"),
    "hybrid": _Subcommand("hybrid.command", "a model that solves and refines, from rows of `tts train-data`"),
    "judge": _Subcommand("helpers.judge", "a pairwise judge, from graded candidates"),
    "reward-model": _Subcommand("helpers.reward_model", "a scorer of responses, from graded candidates"),
    "synthesizer": _Subcommand("helpers.synthesizer", "a model that writes from another model's candidates"),
}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _SUBCOMMANDS:
            return None
        try:
            command: click.Command = importlib.import_module(f"tts_trainers.{_SUBCOMMANDS[cmd_name].module}").command
        except ImportError as error:
            raise MissingDependencyError(
                f"'tts train {cmd_name}' needs a package that is not installed ({error}); pip install 'ttscale[train]'"
            ) from error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if (name := args[0]) not in _SUBCOMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, _SUBCOMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_SUBCOMMANDS)}"
            ctx.fail(f"no command is called {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, subcommand.summary) for name, subcommand in _SUBCOMMANDS.items()])


@click.command(cls=_Group, name="train")
def command() -> None:
    """Train a model on top of TRL: the policy itself, or a helper of the other strategies."""
