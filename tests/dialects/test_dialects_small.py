"""The dialects that are one table each, against what their recorders recorded of the real packages."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sampling
from recorded import BOTH, rule_rates

import jaxlr
from jaxlr import dialects

VERSIONS = {
    "diffusers": "0.42.1",
    "mmengine": "0.10.7",
    "fastai": "2.8.12",
    "tf_keras": "2.21.0",
    "fairseq": "0.12.2",
    "caffe": "1.0, its published formulas",
    "mlx": "0.32.4",
    "paddle": "3.3.1",
}
RECORDS = {framework: importlib.import_module(f"record_{framework}") for framework in VERSIONS}
BOUND = 1e-6  # of the peak


def called(framework, name, arguments):
    """The dialect's schedule for recorded arguments."""
    room = getattr(dialects, framework)
    if framework == "diffusers" and not name.startswith("get_"):
        return room.get_scheduler(name, **arguments)
    if framework == "caffe":
        return room.learning_rate(name, **arguments)
    if framework == "paddle":
        recorded = {"total_steps": sampling.STEPS} if "lr_lambda" in arguments else {}
        return RECORDS[framework].scheduler(room, name, arguments | recorded)
    if name == "join_schedules":
        parts = [getattr(room, part)(**given) for part, given in arguments["schedules"]]
        arguments = {**arguments, "schedules": parts}
    if name == "combine_scheds":
        parts = [getattr(room, part)(**given) for part, given in arguments["scheds"]]
        arguments = {**arguments, "scheds": parts}
    return getattr(room, name)(**arguments)


def differences(framework, name, draws=slice(None)):
    """The largest difference of each draw, as a share of the peak, with its arguments."""
    record, counts = RECORDS[framework], sampling.kept(name)
    with np.load(record.FILE) as golden:
        assert str(golden["version"]) == VERSIONS[framework]
        recorded = golden[name]
    for draw, arguments in list(enumerate(sampling.draws(record.ARGUMENTS, name)))[draws]:
        yield difference(framework, name, arguments, recorded[draw], counts[draw]), arguments


def difference(framework, name, arguments, theirs, counts):
    """The largest difference from the package's rates at some counts, as a share of their peak."""
    doubted = getattr(RECORDS[framework], "doubted", lambda name, arguments: np.zeros(sampling.STEPS, bool))
    made, count = called(framework, name, arguments), np.arange(sampling.STEPS)
    shown = RECORDS[framework].metrics(arguments) if "metrics" in arguments else None
    rates = np.asarray(made(count) if shown is None else rule_rates(made, shown), np.float64)
    found = np.abs(rates[counts] - theirs)[~doubted(name, arguments)[counts]]
    return found.max(initial=0.0) / np.abs(theirs).max()


NAMES = [(framework, name) for framework, record in RECORDS.items() for name in record.ARGUMENTS]
SLOW = {"combine_scheds", "noisy_linear_cosine_decay", "linear_cosine_decay", "CosineRestartLR"}  # to compile
EACH = [pytest.param(*pair, id="-".join(pair), marks=pytest.mark.ci if pair[1] in SLOW else ()) for pair in NAMES]


@BOTH
@pytest.mark.parametrize(("framework", "name"), EACH)
def test_is_what_the_package_recorded(framework, name, draws):
    for found, arguments in differences(framework, name, draws):
        assert found <= BOUND, arguments


def test_every_name_of_a_small_dialect_is_recorded_or_shared():
    shared = {
        "diffusers": {name for name in dialects.diffusers.__all__ if name.startswith("get_")},
        "mmengine": {name for name in dialects.mmengine.__all__ if name.endswith("Momentum")} | {"ReduceOnPlateauLR"},
    }
    shared |= {"fairseq": set(), "caffe": {"learning_rate"}, "mlx": set(), "paddle": set()}
    shared["fastai"] = {"Annealer"}
    shared["tf_keras"] = {name for name in dialects.tf_keras.__all__ if "Decay" in name} | {"piecewise_constant"}
    for framework, record in RECORDS.items():
        missing = set(getattr(dialects, framework).__all__) - set(record.ARGUMENTS) - shared[framework]
        assert not missing, framework


# Borders: the last count, and what comes after


def test_mmengine_ends_at_the_count_before_the_end():
    line = dialects.mmengine.LinearLR(1.0, 0.5, 0.0, begin=10, end=20)
    assert [float(line(n)) for n in (9, 10, 19, 20, 50)] == [1.0, 0.5, 0.0, 0.0, 0.0]
    half = dialects.mmengine.CosineAnnealingLR(1.0, end=10)
    assert float(half(9)) == float(half(10)) == float(half(99)) > 0.0
    stairs = dialects.mmengine.StepLR(1.0, 5, gamma=0.5, end=10)
    assert [float(stairs(n)) for n in (4, 5, 9, 10, 99)] == [1.0, 0.5, 0.5, 0.5, 0.5]


def test_mmengine_divides_by_no_factor_of_zero():
    assert [float(dialects.mmengine.LinearLR(1.0, 0.0, end=3)(n)) for n in range(4)] == [0.0, 0.5, 1.0, 1.0]
    assert [float(dialects.mmengine.ConstantLR(1.0, 0.0, end=3)(n)) for n in range(4)] == [0.0, 0.0, 1.0, 1.0]


def test_mmengines_rule_is_pytorchs():
    optimizer = jaxlr.sgd(dialects.mmengine.ReduceOnPlateauLR(1.0, rule="greater", factor=0.5, patience=0))
    state = optimizer.init(jnp.ones(1))
    for metric in (0.5, 0.6, 0.6):
        state = jaxlr.observe(state, metric)
    _, state = optimizer.update(jnp.ones(1), state)
    assert jaxlr.current_learning_rate(state) == 0.5


def test_diffusers_rules_are_steps_from_the_start():
    rate = dialects.diffusers.get_scheduler("piecewise_constant", 1.0, "0.5:20,1:10,0.125")
    assert [float(rate(n)) for n in (0, 9, 10, 19, 20)] == [1.0, 1.0, 0.5, 0.5, 0.125]


def test_fastais_run_ends_where_it_does_not_get_to():
    line = dialects.fastai.SchedLin(1.0, 0.0, total_steps=4)
    assert [float(line(n)) for n in (0, 3, 4, 5)] == [1.0, 0.25, 0.0, 0.0]
    thirds = dialects.fastai.fit_sgdr(3, 1, 1.0, cycle_mult=1, steps_per_epoch=3)
    assert [float(thirds(n)) for n in (0, 3, 6)] == [1.0, 1.0, 1.0]
    shares = dialects.fastai.combine_scheds([0.7, 0.2, 0.1], [dialects.fastai.SchedNo(x, x) for x in (1.0, 2.0, 3.0)])
    assert [float(shares.over(10)(n)) for n in (6, 7, 8, 9, 10)] == [1.0, 2.0, 2.0, 3.0, 3.0]


@pytest.mark.ci
def test_the_noise_of_a_count_is_the_same_twice_and_as_wide_as_it_should_be():
    def noisy(seed):
        return dialects.tf_keras.noisy_linear_cosine_decay(1.0, 4000, 0.25, 0.0, beta=0.0, seed=seed)

    counts = np.arange(2000)
    calm = np.asarray(dialects.tf_keras.linear_cosine_decay(1.0, 4000, beta=0.0)(counts))
    wave = (1 + np.cos(np.pi * counts / 4000)) / 2
    noise = (np.asarray(noisy(3)(counts)) - calm) / wave
    np.testing.assert_array_equal(noisy(3)(counts[7:9]), noisy(3)(counts)[7:9])
    assert abs(noise.mean()) < 4 * 0.5 / np.sqrt(2000)
    assert 0.48 < noise.std() < 0.52
    assert abs(np.corrcoef(noise, (np.asarray(noisy(4)(counts)) - calm) / wave)[0, 1]) < 0.1


def test_fairseqs_borders():
    rate = dialects.fairseq.tri_stage(1.0, 2, 2, 4, init_lr_scale=0.5, final_lr_scale=0.0625)
    assert [float(rate(n)) for n in (0, 2, 3, 4, 6, 8, 9)] == [0.5, 1.0, 1.0, 1.0, 0.25, 0.0625, 0.0625]


def test_caffes_poly_stays_at_its_end():
    rate = dialects.caffe.learning_rate("poly", 1.0, power=0.5, max_iter=4)
    assert [float(rate(n)) for n in (0, 3, 4, 5)] == [1.0, 0.5, 0.0, 0.0]
    late = dialects.caffe.learning_rate("sigmoid", 1.0, gamma=-5.0, stepsize=100_000)
    assert [float(late(n)) for n in (0, 100_000, 200_000)] == [1.0, 0.5, 0.0]


def test_paddles_cycle_ends_at_0_in_one_and_two_falls():
    cycle = dialects.paddle.OneCycleLR(1.0, 10, 4.0, 0.0, 0.4, anneal_strategy="linear", three_phase=True)
    assert [float(cycle(n)) for n in (0, 3, 6, 9, 10)] == [0.25, 1.0, 0.25, 0.0, 0.0]
    traced = jax.jit(lambda last: dialects.paddle.OneCycleLR(1.0, 10, end_learning_rate=last)(np.arange(12)))
    np.testing.assert_allclose(traced(0.01), dialects.paddle.OneCycleLR(1.0, 10, 25.0, 0.01)(np.arange(12)), rtol=1e-5)


RESUMED = {
    "LinearLR": lambda last: dialects.paddle.LinearLR(0.1, 10, last_epoch=last),
    "CosineAnnealingDecay": lambda last: dialects.paddle.CosineAnnealingDecay(0.1, 10, last_epoch=last),
    "CosineAnnealingWarmRestarts": lambda last: dialects.paddle.CosineAnnealingWarmRestarts(0.1, 4, 2, last_epoch=last),
    "LinearWarmup": lambda last: dialects.paddle.LinearWarmup(RESUMED["LinearLR"](-1), 3, 0.0, 0.1, last_epoch=last),
    "NoamDecay": lambda last: dialects.paddle.NoamDecay(64, 20, last_epoch=last),
    "CyclicLR": lambda last: dialects.paddle.CyclicLR(0.1, 0.3, 5, last_epoch=last),
}


@pytest.mark.parametrize("name", RESUMED)
def test_paddles_schedules_go_on_where_they_were(name):
    whole, rest = RESUMED[name](-1)(np.arange(40)), RESUMED[name](13)(np.arange(26))
    np.testing.assert_array_equal(rest, whole[14:])


def test_paddles_rule_does_not_look_while_it_cools_down():
    rule = dialects.paddle.ReduceOnPlateau(1.0, factor=0.5, patience=0, cooldown=2)
    rates = rule_rates(rule, jnp.array([3.0, 3.0, 1.0, 1.0, 2.0, 2.0, 2.0]))  # PyTorch: 0.25 from the sixth on
    np.testing.assert_array_equal(rates, [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25])


def test_paddles_line_ends_where_it_was_told_to_however_it_is_resumed():
    assert float(RESUMED["LinearLR"](4)(5)) == pytest.approx(0.1)  # Paddle: 0.167


def test_paddles_restarts_are_all_there_within_a_warm_up():
    restarts = dialects.paddle.CosineAnnealingWarmRestarts(1.0, 1, 3)
    rate = dialects.paddle.LinearWarmup(restarts, 2, 0.0, 1.0)
    assert [float(rate(2 + n)) for n in (0, 1, 4, 13, 40, 121)] == [1.0] * 6  # Paddle: 0 at the last


mm, df, fa, fs, ca = dialects.mmengine, dialects.diffusers, dialects.fastai, dialects.fairseq, dialects.caffe
pd = dialects.paddle
REFUSED = {
    "no rule": (lambda: df.get_piecewise_constant_schedule(1.0, "1:10,x"), ValueError, "step_rules must be rules such"),
    "no colon": (lambda: df.get_piecewise_constant_schedule(1.0, "1,0.1"), ValueError, "factor:step .* got '1'"),
    "a step twice": (lambda: df.get_piecewise_constant_schedule(1.0, "1:9,2:9,1"), ValueError, "each once, got"),
    "rules of a list": (lambda: df.get_piecewise_constant_schedule(1.0, [1]), TypeError, "step_rules must be text"),
    "an unknown name": (lambda: df.get_scheduler("cos", 1.0), ValueError, "name must be one of 'linear'.*got 'cos'"),
    "ignored cycles": (
        lambda: df.get_scheduler("cosine", 1.0, None, 0, 9, num_cycles=3),
        ValueError,
        "num_cycles must be left out for 'cosine', which ignores it, got 3",
    ),
    "no length": (lambda: df.get_scheduler("linear", 1.0, None, 0), ValueError, "num_training_steps must be given"),
    "no rules": (lambda: df.get_scheduler("piecewise_constant", 1.0), ValueError, "step_rules must be given"),
    "no end": (lambda: mm.LinearLR(1.0), ValueError, "end must be given for LinearLR, got none"),
    "no T_max": (
        lambda: mm.CosineAnnealingLR(1.0),
        ValueError,
        "end must be given for CosineAnnealingLR without T_max",
    ),
    "an early end": (lambda: mm.StepLR(1.0, 3, begin=9, end=9), ValueError, r"end must be at least begin \+ 1"),
    "two lows": (
        lambda: mm.CosineAnnealingLR(1.0, 9, eta_min=0.1, eta_min_ratio=0.1),
        ValueError,
        "eta_min or eta_min_ratio must be given, and not both",
    ),
    "weights": (lambda: mm.CosineRestartLR(1.0, [3, 3], eta_min=0.0), ValueError, "restart_weights must be as many"),
    "a rule with counts": (lambda: mm.ReduceOnPlateauLR(1.0, begin=5), ValueError, "begin must be left out"),
    "half a run": (lambda: fa.combine_scheds([0.5], [fa.SchedNo(1, 1)]), ValueError, "pcts must be 1 together"),
    "one annealer": (lambda: fa.combine_scheds([0.5, 0.5], [fa.SchedNo(1, 1)]), ValueError, "scheds must be as many"),
    "a schedule for an annealer": (
        lambda: fa.combine_scheds([1.0], [fa.SchedNo(1, 1, total_steps=9)]),
        TypeError,
        r"scheds\[0\] must be an annealer such as",
    ),
    "two momenta": (lambda: fa.fit_one_cycle_momentum(1, [0.9, 0.8], steps_per_epoch=9), ValueError, "three numbers"),
    "a share": (lambda: fa.combined_cos(1.5, 0.0, 1.0, 0.0), ValueError, "pct must be .*, got 1.5"),
    "an exponential of 0": (lambda: fa.SchedExp(1.0, 0.0), ValueError, "end must be above 0"),
    "no decay": (lambda: fs.tri_stage(1.0, 9), ValueError, "decay_steps must be at least 1, got 0"),
    "two phases": (lambda: fs.tri_stage(1.0, phase_ratio=(0.5, 0.5), max_update=9), ValueError, "three shares"),
    "no run": (lambda: fs.tri_stage(1.0, phase_ratio=(0.1, 0.4, 0.5)), ValueError, "max_update must be given"),
    "a forced end": (
        lambda: fs.polynomial_decay(1.0, 0, 3, total_num_update=9),
        ValueError,
        "force_anneal must be left",
    ),
    "a long warm-up": (
        lambda: fs.polynomial_decay(1.0, 9, total_num_update=9),
        ValueError,
        "total_num_update must be above warmup_updates, 9, got 9",
    ),
    "no warm-up": (lambda: fs.inverse_sqrt(1.0, 0), ValueError, "warmup_updates must be at least 1, got 0"),
    "a policy": (lambda: ca.learning_rate("stepp", 1.0), ValueError, "got 'stepp'; did you mean 'step'"),
    "a missing field": (lambda: ca.learning_rate("inv", 1.0, gamma=0.1), ValueError, "power must be given for"),
    "an idle field": (lambda: ca.learning_rate("fixed", 1.0, gamma=0.1), ValueError, "gamma must be left out for"),
    "no steps": (lambda: dialects.mlx.linear_schedule(0.0, 1.0, 0), ValueError, "steps must be at least 1, got 0"),
    "a rule in a warm-up": (
        lambda: pd.LinearWarmup(pd.ReduceOnPlateau(0.1), 9, 0.0, 0.1),
        TypeError,
        "got a rule, reduce_on_plateau; write the rule around the warm-up, as ReduceOnPlateau",
    ),
    "a function": (lambda: pd.LinearWarmup(lambda n: 0.1, 9, 0.0, 0.1), TypeError, "learning_rate must be a number"),
    "no record": (
        lambda: pd.MultiplicativeDecay(0.1, lambda n: 0.9),
        ValueError,
        "total_steps must be given for MultiplicativeDecay",
    ),
    "no width": (lambda: pd.NoamDecay(0, 9), ValueError, "d_model must be at least 1, got 0"),
    "no rise": (lambda: pd.NoamDecay(64, 0), ValueError, "warmup_steps must be at least 1, got 0"),
    "values": (lambda: pd.PiecewiseDecay([2], [1.0, 0.5, 0.1]), ValueError, "boundaries must be one fewer than values"),
    "order": (lambda: pd.PiecewiseDecay([4, 2], [1.0, 0.5, 0.1]), ValueError, "boundaries must be in rising order"),
    "a pole": (lambda: pd.InverseTimeDecay(1.0, -0.25), ValueError, r"gamma must be at least 0.*, got -0\.25"),
    "a rate": (lambda: pd.StepDecay(-1.0, 3), ValueError, r"learning_rate must be at least 0.*, got -1\.0"),
    "rates": (lambda: pd.CyclicLR(0.5, 0.1, 3), ValueError, "base_learning_rate .*max_learning_rate"),
    "a share of three": (
        lambda: pd.OneCycleLR(1.0, 9, phase_pct=0.6, three_phase=True),
        ValueError,
        "phase_pct must be at most",
    ),
    "epsilon": (lambda: pd.ReduceOnPlateau(0.1, epsilon=-1.0), ValueError, r"epsilon must be .*, got -1\.0"),
    "a factor": (lambda: mm.LinearLR(1.0, 1.5, end=9), ValueError, "start_factor must be .*, got 1.5"),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
