"""A rate, decay or momentum that leaves its range is refused where that is known: by its numbers, or at init."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr import ParameterGroups, adam, adamw, constant, cosine, linear, sgd

PARAMS = {"a": jnp.ones(2), "b": jnp.ones(2)}
FALLS = linear(0.1, -0.1, 50)
RATE = "must be finite and at least 0, got"
SHARE = "must be finite and at least 0 and below 1, got"


def infinite(n):
    return 0.1 / n


# Refused as they are made, without a device: (what makes them, the name, the count, the range, the value).
KNOWN = {
    "a line": (lambda: adam(FALLS), "learning_rate", 50, RATE, -0.1),
    "a later piece": (
        lambda: adam(jaxlr.join([constant(0.1), FALLS], [10])), "learning_rate", 60, RATE, -0.1,
    ),
    "a difference": (lambda: sgd(constant(0.1) - linear(0, 0.3, 100)), "learning_rate", 100, RATE, -0.2),
    "under a rule": (lambda: adam(jaxlr.reduce_on_plateau(FALLS)), "learning_rate", 50, RATE, -0.1),
    "a group": (lambda: ParameterGroups(rates={"b": -cosine(0.1, 100)}), r"rates\['b'\]", 0, RATE, -0.1),
    "held": (lambda: jaxlr.held(FALLS), "schedule", 50, RATE, -0.1),
    "momentum": (lambda: sgd(0.1, momentum=constant(1.5)), "momentum", 0, SHARE, 1.5),
    "a rising momentum": (lambda: jaxlr.scale_by_momentum(linear(0.9, 1.2, 10)), "decay", 10, SHARE, 1.2),
    "b1": (lambda: adam(0.1, b1=jaxlr.one_cycle_momentum(9, max_momentum=1.0)), "b1", 9, SHARE, 1),
    "weight decay": (lambda: adamw(0.1, weight_decay=-cosine(0.1, 10)), "weight_decay", 0, RATE, -0.1),
    "a group's decay": (
        lambda: ParameterGroups(weight_decays={"b": -cosine(0.1, 10)}), r"weight_decays\['b'\]", 0, RATE, -0.1,
    ),
    "a dialect": (lambda: jaxlr.dialects.torch.SGD(FALLS), "lr", 50, RATE, -0.1),
    "another": (lambda: jaxlr.dialects.keras.SGD(0.1, momentum=constant(1.5)), "momentum", 0, SHARE, 1.5),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_a_schedule_that_is_known_to_leave_the_range_is_refused(name):
    make, argument, count, wanted, got = KNOWN[name]
    with pytest.raises(ValueError, match=f"^{argument} at count {count} {wanted} {got:g}$"):
        make()


# Refused at init: an optimizer, the name, what is wrong.
AT_INIT = {
    "a function": (lambda: adam(infinite), "learning_rate at count 0 .* got inf"),
    "custom": (lambda: adam(2 * jaxlr.custom(infinite)), "learning_rate at count 0 .* got (inf|nan)"),
    "a group": (
        lambda: ParameterGroups(rates={"b": infinite}).wrap(sgd(0.1)), "the rate of the group 'b' at count 0 .* inf",
    ),
    "b1": (lambda: adam(0.1, b1=infinite), "b1 at count 0 .* got inf"),
    "weight decay": (lambda: adamw(0.1, weight_decay=lambda n: -0.1), "weight_decay at count 0 .* got -0.1"),
    "a group's decay": (
        lambda: ParameterGroups(weight_decays={"b": infinite}).wrap(adamw(0.1)),
        r"weight_decays\['b'\] at count 0 .* got inf",
    ),
}  # fmt: skip
WAYS = {
    "init": lambda tx: tx.init(PARAMS),
    "jit": lambda tx: jax.jit(tx.init)(PARAMS),
    "eval_shape": lambda tx: jax.eval_shape(tx.init, PARAMS),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", AT_INIT)
def test_a_function_is_named_at_init_under_jit_too(name, way):
    make, wanted = AT_INIT[name]
    with pytest.raises(ValueError, match=wanted):
        WAYS[way](make())


# Between its corners a curve is run, where it may be below 0 there.
RUN = {
    "restarts": (jaxlr.cosine_restarts(0.1, 10, end_value=-0.05), 9, -0.05 + 0.15 * (1 + np.cos(0.9 * np.pi)) / 2),
    "repeat": (FALLS.repeat(40), 39, 0.1 - 0.2 * 39 / 50),
    "a dip": (constant(0.1) - jaxlr.triangular(0.0, 0.3, 10) * cosine(1.0, 100), 10, None),
    "a dip where nothing turns": (cosine(1.0, 100) - linear(1.0, 0.0, 100), 52, (1 + np.cos(0.52 * np.pi)) / 2 - 0.48),
    "the other way": (-cosine(0.1, 1000) + linear(0.1, 0.0, 1000), 16, 0.1 * (0.984 - (1 + np.cos(0.016 * np.pi)) / 2)),
    "of two factors": (linear(1.0, -1.0, 100) * linear(1.0, -1.0, 60), 31, (1 - 0.62) * (1 - 31 / 30)),
    "in a later piece": (
        jaxlr.join([constant(0.1), cosine(1.0, 100) - linear(1.0, 0.0, 100)], [20]),
        72,
        (1 + np.cos(0.52 * np.pi)) / 2 - 0.48,
    ),
    "under a warm-up": (jaxlr.warmup(cosine(1.0, 100) - 1.1 * linear(1.0, 0.0, 100) + 0.1, 10), r"\d+", None),
}


@pytest.mark.parametrize("name", RUN)
def test_what_the_corners_leave_open_is_run_at_init(name):
    schedule, count, value = RUN[name]
    optimizer = sgd(schedule)
    got = "-" if value is None else f"{value:g}"[:6]
    with pytest.raises(ValueError, match=f"learning_rate at count {count} {RATE} {got}"):
        optimizer.init(PARAMS)


def test_a_share_that_rises_to_1_between_two_turns_is_refused():
    optimizer = adam(0.1, b1=cosine(0.9, 100) + linear(0.0, 0.95, 100))
    with pytest.raises(ValueError, match=r"b1 at count 19 must be .* and below 1, got"):
        optimizer.init(PARAMS)


# Not negative, however near: rounding, bounds, numbers that are traced.
TAKEN = {
    "to zero": lambda: sgd(constant(0.3) - linear(0.0, 0.1, 10) * 3.0),
    "clipped": lambda: sgd((cosine(0.1, 100) - 0.05).clip(min=0.0)),
    "a negative part": lambda: sgd(constant(0.1) + -0.5 * cosine(0.1, 100)),
    "two minus signs": lambda: sgd(-1.0 * -cosine(0.1, 100)),
    "a negative decay behind the rate": lambda: jaxlr.add_weight_decay(-cosine(0.1, 10)),
    "momentum": lambda: sgd(0.1, momentum=jaxlr.one_cycle_momentum(100)),
    "a difference of cosines": lambda: sgd(cosine(0.1, 100) - cosine(0.05, 100)),
    "one that ends first": lambda: sgd(cosine(0.1, 100) - 0.5 * cosine(0.1, 90)),
    "zero throughout": lambda: sgd(cosine(0.1, 100) - cosine(0.1, 100)),
    "zero but for rounding": lambda: sgd(linear(0.1, 0.0, 1000) - 0.1 * linear(1.0, 0.0, 1000)),
    "a square": lambda: sgd(linear(1.0, -1.0, 100) * linear(1.0, -1.0, 100)),
    "two negative factors": lambda: sgd((cosine(0.1, 100) - 0.2) * (linear(0.1, 0.0, 100) - 0.2)),
    "a sum of minus and plus": lambda: sgd(-linear(0.1, 0.0, 100) + linear(0.2, 0.0, 100)),
    "above a line": lambda: sgd(cosine(1.0, 100) - linear(0.5, -0.5, 50)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TAKEN)
def test_what_is_not_negative_is_taken(name, way):
    WAYS[way](TAKEN[name]())


def test_what_is_traced_is_unknown():
    def rate(value):
        state = adam(lambda n: value / (1 + n), b1=lambda n: value).init(PARAMS)
        other = sgd(jaxlr.linear(value, -0.1, 10) * jaxlr.custom(lambda n, a: a, a=value)).init(PARAMS)
        return jaxlr.current_learning_rate(state), jaxlr.current_learning_rate(other)

    assert [float(each) for each in jax.jit(rate)(-0.5)] == [-0.5, 0.25]
    assert [each.tolist() for each in jax.vmap(rate)(jnp.array([-0.5, 0.5]))] == [[-0.5, 0.5], [0.25, 0.25]]


def test_a_held_schedule_is_not_set_to_one_that_falls_below_0():
    state = adam(jaxlr.held(linear(0.1, 0.0, 50))).init(PARAMS)
    for schedule in (FALLS, jaxlr.current_schedule(state).replace(end_value=-0.1)):
        with pytest.raises(ValueError, match=r"schedule at count 50 must be finite and at least 0, got -0\.1"):
            jaxlr.set_schedule(state, schedule)


def test_held_goes_under_a_rule_and_nowhere_else():
    optimizer = adam(jaxlr.reduce_on_plateau(jaxlr.held(linear(0.5, 0.0, 4)), factor=0.5, patience=0))
    state = jaxlr.observe(jaxlr.observe(optimizer.init(PARAMS), 3.0), 3.0)
    rates = []
    for schedule in (None, linear(0.25, 0.0, 4)):
        state = state if schedule is None else jaxlr.set_schedule(state, schedule)
        _, state = optimizer.update(PARAMS, state, PARAMS)
        rates.append(float(jaxlr.current_learning_rate(state)))
    assert rates == [0.5 * 0.5, 0.5 * 0.25 * 0.75]
    numbers = {
        "rates['b']": lambda held: ParameterGroups(rates={"b": held}),
        "momentum": lambda held: sgd(0.1, momentum=held),
        "weight_decay": lambda held: adamw(0.1, weight_decay=held),
    }
    for name, make in numbers.items():
        with pytest.raises(TypeError) as caught:
            make(jaxlr.held(constant(0.1)))
        assert str(caught.value).startswith(f"{name} must be a number or a schedule, got held(...): the state holds")


def test_looking_at_a_schedule_runs_and_compiles_nothing():
    schedule = jaxlr.warmup(jaxlr.power(0.125, -0.75, timescale=7), 3) * 0.3125
    with jax.checking_leaks(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(jaxlr.Schedule, "__call__", lambda *_: pytest.fail("was run"))
        adamw(schedule, weight_decay=schedule)
