"""All of a hybrid run that is known before weights are loaded."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tts import ConfigError
from tts.prompts import Prompts
from tts_trainers.hybrid import checks, hardware, pretrained
from tts_trainers.hybrid.passes import epochs, passes, warn
from tts_trainers.hybrid.recipe import HybridRecipe
from tts_trainers.hybrid.survey import Rows, read_through
from tts_trainers.hybrid.targets import end_of_turn
from tts_trainers.hybrid.tokenise import tokenised
from tts_trainers.hybrid.training_rows import find_rows, open_rows
from tts_trainers.recipe import Arm
from tts_trainers.runtime import folder as run_folder
from tts_trainers.runtime.processes import processes

if TYPE_CHECKING:
    from datasets import Dataset


log = logging.getLogger("tts.train")


class Prepared(NamedTuple):
    """All that is known before weights are loaded; `settings` is what `run.json` will hold."""

    prompts: Prompts
    config: Any
    tokenizer: Any
    train: Dataset
    evaluation: Dataset | None
    settings: dict[str, Any]
    report: str


def prepare(recipe: HybridRecipe, out: Path, cache: Path, *, elsewhere: bool = False) -> Prepared:
    """Everything before the weights; tokens are kept under `cache`.

    `elsewhere`: what this machine lacks is a warning, since another one is to train, as where a login node checks.
    """
    machine = _told if elsewhere else _raised
    machine(partial(hardware.check_hardware, recipe))
    hardware.check_packages(recipe)
    checks.check_batch(recipe, processes())
    prompts = checks.load_prompts(recipe.prompts)
    run_folder.check_writable(out)
    sources = [source for source in find_rows(recipe.data) if source is not None]
    config = pretrained.load_config(recipe.model)
    machine(partial(hardware.check_memory, recipe, pretrained.parameters(recipe.model, config)))
    declared = pretrained.declared_positions(config)
    checks.check_positions(recipe.model, recipe.optimisation.max_length, declared)
    tokenizer = pretrained.load_tokenizer(recipe.model)

    from accelerate import PartialState  # type: ignore[import-untyped]  # no py.typed

    with PartialState().main_process_first():  # the others then find the tokens there
        raw = [open_rows(source, cache) for source in sources]
        rows = [read_through(s, r, recipe, prompts) for s, r in zip(sources, raw, strict=True)]
        _check_sides(recipe, *rows)
        known = [*(r.digest for r in rows), prompts.model_dump_json(), tokenizer.chat_template]
        content = hashlib.blake2b("\0".join(known).encode(), digest_size=16).hexdigest()
        kept = cache / pretrained.vocabulary_digest(tokenizer) / content
        tokens = [tokenised(r, tokenizer, kept / f"{i}.arrow") for i, r in enumerate(raw)]
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer, tokens[0][0]["labels"]))
    train, *held_out = [checks.fitting(s, t, recipe) for s, t in zip(sources, tokens, strict=True)]
    checks.check_arm(sources[0], recipe.objective.arm, Counter(train["objective"]))  # once more: some are left out
    train = train.filter(_of_arm, input_columns="objective", fn_kwargs={"arm": recipe.objective.arm})
    return Prepared(
        prompts,
        config,
        tokenizer,
        train,
        held_out[0] if held_out else None,
        run_folder.settings(recipe, content),
        _report(recipe, rows, train),
    )


def _raised(check: Callable[[], None]) -> None:
    check()


def _told(check: Callable[[], None]) -> None:
    try:
        check()
    except ConfigError as error:
        log.warning("on this machine the run could not begin: %s", error)


def _check_sides(recipe: HybridRecipe, train: Rows, *evaluation: Rows) -> None:
    checks.check_arm(train.source, recipe.objective.arm, train.counts)
    for side in evaluation:
        checks.check_split(train, side)
    if recipe.monitoring is not None:
        checks.check_overlap(train, recipe.monitoring.task)


def _of_arm(objective: str, arm: Arm) -> bool:
    return arm in ("hybrid", objective)


def _report(recipe: HybridRecipe, rows: Sequence[Rows], train: Dataset) -> str:
    lengths = train["length"][:]
    found_passes = passes(train, rows[0].counts, recipe, recipe.optimisation.per_device * processes())
    warn(found_passes)
    times = epochs(found_passes, recipe)
    found = [
        f"{r.source}: {', '.join(f'{n:,} {o}' for o, n in sorted(r.counts.items()))} rows, {len(r.problems):,} problems"
        for r in rows
    ]
    optimisation, ranks = recipe.optimisation, processes()
    tokens = f"tokens a row: mean {sum(lengths) / len(lengths):,.0f}, longest {max(lengths):,}"
    micro_batches = optimisation.accumulation(ranks)
    batch = f"{optimisation.batch} = {optimisation.per_device} x {micro_batches} micro-batches x {ranks} processes"
    learned = f"arm {recipe.objective.arm}: {len(lengths):,} rows to learn from"
    per_objective = [one.line(times) for one in found_passes]
    return "\n".join([*found, f"{learned}; {tokens}; rows a step: {batch}", *per_objective])
