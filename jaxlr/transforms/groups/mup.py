"""muP: how rates and initial weights go with a network's width, from the shapes of a narrow and a wide one."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from jaxlr.transforms import hyperparameters
from jaxlr.transforms.groups.patterns import ParameterGroups
from jaxlr.transforms.parameters import paths
from jaxlr.transforms.trees import widen
from jaxlr.typing import PyTree


@dataclasses.dataclass(frozen=True)
class MupFactors:
    """What `mup_factors` returns: factors against the narrow network, one for each parameter."""

    rates: PyTree  # of the learning rate
    init: PyTree  # of initial weights whose variance is 1 / fan_in

    def scaled(self, params: PyTree) -> PyTree:
        """Initial weights as muP has them, from those of variance 1 / fan_in."""
        return jax.tree.map(lambda p, factor: (factor * widen(p)).astype(p.dtype), params, self.init)

    def groups(self, **others: Any) -> ParameterGroups:
        """The groups of parameters with these rates, for `.wrap(optimizer)`; each is named after its factor.

        Args:
          others: of `ParameterGroups`, such as `decay_from_rank`.
        """
        rates, names = {}, {}
        for path, factor in jax.tree_util.tree_leaves_with_path(self.rates):
            pattern = _literal(paths.text(paths.names(path)))
            rates[pattern], names[pattern] = factor, f"x {factor:g}"
        return ParameterGroups(rates=rates, names=names, **others)


def mup_factors(
    base: PyTree,
    params: PyTree,
    *,
    optimizer: Literal["adam", "sgd"] = "adam",
    inputs: Mapping[str, Sequence[int]] | None = None,
) -> MupFactors:
    """Factors under which the best learning rate of a narrow network is the best one of a wide network.

    m = fan_in / fan_in of the base, w = fan_out / fan_out of the base, over the axes that differ
    rate: Adam: 1/m; SGD: w / m; initial weight of an output: 1 / sqrt(m)

    An axis that differs between the two is a width. Arrays (..., in, out), as JAX and Flax have them: where the first
    width is the last axis, the array is fed by what does not grow (an input, an embedding, a bias: m = 1); where no
    last axis grows, it is an output (w = 1). All else keeps its rate and weights. So everywhere a step changes the
    activations as much in the wide network as in the narrow one. Attention scores are the network's own: divide them
    by the head's size instead of its root. A decoupled weight decay follows the rate: a wide matrix decays less.

    Args:
      base: parameters of the narrow network, or anything with their shapes, as `jax.eval_shape` gives it.
      params: those of the wide one.
      optimizer: "adam" for all whose step does not depend on the gradient's size (AdamW, Lion, RMSprop), or "sgd".
      inputs: pattern -> axes that are fan_in, for an array in which more than two axes grow.

    Returns:
      The factors, `.scaled(params)` for the initial weights and `.groups()` for the rates.

    Raises:
      ValueError: the trees differ, more than two axes of an array grow and `inputs` does not say which is which, or
        another word for `optimizer`.

    Example:
      >>> import jax.numpy as jnp, jaxlr
      >>> def shapes(width):
      ...   return {"in": jnp.ones((8, width)), "mid": jnp.ones((width, width)), "out": jnp.ones((width, 3))}
      >>> factors = mup_factors(shapes(64), shapes(256))
      >>> factors.rates
      {'in': 1.0, 'mid': 0.25, 'out': 0.25}
      >>> factors.init
      {'in': 1.0, 'mid': 1.0, 'out': 0.5}
      >>> optimizer = factors.groups().wrap(jaxlr.adam(0.01))
      >>> {name: round(float(rate), 6) for name, rate in jaxlr.learning_rates(optimizer.init(shapes(256))).items()}
      {'x 0.25': 0.0025, 'x 1': 0.01}

    References:
      Yang et al., Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter Transfer, 2022,
      arXiv:2203.03466, table 3
    """
    hyperparameters.choice("optimizer", optimizer, ("adam", "sgd"))
    if jax.tree.structure(base) != jax.tree.structure(params):
        raise ValueError("base and params must have the same parameters: their trees differ")
    growths = jax.tree_util.tree_map_with_path(
        lambda path, narrow, wide: _growth(path, np.shape(narrow), np.shape(wide), inputs or {}), base, params
    )

    def rate(growth: _Growth) -> float:
        return growth.out / growth.into if optimizer == "sgd" else 1.0 / growth.into

    def weight(growth: _Growth) -> float:
        return 1.0 / math.sqrt(growth.into) if growth.is_output else 1.0

    return MupFactors(*(jax.tree.map(factor, growths) for factor in (rate, weight)))


@dataclasses.dataclass(frozen=True)
class _Growth:
    """How an array grows from the narrow network to the wide one."""

    into: float  # fan_in
    out: float  # fan_out
    is_output: bool  # whether it feeds what does not grow


def _growth(
    path: paths.Path, narrow: tuple[int, ...], wide: tuple[int, ...], inputs: Mapping[str, Sequence[int]]
) -> _Growth:
    name = paths.text(paths.names(path))
    if len(narrow) != len(wide):
        raise ValueError(f"{name} must have the rank of its base, {len(narrow)}, got {len(wide)}")
    grown = [axis for axis in range(len(wide)) if wide[axis] != narrow[axis]]
    given = next((axes for pattern, axes in inputs.items() if fnmatch.fnmatchcase(name, pattern)), None)
    if given is not None:
        into = [axis % len(wide) for axis in given]
    elif len(grown) > 2:
        raise ValueError(
            f"{len(grown)} axes of {name} grow, {narrow} to {wide}: say which are fan_in, inputs={{{name!r}: axes}}"
        )
    else:
        into = [axis for axis in grown if axis != len(wide) - 1][:1]
    out = [axis for axis in grown if axis not in into]
    ratios = [math.prod(wide[axis] / narrow[axis] for axis in axes) for axes in (into, out)]
    return _Growth(*ratios, is_output=ratios[0] != 1.0 and not out)


def _literal(name: str) -> str:
    """A pattern that matches this name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
