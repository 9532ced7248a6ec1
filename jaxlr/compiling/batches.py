"""The largest batch that fits, by as few compilations as can be."""

from __future__ import annotations

import math
from collections.abc import Callable

from jaxlr.compiling.report import Report

_TRIES = 8  # compilations at most


def largest_batch(compiled: Callable[[int], Report], start: int, *, multiple: int = 1, most: int = 2**31 - 1) -> int:
    """Finds the largest batch whose program fits, to within a sixteenth.

    Memory grows with the batch almost along a line, so two batches say where that line meets the end of the memory.

    Args:
      compiled: a batch -> its report; called for at most eight batches.
      start: a batch to begin with.
      multiple: of which a batch is one: the number of devices.
      most: the largest batch to look for.

    Returns:
      A batch that was compiled and fits; 0 where none of those compiled does.

    Example:
      >>> from jaxlr.compiling.report import Memory
      >>> made = lambda batch: Report("x", 1, 0.0, 0.0, {}, Memory(temporaries=1000 + 7 * batch), 10_000)
      >>> largest_batch(made, 64)
      1285
    """
    sizes: dict[int, int] = {}
    low, high = 0, most // multiple + 1  # in multiples: what fits, and what does not
    guess = min(max(start // multiple, 1), high - 1)
    for _ in range(_TRIES):
        if high - low <= 1 or (low and high - low <= low // 16 and high <= most // multiple):
            break
        report = compiled(guess * multiple)
        low, high = (guess, high) if report.fits else (low, guess)
        if report.peak is not None:
            sizes[guess] = report.peak
        guess = _proposal(sizes, low, high, report.available, bounded=high <= most // multiple)
        guess = min(max(guess, low + 1), high - 1)
    return low * multiple


def _proposal(sizes: dict[int, int], low: int, high: int, available: int, *, bounded: bool) -> int:
    """Where to look next: on the line through the two known sizes next to the end, or from 0 through the only one."""
    known = sorted({0: 0, **sizes}.items(), key=lambda each: abs(each[1] - available))[:2]
    if len(known) < 2 or known[0][1] == known[1][1]:
        return 2 * low if low else high // 2
    (one, less), (other, more) = sorted(known)
    meets = one + math.floor((available - less) * (other - one) / (more - less))
    if meets <= low:
        return low + max(1, low // 16)
    return (low + high) // 2 if meets >= high and bounded else meets
