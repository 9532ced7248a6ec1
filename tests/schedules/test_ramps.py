"""Ramps of the batch size: each update has the rate of the examples behind it, and a changed ramp does not retrace."""

import jax
import numpy as np
import pytest

import jaxlr

RAMP = {0: 64, 6_400: 128, 32_000: 256}


def sizes(ramp, updates):
    """The batch size of each update and the examples behind it, counted one by one."""
    behind, batches, examples = 0, [], []
    for _ in range(updates):
        size = max((start, size) for start, size in ramp.items() if start <= behind)[1]
        examples.append(behind)
        batches.append(size)
        behind += size
    return np.array(batches), np.array(examples)


def test_a_training_in_examples_sees_the_rate_of_its_examples_at_each_update():
    schedule = jaxlr.warmup(jaxlr.cosine(0.1, 60_000), 5_000)
    batches, examples = sizes(RAMP, 450)
    assert set(batches) == {64, 128, 256}
    assert sorted(np.unique(examples[1:][np.diff(batches) > 0])) == [6_400, 32_000]

    def update(count, _):
        return count + 1, jaxlr.per_example(schedule, RAMP)(count)

    rates = jax.jit(lambda: jax.lax.scan(update, 0, None, length=450)[1])()
    np.testing.assert_array_equal(rates, schedule(examples))


def test_the_rate_grows_with_the_batch():
    batches, _ = sizes(RAMP, 450)
    counts = np.arange(450)
    flat = jaxlr.constant(0.125)
    np.testing.assert_array_equal(jaxlr.per_example(flat, RAMP, scale="linear")(counts), 0.125 * batches / 64)
    expected = (0.125 * np.sqrt(batches / 64)).astype(np.float32)
    np.testing.assert_array_equal(jaxlr.per_example(flat, RAMP, scale="sqrt")(counts), expected)


def test_a_changed_ramp_does_not_retrace_and_is_followed():
    schedule, traces = jaxlr.linear(1.0, 0.0, 70_000), []

    @jax.jit
    def rates(rate):
        traces.append(None)
        return rate(np.arange(300))

    for ramp in (RAMP, {0: 32, 3_200: 64, 6_400: 512}, {0: 1, 100: 1_000, 50_100: 7}):
        np.testing.assert_array_equal(rates(jaxlr.per_example(schedule, ramp)), schedule(sizes(ramp, 300)[1]))
    assert len(traces) == 1


def test_sizes_that_change_are_known_when_the_schedule_is_made():
    with pytest.raises(TypeError, match="batch_size must be known where it changes"):
        jax.jit(lambda size: jaxlr.per_example(jaxlr.cosine(0.1, 1000), {0: 8, 100: size})(5))(16)
