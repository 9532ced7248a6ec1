"""Recipes with Optax and as their owners would port them: the same rates, the same losses (benchmarks/recipes)."""

import importlib
import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "recipes"
TABLE = runpy.run_path(str(FOLDER / "__main__.py"))


@pytest.mark.ci
@pytest.mark.parametrize("name", TABLE["RECIPES"])
def test_a_ported_recipe_trains_alike(name, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    finally:
        sys.modules.pop("problem", None)
    _, rates, losses = TABLE["compared"](name, 20)
    assert rates <= TABLE["RATE"]
    assert losses <= TABLE["LOSS"]


def test_every_recipe_is_in_the_table():
    assert {path.stem for path in FOLDER.glob("*.py")} == {*TABLE["RECIPES"], "__main__", "problem"}
