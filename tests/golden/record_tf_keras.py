"""Records the schedules of tf_keras with random arguments; writes `tf_keras_schedules.npz`.

Run it as `python tests/golden/record_tf_keras.py` with tf_keras 2.21.0; of the package two modules are needed, and a
stand-in for TensorFlow, whose few functions are NumPy's in float64: what is compared is the formula, not its float32.
The noise of the noisy schedule is recorded as 0.
"""

import contextlib
import importlib.util
import math
import sys
import types
from pathlib import Path

import numpy as np
from sampling import STEPS, save

FILE = Path(__file__).with_name("tf_keras_schedules.npz")


def _decay(dice):
    shares = {"decay_rate": dice.between(0.05, 1), "staircase": dice.one_of(True, False)}
    return {"learning_rate": dice.rate(), "decay_steps": dice.whole(1, 250), **shares}


def _polynomial(dice):
    given = {"learning_rate": dice.rate(), "decay_steps": dice.whole(1, 250), "cycle": dice.one_of(True, False)}
    return {**given, "end_learning_rate": 1e-4 * dice.between(0, 1), "power": dice.one_of(1.0, dice.between(0.3, 3))}


def _linear_cosine(dice):
    given = {"learning_rate": dice.rate(), "decay_steps": dice.whole(2, 250)}
    waves = {"num_periods": dice.one_of(0.5, 2.0, dice.between(0.2, 4))}
    return {**given, **waves, "alpha": dice.between(0, 0.5), "beta": dice.between(0, 0.1)}


ARGUMENTS = {
    "exponential_decay": _decay,
    "natural_exp_decay": _decay,
    "inverse_time_decay": _decay,
    "polynomial_decay": _polynomial,
    "cosine_decay": lambda dice: {
        "learning_rate": dice.rate(),
        "decay_steps": dice.whole(1, 250),
        "alpha": dice.between(0, 0.5),
    },
    "cosine_decay_restarts": lambda dice: {
        "learning_rate": dice.rate(),
        "first_decay_steps": dice.whole(3, 80),
        "t_mul": dice.one_of(1.0, 2.0, 1.5),
        "m_mul": dice.between(0.5, 1.1),
        "alpha": dice.between(0, 0.5),
    },
    "linear_cosine_decay": _linear_cosine,
    "noisy_linear_cosine_decay": lambda dice: {**_linear_cosine(dice), "initial_variance": 0.0},
}


def _tensorflow():
    """A stand-in for `tensorflow.compat.v2`."""

    def named(function):
        return lambda *arguments, name=None: function(*map(np.float64, arguments))

    tf = types.ModuleType("tensorflow.compat.v2")
    names = ("floor", "cos", "exp", "sqrt", "minimum", "multiply", "add", "divide", "equal", "negative", "where")
    for name in names:
        setattr(tf, name, named(getattr(np, name)))
    tf.pow = named(np.power)
    tf.math = types.SimpleNamespace(ceil=np.ceil, log=np.log)
    tf.name_scope = contextlib.nullcontext
    tf.convert_to_tensor = lambda value, name=None: np.float64(value)
    tf.cast = tf.constant = lambda value, dtype=None: np.float64(value)
    tf.cond = lambda is_first, first, second: first() if is_first else second()
    tf.executing_eagerly = lambda: True
    return tf


def module():
    """The module with the functions, without the rest of the package."""
    whole = "tf_keras.src.optimizers.legacy_learning_rate_decay"
    if whole not in sys.modules:
        folder = next(Path(path, "tf_keras") for path in sys.path if Path(path, "tf_keras", "src").exists())
        packages = ("tensorflow", "tensorflow.compat", "tensorflow.python", "tensorflow.python.util")
        for name in (*packages, "tf_keras", "tf_keras.src", "tf_keras.src.saving", "tf_keras.src.saving.legacy"):
            sys.modules[name] = types.ModuleType(name)
        sys.modules["tensorflow.compat.v2"] = sys.modules["tensorflow.compat"].v2 = _tensorflow()
        exports = types.ModuleType("tensorflow.python.util.tf_export")
        exports.keras_export = exports.tf_export = lambda *names, **others: lambda thing: thing
        sys.modules["tensorflow.python.util.tf_export"] = exports
        calm = types.SimpleNamespace(random_normal=lambda shape, stddev: 0.0)
        sys.modules["tf_keras.src"].backend = types.SimpleNamespace(RandomGenerator=lambda seed: calm)
        sys.modules["tf_keras.src.saving"].serialization_lib = None
        sys.modules["tf_keras.src.saving.legacy"].serialization = None
        schedules = types.ModuleType("tf_keras.src.optimizers.schedules")
        sys.modules[schedules.__name__] = schedules
        sys.modules["tf_keras.src.optimizers"] = types.ModuleType("tf_keras.src.optimizers")
        for name, path in (
            ("tf_keras.src.optimizers.schedules.learning_rate_schedule", "schedules/learning_rate_schedule.py"),
            (whole, "legacy_learning_rate_decay.py"),
        ):
            spec = importlib.util.spec_from_file_location(name, folder / "src" / "optimizers" / path)
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
            schedules.learning_rate_schedule = sys.modules[schedules.__name__ + ".learning_rate_schedule"]
    return sys.modules[whole]


def rates(name, arguments):
    """The rates of tf_keras."""
    given = dict(arguments)
    rate = given.pop("learning_rate")
    function = getattr(module(), name)
    return np.array([float(function(rate, n, **given)()) for n in range(STEPS)])


def doubted(name, arguments):
    """The counts at which a restart of growing cycles is decided by a rounded logarithm."""
    if name != "cosine_decay_restarts" or arguments["t_mul"] == 1.0:
        return np.zeros(STEPS, bool)
    starts = np.cumsum(arguments["first_decay_steps"] * arguments["t_mul"] ** np.arange(20))
    return np.array([any(math.isclose(n, start, rel_tol=1e-9) for start in starts) for n in range(STEPS)])


if __name__ == "__main__":
    from importlib.metadata import version

    save(FILE, version("tf_keras"), ARGUMENTS, rates)
