"""What the exact values of the schedules are made of: mpmath at 300 bits. This file never imports jaxlr."""

import mpmath

mpmath.mp.prec = 300
mpf = mpmath.mpf


def ulps(value, exact):
    """The distance of a float32 from the exact number, in units in the last place of the exact number."""
    exact = mpf(exact)
    if abs(exact) < mpf(2) ** -126:  # may flush to 0
        return mpf(0) if abs(mpf(float(value))) <= mpf(2) ** -126 else mpf("inf")
    exponent = mpmath.floor(mpmath.log(abs(exact), 2))
    return abs(mpf(float(value)) - exact) / mpf(2) ** (exponent - 23)


def power(base, exponent):
    if exponent == 0:
        return mpf(1)
    return mpf(0) if base == 0 else mpmath.exp(mpf(exponent) * mpmath.log(mpf(base)))


def resumed(n, end, begin, phase):
    """The place on a way of `end` updates of which a share, `phase`, was done at `begin`; over if it begins there."""
    if n >= end or not (begin or phase):
        return n
    if begin >= end:
        return mpf(end)
    return end * (mpf(phase) + (1 - mpf(phase)) * max(n - begin, 0) / mpf(end - begin))


def near_integer(x):
    """What a schedule takes for an integer, and for its last count."""
    nearest = mpmath.nint(x)
    return min(nearest if abs(x - nearest) <= x / 2**40 else x, mpf(2**32 - 1))
