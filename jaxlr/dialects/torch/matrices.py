"""PyTorch's Muon and Adafactor: what they do with a parameter depends on its shape.

Their arguments are as `optimizers.py` says; neither takes complex parameters, in torch or here.
"""

# ruff: noqa: N802 - PyTorch's own names

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import optax

from jaxlr.dialects.rates import capped, known_rate
from jaxlr.dialects.torch.factories import Optimizer, Rate, factory
from jaxlr.transforms.assembly import assemble, unless_zero
from jaxlr.transforms.hyperparameters import Held, Number, NumberOrSchedule, choice, number, number_or_schedule
from jaxlr.transforms.moments.factored import scale_by_factored_rms
from jaxlr.transforms.moments.momentum import scale_by_momentum
from jaxlr.transforms.moments.orthogonal import orthogonalize, scale_by_shape
from jaxlr.transforms.parameters import paths
from jaxlr.transforms.rate.controller import Controller
from jaxlr.transforms.wrappers.precision import widened

_CAPPED = (
    "torch's Adafactor caps the rate at 1 / sqrt(t), and decays by the rate that is not capped; give the schedule alone"
)

# Muon's s squared, for the rows and columns of a matrix.
_SHARES: dict[str, Callable[[int, int], float]] = {
    "original": lambda rows, columns: max(1.0, rows / columns),
    "match_rms_adamw": lambda rows, columns: 0.04 * max(rows, columns),
    "spectral_unclamped": lambda rows, columns: rows / columns,
}


@factory
def Muon(
    lr: Rate = 1e-3,
    weight_decay: NumberOrSchedule = 0.1,
    momentum: Number = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[Number, Number, Number] = (3.4445, -4.775, 2.0315),
    eps: Number = 1e-7,
    ns_steps: int = 5,
    adjust_lr_fn: Literal["original", "match_rms_adamw", "spectral_unclamped"] | None = None,
) -> Optimizer:
    """`torch.optim.Muon`, for matrices alone.

    m = momentum m + (1 - momentum) g, u = (1 - momentum) g + momentum m or m, p -= lr (s O(u) + weight_decay p)

    O is `jaxlr.transforms.orthogonalize`. torch iterates in bfloat16, which has 8 bits; here it is float32, so the
    steps are torch's but for that rounding.

    Args:
      lr: a number, a schedule, or `reduce_on_plateau` over either.
      weight_decay: beside the step; a number or a schedule.
      momentum: in [0, 1).
      nesterov: look one step ahead.
      ns_coefficients: the three numbers of the iteration.
      eps: at least 0; the least size that a matrix is divided by.
      ns_steps: iterations, from 1 to 99.
      adjust_lr_fn: s, for A rows and B columns: "original" or None: sqrt(max(1, A / B)); "match_rms_adamw":
        0.2 sqrt(max(A, B)); "spectral_unclamped", in torch from 2.14 on: sqrt(A / B). Rows and columns are those of
        the array: torch's weights have outputs as rows, Flax' kernels inputs, for which "match_rms_adamw" is the same
        factor and the others are not.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range; when the state is made: a parameter is no
        real matrix. Give those to another optimizer, with `optax.partition`.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Muon(lr=0.5, momentum=0.0, ns_coefficients=(1.5, -0.5, 0.0), ns_steps=20)
      >>> params = jnp.zeros((2, 2))
      >>> updates, _ = optimizer.update(jnp.array([[0.0, 3.0], [2.0, 0.0]]), optimizer.init(params), params)
      >>> jnp.abs(updates).round(3).tolist()
      [[0.0, 0.5], [0.5, 0.0]]

    References:
      Jordan and others, Muon: An optimizer for hidden layers in neural networks, 2024; Liu and others, Muon is Scalable
      for LLM Training, 2025, arXiv:2502.16982; Bernstein, Deriving Muon, 2025
    """
    if not isinstance(lr, Controller | Held):
        lr = number_or_schedule("lr", lr, minimum=0.0)
    momentum = number("momentum", momentum, minimum=0.0, below=1.0)
    eps = number("eps", eps, minimum=0.0)
    if not isinstance(ns_coefficients, tuple | list) or len(ns_coefficients) != 3:
        raise TypeError(f"ns_coefficients must be three numbers, got {ns_coefficients!r}")
    if isinstance(ns_steps, jax.Array):
        raise TypeError(
            "ns_steps must be known, since it is the length of the program, got an array: "
            'optax.inject_hyperparams(Muon, static_args="ns_steps") leaves it a number'
        )
    if not isinstance(ns_steps, int) or isinstance(ns_steps, bool) or not 1 <= ns_steps < 100:
        raise ValueError(f"ns_steps must be an integer from 1 to 99, got {ns_steps!r}")
    share = _SHARES[choice("adjust_lr_fn", adjust_lr_fn, (None, *_SHARES)) or "original"]
    links = [
        # The sum of torch's buffer and Nesterov's step are the averages over 1 - momentum, which the quotient undoes.
        scale_by_momentum(momentum, nesterov=nesterov),
        orthogonalize(ns_coefficients, steps=ns_steps, eps=eps / (1.0 - momentum), eps_mode="least"),
        scale_by_shape(lambda shape: share(*shape) ** 0.5),
    ]
    return assemble(links, lr, weight_decay=unless_zero(weight_decay), decoupled=True)


@factory
def Adafactor(
    lr: Rate = 1e-2,
    beta2_decay: Number = -0.8,
    eps: tuple[Number | None, Number] = (None, 1e-3),
    d: Number = 1.0,
    weight_decay: NumberOrSchedule = 0.0,
    *,
    foreach: bool | None = None,
    maximize: bool = False,
) -> Optimizer:
    """`torch.optim.Adafactor`: a mean square of rows and columns, a step in proportion to the parameter.

    p -= lr weight_decay p + max(eps[1], rms(p)) rho u / max(1, rms(u) / d), u = g / sqrt(v), rho = min(lr, 1 / sqrt(t))

    `scale_by_factored_rms` says what v is. The recorded rate is rho.

    Args:
      lr: a number or a schedule; torch's default of 0.01 is the cap until t = 10,000.
      beta2_decay: v moves by `t^beta2_decay` of the way to a square; below 0.
      eps: the least of a mean (None: 1.2e-7, float32's last bit), and the least size of a parameter.
      d: the largest root mean square of u.
      weight_decay: beside the step, by lr and not by rho; a number or a schedule.
      maximize: climb instead of descend.

    Raises:
      TypeError, ValueError: an argument is of the wrong kind or out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> optimizer = Adafactor(lr=0.5)
      >>> params = jnp.array([[3.0, 4.0], [0.0, 5.0]])
      >>> updates, _ = optimizer.update(jnp.full((2, 2), 0.25), optimizer.init(params), params)
      >>> [f"{float(step):.4f}" for step in updates.ravel()]
      ['-1.7678', '-1.7678', '-1.7678', '-1.7678']

    References:
      Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018, arXiv:1804.04235
    """
    if not isinstance(eps, tuple | list) or len(eps) != 2:
        raise TypeError(f"eps must be a pair of numbers, the first of which may be None, got {eps!r}")
    least = None if eps[0] is None else number("eps[0]", eps[0], minimum=0.0)
    rate = known_rate("lr", lr, _CAPPED)
    links = [
        _real(scale_by_factored_rms(number("beta2_decay", beta2_decay, below=0.0), eps=least, eps_mode="least")),
        optax.clip_by_block_rms(number("d", d, minimum=1.0)),
        widened(optax.scale_by_param_block_rms(number("eps[1]", eps[1], minimum=0.0))),
    ]
    rho, shrinking = capped(rate, number_or_schedule("weight_decay", weight_decay, minimum=0.0))
    return assemble(links, rho, weight_decay=shrinking, decoupled=True, maximize=maximize)


def _real(link: optax.GradientTransformation) -> optax.GradientTransformation:
    """The link, for real parameters alone."""

    def init(params: optax.Params) -> optax.OptState:
        for path, param in paths.leaves_by_names(params).items():
            if jnp.issubdtype(jnp.result_type(param), jnp.complexfloating):
                raise ValueError(
                    f"torch's Adafactor takes real parameters alone, got {paths.text(path)} of complex ones"
                )
        return link.init(params)

    return optax.GradientTransformationExtraArgs(init, link.update)
