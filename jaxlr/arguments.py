"""One voice for wrong names: what was given, what was probably meant, or what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["brief", "meant", "nearest", "unknown"]


def brief(text: str, most: int = 200) -> str:
    """A text that an error repeats: of a long one both ends, since what is wrong stands behind what was given.

    Example:
      >>> brief("constant(0.1)"), brief("constant(0.1) + " * 10_000, 30)
      ('constant(0.1)', 'constant(0.1) + ... onstant(0.1) + ')
    """
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def nearest(name: str, known: Iterable[str], *, most: int = 1, cutoff: float = 0.5) -> list[str]:
    """The known names that look most like a given one, the nearest first; capitals count as small letters.

    Example:
      >>> nearest("cosin", ["linear", "cosine"])
      ['cosine']
    """
    lowered = {each.lower(): each for each in known}
    return [lowered[each] for each in difflib.get_close_matches(name.lower(), lowered, n=most, cutoff=cutoff)]


def meant(name: str, known: Iterable[str]) -> str:
    """What to put behind a message about an unknown name: the nearest, or all in their order.

    Example:
      >>> meant("cosin", ["linear", "cosine"]), meant("xyz", ["linear", "cosine"])
      ("; did you mean 'cosine'?", '; there are linear, cosine')
    """
    known = list(known)
    near = nearest(name, known)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The whole message.

    Example:
      >>> unknown("family", "cosin", ["linear", "cosine"])
      "unknown family 'cosin'; did you mean 'cosine'?"
    """
    return f"unknown {what} {brief(name)!r}{meant(name, known)}"
