"""Optimizers: Optax's own, with its positions, names, defaults and steps; the learning rate is recorded and can be set.

`jaxlr.adamw` in place of `optax.adamw` changes no update. Moments are float32 (wider where the parameters are) where
Optax takes the parameters' dtype, unless a dtype is given; all between them is float32, rounded once, at the end.
None leaves a link out and a number keeps it, 0 too: a state's structure never depends on a number, so that
`optax.inject_hyperparams` and `jax.vmap` work. What comes after Optax's arguments goes by keyword.
"""

from __future__ import annotations

from typing import Any, Literal

import optax

from jaxlr.transforms.assembly import Rate, assemble
from jaxlr.transforms.coupling import Coupling
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule, choice, number_or_schedule
from jaxlr.transforms.moments.adam import scale_by_adam
from jaxlr.transforms.moments.momentum import scale_by_momentum
from jaxlr.transforms.moments.rms import scale_by_rmsprop
from jaxlr.transforms.parameters.masks import Mask

__all__ = ["adam", "adamw", "rmsprop", "sgd"]

Amsgrad = Literal[False, True, "raw", "corrected"]


@described
def sgd(
    learning_rate: Rate,
    momentum: NumberOrSchedule | None = None,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
    *,
    dampening: Number = 0.0,
    weight_decay: NumberOrSchedule | None = None,
    decoupled: bool = False,
    mask: Mask = None,
    coupling: Coupling = "rate",
    peak: Number | None = None,
    cautious: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Stochastic gradient descent, with momentum if wanted.

    m = momentum m + (1 - dampening) (g + weight_decay p), p -= rate m; the first m is undamped, as in PyTorch

    Args:
      learning_rate: a number, a schedule, or a rule such as `reduce_on_plateau` over either.
      momentum: share of the buffer that stays, in [0, 1); a number or a schedule; None for no buffer.
      nesterov: look one step ahead.
      accumulator_dtype: dtype in which the buffer is stored; float32 if None (wider where the parameters are).
      dampening: share of each gradient that does not enter the buffer.
      weight_decay: None, a number or a schedule; an L2 penalty unless `decoupled`.
      decoupled: decay beside the momentum, p -= rate weight_decay p (SGDW).
      mask: which parameters decay, as for `add_weight_decay`.
      coupling, peak, cautious: how a decoupled decay follows the rate, and where it acts; as for `adamw`.

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
    momentum = _checked(momentum)
    link = scale_by_momentum(
        0.0 if momentum is None else momentum,
        dampening=dampening,
        nesterov=nesterov,
        accumulator_dtype=accumulator_dtype,
    )
    links = [] if momentum is None else [link]
    return assemble(
        links,
        learning_rate,
        weight_decay=weight_decay,
        decoupled=decoupled,
        mask=mask,
        coupling=coupling,
        peak=peak,
        cautious=cautious,
    )


@described
def rmsprop(
    learning_rate: Rate,
    decay: NumberOrSchedule = 0.9,
    eps: Number = 1e-8,
    initial_scale: Number = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: NumberOrSchedule | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
    *,
    weight_decay: NumberOrSchedule | None = None,
    decoupled: bool = False,
    mask: Mask = None,
    coupling: Coupling = "rate",
    peak: Number | None = None,
    cautious: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """RMSprop, with the rate inside the momentum as in Optax, Keras and TensorFlow.

    v = decay v + (1 - decay) g^2, m = momentum m + rate g / sqrt(v + eps), p -= m

    For the rate outside it, as in PyTorch: `chain(scale_by_rmsprop(...), scale_by_momentum(0.9),
    scale_by_learning_rate(s))`, or `jaxlr.dialects.torch.RMSprop`.

    Args:
      learning_rate: a number, a schedule, or a rule such as `reduce_on_plateau` over either.
      decay: share of the mean square that stays, in [0, 1); a number or a schedule.
      eps: at least 0.
      initial_scale: v before the first update.
      eps_in_sqrt: eps inside the root (Keras, optax) in place of outside (PyTorch).
      centered: divide by the root of the variance.
      momentum: in [0, 1); a number or a schedule; None for no buffer.
      nesterov: the momentum looks one step ahead.
      bias_correction: divide v by 1 - decay^t, t updates with this one.
      weight_decay: None, a number or a schedule; an L2 penalty unless `decoupled`.
      decoupled: p -= rate weight_decay p beside the step.
      mask: which parameters decay, as for `add_weight_decay`.
      coupling, peak, cautious: how a decoupled decay follows the rate, and where it acts; as for `adamw`. The step
        whose signs count is the whole one, momentum included.

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
    momentum = _checked(momentum)
    link = scale_by_rmsprop(
        decay,
        eps=eps,
        eps_in_sqrt=eps_in_sqrt,
        centered=centered,
        initial_scale=initial_scale,
        bias_correction=bias_correction,
    )
    second = scale_by_momentum(0.0 if momentum is None else momentum, nesterov=nesterov)
    return assemble(
        [link],
        learning_rate,
        weight_decay=weight_decay,
        decoupled=decoupled,
        mask=mask,
        momentum=None if momentum is None else second,
        coupling=coupling,
        peak=peak,
        cautious=cautious,
    )


@described
def adam(
    learning_rate: Rate,
    b1: NumberOrSchedule = 0.9,
    b2: NumberOrSchedule = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    nu_dtype: Any = None,
    amsgrad: Amsgrad = False,
    weight_decay: NumberOrSchedule | None = None,
    mask: Mask = None,
) -> optax.GradientTransformationExtraArgs:
    """Adam; the weight decay is an L2 penalty whose gradient enters the moments, as in PyTorch's Adam.

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p -= rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Args:
      learning_rate: a number, a schedule, or a rule such as `reduce_on_plateau` over either.
      b1: in [0, 1); a number or a schedule.
      b2: in [0, 1); a number or a schedule, corrected with 1 less the product of every b2 so far.
      eps: at least 0.
      eps_root: at least 0; inside the root, for derivatives through an update.
      mu_dtype: dtype in which m is stored; float32 if None (wider where the parameters are).
      nesterov: Dozat's look ahead.
      nu_dtype: dtype in which v is stored; likewise.
      amsgrad: divide by the largest v so far: True or "raw" as PyTorch and Keras, "corrected" as `optax.amsgrad`.
      weight_decay: None, a number or a schedule.
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
    link = _adam(b1, b2, eps, eps_root, mu_dtype, nu_dtype, nesterov, amsgrad)
    return assemble([link], learning_rate, weight_decay=weight_decay, decoupled=False, mask=mask)


@described
def adamw(
    learning_rate: Rate,
    b1: NumberOrSchedule = 0.9,
    b2: NumberOrSchedule = 0.999,
    eps: Number = 1e-8,
    eps_root: Number = 0.0,
    mu_dtype: Any = None,
    weight_decay: NumberOrSchedule | None = 1e-4,
    mask: Mask = None,
    *,
    nesterov: bool = False,
    nu_dtype: Any = None,
    amsgrad: Amsgrad = False,
    coupling: Coupling = "rate",
    peak: Number | None = None,
    cautious: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Adam with decoupled weight decay: beside the adaptive step, times the rate.

    p -= rate ((m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay p)

    In place of rate weight_decay p, `coupling` subtracts (rate / peak) weight_decay p, "independent", or
    (rate^2 / peak) weight_decay p, "corrected" (AdamC); `cautious` decays only where the step shrinks p as well.

    Args:
      learning_rate: a number, a schedule, or a rule such as `reduce_on_plateau` over either.
      b1: in [0, 1); a number or a schedule.
      b2: in [0, 1); a number or a schedule, corrected with 1 less the product of every b2 so far.
      eps: at least 0.
      eps_root: at least 0; inside the root, for derivatives through an update.
      mu_dtype: dtype in which m is stored; float32 if None (wider where the parameters are).
      weight_decay: None, a number or a schedule; the default is Optax's, a hundredth of PyTorch's.
      mask: which parameters decay, as for `add_weight_decay`.
      nesterov: Dozat's look ahead.
      nu_dtype: dtype in which v is stored; likewise.
      amsgrad: divide by the largest v so far: True or "raw" as PyTorch and Keras, "corrected" as `optax.amsgrad`.
      coupling: how the decay follows the rate: "rate", "independent" of the base rate, or "corrected".
      peak: the base rate for "independent", the schedule's highest for "corrected"; above 0. A group of
        `ParameterGroups` with a factor has it times the factor; one with a schedule of its own is refused.
      cautious: decay only the numbers whose sign is that of their adaptive step, or where either is 0.

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

      Independent of the base rate: a rate of 0.1 at its peak leaves as much.

      >>> optimizer = adamw(0.1, weight_decay=0.01, coupling="independent", peak=0.1)
      >>> updates, _ = optimizer.update(jnp.zeros(1), optimizer.init(weight), jnp.ones(1))
      >>> round(float(updates[0]), 4)
      -0.01

    References:
      Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017, arXiv:1711.05101 (AdamW; "independent")
      Defazio, Why Gradients Rapidly Increase Near the End of Training, 2025, arXiv:2506.02285 ("corrected")
      Chen et al., Cautious Weight Decay, 2025, arXiv:2510.12402 (`cautious`)
    """
    link = _adam(b1, b2, eps, eps_root, mu_dtype, nu_dtype, nesterov, amsgrad)
    return assemble(
        [link],
        learning_rate,
        weight_decay=weight_decay,
        decoupled=True,
        mask=mask,
        coupling=coupling,
        peak=peak,
        cautious=cautious,
    )


def _checked(momentum: NumberOrSchedule | None) -> NumberOrSchedule | None:
    return None if momentum is None else number_or_schedule("momentum", momentum, minimum=0.0, below=1.0)


def _adam(
    b1: NumberOrSchedule,
    b2: NumberOrSchedule,
    eps: Number,
    eps_root: Number,
    mu_dtype: Any,
    nu_dtype: Any,
    nesterov: bool,
    amsgrad: Amsgrad,
) -> optax.GradientTransformation:
    return scale_by_adam(
        b1,
        b2,
        eps=eps,
        eps_root=eps_root,
        mu_dtype=mu_dtype,
        nu_dtype=nu_dtype,
        nesterov=nesterov,
        amsgrad=choice("amsgrad", "raw" if amsgrad is True else amsgrad, (False, "raw", "corrected")),
    )
