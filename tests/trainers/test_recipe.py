from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from tts import ConfigError
from tts_trainers.recipe import load_recipe
from tts_trainers.replica.recipe import MiniatureRecipe

OURS = resources.files("tts_trainers").joinpath("recipes", "miniature.toml").read_text("utf-8")


def _broken(tmp_path: Path, old: str, new: str) -> Path:
    assert old in OURS
    path = tmp_path / "recipe.toml"
    path.write_text(OURS.replace(old, new, 1), "utf-8")
    return path


def test_our_recipe_is_valid() -> None:
    assert load_recipe("miniature", MiniatureRecipe) == MiniatureRecipe.model_validate(tomllib.loads(OURS))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 0", "sede = 0", r"sede: there is no such key; did you mean 'seed'\?"),
        ("warmup_steps", "warmup", r"base\.phases\.0\.warmup: there is no such key; did you mean 'warmup_steps'\?"),
        (
            "sampled = 6",
            "sampled = 3",
            r"candidates: .*shown \(4\) candidates are chosen from sampled \(3\); sample more",
        ),
        (
            'arm = "hybrid"',
            'arm = "both"',
            r"hybrid\.phases\.0\.objective\.arm: Input should be 'direct', 'refine' or 'hybrid'",
        ),
        ("top_p = 0.95", "top_p = 1.5", r"candidates\.top_p: Input should be less than or equal to 1"),
        ("seed = 0", "seed = ", r"is not TOML"),
    ],
)
def test_a_wrong_recipe_names_file_key_and_reason(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(_broken(tmp_path, old, new), MiniatureRecipe)
    assert "recipe.toml" in str(caught.value)


def test_all_errors_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[task]\nterms = [3, 4]\n", "utf-8")
    with pytest.raises(ConfigError, match=r"task\.left: .*model: .*base: .*candidates: .*hybrid: "):
        load_recipe(path, MiniatureRecipe)


def test_no_such_recipe() -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'minature'.*did you mean 'miniature'\?"):
        load_recipe("minature", MiniatureRecipe)


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, tts_trainers, tts_trainers.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_changes_are_toml_values_or_text(tmp_path: Path) -> None:
    changes = ["seed=7", "candidates.top_p = 0.5", "hybrid.phases.0.x=1"]
    recipe = load_recipe("miniature", MiniatureRecipe, changes[:2])
    assert (recipe.seed, recipe.candidates.top_p) == (7, 0.5)
    with pytest.raises(ConfigError, match=r"'hybrid\.phases\.0\.x=1': 'phases' is not a table"):
        load_recipe("miniature", MiniatureRecipe, changes)
    with pytest.raises(ConfigError, match=r"'seed' is not table\.key=value"):
        load_recipe("miniature", MiniatureRecipe, ["seed"])
