"""tf_keras 2.21, Keras 2 as it lives on, and the functions `tf.compat.v1.train.*_decay` that it stands under.

The functions have their own names, arguments and defaults without `global_step` (or `x`), of which a schedule is a
function; the classes are those of `dialects.keras`, and the two that Keras 3 has no more. Lengths are updates, the end
is reached at `decay_steps`, the first update has the first rate.

The source's defects, and what is done here instead: those of `dialects.keras`. `noisy_linear_cosine_decay` draws from a
generator, so that a rate that is looked at twice is two rates, and `seed` says nothing after a restart; here the noise
is a function of the count and the seed, of the same distribution. A noisy rate may be below 0, there and here.
"""

from jaxlr.dialects.keras.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from jaxlr.dialects.tf_keras.decays import (
    LinearCosineDecay,
    NoisyLinearCosineDecay,
    cosine_decay,
    cosine_decay_restarts,
    exponential_decay,
    inverse_time_decay,
    linear_cosine_decay,
    natural_exp_decay,
    noisy_linear_cosine_decay,
    piecewise_constant,
    polynomial_decay,
)

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LinearCosineDecay",
    "NoisyLinearCosineDecay",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "cosine_decay",
    "cosine_decay_restarts",
    "exponential_decay",
    "inverse_time_decay",
    "linear_cosine_decay",
    "natural_exp_decay",
    "noisy_linear_cosine_decay",
    "piecewise_constant",
    "polynomial_decay",
]
