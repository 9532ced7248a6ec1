"""The promise of exactness rests on no compiler's and no accelerator's rounding."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from cases import ROWS, dice_of
from draws import LAST, call_of
from fuzz import as_float32, call_with, errors, exact_range, parted
from hostile import Machine
from rows import Call

from jaxlr.numerics import elementary, wide
from jaxlr.schedules.cycle_table import with_tables

# An interpreter runs every operation: the promise itself is in test_exactness.py.
pytestmark = pytest.mark.ci

MACHINES = {
    "IEEE": Machine(flush=False),
    "contracts into the first sum": Machine(contract="first"),
    "contracts into every sum, folds constants": Machine(contract="every", refold=True),
    "contracts both products of a sum, divides as a GPU": Machine(contract="both", ulps=3),
    "divides as a TPU, too high": Machine(contract="every", ulps=200, drift=1),
    "divides as a TPU, too low": Machine(contract="every", ulps=200, drift=-1),
}
REFUSED = {
    "exp", "exp2", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh", "pow", "rsqrt", "logistic", "cbrt", "lgamma",
    "digamma", "erf", "erf_inv", "atan2", "asin", "acos", "atan",
}  # fmt: skip
TYPES = {"float32", "int32", "uint32", "bool"}


def equations(jaxpr):
    """Every equation, those of inner programs too."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                yield from equations(getattr(inner, "jaxpr", inner))


@pytest.mark.parametrize("name", ROWS)
def test_stays_exact_and_portable(name):
    check(*call_of(dice_of(name, 7), name))


def check(call, counts, *, tables=False):
    """Whatever a compiler or an accelerator may do to it."""
    schedule = with_tables(call.schedule()) if tables else call.schedule()
    traced = jax.jit(lambda s, n: s(n)).trace(schedule, counts)
    for equation in equations(traced.jaxpr.jaxpr):
        assert equation.primitive.name not in REFUSED
        for variable in [*equation.invars, *equation.outvars]:
            assert variable.aval.dtype.name in TYPES
    for platform in ("tpu", "cuda"):
        assert "f64" not in traced.lower(lowering_platforms=(platform,)).as_text()

    low_high = exact_range(call, counts)
    for machine, how in MACHINES.items():
        (values,) = how.evaluate(traced.jaxpr, *jax.tree.leaves(schedule), counts)
        assert errors(call, low_high, values).max() <= call.bound(), machine


@pytest.mark.parametrize("t_mul", [2.0**-60, 0.1, 0.5, 0.93, 1.05, 1.5, 1e9 + 0.5, 1e30])
@pytest.mark.parametrize("name", ["cosine_restarts", "with_restarts"])
def test_cycles_of_a_known_growth_stay_exact(name, t_mul):
    inner = {"schedule": Call("linear", {"init_value": 0.3, "end_value": 0.1, "transition_steps": 7}), "period": 7}
    given = {"init_value": 0.3, "first_decay_steps": 7} if name == "cosine_restarts" else inner
    counts = np.resize([*range(20), 21, 24, 100, 1000, 10**5, 10**7, 2**30, LAST], 32).astype(np.int32)
    check(Call(name, given | {"t_mul": t_mul, "m_mul": 0.9, "end_value": 0.05}), counts, tables=True)


@pytest.mark.parametrize("name", ROWS)
def test_stays_exact_with_traced_numbers(name):
    call, counts = call_of(dice_of(name, 8), name)
    tree, words, numbers = parted(call)
    program = call_with.trace(tree, words, numbers, counts).jaxpr
    call = as_float32(call)
    low_high = exact_range(call, counts)
    for machine, how in MACHINES.items():
        (values,) = how.evaluate(program, *jax.tree.leaves(numbers), counts)
        assert errors(call, low_high, values).max() <= call.bound(), machine


def spread(low, high):
    """Numbers with 48 bits, evenly spread over the exponents."""
    values = np.exp(np.random.default_rng(0).uniform(np.log(low), np.log(high), 200))
    return wide.Wide(*map(np.stack, zip(*map(wide.split, values), strict=True)))


def one_less(a):
    return wide.constant(1.0) - a


def log_of_one_more(a):
    return elementary.log(wide.constant(1.0) + a, a)


def exponential(a):
    power, scale = elementary.exp(a)
    return power.scaled(scale)


# The function, the real one, where it is tried, and how many bits it must have: as a rule, and with a TPU's division.
HELPERS = {
    "sum": (lambda a: a + a * a, lambda a: a + a**2, (1e-6, 10), 45, 45),
    "difference": (one_less, lambda a: 1 - a, (1e-6, 0.9), 45, 45),
    "quotient": (lambda a: a / (a + a * a), lambda a: 1 / (1 + a), (1e-6, 10), 42, 30),
    "log below 1": (elementary.log, mpmath.log, (1e-20, 0.999), 34, 30),
    "log above 1": (elementary.log, mpmath.log, (1.001, 1e20), 34, 30),
    "log next to 1": (log_of_one_more, mpmath.log1p, (1e-12, 1), 34, 30),
    "exp": (exponential, mpmath.exp, (1e-6, 80), 29, 29),
    "exp of less than 0": (lambda a: exponential(-a), lambda a: mpmath.exp(-a), (1e-6, 60), 29, 29),
    "1 - exp": (lambda a: elementary.exp_and_rest(-a)[2], lambda a: -mpmath.expm1(-a), (1e-9, 60), 29, 29),
    "sqrt": (elementary.sqrt, mpmath.sqrt, (1e-20, 1e20), 41, 29),
    "versine": (elementary.versine, lambda a: 2 * mpmath.sin(mpmath.pi / 4 * a) ** 2, (1e-9, 1), 30, 30),
}


@pytest.mark.parametrize(("helper", "real", "span", "bits", "bits_on_a_tpu"), HELPERS.values(), ids=HELPERS)
def test_every_helper_keeps_its_bits(helper, real, span, bits, bits_on_a_tpu):
    numbers = spread(*span)
    expected = [real(number) for number in exactly(numbers.high, numbers.low)]
    program = jax.make_jaxpr(helper)(numbers)
    for machine, how in MACHINES.items():
        least = bits_on_a_tpu if how.ulps > 100 else bits
        for result, value in zip(exactly(*how.evaluate(program, numbers.high, numbers.low)), expected, strict=True):
            assert abs(result - value) < abs(value) / 2**least, machine


def exactly(high, low):
    return [mpmath.mpf(float(part)) + float(rest) for part, rest in zip(high, low, strict=True)]


def two_product(a, b):
    """The textbook's, whose error term needs products that are rounded."""

    def halves(x):
        shifted = x * 4097
        upper = shifted - (shifted - x)
        return upper, x - upper

    (a_high, a_low), (b_high, b_low) = halves(a), halves(b)
    product = a * b
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def error_of_sum(x, y):
    total = x + y
    part = total - x
    return (x - (total - part)) + (y - part)


A, B = np.float32(1.2345678), np.float32(7.654321)
FAULTS = {
    "contraction": (
        lambda a, b: two_product(a, b)[1], (A, B), float(A) * float(B) - float(A * B), Machine(contract="both"),
    ),
    "folded constants": (
        lambda a: error_of_sum(a, jnp.float32(1e-9)), (A,), float(np.float32(1e-9)), Machine(refold=True),
    ),
    "division": (lambda a, b: a / b, (A, B), float(A / B), Machine(ulps=3, drift=1)),
    "underflow": (lambda a, b: a * jnp.float32(1e-38) * b, (A / 2, B), float(A / 2) * 1e-38 * float(B), Machine()),
}  # fmt: skip


@pytest.mark.parametrize(("function", "numbers", "expected", "machine"), FAULTS.values(), ids=FAULTS)
def test_the_machine_is_hostile(function, numbers, expected, machine):
    program = jax.make_jaxpr(function)(*numbers)
    (right,) = Machine(flush=False).evaluate(program, *numbers)
    np.testing.assert_allclose(float(right), expected, rtol=1e-6)
    (wrong,) = machine.evaluate(program, *numbers)
    assert not np.isclose(float(wrong), expected, rtol=1e-7, atol=0)


def test_the_machine_has_no_exponential():
    with pytest.raises(NotImplementedError, match="exp"):
        Machine().evaluate(jax.make_jaxpr(jnp.exp)(A), A)
