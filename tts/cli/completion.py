"""`tts completion`: what makes a shell complete the names of this command."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from tts.cli import main, say
from tts.vocabulary.errors import ConfigError

_LINES = {
    "bash": "echo 'eval \"$(tts completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(tts completion zsh)\"' >> ~/.zshrc",
    "fish": "tts completion fish > ~/.config/fish/completions/tts.fish",
}


@click.command()
@click.argument("shell", required=False, type=click.Choice(list(_LINES)))
def completion(shell: str | None) -> None:
    """Print the script by which a SHELL completes strategies, tasks, models, files; by default that of $SHELL.

    To install it: eval "$(tts completion bash)" in ~/.bashrc, the same with zsh in ~/.zshrc, or
    tts completion fish > ~/.config/fish/completions/tts.fish
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in _LINES:
        raise ConfigError(f"the shell {name!r} is not known: give one of {', '.join(_LINES)}")
    made = get_completion_class(name)
    assert made is not None  # click has all three
    click.echo(made(main, {}, "tts", "_TTS_COMPLETE").source())
    say(f"to install it for good: {_LINES[name]}")
