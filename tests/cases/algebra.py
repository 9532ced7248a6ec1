"""Operations of schedules: printed as signs and methods, and no families."""

from reference import mpf
from rows import row


def _at(operand, n):
    return operand(n) if callable(operand) else mpf(operand)


def _two_draw(dice):
    left, marks = dice.schedule()
    if dice.chance(0.3):
        return {"left": left, "right": dice.rate()}, marks
    right, more = dice.schedule("cosine", "exponential")
    return {"left": left, "right": right}, marks + more


def product(n, left, right):
    return _at(left, n) * _at(right, n)


row(product, _two_draw)


def total(n, left, right):
    return _at(left, n) + _at(right, n)


row(total, _two_draw)


def difference(n, left, right):
    return _at(left, n) - _at(right, n)


row(difference, _two_draw)


def clip(n, schedule, min, max):
    return sorted([mpf(min), schedule(n), mpf(max)])[1]


def clip_draw(dice):
    schedule, marks = dice.schedule()
    low, high = sorted([dice.rate(), dice.rate()])
    return {"schedule": schedule, "min": low, "max": high}, marks


row(clip, clip_draw)


def shift(n, schedule, k):
    return schedule(n + k if n + k > 0 else 0)


def shift_draw(dice):
    schedule, marks = dice.schedule()
    k = dice.of(1, -1) * dice.length()
    return {"schedule": schedule, "k": k}, [abs(k), *(mark - k for mark in marks)]


row(shift, shift_draw)


def repeat(n, schedule, period):
    return schedule(n % period)


def repeat_draw(dice):
    schedule, marks = dice.schedule()
    period = dice.length()
    return {"schedule": schedule, "period": period}, [period, *marks, *(period + mark for mark in marks)]


row(repeat, repeat_draw)
