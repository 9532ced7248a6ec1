"""Names of other frameworks are told what has their place, in Python and in texts alike."""

import importlib
import re
import subprocess
import sys

import jax.numpy as jnp
import optax
import pytest

import jaxlr
from jaxlr import hints
from jaxlr.cli.port import recipes
from jaxlr.hints import names
from jaxlr.schedules import parse
from jaxlr.schedules.text import read_call

SAID = {
    "lion": "; write optax.chain(optax.scale_by_lion(), jaxlr.scale_by_learning_rate(rate))",
    "MultiSteps": "; it is jaxlr.accumulate",
    "inject_hyperparams": "; write jaxlr.set_learning_rate changes a rate without it, and "
    "optax.inject_hyperparams(jaxlr.sgd) works too",
    "lr_find": "; it is jaxlr.lr_range_test",
    "cosine_decay": "; it is jaxlr.cosine, or jaxlr.dialects.tf_keras.cosine_decay with the framework's own arguments",
    "StepLR": "; it is jaxlr.step_decay, or jaxlr.dialects.torch.StepLR with the framework's own arguments",
    "cosine_decay_schedule": "; it is jaxlr.cosine, or jaxlr.dialects.optax.cosine_decay_schedule with the framework's "
    "own arguments",
    "ExponentialDecay": "; it is jaxlr.exponential, or jaxlr.dialects.keras.ExponentialDecay with the framework's own "
    "arguments",
    "fit_one_cycle": "; it is jaxlr.one_cycle, or jaxlr.dialects.fastai.fit_one_cycle with the framework's own "
    "arguments",
    "get_cosine_schedule_with_warmup": "; it is jaxlr.dialects.transformers.get_cosine_schedule_with_warmup",
    "CosineLRScheduler": "; it is jaxlr.dialects.timm.CosineLRScheduler",
    "create_cosine_learning_rate_schedule": "; it is jaxlr.cosine",
    "rex": "; it is jaxlr.schedules.rex",
    "cosin": "; did you mean jaxlr.cosine?",
    "nothing": "",
    "adagrad": "; write optax.chain(jaxlr.scale_by_adagrad(), jaxlr.scale_by_learning_rate(rate))",
    "zero_nans": "; write optax.zero_nans: jaxlr's schedules, links and optimizers go wherever Optax's do",
    "schedule_free": "; write optax.contrib.schedule_free: jaxlr's schedules, links and optimizers go wherever Optax's "
    "do",
    "scale_by_rprop": "; it is jaxlr.transforms.scale_by_rprop",
}


@pytest.mark.parametrize("name", SAID)
def test_an_attribute_and_an_import_say_the_same(name):
    with pytest.raises(AttributeError) as attribute:
        getattr(jaxlr, name)
    with pytest.raises(ImportError) as imported:
        exec(f"from jaxlr import {name}")
    assert str(attribute.value) == str(imported.value) == f"module 'jaxlr' has no attribute {name!r}{SAID[name]}"
    assert not hasattr(jaxlr, name)
    assert getattr(jaxlr, name, 5) == 5


@pytest.mark.parametrize("name", sorted(set(SAID) - {"rex", "cosin", "nothing"}))
@pytest.mark.parametrize("prefix", ["", "optax.schedules.", "torch.optim.lr_scheduler."])
def test_a_text_says_the_same(name, prefix):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse(f"{prefix}{name}(0.1, 30)")
    assert str(caught.value).endswith(f": unknown schedule {prefix + name!r}{SAID[name]}")
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read_call(f"{name}(0.1, 30)", recipes(), what="recipe")
    assert str(caught.value).endswith(f": unknown recipe {name!r}{SAID[name]}")


def test_an_own_name_with_the_module_in_front():
    with pytest.raises(ValueError, match=r"unknown schedule 'jaxlr\.cosine'; it is jaxlr\.cosine$"):
        parse("warmup(jaxlr.cosine(0.1, 30), 5)")


def test_every_hint_leads_somewhere():
    for theirs, own in hints._CURVES.items():
        assert own in jaxlr.__all__, theirs
        assert theirs not in jaxlr.__all__


def public(*modules):
    """The public names of modules."""
    return [name for module in modules for name in getattr(module, "__all__", dir(module)) if not name.startswith("_")]


# Those that are not installed here, by their documentation.
ELSEWHERE = {
    "keras": "Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer Muon Nadam "
    "Optimizer RMSprop SGD CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay "
    "LearningRateSchedule PiecewiseConstantDecay PolynomialDecay ReduceLROnPlateau "
    "LearningRateScheduler",
    "fastai": "Adam Lamb Larc Lookahead OptimWrapper Optimizer QHAdam RAdam RMSProp SGD annealer SchedCos "
    "SchedExp SchedLin SchedNo SchedPoly combine_scheds combined_cos ParamScheduler LRFinder lr_find "
    "fit_one_cycle fit_flat_cos fit_sgdr fine_tune ranger",
    "transformers": "get_constant_schedule get_constant_schedule_with_warmup get_linear_schedule_with_warmup "
    "get_cosine_schedule_with_warmup get_cosine_with_hard_restarts_schedule_with_warmup "
    "get_wsd_schedule get_polynomial_decay_schedule_with_warmup get_inverse_sqrt_schedule "
    "get_cosine_with_min_lr_schedule_with_warmup get_cosine_with_min_lr_schedule_with_warmup_lr_rate "
    "get_reduce_on_plateau_schedule get_scheduler SchedulerType get_adafactor_schedule Adafactor "
    "AdafactorSchedule GreedyLR AdamW WarmUp create_optimizer AdamWeightDecay",
    "timm": "CosineLRScheduler StepLRScheduler MultiStepLRScheduler PolyLRScheduler PlateauLRScheduler "
    "TanhLRScheduler Scheduler create_scheduler create_scheduler_v2 create_optimizer "
    "create_optimizer_v2 scheduler_kwargs optimizer_kwargs Lookahead param_groups_layer_decay "
    "param_groups_weight_decay",
}


def resolved(dotted):
    """What a dotted name stands for."""
    package, *names = dotted.split(".")
    found = importlib.import_module(package)
    for name in names:
        found = getattr(found, name) if hasattr(found, name) else importlib.import_module(f"{found.__name__}.{name}")
    return found


def check(name):
    """A hint whose names all exist, and whose chain is an optimizer."""
    said = hints.hint(name)
    assert said.startswith(("; it is ", "; write ")), (name, said)
    dotted = re.findall(r"\b(?:jaxlr|optax|flax)(?:\.\w+)+", said)
    assert dotted or name == "update_bn", (name, said)
    for each in dotted:
        resolved(each)
    if written := re.match(r"; write (optax\.(?:chain|lookahead)\(.*\))$", said):
        made = eval(written[1], {"optax": optax, "jaxlr": jaxlr, "rate": jaxlr.cosine(0.1, 10)})
        params = {"a": jnp.ones(3)}
        fast = optax.LookaheadParams.init_synced(params) if "lookahead" in said else params
        _, state = made.update(params, made.init(fast), fast)
        assert float(jaxlr.current_learning_rate(state)) == pytest.approx(0.1)


@pytest.mark.parametrize("framework", ELSEWHERE)
def test_every_name_of_another_framework_has_a_hint_that_is_true(framework):
    for name in ELSEWHERE[framework].split():
        check(name)


def test_every_name_of_optax_has_a_hint_that_is_true():
    for name in public(optax, optax.contrib, optax.schedules, optax.transforms):
        if name not in jaxlr.__all__:
            check(name)


def test_every_name_of_torch_has_a_hint_that_is_true():
    torch = pytest.importorskip("torch")
    for name in public(torch.optim, torch.optim.lr_scheduler, torch.optim.swa_utils):
        check(name)


def test_names_of_optax_are_read_without_loading_it():
    for room in hints._OPTAX:
        module = importlib.import_module(room)
        assert hints._public(room) == {name for name in dir(module) if not name.startswith("_")}


def test_a_program_of_its_own_sees_the_hint():
    result = subprocess.run([sys.executable, "-c", "from jaxlr import StepLR"], capture_output=True, text=True)
    assert result.stderr.endswith(SAID["StepLR"] + "\n")
    assert "ImportError: module 'jaxlr' has no attribute 'StepLR'" in result.stderr


def test_the_names_of_a_framework_may_stand_in_one_file():
    assert names("files") == ("from_arguments", "from_file")
