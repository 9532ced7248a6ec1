"""What is defined from one update to the next."""

import mpmath
from reference import mpf
from rows import ANY, of, row


def time_based(n, init_value, decay_rate):
    """By the gamma function: prod_{k<n} (1 + d k) = d**n gamma(n + 1/d) / gamma(1/d), at 900 bits."""
    with mpmath.workprec(900):
        if decay_rate == 0 or n == 0:
            return mpf(init_value)
        d = mpf(decay_rate)
        logarithm = n * mpmath.log(d) + mpmath.loggamma(n + 1 / d) - mpmath.loggamma(1 / d)
        return mpf(init_value) * mpmath.exp(-logarithm)


def time_based_draw(dice):
    rate = dice.decay_rate()
    return {"init_value": dice.rate(), "decay_rate": rate}, [15, 1 / rate, *(k / rate**0.5 for k in (1, 3, 8, 12))]


row(
    time_based,
    time_based_draw,
    examples={
        "time_based": of(15, 16, 17, 40, init_value=0.1, decay_rate=0.01),
        "time_based_slow": of(10**6, init_value=0.1, decay_rate=1e-12),
    },
    numbers=ANY | {"decay_rate": (1e-4, 0.1)},
)
