"""The network against the same network of Flax's own layers."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxlr.training.data.datasets import load_dataset
from jaxlr.training.network.models import CNN
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.starting.assembly import make_model

CASES = [((8, 8, 1), "pool"), ((7, 10, 2), "pool"), ((7, 10, 2), "stride"), ((8, 8, 1), "stride")]


class FlaxCNN(nnx.Module):
    """The layers in their textbook order: convolution, batch normalization, relu, pooling."""

    def __init__(self, channels, width, features, downsample):
        options = {"kernel_init": nnx.initializers.zeros, "rngs": nnx.Rngs(0)}
        strides = 2 if downsample == "stride" else 1
        self.downsample = downsample
        self.conv0 = nnx.Conv(channels, width, (3, 3), strides=strides, use_bias=False, **options)
        self.norm0 = nnx.BatchNorm(width, momentum=0.9, rngs=nnx.Rngs(0))
        self.conv1 = nnx.Conv(width, 2 * width, (3, 3), strides=strides, use_bias=False, **options)
        self.norm1 = nnx.BatchNorm(2 * width, momentum=0.9, rngs=nnx.Rngs(0))
        self.hidden = nnx.Linear(features, 16, **options)
        self.output = nnx.Linear(16, 10, **options)

    def __call__(self, x):
        for convolution, normalization in ((self.conv0, self.norm0), (self.conv1, self.norm1)):
            x = nnx.relu(normalization(convolution(x)))
            if self.downsample == "pool":
                x = nnx.max_pool(x, (2, 2), strides=(2, 2))
        return self.output(nnx.relu(self.hidden(x.reshape(len(x), -1))))


def make_pair(shape, downsample):
    """A `CNN` with random scales of both signs, and Flax's network with the same numbers."""
    random = np.random.default_rng(1)
    ours = CNN(shape, 10, width=4, dense=16, dropout=0.0, downsample=downsample, rngs=nnx.Rngs(1))
    theirs = FlaxCNN(shape[2], 4, ours.hidden.kernel.shape[0], downsample)
    for index, block in enumerate(ours.blocks.layers):
        block.scale[...] = jnp.asarray(random.normal(size=block.scale.shape), jnp.float32)
        block.bias[...] = jnp.asarray(random.normal(size=block.bias.shape), jnp.float32)
        convolution, normalization = getattr(theirs, f"conv{index}"), getattr(theirs, f"norm{index}")
        convolution.kernel[...] = block.kernel[...]
        normalization.scale[...], normalization.bias[...] = block.scale[...], block.bias[...]
    for layer in ("hidden", "output"):
        getattr(theirs, layer).kernel[...] = getattr(ours, layer).kernel[...]
    return ours, theirs


def random_images(shape, examples=6):
    return jnp.asarray(np.random.default_rng(0).random((examples, *shape)), jnp.float32)


@nnx.jit
def outputs_and_gradients(model, images):
    def loss(model):
        outputs = model(images)
        return jnp.square(outputs).mean(), outputs

    gradients, outputs = nnx.grad(loss, has_aux=True)(model)
    return outputs, gradients


@pytest.mark.ci
@pytest.mark.parametrize(("shape", "downsample"), CASES, ids=str)
def test_outputs_gradients_and_running_statistics_are_those_of_flax(shape, downsample):
    ours, theirs = make_pair(shape, downsample)
    images = random_images(shape)
    (our_outputs, our_gradients), (outputs, gradients) = (
        outputs_and_gradients(model, images) for model in (ours, theirs)
    )
    np.testing.assert_allclose(our_outputs, outputs, rtol=1e-4, atol=1e-4)
    pairs = [(our_gradients.hidden.kernel, gradients.hidden.kernel)]
    for index, block in our_gradients.blocks.layers.items():
        convolution, normalization = gradients[f"conv{index}"], gradients[f"norm{index}"]
        pairs += [(block.kernel, convolution.kernel), (block.scale, normalization.scale)]
        pairs += [(block.bias, normalization.bias)]
    for index, block in enumerate(ours.blocks.layers):
        normalization = getattr(theirs, f"norm{index}")
        pairs += [(block.mean, normalization.mean), (block.variance, normalization.var)]
    for own, flax in pairs:
        np.testing.assert_allclose(own[...], flax[...], rtol=1e-3, atol=1e-5)
    ours.eval()
    theirs.eval()
    np.testing.assert_allclose(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.fixture
def small():
    return CNN((8, 8, 1), 10, width=4, depth=1, dense=16, dropout=0.5, rngs=nnx.Rngs(0))


def test_dropout_acts_on_the_last_dense_layer_while_training_and_never_in_evaluation(small):
    images = random_images((8, 8, 1))
    assert (small(images) != small(images)).any()
    np.testing.assert_array_equal(small.blocks(images), small.blocks(images))
    dropped = small.dropout(jnp.ones((400, 16)))
    assert set(np.unique(dropped)) == {0.0, 2.0}
    assert abs(float((dropped == 0).mean()) - 0.5) < 0.03
    small.eval()
    np.testing.assert_array_equal(small(images), small(images))
    np.testing.assert_array_equal(small.dropout(jnp.ones(16)), jnp.ones(16))


def test_bytes_are_scaled_and_floats_are_not(small):
    small.eval()
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    np.testing.assert_allclose(small(jnp.asarray(images)), small(jnp.asarray(images, jnp.float32) / 255), rtol=1e-5)
    assert (small(jnp.asarray(images)) != small(jnp.asarray(images, jnp.float32))).any()


@pytest.mark.ci
def test_weights_come_from_a_zero_mean_normal():
    model = CNN((16, 16, 1), 10, width=16, dense=64, rngs=nnx.Rngs(0))
    for kernel, variance in [
        (model.blocks.layers[1].kernel[...], 2 / (9 * 16)),
        (model.hidden.kernel[...], 2 / (4 * 4 * 32)),
    ]:
        standard = np.asarray(kernel).ravel() / np.sqrt(variance)
        assert abs(standard.mean()) < 4 / np.sqrt(standard.size)
        assert abs(standard.std() - 1) < 4 / np.sqrt(2 * standard.size)
        # A truncated normal has none beyond 2.3.
        assert abs((np.abs(standard) > 2.5).mean() - 0.01242) < 0.006


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (9, 5, 4)], ids=str)
@pytest.mark.parametrize("downsample", ["pool", "stride"])
def test_any_image_shape_will_do(shape, downsample):
    def outputs():
        return CNN(shape, 10, downsample=downsample, rngs=nnx.Rngs(0))(jnp.zeros((3, *shape), jnp.uint8))

    assert nnx.eval_shape(outputs).shape == (3, 10)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_each_block_doubles_the_channels_and_halves_the_image(depth):
    model = nnx.eval_shape(lambda: CNN((28, 28, 1), 10, width=4, depth=depth, rngs=nnx.Rngs(0)))
    assert [block.kernel.shape[3] for block in model.blocks.layers] == [4, 8, 16][:depth]
    assert model.hidden.kernel.shape[0] == [14 * 14 * 4, 7 * 7 * 8, 3 * 3 * 16][depth - 1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"depth": 4}, "depth must be at most 3 for images of 8x9, each block halves them; got 4"),
        ({"depth": 4, "downsample": "stride"}, "depth must be at most 3"),
        ({"dense": -1}, "dense must be at least 1, got -1"),
        ({"dropout": 1.0}, "dropout must be in [0, 1), got 1.0"),
        ({"dropout": -0.1}, "dropout must be in [0, 1), got -0.1"),
        ({"dropout": float("nan")}, "dropout must be in [0, 1), got nan"),
        ({"downsample": "average"}, "downsample must be one of pool, stride, got 'average'"),
        ({"classes": 1}, "classes must be at least 2, got 1"),
        ({"image_shape": (8, 8)}, "image_shape must be (height, width, channels), got (8, 8)"),
        ({"image_shape": (8, 0, 1)}, "image_shape must be at least 1, got 0"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_wrong_argument_is_named(wrong, message):
    arguments = {"image_shape": (8, 9, 1), "classes": 10, "rngs": nnx.Rngs(0), **wrong}
    with pytest.raises(ValueError, match=re.escape(message)):
        CNN(**arguments)


@pytest.mark.parametrize("name", ["width", "depth", "dense"])
def test_sizes_are_integers(name):
    with pytest.raises(TypeError, match=f"{name} must be an integer, got 2.0"):
        CNN((8, 8, 1), 10, **{name: 2.0}, rngs=nnx.Rngs(0))


@pytest.mark.ci
@pytest.mark.parametrize("downsample", ["pool", "stride"])
def test_bfloat16_is_for_computing_alone(downsample):
    make = partial(CNN, (8, 8, 1), 10, width=8, dense=16, dropout=0.0, downsample=downsample)
    exact, rough = (make(dtype=dtype, rngs=nnx.Rngs(0)) for dtype in (jnp.float32, jnp.bfloat16))
    images = random_images((8, 8, 1), examples=32)
    (outputs, gradients), (expected, expected_gradients) = (outputs_and_gradients(m, images) for m in (rough, exact))
    assert outputs.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves((nnx.state(rough, nnx.Param), gradients))} == {jnp.dtype("float32")}
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(rough, nnx.BatchStat))} == {jnp.dtype("float32")}
    error = np.abs(outputs - expected).max() / np.abs(expected).max()
    assert 1e-4 < error < 0.05
    for one, other in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected_gradients), strict=True):
        assert np.linalg.norm(one - other) < 0.2 * np.linalg.norm(other)
    rough.eval()
    program = str(jax.make_jaxpr(lambda images: rough(images))(images))
    assert "bf16[32,8,8,8]" in program or "bf16[32,4,4,8]" in program


def test_a_run_computes_in_the_precision_of_its_options():
    for precision in ("float32", "bfloat16"):
        config = TrainConfig(precision=precision, width=2, depth=1)
        assert make_model(config, load_dataset("digits")).dtype == jnp.dtype(precision)
