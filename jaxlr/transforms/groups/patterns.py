"""Groups of parameters, by patterns on their paths: rate factors, weight decay, freezing."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax

from jaxlr.arguments import nearest
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.groups import masks, paths
from jaxlr.transforms.hyperparameters import Number
from jaxlr.transforms.trees import map_wide
from jaxlr.transforms.wrappers.precision import in_float32


@dataclasses.dataclass(frozen=True)
class ParameterGroups:
    """Which parameters get what, by patterns on their paths such as `body/layer0/kernel`.

    In a pattern, `*` stands for any text, slashes included, `?` for one character, `[01]` for one of several. The first
    pattern that matches counts. A pattern that matches no parameter is an error when the optimizer is initialized.

    Args:
      rates: pattern -> factor of the learning rate; 1 for the others.
      no_decay: patterns of the parameters that do not decay, of jaxlr's weight decay in the wrapped optimizer.
      decay_from_rank: parameters of lower rank do not decay either: 2 leaves out biases and scales.
      frozen: patterns of the parameters that stay as they are; they have no moments.

    Raises:
      TypeError, ValueError: a pattern is no text, or a factor is negative or no number.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from jaxlr.optimizers import adamw
      >>> groups = ParameterGroups(rates={"head/*": 10.0}, frozen=["embed"], decay_from_rank=2)
      >>> optimizer = groups.wrap(adamw(0.1))
      >>> params = {"embed": jnp.ones((4, 2)), "head": {"bias": jnp.zeros(3), "kernel": jnp.ones((2, 3))}}
      >>> state = optimizer.init(params)
      >>> print(groups.table(params))
      parameter    shape   rate    decay
      embed        4 x 2   frozen  -
      head/bias    3       x 10    no
      head/kernel  2 x 3   x 10    yes
      3 parameter arrays with 17 numbers, 8 of them frozen
    """

    rates: Mapping[str, Number] = dataclasses.field(default_factory=dict)
    no_decay: Sequence[str] = ()
    decay_from_rank: int = 0
    frozen: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("no_decay", "frozen"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a list of patterns, got {getattr(self, name)!r}")
        for name in ("rates", "no_decay", "frozen"):
            for pattern in getattr(self, name):
                if not isinstance(pattern, str):
                    raise TypeError(f"{name} must hold patterns, which are text, got {pattern!r}")
        for pattern, factor in self.rates.items():
            hyperparameters.number(f"rates[{pattern!r}]", factor, minimum=0.0)
        hyperparameters.integer("decay_from_rank", self.decay_from_rank, minimum=0)

    def wrap(self, optimizer: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
        """The optimizer with the rate factors, the freezing, and the mask `decays` for jaxlr's weight decay in it.

        A link that is not jaxlr's, such as `optax.add_decayed_weights`, takes the mask as an argument, `groups.decays`;
        `optax.MultiSteps` goes around the wrapped optimizer, since it passes nothing on.
        """
        trained = in_float32(optax.chain(optimizer, _scale_by_factors(self)))
        groups: dict[Hashable, optax.GradientTransformation] = {"trained": trained, "frozen": optax.set_to_zero()}
        wrapped = optax.partition(groups, self._labels)

        def init(params: optax.Params) -> optax.OptState:
            self.check(params)
            return wrapped.init(params)

        def update(
            updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None, **extra: Any
        ) -> tuple[optax.Updates, optax.OptState]:
            outer = extra.pop("decays", None)
            return wrapped.update(updates, state, params, decays=masks.both(self.decays, outer), **extra)

        return optax.GradientTransformationExtraArgs(init, update)

    def decays(self, params: optax.Params) -> Any:
        """A tree of booleans, True where weight decay acts: the `mask` of an optimizer or of `add_weight_decay`."""
        if not any(map(_is_masked, jax.tree.leaves(params, is_leaf=_is_masked))):  # else `wrap` has checked
            self.check(params)
        return jax.tree_util.tree_map_with_path(self._decays, params)

    def factors(self, params: optax.Params) -> Any:
        """A tree of the rate factors; 0 where a parameter is frozen."""
        return jax.tree_util.tree_map_with_path(lambda path, _: self._factor(path), params)

    def check(self, params: optax.Params) -> None:
        """Raises a ValueError for a pattern that matches no parameter."""
        known = [paths.text(names) for names in paths.leaves_by_names(params)]
        for argument in ("rates", "no_decay", "frozen"):
            for pattern in getattr(self, argument):
                if known and not fnmatch.filter(known, pattern):
                    near = nearest(pattern, known, most=3, cutoff=0.0)
                    raise ValueError(
                        f"the pattern {pattern!r} in {argument} matches none of the {len(known)} parameters; "
                        f"the nearest are {', '.join(near)}"
                    )

    def table(self, params: optax.Params) -> str:
        """What each parameter gets, as text."""
        self.check(params)
        rows = [("parameter", "shape", "rate", "decay")]
        sizes = {True: 0, False: 0}
        for path, param in jax.tree_util.tree_leaves_with_path(params):
            shape = np.shape(param)
            frozen = self._is_frozen(path)
            sizes[frozen] += math.prod(shape)
            rate = "frozen" if frozen else f"x {self._factor(path):g}"
            decay = "-" if frozen else "yes" if self._decays(path, param) else "no"
            rows.append((paths.text(paths.names(path)), " x ".join(map(str, shape)) or "scalar", rate, decay))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        count = f"{len(rows) - 1} parameter arrays with {sum(sizes.values()):,} numbers"
        return "\n".join([*lines, f"{count}, {sizes[True]:,} of them frozen" if sizes[True] else count])

    def _labels(self, params: optax.Params) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda path, _: "frozen" if self._is_frozen(path) else "trained", params
        )

    def _is_frozen(self, path: paths.Path) -> bool:
        return _first_match(self.frozen, path) is not None

    def _decays(self, path: paths.Path, param: Any) -> bool:
        return np.ndim(param) >= self.decay_from_rank and _first_match(self.no_decay, path) is None

    def _factor(self, path: paths.Path) -> Any:
        pattern = _first_match(list(self.rates), path)
        return 0.0 if self._is_frozen(path) else 1.0 if pattern is None else self.rates[pattern]


def layerwise_rates(decay: Number, layers: Sequence[str]) -> dict[str, Any]:
    """Rate factors that fall from the last layer to the first, for `ParameterGroups(rates=...)`.

    factor(layer k of K) = decay ** (K - 1 - k)

    Args:
      decay: factor from a layer to the one before it.
      layers: patterns, from the input to the output.

    Returns:
      Pattern -> factor; the last layer has 1.

    Raises:
      TypeError, ValueError: `decay` is not a number of at least 0, or `layers` is one text.

    Example:
      >>> layerwise_rates(0.5, ["embed/*", "block0/*", "block1/*", "head/*"])
      {'embed/*': 0.125, 'block0/*': 0.25, 'block1/*': 0.5, 'head/*': 1.0}

    References:
      Howard and Ruder, Universal Language Model Fine-tuning for Text Classification, 2018, arXiv:1801.06146
      Clark et al., ELECTRA, 2020, arXiv:2003.10555
    """
    decay = hyperparameters.number("decay", decay, minimum=0.0)
    if isinstance(layers, str):
        raise TypeError(f"layers must be a list of patterns, got {layers!r}")
    return {pattern: decay ** (len(layers) - 1 - k) for k, pattern in enumerate(layers)}


def _scale_by_factors(groups: ParameterGroups) -> optax.GradientTransformation:
    """Multiplies every update by its parameter's factor."""

    def update(
        updates: optax.Updates, state: optax.EmptyState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.EmptyState]:
        del params
        return map_wide(lambda update, factor: factor * update, updates, groups.factors(updates)), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)  # pyright: ignore[reportArgumentType]


def _is_masked(node: Any) -> bool:
    return isinstance(node, optax.MaskedNode)


def _first_match(patterns: Sequence[str], path: paths.Path) -> str | None:
    name = paths.text(paths.names(path))
    return next((pattern for pattern in patterns if fnmatch.fnmatchcase(name, pattern)), None)
