"""What stands around a transformation, from the calls that led to its `init`: nothing else tells it."""

from __future__ import annotations

import sys
from types import FrameType

import optax

_CHAIN = optax.chain(optax.identity()).init.__code__  # pyright: ignore[reportAttributeAccessIssue]
_NAMED_CHAIN = optax.named_chain(("", optax.identity())).init.__code__  # pyright: ignore[reportAttributeAccessIssue]

_CONDITIONS = {
    make(optax.identity(), lambda *_, **__: True).init.__code__  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    for make in (optax.apply_if_finite, optax.conditionally_mask, optax.conditionally_transform)
}
_INJECT = optax.inject_hyperparams(optax.sgd)(0.1)
_INJECTING = {_INJECT.init.__code__, _INJECT.update.__code__}  # pyright: ignore[reportAttributeAccessIssue]


def is_injected_schedule(name: str) -> bool:
    """Whether this is called by `optax.inject_hyperparams` with this argument from a schedule, one number an update."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code not in _INJECTING:
        frame = frame.f_back
    return frame is not None and name in frame.f_locals["sched_hps"]


def is_conditional() -> bool:
    """Whether this is initialized inside what runs it in a branch: its updates must have the gradients' dtypes."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code not in _CONDITIONS:
        frame = frame.f_back
    return frame is not None


def refuse_followers(name: str) -> None:
    """Refuses to be initialized by a chain, however far out, that has a link behind.

    A chain tells its links nothing of each other, so it is found among the calls that led here;
    `test_waiting.py` says when Optax's chains no longer look like this.
    """
    inner, frame = None, sys._getframe(1)
    while frame is not None:
        behind = _behind(frame, inner)
        if behind:
            raise ValueError(
                f"{name} must come last in a chain, got {behind} link{'s' if behind > 1 else ''} behind it: its "
                f"updates lead to rounded parameters, and what is done to them there would be lost; put it all inside, "
                f"{name}(optax.chain(...))"
            )
        inner, frame = frame, frame.f_back


def _behind(frame: FrameType, inner: FrameType | None) -> int:
    """How many links a chain has behind the one that it is initializing; 0 for a call of anything else."""
    if frame.f_code is _CHAIN and inner is not None:
        links, link = frame.f_locals["init_fns"], inner.f_locals["fn"]
    elif frame.f_code is _NAMED_CHAIN:
        links, link = [each.init for _, each in frame.f_locals["transforms"]], frame.f_locals["tx"].init
    else:
        return 0
    return len(links) - 1 - next(place for place, each in enumerate(links) if each is link)
