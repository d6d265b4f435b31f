"""What the commands of all helpers share: arguments, loading, messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from tts import ConfigError
from tts.eval import Estimate
from tts_trainers.helpers.graded import GradedSet, Pair, preference_pairs, read_graded, split_by_problem
from tts_trainers.helpers.recipe import HelperRecipe
from tts_trainers.recipe import load_recipe
from tts_trainers.runtime.folder import check_permitted
from tts_trainers.runtime.processes import check_trainer, processes, rank
from tts_trainers.runtime.terminal import quiet, say

if TYPE_CHECKING:
    from tts_trainers.runtime.place import Place

RecipeT = TypeVar("RecipeT", bound=HelperRecipe)


class Job(Generic[RecipeT]):
    """One run of a command: its arguments, and what they lead to, cheapest first."""

    def __init__(self, candidates: str | Path, model: str, out: Path, recipe: RecipeT, limit: int | None) -> None:
        self.candidates, self.out, self.recipe = candidates, out, recipe
        self._model, self._limit = model, limit
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(f"--out {out}: it exists and is not an empty folder; give a new one")
        check_permitted(out)
        check_trainer()
        recipe.optimisation.accumulation(processes())
        self.place()

    def read(self) -> tuple[list[GradedSet], list[GradedSet]]:
        """The graded candidates of training problems, and those of held-out problems."""
        recipe = self.recipe
        sets = read_graded(self.candidates, limit=self._limit, extractor=recipe.extractor, grader=recipe.grader)
        train, held_out = split_by_problem(sets, recipe.held_out, recipe.seed)
        say(f"{len(train)} problems to learn from, {len(held_out)} held out")
        return train, held_out

    def pairs(self, per_problem: int) -> tuple[list[Pair], list[Pair]]:
        """Training pairs and held-out pairs; of the latter there may be none."""
        train, held_out = self.read()
        return (
            preference_pairs(train, per_problem=per_problem, seed=self.recipe.seed),
            preference_pairs(held_out, per_problem=per_problem, seed=self.recipe.seed, needed=False),
        )

    def place(self) -> Place:
        """The folder or hub id of the model; raises `ConfigError` where a path leads to no folder."""
        from tts_trainers.runtime.place import find_place

        try:
            return find_place(self._model)
        except ConfigError as error:
            raise ConfigError(
                f"--model {self._model} is no folder; give a folder with a model or a hub id like 'org/name'"
            ) from error

    def tokenizer(self) -> Any:
        """The model's tokenizer, with a padding token."""
        from transformers import AutoTokenizer

        place = self.place()
        tokenizer = self._loaded(lambda: AutoTokenizer.from_pretrained(place.name, **place.options))
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    def model(self) -> Any:
        """The causal language model, in float32."""
        import torch
        from transformers import AutoModelForCausalLM

        from tts_trainers.runtime.place import unpacked

        place = self.place()
        model = self._loaded(
            lambda: AutoModelForCausalLM.from_pretrained(place.name, dtype=torch.float32, **place.options)
        )
        return model if place.gguf is None else unpacked(model)

    def _loaded(self, load: Callable[[], Any]) -> Any:
        try:
            return load()
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines() or [type(error).__name__]
            raise ConfigError(f"--model {self._model} cannot be loaded: {first[0]}") from error


def helper_command(name: str, kind: type[RecipeT]) -> Callable[[Callable[[Job[RecipeT]], None]], click.Command]:
    """A click command around a function of a `Job`, with the arguments that all helpers take."""

    def decorate(work: Callable[[Job[RecipeT]], None]) -> click.Command:
        def run(
            candidates: str | Path, model: str, out: Path, recipe: str, changes: tuple[str, ...], limit: int | None
        ) -> None:
            job = Job(candidates, model, out, load_recipe(recipe, kind, changes), limit)
            quiet()
            work(job)

        for option in reversed(_options(f"{name}-small")):
            run = option(run)
        return click.command(name, help=work.__doc__)(run)

    return decorate


class _Source(click.Path):
    """A file, or a store that is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if isinstance(value, str) and "://" in value else super().convert(value, param, ctx)


def _options(recipe: str) -> list[Callable[[Any], Any]]:
    path = partial(click.Path, path_type=Path)
    return [
        click.argument("candidates", type=_Source(path_type=Path, dir_okay=False)),
        click.option("--model", required=True, metavar="MODEL", help="What to start from: a folder or a hub id."),
        click.option("--out", required=True, type=path(), metavar="FOLDER", help="Where to write the helper."),
        click.option(
            "--recipe", default=recipe, show_default=True, metavar="RECIPE", help="A TOML file, or one of ours by name."
        ),
        click.option(
            "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key, e.g. optimisation.epochs=2."
        ),
        click.option("--limit", "-n", type=click.IntRange(min=1), help="Read only so many problems."),
    ]


def done(out: Path, use: str) -> None:
    """The last words: where the helper is and how it is used."""
    say(f"saved {out}; use it on other problems with: tts compare CANDIDATES {use}")
    if rank() == 0:
        click.echo(out)


def percentage(estimate: Estimate) -> str:
    """An accuracy with its interval: `81.2 % (76.0 … 86.4, 200 problems)`."""
    return (
        f"{100 * estimate.mean:.1f} % ({100 * estimate.low:.1f} … {100 * estimate.high:.1f}, "
        f"{estimate.problems} problems)"
    )


def coin(estimate: Estimate, what: str, instead: str) -> str:
    """The warning that a helper may know nothing, where half of its held-out decisions right cannot be ruled out."""
    if estimate.low > 0.5:
        return ""
    return f"warning: {what} may be no better than a coin: 50 % is not below its interval; {instead}"
