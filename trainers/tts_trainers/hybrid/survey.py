"""One pass over the rows of a training file, which counts them or refuses them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tts import ConfigError
from tts.prompts import Prompts
from tts_trainers.data.decontaminate import problem_key
from tts_trainers.hybrid.frames import Frame, frames
from tts_trainers.hybrid.recipe import DataSection, HybridRecipe, PromptSection
from tts_trainers.rows import Objective

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("tts.train")

_UNBOXED_SHARE = 0.05  # completions without a box: more of them is a warning
_BOX = r"\boxed{"


def read_through(source: str, rows: Dataset, recipe: HybridRecipe, prompts: Prompts) -> Rows:
    """All rows of one file, checked.

    Raises `ConfigError` for the first row that is wrong, or for what is wrong with all of them.
    """
    found = Rows(source, frames(prompts))
    for row in rows:
        found.add(row)
    found.finish(recipe.data, recipe.prompts)
    return found


class Rows:
    """Counts of the rows of one file, made in one pass; `add` raises `ConfigError` for a row that teaches nothing."""

    def __init__(self, source: str, frames: Mapping[Objective, Frame]) -> None:
        self.source = source
        self.counts: Counter[Objective] = Counter()
        self.problems: dict[str, str] = {}  # text by id
        self._keys: dict[str, bytes] = {}  # of them those that a template of the recipe shows
        self._frames = frames
        self._framed: Counter[Objective] = Counter()
        self._boxed: Counter[Objective] = Counter()
        self._seen: set[bytes] = set()
        self._repeated = 0
        self._content = hashlib.blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """Of all rows in their order."""
        return self._content.hexdigest()

    def add(self, row: Mapping[str, Any]) -> None:
        """Check one row and count it."""
        where = f"{self.source!r}, row {self.counts.total() + 1}"
        objective: Objective = row["objective"]
        prompt, completion = row["prompt"][-1]["content"], row["completion"][0]["content"]
        if not completion.strip():
            raise ConfigError(f"{where} (problem {row['problem_id']!r}): the completion is empty")
        self.counts[objective] += 1
        self._boxed[objective] += _BOX in completion.rpartition("</think>")[2]
        found = self._frames[objective].problem(prompt)
        self._framed[objective] += found is not None
        self._add_problem(where, str(row["problem_id"]), prompt, found)
        shown = [row[name] for name in ("problem_id", "objective", "n_correct", "prompt", "completion")]
        key = hashlib.blake2b(json.dumps(shown).encode(), digest_size=16)
        self._repeated += key.digest() in self._seen
        self._seen.add(key.digest())
        self._content.update(key.digest())

    def _add_problem(self, where: str, name: str, prompt: str, found: str | None) -> None:
        if found is None:
            self.problems.setdefault(name, prompt)
        elif self._keys.setdefault(name, problem_key(found)) != problem_key(found):
            raise ConfigError(f"{where}: the id {name!r} is already that of another problem; ids must differ")
        else:
            self.problems[name] = found

    def finish(self, data: DataSection, prompts: PromptSection) -> None:
        """What only all rows together show: boxes, repetitions, and whether the templates are those of the recipe."""
        for objective, count in sorted(self.counts.items()):
            if data.boxed:
                self._check_boxes(objective, count - self._boxed[objective], count)
            if not self._framed[objective]:
                name = prompts.direct_template if objective == "direct" else prompts.refine_template
                raise ConfigError(
                    f"no {objective} prompt of {self.source!r} was made with the template {name!r}; set "
                    f"prompts.{objective}_template to the template the rows were made with, or make the rows again"
                )
        if self._repeated:
            log.warning("%r: %d rows repeat another row word for word and count twice", self.source, self._repeated)

    def _check_boxes(self, objective: str, missing: int, count: int) -> None:
        if missing == count:
            raise ConfigError(
                f"none of the {count:,} {objective} completions of {self.source!r} has its answer in \\boxed{{}} after "
                "its think block: whoever wrote them never boxes, and the model would learn it; ask for the box in the "
                "prompts, or set data.boxed = false if answers are given in another way"
            )
        if missing > _UNBOXED_SHARE * count:
            log.warning(
                "%r: %d of %d %s completions have no \\boxed{} after their think block",
                self.source, missing, count, objective,
            )  # fmt: skip
