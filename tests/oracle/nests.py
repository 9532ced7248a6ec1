"""Optimizers and what is wrapped around them, in NumPy's float64, written from their formulas.

This file never imports jaxlr, jax or optax. A node has `init(params)` and `update(gradients, params, told)`; it
changes itself, so a node that stands still is one that is not called. `told` is what groups of parameters say to what
is inside: a factor of the rate and whether it decays, or by how much, by the name of the parameter. A tree is a
dictionary of arrays that knows whether its numbers are rounded to bfloat16; such a tree comes out as narrow as the
gradients went in.
"""

from __future__ import annotations

import dataclasses

import ml_dtypes
import numpy as np


class Tree(dict):
    """Arrays of float64 by name; `narrow`: they are numbers of bfloat16."""

    def __init__(self, arrays, narrow=False):
        super().__init__({name: np.asarray(array, np.float64) for name, array in arrays.items()})
        self.narrow = narrow

    def map(self, function, *others):
        return Tree({name: function(self[name], *(other[name] for other in others)) for name in self}, self.narrow)

    def only(self, names):
        return Tree({name: self[name] for name in self if name in names}, self.narrow)

    def rounded_like(self, other):
        """With the precision of another tree."""
        return Tree({name: bfloat16(x) if other.narrow else x for name, x in self.items()}, other.narrow)

    @property
    def finite(self):
        return all(np.isfinite(x).all() for x in self.values())


def bfloat16(x):
    return np.asarray(x).astype(ml_dtypes.bfloat16).astype(np.float64)


NOTHING = {}  # told to what stands in no group


# Rules: the direction from a gradient; `m` holds the moments of one parameter, t is 1 at the first update.


def sgd(g, m, t, *, momentum=None, nesterov=False, dampening=0.0):
    if momentum is None:
        return g
    m["m"] = g if t == 1 else momentum * m["m"] + (1 - dampening) * g
    return g + momentum * m["m"] if nesterov else m["m"]


def rmsprop(g, m, t, *, decay, eps, in_root, centered=False, correct=False, start=0.0):
    m["v"] = decay * m.get("v", start) + (1 - decay) * g * g
    m["u"] = decay * m.get("u", 0.0) + (1 - decay) * g
    gathered = 1 - decay**t if correct else 1.0
    variance = m["v"] / gathered - ((m["u"] / gathered) ** 2 if centered else 0.0)
    return g / np.sqrt(variance + eps) if in_root else g / (np.sqrt(variance) + eps)


def adam(g, m, t, *, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, nesterov=False, amsgrad=False, hat=False):
    m["m"] = b1 * m.get("m", 0.0) + (1 - b1) * g
    m["v"] = b2 * m.get("v", 0.0) + (1 - b2) * g * g
    m["x"] = np.maximum(m.get("x", 0.0), m["v"])
    mean = m["m"] / (1 - b1**t)
    if nesterov:
        mean = b1 * m["m"] / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    square = m["x"] if amsgrad else m["v"]
    if hat:
        return mean * np.sqrt(1 - b2**t) / (np.sqrt(square) + eps)
    return mean / (np.sqrt(square / (1 - b2**t) + eps_root) + eps)


def nadam(g, m, t, *, b1=0.9, b2=0.999, eps=1e-8, momentum_decay=4e-3):
    here, following = (b1 * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in (t, t + 1))
    m["p"] = m.get("p", 1.0) * here
    m["m"] = b1 * m.get("m", 0.0) + (1 - b1) * g
    m["v"] = b2 * m.get("v", 0.0) + (1 - b2) * g * g
    mean = following * m["m"] / (1 - m["p"] * following) + (1 - here) * g / (1 - m["p"])
    return mean / (np.sqrt(m["v"] / (1 - b2**t)) + eps)


def adamax(g, m, t, *, b1=0.9, b2=0.999, eps=1e-8):
    m["m"] = b1 * m.get("m", 0.0) + (1 - b1) * g
    m["u"] = np.maximum(b2 * m.get("u", 0.0), np.abs(g) + eps)
    return m["m"] / (1 - b1**t) / m["u"]


def adagrad(g, m, t, *, eps=1e-10, rate_decay=0.0):
    m["s"] = m.get("s", 0.0) + g * g
    return g / (np.sqrt(m["s"]) + eps) / (1 + rate_decay * (t - 1))


@dataclasses.dataclass
class Leaf:
    """An optimizer: its rule, the rate, the weight decay before or beside it, and a momentum after the rate."""

    rule: object  # one of the above with its numbers
    rate: object  # the update count -> rate
    decay: float = 0.0
    decoupled: bool = False
    after: float | None = None  # share of a momentum that follows the rate
    nesterov: bool = False  # of that momentum
    hears: bool = True  # whether groups around it are heard: the optimizers of jaxlr
    fixed: bool = False  # its rate is never made outside
    coupling: str = "rate"  # how a decoupled decay follows the rate
    peak: float = 1.0
    cautious: bool = False  # whether it is left out where it would work against the step
    count: int = 0

    def init(self, params):
        self.moments = {name: {} for name in params}
        self.override = None
        self.note(NOTHING)

    def note(self, told):
        """Remembers the rates of the last update: of the first, before it."""
        self.last = {}
        for name in self.moments or (["none"] if told is NOTHING else []):
            factor = told.get(name, (1.0, True))[0]
            self.last[name] = factor * (self.rate(self.count) if self.override is None else self.override)

    def update(self, gradients, params, told=NOTHING):
        self.note(told if self.hears else NOTHING)
        self.count += 1
        out = {}
        for name, g in gradients.items():
            decays = told.get(name, (1.0, True))[1] if self.hears else True
            shrink = (self.decay if decays is True else float(decays)) * params[name]
            direction = self.rule(g if self.decoupled else g + shrink, self.moments[name], self.count)
            step = -self.last[name] * direction
            if self.after is not None:
                m = self.moments[name]
                m["after"] = self.after * m.get("after", 0.0) + step
                step = step + self.after * m["after"] if self.nesterov else m["after"]
            if self.cautious:
                shrink = shrink * (direction * params[name] >= 0)
            out[name] = step - (self.pace(name, told) * shrink if self.decoupled else 0.0)
        return Tree(out).rounded_like(gradients)

    def pace(self, name, told):
        """What multiplies a decoupled decay; a group has its own peak."""
        rate, peak = self.last[name], self.peak * told.get(name, (1.0, True))[0]
        return {"rate": rate, "independent": rate / peak, "corrected": rate**2 / peak}[self.coupling]

    def leaves(self):
        return [self]


@dataclasses.dataclass
class Around:
    """What is wrapped around one node."""

    inner: object

    @property
    def hears(self):
        return self.inner.hears

    def init(self, params):
        self.inner.init(params)

    def update(self, gradients, params, told=NOTHING):
        return self.inner.update(gradients, params, told)

    def leaves(self):
        return self.inner.leaves()


@dataclasses.dataclass
class Clip(Around):
    norm: float = 1.0

    def update(self, gradients, params, told=NOTHING):
        norm = np.sqrt(sum((g * g).sum() for g in gradients.values()))
        clipped = gradients.map(lambda g: g * min(1.0, self.norm / norm) if np.isfinite(norm) else g * np.nan)
        return self.inner.update(clipped.rounded_like(gradients), params, told)


@dataclasses.dataclass
class Accumulate(Around):
    """One update with the mean of `every` gradients; `narrows`: the mean is as narrow as the gradients (MultiSteps)."""

    every: int = 2
    narrows: bool = False
    seen: tuple = ()

    def update(self, gradients, params, told=NOTHING):
        self.seen = (*self.seen, gradients)
        if len(self.seen) < self.every:
            return gradients.map(np.zeros_like)
        mean = Tree({name: sum(g[name] for g in self.seen) / self.every for name in gradients})
        self.seen = ()
        mean = mean.rounded_like(gradients) if self.narrows else mean
        return self.inner.update(mean, params, told).rounded_like(gradients)


@dataclasses.dataclass
class IfFinite(Around):
    """Gradients that are not finite are left out, `most` of them in a row."""

    most: int = 3
    row: int = 0

    def init(self, params):
        node = self.inner
        while isinstance(node, Around):
            if isinstance(node, Master):
                node.rounds_steps = True  # for the branches of a condition must agree
            node = node.inner
        self.inner.init(params)

    def update(self, gradients, params, told=NOTHING):
        self.row = 0 if gradients.finite else self.row + 1
        if gradients.finite or self.row > self.most:
            return self.inner.update(gradients, params, told)
        return gradients.map(np.zeros_like)


@dataclasses.dataclass
class Master(Around):
    """A copy of the parameters in which updates add up; the parameters are the copy rounded.

    Where the steps are rounded too, the copy knows what they lead to, and stays as it is.
    """

    rounds_steps: bool = False

    def init(self, params):
        self.copy = Tree(params)
        self.expected = Tree(params)
        self.inner.init(self.copy)

    def update(self, gradients, params, told=NOTHING):
        # What was changed outside is taken over; half a unit in the last place may be this file's own rounding.
        known = self.expected if self.rounds_steps and params.narrow else self.copy
        self.copy = self.copy.map(lambda w, e, p: np.where(np.abs(e - p) > unit(p, params.narrow), p, w), known, params)
        step = self.inner.update(Tree(gradients), self.copy, told)
        wanted = self.copy.map(np.add, step)
        target = wanted.rounded_like(params)
        change = Tree(target.map(np.subtract, params))  # float32, in which a difference of numbers of bfloat16 is exact
        if self.rounds_steps and params.narrow:
            change = Tree(change.rounded_like(params))
            self.copy, self.expected = wanted, Tree(params.map(np.add, change).rounded_like(params))
            return change
        landed = params.map(np.add, change).rounded_like(params)
        self.copy = Tree(wanted.map(lambda w, t, p: np.where(np.abs(t - p) > unit(t, False), p, w), target, landed))
        return change


def unit(x, narrow):
    """A unit in the last place."""
    return np.abs(x) * 2.0 ** (-7 if narrow else -22) + 1e-30


@dataclasses.dataclass
class Masked(Around):
    """Only these parameters; what is left out passes through."""

    names: tuple = ()

    def init(self, params):
        self.inner.init(params.only(self.names))

    def update(self, gradients, params, told=NOTHING):
        moved = self.inner.update(gradients.only(self.names), params.only(self.names), told)
        return Tree({**gradients, **moved}, gradients.narrow)


@dataclasses.dataclass
class Partition(Around):
    """These parameters by one node, the others by another."""

    names: tuple = ()
    other: object = None

    def parts(self, tree):
        return tree.only(self.names), tree.only(set(tree) - set(self.names))

    def init(self, params):
        for node, part in zip((self.inner, self.other), self.parts(params), strict=True):
            node.init(part)

    def update(self, gradients, params, told=NOTHING):
        steps = {}
        for node, g, p in zip((self.inner, self.other), self.parts(gradients), self.parts(params), strict=True):
            steps |= node.update(g, p, told) if g else {}
        return Tree({name: steps[name] for name in gradients}, gradients.narrow)

    def leaves(self):
        return [*self.inner.leaves(), *self.other.leaves()]


@dataclasses.dataclass
class Groups(Around):
    """Rates and decay by name, and names that stay as they are."""

    factors: dict = dataclasses.field(default_factory=dict)
    decayed: tuple = ()
    frozen: tuple = ()
    own: dict = dataclasses.field(default_factory=dict)  # weight decays in place of the optimizer's

    def told(self, params, outer=NOTHING):
        ours = {
            name: (self.factors.get(name, 1.0), name in self.decayed and self.own.get(name, True)) for name in params
        }
        return {
            name: (factor * outer.get(name, (1.0, True))[0], outer.get(name, (1.0, True))[1] and decays)
            for name, (factor, decays) in ours.items()
        }

    def init(self, params):
        self.inner.init(params.only(set(params) - set(self.frozen)))
        for leaf in self.inner.leaves():
            if leaf.hears:
                leaf.note(self.told(leaf.moments))

    def update(self, gradients, params, told=NOTHING):
        trained = set(gradients) - set(self.frozen)
        here = self.told(gradients, told)
        moved = self.inner.update(gradients.only(trained), params.only(trained), here)
        if not self.inner.hears:
            moved = Tree({name: self.factors.get(name, 1.0) * moved[name] for name in moved}).rounded_like(gradients)
        return Tree({name: moved.get(name, np.zeros_like(gradients[name])) for name in gradients}, gradients.narrow)


@dataclasses.dataclass
class Injected(Around):
    """The rate is a number that is made outside, of a count of its own."""

    rate: object = None  # the update count -> rate
    calls: int = 0

    def init(self, params):
        self.feed()
        self.inner.init(params)

    def feed(self):
        rate = self.rate(self.calls)
        for leaf in self.inner.leaves():
            if not leaf.fixed:
                leaf.rate = lambda count: rate

    def update(self, gradients, params, told=NOTHING):
        self.feed()
        self.calls += 1
        return self.inner.update(gradients, params, told)


@dataclasses.dataclass
class Sam(Around):
    """Every second update from where the first went up the gradient; both seen from outside."""

    radius: float = 0.05
    step: int = 0

    def init(self, params):
        self.cache = params
        self.inner.init(params)

    def update(self, gradients, params, told=NOTHING):
        self.step = 1 - self.step
        if self.step:
            self.cache = params
            return gradients.map(lambda g: self.radius * g)
        steps = self.inner.update(gradients, self.cache, told)
        return steps.map(lambda u, c, p: c - p + u, self.cache, params)


@dataclasses.dataclass
class ScheduleFree(Around):
    """Gradients at y = (1 - b1) z + b1 x, where z takes the steps and x is the mean of all z."""

    rate: float = 0.1
    b1: float = 0.9
    total: float = 0.0

    def init(self, params):
        self.z = Tree(params)
        self.inner.init(params)

    def update(self, gradients, params, told=NOTHING):
        before = self.z
        self.z = before.map(np.add, self.inner.update(gradients, params, told))
        self.total += self.rate**2
        share = self.rate**2 / self.total
        x = params.map(lambda y, z: (y - (1 - self.b1) * z) / self.b1, before)
        x = x.map(lambda x, z: (1 - share) * x + share * z, self.z)
        return x.map(lambda x, z, y: self.b1 * x + (1 - self.b1) * z - y, self.z, params)
