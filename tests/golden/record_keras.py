"""Records Keras' schedules and the paths of its optimizers, which jaxlr's dialect must follow.

Run it as `KERAS_BACKEND=jax python tests/golden/record_keras.py` with keras 3.15.1 and jax 0.10.2. It writes
`keras_schedules.npz` and `keras_optimizers.npz`.

Schedules are recorded operation by operation: compiled, as in a training step, XLA makes `step / decay_steps` a product
with the rounded inverse, and at some multiples of `decay_steps` Keras is then a step of the staircase late, short of
the end, or NaN.
"""

import math
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
DRAWS = 20
STEPS = 200
KEPT = 40  # counts of each draw that the file holds

UPDATES = 120
WIDTH = 16
BASE_RATE = 0.05
DROPS = (40, 80)  # the rate is a tenth from each on
KEPT_UPDATES = np.array([0, 1, 2, 3, 5, 10, 20, 30, 39, 40, 41, 42, 45, 60, 79, 80, 81, 82, 85, 100, 120])


def draws(name: str) -> list[dict]:
    """Random arguments of a schedule."""
    random = np.random.default_rng([5, *map(ord, name)])
    return [DRAW[name](random) for _ in range(DRAWS)]


def counts(arguments: dict) -> np.ndarray:
    """The counts that are recorded: the first and the last, those next to every length, and others at random."""
    lengths = [arguments.get(key, 0) for key in ("decay_steps", "first_decay_steps", "warmup_steps")]
    marks = [*lengths, sum(lengths), *arguments.get("boundaries", [])]
    marks = [mark + side for mark in marks for side in (-1, 0, 1) if 0 <= mark + side < STEPS]
    random = np.random.default_rng(sum(lengths)).permutation(STEPS).tolist()
    return np.sort(list(dict.fromkeys([0, 1, STEPS - 1, *marks, *random]))[:KEPT])


def _rate(random: np.random.Generator) -> float:
    return float(10 ** random.uniform(-4, 1))


def _length(random: np.random.Generator, least: int = 1) -> int:
    return int(random.integers(least, 250))


def _decay(random: np.random.Generator) -> dict:
    return {
        "initial_learning_rate": _rate(random),
        "decay_steps": _length(random),
        "decay_rate": float(random.uniform(0.05, 1.0)),
        "staircase": bool(random.random() < 0.5),
    }


def _pieces(random: np.random.Generator) -> dict:
    boundaries = sorted(int(boundary) for boundary in random.integers(0, STEPS, random.integers(1, 6)))
    return {"boundaries": boundaries, "values": [_rate(random) for _ in range(len(boundaries) + 1)]}


def _polynomial(random: np.random.Generator) -> dict:
    first = _rate(random)
    return {
        "initial_learning_rate": first,
        "decay_steps": _length(random),
        "end_learning_rate": float(first * random.uniform(0, 1)),
        "power": float(random.choice([1.0, 2.0, 0.5, random.uniform(0.1, 4)])),
        "cycle": bool(random.random() < 0.5),
    }


def _cosine(random: np.random.Generator) -> dict:
    arguments = {
        "initial_learning_rate": _rate(random),
        "decay_steps": _length(random),
        "alpha": float(random.uniform(0, 0.5)),
    }
    if random.random() < 0.7:
        arguments |= {"warmup_target": _rate(random), "warmup_steps": _length(random, least=0)}
    return arguments


def _restarts(random: np.random.Generator) -> dict:
    return {
        "initial_learning_rate": _rate(random),
        "first_decay_steps": int(random.integers(3, 80)),
        "t_mul": float(random.choice([1.0, 2.0, 3.0, 1.5, random.uniform(1.05, 2.5)])),
        "m_mul": float(random.uniform(0.5, 1.1)),
        "alpha": float(random.uniform(0, 0.5)),
    }


DRAW = {
    "ExponentialDecay": _decay,
    "PiecewiseConstantDecay": _pieces,
    "PolynomialDecay": _polynomial,
    "InverseTimeDecay": _decay,
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _restarts,
}


def record_schedule(name: str, arguments: dict, at: np.ndarray) -> np.ndarray:
    """Keras' float32 rates at some counts, operation by operation."""
    import jax
    import keras

    schedule = getattr(keras.optimizers.schedules, name)(**arguments)
    if name.startswith("Cosine"):  # these branch, and JAX would compile their branches anew for every count
        return np.asarray(jax.vmap(schedule)(np.asarray(at, np.int32)), np.float32)
    return np.array([float(schedule(int(count))) for count in at], np.float32)


def misses_a_restart(arguments: dict, at: np.ndarray) -> np.ndarray:
    """Where a cycle of whole updates begins or ends: there Keras' logarithm may name the neighbouring cycle."""
    length, start, marks = arguments["first_decay_steps"], 0.0, []
    while start < STEPS:
        start += length
        length *= arguments["t_mul"]
        marks.append(start)
    return np.array([any(math.isclose(count, mark, rel_tol=1e-6) for mark in marks) for count in at])


# name: (class in keras.optimizers, arguments)
OPTIMIZERS = {
    "SGD": ("SGD", {}),
    "SGD momentum": ("SGD", {"momentum": 0.9}),
    "SGD nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "SGD momentum and decay": ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    "SGD decay": ("SGD", {"weight_decay": 0.1}),
    "SGD clipnorm": ("SGD", {"clipnorm": 0.5}),
    "SGD global_clipnorm": ("SGD", {"global_clipnorm": 0.5}),
    "SGD clipvalue": ("SGD", {"clipvalue": 0.1}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop momentum": ("RMSprop", {"momentum": 0.9}),
    "RMSprop centered": ("RMSprop", {"centered": True}),
    "RMSprop all": ("RMSprop", {"rho": 0.95, "momentum": 0.8, "centered": True, "epsilon": 1e-6, "weight_decay": 0.1}),
    "Adam": ("Adam", {}),
    "Adam amsgrad": ("Adam", {"amsgrad": True, "beta_2": 0.9}),
    "Adam decay": ("Adam", {"weight_decay": 0.1, "global_clipnorm": 0.5}),
    "AdamW": ("AdamW", {}),
    "AdamW amsgrad": ("AdamW", {"amsgrad": True, "weight_decay": 0.1, "beta_1": 0.8, "beta_2": 0.95}),
    "Nadam": ("Nadam", {}),
    "Nadam decay": ("Nadam", {"beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.1}),
    "Adamax": ("Adamax", {}),
    "Adamax decay": ("Adamax", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4, "weight_decay": 0.1}),
    "Adagrad": ("Adagrad", {}),
    "Adagrad from 0": ("Adagrad", {"initial_accumulator_value": 0.0, "weight_decay": 0.1}),
    "Adadelta": ("Adadelta", {}),
    "Adadelta decay": ("Adadelta", {"rho": 0.9, "epsilon": 1e-5, "weight_decay": 0.1}),
}


def rate(count: int) -> float:
    """The rate of the update after `count` updates: two drops."""
    return BASE_RATE * 0.1 ** sum(count >= drop for drop in DROPS)


def problem() -> tuple[np.ndarray, np.ndarray]:
    """First parameters, and gradients from 1 to 1e-6: by coordinate, and in the second half by time too."""
    random = np.random.default_rng(7)
    where = np.linspace(0.0, 1.0, WIDTH // 2)
    when = np.linspace(0.0, 1.0, UPDATES)[:, None]
    steady = np.broadcast_to(10.0 ** (-6 * where), (UPDATES, WIDTH // 2))
    sweeping = 10.0 ** (-6 * ((where + when) % 1.0))
    scales = np.concatenate([steady, sweeping], axis=1)
    first = random.normal(size=WIDTH) * scales[0]
    gradients = (random.normal(size=(UPDATES, WIDTH)) + 0.5) * scales
    return first.astype(np.float32), gradients.astype(np.float32)


def halves(array: np.ndarray) -> list[np.ndarray]:
    """Two parameter arrays, so that a norm of each is not the norm of all."""
    return [array[..., : WIDTH // 2], array[..., WIDTH // 2 :]]


def record_optimizer(name: str) -> np.ndarray:
    """Keras' parameters before the first update and after each."""
    import keras

    kind, arguments = OPTIMIZERS[name]
    first, gradients = problem()
    variables = [keras.Variable(part) for part in halves(first)]
    optimizer = getattr(keras.optimizers, kind)(learning_rate=BASE_RATE, **arguments)
    path = [first]
    for count, gradient in enumerate(gradients):
        optimizer.learning_rate = rate(count)
        optimizer.apply([keras.ops.convert_to_tensor(part) for part in halves(gradient)], variables)
        path.append(np.concatenate([np.asarray(variable) for variable in variables]))
    return np.stack(path)


def travel(path: np.ndarray) -> np.ndarray:
    """The distance that each coordinate went, to and fro."""
    return np.abs(np.diff(path.astype(np.float64), axis=0)).sum(axis=0)


def main() -> None:
    """Writes the two files."""
    import keras

    curves = {name: [record_schedule(name, each, counts(each)) for each in draws(name)] for name in DRAW}
    np.savez_compressed(FOLDER / "keras_schedules.npz", keras=keras.__version__, **curves)
    paths = {name: record_optimizer(name) for name in OPTIMIZERS}
    kept = {name: path[KEPT_UPDATES] for name, path in paths.items()}
    far = {f"{name} travel": travel(path).astype(np.float32) for name, path in paths.items()}
    np.savez_compressed(FOLDER / "keras_optimizers.npz", keras=keras.__version__, **kept, **far)


if __name__ == "__main__":
    main()
