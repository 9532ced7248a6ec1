"""Records what Keras' newer optimizers do with random arguments; writes `keras_optimizer_draws.npz`.

Run it as `KERAS_BACKEND=numpy python tests/golden/record_keras_optimizer_draws.py` with keras 3.15.1, and then with
`KERAS_BACKEND=jax JAX_ENABLE_X64=1` and the argument `Lamb`, which takes that in float64: Keras assigns a parameter
twice an update, and in float32 the two roundings are 1.7e-4 of the distance that Lamb goes at its lowest rates. Of 200
updates of a matrix and a vector, flat in a row, the file holds the parameters after some and how far each number went.
"""

import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("keras_optimizer_draws.npz")
DRAWS = 20
UPDATES = 200
DROPS = (60, 130)  # the rate is a fifth from each on
COUNTS = (1, 30, 100, 200)  # updates after which the parameters are recorded
SHAPES = ((3, 5), (4,))


def _lion(random):
    return {
        "learning_rate": _between(random, 1e-3, 1e-1),
        "beta_1": float(random.uniform(0.5, 0.95)),
        "beta_2": float(random.uniform(0.5, 0.99)),
        "weight_decay": _decay(random),
    }


def _lamb(random):
    return {
        "learning_rate": _between(random, 1e-3, 1e-1),
        "beta_1": float(random.uniform(0.5, 0.95)),
        "beta_2": float(random.uniform(0.8, 0.999)),
        "epsilon": _between(random, 1e-8, 1e-4),
        "weight_decay": _decay(random),
    }


def _adafactor(random):
    return {
        "learning_rate": _between(random, 1e-2, 1.0),
        "beta_2_decay": float(random.uniform(-1.0, -0.5)),
        "epsilon_1": _between(random, 1e-30, 1e-4),
        "epsilon_2": _between(random, 1e-3, 1.0),
        "clip_threshold": float(random.choice([0.5, 1.0, 3.0])),
        "relative_step": bool(random.integers(2)),
        "weight_decay": _decay(random),
    }


def _muon(random):
    return {
        "learning_rate": _between(random, 1e-3, 1e-1),
        "adam_beta_1": float(random.uniform(0.5, 0.95)),
        "adam_beta_2": float(random.uniform(0.8, 0.999)),
        "adam_weight_decay": _decay(random),
        "weight_decay": _decay(random),
        "momentum": float(random.choice([0.0, 0.5, 0.95])),
        "adam_lr_ratio": float(random.choice([1.0, 0.1])),
        "ns_steps": int(random.integers(1, 7)),
        "nesterov": bool(random.integers(2)),
        "rms_rate": [None, 0.2][random.integers(2)],
    }


def _ftrl(random):
    return {
        "learning_rate": _between(random, 1e-2, 1e-1),
        "learning_rate_power": float(random.choice([-0.5, random.uniform(-1.0, -0.1)])),
        "initial_accumulator_value": float(random.choice([0.1, 1.0])),
        "l1_regularization_strength": float(random.choice([0.0, 0.5])),
        "l2_regularization_strength": float(random.choice([0.0, 0.1])),
        "l2_shrinkage_regularization_strength": float(random.choice([0.0, 0.1])),
        "beta": float(random.choice([0.0, 0.5])),
        "weight_decay": _decay(random),
    }


DRAW = {"Lion": _lion, "Lamb": _lamb, "Adafactor": _adafactor, "Muon": _muon, "Ftrl": _ftrl}


def _between(random, low, high):
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _decay(random):
    return [None, 0.1][random.integers(2)]


def draws(name):
    """Random arguments of a class."""
    random = np.random.default_rng([13, *map(ord, name)])
    return [DRAW[name](random) for _ in range(DRAWS)]


def rate(first, count):
    """The rate of the update after `count` updates: two drops."""
    return first * 0.2 ** sum(count >= drop for drop in DROPS)


def problem(name, draw):
    """First parameters, and gradients of all updates, each a list of arrays."""
    random = np.random.default_rng([draw, *map(ord, name)])
    sizes = [10.0 ** random.uniform(-2, 0, size=shape) for shape in SHAPES]
    first = [0.01 * random.normal(size=size.shape) * size for size in sizes]
    gradients = [(random.normal(size=(UPDATES, *size.shape)) + 0.5) * size for size in sizes]
    return [each.astype(np.float32) for each in first], [each.astype(np.float32) for each in gradients]


def row(arrays):
    """Arrays as one row of numbers."""
    return np.concatenate([np.ravel(array) for array in arrays])


def walk(name, draw, arguments, dtype="float32"):
    """Keras' parameters before the first update and after each, in rows."""
    import keras

    keras.config.set_floatx(dtype)
    first, gradients = ([each.astype(dtype) for each in arrays] for arrays in problem(name, draw))
    variables = [keras.Variable(each, dtype=dtype) for each in first]
    optimizer = getattr(keras.optimizers, name)(**arguments)
    path = [row(first)]
    for count in range(UPDATES):
        optimizer.learning_rate = rate(arguments["learning_rate"], count)
        optimizer.apply([keras.ops.convert_to_tensor(gradient[count]) for gradient in gradients], variables)
        path.append(row([np.asarray(variable) for variable in variables]))
    return np.stack(path)


def travel(path):
    """How far each coordinate went, to and fro."""
    return np.abs(np.diff(path.astype(np.float64), axis=0)).sum(axis=0)


def recorded(name, dtype):
    """The kept parameters and the distances of every draw."""
    paths = [walk(name, draw, arguments, dtype) for draw, arguments in enumerate(draws(name))]
    return np.stack([[*path[list(COUNTS)], travel(path)] for path in paths]).astype(dtype)


def main():
    """Writes the file, or replaces in it what is named."""
    import keras

    arrays = {}
    if names := sys.argv[1:]:
        with np.load(FILE) as golden:
            arrays = {name: golden[name] for name in DRAW}
    arrays |= {name: recorded(name, "float64" if names else "float32") for name in names or DRAW}
    np.savez_compressed(FILE, keras=keras.__version__, **arrays)


if __name__ == "__main__":
    main()
