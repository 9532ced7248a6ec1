"""Groups of parameters, by patterns on their paths: rates, weight decay, freezing."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from jax.core import Tracer

from jaxlr.arguments import meant, nearest
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.describing import as_call
from jaxlr.transforms.groups import dependence
from jaxlr.transforms.hyperparameters import Hyperparameter, Number, NumberOrSchedule
from jaxlr.transforms.parameters import masks, paths
from jaxlr.transforms.parameters.context import OTHERS, Decay, Group, Talk, talk
from jaxlr.transforms.penalties import AddWeightDecayState
from jaxlr.transforms.rate.learning_rate import GroupedRatesState
from jaxlr.transforms.state import walk as states
from jaxlr.transforms.trees import is_masked, like_updates, widen

_WITH_PATTERNS = ("rates", "no_decay", "frozen", "weight_decays")


@dataclasses.dataclass(frozen=True)
class ParameterGroups:
    """Which parameters get what, by patterns on their paths such as `body/layer0/kernel`.

    In a pattern, `*` stands for any text, slashes included, `?` for one character, `[01]` for one of several. The first
    pattern that matches counts. A pattern that matches no parameter is an error when the optimizer is initialized.

    Args:
      rates: pattern -> the rate of a group of parameters: a factor of the optimizer's, 1 for the others, or a schedule
        in its place. `learning_rates` tells, and `set_learning_rate(group=...)` sets, each by its name.
      no_decay: patterns of the parameters that do not decay.
      decay_from_rank: parameters of lower rank do not decay either: 2 leaves out biases and scales.
      frozen: patterns of the parameters that stay as they are, without moments; or pattern -> count: they stay until so
        many updates are made, while their moments gather.
      names: pattern in `rates`, `frozen` or `weight_decays` -> name of its group; the pattern itself if left out.
      weight_decays: pattern -> the weight decay of a group of parameters in place of the optimizer's, as in PyTorch's
        `param_groups`: a number or a schedule. What does not decay by `no_decay`, `decay_from_rank` or the optimizer's
        mask still does not. `current_hyperparameters` tells each by its name.

    Raises:
      TypeError, ValueError: a pattern is no text, or a factor or weight decay is negative or no number.

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

      A group decays by a number of its own, the others by the optimizer's:

      >>> groups = ParameterGroups(weight_decays={"head/*": 0.5}, names={"head/*": "head"})
      >>> optimizer = groups.wrap(adamw(0.1, weight_decay=0.25))
      >>> updates, state = optimizer.update(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
      >>> round(float(updates["embed"][0, 0]), 4), round(float(updates["head"]["kernel"][0, 0]), 4)
      (-0.025, -0.05)
    """

    rates: Mapping[str, NumberOrSchedule] = dataclasses.field(default_factory=dict)
    no_decay: Sequence[str] = ()
    decay_from_rank: int = 0
    frozen: Sequence[str] | Mapping[str, Any] = ()
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    weight_decays: Mapping[str, NumberOrSchedule] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("rates", "weight_decays"):
            if not isinstance(getattr(self, name), Mapping):
                raise TypeError(f"{name} must be a mapping, pattern -> value, got {getattr(self, name)!r}")
        for name in ("no_decay", "frozen"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a list of patterns, got {getattr(self, name)!r}")
        for name in _WITH_PATTERNS:
            for pattern in getattr(self, name):
                if not isinstance(pattern, str):
                    raise TypeError(f"{name} must hold patterns, which are text, got {pattern!r}")
        for pattern, factor in self.rates.items():
            hyperparameters.number_or_schedule(f"rates[{pattern!r}]", factor, minimum=0.0)
        for pattern, until in self._thawed().items():
            hyperparameters.integer(f"frozen[{pattern!r}]", until, minimum=0)
        for pattern, decay in self.weight_decays.items():
            hyperparameters.number_or_schedule(f"weight_decays[{pattern!r}]", decay, minimum=0.0)
        self._require_names()
        hyperparameters.integer("decay_from_rank", self.decay_from_rank, minimum=0)

    def _require_names(self) -> None:
        """Raises for a name of no pattern, or one that would stand for two weight decays."""
        named = [*self.rates, *self._thawed(), *self.weight_decays]
        for pattern in self.names:
            if pattern not in named:
                what = "rates, frozen or weight_decays"
                raise ValueError(f"names has {pattern!r}, which is no pattern in {what}{meant(pattern, named)}")
        known: dict[str, Any] = {OTHERS: float("nan")}  # which equals nothing
        for pattern, decay in self.weight_decays.items():
            name = self.names.get(pattern, pattern)
            if not _same(known.setdefault(name, decay), decay):
                whose = "that of all other parameters" if name == OTHERS else "that of another weight decay too"
                raise ValueError(f"the name of weight_decays[{pattern!r}], {name!r}, is {whose}: give it one in names")

    def wrap(
        self, optimizer: optax.GradientTransformation, *, own_decay: bool = False
    ) -> optax.GradientTransformationExtraArgs:
        """The optimizer with the rates, the freezing and the choice of what decays.

        The links of jaxlr inside are told, through whatever wraps them; a factor of the rate of an optimizer without
        `scale_by_learning_rate` is applied to its updates.

        Args:
          optimizer: a finished optimizer; its updates may pass through any wrapper that keeps the parameters' names.
          own_decay: the optimizer chooses by itself what decays, as with `optax.adamw(mask=groups.decays)`; a group's
            weight decay it must hear of all the same.

        Raises:
          ValueError: when the optimizer is initialized: a pattern matches no parameter; the optimizer decays what
            should not, or by a group's weight decay, by other means than `jaxlr.add_weight_decay`; or it has no rate
            or weight decay that could be told of.
        """
        chooses = bool(self.no_decay or self.decay_from_rank) and not own_decay
        decays = self.decays if chooses else None
        group_of = self._group if self.rates or self._thawed() else None
        decay_of = self._decay if self.weight_decays else None
        trained = optax.with_extra_args_support(optimizer)
        groups: dict[Hashable, optax.GradientTransformation] = {"trained": trained, "frozen": optax.set_to_zero()}
        wrapped = optax.partition(groups, self._labels)

        def init(params: optax.Params) -> optax.OptState:
            self.check(params)
            with talk(params, decays, group_of, decay_of) as heard:
                state = wrapped.init(params)
                if (chooses or self.weight_decays) and not own_decay:
                    self._require_no_decay(wrapped, state, params, heard)
                self._require_own_decays(params, heard)
                self._require_rates(wrapped, params, heard)
            return state

        def update(
            updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None, **extra: Any
        ) -> tuple[optax.Updates, optax.OptState]:
            with talk(updates, decays, group_of, decay_of) as heard:
                steps, new = wrapped.update(updates, state, like_updates(params, updates), **extra)
            _require_heard(state, new, heard, chooses or decay_of is not None, group_of is not None)
            return self._scaled(steps, heard), new

        made = optax.GradientTransformationExtraArgs(init, update)
        given = {"optimizer": optimizer} | ({"own_decay": True} if own_decay else {})
        return as_call(made, f"{self!r}.wrap", given, self.wrap)

    def __repr__(self) -> str:
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return f"ParameterGroups({', '.join(f'{name}={value!r}' for name, value in given.items() if value)})"

    def decays(self, params: optax.Params) -> Any:
        """A tree of booleans, True where weight decay acts: the `mask` of an optimizer or of `add_weight_decay`."""
        if not any(map(is_masked, jax.tree.leaves(params, is_leaf=is_masked))):  # else `wrap` has checked
            self.check(params)
        return jax.tree_util.tree_map_with_path(self._decays, params)

    def factors(self, params: optax.Params) -> Any:
        """A tree of the rate factors; 0 where a parameter is frozen."""
        return jax.tree_util.tree_map_with_path(lambda path, _: self._factor(path), params)

    def check(self, params: optax.Params) -> None:
        """Raises a ValueError for a pattern that matches no parameter."""
        known = [paths.text(names) for names in {*paths.leaves_by_names(params), *masks.left_out(params)}]
        for argument in _WITH_PATTERNS:
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
            rate = "frozen" if frozen else _described(self._group(path))
            decay = "-" if frozen else self._decay_described(path, param)
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
        """Whether it never moves."""
        return not isinstance(self.frozen, Mapping) and _first_match(self.frozen, path) is not None

    def _decays(self, path: paths.Path, param: Any) -> bool:
        return np.ndim(param) >= self.decay_from_rank and _first_match(self.no_decay, path) is None

    def _decays_by_optimizer(self, path: paths.Path, param: Any) -> bool:
        """Whether the optimizer's weight decay acts on it, and none of its group's."""
        return self._decays(path, param) and self._decay(path).own is None

    def _decay(self, path: paths.Path) -> Decay:
        pattern = _first_match(list(self.weight_decays), path)
        if pattern is None:
            return Decay(OTHERS)
        name = f"weight_decays[{pattern!r}]"
        return Decay(self.names.get(pattern, pattern), Hyperparameter(name, self.weight_decays[pattern], minimum=0.0))

    def _decay_described(self, path: paths.Path, param: Any) -> str:
        own = self._decay(path).own
        if own is None or not self._decays(path, param):
            return "yes" if self._decays(path, param) else "no"
        return "own schedule" if callable(own.value) else f"{own.value:g}"

    def _factor(self, path: paths.Path) -> Any:
        return 0.0 if self._is_frozen(path) else self._group(path).rate

    def _group(self, path: paths.Path) -> Group:
        thawed = self._thawed()
        rated, waiting = _first_match(list(self.rates), path), _first_match(list(thawed), path)
        patterns = [self.names.get(pattern, pattern) for pattern in (rated, waiting) if pattern is not None]
        rate = 1.0 if rated is None else self.rates[rated]
        return Group(", ".join(dict.fromkeys(patterns)) or OTHERS, rate, 0 if waiting is None else thawed[waiting])

    def _thawed(self) -> Mapping[str, Any]:
        return self.frozen if isinstance(self.frozen, Mapping) else {}

    def _scaled(self, steps: optax.Updates, heard: Talk) -> optax.Updates:
        """The steps, scaled where no rate inside was told of the factor."""
        if not self.rates:
            return steps

        def scale(path: paths.Path, step: jax.Array) -> jax.Array:
            told = self._is_frozen(path) or paths.names(path) in heard.covered
            return step if told else (self._factor(path) * widen(step)).astype(step.dtype)

        return jax.tree_util.tree_map_with_path(scale, steps)

    def _require_rates(
        self, optimizer: optax.GradientTransformationExtraArgs, params: optax.Params, heard: Talk
    ) -> None:
        """Raises for a rate of a group that nothing can apply."""
        copies: bool | None = None
        known: dict[str, Group] = {}
        for path, _ in jax.tree_util.tree_leaves_with_path(params):
            group, name = self._group(path), paths.text(paths.names(path))
            first = group if self._is_frozen(path) else known.setdefault(group.name, group)
            if not (_same(first.rate, group.rate) and _same(first.until, group.until)):
                raise ValueError(
                    f"the name {group.name!r} stands for two rates, of {name} and others: give each its own"
                )
            if self._is_frozen(path) or paths.names(path) in heard.covered or group == Group(OTHERS):
                continue
            if callable(group.rate) or not isinstance(group.until, int) or group.until:
                raise ValueError(
                    f"the group {group.name!r} of {name} has a schedule or is frozen for a time, which only an "
                    "optimizer that ends with jaxlr.scale_by_learning_rate can follow"
                )
            copies = dependence.of_first_state(optimizer, params) if copies is None else copies
            if copies:
                raise ValueError(
                    f"a factor of the rate of {name} would be lost: the optimizer keeps copies of the parameters, and "
                    "its updates are differences to them (with_master_weights, sam, schedule_free). End what is inside "
                    "it with jaxlr.scale_by_learning_rate, or put it around the groups"
                )

    def _require_no_decay(
        self, optimizer: optax.GradientTransformationExtraArgs, state: optax.OptState, params: optax.Params, heard: Talk
    ) -> None:
        """Raises where the update of a parameter that the optimizer must not decay depends on the parameter."""
        kept = {
            paths.text(paths.names(path)): self._decay(path).own if self._decays(path, param) else None
            for path, param in jax.tree_util.tree_leaves_with_path(params)
            if not self._is_frozen(path) and not self._decays_by_optimizer(path, param)
        }
        told, heard.reading = heard.decays, True
        heard.decays = masks.both(told, lambda p: jax.tree_util.tree_map_with_path(self._decays_by_optimizer, p))
        found = dependence.among(kept.keys(), optimizer, state, params)
        heard.decays, heard.reading = told, False
        if found:
            own = kept[found[0]]
            why = "must not decay" if own is None else "has a weight decay of its own"
            instead = "mask=groups.decays and use" if own is None else f"jaxlr.add_weight_decay for {own.name}, or"
            raise ValueError(
                f"the update of {found[0]} depends on {found[0]}, which {why}: the wrapped optimizer "
                "decays by other means than jaxlr.add_weight_decay, or its updates are differences to the parameters "
                f"(sam, schedule_free). Give it {instead} wrap(..., own_decay=True), or put the groups inside it"
            )

    def _require_own_decays(self, params: optax.Params, heard: Talk) -> None:
        """Raises for a weight decay of a group that no link of the optimizer, or more than one, would apply."""
        used: dict[str, bool] = {}
        for path, param in jax.tree_util.tree_leaves_with_path(params):
            own, name = self._decay(path).own, paths.text(paths.names(path))
            if own is None or self._is_frozen(path):
                continue
            used.setdefault(own.name, False)
            if not self._decays(path, param):
                continue
            links = heard.decaying.get(paths.names(path))
            if not links:
                raise ValueError(
                    f"nothing in the optimizer adds a weight decay to {name}, so {own.name} would be lost: give it "
                    "weight_decay=0.0, or a jaxlr.add_weight_decay"
                )
            decaying = sum(chosen for _, chosen in links.values())
            if decaying > 1:
                raise ValueError(
                    f"the optimizer has {decaying} weight decays of {name}: {own.name} can't stand in place of each"
                )
            used[own.name] |= decaying > 0
        for name, some in used.items():
            if not some:
                raise ValueError(
                    f"{name} would be lost: no_decay, decay_from_rank or the optimizer's mask leaves all of its "
                    "parameters out"
                )


def _require_heard(state: optax.OptState, new: optax.OptState, heard: Talk, decays: bool, rates: bool) -> None:
    """Raises where a link that waits for the groups made an update and was not asked: it was compiled on its own."""
    for asked, told, kind in ((decays, heard.decayed, AddWeightDecayState), (rates, heard.rated, GroupedRatesState)):
        if asked and len(told) < _moved(states.find_states(state, kind), states.find_states(new, kind)):
            raise ValueError(
                "a part of the optimizer inside ParameterGroups.wrap was compiled on its own and does not hear of the "
                "groups: give jax.jit the whole training step instead"
            )


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    """How many states are not those that were there before, as where a wrapper leaves an update out."""
    pairs = [(jax.tree.leaves(old[name]), jax.tree.leaves(new[name])) for name in old]
    return sum(any(a is not b for a, b in zip(*pair, strict=True)) for pair in pairs)


def _described(group: Group) -> str:
    rate = "own schedule" if callable(group.rate) else f"x {group.rate:g}"
    return f"{rate} from {group.until}" if not isinstance(group.until, int) or group.until else rate


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


def _same(one: Any, other: Any) -> bool:
    """Whether two rates or weight decays are known to be the same, but for the rounding of a factor of muP."""
    (leaves, tree), (others, other_tree) = map(jax.tree.flatten, (one, other))
    return tree == other_tree and all(map(_close, leaves, others))


def _close(one: Any, other: Any) -> bool:
    known = not any(callable(each) or isinstance(each, Tracer) for each in (one, other))
    alike = known and np.shape(one) == np.shape(other)
    return one is other or (alike and np.allclose(np.asarray(one), np.asarray(other), rtol=1e-6, atol=0.0))


def _first_match(patterns: Sequence[str], path: paths.Path) -> str | None:
    name = paths.text(paths.names(path))
    return next((pattern for pattern in patterns if fnmatch.fnmatchcase(name, pattern)), None)
