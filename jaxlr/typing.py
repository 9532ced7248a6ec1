"""The types of public signatures: what an editor shows, and what pyright refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import jax
import numpy as np
import optax

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Leaf(Protocol):
    """A number that a schedule already holds: what its `arguments` give back and `replace` takes."""

    @property
    def is_leaf(self) -> bool:
        """True."""
        ...


Array: TypeAlias = "jax.Array | NDArray[np.number[Any]]"  # known, traced or batched
Scalar: TypeAlias = "float | np.number[Any] | Array | Leaf"  # one number
Length: TypeAlias = "float | np.number[Any] | Array | Leaf"  # a number of updates: an integer, or a whole float
Scalars: TypeAlias = "Sequence[Scalar] | Array | Leaf"  # several numbers
Lengths: TypeAlias = "Sequence[Length] | Array | Leaf"  # several update counts
Count: TypeAlias = "int | np.integer[Any] | Array"  # updates already applied, of any shape
Schedule: TypeAlias = "Callable[[Any], jax.Array]"  # of the update count, as optax has it
Rate: TypeAlias = "float | np.number[Any] | Array | Schedule"  # a number, or one for each update
PyTree: TypeAlias = Any  # no type says more
Params: TypeAlias = optax.Params
Mask: TypeAlias = "Callable[[Params], PyTree] | Mapping[str, Any] | PyTree"
