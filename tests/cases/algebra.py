"""Operations of schedules: printed as signs and methods, and no families."""

from reference import mpf, power
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


def quotient(n, left, right):
    return _at(left, n) / mpf(right)


def quotient_draw(dice):
    schedule, marks = dice.schedule()
    return {"left": schedule, "right": dice.of(1, -1) * dice.rate()}, marks


row(quotient, quotient_draw)


def raised(n, left, right):
    return power(_at(left, n), mpf(right))


def raised_draw(dice):
    schedule, marks = dice.schedule("cosine", "exponential", "triangular", "inverse_sqrt")
    return {"left": schedule, "right": dice.of(0.5, 2.0, dice.between(0.1, 3))}, marks


row(raised, raised_draw)


def clip(n, schedule, min="-inf", max="inf"):
    return sorted([mpf(min), schedule(n), mpf(max)])[1]


def clip_draw(dice):
    schedule, marks = dice.schedule()
    low, high = sorted([dice.rate(), dice.rate()])
    return {"schedule": schedule, **dice.word({"min": low, "max": high}, {"min": low}, {"max": high})}, marks


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
