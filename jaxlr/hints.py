"""One map from the names of Optax, PyTorch, Keras, fastai, Flax and others to what jaxlr has in their place.

Attributes (`jaxlr.lion`), imports (`from jaxlr import StepLR`), the text notation and `jaxlr port` all ask `hint`.
"""

from __future__ import annotations

import ast
import functools
import importlib.resources
import importlib.util
import pathlib

from jaxlr.arguments import nearest

__all__ = ["CONFIGURED", "FRAMEWORKS", "hint", "names"]

# The list of all dialects, in the order in which a name is looked for; everything that needs one asks for this.
FRAMEWORKS = (
    "torch",
    "keras",
    "transformers",
    "timm",
    "optax",
    "maxtext",
    "t5x",
    "big_vision",
    "levanter",
    "axlearn",
    "megatron",
    "deepspeed",
    "torchtitan",
    "olmo",
    "nanochat",
    "diffusers",
    "mmengine",
    "fastai",
    "tf_keras",
    "fairseq",
    "caffe",
    "mlx",
    "paddle",
)
# Those whose configuration files `jaxlr port FILE` reads: each has `from_config` and `SIGNS`, the keys it is told by.
CONFIGURED: tuple[str, ...] = (
    "maxtext",
    "levanter",
    "megatron",
    "deepspeed",
    "torchtitan",
    "olmo",
    "timm",
)

# Those that repeat names of others, and are told of only where nobody else has the name.
_ECHOES = ("diffusers", "mmengine", "tf_keras", "mlx", "paddle")

# What has the curve of a framework's schedule, by the framework's name.
_CURVES = {
    # PyTorch
    "StepLR": "step_decay", "MultiStepLR": "multi_step", "ExponentialLR": "exponential", "LinearLR": "linear",
    "PolynomialLR": "polynomial", "CosineAnnealingLR": "cosine", "CosineAnnealingWarmRestarts": "cosine_restarts",
    "CyclicLR": "triangular", "OneCycleLR": "one_cycle", "LambdaLR": "custom", "SequentialLR": "join",
    "ReduceLROnPlateau": "reduce_on_plateau", "GreedyLR": "greedy", "KLAdaptiveLR": "kl_adaptive",
    "ConstantLR": "piecewise_constant",
    # Optax
    "constant_schedule": "constant", "linear_schedule": "linear", "polynomial_schedule": "polynomial",
    "exponential_decay": "exponential", "cosine_decay_schedule": "cosine", "join_schedules": "join",
    "piecewise_constant_schedule": "multi_step", "sgdr_schedule": "cosine_restarts",
    "warmup_cosine_decay_schedule": "warmup", "warmup_constant_schedule": "warmup",
    "warmup_exponential_decay_schedule": "warmup", "cosine_onecycle_schedule": "one_cycle",
    "linear_onecycle_schedule": "one_cycle",
    # Keras
    "ExponentialDecay": "exponential", "InverseTimeDecay": "inverse_time", "PiecewiseConstantDecay":
    "piecewise_constant", "PolynomialDecay": "polynomial", "CosineDecay": "cosine", "CosineDecayRestarts":
    "cosine_restarts",
    # PaddlePaddle
    "PiecewiseDecay": "piecewise_constant", "NaturalExpDecay": "natural_exponential", "LinearWarmup": "warmup",
    "MultiStepDecay": "multi_step", "StepDecay": "step_decay", "CosineAnnealingDecay": "cosine", "LambdaDecay":
    "custom", "ReduceOnPlateau": "reduce_on_plateau",
    # Flax, big_vision, T5X, MaxText, AXLearn
    "cosine_decay": "cosine", "polynomial_decay": "polynomial", "linear_decay": "linear", "rsqrt": "inverse_sqrt",
    "rsqrt_decay": "inverse_sqrt", "linear_warmup": "warmup", "warmup_cosine": "warmup", "wsd": "warmup_stable_decay",
    "create_constant_learning_rate_schedule": "constant", "create_stepped_learning_rate_schedule": "multi_step",
    "create_cosine_learning_rate_schedule": "cosine", "cosine_annealing": "cosine", "stair": "multi_step",
    "trapezoid": "warmup_stable_decay", "trapezoidal": "warmup_stable_decay", "linear_cooldown": "cooldown",
    "cosine_schedule": "cosine", "cosine_with_restarts": "cosine_restarts", "sgdr": "cosine_restarts",
    "LRScheduler": "Schedule", "LearningRateSchedule": "Schedule", "Scheduler": "Schedule", "ParamScheduler": "custom",
    "WarmUp": "warmup",
    # fastai
    "fit_one_cycle": "one_cycle", "combined_cos": "one_cycle", "fit_sgdr": "cosine_restarts", "SchedLin": "linear",
    "SchedCos": "cosine", "SchedExp": "exponential", "SchedPoly": "polynomial", "combine_scheds": "join",
    "annealer": "custom", "RMSProp": "rmsprop",
    # Search
    "lr_find": "lr_range_test", "lr_finder": "lr_range_test", "LRFinder": "lr_range_test", "find_lr": "lr_range_test",
    "range_test": "lr_range_test", "LearningRateFinder": "lr_range_test", "suggest_lr": "lr_range_test",
    # Optimizers and what goes around them
    "MultiSteps": "accumulate", "GradientAccumulation": "accumulate", "multi_steps": "accumulate",
    "multi_transform": "ParameterGroups", "param_groups": "ParameterGroups",
    "param_groups_weight_decay": "ParameterGroups", "param_groups_layer_decay": "layerwise_rates",
    "clip_grad_norm_": "clip_by_global_norm",
    "clip_grad_norm": "clip_by_global_norm", "weight_decay": "add_weight_decay", "trace": "scale_by_momentum",
    "add_decayed_weights": "add_weight_decay", "scale_by_rms": "scale_by_rmsprop", "momentum": "scale_by_momentum",
    "scale_by_schedule": "scale_by_learning_rate", "get_last_lr": "current_learning_rate",
    "get_lr": "current_learning_rate", "set_lr": "set_learning_rate", "LearningRateScheduler": "custom",
    "AdamWeightDecay": "adamw", "SparseAdam": "adam",
}  # fmt: skip

# What is written in another way.
_WAYS = {
    "inject_hyperparams": "jaxlr.set_learning_rate changes a rate without it, and optax.inject_hyperparams(jaxlr.sgd) "
    "works too",
    "rprop": "jaxlr.dialects.torch.Rprop",
    "chain": "optax.chain; jaxlr's links go into it",
    "masked": "optax.masked, or jaxlr.ParameterGroups",
    "partition": "optax.partition, or jaxlr.ParameterGroups",
    "apply_updates": "optax.apply_updates",
    "apply_if_finite": "optax.apply_if_finite",
    "global_norm": "optax.tree.norm",
    "MultiplicativeLR": "jaxlr.dialects.torch.MultiplicativeLR",
    "TrainState": "flax.training.train_state.TrainState, with a jaxlr optimizer as tx",
    "LBFGS": "optax.lbfgs",
    "lbfgs": "optax.lbfgs, which searches along its step",
    "Larc": "optax.lars",
    "Lookahead": "optax.lookahead",
    "QHAdam": "its mathematics as a link: jaxlr.transforms.link",
    "ranger": "optax.lookahead(optax.chain(jaxlr.scale_by_radam(), jaxlr.scale_by_learning_rate(rate)), 6, 0.5)",
    "fine_tune": "jaxlr.ParameterGroups, whose frozen= takes counts until which a group waits",
    "LossScaleOptimizer": "jaxlr.with_master_weights for 16-bit parameters, optax.apply_if_finite for what overflows",
    "OptimWrapper": "jaxlr.dialects.torch, for torch's own optimizers",
    "create_optimizer": "jaxlr.adamw, or another of jaxlr's optimizers, with a schedule as its rate",
    "create_optimizer_v2": "jaxlr.adamw, or another of jaxlr's optimizers, with a schedule as its rate",
    "optimizer_kwargs": "jaxlr.dialects.timm.from_config",
    "create_scheduler": "jaxlr.dialects.timm.from_config",
    "create_scheduler_v2": "jaxlr.dialects.timm.from_config",
    "scheduler_kwargs": "jaxlr.dialects.timm.from_config",
    "SchedulerType": "jaxlr.dialects.transformers.get_scheduler",
    "swa_utils": "jaxlr.dialects.torch.SWALR for the rate, optax.incremental_update for the mean of the weights",
    "update_bn": "a pass over the data in the model's training mode",
    **dict.fromkeys(
        (
            "AveragedModel",
            "get_ema_avg_fn",
            "get_ema_multi_avg_fn",
            "get_swa_avg_fn",
            "get_swa_multi_avg_fn",
            "swap_in_optimizer_params_and_state",
        ),
        "optax.incremental_update, which means the weights",
    ),
    "Optimizer": "flax.nnx.Optimizer(model, jaxlr.adamw(rate), wrt=flax.nnx.Param)",
}
# Where Optax keeps its names, the nearest first.
_OPTAX = ("optax", "optax.contrib", "optax.schedules", "optax.transforms")


def hint(name: str) -> str:
    """What to put behind a message about a name that jaxlr, or a text, does not have; nothing if nobody has it.

    Example:
      >>> hint("StepLR")
      "; it is jaxlr.step_decay, or jaxlr.dialects.torch.StepLR with the framework's own arguments"
      >>> hint("optax.lion")
      '; write optax.chain(optax.scale_by_lion(), jaxlr.scale_by_learning_rate(rate))'
      >>> hint("cosin"), hint("nothing")
      ('; did you mean jaxlr.cosine?', '')
    """
    last = name.rpartition(".")[2]
    own = [f"jaxlr.{_CURVES[last]}"] if last in _CURVES else []
    if last in _WAYS:
        return f"; write {_WAYS[last]}"
    optax = next((room for room in _OPTAX if last in _public(room)), None)
    links = {"jaxlr": _listed(""), "optax": _public("optax")}
    link = next((f"{room}.scale_by_{last}" for room, known in links.items() if f"scale_by_{last}" in known), None)
    if link and optax == "optax" and last not in _listed(""):
        return f"; write optax.chain({link}(), jaxlr.scale_by_learning_rate(rate))"
    if name != last and last in _listed(""):
        own = [f"jaxlr.{last}"]
    elif not own:
        own = [f"jaxlr.{room}.{last}" for room in ("schedules", "transforms") if last in _listed(room)][:1]
    having = [framework for framework in FRAMEWORKS if last in names(framework)]
    having = [framework for framework in having if framework not in _ECHOES] or having[:1]
    theirs = [f"jaxlr.dialects.{framework}.{last}" for framework in having]
    if own and theirs:
        return f"; it is {own[0]}, or {' or '.join(theirs)} with the framework's own arguments"
    if own or theirs:
        return f"; it is {' or '.join(own + theirs)}"
    if optax:
        return f"; write {optax}.{last}: jaxlr's schedules, links and optimizers go wherever Optax's do"
    near = nearest(last, _listed(""), cutoff=0.8)
    return f"; did you mean jaxlr.{near[0]}?" if near else ""


@functools.cache
def _public(room: str) -> frozenset[str]:
    """The public names of Optax or of a package of it, read from its text."""
    package, *inner = room.split(".")
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    file = pathlib.Path(*places[:1], *inner, "__init__.py")
    if not places or not file.is_file():
        return frozenset()
    found: set[str] = set()
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in statement.names}
        elif isinstance(statement, ast.Assign):
            found |= {ast.unparse(target) for target in statement.targets}
    return frozenset(name for name in found if not name.startswith("_"))


def names(framework: str) -> tuple[str, ...]:
    """The public names of a framework's module, read from its text: asking loads nothing.

    Example:
      >>> "StepLR" in names("torch")
      True
    """
    return _listed(f"dialects/{framework}")


@functools.cache
def _listed(room: str) -> tuple[str, ...]:
    """The `__all__` of a package of jaxlr, or of a module."""
    package = importlib.resources.files(__package__ or "jaxlr")
    module = package.joinpath(f"{room}.py")
    file = module if module.is_file() else package.joinpath(*room.split("/"), "__init__.py")
    (listed,) = (
        statement.value
        for statement in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
    )
    return tuple(ast.literal_eval(listed))
