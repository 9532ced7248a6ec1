"""Cycles of a known growth are looked up in a table: the same rates as without one, for less."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from draws import LAST

import jaxlr
from jaxlr.schedules import at_speed, with_restarts
from jaxlr.schedules.cycle_table import CycleTable, cycle_table, with_tables
from jaxlr.schedules.cycles import _binary_logarithm

FAR = [2.0**-60, 0.001, 0.1, 0.5, 0.9, 0.95, 1.05, 1.1, 1.5, 2.7, 1e9 + 0.5, 1e18, 1e30]
NEAR = [0.97, 0.999, 1 - 1e-9, 1 + 1e-9, 1.001, 1.03]


@jax.jit
def as_argument(schedule, counts):
    return schedule(counts)


def tables_of(numbers):
    found = jax.tree.leaves(numbers, is_leaf=lambda leaf: isinstance(leaf, CycleTable))
    return [leaf for leaf in found if isinstance(leaf, CycleTable)]


def in_one(table, i):
    return sum(Fraction(float(part[i])) for part in (table.starts.high, table.starts.middle, table.starts.low))


@pytest.mark.parametrize("t_mul", FAR)
def test_a_table_has_the_starts_of_all_cycles_before_the_last_position(t_mul):
    table = cycle_table(t_mul)
    assert table is not None
    t = Fraction(min(t_mul, 2.0**64))
    start, cycles = Fraction(0), 0
    while start <= 2**32 and t**cycles * (2**31 - 1) >= 1 / Fraction(4):
        assert abs(in_one(table, cycles) - start) <= start / 2**70
        start, cycles = start + t**cycles, cycles + 1
    assert abs(in_one(table, cycles) - start) <= start / 2**70  # where the last one ends
    assert cycles < len(table.starts.high) - 1
    assert np.isfinite(np.stack([table.starts.high, table.starts.middle, table.starts.low])).all()


@pytest.mark.parametrize("t_mul", NEAR)
def test_next_to_1_there_are_too_many_cycles_for_a_table(t_mul):
    schedule = jaxlr.cosine_restarts(0.1, 10, t_mul=t_mul)
    assert cycle_table(t_mul) is None
    assert with_tables(schedule) is schedule or not tables_of(with_tables(schedule))


def test_a_guess_of_a_cycle_is_less_than_half_a_cycle_off():
    values = np.exp2(np.linspace(-36, 100, 100_001)).astype(np.float32)
    error = np.abs(np.asarray(_binary_logarithm(values), np.float64) - np.log2(values.astype(np.float64))).max()
    assert error < 0.009
    nearest = min(abs(math.log2(t_mul)) for t_mul in np.linspace(0.9, 1.1, 401) if cycle_table(float(t_mul)))
    assert error / nearest < 0.25


def borders(first, t_mul):
    """The counts around the start of each cycle."""
    starts, length = [Fraction(0)], Fraction(first)
    while starts[-1] < 2**31 and length >= Fraction(1, 4):
        starts.append(starts[-1] + length)
        length *= Fraction(t_mul)
    counts = {int(start) + step for start in starts for step in (-2, -1, 0, 1, 2)} | {LAST // 2, LAST - 1, LAST}
    return np.array(sorted(count for count in counts if 0 <= count <= LAST), np.int32)


@pytest.mark.parametrize("t_mul", FAR)
@pytest.mark.parametrize("first", [1, 1000, LAST])
def test_a_table_changes_no_rate(first, t_mul):
    counts = np.resize(borders(first, t_mul), 4096)
    inner = jaxlr.linear(1.0, 0.25, first)
    for schedule in (
        jaxlr.cosine_restarts(0.1, first, t_mul=t_mul, m_mul=0.9, end_value=0.01),
        with_restarts(inner, first, t_mul=t_mul, m_mul=1.1, end_value=0.01),
    ):
        assert len(tables_of(with_tables(schedule))) == 1
        assert np.array_equal(as_argument(schedule, counts), schedule(counts))


def test_where_cycles_get_shorter_the_last_has_one_update_as_decimals_mean_it():
    cases = [(3, 1 / 3, 4), (27, 1 / 3, 40), (1000, 0.1, 1111), (49, 1 / 7, 57), (10, 0.1 * (1 - 2.0**-42), 11)]
    for first, t_mul, end in cases:
        schedule = jaxlr.cosine_restarts(0.1, first, t_mul=t_mul)
        assert tables_of(with_tables(schedule))
        assert schedule(np.array([end - 1, end, end + 1, LAST])).tolist() == [np.float32(0.1), 0.0, 0.0, 0.0]


@pytest.mark.parametrize("lacking", [2.0**-37, 2.0**-30, 2.0**-25, 2.0**-10])
def test_where_more_is_lacking_there_is_no_such_cycle(lacking):
    counts = np.array([9, 10, 11, LAST])
    for schedule in (
        jaxlr.cosine_restarts(0.1, 10, t_mul=0.1 * (1 - lacking)),
        with_restarts(jaxlr.linear(0.1, 0.05, 10), 10, t_mul=0.1 * (1 - lacking)),
    ):
        assert schedule.end() == 10
        assert schedule(counts)[0] > 0
        assert schedule(counts)[1:].tolist() == as_argument(schedule, counts)[1:].tolist() == [0.0, 0.0, 0.0]


def test_a_cycle_of_nothing_divides_nothing():
    for first, t_mul in ((2**30, 2.0**-60), (2**29 + 1, 2.0**-57), (2**30, 2.0**-90)):
        schedule = jaxlr.cosine_restarts(0.1, first, t_mul=t_mul, end_value=0.01)
        assert np.array_equal(schedule(np.array([first, first + 1, LAST - 1, LAST])), np.full(4, 0.01, np.float32))


@pytest.mark.parametrize("t_mul", [0.9, 1.1, 1.5])
def test_of_one_count_and_of_many_and_closed_over_the_rates_are_the_same(t_mul):
    schedule = jaxlr.cosine_restarts(0.1, 10, t_mul=t_mul, m_mul=0.9)
    counts = np.arange(60, dtype=np.int32)
    rates = schedule(counts)
    assert np.array_equal([schedule(int(n)) for n in counts], rates)
    assert np.array_equal(jax.jit(lambda n: schedule(n))(counts), rates)
    assert np.array_equal(jax.lax.scan(lambda n, _: (n + 1, schedule(n)), jnp.int32(0), None, length=60)[1], rates)
    assert np.array_equal(jax.vmap(schedule)(counts), rates)
    assert tables_of(schedule._on_device)
    assert "while" not in str(jax.make_jaxpr(schedule)(5))


def test_between_counts_a_table_is_as_good():
    counts = np.resize(np.arange(500, dtype=np.int32), 512)
    for t_mul in (0.9, 1.1, 1.5):
        schedule = at_speed(jaxlr.cosine_restarts(0.1, 10, t_mul=t_mul), 0.37)
        assert tables_of(with_tables(schedule))
        assert np.array_equal(as_argument(schedule, counts), schedule(counts))


def test_other_numbers_may_be_traced():
    counts, firsts = np.arange(100, dtype=np.int32), np.array([1, 3, 10, 40], np.int32)
    rates = jax.jit(jax.vmap(lambda first: jaxlr.cosine_restarts(0.1, first, t_mul=1.5)(counts)))(firsts)
    for first, row in zip(firsts, rates, strict=True):
        assert np.array_equal(row, jaxlr.cosine_restarts(0.1, int(first), t_mul=1.5)(counts))
    slope = jax.jit(jax.grad(lambda peak: jaxlr.cosine_restarts(peak, 10, t_mul=1.5)(12)))(0.1)
    assert slope == pytest.approx((1 + math.cos(math.pi * 2 / 15)) / 2, rel=1e-6)
    restarts = jaxlr.cosine_restarts(1.0, 10, t_mul=1.5)
    speed = jax.jit(jax.grad(lambda speed: at_speed(restarts, speed)(30)))(0.55)
    assert speed == pytest.approx(-30 * math.pi / 30 * math.sin(math.pi * 6.5 / 15), rel=1e-5)


def test_a_schedule_stays_what_it_is_made_of():
    schedule = jaxlr.cosine_restarts(0.1, 10, t_mul=1.5)
    schedule(3)
    assert all(np.ndim(leaf) == 0 for leaf in jax.tree.leaves(schedule))
    both = jax.tree.map(lambda *numbers: np.stack(numbers), schedule, jaxlr.cosine_restarts(0.2, 20, t_mul=1.2))
    with pytest.raises(TypeError, match="batched"):
        both(3)
    on_device = jax.device_put(schedule)
    assert np.array_equal(on_device(np.arange(40)), schedule(np.arange(40)))


def test_a_growth_that_changes_is_no_other_program():
    value = jax.jit(lambda schedule, n: schedule(n))
    for t_mul in (0.5, 0.9, 1.1, 1.5, 2.7):
        value(with_tables(jaxlr.cosine_restarts(0.1, 10, t_mul=t_mul)), 7)
    assert value._cache_size() == 1


def test_many_schedules_that_differ_in_their_growth_stay_one_program():
    many = jaxlr.join([jaxlr.cosine_restarts(0.1, 10, t_mul=1.2 + 0.01 * i) for i in range(40)], range(100, 4000, 100))
    assert with_tables(many) is many
    two = with_restarts(jaxlr.cosine_restarts(0.1, 10, t_mul=1.5), 100, t_mul=1.2)
    assert len(tables_of(with_tables(two))) == 2
