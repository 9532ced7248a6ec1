"""PyTorch's schedulers in jaxlr's dialect: against what PyTorch 2.14 recorded, and live where it is installed."""

import inspect
import math
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr.dialects import torch as dialect

GOLDEN = Path(__file__).parents[1] / "golden"
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


# Each of their 20 draws is a program of its own.
COMPOSED = ("SequentialLR", "SequentialLR table", "ChainedScheduler", "ChainedScheduler table")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.ci if name in COMPOSED else ()) for name in CASES]
)
def test_every_class_gives_what_pytorch_recorded(name):
    assert largest_difference(name) <= BOUND


@pytest.mark.ci
@pytest.mark.parametrize("name", CYCLED)
def test_the_momentum_is_what_pytorch_recorded(name):
    assert largest_difference(name, "_momentum", CYCLED[name]) <= BOUND


def stand_in(name, groups, **attributes):
    """What `from_scheduler` reads of a live object."""
    kind = type(name, (), {"__module__": "torch.optim.lr_scheduler"})
    scheduler = kind()
    vars(scheduler).update(optimizer=SimpleNamespace(param_groups=groups), **attributes)
    return scheduler


GROUPS = [{"lr": 0.1, "initial_lr": 0.1}]
STEP = stand_in("StepLR", GROUPS, base_lrs=[0.1], step_size=30, gamma=0.5)
COSINE = stand_in("CosineAnnealingLR", GROUPS, base_lrs=[0.1], T_max=50, eta_min=0.01)
LAMBDA = stand_in("LambdaLR", GROUPS, base_lrs=[0.1], lr_lambdas=[lambda n: 1.0 if n < 5 else 0.5])
GROWING = stand_in("MultiplicativeLR", GROUPS, base_lrs=[0.1], lr_lambdas=[lambda n: 0.5])
PEAKS = {"initial_lr": 0.04, "max_lr": 1.0, "min_lr": 4e-6, "base_momentum": 0.85, "max_momentum": 0.95}
CYCLE = {"total_steps": 100, "_anneal_func_type": "cos", "cycle_momentum": True, "base_lrs": [0.04]}
ONE_CYCLE = stand_in(
    "OneCycleLR", [{"lr": 0.1, **PEAKS}], _schedule_phases=[{"end_step": 29.0}, {"end_step": 99}], **CYCLE
)
TRIANGLE = stand_in(
    "CyclicLR",
    [GROUPS[0]],
    base_lrs=[0.1],
    max_lrs=[0.5],
    total_size=30.0,
    step_ratio=1 / 3,
    mode="exp_range",
    gamma=0.9,
    _scale_fn_custom=None,
    scale_mode="iterations",
    cycle_momentum=True,
    base_momentums=[0.8],
    max_momentums=[0.9],
)


def composed(name, *children, **attributes):
    return stand_in(name, children[0].optimizer.param_groups, _schedulers=list(children), **attributes)


@pytest.mark.parametrize(
    ("scheduler", "text"),
    [
        (STEP, "step_decay(init_value=0.1, decay_rate=0.5, step_size=30)"),
        (COSINE, "cosine(init_value=0.1, decay_steps=50, end_value=0.01, after='rise')"),
        (ONE_CYCLE, "one_cycle(max_lr=1.0, total_steps=100)"),
        (TRIANGLE, "exp_range(base_lr=0.1, max_lr=0.5, step_size=10, gamma=0.9, step_size_down=20)"),
        (
            stand_in("MultiStepLR", GROUPS, base_lrs=[0.1], milestones=Counter([9, 4, 9]), gamma=0.5),
            "multi_step(init_value=0.1, milestones=[4, 9, 9], decay_rate=0.5)",
        ),
        (
            composed("SequentialLR", STEP, COSINE, _milestones=[40]),
            "join(schedules=[step_decay(init_value=0.1, decay_rate=0.5, step_size=30), cosine(init_value=0.1, "
            "decay_steps=50, end_value=0.01, after='rise')], boundaries=[40])",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_live_scheduler_becomes_the_schedule_that_it_is(scheduler, text):
    assert repr(dialect.from_scheduler(scheduler)) == text


def test_the_momentum_of_a_live_scheduler():
    assert repr(dialect.momentum_from_scheduler(ONE_CYCLE)) == "one_cycle_momentum(total_steps=100)"
    momentum = dialect.momentum_from_scheduler(TRIANGLE)
    np.testing.assert_allclose(momentum(np.array([0, 10, 30])), [0.9, 0.9 - 0.1 * 0.9**10, 0.9], rtol=1e-7)
    assert dialect.momentum_from_scheduler(STEP) is None


def test_groups_that_differ_come_back_as_a_list():
    groups = [{"lr": 0.1}, {"lr": 0.5}, {"lr": 0.1}]
    rates = dialect.from_scheduler(stand_in("ExponentialLR", groups, base_lrs=[0.1, 0.5, 0.1], gamma=0.5))
    assert [float(rate(1)) for rate in rates] == pytest.approx([0.05, 0.25, 0.05])
    same = dialect.from_scheduler(stand_in("ExponentialLR", groups, base_lrs=[0.1, 0.1, 0.1], gamma=0.5))
    assert isinstance(same, jaxlr.Schedule)


REFUSED = {
    "chained cosine with eta_min": (composed("ChainedScheduler", STEP, COSINE), "CosineAnnealingLR with an eta_min"),
    "chained one cycle": (composed("ChainedScheduler", ONE_CYCLE, STEP), "OneCycleLR inside ChainedScheduler"),
    "chained sequence": (
        composed("ChainedScheduler", composed("SequentialLR", STEP, STEP, _milestones=[9]), STEP),
        "SequentialLR inside ChainedScheduler",
    ),
    "one cycle in a sequence": (
        composed("SequentialLR", ONE_CYCLE, STEP, _milestones=[9]),
        "OneCycleLR inside SequentialLR",
    ),
    "growing": (GROWING, "total_steps must be given for MultiplicativeLR"),
    "growing in a sequence": (
        composed("SequentialLR", STEP, GROWING, _milestones=[9]),
        "MultiplicativeLR inside SequentialLR",
    ),
    "a function with an if": (LAMBDA, "lr_lambda must be a function that JAX can trace.*total_steps"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_formula_is_refused_by_name_and_recorded_with_total_steps(name):
    scheduler, message = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=message):
        dialect.from_scheduler(scheduler)
    assert isinstance(dialect.from_scheduler(scheduler, total_steps=20), jaxlr.Schedule)


def test_a_multiplicative_child_goes_on_from_the_rate_before_it():
    rate = dialect.from_scheduler(REFUSED["growing in a sequence"][0], total_steps=20)
    np.testing.assert_allclose(rate(np.arange(8, 12)), [0.1, 0.05, 0.025, 0.0125], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: dialect.from_scheduler(stand_in("WarmLR", GROUPS)), TypeError, "one of .*StepLR.*got .*WarmLR"),
        (lambda: dialect.from_scheduler(object()), TypeError, "got builtins.object"),
        (lambda: dialect.StepLR(0.1, 30, decay=0.5), TypeError, "unexpected keyword argument 'decay'"),
        (lambda: dialect.StepLR("fast", 30), TypeError, "lr must be a number, got 'fast'"),
        (
            lambda: dialect.StepLR(0.1, 1.5),
            TypeError,
            r"step_size must be an integer number of updates, got 1.5; make it one with int",
        ),
        (lambda: dialect.StepLR(0.1, 30, gamma=-0.1), ValueError, "gamma must be at least 0, got -0.1"),
        (lambda: dialect.ConstantLR(0.1, factor=1.5), ValueError, "factor must be at most 1, got 1.5"),
        (lambda: dialect.LinearLR(0.1, start_factor=0.0), ValueError, "start_factor must be above 0"),
        (lambda: dialect.CosineAnnealingLR(0.1, 0), ValueError, "T_max must be at least 1, got 0"),
        (lambda: dialect.CosineAnnealingWarmRestarts(0.1, 10, T_mult=0), ValueError, "T_mult must be at least 1"),
        (lambda: dialect.CyclicLR(0.1, 0.1, 0.5, mode="square"), ValueError, "mode must be one of 'triangular'"),
        (
            lambda: dialect.CyclicLR(0.1, 0.1, 0.5, scale_fn=lambda x: math.exp(-x)),
            TypeError,
            "scale_fn must be a function",
        ),
        (lambda: dialect.OneCycleLR(0.1, 1.0, epochs=3), ValueError, "total_steps must be given, or epochs and"),
        (lambda: dialect.OneCycleLR(0.1, 1.0, 9, anneal_strategy="sin"), ValueError, "anneal_strategy must be one of"),
        (
            lambda: dialect.one_cycle_momentum(0.1, 1.0, 9, cycle_momentum=False),
            ValueError,
            "cycle_momentum must be True",
        ),
        (lambda: dialect.LambdaLR(0.1, 0.5), TypeError, "lr_lambda must be a function, got 0.5"),
        (lambda: dialect.LambdaLR(0.1, [abs]), TypeError, "one schedule for each parameter group"),
        (lambda: dialect.LambdaLR(0.1, lambda n: jnp.ones(3)), TypeError, "one number for a count"),
        (lambda: dialect.StepLR(0.1, 30, last_epoch=-2), ValueError, "last_epoch must be at least -1"),
        (lambda: dialect.SequentialLR([], []), ValueError, "at least for SequentialLR"),
        (lambda: dialect.ChainedScheduler([0.1]), TypeError, r"schedules\[0\] must be a schedule, got 0.1"),
        (
            lambda: dialect.ChainedScheduler([dialect.ReduceLROnPlateau(0.1)]),
            TypeError,
            "must not be ReduceLROnPlateau",
        ),
        (lambda: dialect.ChainedScheduler([jaxlr.constant(0.1)]), TypeError, "one of PyTorch's schedules"),
        (
            lambda: dialect.from_scheduler(
                composed("SequentialLR", STEP, composed("ChainedScheduler", STEP, STEP), _milestones=[9])
            ),
            TypeError,
            r"schedules\[1\] must be none that is composed itself, got ChainedScheduler",
        ),
        (
            lambda: dialect.ChainedScheduler([dialect.ExponentialLR(0.1, 0.9), dialect.ExponentialLR(0.2, 0.9)]),
            ValueError,
            "must all have the optimizer's rate, got 0.1 .* 0.2",
        ),
        (
            lambda: dialect.SequentialLR([dialect.StepLR(0.1, 9), dialect.StepLR(0.1, 9)], [3, 5]),
            ValueError,
            "milestones must be one fewer than schedules, got 2 milestones for 2 schedules",
        ),
        (lambda: dialect.scheduler_count({"best": 0.1, "last_epoch": 9}), ValueError, "scheduler of PyTorch 2"),
        (lambda: dialect.scheduler_count({"epoch": 3}), ValueError, r"got the keys \['epoch'\]"),
        (
            lambda: dialect.scheduler_state_dict(jaxlr.join([jaxlr.constant(1.0)], []), 3),
            ValueError,
            "like must be given",
        ),
    ],
)
def test_errors_name_the_argument_and_the_rule(call, error, message):
    with pytest.raises(error, match=message):
        call()


CLASSES = (
    "StepLR",
    "ExponentialLR",
    "CosineAnnealingLR",
    "OneCycleLR",
    "CyclicLR",
    "SequentialLR",
    "ReduceLROnPlateau",
)


@pytest.mark.parametrize("name", CLASSES)
def test_verbose_is_accepted(name):
    assert inspect.signature(getattr(dialect, name)).parameters["verbose"].default is None


@pytest.mark.ci
def test_last_epoch_goes_on_after_it():
    whole, rest = dialect.OneCycleLR(0.1, 1.0, 50), dialect.OneCycleLR(0.1, 1.0, 50, last_epoch=19, verbose=True)
    np.testing.assert_array_equal(rest(np.arange(30)), whole(np.arange(20, 50)))


def test_the_rate_holds_past_the_end_of_one_cycle():
    rate = dialect.OneCycleLR(0.1, 1.0, 10, anneal_strategy="linear")
    assert float(rate(9)) == float(rate(10)) == float(rate(10**9)) > 0


def test_numbers_may_be_traced():
    counts = np.arange(40)

    @jax.jit
    def rates(lr, gamma, length):
        first, second = dialect.LinearLR(lr, total_iters=length), dialect.ExponentialLR(lr, gamma)
        return dialect.ChainedScheduler([first, second])(counts)

    expected = 0.1 * (1 / 3 + 2 / 3 * np.minimum(counts, 7) / 7) * 0.9**counts
    np.testing.assert_allclose(rates(0.1, 0.9, 7), expected, rtol=3e-6)


def test_an_object_that_can_be_called_is_a_function():
    class Halves:
        def __call__(self, count):
            return 0.5**count

    rate = dialect.LambdaLR(1.0, Halves())
    assert float(rate(2)) == 0.25
    assert repr(rate) == "(custom(fn=Halves) * 1.0)"


def test_the_plateau_rule_is_the_core_s():
    rule = dialect.ReduceLROnPlateau(0.1, "max", 0.5, 3, 0.01, "abs", 2, 0.001, 0.0)
    core = jaxlr.reduce_on_plateau(
        0.1, mode="max", factor=0.5, patience=3, threshold=0.01, threshold_mode="abs", cooldown=2, min_lr=0.001, eps=0.0
    )
    assert [float(x) for x in rule.numbers] == [float(x) for x in core.numbers]


def test_a_state_dict_goes_out_with_what_its_class_needs():
    restarts = dialect.scheduler_state_dict(dialect.CosineAnnealingWarmRestarts(0.1, 10, 2), 35)
    assert (restarts["T_cur"], restarts["T_i"], restarts["last_epoch"]) == (5, 40, 35)
    assert dialect.scheduler_state_dict(dialect.LambdaLR(0.1, lambda n: 1 / (n + 1)), 3)["lr_lambdas"] == [None]
    assert "_scale_fn_custom" in dialect.scheduler_state_dict(dialect.CyclicLR(0.1, 0.1, 0.5, 10), 3)


def test_a_state_dict_comes_in_as_a_count():
    plain = {"last_epoch": 50, "_step_count": 51}
    assert dialect.scheduler_count(plain) == 50
    assert dialect.scheduler_count({"_schedulers": [plain, plain], "_last_lr": [0.1]}) == 50


# The same against PyTorch itself, where it is installed.


@pytest.mark.parametrize(
    "draws", [slice(0, None, 4), pytest.param(slice(None), marks=pytest.mark.long)], ids=["5", "20"]
)
@pytest.mark.parametrize("name", [*CASES, "ReduceLROnPlateau"])
def test_live_objects_give_what_they_do(name, draws):
    torch = pytest.importorskip("torch")
    if name == "ReduceLROnPlateau":
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        rule = dialect.from_scheduler(torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=4, min_lr=0.01))
        assert rule.numbers == dialect.ReduceLROnPlateau(0.1, patience=4, min_lr=0.01).numbers
        return
    few = draws.step and "children" in CASES[name][0]  # a composition of each draw is a program of its own
    for case in CASES[name][draws][: 2 if few else None]:
        rates, _, _ = record.recorded(case, torch)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=case["lr"], momentum=0.9)
        scheduler = record.build(case, optimizer, torch.optim.lr_scheduler)
        for _ in range(3):  # a run that has begun has the same schedule
            optimizer.step()
            scheduler.step()
        schedule = dialect.from_scheduler(scheduler, total_steps=record.STEPS)
        found = np.asarray(schedule(EVERY_COUNT), np.float64)[: len(rates)]
        assert np.abs(found - rates).max() <= BOUND * np.abs(rates).max(), case
        assert dialect.scheduler_count(scheduler.state_dict()) == 3


@pytest.mark.parametrize("name", CASES)
def test_pytorch_goes_on_from_the_state_dict(name):
    torch = pytest.importorskip("torch")
    for case in CASES[name][1::7]:
        rates, _, _ = record.recorded(case, torch)
        at = min(47, len(rates) - 10)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=case["lr"], momentum=0.9)
        scheduler = record.build(case, optimizer, torch.optim.lr_scheduler)
        schedule = dialect.from_scheduler(scheduler, total_steps=record.STEPS)
        composed_or_recorded = "children" in case or "lr_lambda" in case["arguments"]
        like = scheduler.state_dict() if composed_or_recorded else None
        scheduler.load_state_dict(dialect.scheduler_state_dict(schedule, at, like))
        optimizer.param_groups[0]["lr"] = scheduler.get_last_lr()[0]
        found = []
        for _ in range(at, len(rates)):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if len(found) < len(rates) - at:
                scheduler.step()
        assert np.abs(np.array(found) - rates[at:]).max() <= BOUND * np.abs(rates).max(), case


def test_chained_inside_chained_is_as_pytorch_steps_it():
    torch = pytest.importorskip("torch")
    classes = torch.optim.lr_scheduler
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.05)
    inner = [classes.ConstantLR(optimizer, 0.1, 3), classes.ExponentialLR(optimizer, 0.9)]
    chained = classes.ChainedScheduler(
        [classes.ChainedScheduler(inner, optimizer), classes.StepLR(optimizer, 4)], optimizer
    )
    live = dialect.from_scheduler(chained)
    ours = dialect.ChainedScheduler([
        dialect.ChainedScheduler([dialect.ConstantLR(0.05, 0.1, 3), dialect.ExponentialLR(0.05, 0.9)]),
        dialect.StepLR(0.05, 4),
    ])  # fmt: skip
    for n in range(10):
        assert float(live(n)) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6), n
        assert float(ours(n)) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6), n
        optimizer.step()
        chained.step()


def test_a_composition_behind_the_first_of_a_sequence_names_join():
    one, two = dialect.StepLR(0.1, 4), dialect.ExponentialLR(0.1, 0.9)
    for inner in (dialect.ChainedScheduler([one, two]), dialect.SequentialLR([one, two], [3])):
        with pytest.raises(TypeError, match=r"jaxlr\.join"):
            dialect.SequentialLR([two, inner], [5])
    for inner in (dialect.MultiplicativeLR(0.1, lambda n: 0.9, total_steps=9), dialect.CosineAnnealingLR(0.1, 9)):
        with pytest.raises(ValueError, match=r"steps it\s+once more at count 0; say what is meant with jaxlr\.join"):
            dialect.SequentialLR([dialect.ChainedScheduler([two, inner]), two], [5])
    with pytest.raises(ValueError, match=r"composed itself beside OneCycleLR, got ChainedScheduler"):
        dialect.SequentialLR(
            [dialect.ChainedScheduler([one, two]), dialect.OneCycleLR(0.1, 1.0, 9)], [5], total_steps=9
        )


# On an optimizer with the rate 0.5: the schedulers, and PyTorch's rates; those of the first are from its own tests.
SEQUENCES = {
    "PyTorch's test": (
        lambda m: ([m.ChainedScheduler([m.LinearLR(0.001, 0.01, 5), m.ConstantLR(1, 5)]), m.ConstantLR(0.05, 99)], [5]),
        [0.0005, 0.0014, 0.0023, 0.0032, 0.0041, *[0.025] * 5],
    ),
    "a growing factor": (
        lambda m: ([m.ChainedScheduler([m.LinearLR(0.1, 1.0, 4), m.ExponentialLR(0.9)]), m.ConstantLR(0.5, 99)], [5]),
        [0.045, 0.131625, 0.200475, 0.25423875, 0.295245, *[0.25] * 5],
    ),
    "a power": (
        lambda m: ([m.ChainedScheduler([m.PolynomialLR(8, 2.0), m.StepLR(2, 0.5)]), m.ExponentialLR(0.9)], [5]),
        None,
    ),
    "a sequence": (
        lambda m: ([m.SequentialLR([m.LinearLR(0.1, 1.0, 3), m.ExponentialLR(0.9)], [3]), m.ConstantLR(0.5, 99)], [6]),
        [0.05, 0.2, 0.5, 0.45, 0.405, 0.3645, *[0.25] * 4],
    ),
}


class Scheduling:
    """One spelling for PyTorch's schedulers on an optimizer and for those of the dialect, which take its rate."""

    def __init__(self, module, first):
        self.module, self.first = module, first

    def __getattr__(self, name):
        make = getattr(self.module, name)
        if name == "SequentialLR":
            return lambda parts, borders: make(*self.first, parts, borders) if self.live else make(parts, borders)
        if name == "ChainedScheduler":
            return lambda parts: make(parts, self.first[0]) if self.live else make(parts)
        return lambda *arguments: make(self.first[0], *arguments)

    @property
    def live(self):
        return self.module is not dialect


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(("make", "expected"), SEQUENCES.values(), ids=SEQUENCES)
def test_what_is_composed_and_comes_first_in_a_sequence_is_stepped_once_more(make, expected):
    ours = dialect.SequentialLR(*make(Scheduling(dialect, [0.5])))
    if expected:
        np.testing.assert_allclose([float(ours(n)) for n in range(10)], expected, rtol=3e-7)
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = torch.optim.lr_scheduler.SequentialLR(
        optimizer, *make(Scheduling(torch.optim.lr_scheduler, [optimizer]))
    )
    optimizer.step()
    live = dialect.from_scheduler(scheduler)
    for n in range(12):
        rate = optimizer.param_groups[0]["lr"]
        assert float(live(n)) == pytest.approx(rate, rel=3e-7), n
        assert float(ours(n)) == pytest.approx(rate, rel=3e-7), n
        scheduler.step()


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_a_one_cycle_of_an_older_torch_holds_a_function(strategy):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=12, anneal_strategy=strategy)
    expected = repr(dialect.from_scheduler(scheduler))
    state = scheduler.state_dict()
    del state["_anneal_func_type"], scheduler.__dict__["_anneal_func_type"]
    scheduler.load_state_dict(state | {"anneal_func": getattr(scheduler, f"_annealing_{strategy}")})
    assert repr(dialect.from_scheduler(scheduler)) == expected
