# ruff: noqa: E501, one case a line
"""Wrong arguments raise at once and name the argument, its value and the rule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.schedules import Schedule

ROOT = jaxlr.cosine(0.1, 10)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: jaxlr.cosine(0.1, 0), ValueError, "decay_steps must be at least 1, got 0"),
        (lambda: jaxlr.cosine(0.1, -3), ValueError, "decay_steps must be at least 1, got -3"),
        (lambda: jaxlr.cosine(0.1, 2**31), ValueError, "decay_steps must be at most 2147483647, got 2147483648"),
        (lambda: jaxlr.cosine(0.1, 2.5), TypeError, "got 2.5; make it one with int(...), or give a fraction to per_epoch or at_speed"),
        (lambda: jaxlr.cosine(0.1, np.float32(2.5)), TypeError, "decay_steps must be an integer number of updates"),
        (lambda: jaxlr.cosine(0.1, 1e20), ValueError, "decay_steps must be at most 2147483647"),
        (lambda: jaxlr.cosine(0.1, 10**5000), ValueError, "got an integer of about 5001 digits"),
        (lambda: jaxlr.constant(10**5000), ValueError, "value must be within the reach of float32"),
        (lambda: jaxlr.cosine(0.1, float("nan")), TypeError, "decay_steps must be an integer number of updates, got nan"),
        (lambda: jaxlr.cosine(0.1, float("inf")), TypeError, "decay_steps must be an integer number of updates, got inf"),
        (lambda: jaxlr.cosine(0.1, jnp.float32(8)), TypeError, "make it one with int(...)"),
        (lambda: jaxlr.per_epoch(ROOT, 0.5), ValueError, "steps_per_epoch must be at least 1, got 0.5"),
        (lambda: jaxlr.per_epoch(ROOT, float("inf")), ValueError, "steps_per_epoch must be finite, got inf"),
        (lambda: jaxlr.cosine(0.1, True), TypeError, "decay_steps must be an integer number of updates, got True"),
        (lambda: jaxlr.cosine(0.1, "8"), TypeError, "decay_steps must be an integer number of updates, got '8'"),
        (lambda: jaxlr.cosine(0.1, jnp.ones(3, int)), TypeError, "decay_steps must be one integer"),
        (lambda: jaxlr.cosine(float("nan"), 8), ValueError, "init_value must be finite, got nan"),
        (lambda: jaxlr.cosine(1e39, 8), ValueError, "init_value must be within the reach of float32, got 1e+39"),
        (lambda: jaxlr.cosine([0.1, 0.2], 8), TypeError, "jax.vmap"),
        (lambda: jaxlr.cosine("0.1", 8), TypeError, "init_value must be a number, got '0.1'"),
        (lambda: jaxlr.cosine(None, 8), TypeError, "init_value must be a number, got None"),
        (lambda: jaxlr.cosine(0.1, 8, after="stop"), ValueError, "after must be one of 'hold', 'rise', got 'stop'"),
        (lambda: jaxlr.exponential(0.1, float("inf")), ValueError, "decay_rate must be finite, got inf"),
        (lambda: jaxlr.exponential(0.1, -0.5), ValueError, "decay_rate must be at least 0, got -0.5"),
        (lambda: jaxlr.exponential(0.1, 0.5, staircase=1), TypeError, "staircase must be True or False, got 1"),
        (lambda: jaxlr.multi_step(0.1, [4, 2], 0.5), ValueError, "milestones must be in rising order, got [4, 2]"),
        (lambda: jaxlr.multi_step(0.1, [2.5], 0.5), TypeError, "milestones[0] must be an integer"),
        (lambda: jaxlr.multi_step(0.1, 5, 0.5), TypeError, "milestones must be a list, got 5"),
        (lambda: jaxlr.multi_step(0.1, ROOT.arguments["decay_steps"], 0.5), TypeError, "milestones must be a list, got the length 10 of a schedule"),
        (lambda: jaxlr.schedules.table(ROOT.arguments["init_value"]), TypeError, "values must be a list, got the number 0.1 of a schedule"),
        (lambda: jaxlr.multi_step(0.1, [2, 4], [0.5]), ValueError, "one for each of milestones, got 1 for 2"),
        (lambda: jaxlr.piecewise_constant([0.1], [3]), ValueError, "boundaries must be one fewer than values"),
        (lambda: jaxlr.join([ROOT, ROOT], [1, 2]), ValueError, "boundaries must be one fewer than schedules"),
        (lambda: jaxlr.join([ROOT, 0.1], [1]), TypeError, "schedules[1] must be a jaxlr schedule, got 0.1"),
        (lambda: jaxlr.triangular(0.2, 0.1, 5), ValueError, "base_lr must be at most max_lr, got base_lr=0.2 and max_lr=0.1"),
        (lambda: jaxlr.triangular(0.1, 0.2, 5, step_size_down=-1), ValueError, "step_size_down must be at least 0, got -1"),
        (lambda: jaxlr.cosine_restarts(0.1, 5, t_mul=0.0), ValueError, "t_mul must be above 0, got 0.0"),
        (lambda: jaxlr.schedules.with_restarts(ROOT, 5, t_mul=-0.5), ValueError, "t_mul must be above 0, got -0.5"),
        (lambda: jaxlr.polynomial(0.1, 0.0, 0.0, 5), ValueError, "power must be above 0, got 0.0"),
        (lambda: jaxlr.one_cycle(0.1, 5, pct_start=1.5), ValueError, "pct_start must be at most 1, got 1.5"),
        (lambda: jaxlr.one_cycle(0.1, 5, pct_start=0.6, three_phase=True), ValueError, "pct_start must be at most 0.5"),
        (lambda: jaxlr.warmup(ROOT, -1), ValueError, "warmup_steps must be at least 0, got -1"),
        (lambda: jaxlr.warmup(ROOT, 5, kind="exponential"), ValueError, "init_value must be given for kind='exponential'"),
        (lambda: jaxlr.warmup(ROOT, 5, init_value=0.0, kind="exponential"), ValueError, "init_value must be above 0"),
        (lambda: jaxlr.warmup(0.1, 5), TypeError, "wrap a number in jaxlr.constant(...)"),
        (lambda: jaxlr.warmup(optax.constant_schedule(0.1), 5), TypeError, "in jaxlr.custom(...)"),
        (lambda: jaxlr.join([ROOT, lambda n: 0.1], [5]), TypeError, "wrap a function of the count, such as Optax's schedules, in jaxlr.custom(...)"),
        (lambda: jaxlr.per_epoch("cosine(0.1, 5)", 5), TypeError, "read a text with jaxlr.schedules.parse(...)"),
        (lambda: jaxlr.warmup(ROOT.to_dict(), 5), TypeError, "read a dictionary with jaxlr.Schedule.from_dict(...)"),
        (lambda: jaxlr.cooldown(ROOT, 5, 0), ValueError, "steps must be at least 1, got 0"),
        (lambda: jaxlr.cooldown(ROOT, 5, 5, shape="exponential"), ValueError, "end_value must be above 0, got 0.0"),
        (lambda: jaxlr.cooldown(ROOT, 5, 5, power=2.0), ValueError, "power must be left out for shape='linear', got 2.0"),
        (lambda: jaxlr.per_example(ROOT, {5: 1}), ValueError, "must be rising from 0, and below 2**46, got [5]"),
        (lambda: jaxlr.per_example(ROOT, {0: 0}), ValueError, "batch_size[0] must be at least 1, got 0"),
        (lambda: jaxlr.per_example(ROOT, {}), ValueError, "batch_size must be a size, or sizes by"),
        (lambda: jaxlr.per_example(ROOT, 5, scale="log"), ValueError, "scale must be one of 'linear', 'sqrt', got 'log'"),
        (lambda: jaxlr.custom(0.1), TypeError, "fn must be a function, got 0.1"),
        (lambda: jaxlr.cyclic(0.1, 0.2, 5, 0.5), TypeError, "scale_fn must be a function, got 0.5"),
        (lambda: ROOT.clip(0.2, 0.1), ValueError, "min must be at most max"),
        (lambda: ROOT * "2", TypeError, "the other operand must be a number, got '2'"),
        (lambda: ROOT.repeat(0), ValueError, "period must be at least 1, got 0"),
        (lambda: ROOT.replace(decay_step=5), TypeError, "cosine has no argument 'decay_step'; it has init_value, decay_steps"),
        (lambda: ROOT.replace(decay_steps=0), ValueError, "decay_steps must be at least 1, got 0"),
        (lambda: Schedule.from_dict({"family": "os.system"}), ValueError, "family must be the name of a schedule"),
        (lambda: Schedule.from_dict({"family": "cosine", "arguments": {"a": 1}}), TypeError, "cosine: "),
        (lambda: Schedule.from_dict(jaxlr.custom(max).to_dict()), ValueError, "functions must hold the function 'max'"),
        (lambda: jaxlr.updates(1, examples=5, batch_size=8), ValueError, "batch_size must be at most the number of examples"),
        (lambda: jaxlr.scale_lr(0.1, 8, rule="log"), ValueError, "rule must be one of 'linear', 'sqrt', 'inverse_sqrt'"),
        (lambda: jaxlr.scale_lr(0.1, 8, base_batch_size=8, rule="inverse_sqrt"), ValueError, "base_batch_size has no place"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_traced_length_must_be_an_integer():
    with pytest.raises(
        TypeError, match="decay_steps must be an integer number of updates, got an array of dtype float32"
    ):
        jax.jit(lambda steps: jaxlr.cosine(0.1, steps)(0))(8.0)


def test_a_number_prints_as_it_was_written():
    for value in (0.1, 1e-12, 3.0, 1 / 3, 123456.789, 1e30, 0.0, -2.5e-5):
        assert jaxlr.constant(value).to_dict()["arguments"]["value"] == pytest.approx(value, rel=1e-14)
        assert float(f"{jaxlr.constant(value).to_dict()['arguments']['value']:.14g}") == float(f"{value:.14g}")
    for gamma in (0.95, 0.09, 0.1, 1 - 1e-9, 0.99994, 1.0, 0.0, 1e-12, 2.0):
        assert repr(jaxlr.exponential(1.0, gamma)) == f"exponential(init_value=1.0, decay_rate={gamma})"


def stored(schedule, name):
    """The leaf of a schedule's argument."""
    return schedule.arguments[name]


NEGATIVE, NONE = stored(jaxlr.constant(-0.2), "value"), stored(jaxlr.warmup(ROOT, 0), "warmup_steps")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jaxlr.inverse_time(1.0, NEGATIVE), "decay_rate must be at least 0, got -0.2"),
        (lambda: jaxlr.exp_range(NEGATIVE, 0.1, 5, 0.9), None),
        (lambda: jaxlr.cosine(0.1, NONE), "decay_steps must be at least 1, got 0"),
        (lambda: jaxlr.cosine_restarts(0.1, 5, t_mul=NONE), "t_mul must be at least 1, got 0"),
        (lambda: jaxlr.cosine_restarts(0.1, 5, t_mul=NEGATIVE), "t_mul must be above 0, got -0.2"),
        (lambda: jaxlr.per_epoch(ROOT, NONE), "steps_per_epoch must be at least 1, got 0"),
        (lambda: jaxlr.per_epoch(ROOT, NEGATIVE), "steps_per_epoch must be at least 1, got -0.2"),
        (lambda: jaxlr.cosine(0.1, stored(ROOT, "decay_steps")), None),
        (lambda: jax.jit(lambda steps: jaxlr.cosine(0.1, stored(steps, "decay_steps"))(3))(ROOT), None),
    ],
)
def test_a_leaf_of_another_schedule_is_checked_like_a_number(make, message):
    if message is None:
        make()
        return
    with pytest.raises(ValueError, match=message):
        make()
