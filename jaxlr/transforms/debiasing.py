"""The weight that a running mean from 0 has gathered, `1 - b ** t`, to a few ulps for every b and t."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxlr.transforms.hyperparameters import Hyperparameter

_BITS = 31  # of an int32 count


def one_minus_power(base: Hyperparameter, count: jax.Array, exponent: jax.Array) -> jax.Array:
    """`1 - base ** exponent`, float32; a scheduled base is that of `count`, as PyTorch takes it.

    Every number x stands as `1 - x`, so that nothing cancels: `1 - x y = u + v (1 - u)` for u = 1 - x and v = 1 - y.
    With the powers of two of the exponent that is a few dozen operations on scalars, and no logarithm, of which a TPU
    has ten bits.
    """
    if isinstance(base.value, float):
        return _gathered(tuple(_powers(base, count)), exponent)
    return _gather(_powers(base, count), exponent)


def _gather(powers: Iterable[jax.typing.ArrayLike], exponent: jax.Array) -> jax.Array:
    gathered = [jnp.where((exponent >> bit) & 1 == 1, power, jnp.float32(0)) for bit, power in enumerate(powers)]
    while len(gathered) > 1:  # in pairs: one behind the other they would take a processor a tenth of a microsecond
        pairs = zip(gathered[::2], gathered[1::2], strict=False)
        gathered = [_complement_of_product(u, v) for u, v in pairs] + gathered[len(gathered) // 2 * 2 :]
    # Computed once, not again for every element of the arrays that it scales.
    return jax.lax.optimization_barrier(jnp.asarray(gathered[0]))


# Where nothing is traced, one call in place of hundreds; where something is, the same program as without.
_gathered = jax.jit(_gather, static_argnums=0, inline=True)


def _powers(base: Hyperparameter, count: jax.Array) -> Iterator[jax.typing.ArrayLike]:
    """`1 - base ** (2 ** bit)` for every bit."""
    if isinstance(base.value, float):
        with np.errstate(divide="ignore"):
            yield from (-np.expm1(np.log(base.value) * 2.0 ** np.arange(_BITS))).astype(np.float32)
        return
    power = base.one_minus(count)
    for _ in range(_BITS):
        yield power
        power = _complement_of_product(power, power)


def _complement_of_product(u: jax.typing.ArrayLike, v: jax.typing.ArrayLike) -> jax.typing.ArrayLike:
    return u + v * (1.0 - u)
