"""What refine rows of every kind change: the shipped miniature trained on, on old rows and on new ones, under controls.

    python benchmarks/rows_that_read.py --out runs/rows_that_read [--steps 400] [--groups 200]

Both arms start from `hf:miniature`, which recomputes the lines that candidates write, whosever they are; both see the
same candidates of `hf:miniature/base`, as many rows, as many steps, lambda = 1. "old": the student's own candidates,
targets that walk through them. "new": candidates of every kind (recipe `replica`), targets that begin with the
problem's givens. Measured: `tts.eval.controls` on test problems of the task, temperature 0.6, one refinement of each
group. What is there in the folder is not made again.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import torch

import tts
from tts.tasks.sums import comparison
from tts_trainers.data.recipe import KindsSection
from tts_trainers.recipe import HybridObjective, load_recipe
from tts_trainers.replica.family import read_sets
from tts_trainers.replica.groups import groups_of
from tts_trainers.replica.recipe import ReplicaRecipe
from tts_trainers.replica.refinement import refinement
from tts_trainers.replica.rows import direct_rows, refine_rows
from tts_trainers.replica.student import load, save, token_counter
from tts_trainers.replica.train import train
from tts_trainers.runtime.place import place

ONLY = ["own", "other", "empty", "noise", "right boxes", "misread in 1", "misread in 2", "misread in 4", "consensus"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--problems", type=int, default=800)
    parser.add_argument("--batch", type=int, default=16, help="rows of each objective in a step")
    parser.add_argument("--shown", type=int, nargs="+", help="candidates of a prompt (by default the recipe's)")
    parser.add_argument("--only", nargs="+", default=ONLY, help="controls")
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--arms", nargs="+", default=["old", "new"], choices=["old", "new"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe = load_recipe("replica", ReplicaRecipe)
    options.out.mkdir(parents=True, exist_ok=True)
    measured = {"shipped": "hf:miniature"}
    for arm in options.arms:
        folder = options.out / f"{arm}-{options.steps}"
        if not (folder / "tts.json").is_file():
            make(folder, arm, recipe, options)
        measured[f"{arm} rows"] = f"hf:{folder}"
    for name, model in measured.items():
        print(f"\n## {name}\n\n{controls(name, model, options)}", flush=True)


def make(folder: Path, arm: str, recipe: ReplicaRecipe, options: argparse.Namespace) -> None:
    """Train the shipped model on in `folder`."""
    new = arm == "new"
    file = options.out / f"candidates-{options.problems}.jsonl"
    ranges: Any = dict(recipe.task)
    if not file.is_file():
        examples = tts.task("sums", split="train", size=options.problems, seed=31, **ranges)
        sampling = tts.Sampling(temperature=1.0, max_tokens=160)
        tts.sample(examples, k=10, model="hf:miniature/base", sampling=sampling).save(file)
    model, tokenizer = load(Path(place("miniature")))
    stage = recipe.candidates.model_copy(update={} if new else {"kinds": KindsSection()})
    if options.shown:
        stage = stage.model_copy(update={"shown": tuple(options.shown)})
    plant = tts.task("sums", **ranges).planted
    groups = groups_of(read_sets(file), stage, plant, random.Random(0))
    rows = refine_rows(
        groups, count_tokens=token_counter(tokenizer), seed=0, thinking=refinement if new else comparison
    )
    direct = tts.task("sums", split="train", size=len(rows), seed=32, **ranges)
    rows += direct_rows(example.problem for example in direct.examples())
    print(arm, len(rows), "rows", flush=True)
    optimisation = recipe.arm.optimisation.model_copy(
        update={"steps": options.steps, "batch": options.batch, "learning_rate": 1e-3, "save_steps": 20}
    )
    logs = train(
        model,
        tokenizer,
        rows,
        objective=HybridObjective(refine_weight=1.0),
        optimisation=optimisation,
        output=options.out / "trainer" / folder.name,
    )
    print(arm, json.dumps([entry for entry in logs if "loss" in entry][-1:]), flush=True)
    save(model, tokenizer, folder)


def controls(name: str, model: str, options: argparse.Namespace) -> tts.eval.Controls:
    """The model's self-refinement under controls."""
    return tts.eval.controls(
        f"task:sums@size={options.groups},seed=5",
        strategies=["majority", "gsr"],
        only=options.only,
        model=model,
        sampling=tts.Sampling(max_tokens=640),
        store=str(options.out / f"controls-{name.replace(' ', '-')}-{options.steps}.db"),
    )


if __name__ == "__main__":
    main()
