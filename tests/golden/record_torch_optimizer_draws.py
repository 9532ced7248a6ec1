"""Records what PyTorch's optimizers do with random arguments; writes `torch_optimizer_draws.npz`.

Run it as `python tests/golden/record_torch_optimizer_draws.py` with torch 2.14.1. Of 200 updates of a matrix and a
vector, flat in a row, the file holds the parameters after some and how far each number went. Muon iterates in bfloat16;
it is recorded with that cast replaced by one to float64, so that what is compared is the rule and not 8 bits.
"""

from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("torch_optimizer_draws.npz")
DRAWS = 20
UPDATES = 200
DROPS = (60, 130)  # the rate is a fifth from each on
COUNTS = (1, 30, 100, 200)  # updates after which the parameters are recorded
SHAPES = ((3, 5), (4,))


def _muon(random):
    return {
        "lr": _between(random, 1e-3, 1e-1),
        "weight_decay": float(random.choice([0.0, 0.1, 0.3])),
        "momentum": float(random.choice([0.0, 0.5, 0.95])),
        "nesterov": bool(random.integers(2)),
        "ns_steps": int(random.integers(1, 7)),
        "adjust_lr_fn": [None, "original", "match_rms_adamw", "spectral_unclamped"][random.integers(4)],
    }


def _adafactor(random):
    return {
        "lr": _between(random, 1e-2, 1.0),
        "beta2_decay": float(random.uniform(-1.0, -0.5)),
        "eps": (None, 1e-3) if random.integers(2) else (_between(random, 1e-9, 1e-3), _between(random, 1e-3, 1.0)),
        "d": float(random.choice([1.0, 1.5, 3.0])),
        "weight_decay": float(random.choice([0.0, 0.1])),
        "maximize": bool(random.integers(2)),
    }


def _adadelta(random):
    return {
        "lr": _between(random, 1e-2, 1.0),
        "rho": float(random.uniform(0.5, 0.99)),
        "eps": _between(random, 1e-8, 1e-2),
        "weight_decay": float(random.choice([0.0, 0.1])),
        "maximize": bool(random.integers(2)),
    }


def _rprop(random):
    return {
        "lr": _between(random, 1e-4, 1e-1),
        "etas": (float(random.uniform(0.2, 0.9)), float(random.uniform(1.05, 1.8))),
        "step_sizes": (_between(random, 1e-6, 1e-3), _between(random, 1e-2, 1.0)),
        "maximize": bool(random.integers(2)),
    }


def _asgd(random):
    return {
        "lr": _between(random, 1e-3, 1e-1),
        "lambd": _between(random, 1e-4, 1e-1),
        "alpha": float(random.uniform(0.3, 1.0)),
        "t0": float(random.choice([10.0, 1e6])),
        "weight_decay": float(random.choice([0.0, 0.1])),
        "maximize": bool(random.integers(2)),
    }


DRAW = {"Muon": _muon, "Adafactor": _adafactor, "Adadelta": _adadelta, "Rprop": _rprop, "ASGD": _asgd}


def _between(random, low, high):
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def draws(name):
    """Random arguments of a class."""
    random = np.random.default_rng([9, *map(ord, name)])
    return [DRAW[name](random) for _ in range(DRAWS)]


def shapes(name):
    """The arrays that a class trains: Muon takes matrices alone."""
    return SHAPES[:1] if name == "Muon" else SHAPES


def rate(first, count):
    """The rate of the update after `count` updates: two drops. Rprop's never changes a step."""
    return first * 0.2 ** sum(count >= drop for drop in DROPS)


def problem(name, draw):
    """First parameters, and gradients of all updates, each a list of arrays."""
    random = np.random.default_rng([draw, *map(ord, name)])
    sizes = [10.0 ** random.uniform(-2, 0, size=shape) for shape in shapes(name)]
    first = [0.01 * random.normal(size=size.shape) * size for size in sizes]
    gradients = [(random.normal(size=(UPDATES, *size.shape)) + 0.5) * size for size in sizes]
    return [each.astype(np.float32) for each in first], [each.astype(np.float32) for each in gradients]


def row(arrays):
    """Arrays as one row of numbers."""
    return np.concatenate([np.ravel(array) for array in arrays])


def walk(name, draw, arguments, exact=True):
    """PyTorch's parameters before the first update and after each, in rows."""
    import torch

    first, gradients = problem(name, draw)
    parameters = [torch.nn.Parameter(torch.tensor(each)) for each in first]
    optimizer = getattr(torch.optim, name)(parameters, **arguments)
    cast = torch.Tensor.bfloat16
    if exact:
        torch.Tensor.bfloat16 = torch.Tensor.double
    path = [row(first)]
    for count in range(UPDATES):
        optimizer.param_groups[0]["lr"] = rate(arguments["lr"], count)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.tensor(gradient[count])
        optimizer.step()
        path.append(row([parameter.detach().numpy() for parameter in parameters]))
    torch.Tensor.bfloat16 = cast
    return np.stack(path)


def travel(path):
    """How far each coordinate went, to and fro."""
    return np.abs(np.diff(path.astype(np.float64), axis=0)).sum(axis=0)


def main():
    """Writes the file."""
    import torch

    arrays = {}
    for name in DRAW:
        paths = [walk(name, draw, arguments) for draw, arguments in enumerate(draws(name))]
        arrays[name] = np.stack([[*path[list(COUNTS)], travel(path).astype(np.float32)] for path in paths])
    np.savez_compressed(FILE, torch=torch.__version__, **arrays)


if __name__ == "__main__":
    main()
