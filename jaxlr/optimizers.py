"""Optimizers: short chains of the transformations, in PyTorch's order, that end by recording the learning rate.

A link whose number is known to be 0 is left out. Every optimizer computes in float32 and casts once, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import optax

from jaxlr.transforms.groups.masks import Mask
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule, choice, number_or_schedule
from jaxlr.transforms.moments.adam import scale_by_adam
from jaxlr.transforms.moments.momentum import scale_by_momentum
from jaxlr.transforms.moments.rms import scale_by_rmsprop
from jaxlr.transforms.penalties import add_weight_decay
from jaxlr.transforms.rate.learning_rate import scale_by_learning_rate
from jaxlr.transforms.rate.plateau import ReduceOnPlateau
from jaxlr.transforms.wrappers.precision import in_float32

__all__ = ["adam", "adamw", "rmsprop", "sgd"]


def sgd(
    learning_rate: NumberOrSchedule | ReduceOnPlateau,
    *,
    momentum: NumberOrSchedule = 0.0,
    dampening: Number = 0.0,
    nesterov: bool = False,
    weight_decay: NumberOrSchedule = 0.0,
    decoupled: bool = False,
    mask: Mask = None,
) -> optax.GradientTransformationExtraArgs:
    """Stochastic gradient descent, with momentum if wanted.

    m = momentum m + (1 - dampening) (g + weight_decay p), p -= rate m; the first m is undamped, as in PyTorch

    Args:
      learning_rate: a number, a schedule, or `reduce_on_plateau` over either.
      momentum: share of the buffer that stays, in [0, 1); a number or a schedule.
      dampening: share of each gradient that does not enter the buffer.
      nesterov: look one step ahead.
      weight_decay: a number or a schedule; an L2 penalty unless `decoupled`.
      decoupled: decay beside the momentum, p -= rate weight_decay p (SGDW).
      mask: which parameters decay, as for `add_weight_decay`.

    Returns:
      A gradient transformation for `optax.apply_updates`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp, optax
      >>> optimizer = sgd(0.5, momentum=0.5)
      >>> params = jnp.array([4.0])
      >>> state = optimizer.init(params)
      >>> for _ in range(2):
      ...   updates, state = optimizer.update(jnp.array([1.0]), state, params)
      ...   params = optax.apply_updates(params, updates)
      >>> float(params[0])
      2.75

    References:
      Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017, arXiv:1711.05101 (SGDW)
    """
    momentum = number_or_schedule("momentum", momentum, minimum=0.0, below=1.0)
    link = scale_by_momentum(momentum, dampening=dampening, nesterov=nesterov)
    links = [] if _is_zero(momentum) else [link]
    return _chain(links, learning_rate, weight_decay, decoupled, mask)


def rmsprop(
    learning_rate: NumberOrSchedule | ReduceOnPlateau,
    *,
    decay: NumberOrSchedule = 0.99,
    eps: Number = 1e-8,
    eps_in_sqrt: bool = False,
    centered: bool = False,
    momentum: NumberOrSchedule = 0.0,
    initial_scale: Number = 0.0,
    weight_decay: NumberOrSchedule = 0.0,
    decoupled: bool = False,
    mask: Mask = None,
) -> optax.GradientTransformationExtraArgs:
    """RMSprop with PyTorch's defaults and order: momentum before the rate.

    v = decay v + (1 - decay) g^2, m = momentum m + g / (sqrt(v) + eps), p -= rate m

    For the rate inside the momentum (Keras, TensorFlow):
    `chain(scale_by_rmsprop(...), scale_by_learning_rate(s), scale_by_momentum(0.9))`.

    Args:
      learning_rate: a number, a schedule, or `reduce_on_plateau` over either.
      decay: share of the mean square that stays, in [0, 1); a number or a schedule.
      eps: at least 0.
      eps_in_sqrt: eps inside the root (Keras, optax) in place of outside (PyTorch).
      centered: divide by the root of the variance.
      momentum: in [0, 1); a number or a schedule.
      initial_scale: v before the first update.
      weight_decay: a number or a schedule; an L2 penalty unless `decoupled`.
      decoupled: p -= rate weight_decay p beside the step.
      mask: which parameters decay, as for `add_weight_decay`.

    Returns:
      A gradient transformation for `optax.apply_updates`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = rmsprop(0.5, decay=0.75, eps=0.0)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.5]), optimizer.init(jnp.zeros(2)))
      >>> updates.tolist()
      [-1.0, 1.0]

    References:
      Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012
    """
    momentum = number_or_schedule("momentum", momentum, minimum=0.0, below=1.0)
    link = scale_by_rmsprop(decay, eps=eps, eps_in_sqrt=eps_in_sqrt, centered=centered, initial_scale=initial_scale)
    links = [link] if _is_zero(momentum) else [link, scale_by_momentum(momentum)]
    return _chain(links, learning_rate, weight_decay, decoupled, mask)


def adam(
    learning_rate: NumberOrSchedule | ReduceOnPlateau,
    *,
    b1: NumberOrSchedule = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    amsgrad: bool = False,
    weight_decay: NumberOrSchedule = 0.0,
    mask: Mask = None,
) -> optax.GradientTransformationExtraArgs:
    """Adam; the weight decay is an L2 penalty whose gradient enters the moments, as in PyTorch's Adam.

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p -= rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Args:
      learning_rate: a number, a schedule, or `reduce_on_plateau` over either.
      b1: in [0, 1); a number or a schedule.
      b2: in [0, 1).
      eps: at least 0.
      amsgrad: divide by the largest v so far.
      weight_decay: a number or a schedule.
      mask: which parameters decay, as for `add_weight_decay`.

    Returns:
      A gradient transformation for `optax.apply_updates`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = adam(0.5)
      >>> updates, _ = optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(5).tolist()
      [-0.5, 0.5]

    References:
      Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014, arXiv:1412.6980
    """
    choice("amsgrad", amsgrad, (False, True))
    link = scale_by_adam(b1, b2, eps=eps, amsgrad="raw" if amsgrad else False)
    return _chain([link], learning_rate, weight_decay, False, mask)


def adamw(
    learning_rate: NumberOrSchedule | ReduceOnPlateau,
    *,
    b1: NumberOrSchedule = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    amsgrad: bool = False,
    weight_decay: NumberOrSchedule = 0.01,
    mask: Mask = None,
) -> optax.GradientTransformationExtraArgs:
    """Adam with decoupled weight decay: beside the adaptive step, times the rate.

    p -= rate ((m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay p)

    Args:
      learning_rate: a number, a schedule, or `reduce_on_plateau` over either.
      b1: in [0, 1); a number or a schedule.
      b2: in [0, 1).
      eps: at least 0.
      amsgrad: divide by the largest v so far.
      weight_decay: a number or a schedule; the default is PyTorch's.
      mask: which parameters decay, as for `add_weight_decay`.

    Returns:
      A gradient transformation for `optax.apply_updates`.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      One weight, no gradient, a rate of 1 and a weight decay of 0.01: after 100 updates 0.366 of it is left.

      >>> import jax.numpy as jnp, optax
      >>> optimizer = adamw(1.0, weight_decay=0.01)
      >>> weight = jnp.array([1.0])
      >>> state = optimizer.init(weight)
      >>> for _ in range(100):
      ...   updates, state = optimizer.update(jnp.zeros(1), state, weight)
      ...   weight = optax.apply_updates(weight, updates)
      >>> round(float(weight[0]), 3)
      0.366

    References:
      Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017, arXiv:1711.05101
    """
    choice("amsgrad", amsgrad, (False, True))
    link = scale_by_adam(b1, b2, eps=eps, amsgrad="raw" if amsgrad else False)
    return _chain([link], learning_rate, weight_decay, True, mask)


def _chain(
    links: Sequence[optax.GradientTransformation],
    learning_rate: NumberOrSchedule | ReduceOnPlateau,
    weight_decay: NumberOrSchedule,
    decoupled: bool,
    mask: Mask,
) -> optax.GradientTransformationExtraArgs:
    choice("decoupled", decoupled, (False, True))
    weight_decay = number_or_schedule("weight_decay", weight_decay, minimum=0.0)
    decay = [] if _is_zero(weight_decay) else [add_weight_decay(weight_decay, mask=mask)]
    links = [*links, *decay] if decoupled else [*decay, *links]
    return in_float32(optax.chain(*links, scale_by_learning_rate(learning_rate)))


def _is_zero(value: NumberOrSchedule) -> bool:
    return isinstance(value, float) and value == 0.0
