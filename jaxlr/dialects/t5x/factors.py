"""Factor strings: names with `*` between them, and the products of what they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from jaxlr.arguments import meant
from jaxlr.dialects import common
from jaxlr.dialects.common import Number
from jaxlr.schedules import Schedule, constant

Factor: TypeAlias = "Schedule | Number"
_LONGEST = 60  # characters of a wrong factor that a message shows
_MOST = 50


def read_factors(factors: str, known: Sequence[str]) -> list[str]:
    """The names in a factor string.

    Example:
      >>> read_factors("constant * linear_warmup*rsqrt_decay", ["constant", "linear_warmup", "rsqrt_decay"])
      ['constant', 'linear_warmup', 'rsqrt_decay']
      >>> read_factors("constant * rsqrt", ["constant", "rsqrt_decay"])
      Traceback (most recent call last):
      ValueError: factors has 'rsqrt', which is no factor; did you mean 'rsqrt_decay'?
    """
    if not isinstance(factors, str):
        raise TypeError(f"factors must be text such as 'constant * linear_warmup', got {factors!r}")
    names = [name.strip() for name in factors.split("*")]
    if len(names) > _MOST:
        raise ValueError(f"factors must be at most {_MOST} names, got {len(names):,}")
    for name in names:
        if name not in known:
            word = re.fullmatch(r"\w{1,60}", name)
            shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
            hint = meant(name, known) if word else f"; it is names with * between them, of {', '.join(known)}"
            raise ValueError(f"factors has {shown!r}, which is no factor{hint}")
    return names


def times(left: Factor, right: Factor) -> Factor:
    """The product of two factors."""
    if not isinstance(left, Schedule):
        left, right = right, left
    return left if not isinstance(right, Schedule) and common.equals(right, 1) else left * right


def as_schedule(factor: Factor) -> Schedule:
    """A product that may be a number as a schedule."""
    return factor if isinstance(factor, Schedule) else constant(factor)
