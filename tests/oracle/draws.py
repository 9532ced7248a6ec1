"""Dice for random numbers and counts: what the fuzz and the hostile compiler are fed."""

import numpy as np
from rows import ROWS, Call

LAST = 2**31 - 1
LONGEST = 2_000_000_000
PLAIN = ("cosine", "linear", "polynomial", "exponential", "inverse_sqrt", "step_decay", "triangular")
COMPOSED = (*PLAIN, "piecewise_constant", "cosine_restarts", "warmup")


class Dice:
    """Numbers over the useful range; inside a composition the words stay the same: fewer programs to compile."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.depth = 0

    def between(self, low, high):
        """A number whose logarithm is uniform."""
        return float(np.exp(self.random.uniform(np.log(low), np.log(high))))

    def chance(self, probability):
        return bool(self.random.random() < probability)

    def of(self, *options):
        return options[self.random.integers(len(options))]

    def word(self, *options):
        return options[0] if self.depth else self.of(*options)

    def rate(self):
        return float(f"{self.between(1e-6, 10):.{self.random.integers(1, 17)}g}")

    def rates(self):
        """A lower and a higher one; the lower is 0 at times, and below 0 at times."""
        low, high = sorted([self.rate(), self.rate()])
        return self.of(low, low, low, low, 0.0, 0.0, 0.0, low if self.depth else -low), high

    def length(self, longest=LONGEST):
        return int(self.between(1, longest + 1))

    def lengths(self, number):
        return sorted(self.length() for _ in range(number))

    def gamma(self):
        """A factor, mostly near 1; in a composition none above it, lest values stop at the largest float32."""
        near = [1 - self.between(1e-9, 0.9) for _ in range(4)]
        return self.of(*near, 1 + (-1 if self.depth else 1) * self.between(1e-9, 1e-3), 0.0, 0.1, 0.5, 0.95, 1.0)

    def decay_rate(self):
        return self.between(1e-12, 10)

    def begun(self, horizon):
        """Now and then, a way of which a share was done at some count."""
        if self.chance(0.7):
            return {}
        return {"begin": int(self.between(1, horizon + 1)) - 1, "begin_phase": self.of(0.0, self.between(1e-6, 0.99))}

    def schedule(self, *names):
        """A schedule for a composition, and its marks."""
        self.depth += 1
        name = self.of(*(names or (COMPOSED if self.depth == 1 else PLAIN)))
        arguments, marks = ROWS[name].draw(self)
        self.depth -= 1
        return Call(name, arguments), marks

    def counts(self, marks, number=32):
        """Counts at both ends and around the marks and their multiples, and as many others."""
        ends = [0, 1, LAST - 1, LAST]
        marks = [int(mark) for mark in marks if 1 <= mark <= LAST]
        multiples = [m * int(self.between(1, LAST // m + 1)) for m in marks]
        inside = [int(self.random.integers(m + 1)) for m in marks]
        borders = [m + step for m in marks + [2 * m for m in marks] + multiples for step in (-1, 0, 1)] + inside
        anywhere = [self.length(LAST) for _ in range(number)]
        if len(borders) > number // 2:
            borders = [int(n) for n in self.random.permutation(borders)[: number // 2]]
        counts = (ends + borders + anywhere)[:number]
        return np.clip(counts, 0, LAST).astype(np.int32)


def call_of(dice, name):
    """A drawn call, and its counts."""
    arguments, marks = ROWS[name].draw(dice)
    return Call(name, arguments), dice.counts(marks)
