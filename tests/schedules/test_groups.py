"""Compositions of many schedules: one program for those that differ in numbers only, and no recursion."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr.schedules import parse
from jaxlr.schedules.composition.groups import alike

CHILDREN = [
    jaxlr.cosine(0.5, 10),
    jaxlr.linear(0.3, 0.1, 7),
    jaxlr.cosine(0.2, 30, end_value=0.01),
    jaxlr.multi_step(0.4, [2, 5], 0.5),
    jaxlr.cosine(0.7, 20, begin=3, begin_phase=0.25),
    jaxlr.linear(0.0, 1.0, 5),
]
STARTS = [0, 12, 12, 40, 55, 80]


def test_schedules_that_differ_in_numbers_only_are_alike():
    assert alike(CHILDREN) == [[0, 2, 4], [1, 5], [3]]
    assert alike([jaxlr.cosine(0.1, 5), jaxlr.cosine(0.1, 5, after="rise")]) == [[0], [1]]
    assert alike([jaxlr.custom(lambda n: n + 0.0)] * 2) == [[0], [1]]
    assert alike([jaxlr.warmup(jaxlr.cosine(peak, 5), 2) for peak in (0.1, 0.2)]) == [[0, 1]]


def test_a_join_has_the_bits_of_its_schedules():
    counts = np.arange(120)
    values = np.asarray(jaxlr.join(CHILDREN, STARTS[1:])(counts))
    assert [float(jaxlr.join(CHILDREN, STARTS[1:])(n)) for n in (0, 11, 12, 54, 100)] == [
        float(values[n]) for n in (0, 11, 12, 54, 100)
    ]
    for start, stop, child in zip(STARTS, [*STARTS[1:], 120], CHILDREN, strict=True):
        np.testing.assert_array_equal(values[start:stop], np.asarray(child(counts))[: stop - start])


def test_the_numbers_of_a_join_have_their_own_gradients():
    def rate(peaks, count):
        return jaxlr.join([jaxlr.cosine(peaks[i], 10) for i in range(3)], [10, 20])(count)

    gradients = jax.vmap(lambda count: jax.grad(rate)(jnp.ones(3), count))(jnp.array([5, 15, 25]))
    np.testing.assert_allclose(gradients, 0.5 * np.eye(3), atol=1e-7)


def test_a_sum_of_many_schedules():
    terms = [jaxlr.cosine(0.1 * (i + 1), 100 + i) if i % 3 else jaxlr.linear(0.1 * i, 0.0, 50) for i in range(90)]
    signs = [1 if i % 5 else -1 for i in range(90)]
    whole = 2 - terms[0]
    for sign, term in zip(signs[1:], terms[1:], strict=True):
        whole = whole + term if sign > 0 else whole - term
    for count in (0, 40, 99):
        expected = 2 + sum(sign * np.float64(term(count)) for sign, term in zip(signs, terms, strict=True))
        np.testing.assert_allclose(float(whole(count)), expected, rtol=1e-6)
    np.testing.assert_array_equal(whole(np.arange(5)), [whole(n) for n in range(5)])


def test_a_schedule_shifted_many_times():
    schedule = jaxlr.cosine(1.0, 1000)
    for k in [1] * 150 + [-2] * 50:
        schedule = schedule.shift(k)
    assert float(schedule(200)) == float(jaxlr.cosine(1.0, 1000)(250))
    assert schedule.end() == 950


@pytest.mark.parametrize("text", ["constant(" + "-" * 500 + "0.1)", "constant(" + "+" * 900 + "1)"])
def test_signs_without_end_are_one_line_of_error(text):
    with pytest.raises(ValueError, match="nested at most 64 deep") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_composition_too_deep_says_so():
    deep = functools.reduce(lambda schedule, _: schedule.clip(0.0, 1.0), range(300), jaxlr.constant(0.1))
    with pytest.raises(ValueError, match="more schedules inside one another"):
        deep(0)


DEEP = {
    "sums": lambda s, k: s + 1e-6,
    "products": lambda s, k: jaxlr.constant(0.999) * s,
    "powers": lambda s, k: s**1.0001,
    "mixed": lambda s, k: (s * 1.01, s.clip(0.0, 1.0), s.shift(1), 0.5 - s, s**1.001, jaxlr.warmup(s, 2))[k % 6],
}


@pytest.mark.parametrize("step", DEEP.values(), ids=DEEP)
def test_a_composition_of_any_depth_is_written_down(step):
    deep = functools.reduce(step, range(400), jaxlr.cosine(0.1, 100))
    less = functools.reduce(step, range(12), jaxlr.cosine(0.1, 100))
    assert jaxlr.schedules.parse(repr(less)).to_dict() == less.to_dict()
    for _ in range(2):  # nothing is left behind by the first
        assert "cosine(init_value=0.1, decay_steps=100)" in repr(deep)
    data, depth = deep.to_dict(), 0
    while data["family"] != "cosine":
        data, depth = next(v for v in data["arguments"].values() if isinstance(v, dict) and depth_of(v)), depth + 1
    assert depth == 400
    assert deep.span() >= (deep.end() or 100) >= 100
    if step is not DEEP["sums"]:  # which still can be computed
        with pytest.raises(ValueError, match="more schedules inside one another"):
            deep.plot()


def depth_of(data):
    """Whether the cosine is in there and not the constant beside it."""
    return data["family"] != "constant"
