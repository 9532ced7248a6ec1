"""Convolution and pooling against jax's own, and the form in which their gradients reach XLA."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jaxlr.training.network.convolution import convolve, max_pool

CASES = [
    pytest.param((4, 8, 8, 1), (3, 3, 1, 5), 1, id="one channel"),
    pytest.param((6, 7, 9, 3), (3, 3, 3, 4), 1, id="odd sides"),
    pytest.param((5, 6, 6, 2), (3, 3, 2, 3), 1, id="a batch that does not split"),
    pytest.param((4, 5, 5, 2), (5, 5, 2, 2), 1, id="5x5"),
    pytest.param((4, 6, 6, 2), (2, 2, 2, 2), 1, id="2x2"),
    pytest.param((4, 8, 8, 2), (3, 3, 2, 3), 2, id="stride 2, even"),
    pytest.param((4, 7, 9, 2), (3, 3, 2, 3), 2, id="stride 2, odd"),
    pytest.param((2, 8, 7, 2), (3, 3, 2, 3), 3, id="stride 3"),
    pytest.param((4, 1, 1, 2), (3, 3, 2, 3), 2, id="one pixel"),
]


def of_jax(images, kernel, stride):
    return lax.conv_general_dilated(
        images, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def integers(seed, *shape):
    """Small integers, of which every sum is exact in float32 in any order."""
    return jnp.asarray(np.random.default_rng(seed).integers(-4, 5, shape), jnp.float32)


@pytest.mark.parametrize(("image_shape", "kernel_shape", "stride"), CASES)
def test_convolution_and_its_gradients_are_those_of_jax(image_shape, kernel_shape, stride):
    images, kernel = integers(0, *image_shape), integers(1, *kernel_shape)
    expected, expected_vjp = jax.vjp(lambda i, k: of_jax(i, k, stride), images, kernel)
    result, vjp = jax.vjp(lambda i, k: convolve(i, k, stride), images, kernel)
    np.testing.assert_array_equal(result, expected)
    gradient = integers(2, *expected.shape)
    for ours, theirs in zip(vjp(gradient), expected_vjp(gradient), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("stride", [1, pytest.param(2, marks=pytest.mark.ci)])
def test_second_derivatives_are_those_of_jax(stride):
    images, kernel, direction = integers(0, 4, 6, 6, 2), integers(1, 3, 3, 2, 3), integers(2, 3, 3, 2, 3)

    def slope(convolution):
        gradient = jax.grad(lambda k: (convolution(images, k, stride) ** 3).sum())
        return jax.grad(lambda k: (gradient(k) * direction).sum())(kernel)

    np.testing.assert_array_equal(slope(convolve), slope(of_jax))


def test_convolution_vmaps_over_kernels():
    images, kernels = integers(0, 4, 6, 6, 2), integers(1, 3, 3, 3, 2, 2)
    gradients = jax.vmap(jax.grad(lambda k: (convolve(images, k) ** 2).sum()))(kernels)
    expected = [jax.grad(lambda k: (of_jax(images, k, 1) ** 2).sum())(kernel) for kernel in kernels]
    np.testing.assert_array_equal(gradients, jnp.stack(expected))


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the order of dimensions matters on CPU alone")
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("sides", [(8, 8), (4, 3), (2, 2)])
def test_gradients_in_a_loop_are_in_the_order_that_is_fast_on_cpu(sides, stride):
    def descend(kernels, images):
        def loss(kernels):
            return (convolve(convolve(images, kernels[0], stride), kernels[1], stride) ** 2).sum()

        def step(_, kernels):
            return jax.tree.map(lambda k, g: k - g, kernels, jax.grad(loss)(kernels))

        return lax.fori_loop(0, len(images), step, kernels)

    kernels = (integers(0, 3, 3, 3, 4), integers(1, 3, 3, 4, 5))
    text = jax.jit(descend).lower(kernels, integers(2, 4, *sides, 3)).compile().as_text()
    orders = set(re.findall(r"dim_labels=(\S+?)[,\s]", text))
    assert orders == {"b01f_01io->b01f"}


def test_a_stride_beyond_the_kernel_is_refused():
    with pytest.raises(ValueError, match="stride must be from 1 to 3, the side of the kernel, got 4"):
        convolve(jnp.zeros((1, 8, 8, 1)), jnp.zeros((3, 3, 1, 1)), 4)


@pytest.mark.parametrize("sides", [(8, 8), (7, 9), (2, 3)])
@pytest.mark.parametrize("values", ["different", "many equal"])
def test_max_pool_and_its_gradient_are_those_of_flax(sides, values):
    shape = (3, *sides, 2)
    different = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    images = jnp.asarray(different) if values == "different" else integers(0, *shape) // 3
    expected, expected_vjp = jax.vjp(lambda x: nnx.max_pool(x, (2, 2), strides=(2, 2)), images)
    result, vjp = jax.vjp(max_pool, images)
    np.testing.assert_array_equal(result, expected)
    gradient = integers(1, *expected.shape)
    np.testing.assert_array_equal(vjp(gradient)[0], expected_vjp(gradient)[0])
