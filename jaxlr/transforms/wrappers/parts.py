"""Complex numbers as two real ones each, as PyTorch's optimizers take them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxlr.transforms.trees import like_updates


def real_and_imaginary(link: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """Runs a link on the real and the imaginary parts of complex arrays, each with moments of its own.

    The link's state is the state, where a complex array has moments with a last axis of 2. Real arrays pass.

    Example:
      >>> from jaxlr.transforms.moments.adam import scale_by_adam
      >>> link = real_and_imaginary(scale_by_adam(eps=0.0))
      >>> updates, _ = link.update(jnp.array([3.0 - 0.5j]), link.init(jnp.zeros(1, jnp.complex64)))
      >>> updates.round(5).tolist()
      [(1-1j)]
    """
    inner = optax.with_extra_args_support(link)

    def init(params: optax.Params) -> optax.OptState:
        return inner.init(jax.tree.map(_apart, params))

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, optax.OptState]:
        params = jax.tree.map(_apart, like_updates(params, updates))
        moved, state = inner.update(jax.tree.map(_apart, updates), state, params, **extra)
        return jax.tree.map(_together, moved, updates), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _apart(x: Any) -> Any:
    if not _is_complex(x):
        return x
    if isinstance(x, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct((*x.shape, 2), jnp.finfo(x.dtype).dtype)
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


def _together(parts: Any, like: Any) -> Any:
    return jax.lax.complex(parts[..., 0], parts[..., 1]) if _is_complex(like) else parts


def _is_complex(x: Any) -> bool:
    return jnp.issubdtype(getattr(x, "dtype", type(x)), jnp.complexfloating)
