"""A small convolutional network for images, in nnx: Flax's documented API, the one that its users meet first."""

from __future__ import annotations

from numbers import Integral
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jax.typing import DTypeLike

from jaxlr.training.network.convolution import convolve, max_pool

Downsample = Literal["pool", "stride"]

_KERNEL = (3, 3)
_EPSILON = 1e-5
_MOMENTUM = 0.9  # of the running mean and variance
# He et al.: a zero-mean normal whose variance, 2 / (inputs of a unit), keeps the size of the signal through a relu.
_NORMAL = nnx.initializers.variance_scaling(2.0, "fan_in", "normal")


class Block(nnx.Module):
    """A 3x3 convolution, batch normalization, relu, and half the height and width.

    y = conv(x), z = relu(scale (y - mean(y)) / sqrt(var(y) + 1e-5) + bias), then the largest of each 2x2 of z ("pool")
    or, with "stride", a convolution with stride 2 in the first place.

    While training, mean and variance are those of the batch; in evaluation (`model.eval()`) running means of them.

    Args:
      in_channels: channels of the input.
      out_channels: channels of the output.
      downsample: "pool" or "stride".
      dtype: in which it computes; parameters, mean and variance are float32.
      rngs: where the initial kernel comes from.

    Example:
      >>> block = Block(1, 4, downsample="pool", rngs=nnx.Rngs(0))
      >>> block.eval()
      >>> jax.eval_shape(block, jnp.ones((2, 32, 32, 1))).shape
      (2, 16, 16, 4)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        downsample: Downsample,
        dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.downsample: Downsample = downsample
        self.dtype: DTypeLike = dtype
        self.kernel: nnx.Param[jax.Array] = nnx.Param(_NORMAL(rngs.params(), (*_KERNEL, in_channels, out_channels)))
        self.scale: nnx.Param[jax.Array] = nnx.Param(jnp.ones(out_channels))
        self.bias: nnx.Param[jax.Array] = nnx.Param(jnp.zeros(out_channels))
        self.mean: nnx.BatchStat[jax.Array] = nnx.BatchStat(jnp.zeros(out_channels))
        self.variance: nnx.BatchStat[jax.Array] = nnx.BatchStat(jnp.ones(out_channels))
        # The name that nnx.BatchNorm has for it, so that model.train() and model.eval() set it.
        self.use_running_average: bool = False

    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images (N, H, W, in_channels) to (N, about H / 2, about W / 2, out_channels)."""
        outputs = convolve(images, self.kernel[...].astype(self.dtype), 2 if self.downsample == "stride" else 1)
        mean, variance = self._statistics(outputs)
        scale = self.scale[...]
        if self.downsample == "pool":
            # Normalization and relu keep or reverse the order of pixels: pooled first, they cost a quarter.
            sign = jnp.where(scale < 0, -1.0, 1.0).astype(self.dtype)
            outputs = sign * max_pool(sign * outputs)
        normalized = (outputs - mean) * (scale * lax.rsqrt(variance + _EPSILON)) + self.bias[...]
        return nnx.relu(normalized).astype(self.dtype)

    def _statistics(self, outputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        if self.use_running_average:
            return self.mean[...], self.variance[...]
        outputs = outputs.astype(jnp.float32)
        mean = outputs.mean(axis=(0, 1, 2))
        variance = jnp.maximum(jnp.square(outputs).mean(axis=(0, 1, 2)) - jnp.square(mean), 0.0)
        self.mean[...] = _MOMENTUM * self.mean[...] + (1 - _MOMENTUM) * mean
        self.variance[...] = _MOMENTUM * self.variance[...] + (1 - _MOMENTUM) * variance
        return mean, variance


class CNN(nnx.Module):
    """Blocks of convolution, batch normalization, relu and downsampling, then two dense layers.

    Each block halves the image and has twice the channels of the one before it. Dropout acts on the input of the last
    dense layer while training, never in evaluation. Weights start from a zero-mean normal, biases at 0.

    Args:
      image_shape: (height, width, channels).
      classes: outputs of the network, at least 2.
      width: channels of the first block.
      depth: blocks; 2**depth is at most the shorter side of the image.
      dense: units of the first dense layer.
      dropout: share of the last dense layer's inputs that is dropped, in [0, 1).
      downsample: "pool" halves the image by the largest of each 2x2 pixels, "stride" by a convolution with stride 2.
      dtype: in which it computes: float32 or bfloat16; parameters, running statistics and outputs are float32.
      rngs: where the initial weights and the dropout come from.

    Raises:
      ValueError, TypeError: an argument is out of range or of the wrong kind.

    Example:
      >>> model = CNN((28, 28, 1), 10, rngs=nnx.Rngs(0))
      >>> model.eval()
      >>> jax.eval_shape(model, jnp.zeros((5, 28, 28, 1), jnp.uint8)).shape
      (5, 10)
      >>> CNN((8, 8, 1), 10, depth=4, rngs=nnx.Rngs(0))
      Traceback (most recent call last):
      ValueError: depth must be at most 3 for images of 8x8, each block halves them; got 4

    References:
      Ioffe and Szegedy, Batch Normalization, 2015, arXiv:1502.03167
      He et al., Delving Deep into Rectifiers, 2015, arXiv:1502.01852
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        classes: int,
        *,
        width: int = 32,
        depth: int = 2,
        dense: int = 128,
        dropout: float = 0.5,
        downsample: Downsample = "pool",
        dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        height, width_of_image, channels = _check_image_shape(image_shape)
        _check_integer("classes", classes, minimum=2)
        for name, value in (("width", width), ("depth", depth), ("dense", dense)):
            _check_integer(name, value)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout!r}")
        if downsample not in get_args(Downsample):
            raise ValueError(f"downsample must be one of {', '.join(get_args(Downsample))}, got {downsample!r}")
        deepest = min(height, width_of_image).bit_length() - 1
        if deepest < 1:
            raise ValueError(f"images of {height}x{width_of_image} are too small: a block halves them; at least 2x2")
        if depth > deepest:
            raise ValueError(
                f"depth must be at most {deepest} for images of {height}x{width_of_image}, "
                f"each block halves them; got {depth}"
            )
        blocks = []
        for block in range(depth):
            blocks.append(Block(channels, width * 2**block, downsample=downsample, dtype=dtype, rngs=rngs))
            channels = width * 2**block
            height, width_of_image = (_halve(side, downsample) for side in (height, width_of_image))
        self.dtype: DTypeLike = dtype
        self.blocks: nnx.Sequential = nnx.Sequential(*blocks)
        pixels = height * width_of_image * channels
        self.hidden: nnx.Linear = nnx.Linear(pixels, dense, kernel_init=_NORMAL, dtype=dtype, rngs=rngs)
        self.dropout: nnx.Dropout = nnx.Dropout(dropout, rngs=rngs)
        self.output: nnx.Linear = nnx.Linear(dense, classes, kernel_init=_NORMAL, dtype=dtype, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps images (N, height, width, channels) to outputs (N, classes); bytes are divided by 255, floats not."""
        if images.dtype == jnp.uint8:
            images = images.astype(jnp.float32) / 255
        features = self.blocks(images.astype(self.dtype))
        features = features.reshape(len(features), -1)
        return self.output(self.dropout(nnx.relu(self.hidden(features)))).astype(jnp.float32)


def _halve(side: int, downsample: Downsample) -> int:
    return side // 2 if downsample == "pool" else -(-side // 2)


def _check_image_shape(image_shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(image_shape) != 3:
        raise ValueError(f"image_shape must be (height, width, channels), got {image_shape!r}")
    for side in image_shape:
        _check_integer("image_shape", side)
    height, width, channels = image_shape
    return height, width, channels


def _check_integer(name: str, value: int, *, minimum: int = 1) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
