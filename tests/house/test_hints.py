"""Names of other frameworks are told what has their place, in Python and in texts alike."""

import importlib
import subprocess
import sys

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
    optax = importlib.import_module("optax")
    for link in hints._LINKS:
        assert link not in jaxlr.__all__
        assert hasattr(optax, f"scale_by_{link}"), link
    for optimizer in hints._OPTIMIZERS:
        assert optimizer in dir(optax) or optimizer in dir(optax.contrib)


def test_a_program_of_its_own_sees_the_hint():
    result = subprocess.run([sys.executable, "-c", "from jaxlr import StepLR"], capture_output=True, text=True)
    assert result.stderr.endswith(SAID["StepLR"] + "\n")
    assert "ImportError: module 'jaxlr' has no attribute 'StepLR'" in result.stderr


def test_the_names_of_a_framework_may_stand_in_one_file():
    assert names("files") == ("from_arguments", "from_file")
