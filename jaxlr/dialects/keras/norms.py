# ruff: noqa: N802, the names are Keras'
"""Keras' Lamb, Adafactor and Muon: what they do with a parameter depends on its size or its shape.

Their arguments are as `optimizers.py` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import optax

from jaxlr.dialects.keras.shared import Optimizer, Others, Rate, chain, checked_betas, of_decayed
from jaxlr.dialects.rates import capped, known_rate
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Number, NumberOrSchedule, choice, number, number_or_schedule
from jaxlr.transforms.moments.adam import scale_by_adam
from jaxlr.transforms.moments.factored import scale_by_factored_rms
from jaxlr.transforms.moments.momentum import scale_by_momentum
from jaxlr.transforms.moments.orthogonal import orthogonalize, scale_by_shape
from jaxlr.transforms.parameters import paths
from jaxlr.transforms.parameters.masks import both
from jaxlr.transforms.penalties import add_weight_decay
from jaxlr.transforms.wrappers.precision import widened

Selection = Callable[[Any], Any]


@described
def Lamb(
    learning_rate: Rate = 0.001,
    beta_1: NumberOrSchedule = 0.9,
    beta_2: Number = 0.999,
    epsilon: Number = 1e-7,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Lamb: Adam's step, epsilon outside the corrected root, scaled to the size of the parameter.

    u = (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon), p -= rate |p| / |u| u; the quotient is 1 where |p|
    or |u| is 0

    |p| is that after the weight decay of the same update, which the paper has inside of u.

    Args:
      learning_rate: see the module; a number or a schedule where there is a weight decay.
      beta_1: share of m that stays, in [0, 1); a number or a schedule.
      beta_2: share of v that stays, in [0, 1).
      epsilon, weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Lamb(0.5)
      >>> params = jnp.array([3.0, 4.0])
      >>> updates, _ = optimizer.update(jnp.array([0.25, 0.25]), optimizer.init(params), params)
      >>> updates.round(4).tolist() == (-jnp.full(2, 0.5 * 5.0 / 2.0**0.5)).round(4).tolist()
      True

    References:
      You and others, Large Batch Optimization for Deep Learning: Training BERT in 76 minutes, 2019, arXiv:1904.00962
    """
    b1, b2 = checked_betas(beta_1, beta_2)
    adam = scale_by_adam(b1, b2, eps=number("epsilon", epsilon, minimum=0.0))
    ratio = of_decayed(widened(optax.scale_by_trust_ratio()), learning_rate, weight_decay, others.get("mask"))
    return chain([adam, ratio], learning_rate, weight_decay, others)


@described
def Adafactor(
    learning_rate: Rate = 0.001,
    beta_2_decay: Number = -0.8,
    epsilon_1: Number = 1e-30,
    epsilon_2: Number = 1e-3,
    clip_threshold: Number = 1.0,
    relative_step: bool = True,
    weight_decay: NumberOrSchedule | None = None,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Adafactor: a mean square of rows and columns, a step in proportion to the parameter.

    p -= max(epsilon_2, rms(p)) rho u / max(1, rms(u) / clip_threshold), u = g / sqrt(v), rho = min(rate, 1 / sqrt(t))

    `jaxlr.transforms.scale_by_factored_rms` says what v is. The recorded rate is rho. rms(p) is that after the weight
    decay of the same update, p -= rate weight_decay p, where the rate is not capped.

    Args:
      learning_rate: a number or a schedule.
      beta_2_decay: v moves by `t^beta_2_decay` of the way to a square; below 0.
      epsilon_1: added to the squares.
      epsilon_2: the least size of a parameter.
      clip_threshold: the largest root mean square of u.
      relative_step: does nothing, as in Keras, where the rate is capped in any case.
      weight_decay, **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Adafactor(0.5)
      >>> params = jnp.array([3.0, -3.0])
      >>> [f"{float(u):.4f}" for u in optimizer.update(jnp.full(2, 0.25), optimizer.init(params), params)[0]]
      ['-1.5000', '-1.5000']

    References:
      Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018, arXiv:1804.04235
    """
    choice("relative_step", relative_step, (False, True))
    rate = known_rate("learning_rate", learning_rate, "Keras' Adafactor caps the rate at 1 / sqrt(t)")
    least = number("epsilon_1", epsilon_1, minimum=0.0)
    size = widened(optax.scale_by_param_block_rms(number("epsilon_2", epsilon_2, minimum=0.0)))
    links = [
        scale_by_factored_rms(number("beta_2_decay", beta_2_decay, below=0.0), eps=least),
        optax.clip_by_block_rms(number("clip_threshold", clip_threshold, above=0.0)),
        of_decayed(size, learning_rate, weight_decay, others.get("mask")),
    ]
    return chain(links, *capped(rate, weight_decay), others)


@described
def Muon(
    learning_rate: Rate = 0.001,
    adam_beta_1: NumberOrSchedule = 0.9,
    adam_beta_2: Number = 0.999,
    adam_weight_decay: NumberOrSchedule | None = 0.004,
    epsilon: Number = 1e-7,
    weight_decay: NumberOrSchedule | None = 0.004,
    *,
    exclude_layers: Sequence[str] | None = None,
    exclude_embeddings: bool = True,
    muon_a: Number = 3.4445,
    muon_b: Number = -4.775,
    muon_c: Number = 2.0315,
    adam_lr_ratio: Number = 1,
    momentum: Number = 0.95,
    ns_steps: int = 5,
    nesterov: bool = True,
    rms_rate: Number | None = 0.2,
    **others: Unpack[Others],
) -> Optimizer:
    """Keras' Muon: matrices by Muon, everything else by its Adam, all under one rate.

    m = momentum m + g, u = g + momentum m or m, p -= rate (rms_rate sqrt(max(rows, columns)) O(u) + weight_decay p)

    O is `jaxlr.transforms.orthogonalize`.

    Args:
      learning_rate: see the module.
      adam_beta_1, adam_beta_2, epsilon: of Adam, as in `Adam`.
      adam_weight_decay: decay of what Adam trains; None or 0 for none.
      weight_decay: decay of what Muon trains; None or 0 for none.
      exclude_layers: regular expressions, each searched for in the path of a parameter, such as `head/kernel`; what is
        found goes to Adam.
      exclude_embeddings: whether what has "embedding" in its path goes to Adam.
      muon_a, muon_b, muon_c: coefficients of the iteration.
      adam_lr_ratio: Adam's rate over Muon's.
      momentum: in [0, 1).
      ns_steps: iterations, at least 1.
      nesterov: look one step ahead.
      rms_rate: None leaves the factor of the shape out.
      **others: see the module.

    Example:
      >>> import jax.numpy as jnp
      >>> from jaxlr.dialects import keras
      >>> optimizer = keras.Muon(1.0, momentum=0.0, muon_a=1.5, muon_b=-0.5, muon_c=0.0, ns_steps=20, rms_rate=None)
      >>> params = {"kernel": jnp.zeros((1, 2)), "bias": jnp.zeros(1)}
      >>> gradients = {"kernel": jnp.array([[3.0, 4.0]]), "bias": jnp.array([0.25])}
      >>> updates, _ = optimizer.update(gradients, optimizer.init(params), params)
      >>> [f"{float(u):.3f}" for u in (*updates["kernel"][0], *updates["bias"])]
      ['-0.600', '-0.800', '-1.000']

    References:
      Jordan and others, Muon: An optimizer for hidden layers in neural networks, 2024; Liu and others, Muon is Scalable
      for LLM Training, 2025, arXiv:2502.16982
    """
    choice("exclude_embeddings", exclude_embeddings, (False, True))
    matrices, rest = _split([*(exclude_layers or ()), *(["(?i)embedding"] if exclude_embeddings else [])])
    b1, b2 = checked_betas(adam_beta_1, adam_beta_2, "adam_")
    links: list[optax.GradientTransformation] = [
        scale_by_momentum(number("momentum", momentum, minimum=0.0, below=1.0), nesterov=nesterov),
        orthogonalize((muon_a, muon_b, muon_c), steps=ns_steps),
    ]
    if rms_rate is not None:
        factor = number("rms_rate", rms_rate)
        links.append(scale_by_shape(lambda shape: factor * max(shape) ** 0.5))
    adam = scale_by_adam(b1, b2, eps=number("epsilon", epsilon, minimum=0.0), eps_mode="hat")
    mask = others.get("mask")
    decays = [
        add_weight_decay(number_or_schedule(name, decay, minimum=0.0), mask=both(mask, chosen))
        for name, decay, chosen in (
            ("weight_decay", weight_decay, matrices),
            ("adam_weight_decay", adam_weight_decay, rest),
        )
        if decay is not None and decay != 0
    ]
    slowed = optax.scale(number("adam_lr_ratio", adam_lr_ratio, minimum=0.0))
    parts = [optax.masked(optax.chain(*links), matrices), optax.masked(optax.chain(adam, slowed), rest)]
    return chain([*parts, *decays], learning_rate, None, others)


def _split(excluded: Sequence[str]) -> tuple[Selection, Selection]:
    """The parameters that are Muon's, and the others, as masks."""
    patterns = [re.compile(pattern) for pattern in excluded]

    def is_muons(path: paths.Path, leaf: Any) -> bool:
        name = paths.text(paths.names(path))
        return jnp.ndim(leaf) == 2 and not any(pattern.search(name) for pattern in patterns)

    def matrices(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(is_muons, params)

    return matrices, lambda params: jax.tree.map(lambda chosen: not chosen, matrices(params))
