"""A report finds the largest difference of two learning rates, whatever form the source has."""

import sys

import numpy as np
import pytest

import jaxlr
from jaxlr import dialects, plotting
from jaxlr.dialects import report


class Scheduler:
    """What a PyTorch scheduler looks like from outside."""

    def __init__(self, *rates):
        self.rates = list(rates)

    def get_last_lr(self):
        return self.rates

    def step(self):
        self.rates = [rate / 2 for rate in self.rates]


HALVED = [1.0, 0.5, 0.25, 0.125]
SOURCES = {
    "callable": lambda count: 0.5**count,
    "list": [*HALVED, 7.0],
    "array": np.array(HALVED),
    "schedule": jaxlr.exponential(1.0, 0.5),
    "scheduler": Scheduler(1.0),
    "scheduler with two equal groups": Scheduler(1.0, 1.0),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_form_of_a_source_gives_its_rates(source):
    comparison = report(source, jaxlr.exponential(1.0, 0.5), 4)
    assert comparison.source.tolist() == HALVED
    assert (comparison.largest, comparison.where, comparison.relative) == (0.0, 0, 0.0)
    assert "4 updates: largest difference 0\n" in str(comparison)


def test_a_live_scheduler_stays_where_it_is():
    scheduler = Scheduler(1.0)
    report(scheduler, jaxlr.constant(1.0), 4)
    assert scheduler.get_last_lr() == [1.0]


def test_a_live_torch_scheduler():
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    assert report(scheduler, jaxlr.cosine(0.1, 50, after="rise"), 120).relative <= 1e-6
    assert scheduler.last_epoch == 0
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_the_largest_difference_is_found_and_marked():
    comparison = report([4.0, 2.0, 1.0], lambda count: (4.0, 1.5, 0.75)[count], 3)
    assert (comparison.largest, comparison.where, comparison.peak, comparison.relative) == (0.5, 1, 4.0, 0.125)
    marked = [line.split()[0] for line in str(comparison).splitlines() if line.endswith("<- largest")]
    assert marked == ["1"]
    assert "largest difference 0.5 at count 1, 0.12 of the peak 4" in str(comparison)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_rate_that_is_no_number_is_the_largest_difference(broken):
    comparison = report([4.0, 1.0, broken], lambda count: 1.0, 3)
    assert (comparison.largest, comparison.where, comparison.peak) == (np.inf, 2, 4.0)
    assert comparison.plot() is not None


def test_a_long_table_is_short_and_has_the_worst_row():
    worst = 12345
    comparison = report(np.arange(20000) == worst, jaxlr.constant(0.0), 20000)
    assert comparison.where == worst
    assert len(str(comparison).splitlines()) < 16
    assert any(line.startswith(f"{worst} ") for line in str(comparison).splitlines())


def test_the_picture_is_written(tmp_path):
    comparison = report(np.linspace(1, 0, 50), jaxlr.cosine(1.0, 49), 50)
    plotting.save_figure(comparison.plot(), tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 10_000


def test_the_curves_go_into_axes_that_are_given():
    from matplotlib.figure import Figure

    figure = Figure()
    first, second = figure.subplots(2)
    assert report(HALVED, jaxlr.constant(1.0), 4).plot(second) is figure
    assert [len(first.lines), len(second.lines)] == [0, 2]


REFUSED = {
    "no steps": (lambda: report(HALVED, jaxlr.constant(1.0), 0), ValueError, "steps must be at least 1, got 0"),
    "broken steps": (lambda: report(HALVED, jaxlr.constant(1.0), 2.5), TypeError, "steps must be an integer"),
    "a short array": (lambda: report(HALVED, jaxlr.constant(1.0), 5), ValueError, r"each of 5 updates.*shape \(4,\)"),
    "no source": (lambda: report("cosine", jaxlr.constant(1.0), 5), TypeError, "source must be a callable, an array"),
    "no schedule": (lambda: report(HALVED, HALVED, 4), TypeError, "schedule must be a schedule"),
    "two rates": (
        lambda: report(Scheduler(1.0, 0.5), jaxlr.constant(1.0), 4),
        ValueError,
        r"2 parameter groups with rates \[1.0, 0.5\]",
    ),
    "no number": (lambda: report(lambda count: None, jaxlr.constant(1.0), 4), TypeError, "source must give one number"),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_dialects_load_when_they_are_used():
    assert dialects.keras is sys.modules["jaxlr.dialects.keras"]
    assert dialects.report is report
    assert set(dialects.__all__) <= set(dir(dialects))
    with pytest.raises(AttributeError, match=r"no attribute 'jax'; it has Comparison, Recipe, axlearn"):
        dialects.jax  # noqa: B018, the access is the test
