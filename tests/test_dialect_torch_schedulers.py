"""PyTorch's schedulers in jaxlr's dialect: against what PyTorch 2.13 recorded, and live where it is installed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from jaxlr.dialects import torch as dialect

GOLDEN = Path(__file__).parent / "golden"
sys.path.insert(0, str(GOLDEN))

import record_torch_schedulers as record  # noqa: E402  # it stands beside its file, in no package

RECORDED = np.load(GOLDEN / "torch_schedulers.npz")
CASES = record.cases()
CYCLED = {"CyclicLR": dialect.cyclic_momentum, "OneCycleLR": dialect.one_cycle_momentum}
EVERY_COUNT = np.arange(record.STEPS, dtype=np.int32)
BOUND = 1e-6  # of the peak


def called(case, make=None, bases=None):
    """The dialect's call for a case; the children of a composition have the rates that PyTorch's had."""
    make = make or getattr(dialect, case["class"])
    if "children" in case:
        children = [called({**child, "lr": lr}) for child, lr in zip(case["children"], bases, strict=True)]
        milestones = [case["milestones"]] if "milestones" in case else []
        return make(children, *milestones, total_steps=record.STEPS)
    arguments = dict(case["arguments"])
    if "lr_lambda" in arguments:
        arguments["lr_lambda"] = (record.LAMBDAS | record.FACTORS)[arguments["lr_lambda"]]
        arguments["total_steps"] = record.STEPS
    return make(case["lr"], **arguments)


def golden(name, suffix=""):
    """For each draw: the case, the counts that were kept, their values, and the peak."""
    key = name.replace(" ", "_")
    lengths = RECORDED[f"{key}_lengths"].tolist()
    counts = [record.chosen(length) for length in lengths]
    values = np.split(RECORDED[key + suffix], np.cumsum([len(c) for c in counts])[:-1])
    sizes = [len(case.get("children", [])) for case in CASES[name]]
    bases = np.split(RECORDED[f"{key}_bases"], np.cumsum(sizes)[:-1]) if any(sizes) else [None] * len(sizes)
    return zip(CASES[name], counts, values, RECORDED[f"{key}_peaks"], bases, strict=True)


def largest_difference(name, suffix="", make=None):
    worst = 0.0
    for case, counts, values, peak, bases in golden(name, suffix):
        rates = np.asarray(called(case, make, bases)(EVERY_COUNT), np.float64)[counts]
        worst = max(worst, np.abs(rates - values).max() / (1.0 if suffix else peak))
    return worst


@pytest.mark.parametrize("name", CASES)
def test_every_class_gives_what_pytorch_recorded(name):
    assert largest_difference(name) <= BOUND


@pytest.mark.parametrize("name", CYCLED)
def test_the_momentum_is_what_pytorch_recorded(name):
    assert largest_difference(name, "_momentum", CYCLED[name]) <= BOUND
