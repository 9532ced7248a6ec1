"""A length is an integer, or a float that is one, everywhere; only an epoch may have a fraction of updates."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr.dialects import keras, optax, timm, torch, transformers

WHOLE = [
    (lambda n: jaxlr.cosine(0.1, n), "cosine(init_value=0.1, decay_steps=50)"),
    (lambda n: jaxlr.cosine(0.1, n).shift(n), "cosine(init_value=0.1, decay_steps=50).shift(50)"),
    (lambda n: jaxlr.constant(0.1).repeat(n), "constant(value=0.1).repeat(50)"),
    (lambda n: jaxlr.warmup(jaxlr.constant(0.1), n), "warmup(schedule=constant(value=0.1), warmup_steps=50)"),
    (lambda n: jaxlr.multi_step(0.1, [n, 60], 0.5), "multi_step(init_value=0.1, milestones=[50, 60], decay_rate=0.5)"),
    (lambda n: jaxlr.multi_step(0.1, np.array([n, 60.0]), 0.5),
     "multi_step(init_value=0.1, milestones=[50, 60], decay_rate=0.5)"),
    (lambda n: jaxlr.per_epoch(jaxlr.constant(0.1), n), "per_epoch(schedule=constant(value=0.1), steps_per_epoch=50)"),
    (lambda n: jaxlr.retime(jaxlr.cosine(0.1, n, end_value=0.1), 0.0, decay_steps=n),
     "cosine(init_value=0.1, decay_steps=50, end_value=0.1)"),
    (lambda n: jaxlr.updates(n, examples=n, batch_size=n), "50"),
    (lambda n: optax.cosine_decay_schedule(0.1, n), "cosine(init_value=0.1, decay_steps=50)"),
    (lambda n: optax.linear_schedule(0.1, 0.2, n), "linear(init_value=0.1, end_value=0.2, transition_steps=50)"),
    (lambda n: optax.piecewise_constant_schedule(0.1, {float(n): 0.5}),
     "multi_step(init_value=0.1, milestones=[50], decay_rate=[0.5])"),
    (lambda n: torch.StepLR(0.1, n), "step_decay(init_value=0.1, decay_rate=0.1, step_size=50)"),
    (lambda n: torch.OneCycleLR(0.1, 0.1, epochs=n, steps_per_epoch=n), "one_cycle(max_lr=0.1, total_steps=2500)"),
    (lambda n: torch.CosineAnnealingWarmRestarts(0.1, n), "cosine_restarts(init_value=0.1, first_decay_steps=50)"),
    (lambda n: keras.CosineDecay(0.1, n), "cosine(init_value=0.1, decay_steps=50)"),
    (lambda n: transformers.get_constant_schedule_with_warmup(0.1, n),
     "warmup(schedule=constant(value=0.1), warmup_steps=50)"),
]  # fmt: skip


@pytest.mark.parametrize("given", [5.0 * 10, np.float32(50), np.array(50.0)], ids=["float", "float32", "array"])
@pytest.mark.parametrize(("make", "text"), WHOLE)
def test_a_whole_float_is_the_integer(make, text, given):
    assert repr(make(given)) == repr(make(50)) == text


@pytest.mark.parametrize("make", [make for make, _ in WHOLE if "per_epoch" not in repr(make(50))])
def test_a_fraction_is_refused_with_the_way(make):
    with pytest.raises(TypeError, match=r"got 50\.5; make it one with int\(\.\.\.\), or .* per_epoch or at_speed"):
        make(50.5)


def test_timm_takes_whole_floats():
    assert repr(timm.StepLRScheduler(0.1, 5.0)) == repr(timm.StepLRScheduler(0.1, 5))
    assert repr(timm.CosineLRScheduler(0.1, 1e2, warmup_t=5.0)) == repr(timm.CosineLRScheduler(0.1, 100, warmup_t=5))


@pytest.mark.parametrize("counts", [jnp.array([2.0, 4.0]), np.array([[1.5, 2.0]])])
def test_an_array_of_fractions_is_no_list_of_counts(counts):
    with pytest.raises(TypeError, match=r"milestones.* must be (an )?integer"):
        jaxlr.multi_step(0.1, counts, 0.5)
    with pytest.raises(TypeError, match="got an array of dtype float32"):
        jax.jit(lambda counts: jaxlr.multi_step(0.1, counts, 0.5)(0))(jnp.float32(counts))


EPOCHS = jaxlr.custom(lambda n: (n % 1000).astype(float))


@pytest.mark.parametrize("steps", [1251.14, 2.4, 390.625, 99.99])
def test_an_epoch_may_end_between_two_updates(steps):
    exact = Fraction(str(steps))
    epochs = np.random.default_rng(0).integers(1, int(2**31 / steps) - 1, 200)
    counts = np.array([math.ceil(int(k) * exact) + step for k in [1, 2, 5, *epochs] for step in (-1, 0)])
    expected = [int(Fraction(int(n)) / exact) % 1000 for n in counts]
    np.testing.assert_array_equal(jaxlr.per_epoch(EPOCHS, steps)(counts), expected)


def test_a_traced_fraction_of_updates():
    line = jaxlr.linear(0.0, 10.0, 10)
    rate = jax.jit(lambda steps, n: jaxlr.per_epoch(line, steps, staircase=False)(n))
    assert [float(rate(2.5, n)) for n in (0, 1, 5, 25, 30)] == [0.0, np.float32(0.4), 2.0, 10.0, 10.0]
    assert float(rate(0.25, 3)) == 3.0  # at least one update
    assert jaxlr.per_epoch(line, 2.5).end() == 25
    assert jaxlr.per_epoch(line, 1.1).end() == 11
    assert jaxlr.per_epoch(jaxlr.triangular(0.1, 1.0, 2), 2.5).cycle(13) == (3, 10)


def test_milestones_cost_what_they_are_many():
    """Each is checked against the one before it alone: with a look at all for each, this would take minutes."""
    many = np.arange(100_000)
    for milestones in (many.tolist(), many.astype(float), list(many)):
        assert jaxlr.multi_step(0.1, milestones, 0.5).arguments["milestones"].count[-1] == 99_999


def test_a_long_table_prints_both_ends_and_is_kept_whole():
    values = np.random.default_rng(0).uniform(size=5_000).tolist()
    table = jaxlr.schedules.table(values)
    shown = [*table.to_dict()["arguments"]["values"][:3], table.to_dict()["arguments"]["values"][-1]]
    assert repr(table) == "table(values=[{}, {}, {}, ..., {}])".format(*shown)
    np.testing.assert_allclose(shown, [*values[:3], values[-1]], rtol=1e-14)
    again = jaxlr.Schedule.from_dict(table.to_dict())
    np.testing.assert_array_equal(again(np.arange(5_000)), table(np.arange(5_000)))
    assert len(repr(jaxlr.multi_step(0.1, range(2_000), 0.5))) < 100
    assert "shape (40, 50)" in repr(jaxlr.custom(lambda n, matrix: matrix[0, 0] * n, matrix=np.ones((40, 50))))
