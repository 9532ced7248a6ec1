"""What the links of an optimizer are told by the groups of parameters around it, and how the groups know they heard.

The groups say it to whatever runs inside, through any wrapper, while the optimizer is initialized and while its update
is traced; nothing travels through `init` and `update`. A link that asks is noted. Where one that should have asked did
not, as one that was compiled on its own, apart from the groups, the groups raise: see `groups.patterns`.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxlr.transforms.hyperparameters import Hyperparameter
from jaxlr.transforms.parameters import paths
from jaxlr.transforms.parameters.masks import Mask, both

OTHERS = "others"  # the name of the parameters that no pattern matches


@dataclasses.dataclass(frozen=True)
class Group:
    """Parameters with a rate of their own."""

    name: str
    rate: Any = 1.0  # a factor of the optimizer's rate, or a schedule in its place
    until: Any = 0  # int32: updates for which they are frozen

    @property
    def share(self) -> Any:
        """Its factor of a rate that is set for all."""
        return 1.0 if callable(self.rate) else self.rate

    def at(self, base: jax.Array, count: jax.Array) -> jax.Array:
        """The group's rate, where `base` is the optimizer's."""
        rate = self.rate(count) if callable(self.rate) else base * self.rate
        return jax.numpy.where(count < self.until, 0.0, jax.numpy.asarray(rate, jax.numpy.float32))


@dataclasses.dataclass(frozen=True)
class Decay:
    """The weight decay of a group of parameters."""

    name: str
    own: Hyperparameter | None = None  # in place of the optimizer's

    def at(self, base: Hyperparameter, count: jax.Array) -> jax.Array:
        """The group's weight decay, where `base` is the optimizer's."""
        return (self.own or base).at(count)


@dataclasses.dataclass
class Talk:
    """One call of a wrapped optimizer, and who asked in it."""

    decays: Mask  # which parameters decay, in what is outside too
    group_of: Callable[[paths.Path], Group] | None  # None where all parameters have one rate
    decay_of: Callable[[paths.Path], Decay] | None  # None where all that decay do so alike
    known: frozenset[paths.Names]
    decayed: dict[int, Any] = dataclasses.field(default_factory=dict)  # states of weight decays that asked, by identity
    rated: dict[int, Any] = dataclasses.field(default_factory=dict)  # states of rates that asked, likewise
    covered: set[paths.Names] = dataclasses.field(default_factory=set)  # parameters that got their group's rate
    # By parameter: the weight decays that have it, by identity, and whether their own masks let it decay.
    decaying: dict[paths.Names, dict[int, tuple[Any, bool]]] = dataclasses.field(default_factory=dict)
    reading: bool = False  # whether the update is traced to see what decays

    def check(self, params: Any) -> None:
        """Raises where something between has changed the names of the parameters."""
        for names in paths.leaves_by_names(params):
            if names not in self.known:
                raise ValueError(
                    f"a transformation between ParameterGroups and the optimizer changes the tree of the parameters: "
                    f"{paths.text(names)} is none of {', '.join(map(paths.text, sorted(self.known)[:8]))}"
                )

    def tree(self, of: Callable[[paths.Path], Any], params: Any) -> Any:
        """What a function says of the path of each parameter."""
        self.check(params)
        return jax.tree_util.tree_map_with_path(lambda path, _: of(path), params)


_talk: contextvars.ContextVar[Talk | None] = contextvars.ContextVar("talk", default=None)


@contextlib.contextmanager
def talk(
    params: Any,
    decays: Mask,
    group_of: Callable[[paths.Path], Group] | None,
    decay_of: Callable[[paths.Path], Decay] | None = None,
) -> Iterator[Talk]:
    """While a wrapped optimizer is run: what its links are told."""
    outer = _talk.get()
    _require_one("rates", outer and outer.group_of, group_of)
    _require_one("weight_decays", outer and outer.decay_of, decay_of)
    here = Talk(
        both(decays, outer.decays if outer else None),
        group_of or (outer.group_of if outer else None),
        decay_of or (outer.decay_of if outer else None),
        frozenset(paths.leaves_by_names(params)),
        reading=outer is not None and outer.reading,
    )
    token = _talk.set(here)
    try:
        yield here
    finally:
        _talk.reset(token)
        if outer is not None:
            outer.decayed |= here.decayed
            outer.rated |= here.rated
            outer.covered |= here.covered
            for names, links in here.decaying.items():
                outer.decaying.setdefault(names, {}).update(links)


def _require_one(argument: str, outer: Any, inner: Any) -> None:
    if outer is not None and inner is not None:
        raise ValueError(f"{argument} in two ParameterGroups, one around the other: put all patterns into one")


def decays_here(state: Any, params: Any) -> Mask:
    """Which parameters decay, for a link that adds a weight decay."""
    here = _talk.get()
    if here is None:
        return None
    if here.decays is not None:
        here.check(params)
    here.decayed[id(state)] = state
    return here.decays


def own_decays(params: Any) -> Any:
    """A tree of the weight decays of the parameters, for a link that adds one; None where all decay alike."""
    here = _talk.get()
    if here is None or here.decay_of is None:
        return None
    return here.tree(here.decay_of, params)


def note_decaying(link: Any, chosen: Any) -> None:
    """Notes what a link that adds a weight decay has been initialized with, and what its mask chose of it."""
    here = _talk.get()
    if here is not None:
        for names, use in paths.leaves_by_names(chosen).items():
            here.decaying.setdefault(names, {})[id(link)] = (link, bool(use))


def current_rates(state: Any, params: Any) -> Any:
    """A tree of the groups of the parameters, for a link that applies the learning rate; None without groups."""
    here = _talk.get()
    if here is None or here.group_of is None:
        return None
    groups = here.tree(here.group_of, params)
    here.rated[id(state)] = state
    here.covered |= set(paths.leaves_by_names(params))
    return groups


def groups_here(params: Any) -> Any:
    """A tree of the groups of the parameters, for a link that asks and applies no rate; without groups all are one."""
    here = _talk.get()
    if here is None or here.group_of is None:
        return jax.tree.map(lambda _: Group(OTHERS), params)
    return here.tree(here.group_of, params)


def reading_decays() -> bool:
    """Whether the update is traced to see what decays: then the steps are wanted, not differences to the parameters."""
    here = _talk.get()
    return here is not None and here.reading
