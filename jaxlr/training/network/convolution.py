"""Convolution and max-pooling for image networks, with gradients that stay fast inside a compiled loop on CPU.

XLA's CPU backend has a fast convolution for one order of dimensions: images NHWC, kernel HWIO, result NHWC. jax writes
the convolutions of a gradient in other orders; XLA reorders them at the top level of a program but not in the body of a
loop, where each then takes a slow path (training took 7 to 25 times as long). Here they are written in that order; its
compiled program is read in `test_gradients_in_a_loop_are_in_the_order_that_is_fast_on_cpu`.
"""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")
# Up to here a product with the pixels under the kernel, written out, takes a third of the time of a convolution.
_FEW_CHANNELS = 4


@cache
def compiler_options(platform: str | None = None) -> dict[str, str]:
    """Options for `jax.jit` with which XLA runs a convolution on all cores of a CPU; none elsewhere.

    An XLA that knows the option would give convolutions to a library that runs each on one core.

    Args:
      platform: of the devices that the program is for; None: jax's own choice.

    Example:
      >>> total = jax.jit(jnp.sum, compiler_options=compiler_options())
      >>> total(jnp.ones(3)).item()
      3.0
    """
    options = {"xla_cpu_experimental_ynn_fusion_type": ""}
    if (platform or jax.default_backend()) != "cpu":
        return {}
    try:
        jax.jit(jnp.negative, compiler_options=options).lower(1.0).compile()
    except jax.errors.JaxRuntimeError:  # an XLA without that library, or without a choice
        return {}
    return options


def convolve(images: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Convolves images with a kernel, padded with zeros so that stride 1 keeps the size ("SAME").

    The same numbers and gradients as `jax.lax.conv_general_dilated`, up to the order of sums. Reverse-mode
    differentiation only, of any order.

    Args:
      images: (N, H, W, C).
      kernel: (h, w, C, D).
      stride: pixels between two results along both sides; at most the kernel's sides.

    Returns:
      (N, ceil(H / stride), ceil(W / stride), D).

    Example:
      >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
      >>> convolve(image, jnp.ones((3, 3, 1, 1)))[0, :, :, 0].tolist()
      [[8.0, 15.0, 12.0], [21.0, 36.0, 27.0], [20.0, 33.0, 24.0]]
    """
    if not 1 <= stride <= min(kernel.shape[:2]):
        raise ValueError(f"stride must be from 1 to {min(kernel.shape[:2])}, the side of the kernel, got {stride}")
    return _convolution(images, kernel, stride)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolution(images: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return lax.platform_dependent(
        images, kernel, cpu=partial(_convolve_on_cpu, stride), default=partial(_convolve, stride)
    )


def _remember(images: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolution(images, kernel, stride), (images, kernel)


def _gradients(stride: int, inputs: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    return lax.platform_dependent(
        *inputs, gradient, cpu=partial(_gradients_on_cpu, stride), default=partial(_gradients_by_jax, stride)
    )


_convolution.defvjp(_remember, _gradients)


def _convolve(stride: int, images: jax.Array, kernel: jax.Array) -> jax.Array:
    padding = _padding(images, kernel, stride)
    return lax.conv_general_dilated(images, kernel, (stride, stride), padding, dimension_numbers=_LAYOUT)


def _gradients_by_jax(
    stride: int, images: jax.Array, kernel: jax.Array, gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return jax.vjp(partial(_convolve, stride), images, kernel)[1](gradient)


def _convolve_on_cpu(stride: int, images: jax.Array, kernel: jax.Array) -> jax.Array:
    if _has_few_channels(images):
        return jnp.tensordot(_patches(images, kernel, stride), kernel.reshape(-1, kernel.shape[3]), 1)
    return _in_order(images, kernel, _padding(images, kernel, stride), stride=stride)


def _gradients_on_cpu(
    stride: int, images: jax.Array, kernel: jax.Array, gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    padding = _padding(images, kernel, stride)
    # With the kernel turned round, its channels exchanged.
    opposite = [(side - 1 - low, side - 1 - high) for side, (low, high) in zip(kernel.shape[:2], padding, strict=True)]
    of_images = _in_order(gradient, kernel[::-1, ::-1].swapaxes(2, 3), opposite, spread=stride)
    if _has_few_channels(images):
        axes = (0, 1, 2)
        of_kernel = jnp.tensordot(_patches(images, kernel, stride), gradient, (axes, axes)).reshape(kernel.shape)
    else:
        # With the gradient as the kernel: examples take the place of channels.
        images, gradient = images.transpose(3, 1, 2, 0), gradient.transpose(1, 2, 0, 3)
        of_kernel = _in_order(images, gradient, padding, kernel_spread=stride).transpose(1, 2, 0, 3)
    return of_images, of_kernel


def _has_few_channels(images: jax.Array) -> bool:
    return images.shape[3] <= _FEW_CHANNELS


def _patches(images: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The pixels under the kernel at each of its places: (N, ceil(H / stride), ceil(W / stride), h w C)."""
    (height, width), padding = kernel.shape[:2], _padding(images, kernel, stride)
    images = jnp.pad(images, ((0, 0), *padding, (0, 0)))
    rows, columns = (side - size + 1 for side, size in zip(images.shape[1:3], (height, width), strict=True))
    shifted = [
        images[:, row : row + rows : stride, column : column + columns : stride]
        for row in range(height)
        for column in range(width)
    ]
    return jnp.concatenate(shifted, axis=3)


def _in_order(
    images: jax.Array,
    kernel: jax.Array,
    padding: list[tuple[int, int]],
    *,
    stride: int = 1,
    spread: int = 1,
    kernel_spread: int = 1,
) -> jax.Array:
    """A convolution that XLA leaves in its order; a spread of k sets k - 1 zeros between two pixels."""
    if math.prod(kernel.shape[:2]) > math.prod(images.shape[1:3]):
        # A kernel larger than the images would be exchanged with them, and the order too: the test has such sides.
        borders = [(0, 0, 0), *((low, high, spread - 1) for low, high in padding), (0, 0, 0)]
        images = lax.optimization_barrier(lax.pad(images, jnp.zeros((), images.dtype), borders))
        padding, spread = [(0, 0), (0, 0)], 1
    return lax.conv_general_dilated(
        images,
        kernel,
        (stride, stride),
        padding,
        lhs_dilation=(spread, spread),
        rhs_dilation=(kernel_spread, kernel_spread),
        dimension_numbers=_LAYOUT,
    )


def _padding(images: jax.Array, kernel: jax.Array, stride: int) -> list[tuple[int, int]]:
    return lax.padtype_to_pads(images.shape[1:3], kernel.shape[:2], (stride, stride), "SAME")


def max_pool(images: jax.Array) -> jax.Array:
    """The largest of each 2x2 pixels; an odd last row or column is left out.

    The gradient goes to the first of equals.

    Args:
      images: (N, H, W, C).

    Returns:
      (N, floor(H / 2), floor(W / 2), C).

    Example:
      >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
      [[5.0, 7.0], [13.0, 15.0]]
    """
    _, height, width, _ = images.shape
    return _max_pool(images[:, : height // 2 * 2, : width // 2 * 2])


@jax.custom_vjp
def _max_pool(images: jax.Array) -> jax.Array:
    return _largest(images)[0]


def _largest(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The largest of each 2x2 pixels, and which of the four it is (int8)."""
    examples, height, width, channels = images.shape
    # A reduction: a chain of maxima may be fused into each of its users, and worked out again there.
    largest = images.reshape(examples, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    a, b, c = (images[:, row::2, column::2] == largest for row, column in ((0, 0), (0, 1), (1, 0)))
    which = jnp.where(a, 0, jnp.where(b, 1, jnp.where(c, 2, 3)))
    return largest, which.astype(jnp.int8)


def _scatter(which: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    examples, height, width, channels = gradient.shape
    which, gradient = (array[:, :, None, :, None, :] for array in (which, gradient))
    pixel = jnp.arange(4, dtype=jnp.int8).reshape(1, 1, 2, 1, 2, 1)
    scattered = jnp.where(which == pixel, gradient, jnp.zeros_like(gradient))
    return (scattered.reshape(examples, 2 * height, 2 * width, channels),)


_max_pool.defvjp(_largest, _scatter)
