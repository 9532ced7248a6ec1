"""The weight that a running mean from 0 has gathered, `1 - b ** t`, to a few ulps for every b and t."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.hyperparameters import NumberOrSchedule

_BITS = 32  # the count is an int32; a power of two, so that the product below halves evenly


def one_minus_power(name: str, base: NumberOrSchedule, count: jax.Array, exponent: jax.Array) -> jax.Array:
    """`1 - base ** exponent`, float32; a scheduled base is that of `count`, as PyTorch takes it.

    Every number x stands as `1 - x`, so that nothing cancels: `1 - x y = u + v (1 - u)` for u = 1 - x and v = 1 - y.
    With the powers of two of the exponent that is a few dozen operations on scalars, and no logarithm, of which a TPU
    has ten bits.
    """
    powers = _known_powers(base) if isinstance(base, float) else _powers(name, base, count)
    chosen = (exponent.astype(jnp.uint32) >> jnp.arange(_BITS, dtype=jnp.uint32)) & 1
    product = jnp.where(chosen == 1, powers, 0.0)
    while product.size > 1:
        left, right = jnp.split(product, 2)
        product = _complement_of_product(left, right)
    # Computed once, not again for every element of the arrays that it scales.
    return jax.lax.optimization_barrier(product[0])


def _known_powers(base: float) -> jax.Array:
    with np.errstate(divide="ignore"):
        return jnp.asarray(-np.expm1(np.log(base) * 2.0 ** np.arange(_BITS)), dtype=jnp.float32)


def _powers(name: str, base: NumberOrSchedule, count: jax.Array) -> jax.Array:
    powers = [hyperparameters.one_minus_at_count(name, base, count)]
    for _ in range(_BITS - 1):
        powers.append(_complement_of_product(powers[-1], powers[-1]))
    return jnp.stack(powers)


def _complement_of_product(u: jax.Array, v: jax.Array) -> jax.Array:
    return u + v * (1.0 - u)
