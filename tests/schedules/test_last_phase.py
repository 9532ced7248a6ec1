"""A one-cycle whose rise takes the whole run ends at its peak: a last phase of no length does nothing."""

import jax
import numpy as np
import pytest

import jaxlr
from jaxlr.dialects import torch as dialect
from jaxlr.schedules import flat_cosine, slanted_triangular


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("last", ["total-1", "total"])
def test_ends_at_the_peak(anneal, last):
    rate = jaxlr.one_cycle(1.0, 12, pct_start=1.0, anneal=anneal, last=last)
    momentum = jaxlr.one_cycle_momentum(12, pct_start=1.0, anneal=anneal, last=last)
    end = 12 - (last == "total-1")
    assert [float(rate(n)) for n in (0, end, end + 1, 10**9)] == [np.float32(0.04), 1.0, 1.0, 1.0]
    assert float(momentum(end)) == float(momentum(10**9)) == np.float32(0.85)
    assert (np.diff(np.asarray(rate(np.arange(end + 1)))) > 0).all()
    traced = jax.jit(lambda share: jaxlr.one_cycle(1.0, 12, pct_start=share, anneal=anneal, last=last)(end))
    assert (float(traced(1.0)), float(traced(0.5))) == (1.0, np.float32(4e-6))


def test_its_relatives():
    assert [float(slanted_triangular(1.0, 8, cut_frac=1.0)(n)) for n in (0, 8, 9)] == [1 / 32, 1.0, 1.0]
    assert [float(flat_cosine(1.0, 8, pct_start=1.0)(n)) for n in (0, 8, 9)] == [1.0, 1.0, 1.0]
    half = jaxlr.one_cycle(1.0, 12, pct_start=0.5, three_phase=True, last="total")
    assert [float(half(n)) for n in (6, 12)] == [1.0, np.float32(0.04)]
    assert float(jaxlr.one_cycle(1.0, 1, pct_start=1.0)(0)) == 1.0


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("arguments", [{"pct_start": 1.0}, {"pct_start": 0.9}, {"pct_start": 0.5, "three_phase": True}])
def test_as_pytorch_does_also_live(strategy, arguments):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    arguments = {"max_lr": 1.0, "total_steps": 12, "anneal_strategy": strategy, **arguments}
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, **arguments)
    live, moving = dialect.from_scheduler(scheduler), dialect.momentum_from_scheduler(scheduler)
    ours, momentum = dialect.OneCycleLR(0.1, **arguments), dialect.one_cycle_momentum(0.1, **arguments)
    for n in range(12):
        group = optimizer.param_groups[0]
        for schedule in (live, ours):
            assert float(schedule(n)) == pytest.approx(group["lr"], rel=1e-6), n
        for schedule in (moving, momentum):
            assert float(schedule(n)) == pytest.approx(group["momentum"], rel=1e-6), n
        optimizer.step()
        if n < 11:
            scheduler.step()
