"""Weight decay and penalties: links that add a multiple of the parameters, or of their signs, to the updates."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from jaxlr.transforms import coupling as couplings
from jaxlr.transforms import hyperparameters
from jaxlr.transforms.coupling import Coupling
from jaxlr.transforms.describing import described
from jaxlr.transforms.hyperparameters import Held, Hyperparameter, Number, NumberOrSchedule
from jaxlr.transforms.link import Step, link, link_state
from jaxlr.transforms.parameters import masks
from jaxlr.transforms.parameters.context import Decay, decays_here, note_decaying, own_decays
from jaxlr.transforms.parameters.masks import Mask
from jaxlr.transforms.rate.controller import Controller
from jaxlr.transforms.rate.learning_rate import scale_by_learning_rate
from jaxlr.transforms.records import Record, numbers_in
from jaxlr.transforms.trees import cast_like, gradients_of, like_updates, widen
from jaxlr.transforms.wrappers.precision import in_float32
from jaxlr.typing import PyTree


@link_state("weight_decay")
class AddWeightDecayState(NamedTuple):
    """State of `add_weight_decay`."""

    count: jax.Array  # int32, (): updates applied; stays at 2**31 - 1
    weight_decay: Record | dict[str, Record]  # by the name of the group inside `ParameterGroups(weight_decays=...)`


@described
def add_weight_decay(
    weight_decay: NumberOrSchedule,
    *,
    mask: Mask = None,
    coupling: Coupling = "rate",
    peak: Number | None = None,
    cautious: bool = False,
    learning_rate: NumberOrSchedule | Controller | Held | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Adds a multiple of the parameters to the updates.

    u -> u + weight_decay p

    Before an optimizer's link this is an L2 penalty (its gradient enters the moments); after it and before
    `scale_by_learning_rate` it is decoupled: p shrinks by rate times weight decay. After `scale_by_learning_rate`, with
    a negative weight decay, it does not follow the rate at all.

    With `coupling` and `cautious` it is decoupled, before the rate r of `scale_by_learning_rate`: p -= r u + d p,

    - "rate": d = r weight_decay
    - "independent": d = (r / peak) weight_decay, the schedule's multiplier times the decay, whatever the base rate is
    - "corrected": d = (r^2 / peak) weight_decay, for layers before a normalisation, whose gradients it keeps level
    - cautious: d = 0 where u and p have opposite signs, each number of p on its own

    r is the rate of that very update: scheduled, set by hand or under a rule. A group of `ParameterGroups` has its own,
    and where that is a factor times the others', so is its peak: "independent" decays all such groups alike.

    Args:
      weight_decay: a number or a schedule; at least 0 with any of the options below.
      mask: a tree of booleans, True where to decay; shaped like the parameters, or with one boolean for a subtree, and
        matched by name; or a function that makes one from the parameters. None decays all.
      coupling: how the decay follows the rate.
      peak: for "independent" the base rate, which the schedule's multiplier multiplies; for "corrected" the schedule's
        highest, where it is as "rate"; above 0, known or traced.
      cautious: decay only where the step, too, takes p towards 0.
      learning_rate: for "corrected" alone, which must see the rate: what `scale_by_learning_rate` takes. The link then
        stands in that one's place too, at the end of the chain.

    Returns:
      A gradient transformation; its update needs the parameters. Inside `ParameterGroups.wrap` what both allow decays,
      a group with a weight decay of its own by that one. With `learning_rate` its state is the pair of this one's and
      that of `scale_by_learning_rate`.

    Raises:
      TypeError: an argument is of the wrong kind, or the mask holds other than booleans.
      ValueError: an argument is out of range or missing, the mask does not fit the parameters, the update is called
        without parameters; or a group that decays has a schedule of its own, whose peak is not known.

    Example:
      >>> import jax, jax.numpy as jnp, jaxlr, optax
      >>> chain = optax.chain(add_weight_decay(0.5, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)))
      >>> params = {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}
      >>> updates, _ = chain.update(jax.tree.map(jnp.zeros_like, params), chain.init(params), params)
      >>> float(updates["kernel"][0, 0]), float(updates["bias"][0])
      (0.5, 0.0)

      No gradient, and a rate that has fallen to a half of its peak of 0.5:

      >>> params = jnp.array([8.0])
      >>> for chain in (
      ...   optax.chain(add_weight_decay(0.25), jaxlr.scale_by_learning_rate(0.25)),
      ...   optax.chain(add_weight_decay(0.25, coupling="independent", peak=0.5), jaxlr.scale_by_learning_rate(0.25)),
      ...   add_weight_decay(0.25, coupling="corrected", peak=0.5, learning_rate=0.25),
      ... ):
      ...   print(float(chain.update(jnp.zeros(1), chain.init(params), params)[0][0]))
      -0.5
      -1.0
      -0.25

      Only the first of these is on its way to 0:

      >>> link, params = add_weight_decay(0.5, cautious=True), jnp.array([2.0, -2.0])
      >>> link.update(jnp.ones(2), link.init(params), params)[0].tolist()
      [2.0, 1.0]

    References:
      Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017, arXiv:1711.05101 ("independent" is its AdamW)
      Defazio, Why Gradients Rapidly Increase Near the End of Training, 2025, arXiv:2506.02285 ("corrected")
      Chen et al., Cautious Weight Decay, 2025, arXiv:2510.12402 (`cautious`)
    """
    decay = decay_link(weight_decay, mask=mask, coupling=coupling, peak=peak, cautious=cautious)
    if not couplings.needs_rate(coupling):
        if learning_rate is not None:
            raise ValueError(f"learning_rate is for coupling='corrected' alone, got it with {coupling!r}")
        return decay
    if learning_rate is None:
        raise ValueError("learning_rate must be given with coupling='corrected': the link then applies it, at the end")
    return in_float32(couplings.with_rate([], decay, scale_by_learning_rate(learning_rate)))


def decay_link(
    weight_decay: NumberOrSchedule,
    *,
    mask: Mask,
    coupling: Coupling,
    peak: Number | None,
    cautious: bool,
    least: float = -math.inf,
) -> optax.GradientTransformationExtraArgs:
    """The link of the decay alone, which for "corrected" must be told the rate."""
    peak = couplings.checked(coupling, peak, cautious)
    least = 0.0 if cautious or coupling != "rate" else least
    decay = hyperparameters.hyperparameter("weight_decay", weight_decay, minimum=least)
    way = _Way(mask, coupling, peak, cautious)
    plain = _decaying(decay, way)

    def init(params: optax.Params) -> Any:
        groups = own_decays(params)
        note_decaying(decay, masks.resolve(mask, params))
        _require_positive(decay, groups)
        return (plain if groups is None else _decaying(_OfGroups(decay, groups), way)).init(params)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, Any]:
        groups = own_decays(updates)
        _require_same_groups(groups, state.weight_decay)
        now = plain if groups is None else _decaying(_OfGroups(decay, groups, numbers_in(state.weight_decay)), way)
        return now.update(updates, state, params, **extra)

    return optax.GradientTransformationExtraArgs(cast(Any, init), cast(Any, update))


def add_decay_of_all(weight_decay: Number) -> optax.GradientTransformationExtraArgs:
    """A weight decay that is another number than the optimizer's `weight_decay`: no group has one in its place."""
    return _decaying(Hyperparameter("weight_decay", hyperparameters.number("weight_decay", weight_decay)), _Way())


@dataclasses.dataclass(frozen=True)
class _Way:
    """Where a decay acts, and how it follows the rate."""

    mask: Mask = None
    coupling: Coupling = "rate"
    peak: Any = None
    cautious: bool = False


@dataclasses.dataclass(frozen=True)
class _OfGroups:
    """The weight decays of all groups on a tree, as one hyperparameter: by the names of the groups."""

    base: Hyperparameter
    groups: Any  # a tree of Decay
    before: Any = None  # what is recorded, for a group of which no parameter has an update

    def first(self, count: jax.Array) -> dict[str, jax.Array]:
        """Each weight decay at count 0, checked where it is known."""
        return {group.name: (group.own or self.base).first(count) for group in jax.tree.leaves(self.groups)}

    def at(self, count: jax.Array) -> dict[str, jax.Array]:
        """Each weight decay at a count."""
        found: dict[str, Decay] = {group.name: group for group in jax.tree.leaves(self.groups)}
        now = {name: group.at(self.base, count) for name, group in found.items()}
        return now if self.before is None else {**self.before, **now}


def _decaying(decay: Hyperparameter | _OfGroups, way: _Way) -> optax.GradientTransformationExtraArgs:
    """The link, with one weight decay for all or one for each group."""

    def start(params: PyTree) -> dict[str, PyTree]:
        chosen = masks.resolve(masks.both(way.mask, decays_here(way.mask, params)), params)
        couplings.ratios(way.coupling, way.peak, None, chosen, params)  # for its errors
        return {}

    def term(p: jax.Array, weight: Any, ratio: Any, step: jax.Array) -> jax.Array:
        kept = couplings.same_signs(step, p) if way.cautious else p
        return weight * kept if way.coupling == "rate" else weight * ratio * kept

    def direction(step: Step, moments: AddWeightDecayState, updates: PyTree) -> PyTree:
        del moments
        weight, told = step.at(cast(Any, decay)), couplings.told(step.extra)
        if isinstance(decay, _OfGroups):
            weights = jax.tree.map(lambda group: cast(Any, weight)[group.name], decay.groups)
        else:
            weights = jax.tree.map(lambda _: weight, updates)
        allowed = decays_here(step.before, updates)
        params, chosen = _chosen("add_weight_decay", updates, step.params, way.mask, allowed)
        ratios = couplings.ratios(way.coupling, way.peak, told.rates, chosen, params)
        return _add(term, chosen, updates, params, weights, ratios, updates if told.steps is None else told.steps)

    return link(AddWeightDecayState, start=start, direction=direction, records={"weight_decay": cast(Any, decay)})


def _require_positive(decay: Hyperparameter, groups: Any) -> None:
    """Raises where groups have weight decays of their own in place of a negative one, as behind the rate."""
    if not any(group.own for group in jax.tree.leaves(groups)):
        return
    start = decay.at(jnp.zeros([], jnp.int32))
    if not isinstance(start, Tracer) and float(start) < 0:
        raise ValueError(
            f"add_weight_decay({float(start):g}), which is negative, can't have a group's weight decay of "
            "ParameterGroups in its place: put a positive one before scale_by_learning_rate"
        )


def _require_same_groups(groups: Any, record: Any) -> None:
    """Raises for a state of other groups; what was written over the record is the link's to refuse."""
    known = set(record) if isinstance(record, Mapping) else None
    now = None if groups is None else {group.name for group in jax.tree.leaves(groups)}
    if not isinstance(record, Mapping | Record) or (now is None and known is None):
        return
    if now is None or known is None or not now <= known:
        raise ValueError(
            "this state was made with other weight_decays of ParameterGroups around the optimizer than it is updated "
            "with; see load_state_dict"
        )


@described
def add_l1_penalty(weight: Number, *, mask: Mask = None) -> optax.GradientTransformationExtraArgs:
    """Adds the gradient of an L1 penalty to the updates.

    u -> u + weight sign(p)

    Args:
      weight: of the sum of the absolute values in the loss.
      mask: as for `add_weight_decay`.

    Returns:
      A gradient transformation; its update needs the parameters.

    Raises:
      TypeError: `weight` is not a number, or the mask holds other than booleans.
      ValueError: the mask does not fit the parameters, or the update is called without parameters.

    Example:
      >>> import jax.numpy as jnp
      >>> link = add_l1_penalty(0.5)
      >>> params = jnp.array([2.0, -3.0, 0.0])
      >>> updates, _ = link.update(jnp.zeros(3), link.init(params), params)
      >>> updates.tolist()
      [0.5, -0.5, 0.0]
    """
    weight = hyperparameters.number("weight", weight)

    def init(params: optax.Params) -> optax.EmptyState:
        masks.resolve(mask, params)
        return optax.EmptyState()

    def update(
        updates: optax.Updates, state: optax.EmptyState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, optax.EmptyState]:
        del extra
        params, chosen = _chosen("add_l1_penalty", updates, params, mask)
        return _add(lambda p: weight * jnp.sign(p), chosen, updates, params), state

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


def _chosen(link: str, updates: optax.Updates, params: optax.Params | None, *given: Mask) -> tuple[PyTree, PyTree]:
    """The parameters beside the updates, and where the masks let the link act."""
    if params is None:
        raise ValueError(f"{link} needs the parameters: call update(updates, state, params)")
    params = like_updates(params, updates)
    return params, masks.resolve(masks.both(*given), params)


def _add(term: Any, chosen: PyTree, updates: optax.Updates, params: PyTree, *others: PyTree) -> optax.Updates:
    def leaf(use: bool, u: jax.Array, p: jax.Array, *other: Any) -> jax.Array:
        return u + term(widen(p), *other) if use else u

    return cast_like(jax.tree.map(leaf, chosen, gradients_of(updates), params, *others), updates)
