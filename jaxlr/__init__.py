"""Learning-rate schedules and optimizers for JAX: exact everywhere, data all the way, ported to the last digit.

A schedule is a function of the updates already applied, `schedule(count) -> rate`, so it goes
wherever Optax takes one: `optax.adamw(jaxlr.cosine(0.1, 900))`. Its numbers are data: traced, mapped
over, changed without a new compilation.

  choose a schedule      constant linear polynomial cosine power exponential
                         natural_exponential inverse_sqrt inverse_time time_based step_decay
                         multi_step piecewise_constant warmup_stable_decay one_cycle
                         one_cycle_momentum triangular triangular2 exp_range cyclic
                         cosine_restarts custom; more in jaxlr.schedules
  put them together      warmup cooldown join per_epoch per_example retime; a * b, a + b,
                         a.clip, a.shift, a.repeat
  lengths and rates      updates scale_lr
  look at it             plot, schedule.plot(), print(schedule)
  an optimizer           sgd rmsprop adam adamw: Optax's steps, with a rate that can be read
                         and set
  build a chain          scale_by_learning_rate scale_by_momentum scale_by_rmsprop
                         scale_by_adam scale_by_nadam scale_by_radam scale_by_adamax
                         scale_by_adagrad add_weight_decay add_l1_penalty
                         clip_by_global_norm; more in jaxlr.transforms
  read the rate          current_learning_rate learning_rates current_hyperparameters
                         update_count
  change it on the way   set_learning_rate set_update_count; held current_schedule
                         set_schedule
  let a metric move it   reduce_on_plateau greedy kl_adaptive; observe
  groups of parameters   ParameterGroups layerwise_rates mup_factors
  batches and precision  accumulate with_master_weights small_states state_bytes guard
                         guard_counts
  find a rate            lr_range_test constant_rate_test
  try many               sweep branches
  save and come back     state_dict load_state_dict to_optax_state from_optax_state;
                         Schedule.to_dict, Schedule.from_dict
  from elsewhere         dialects: the names, arguments and defaults of other frameworks
  train from a shell     jaxlr --help; jaxlr.training has the same in Python

`help(jaxlr.cosine)` has a formula, what is an error, and an example. A name is loaded when it is
first used.
"""
# Loaded late, so that the command line is there, and hears Ctrl-C, before jax is.

from __future__ import annotations

import dis as _dis
import importlib
import importlib.util
import sys as _sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxlr import dialects, schedules, transforms
    from jaxlr.optimizers import adam, adamw, rmsprop, sgd
    from jaxlr.plotting import plot
    from jaxlr.schedules import (
        Schedule,
        constant,
        cooldown,
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
        per_example,
        piecewise_constant,
        polynomial,
        power,
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
    from jaxlr.search import branches, constant_rate_test, lr_range_test, sweep
    from jaxlr.transforms import (
        ParameterGroups,
        accumulate,
        add_l1_penalty,
        add_weight_decay,
        clip_by_global_norm,
        current_hyperparameters,
        current_learning_rate,
        current_schedule,
        from_optax_state,
        greedy,
        guard,
        guard_counts,
        held,
        kl_adaptive,
        layerwise_rates,
        learning_rates,
        load_state_dict,
        mup_factors,
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
        set_schedule,
        set_update_count,
        small_states,
        state_bytes,
        state_dict,
        to_optax_state,
        update_count,
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
    "branches",
    "clip_by_global_norm",
    "constant",
    "constant_rate_test",
    "cooldown",
    "cosine",
    "cosine_restarts",
    "current_hyperparameters",
    "current_learning_rate",
    "current_schedule",
    "custom",
    "cyclic",
    "dialects",
    "exp_range",
    "exponential",
    "from_optax_state",
    "greedy",
    "guard",
    "guard_counts",
    "held",
    "inverse_sqrt",
    "inverse_time",
    "join",
    "kl_adaptive",
    "layerwise_rates",
    "learning_rates",
    "linear",
    "load_state_dict",
    "lr_range_test",
    "multi_step",
    "mup_factors",
    "natural_exponential",
    "observe",
    "one_cycle",
    "one_cycle_momentum",
    "per_epoch",
    "per_example",
    "piecewise_constant",
    "plot",
    "polynomial",
    "power",
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
    "set_schedule",
    "set_update_count",
    "sgd",
    "small_states",
    "state_bytes",
    "state_dict",
    "step_decay",
    "sweep",
    "time_based",
    "to_optax_state",
    "transforms",
    "triangular",
    "triangular2",
    "update_count",
    "updates",
    "warmup",
    "warmup_stable_decay",
    "with_master_weights",
]


_ROOMS = ("schedules", "optimizers", "transforms", "search", "plotting")


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
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jaxlr import hints

    message = f"module 'jaxlr' has no attribute {name!r}{hints.hint(name)}"
    caller = _sys._getframe(1)
    if caller.f_code.co_code[caller.f_lasti] == _dis.opmap["IMPORT_FROM"]:
        # Python drops the words of an AttributeError at `from jaxlr import name`, and says nothing in their place.
        raise ImportError(message, name=name)
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
