"""From nothing to the tables of the family: `python -m tts_trainers.replica --out FOLDER`.

Run again to resume: stages that are there are not made again. `--sizes all` adds the other sizes and Figure 2,
`--jobs 2` makes two stages at a time where neither waits for the other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tts import ConfigError
from tts_trainers.recipe import load_recipe
from tts_trainers.replica.export import export
from tts_trainers.replica.recipe import ReplicaRecipe
from tts_trainers.replica.replicate import replicate, tell


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tts_trainers.replica", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for all stages; run again to resume")
    parser.add_argument("--recipe", default="replica", help="a TOML file, or 'replica' (ours)")
    parser.add_argument("--sizes", choices=["main", "all"], default="main", help="all: also the scaling figure")
    parser.add_argument("--jobs", type=int, default=1, help="stages at a time, each with its share of the cores")
    parser.add_argument("--export", type=Path, help="copy the models that ship to this folder when all is made")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs}: at least one stage is made at a time")
    tell()
    try:
        recipe = load_recipe(options.recipe, ReplicaRecipe)
        report = replicate(options.out, recipe, all_sizes=options.sizes == "all", jobs=options.jobs)
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
