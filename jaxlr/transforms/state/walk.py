"""Finding and changing states inside whatever holds an optimizer state.

The states of a chain are few, the arrays of parameters in them many: the walk goes through tuples, dictionaries and
other nodes until it meets a state that is asked for or one that holds no others, and looks into no array.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import DictKey, GetAttrKey, SequenceKey, keystr, tree_leaves_with_path

from jaxlr.numerics.wide import Wide
from jaxlr.transforms.describing import STATES
from jaxlr.transforms.parameters.paths import Path
from jaxlr.transforms.waiting import RECORDS

State = TypeVar("State")
Kind = type[Any] | tuple[type[Any], ...]
Wanted = Callable[[Path, Any], bool]


def find_states(x: Any, kind: type[State] | tuple[type[State], ...]) -> dict[str, State]:
    """Every state of one kind in an optimizer state, a Flax `TrainState` or an `nnx.Optimizer`, by label or path.

    The label is that of `optax.partition` and of `ParameterGroups`. Where there is none, or several states share it,
    the path stands instead.
    """
    found = find_nodes(x, _of(kind))
    uses = collections.Counter(label_of(path) for path, _ in found)
    return {label if (label := label_of(path)) and uses[label] == 1 else _text(path): node for path, node in found}


def change_states(x: Any, kind: Kind, change: Callable[[Any], Any], *, group: str | None = None) -> Any:
    """The same container with `change` applied to its states of one kind, or to those of one label or path."""

    def on_state(path: Path, node: Any) -> Any:
        return change(as_arrays(node)) if group in (None, label_of(path), _text(path)) else node

    return change_nodes(x, _of(kind), on_state)


def groups_of(x: Any, kind: Kind) -> set[str]:
    """The labels and paths by which `change_states` knows the states of one kind."""
    return {name(path) for path, _ in find_nodes(x, _of(kind)) for name in (label_of, _text)} - {""}


def find_nodes(x: Any, wanted: Wanted) -> list[tuple[Path, Any]]:
    """The outermost nodes of an optimizer state that are wanted, with their paths; none inside a link."""
    return list(_walk((), named_state_of(x), wanted))


def change_nodes(x: Any, wanted: Wanted, change: Callable[[Path, Any], Any]) -> Any:
    """The same container with `change` applied to these nodes."""
    with jax.transfer_guard_host_to_device("allow"):  # of the numbers that are set: they are asked for
        new = _changed((), named_state_of(x), wanted, change)
    return with_opt_state(x, new)


def opt_state_of(x: Any) -> Any:
    """The optimizer state in a container, or `x` itself if it has none."""
    if isinstance(x, Mapping):  # such as `nnx.state(optimizer)`, or that as a dictionary
        return x["opt_state"] if {"opt_state", "step"} <= set(x) else x
    return getattr(x, "opt_state", x)


def named_state_of(x: Any) -> Any:
    """The optimizer state in a container, in jaxlr's classes where mappings of their fields stand for them."""
    return _named(opt_state_of(x))


def is_unnamed(opt_state: Any) -> bool:
    """Whether it has lost the classes of its states, as in `nnx.state(optimizer)`."""
    if not isinstance(opt_state, Mapping):
        return False
    return all(isinstance(key, DictKey) for path, _ in tree_leaves_with_path(as_arrays(opt_state)) for key in path)


def with_opt_state(x: Any, new: Any) -> Any:
    """The container with another optimizer state of the same structure.

    What can be copied is copied; what holds its leaves in variables, as an `nnx.Optimizer`, or takes an attribute is
    written in place.
    """
    old = opt_state_of(x)
    new = _unnamed(new, old)
    if _is_variable(_first_leaf(old)):  # then all are
        holders = jax.tree.leaves(old, is_leaf=_is_variable)
        for holder, leaf in zip(holders, jax.tree.leaves(new, is_leaf=_is_variable), strict=True):
            if holder is not leaf:
                holder[...] = leaf
        return x
    if old is x:
        return new
    if isinstance(x, Mapping):
        return _with_children(x, {key: new if name_of(key) == "opt_state" else child for key, child in _children(x)})
    for name in ("replace", "_replace"):  # a Flax TrainState, a NamedTuple
        if callable(replace := getattr(x, name, None)):
            return replace(opt_state=new)
    if dataclasses.is_dataclass(x) and cast(Any, x).__dataclass_params__.frozen:
        return dataclasses.replace(cast(Any, x), opt_state=new)
    copied = jax.tree.map(lambda node: new if node is old else node, x, is_leaf=lambda node: node is old)
    if copied is not x and opt_state_of(copied) is new:
        return copied
    try:
        cast(Any, x).opt_state = new
    except AttributeError as error:
        raise TypeError(
            f"{type(x).__name__} can be neither copied with another opt_state nor written: give its opt_state, and put "
            "back what is returned"
        ) from error
    return x


def as_arrays(tree: Any) -> Any:
    """A state, or a part of one, with plain arrays where an `nnx.Optimizer` holds variables."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if _is_variable(leaf) else leaf, tree, is_leaf=_is_variable)


def label_of(path: Path) -> str:
    """The labels of `optax.partition` on a path, and the name of the group of parameters if there is one."""
    labels = [
        (name_of(before), str(key.key))
        for before, key in itertools.pairwise(path)
        if is_label((before,)) and isinstance(key, DictKey)
    ]
    if labels and labels[-1][0] == "groups":  # whose own partition, into trained and frozen, says nothing more
        labels = [(kind, label) for kind, label in labels if (kind, label) != ("inner_states", "trained")]
    return "/".join(label for _, label in labels)


def is_label(path: Path) -> bool:
    """Whether what follows on a path is a label of groups of parameters, each with its own updates."""
    return bool(path) and name_of(path[-1]) in ("inner_states", "groups")


def name_of(key: Any) -> Any:
    """A field's or an entry's name; None for a place in a sequence."""
    return getattr(key, "name", getattr(key, "key", None))


_LEAVES = (jax.Array, np.ndarray, np.generic, str, int, float)


def _of(kind: Kind) -> Wanted:
    return lambda path, node: isinstance(node, kind)


def _walk(path: Path, node: Any, wanted: Wanted) -> Iterator[tuple[Path, Any]]:
    if wanted(path, node):
        yield path, node
    else:
        for key, child in _children(node):
            yield from _walk((*path, key), child, wanted)


def _changed(path: Path, node: Any, wanted: Wanted, change: Callable[[Path, Any], Any]) -> Any:
    if wanted(path, node):
        return change(path, node)
    new = {key: _changed((*path, key), child, wanted, change) for key, child in _children(node)}
    old = dict(_children(node))
    return node if all(new[key] is old[key] for key in new) else _with_children(node, new)


def _children(node: Any) -> list[tuple[Any, Any]]:
    """The nodes inside, with their keys; none where no state can be."""
    if node is None or isinstance(node, _LEAVES) or type(node) in RECORDS:
        return []
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return [(GetAttrKey(name), getattr(node, name)) for name in cast(Any, node)._fields]
    if isinstance(node, tuple | list):
        return [(SequenceKey(position), child) for position, child in enumerate(node)]
    if type(node) is dict:
        return [(DictKey(name), node[name]) for name in sorted(node)]
    children = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda inner: inner is not node)[0]
    return [(path[0], child) for path, child in children if len(path) == 1]


def _with_children(node: Any, new: Mapping[Any, Any]) -> Any:
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return type(node)(*new.values())
    if isinstance(node, tuple | list):
        return type(node)(new.values())
    if type(node) is dict:
        return {key.key: child for key, child in new.items()}
    tree = jax.tree.structure(node, is_leaf=lambda inner: inner is not node)
    return jax.tree.unflatten(tree, list(new.values()))


def _named(node: Any) -> Any:
    """Mappings of the fields of jaxlr's states as these; those that hold nothing are left out in `nnx.state`."""
    if not isinstance(node, Mapping):
        return node
    children = {key: _named(child) for key, child in node.items()}
    if set(children) == {"high", "low"}:
        return Wide(**children)
    kinds = [kind for kind in STATES if set(kind._fields[:2]) <= set(children) <= set(kind._fields)]
    if not kinds:
        return children
    kind = min(kinds, key=lambda each: len(each._fields))
    return kind(**{name: children.get(name, ()) for name in kind._fields})


def _unnamed(new: Any, old: Any) -> Any:
    """A state in the mappings that stood for it before it was named."""
    if not isinstance(old, Mapping):
        return new
    get = new.__getitem__ if isinstance(new, Mapping) else functools.partial(getattr, new)
    return _with_children(old, {key: _unnamed(get(key.key), child) for key, child in _children(old)})


def _first_leaf(node: Any) -> Any:
    """The first leaf of a tree, a variable being one; None where there is none."""
    if _is_variable(node) or isinstance(node, _LEAVES):
        return node
    if isinstance(node, tuple | list | Mapping):
        children = list(node.values()) if isinstance(node, Mapping) else node
    else:
        children = jax.tree.leaves(node, is_leaf=lambda inner: inner is not node)
    leaves = (_first_leaf(child) for child in children if child is not node)
    return next((leaf for leaf in leaves if leaf is not None), None)


def _is_variable(node: Any) -> bool:
    """Whether `node` is a variable of `flax.nnx`, told without importing it."""
    return hasattr(node, "__jax_array__") and hasattr(type(node), "value")


def _text(path: Path) -> str:
    return keystr(path, simple=True, separator="/") or "."
