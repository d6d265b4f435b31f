"""Everything the replica reports, measured through the public API on held-out problems, from one store.

Each measurement is a `tts.Comparison` saved as JSON; `tables` reads nothing else.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tts
from tts_trainers.replica.controlled import save_controls
from tts_trainers.replica.recipe import ReplicaRecipe, TaskRanges
from tts_trainers.replica.scorers import measure_scorers

_TEST_SEED = 5  # decides nothing but the tables
_SCORER_SEED = 11  # decides which scorer they are printed for
_STRATEGIES = ("majority", "gsr")


class Evaluation:
    """The measurements of one family.

    `places` says where its models are, by name (`hybrid-1M`, `direct`, `reward` …); those it lacks are not measured. By
    default they are the stages in `out`.
    """

    def __init__(self, out: Path, recipe: ReplicaRecipe, places: Mapping[str, str] | None = None) -> None:
        self.out, self.recipe, self._places = out, recipe, places

    def methods(self, target: Path) -> None:
        """Every method on the candidates of the hybrid model: the paper's Tables 1, 4 and 5.

        Two groups of each problem, so that a vote over as many candidates as a refinement costs is known, too.
        """
        stage = self.recipe.evaluation
        gsr = tts.strategy("gsr", outputs=stage.outputs)
        strategies: list[str | tts.Strategy] = ["majority", "best_of_n", "knockout", "synthesizer", gsr]
        roles = self._roles(self._scorer(target))
        model, problems = f"hybrid-{self.recipe.main}", (stage.groups + 1) // 2
        self._compare(target, model, problems, n=2 * stage.k, strategies=strategies, **roles)

    def controls(self, target: Path) -> None:
        """The vote and self-refinement on candidates that were changed on purpose."""
        stage = self.recipe.evaluation
        found = tts.eval.controls(
            self._problems(stage.control_groups),
            k=stage.k,
            only=stage.controls,
            model=f"hf:{self._place(f'hybrid-{self.recipe.main}')}",
            sampling=self._sampling(),
            store=self.out / "evaluation.db",
            seed=self.recipe.seed,
        )
        save_controls(found, target)

    def arms(self, target: Path) -> None:
        """Student, direct, refine and hybrid: Table 2."""
        main = self.recipe.main
        for label, folder in _labelled(base=f"base-{main}", direct="direct", refine="refine", hybrid=f"hybrid-{main}"):
            self._compare(target / label, folder, self.recipe.evaluation.arm_groups)

    def sizes(self, target: Path) -> None:
        """Before and after hybrid training, for each size: Figure 2."""
        for size in self.recipe.sizes:
            for stage in ("base", "hybrid"):
                self._compare(target / f"{stage}-{size}", f"{stage}-{size}", self.recipe.evaluation.arm_groups)

    def numbers_of_candidates(self, target: Path) -> None:
        """Refining k of the same candidates, for each k: Figure 6."""
        stage = self.recipe.evaluation
        for k in stage.ks:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", tts.MismatchWarning)  # to see other k than in training is the purpose
                self._compare(target / f"k{k}", f"hybrid-{self.recipe.main}", stage.arm_groups, k=k)

    def harder(self, target: Path) -> None:
        """Problems of another distribution than those of training: Figure 7."""
        main = self.recipe.main
        for label, folder in _labelled(base=f"base-{main}", direct="direct", hybrid=f"hybrid-{main}"):
            self._compare(target / label, folder, self.recipe.evaluation.arm_groups, ranges=self.recipe.harder)

    def _place(self, name: str) -> str | None:
        return str(self.out / name) if self._places is None else self._places.get(name)

    def _problems(self, size: int, *, seed: int = _TEST_SEED, ranges: TaskRanges | None = None) -> tts.Task:
        return tts.task("sums", size=size, seed=self.recipe.seed + seed, **dict(ranges or self.recipe.task))

    def _sampling(self) -> tts.Sampling:
        stage = self.recipe.evaluation
        return tts.Sampling(temperature=stage.temperature, top_p=stage.top_p, max_tokens=stage.max_tokens)

    def _scorer(self, target: Path) -> str:
        """The scorer that orders the hybrid model's own responses best, on problems that no table is measured on."""
        main, stage = self.recipe.main, self.recipe.evaluation
        named = {"reward model": ("hf-reward", "reward")}
        for label, model in {
            "base": f"base-{main}",
            "direct": "direct",
            "refine": "refine",
            "hybrid": f"hybrid-{main}",
        }.items():
            named[f"likelihood under {label}"] = ("likelihood", model)
        found = {label: f"{kind}:{place}" for label, (kind, model) in named.items() if (place := self._place(model))}
        drawn = tts.sample(
            self._problems(stage.scorer_problems, seed=_SCORER_SEED),
            k=2 * stage.k,
            model=f"hf:{self._place(f'hybrid-{main}')}",
            sampling=self._sampling(),
            store=self.out / "evaluation.db",
            seed=self.recipe.seed,
        )
        measured = measure_scorers(drawn.sampled, found, self.out / "evaluation.db")
        measured.save(target)
        return found[measured.chosen]

    def _roles(self, scorer: str) -> dict[str, Any]:
        return {
            "scorer": scorer,
            "judge": f"generic:hf:{self._place('judge')}",
            "synthesizer": f"hf:{self._place('synthesizer')}",
        }

    def _compare(
        self,
        target: Path,
        model: str,
        problems: int,
        *,
        strategies: Sequence[str | tts.Strategy] = _STRATEGIES,
        k: int | None = None,
        n: int | None = None,
        ranges: TaskRanges | None = None,
        **roles: Any,
    ) -> None:
        """Sample n candidates for each problem, k where nothing is said, and let every strategy decide on groups."""
        if (place := self._place(model)) is None:
            return
        comparison = tts.compare(
            self._problems(problems, ranges=ranges),
            strategies=strategies,
            k=k or self.recipe.evaluation.k,
            n=n,
            model=f"hf:{place}",
            sampling=self._sampling(),
            store=self.out / "evaluation.db",
            seed=self.recipe.seed,
            **roles,
        )
        comparison.save(target / "comparison.json")


def read_comparison(folder: Path) -> dict[str, Any]:
    """What a measurement saved; empty where the family lacks its model."""
    path = folder / "comparison.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def _labelled(**folders: str) -> list[tuple[str, str]]:
    return list(folders.items())
