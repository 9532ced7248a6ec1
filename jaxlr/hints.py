"""One map from the names of Optax, PyTorch, Keras, fastai, Flax and others to what jaxlr has in their place.

Attributes (`jaxlr.lion`), imports (`from jaxlr import StepLR`), the text notation and `jaxlr port` all ask `hint`.
"""

from __future__ import annotations

import ast
import functools
import importlib.resources

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
    # fastai
    "fit_one_cycle": "one_cycle", "combined_cos": "one_cycle", "fit_sgdr": "cosine_restarts", "SchedLin": "linear",
    "SchedCos": "cosine", "SchedExp": "exponential", "SchedPoly": "polynomial", "combine_scheds": "join",
    # Search
    "lr_find": "lr_range_test", "lr_finder": "lr_range_test", "LRFinder": "lr_range_test", "find_lr": "lr_range_test",
    "range_test": "lr_range_test", "LearningRateFinder": "lr_range_test", "suggest_lr": "lr_range_test",
    # Optimizers and what goes around them
    "MultiSteps": "accumulate", "GradientAccumulation": "accumulate", "multi_steps": "accumulate",
    "multi_transform": "ParameterGroups", "param_groups": "ParameterGroups", "clip_grad_norm_": "clip_by_global_norm",
    "clip_grad_norm": "clip_by_global_norm", "weight_decay": "add_weight_decay", "trace": "scale_by_momentum",
    "add_decayed_weights": "add_weight_decay", "scale_by_rms": "scale_by_rmsprop", "momentum": "scale_by_momentum",
    "scale_by_schedule": "scale_by_learning_rate", "get_last_lr": "current_learning_rate",
    "get_lr": "current_learning_rate", "set_lr": "set_learning_rate", "LearningRateScheduler": "custom",
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
    "Optimizer": "flax.nnx.Optimizer(model, jaxlr.adamw(rate), wrt=flax.nnx.Param)",
}
# Optax's optimizers that jaxlr has no own of: the link of each, in a chain.
_LINKS = ("adadelta", "adan", "amsgrad", "lion", "novograd", "sm3", "yogi")
# And those that have no such link: a schedule of jaxlr is one of Optax's.
_OPTIMIZERS = ("adabelief", "adafactor", "dadapt_adamw", "fromage", "lamb", "lars", "muon", "noisy_sgd", "prodigy")


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
    if last in _LINKS:
        return f"; write optax.chain(optax.scale_by_{last}(), jaxlr.scale_by_learning_rate(rate))"
    if last in _OPTIMIZERS:
        return "; write optax's, whose rate may be any schedule of jaxlr's"
    if last in _WAYS:
        return f"; write {_WAYS[last]}"
    if name != last and last in _listed(""):
        own = [f"jaxlr.{last}"]
    elif not own and last in _listed("schedules"):
        own = [f"jaxlr.schedules.{last}"]
    having = [framework for framework in FRAMEWORKS if last in names(framework)]
    having = [framework for framework in having if framework not in _ECHOES] or having[:1]
    theirs = [f"jaxlr.dialects.{framework}.{last}" for framework in having]
    if own and theirs:
        return f"; it is {own[0]}, or {' or '.join(theirs)} with the framework's own arguments"
    if own or theirs:
        return f"; it is {' or '.join(own + theirs)}"
    near = nearest(last, _listed(""), cutoff=0.8)
    return f"; did you mean jaxlr.{near[0]}?" if near else ""


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
