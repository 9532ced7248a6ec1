"""Evaluates a jaxpr as the least helpful compiler and accelerator would that still compute in float32.

What jaxlr promises must not rest on how one backend rounds. So products are contracted into the sums that follow them,
small numbers are flushed to 0, quotients and roots are off by many ulps, sums of constants are folded together, and
there is no exp, log, sin or power at all: a program that needs one is refused.
"""

import dataclasses
from typing import Any

import numpy as np
from jax.extend.core import Literal

TINY = np.finfo(np.float32).tiny


@dataclasses.dataclass
class Value:
    """An array, and what a compiler may know of it: that it is a product, or the sum of a value and a constant."""

    array: Any
    product: Any = None
    sum: Any = None


@dataclasses.dataclass(frozen=True)
class Machine:
    """One way to be hostile.

    Attributes:
      contract: which sums a product is contracted into: "none", "first" (the first that uses it), "every", or "both"
        (every one, and the two products of a sum both unrounded).
      refold: whether (x + 1) - 1 is x and (x + 1) - x is 1, for a constant 1.
      flush: whether numbers below the smallest normal one are 0.
      ulps: how far a quotient or a square root may be off.
      drift: the direction of that: 1, -1, or 0 for a random one.
    """

    contract: str = "none"
    refold: bool = False
    flush: bool = True
    ulps: float = 0.0
    drift: int = 0

    def evaluate(self, jaxpr, *arguments):
        """The results of a closed jaxpr."""
        random = np.random.default_rng(0)
        with np.errstate(all="ignore"):
            results = self._run(jaxpr, [Value(np.asarray(argument)) for argument in arguments], random)
        return [result.array for result in results]

    def _run(self, closed, arguments, random):
        jaxpr = closed.jaxpr
        known = dict(zip(jaxpr.constvars, [Value(np.asarray(constant)) for constant in closed.consts], strict=True))
        known.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom):
            return Value(np.asarray(atom.val, atom.aval.dtype)) if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            results = self._apply(equation, [read(atom) for atom in equation.invars], random)
            for variable, result in zip(equation.outvars, results, strict=True):
                assert (result.array.dtype, result.array.shape) == (variable.aval.dtype, variable.aval.shape), equation
                known[variable] = result
        return [read(atom) for atom in jaxpr.outvars]

    def _apply(self, equation, inputs, random):
        name, parameters = equation.primitive.name, equation.params
        arrays = [value.array for value in inputs]
        if name in ("jit", "pjit"):
            return self._run(parameters["jaxpr"], inputs, random)
        if name == "custom_jvp_call":
            return self._run(parameters["call_jaxpr"], inputs, random)
        if name == "scan":
            return self._scan(parameters, inputs, random)
        if name == "while":
            return self._while(parameters, inputs, random)
        if name == "cond":
            return self._run(parameters["branches"][int(arrays[0])], inputs[1:], random)
        if name in PASSED_ON:
            return inputs
        if name in MOVED:
            return [Value(np.asarray(equation.primitive.bind(*arrays, **parameters)))]
        if arrays[0].dtype != np.float32 or name in EXACT:
            return [Value((EXACT | INTEGER)[name](*arrays, **parameters))]
        if name in ("add", "sub"):
            fixed = [isinstance(atom, Literal) for atom in equation.invars]
            return [self._sum(*inputs, -1 if name == "sub" else 1, fixed)]
        inexact = {"mul": self._mul, "neg": self._neg, "integer_pow": self._integer_pow}
        if name in inexact:
            return [inexact[name](*inputs, **parameters)]
        if name == "reduce_sum":
            return [Value(self._total(arrays[0], random, **parameters))]
        if name in ("div", "sqrt"):
            exact = (np.divide if name == "div" else np.sqrt)(*map(self._exact, inputs))
            drift = self.drift or random.uniform(-1, 1, exact.shape)
            return [Value(self._flushed(exact * (1 + drift * self.ulps * 2.0**-23)))]
        raise NotImplementedError(f"no machine can be trusted with {name}")

    def _scan(self, parameters, inputs, random):
        body, fixed = parameters["jaxpr"], parameters["num_consts"]
        carried = fixed + parameters["num_carry"]
        assert not parameters["reverse"]
        state = inputs[fixed:carried]
        assert len(body.jaxpr.outvars) == len(state), "only a scan that collects nothing"
        for step in range(parameters["length"]):
            now = [Value(value.array[step]) for value in inputs[carried:]]
            state = self._run(body, [*inputs[:fixed], *state, *now], random)
        return state

    def _total(self, array, random, axes, **_):
        """In any order, rounded each time."""
        (axis,) = axes
        parts = np.moveaxis(array, axis, 0)[random.permutation(array.shape[axis])]
        total = np.zeros(parts.shape[1:], np.float32)
        for part in parts:
            total = self._flushed(total + part)
        return total

    def _while(self, parameters, inputs, random):
        asks, body = parameters["cond_nconsts"], parameters["body_nconsts"]
        state = inputs[asks + body :]
        while True:
            (goes_on,) = self._run(parameters["cond_jaxpr"], [*inputs[:asks], *state], random)
            if not goes_on.array:
                return state
            state = self._run(parameters["body_jaxpr"], [*inputs[asks : asks + body], *state], random)

    def _sum(self, left, right, sign, fixed):
        if self.refold and any(fixed):
            return self._sum_with_constant(left, right, sign, fixed)
        if self.refold and sign < 0 and left.sum is not None and left.sum[0] is right:
            return Value(self._flushed(np.broadcast_to(left.sum[1], left.array.shape)))
        a, b = self._exact(left), self._exact(right)
        if self.contract != "none":
            a = a if left.product is None else left.product
            if right.product is not None and (left.product is None or self.contract == "both"):
                b = right.product
            if self.contract == "first":
                left.product = right.product = None
        return Value(self._flushed(a + sign * b))

    def _sum_with_constant(self, left, right, sign, fixed):
        number, constant = (right, self._exact(left)) if fixed[0] else (left, sign * self._exact(right))
        if fixed[0] and sign < 0:
            return Value(self._flushed(constant - self._exact(number)))
        base, before = number.sum or (number, 0.0)
        return Value(self._flushed(self._exact(base) + (before + constant)), sum=(base, before + constant))

    def _mul(self, left, right, **_):
        product = self._exact(left) * self._exact(right)
        return Value(self._flushed(product), product=product)

    def _neg(self, value, **_):
        return Value(-value.array, product=None if value.product is None else -value.product)

    def _integer_pow(self, value, y):
        result = value
        for _ in range(y - 1):
            result = self._mul(result, value)
        return result

    def _exact(self, value):
        return self._flushed(value.array).astype(np.float64)

    def _flushed(self, array):
        array = np.asarray(array, np.float32)
        return np.where(np.abs(array) < TINY, np.float32(0), array) if self.flush else array


def _broadcast(array, shape, broadcast_dimensions, **_):
    sizes = dict(zip(broadcast_dimensions, array.shape, strict=True))
    return np.broadcast_to(array.reshape([sizes.get(i, 1) for i in range(len(shape))]), shape)


def _reduced(array, exponent_bits, mantissa_bits, **_):
    """Rounded to so many bits, to even at a tie."""
    assert exponent_bits == 8
    bits, dropped = array.view(np.uint32), np.uint32(23 - mantissa_bits)
    half = (np.uint32(1) << (dropped - np.uint32(1))) - np.uint32(1)
    even = (bits >> dropped) & np.uint32(1)
    rounded = (bits + half + even) & ~((np.uint32(1) << dropped) - np.uint32(1))
    return np.where(np.isfinite(array), rounded.view(np.float32), array)


def _leading_zeros(array, **_):
    return (32 - np.frexp(array.astype(np.float64))[1]).astype(array.dtype)


def _shift(array, by, left):
    bits, by = array.astype(np.uint32), by.astype(np.uint32)
    return (bits << by if left else bits >> by).astype(array.dtype)


PASSED_ON = ("optimization_barrier", "stop_gradient", "copy")
MOVED = ("gather", "slice", "squeeze", "reshape", "dynamic_slice", "dynamic_update_slice", "concatenate", "stack")
EXACT = {
    "reduce_or": lambda a, axes, **_: np.any(a, axis=axes),
    "abs": lambda a, **_: np.abs(a),
    "sign": lambda a, **_: np.sign(a),
    "max": lambda a, b, **_: np.maximum(a, b),
    "min": lambda a, b, **_: np.minimum(a, b),
    "clamp": lambda low, x, high, **_: np.minimum(np.maximum(x, low), high),
    "round": lambda a, **_: np.rint(a),
    "reduce_precision": _reduced,
    "floor": lambda a, **_: np.floor(a),
    "eq": lambda a, b, **_: a == b,
    "ne": lambda a, b, **_: a != b,
    "lt": lambda a, b, **_: a < b,
    "le": lambda a, b, **_: a <= b,
    "gt": lambda a, b, **_: a > b,
    "ge": lambda a, b, **_: a >= b,
    "select_n": lambda which, no, yes, **_: np.where(which, yes, no),
    "broadcast_in_dim": _broadcast,
    "convert_element_type": lambda a, new_dtype, **_: a.astype(new_dtype),
    "bitcast_convert_type": lambda a, new_dtype, **_: a.view(new_dtype),
}
INTEGER = {
    "clz": _leading_zeros,
    "xor": lambda a, b, **_: a ^ b,
    "shift_right_arithmetic": lambda a, b, **_: a >> b,
    "add": lambda a, b, **_: a + b,
    "sub": lambda a, b, **_: a - b,
    "mul": lambda a, b, **_: a * b,
    "div": lambda a, b, **_: (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype),
    "rem": lambda a, b, **_: np.fmod(a, b),
    "neg": lambda a, **_: -a,
    "and": lambda a, b, **_: a & b,
    "or": lambda a, b, **_: a | b,
    "not": lambda a, **_: ~a,
    "shift_left": lambda a, b, **_: _shift(a, b, left=True),
    "shift_right_logical": lambda a, b, **_: _shift(a, b, left=False),
}
