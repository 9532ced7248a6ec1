"""Every schedule in mpmath at 300 bits, from its definition alone. This file never imports jaxlr."""

import mpmath

mpmath.mp.prec = 300
mpf = mpmath.mpf


def ulps(value, exact):
    """The distance of a float32 from the exact number, in units in the last place of the exact number."""
    exact = mpf(exact)
    if abs(exact) < mpf(2) ** -126:  # may flush to 0
        return mpf(0) if abs(mpf(float(value))) <= mpf(2) ** -126 else mpf("inf")
    exponent = mpmath.floor(mpmath.log(abs(exact), 2))
    return abs(mpf(float(value)) - exact) / mpf(2) ** (exponent - 23)


def power(base, exponent):
    if exponent == 0:
        return mpf(1)
    return mpf(0) if base == 0 else mpmath.exp(mpf(exponent) * mpmath.log(mpf(base)))


def constant(n, value):
    return mpf(value)


def step_decay(n, init_value, decay_rate, step_size, offset=0):
    return mpf(init_value) * power(decay_rate, int(n + offset) // step_size)


def multi_step(n, init_value, milestones, decay_rate):
    rates = decay_rate if isinstance(decay_rate, list) else [decay_rate] * len(milestones)
    value = mpf(init_value)
    for milestone, rate in zip(milestones, rates, strict=True):
        value *= mpf(rate) if n >= milestone else 1
    return value


def exponential(n, init_value, decay_rate, transition_steps=1, staircase=False, end_value=None):
    exponent = int(n) // transition_steps if staircase else mpf(n) / transition_steps
    value = mpf(init_value) * power(decay_rate, exponent)
    if end_value is None:
        return value
    return max(value, mpf(end_value)) if decay_rate < 1 else min(value, mpf(end_value))


def resumed(n, end, begin, phase):
    """The place on a way of `end` updates of which a share, `phase`, was done at `begin`."""
    if n >= end or not (begin or phase):
        return n
    return end * (mpf(phase) + (1 - mpf(phase)) * max(n - begin, 0) / mpf(end - begin)) if begin < end else n


def cosine(n, init_value, decay_steps, end_value=0.0, after="hold", begin=0, begin_phase=0.0):
    n = resumed(n, decay_steps, begin, begin_phase)
    if after == "hold":
        n = min(n, decay_steps)
    weight = mpmath.cos(mpmath.pi * (n % (2 * decay_steps)) / (2 * mpf(decay_steps))) ** 2
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def cosine_restarts(n, init_value, first_decay_steps, t_mul=1, m_mul=1.0, end_value=0.0):
    cycle, start, length = 0, mpf(0), mpf(first_decay_steps)
    if t_mul == 1:
        cycle = int(n) // first_decay_steps
        start = mpf(cycle * first_decay_steps)
    while n >= start + length:
        cycle, start, length = cycle + 1, start + length, length * mpf(t_mul)
    weight = mpmath.cos(mpmath.pi * (n - start) / (2 * length)) ** 2
    return mpf(end_value) + (mpf(init_value) - mpf(end_value)) * power(m_mul, cycle) * weight


def rise(n, step_size, step_size_down):
    down = step_size if step_size_down is None else step_size_down
    cycle = int(n) // (step_size + down)
    inside = n - cycle * (step_size + down)
    return cycle, mpf(inside) / step_size if inside < step_size else 1 - mpf(inside - step_size) / down


def triangular(n, base_lr, max_lr, step_size, step_size_down=None):
    return mpf(base_lr) + (mpf(max_lr) - mpf(base_lr)) * rise(n, step_size, step_size_down)[1]


def triangular2(n, base_lr, max_lr, step_size, step_size_down=None):
    cycle, height = rise(n, step_size, step_size_down)
    return mpf(base_lr) + (mpf(max_lr) - mpf(base_lr)) * height / mpf(2) ** cycle


def exp_range(n, base_lr, max_lr, step_size, gamma, step_size_down=None, decay_base=False):
    height = (mpf(max_lr) - mpf(base_lr)) * rise(n, step_size, step_size_down)[1]
    return (mpf(base_lr) + height) * power(gamma, n) if decay_base else mpf(base_lr) + height * power(gamma, n)


def warmup(n, schedule, warmup_steps, init_value=None, kind="linear", offset=0, overlap=False):
    if n >= warmup_steps and not (overlap and kind == "1-exp" and warmup_steps):
        return schedule(n if overlap else n - warmup_steps)
    target, first = schedule(n if overlap else 0), mpf(0 if init_value is None else init_value)
    done = min(mpf(n + offset) / warmup_steps, 1)
    if kind == "constant":
        return first
    if kind in ("log", "1-exp", "1-sqrt", "cosine"):
        share = {
            "log": lambda: min(mpmath.log(1 + n + offset) / mpmath.log(1 + mpf(warmup_steps)), 1),
            "1-exp": lambda: -mpmath.expm1(-mpf(n + offset) / warmup_steps),
            "1-sqrt": lambda: 1 - mpmath.sqrt(1 - done),
            "cosine": lambda: mpmath.sin(mpmath.pi * done / 2) ** 2,
        }[kind]()
        return first + (target - first) * share
    return first + (target - first) * done if kind == "linear" else first * power(target / first, done)


def join(n, schedules, boundaries):
    passed = sum(n >= boundary for boundary in boundaries)
    return schedules[passed](n - boundaries[passed - 1] if passed else n)


def per_epoch(n, schedule, steps_per_epoch, staircase=True):
    return schedule(int(n) // steps_per_epoch if staircase else mpf(n) / steps_per_epoch)


def near_integer(x):
    """What a schedule takes for an integer, and for its last count."""
    nearest = mpmath.nint(x)
    return min(nearest if abs(x - nearest) <= x / 2**40 else x, mpf(2**32 - 1))


def cooldown(n, schedule, at, steps, shape="linear", end_value=0.0, power=1.0):
    if n < at:
        return schedule(n)
    start, end, x = schedule(at), mpf(end_value), min(mpf(n - at) / steps, 1)
    if shape == "exponential" and start > 0:
        return end if x == 1 else mpmath.exp((1 - x) * mpmath.log(start) + x * mpmath.log(end))
    share = {
        "linear": 1 - x,
        "exponential": 1 - x,
        "1-sqrt": 1 - mpmath.sqrt(x),
        "cosine": mpmath.cos(mpmath.pi * x / 2) ** 2,
        "power": (1 - x) ** mpf(power),
    }[shape]
    return end + (start - end) * share


def per_example(n, schedule, batch_size, unit=1, scale=None):
    if not isinstance(batch_size, dict):
        return schedule(near_integer(mpf(n) * batch_size / unit))
    starts, sizes = list(batch_size), list(batch_size.values())
    seen, updates, piece = 0, 0, 0
    while piece + 1 < len(starts):  # as many updates of this size as it takes to have seen the next size's start
        needed = -(-max(starts[piece + 1] - seen, 0) // sizes[piece])
        if updates + needed > n:
            break
        seen, updates, piece = seen + needed * sizes[piece], updates + needed, piece + 1
    ratio = mpf(sizes[piece]) / sizes[0]
    factor = {None: 1, "linear": ratio, "sqrt": mpmath.sqrt(ratio)}[scale]
    return factor * schedule(near_integer((seen + (n - updates) * mpf(sizes[piece])) / unit))


def at_speed(n, schedule, speed):
    return schedule(near_integer(n * mpf(speed)))


def with_restarts(n, schedule, period, t_mul=1, m_mul=1.0, limit=None, end_value=0.0):
    cycle, start, length = 0, mpf(0), mpf(period)
    if t_mul == 1:
        cycle = int(n) // period
        start = mpf(cycle * period)
    while n >= start + length:
        cycle, start, length = cycle + 1, start + length, length * mpf(t_mul)
    if limit is not None and cycle >= limit:
        return mpf(end_value)
    return power(m_mul, cycle) * schedule(near_integer((n - start) / length * period))


def linear(n, init_value, end_value, transition_steps, transition_begin=0):
    return polynomial(n, init_value, end_value, 1, transition_steps, transition_begin)


def polynomial(n, init_value, end_value, power, transition_steps, transition_begin=0):
    done = min(max(mpf(n - transition_begin), 0), transition_steps) / transition_steps
    weight = (1 - done) ** mpf(power)
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def natural_exponential(n, init_value, decay_rate, transition_steps=1, staircase=False):
    exponent = int(n) // transition_steps if staircase else mpf(n) / transition_steps
    return mpf(init_value) * mpmath.exp(-mpf(decay_rate) * exponent)


def inverse_time(n, init_value, decay_rate, transition_steps=1, staircase=False):
    exponent = int(n) // transition_steps if staircase else mpf(n) / transition_steps
    return mpf(init_value) / (1 + mpf(decay_rate) * exponent)


def power_of_count(n, init_value, exponent, timescale=1, shift=0):
    ratio = max(mpf(n + shift) / timescale, 1)
    return mpf(init_value) * mpmath.exp(mpf(exponent) * mpmath.log(ratio))


def inverse_sqrt(n, init_value, timescale=1):
    return mpf(init_value) * mpmath.sqrt(mpf(timescale) / max(n, timescale))


def time_based(n, init_value, decay_rate):
    """By the gamma function: prod_{k<n} (1 + d k) = d**n gamma(n + 1/d) / gamma(1/d), at 900 bits."""
    with mpmath.workprec(900):
        if decay_rate == 0 or n == 0:
            return mpf(init_value)
        d = mpf(decay_rate)
        logarithm = n * mpmath.log(d) + mpmath.loggamma(n + 1 / d) - mpmath.loggamma(1 / d)
        return mpf(init_value) * mpmath.exp(-logarithm)


def piecewise_constant(n, values, boundaries):
    return mpf(values[sum(n >= boundary for boundary in boundaries)])


def table(n, values):
    return mpf(values[min(n, len(values) - 1)])


def cyclic(n, base_lr, max_lr, step_size, scale_fn, scale_by="cycle", step_size_down=None):
    cycle, height = rise(n, step_size, step_size_down)
    scale = mpf(scale_fn(cycle + 1 if scale_by == "cycle" else n))
    return mpf(base_lr) + (mpf(max_lr) - mpf(base_lr)) * height * scale


def through(n, values, total_steps, pct_start, anneal, last):
    lead = 1 if last == "total-1" else 0
    share = mpf(pct_start) * total_steps
    border = mpf(0) if abs(share - lead) < share / 2**40 else share - lead
    borders = [mpf(0), *[border, 2 * border][: len(values) - 2], mpf(total_steps - lead)]
    if n >= total_steps - lead:
        return values[-2] if borders[-2] >= borders[-1] else values[-1]
    for start, stop, first, then in zip(borders, borders[1:], values, values[1:], strict=False):
        if n < stop:
            x = (n - start) / (stop - start)
            weight = mpmath.sin(mpmath.pi * x / 2) ** 2 if anneal == "cos" else x
            return first * (1 - weight) + then * weight
    return values[-1]


def one_cycle(
    n,
    max_lr,
    total_steps,
    pct_start=0.3,
    div_factor=25.0,
    final_div_factor=1e4,
    anneal="cos",
    three_phase=False,
    last="total-1",
    begin=0,
    begin_phase=0.0,
):
    n = resumed(n, total_steps - (last == "total-1"), begin, begin_phase)
    first = mpf(max_lr) / mpf(div_factor)
    middle = [first] if three_phase else []
    values = [first, mpf(max_lr), *middle, first / mpf(final_div_factor)]
    return through(n, values, total_steps, pct_start, anneal, last)


def one_cycle_momentum(
    n,
    total_steps,
    base_momentum=0.85,
    max_momentum=0.95,
    pct_start=0.3,
    anneal="cos",
    three_phase=False,
    last="total-1",
    begin=0,
    begin_phase=0.0,
):
    n = resumed(n, total_steps - (last == "total-1"), begin, begin_phase)
    low, high = mpf(base_momentum), mpf(max_momentum)
    return through(n, [high, low, high] + [high] * three_phase, total_steps, pct_start, anneal, last)


def warmup_stable_decay(
    n,
    peak_value,
    warmup_steps,
    stable_steps,
    decay_steps,
    init_value=0.0,
    end_value=0.0,
    decay="linear",
    begin=0,
    begin_phase=0.0,
):
    n = resumed(n, warmup_steps + stable_steps + decay_steps, begin, begin_phase)
    if n < warmup_steps:
        return mpf(init_value) + (mpf(peak_value) - mpf(init_value)) * n / warmup_steps
    x = min(max(mpf(n - warmup_steps - stable_steps), 0), decay_steps) / decay_steps
    weight = {"linear": x, "cosine": mpmath.sin(mpmath.pi * x / 2) ** 2, "1-sqrt": mpmath.sqrt(x)}[decay]
    return mpf(peak_value) * (1 - weight) + mpf(end_value) * weight


def flat_cosine(n, init_value, total_steps, pct_start=0.75, end_value=0.0):
    return through(n, [mpf(init_value), mpf(init_value), mpf(end_value)], total_steps, pct_start, "cos", "total")


def tanh(n, init_value, decay_steps, end_value=0.0, lower=-7.0, upper=3.0):
    x = min(mpf(n) / decay_steps, 1)
    weight = (1 - mpmath.tanh(mpf(lower) * (1 - x) + mpf(upper) * x)) / 2
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def k_decay(n, init_value, decay_steps, k=1.0, end_value=0.0, power=1.0, shape="cosine"):
    late = min(mpf(n) / decay_steps, 1) ** mpf(k)
    curve = 1 - late if shape == "linear" else mpmath.cos(mpmath.pi / 2 * late) ** 2
    weight = curve ** mpf(power) if n < decay_steps else mpf(0)
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def rex(n, init_value, decay_steps):
    x = min(mpf(n) / decay_steps, 1)
    return mpf(init_value) * (1 - x) / (1 - x / 2)


def polynomial_cycles(n, init_value, end_value, power, decay_steps):
    horizon = decay_steps * max(1, -(-int(n) // decay_steps))
    weight = (1 - mpf(n) / horizon) ** mpf(power)
    return mpf(init_value) * weight + mpf(end_value) * (1 - weight)


def noam(n, d_model, warmup_steps, factor=1.0):
    k = mpf(n + 1)
    return mpf(factor) / mpmath.sqrt(d_model) * min(1 / mpmath.sqrt(k), k / mpf(warmup_steps) ** mpf(1.5))
