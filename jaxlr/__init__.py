"""Learning-rate schedules and optimizers for JAX: exact everywhere, data all the way, ported to the last digit.

Schedules and optimizers stand here; rarer schedules in `jaxlr.schedules`, the names of PyTorch, Keras, Transformers,
timm and Optax in `jaxlr.dialects`, single links of a chain in `jaxlr.transforms`. A name is loaded when it is first
used, so that the command line is there, and hears Ctrl-C, before jax is.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxlr import dialects, schedules, transforms
    from jaxlr.optimizers import adam, adamw, rmsprop, sgd
    from jaxlr.schedules import (
        Schedule,
        constant,
        cosine,
        cosine_restarts,
        custom,
        cyclic,
        exp_range,
        exponential,
        inverse_sqrt,
        inverse_time,
        join,
        linear,
        multi_step,
        natural_exponential,
        one_cycle,
        one_cycle_momentum,
        per_epoch,
        piecewise_constant,
        polynomial,
        retime,
        scale_lr,
        step_decay,
        time_based,
        triangular,
        triangular2,
        updates,
        warmup,
        warmup_stable_decay,
    )
    from jaxlr.search import constant_rate_test, lr_range_test, sweep
    from jaxlr.transforms import (
        ParameterGroups,
        accumulate,
        add_l1_penalty,
        add_weight_decay,
        clip_by_global_norm,
        current_hyperparameters,
        current_learning_rate,
        layerwise_rates,
        learning_rates,
        load_state_dict,
        observe,
        reduce_on_plateau,
        scale_by_adagrad,
        scale_by_adam,
        scale_by_adamax,
        scale_by_learning_rate,
        scale_by_momentum,
        scale_by_nadam,
        scale_by_radam,
        scale_by_rmsprop,
        set_learning_rate,
        state_dict,
        with_master_weights,
    )

__all__ = [
    "ParameterGroups",
    "Schedule",
    "accumulate",
    "adam",
    "adamw",
    "add_l1_penalty",
    "add_weight_decay",
    "clip_by_global_norm",
    "constant",
    "constant_rate_test",
    "cosine",
    "cosine_restarts",
    "current_hyperparameters",
    "current_learning_rate",
    "custom",
    "cyclic",
    "dialects",
    "exp_range",
    "exponential",
    "inverse_sqrt",
    "inverse_time",
    "join",
    "layerwise_rates",
    "learning_rates",
    "linear",
    "load_state_dict",
    "lr_range_test",
    "multi_step",
    "natural_exponential",
    "observe",
    "one_cycle",
    "one_cycle_momentum",
    "per_epoch",
    "piecewise_constant",
    "polynomial",
    "reduce_on_plateau",
    "retime",
    "rmsprop",
    "scale_by_adagrad",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_learning_rate",
    "scale_by_momentum",
    "scale_by_nadam",
    "scale_by_radam",
    "scale_by_rmsprop",
    "scale_lr",
    "schedules",
    "set_learning_rate",
    "sgd",
    "state_dict",
    "step_decay",
    "sweep",
    "time_based",
    "transforms",
    "triangular",
    "triangular2",
    "updates",
    "warmup",
    "warmup_stable_decay",
    "with_master_weights",
]


_ROOMS = ("schedules", "optimizers", "transforms", "search")


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("jaxlr")
    if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        return importlib.import_module(f"{__name__}.{name}")
    if name in __all__:
        rooms = (importlib.import_module(f"{__name__}.{room}") for room in _ROOMS)
        found = next(getattr(room, name) for room in rooms if name in room.__all__)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_elsewhere(name)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _elsewhere(name: str) -> str:
    """Where a name stands that does not stand here."""
    if name.startswith("__"):
        return ""
    from jaxlr import dialects, schedules

    places = {f"dialects.{framework}": dialects.names(framework) for framework in dialects.FRAMEWORKS}
    places = {"schedules": schedules.__all__, **places}
    found = [f"jaxlr.{place}.{name}" for place, names in places.items() if name in names]
    return f"; it is {' or '.join(found)}" if found else ""
