# ruff: noqa: N802, the names are Keras'
"""The optimizers of `keras.optimizers`, with Keras' rules.

What they share, and every one takes, those from clipnorm on by name alone:

- learning_rate: a number, a schedule, or a rule such as `ReduceLROnPlateau`.
- weight_decay: always decoupled, p -= rate weight_decay p, and never inside a momentum; None or 0 for none. A number or
  a schedule.
- epsilon: at least 0.
- clipnorm, clipvalue, global_clipnorm: at most one of them; shrinks the gradient of each parameter array to this norm,
  every element to this size, or all gradients together to this norm.
- mask: which parameters decay, as for `jaxlr.add_weight_decay`, in place of Keras' `exclude_from_weight_decay`.
- `use_ema`, `loss_scale_factor` and `gradient_accumulation_steps` are no part of an optimizer here: they are accepted
  at their defaults and refused otherwise, with what to do instead. `ema_momentum`, `ema_overwrite_frequency` and `name`
  do nothing.

All compute in float32, whatever the dtype of the parameters, where Keras computes in that. Each returns a gradient
transformation for `optax.apply_updates`; an argument that is unknown, of the wrong kind or out of range is a TypeError
or ValueError that names it.
"""

from __future__ import annotations

from typing import Unpack

import optax

from jaxlr import transforms
from jaxlr.dialects.keras.shared import Optimizer, Others, Rate, chain, checked_betas
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.assembly import unless_zero
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule
from jaxlr.transforms.wrappers.precision import widened


@described
def SGD(
    learning_rate: Rate = 0.01,
    momentum: NumberOrSchedule = 0.0,
    nesterov: bool = False,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' SGD: the rate is inside the momentum buffer, so that a drop of the rate is felt only as the buffer fades.

    m = momentum m - rate g, p += m, or with `nesterov` p += momentum m - rate g

    Args:
      momentum: share of the buffer that stays, in [0, 1); 0 for no buffer.
      nesterov: look one step ahead.
      learning_rate, weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.SGD(lambda n: jnp.where(n < 1, 1.0, 0.125), momentum=0.5)
      >>> state = optimizer.init(jnp.zeros(1))
      >>> for _ in range(2):
      ...   updates, state = optimizer.update(jnp.ones(1), state)
      ...   print(float(updates[0]), end=" ")
      -1.0 -0.625
    """
    share = hyperparameters.number_or_schedule("momentum", momentum, minimum=0.0, below=1.0)
    hyperparameters.choice("nesterov", nesterov, (False, True))
    link = None if unless_zero(momentum) is None else transforms.scale_by_momentum(share, nesterov=nesterov)
    return chain([], learning_rate, weight_decay, others, link)


@described
def RMSprop(
    learning_rate: Rate = 0.001,
    rho: NumberOrSchedule = 0.9,
    momentum: NumberOrSchedule = 0.0,
    epsilon: Number = 1e-7,
    centered: bool = False,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' RMSprop: epsilon inside the root, the rate inside the momentum buffer.

    v = rho v + (1 - rho) g^2, m = momentum m + rate g / sqrt(v + epsilon), p -= m

    Args:
      rho: share of v that stays, in [0, 1).
      momentum: share of the buffer that stays, in [0, 1); 0 for no buffer.
      centered: subtract the squared running mean of the gradients from v.
      learning_rate, epsilon, weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.RMSprop(0.5, rho=0.75, epsilon=0.0)
      >>> optimizer.update(jnp.array([3.0, -0.5]), optimizer.init(jnp.zeros(2)))[0].tolist()
      [-1.0, 1.0]
    """
    rho = hyperparameters.number_or_schedule("rho", rho, minimum=0.0, below=1.0)
    root = transforms.scale_by_rmsprop(rho, eps=_epsilon(epsilon), eps_in_sqrt=True, centered=centered)
    share = hyperparameters.number_or_schedule("momentum", momentum, minimum=0.0, below=1.0)
    link = None if unless_zero(momentum) is None else transforms.scale_by_momentum(share)
    return chain([root], learning_rate, weight_decay, others, link)


@described
def Adam(
    learning_rate: Rate = 0.001,
    beta_1: NumberOrSchedule = 0.9,
    beta_2: Number = 0.999,
    epsilon: Number = 1e-7,
    amsgrad: bool = False,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Adam: epsilon is the paper's epsilon-hat, and `weight_decay` is decoupled, which makes it AdamW.

    m = beta_1 m + (1 - beta_1) g, v = beta_2 v + (1 - beta_2) g^2,
    p -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)

    Args:
      beta_1: share of m that stays, in [0, 1); a number or a schedule.
      beta_2: share of v that stays, in [0, 1).
      amsgrad: divide by the root of the largest v so far.
      learning_rate, epsilon, weight_decay, **others: see the module.

    Example:
      A gradient as small as epsilon-hat: the first step is 0.24 of the rate, with PyTorch's rule it is 0.91.

      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Adam(1.0)
      >>> updates, _ = optimizer.update(jnp.array([1e-6]), optimizer.init(jnp.zeros(1)))
      >>> round(float(updates[0]), 4)
      -0.2403
    """
    b1, b2 = checked_betas(beta_1, beta_2)
    hyperparameters.choice("amsgrad", amsgrad, (False, True))
    link = transforms.scale_by_adam(b1, b2, eps=_epsilon(epsilon), eps_mode="hat", amsgrad="raw" if amsgrad else False)
    return chain([link], learning_rate, weight_decay, others)


@described
def AdamW(
    learning_rate: Rate = 0.001,
    weight_decay: NumberOrSchedule = 0.004,
    beta_1: NumberOrSchedule = 0.9,
    beta_2: Number = 0.999,
    epsilon: Number = 1e-7,
    amsgrad: bool = False,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' AdamW: its Adam with a weight decay that must be given, 0.004 if not.

    As `Adam`, and p -= rate weight_decay p before it.

    Args:
      learning_rate: see the module.
      weight_decay: see the module; None is an error.
      beta_1, beta_2, epsilon, amsgrad: as in `Adam`.
      **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.AdamW(0.5, weight_decay=0.25)
      >>> params = jnp.array([1.0])
      >>> float(optimizer.update(jnp.zeros(1), optimizer.init(params), params)[0][0])
      -0.125
    """
    if weight_decay is None:
        raise ValueError("weight_decay must be a number or a schedule, got None; keras.Adam goes without")
    return Adam(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **others)


@described
def Nadam(
    learning_rate: Rate = 0.001,
    beta_1: NumberOrSchedule = 0.9,
    beta_2: Number = 0.999,
    epsilon: Number = 1e-7,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Nadam: PyTorch's NAdam with a momentum that rises 250 times as fast.

    `jaxlr.transforms.scale_by_nadam` with `momentum_decay=1`; epsilon stands outside the corrected root, not as in
    `Adam`

    Args:
      beta_1: share of the mean that stays and the final momentum, in [0, 1); a number or a schedule.
      beta_2: share of the mean square that stays, in [0, 1).
      learning_rate, epsilon, weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Nadam(1.0)
      >>> updates, _ = optimizer.update(jnp.array([0.5]), optimizer.init(jnp.zeros(1)))
      >>> round(float(updates[0]), 4)
      -1.0628
    """
    b1, b2 = checked_betas(beta_1, beta_2)
    link = transforms.scale_by_nadam(b1, b2, eps=_epsilon(epsilon), momentum_decay=1.0)
    return chain([link], learning_rate, weight_decay, others)


@described
def Adamax(
    learning_rate: Rate = 0.001,
    beta_1: NumberOrSchedule = 0.9,
    beta_2: Number = 0.999,
    epsilon: Number = 1e-7,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Adamax: epsilon is added to the maximum, where PyTorch's and optax's takes part in it.

    m = beta_1 m + (1 - beta_1) g, w = max(beta_2 w, |g|), p -= rate m / (1 - beta_1^t) / (w + epsilon)

    Args:
      beta_1: share of m that stays, in [0, 1); a number or a schedule.
      beta_2: share of w that stays, in [0, 1).
      learning_rate, epsilon, weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Adamax(1.0, epsilon=0.5)
      >>> updates, _ = optimizer.update(jnp.array([0.5, -1.5]), optimizer.init(jnp.zeros(2)))
      >>> updates.round(6).tolist()
      [-0.5, 0.75]
    """
    b1, b2 = checked_betas(beta_1, beta_2)
    link = transforms.scale_by_adamax(b1, b2, eps=_epsilon(epsilon), eps_mode="outside")
    return chain([link], learning_rate, weight_decay, others)


@described
def Adagrad(
    learning_rate: Rate = 0.001,
    initial_accumulator_value: Number = 0.1,
    epsilon: Number = 1e-7,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Adagrad: `optax.scale_by_rss`, which is the same rule.

    s = s + g^2, p -= rate g / sqrt(s + epsilon)

    Args:
      initial_accumulator_value: s before the first update, at least 0.
      learning_rate, epsilon, weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Adagrad(1.0, initial_accumulator_value=0.0, epsilon=0.0)
      >>> state = optimizer.init(jnp.zeros(1))
      >>> for _ in range(4):
      ...   updates, state = optimizer.update(jnp.array([3.0]), state)
      >>> float(updates[0])
      -0.5
    """
    start = hyperparameters.number("initial_accumulator_value", initial_accumulator_value, minimum=0.0)
    link = widened(optax.scale_by_rss(start, _epsilon(epsilon)))
    return chain([link], learning_rate, weight_decay, others)


@described
def Adadelta(
    learning_rate: Rate = 0.001,
    rho: Number = 0.95,
    epsilon: Number = 1e-7,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Adadelta: `optax.scale_by_adadelta`, which is the same rule.

    v = rho v + (1 - rho) g^2, d = sqrt(x + epsilon) / sqrt(v + epsilon) g, x = rho x + (1 - rho) d^2, p -= rate d

    Args:
      learning_rate: see the module; 1 is the paper's.
      rho: share of the two means that stays, in [0, 1).
      epsilon, weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Adadelta(1.0, rho=0.75, epsilon=1.0)
      >>> updates, _ = optimizer.update(jnp.array([2.0]), optimizer.init(jnp.zeros(1)))
      >>> round(float(updates[0]), 4)
      -1.4142
    """
    rho = hyperparameters.number("rho", rho, minimum=0.0, below=1.0)
    link = widened(optax.scale_by_adadelta(rho, _epsilon(epsilon)))
    return chain([link], learning_rate, weight_decay, others)


@described
def Lion(
    learning_rate: Rate = 0.001,
    beta_1: Number = 0.9,
    beta_2: Number = 0.99,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Lion: `optax.scale_by_lion`, which is the same rule.

    p -= rate sign(beta_1 m + (1 - beta_1) g), m = beta_2 m + (1 - beta_2) g

    Args:
      beta_1: share of m in the sign, in (0, 1).
      beta_2: share of m that stays, in [0, 1).
      learning_rate, weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Lion(0.5)
      >>> optimizer.update(jnp.array([3.0, -0.25]), optimizer.init(jnp.zeros(2)))[0].tolist()
      [-0.5, 0.5]

    References:
      Chen and others, Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675
    """
    b1 = hyperparameters.number("beta_1", beta_1, above=0.0, below=1.0)
    b2 = hyperparameters.number("beta_2", beta_2, minimum=0.0, below=1.0)
    return chain([widened(optax.scale_by_lion(b1, b2))], learning_rate, weight_decay, others)


def _epsilon(epsilon: Number) -> float:
    return hyperparameters.number("epsilon", epsilon, minimum=0.0)
