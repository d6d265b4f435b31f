"""The card of a finished model: README.md beside the weights, which says how it was made."""

from __future__ import annotations

import json
from pathlib import Path

import tts
from tts_trainers.hybrid.recipe import HybridRecipe

_ARMS = {
    "hybrid": "trained to solve problems and to refine candidates of its own",
    "direct": "trained to solve problems",
    "refine": "trained to refine candidates of its own",
}
_MADE = (
    "Made by `tts train hybrid` (ttscale {version}) in the way of arXiv 2509.00084. What it does with candidates that "
    "are not its own, or that are wrong about the problem, is not known from its training: `tts controls` measures it."
)


def write_card(out: Path, recipe: HybridRecipe, report: str, command: str | None) -> None:
    """Write the card; `report` is what the checks before training said, `command` the line that began the run."""
    (out / "README.md").write_text(_text(recipe, report, command), "utf-8")


def _text(recipe: HybridRecipe, report: str, command: str | None) -> str:
    base, name = recipe.model.name, "FOLDER"
    made = [command] if command else []
    parts = [
        _front_matter(base),
        f"# {base}, {_ARMS[recipe.objective.arm]}",
        _MADE.format(version=tts.__version__),
        "## Use",
        _block(
            [
                f"tts run problems.jsonl --model hf:{name} --strategy gsr -k {recipe.prompts.k}",
                f"tts controls problems.jsonl --model hf:{name} -k {recipe.prompts.k}",
            ],
            "console",
        ),
        f"The prompts that it was trained with are in `tts.json`; `gsr` uses them. `{name}` is this folder.",
        "## Base",
        f"`{base}`",
        "## Data",
        _block(report.splitlines(), "text"),
        "## Recipe",
        *([_block(made, "console")] if made else []),
        _block([json.dumps(recipe.model_dump(mode="json"), indent=2, ensure_ascii=False)], "json"),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(base: str) -> str:
    """What hubs read; a folder or file of this machine is nobody else's base model."""
    lines = ["library_name: transformers", "pipeline_tag: text-generation"]
    if not Path(base).expanduser().exists() and base.count("/") == 1 and not base.startswith((".", "~", "/")):
        lines.insert(0, f"base_model: {base}")
    return "\n".join(["---", *lines, "---"])


def _block(lines: list[str], kind: str) -> str:
    return "\n".join([f"```{kind}", *lines, "```"])
