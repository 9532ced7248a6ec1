"""What changes where a training with Optax becomes one with jaxlr: python benchmarks/recipes [--updates 40]

Each is trained twice, with Optax and with jaxlr: its rates must agree to 2e-7 of the peak and its losses to 1e-5, else
this ends with 1. The table counts the lines of the recipe, those that went and those that came. A recipe whose library
is not installed is said to be left out.
"""

import argparse
import difflib
import importlib
import inspect
import platform
import sys

import jax
import numpy as np
import optax

RECIPES = {
    "sharded_train_state": "a Flax TrainState, sharded, with its rate in the log",
    "nnx_with_partition": "an nnx model with a partition",
    "policy_in_scan": "a policy inside scan, vmapped over seeds, rates and horizons",
    "equinox_with_a_frozen_part": "an Equinox model with a frozen part",
    "keras_fit": "Keras' fit",
    "muon_for_matrices": "Muon for matrices, AdamW for the rest",
    "bfloat16_and_accumulation": "masked decay, bfloat16, accumulation",
    "restored_elsewhere": "restored under another schedule on another mesh",
    "frozen_and_fast": "a frozen part and a fast head",
}
RATE, LOSS = 2e-7, 1e-5  # how far apart they may be


def changed(old, new):
    """Lines of the recipe with Optax, lines gone from it and lines that came."""
    before, after = (inspect.getsource(each).splitlines()[1:] for each in (old, new))
    marks = [line[0] for line in difflib.ndiff(before, after)]
    return len(before), marks.count("-"), marks.count("+")


def compared(name, number):
    """The counted lines of a recipe, and how far its rates (as a share of the peak) and its losses are apart."""
    recipe = importlib.import_module(name)
    (rates, losses), (own_rates, own_losses) = recipe.with_optax(number), recipe.with_jaxlr(number)
    assert np.isfinite(losses).all()
    apart = float(np.abs(np.subtract(rates, own_rates)).max() / np.max(rates))
    further = float(np.abs(np.subtract(losses, own_losses)).max())
    return changed(recipe.with_optax, recipe.with_jaxlr), apart, further


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=40)
    number = parser.parse_args().updates
    wrong = []
    print(f"Python {platform.python_version()}, jax {jax.__version__}, optax {optax.__version__}; {number} updates\n")
    print("| recipe | lines with Optax | gone | new | rates apart, of the peak | losses apart |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, title in RECIPES.items():
        try:
            lines, apart, further = compared(name, number)
        except ModuleNotFoundError as error:
            print(f"| {title} | {error.name} is not installed | | | | |")
            continue
        print(f"| {title} | {' | '.join(map(str, lines))} | {apart:.1e} | {further:.1e} |", flush=True)
        if apart > RATE or further > LOSS:
            wrong.append(name)
    sys.exit(f"too far apart: {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
