"""What is compiled for devices that are not there: one row each of everything public that becomes a program."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from cases import ROWS, examples_of
from links import LINKS

import jaxlr
from jaxlr import dialects, optimizers, transforms

# One that no fast memory holds, so that what is read and written is of the main one, and others of each rank.
SHAPES = {"table": (8192, 8192), "kernel": (3, 3, 64, 128), "bias": (1024,)}
PARAMETERS = sum(math.prod(shape) for shape in SHAPES.values())


def returns(factory):
    """What a factory says that it returns."""
    return inspect.signature(factory).return_annotation


def falling(count):
    """A rate whose program is small, the same for every contender."""
    return 1e-3 * jnp.exp(-1e-4 * jnp.asarray(count, jnp.float32))


def params_of(dtype=jnp.float32):
    return {name: jax.ShapeDtypeStruct(shape, dtype) for name, shape in SHAPES.items()}


# Copies of the parameters that an algorithm needs beside the state: a norm before the step, or products of matrices.
WORK = {"keras.Lamb": 1, "keras.Muon": 3, "torch.Muon": 3}


@dataclasses.dataclass(frozen=True)
class Step:
    """An optimizer's step: how it is made, of what the parameters are, and Optax's twin where it has one."""

    make: Callable[[], Any]
    twin: Callable[[], Any] | None = None
    dtype: Any = jnp.float32
    names: tuple[str, ...] = ()  # the public names that it is for, beside its own
    after: Callable[[Any], Any] = lambda state: state  # of the optimizer state, in the same program

    def program(self, twin=False):
        """The step, and the shapes of its state and its gradients."""
        optimizer = (self.twin if twin else self.make)()

        def step(state, gradients):
            updates, inner = optimizer.update(gradients, state["optimizer"], state["params"])
            after = inner if twin else self.after(inner)
            return {"params": optax.apply_updates(state["params"], updates), "optimizer": after}

        params = params_of(self.dtype)
        return step, {"params": params, "optimizer": jax.eval_shape(optimizer.init, params)}, params


def chained(link):
    return optax.chain(link, jaxlr.scale_by_learning_rate(falling))


def _with_clip(library):
    return lambda: optax.chain(library.clip_by_global_norm(1.0), library.adamw(falling))


SCHEDULES = {name: example.schedule for row in ROWS.values() for name, example in examples_of(row).items()}
OPERATIONS = {
    "sum": jaxlr.cosine(0.1, 900) + jaxlr.linear(0.1, 0.0, 100),
    "product": jaxlr.cosine(0.1, 900) * 2.0,
    "clipped": (-jaxlr.cosine(0.1, 900) / 3).clip(-0.02, 0.01),
    "raised": jaxlr.cosine(0.1, 900) ** 2.0,
    "shifted": jaxlr.cosine(0.1, 900).shift(7).repeat(90),
    "retime": jaxlr.retime(jaxlr.cosine(0.1, 900), 100, decay_steps=1800),
    "per_example": jaxlr.per_example(jaxlr.linear(0.1, 0.0, 10_000), {0: 32, 1000: 64}),
}

STEPS = {
    **{name: Step(lambda case=case: chained(case()), names=(name,)) for name, case in LINKS.items()},
    "sgd": Step(lambda: jaxlr.sgd(falling, momentum=0.9), lambda: optax.sgd(falling, momentum=0.9)),
    "rmsprop": Step(lambda: jaxlr.rmsprop(falling), lambda: optax.rmsprop(falling)),
    "adam": Step(lambda: jaxlr.adam(falling), lambda: optax.adam(falling)),
    "adamw": Step(lambda: jaxlr.adamw(falling), lambda: optax.adamw(falling)),
    "clip+adamw": Step(_with_clip(jaxlr), _with_clip(optax), names=("clip_by_global_norm",)),
    "adamw in bfloat16": Step(lambda: jaxlr.adamw(falling), dtype=jnp.bfloat16),
    "adamw, scheduled": Step(
        lambda: jaxlr.adamw(
            jaxlr.warmup(jaxlr.cosine(0.1, 900), 100), b1=lambda n: 0.9 - 0.001 * n, weight_decay=falling
        )
    ),
    "accumulate": Step(
        lambda: jaxlr.accumulate(jaxlr.adamw(falling), 4), lambda: optax.MultiSteps(optax.adamw(falling), 4)
    ),
    "ParameterGroups": Step(
        lambda: jaxlr.ParameterGroups(
            jaxlr.layerwise_rates(0.5, ["table", "bias"]), no_decay=["bias"], frozen={"kernel": 100}
        ).wrap(jaxlr.adamw(falling)),
        names=("layerwise_rates", "learning_rates"),
    ),
    "reduce_on_plateau": Step(
        lambda: jaxlr.adamw(jaxlr.reduce_on_plateau(jaxlr.cosine(0.1, 900))),
        after=lambda state: jaxlr.observe(state, jnp.float32(1.0)),
        names=("observe", "ReduceOnPlateau"),
    ),
    "kl_adaptive": Step(
        lambda: jaxlr.adamw(jaxlr.kl_adaptive(1e-3)),
        after=lambda state: jaxlr.observe(state, jnp.float32(0.01)),
        names=("KlAdaptive",),
    ),
    "greedy": Step(
        lambda: jaxlr.adamw(jaxlr.greedy(1e-3)),
        after=lambda state: jaxlr.observe(state, jnp.float32(1.0)),
        names=("Greedy", "GreedyLR", "get_greedy_schedule", "get_scheduler"),
    ),
    "guard": Step(lambda: jaxlr.guard(jaxlr.adamw(falling)), names=("guard_counts",)),
    "small_states": Step(lambda: jaxlr.small_states(jaxlr.adamw(falling))),
    "held": Step(
        lambda: jaxlr.sgd(jaxlr.transforms.held(jaxlr.cosine(0.1, 900))),
        after=lambda state: jaxlr.set_schedule(state, jaxlr.cosine(0.2, 900)),
        names=("held", "set_schedule", "current_schedule"),
    ),
    "set_learning_rate": Step(
        lambda: jaxlr.sgd(falling), after=lambda state: jaxlr.set_learning_rate(state, factor=jnp.float32(0.5))
    ),
    "set_update_count": Step(
        lambda: jaxlr.adam(falling), after=lambda state: jaxlr.set_update_count(state, jnp.int32(7))
    ),
    "in_float32": Step(lambda: transforms.in_float32(optax.adam(1e-3)), dtype=jnp.bfloat16),
    "with_master_weights": Step(lambda: jaxlr.with_master_weights(jaxlr.adamw(falling)), dtype=jnp.bfloat16),
}


def _with_defaults(factory):
    return Step(lambda: factory(1e-3))


OPTIMIZERS = {  # of the dialects, each with its own defaults
    f"{framework}.{name}": _with_defaults(getattr(getattr(dialects, framework), name))
    for framework in dialects.FRAMEWORKS
    for name in getattr(dialects, framework).__all__
    if returns(getattr(getattr(dialects, framework), name)) in ("Optimizer", "optax.GradientTransformationExtraArgs")
    and name != "from_optimizer"
}
OPTIMIZERS["torch.Muon"] = Step(  # of matrices alone
    lambda: optax.masked(dialects.torch.Muon(1e-3), lambda params: jax.tree.map(lambda leaf: leaf.ndim == 2, params)),
    names=("orthogonalize",),
)
STEPS |= OPTIMIZERS

# What becomes no program of its own, and why.
NO_PROGRAM = {
    "on the host": {
        "Annealer",
        "BranchesResult",
        "FAMILIES",
        "MupFactors",
        "branches",
        "mup_factors",
        "state_bytes",
        "Cycle",
        "Family",
        "LoadReport",
        "NoSuggestion",
        "OverrideDecay",
        "RangeTest",
        "SweepResult",
        "family",
        "from_config",
        "from_optax_state",
        "from_optimizer",
        "from_scheduler",
        "load_optimizer_state",
        "load_state_dict",
        "momentum_from_scheduler",
        "optimizer_state_dict",
        "parse",
        "plot",
        "scale_lr",
        "scheduler_count",
        "scheduler_state_dict",
        "signature_text",
        "state_dict",
        "to_optax_state",
        "updates",
    },
    "reads an array of the state": {
        "current_hyperparameters",
        "current_learning_rate",
        "current_schedule",
        "update_count",
    },
    "a word": {"KEEP"},
    "a room": {"dialects", "schedules", "transforms"},
    "the type of every schedule": {"Schedule"},
}
# Compiled by tests of their own in test_accelerators.py.
SEARCHES = {"constant_rate_test", "lr_range_test", "sweep"}


def unmentioned():
    """The public names of which nothing says that they compile, nor why they need not."""
    compiled = {*SCHEDULES, *OPERATIONS, *STEPS, *SEARCHES} | {name for step in STEPS.values() for name in step.names}
    compiled |= set(ROWS) | set().union(*NO_PROGRAM.values())
    rooms = (jaxlr, jaxlr.schedules, jaxlr.transforms, optimizers, jaxlr.search)
    yield from sorted({name for room in rooms for name in room.__all__ if not name.endswith("State")} - compiled)
    for framework in dialects.FRAMEWORKS:
        room = getattr(dialects, framework)
        for name in room.__all__:
            of_families = {"Schedule", "ReduceOnPlateau", "Schedule | ReduceOnPlateau", "Annealer | Schedule"}
            if (
                f"{framework}.{name}" not in STEPS
                and name not in compiled
                and returns(getattr(room, name)) not in of_families
            ):
                yield f"{framework}.{name}"
