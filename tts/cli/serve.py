"""`tts serve`: strategies behind OpenAI's interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tts.bridge.loop import run_sync
from tts.cli import say
from tts.vocabulary.errors import MissingDependencyError


@click.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--model", "-m", metavar="BACKEND:MODEL", help="The policy, e.g. openai:qwen3@base_url=http://gpu:8000/v1."
)
@click.option("--scorer", metavar="SCORER:MODEL", help="The reward model.")
@click.option("--judge", metavar="FORMAT:BACKEND:MODEL", help="The pairwise judge.")
@click.option("--synthesizer", metavar="BACKEND:MODEL", help="The model that writes from all candidates.")
@click.option("--strategy", "-s", metavar="NAME", help="What the model `default` is, e.g. gsr@outputs=2.")
@click.option("-k", type=click.IntRange(min=1), help="Candidates per request.  [default: 4]")
@click.option("--deadline", type=float, metavar="SECONDS", help="Answer each request within so long.")
@click.option("--store", metavar="FILE|URL", help="Keep what is sampled; answer the same request from it.")
@click.option("--shadow", type=click.FloatRange(0, 1), metavar="RATE", help="Answer so many with the plain policy.")
@click.option("--host", help="The address to listen at.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port.  [default: 8400]")
@click.option("--keys", type=click.Path(path_type=Path, dir_okay=False), help="A file of keys that clients must have.")
@click.option("--cors", multiple=True, metavar="ORIGIN", help="Let pages of this origin ask from a browser.")
@click.option("--log-prompts/--no-log-prompts", default=None, help="Whether the access log has what was asked.")
def serve(recipe: Path | None, **given: Any) -> None:
    """Serve every strategy as a model of OpenAI's interface, by a RECIPE (.toml), or by what the options say.

    The access log goes to stdout as JSON lines. SIGTERM answers what is under way, a second one ends it.
    """
    try:
        from tts.serve.server import serve as run
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f"tts serve needs {error.name}; pip install 'ttscale[serve]'") from error
    from tts.serve.recipe import read_recipe

    read = read_recipe(recipe, {name: value for name, value in given.items() if value not in (None, ())})
    run_sync(lambda: run(read, say, click.echo))
