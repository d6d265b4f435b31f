"""From nothing to the family and its tables: `python -m tts_trainers.replica --out FOLDER`.

Run again to resume: stages that are there are not made again. `--sizes all` adds the other sizes and Figure 2.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tts import ConfigError
from tts_trainers.recipe import load_recipe
from tts_trainers.replica import tables
from tts_trainers.replica.evaluate import Evaluation
from tts_trainers.replica.export import export
from tts_trainers.replica.family import Family
from tts_trainers.replica.recipe import ReplicaRecipe
from tts_trainers.replica.stages import Stage, run_stages


def replicate(out: Path, recipe: ReplicaRecipe, *, all_sizes: bool = False) -> str:
    """Make what is not there yet and return the tables as Markdown.

    Raises `ConfigError` where `out` holds a stage made with other settings.
    """
    seconds = run_stages(out, _stages(Family(out, recipe), Evaluation(out, recipe), recipe, all_sizes=all_sizes))
    return _report(out, recipe, seconds)


def _stages(family: Family, evaluation: Evaluation, recipe: ReplicaRecipe, *, all_sizes: bool) -> list[Stage]:
    hybrid, settings = f"hybrid-{recipe.main}", [recipe.evaluation]
    stages = [
        family.tokenizer(),
        *family.size(recipe.main),
        family.arm("direct"),
        family.arm("refine"),
        *family.helpers(),
    ]
    stages += [
        Stage("methods", evaluation.methods, settings, [hybrid, "reward", "judge", "synthesizer"]),
        Stage("ks", evaluation.numbers_of_candidates, settings, [hybrid]),
        Stage("harder", evaluation.harder, [*settings, recipe.harder], [hybrid, "direct"]),
        Stage("arms", evaluation.arms, settings, [hybrid, "direct", "refine"]),
    ]
    if all_sizes:
        for size in recipe.sizes:
            stages += family.size(size) if size != recipe.main else []
        stages.append(Stage("sizes", evaluation.sizes, settings, [f"hybrid-{size}" for size in recipe.sizes]))
    return stages


def _report(out: Path, recipe: ReplicaRecipe, seconds: dict[str, float]) -> str:
    parts = [
        tables.methods(out / "methods"),
        tables.arms(out / "arms"),
        tables.numbers_of_candidates(out / "ks", recipe),
        tables.harder(out / "harder", recipe),
    ]
    if "sizes" in seconds:
        parts.append(tables.sizes(out / "sizes", recipe, {size: _parameters(out, size) for size in recipe.sizes}))
    spent = ", ".join(f"{name} {took:.0f}" for name, took in seconds.items())
    parts.append(f"Seconds of each stage: {spent}; {sum(seconds.values()) / 60:.0f} minutes together.\n")
    return "\n".join(parts)


def _parameters(out: Path, size: str) -> int:
    from tts_trainers.replica.student import load

    return sum(p.numel() for p in load(out / f"base-{size}")[0].parameters())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tts_trainers.replica", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for all stages; run again to resume")
    parser.add_argument("--recipe", default="replica", help="a TOML file, or 'replica' (ours)")
    parser.add_argument("--sizes", choices=["main", "all"], default="main", help="all: also the scaling figure")
    parser.add_argument("--export", type=Path, help="copy the models that ship to this folder when all is made")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", force=True)
    for noisy in ("httpx", "datasets", "accelerate"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        recipe = load_recipe(options.recipe, ReplicaRecipe)
        report = replicate(options.out, recipe, all_sizes=options.sizes == "all")
    except ConfigError as error:
        parser.exit(2, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"interrupted; run the same command again to go on from {options.out}\n")
    (options.out / "report.md").write_text(report, "utf-8")
    if options.export is not None:
        export(options.out, recipe, options.export)
    sys.stdout.write(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
