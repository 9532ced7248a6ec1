"""Records PyTorch's optimizers that the torch dialect must follow; needs torch, writes `torch_dialect_optimizers.npz`.

Run it as `python tests/golden/record_torch_dialect_optimizers.py` with torch 2.14.1. The gradients of the paths are
those of `torch_optimizers.npz`.
"""

import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("torch_dialect_optimizers.npz")
PROBLEM = Path(__file__).with_name("torch_optimizers.npz")
BASE_RATE = 0.05
DROPS = (40, 80)  # the rate is a tenth from each on
COUNTS = (1, 5, 6, 10, 20, 40, 41, 50, 60, 80, 100, 120)  # updates after which the parameters are recorded
SAVED_AT = 50

# name: (class in torch.optim, arguments)
CASES = {
    "sgd": ("SGD", {}),
    "sgd nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "sgd dampening, maximize": ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1, "maximize": True}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop maximize": ("RMSprop", {"alpha": 0.95, "eps": 1e-6, "weight_decay": 0.1, "maximize": True}),
    "rmsprop centered": ("RMSprop", {"centered": True, "alpha": 0.9, "momentum": 0.8}),
    "adam": ("Adam", {}),
    "adam amsgrad": ("Adam", {"amsgrad": True, "betas": (0.9, 0.9), "weight_decay": 0.1}),
    "adam decoupled": ("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True}),
    "adamw": ("AdamW", {}),
    "adamw amsgrad": ("AdamW", {"amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.95), "maximize": True}),
    "nadam": ("NAdam", {}),
    "nadam l2": ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.1, "betas": (0.8, 0.95), "maximize": True}),
    "nadam decoupled": ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-6}),
    "radam": ("RAdam", {}),
    "radam l2": ("RAdam", {"weight_decay": 0.1, "betas": (0.8, 0.9), "maximize": True}),
    "radam decoupled": ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-6}),
    "radam b2": ("RAdam", {"betas": (0.9, 0.99999)}),
    "adagrad": ("Adagrad", {}),
    "adagrad l2": ("Adagrad", {"weight_decay": 0.1, "maximize": True}),
    "adagrad lr_decay": ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.01, "eps": 1e-6}),
    "adamax": ("Adamax", {}),
    "adamax l2": ("Adamax", {"weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-5, "maximize": True}),
}

# Whose state dict is recorded in the middle: one a class, with every field.
SAVED = (
    "sgd nesterov",
    "rmsprop centered",
    "adam amsgrad",
    "adamw",
    "nadam l2",
    "radam l2",
    "adagrad lr_decay",
    "adamax l2",
)

# AdamW and OneCycleLR: a weight and a bias, each in its group.
ONE_CYCLE_UPDATES = 100
ONE_CYCLE_RATES = (0.05, 0.02)
ONE_CYCLE_DECAYS = (0.1, 0.0)


def rate(count: int) -> float:
    """The rate of the update after `count` updates: two drops."""
    return BASE_RATE * 0.1 ** sum(count >= drop for drop in DROPS)


def problem() -> tuple[np.ndarray, np.ndarray]:
    """First parameters, and gradients from 1 to 1e-6, as recorded with the optimizers of the core."""
    with np.load(PROBLEM) as recorded:
        return recorded["first"], recorded["gradients"]


def start(name: str, first: np.ndarray):
    """PyTorch's optimizer of a case and its one parameter."""
    import torch

    kind, arguments = CASES[name]
    params = torch.nn.Parameter(torch.tensor(first))
    return params, getattr(torch.optim, kind)([params], lr=BASE_RATE, **arguments)


def walk(params, optimizer, gradients: np.ndarray, begin: int) -> np.ndarray:
    """PyTorch's parameters before the first of these updates and after each."""
    import torch

    path = [params.detach().numpy().copy()]
    for count, gradient in enumerate(gradients, start=begin):
        optimizer.param_groups[0]["lr"] = rate(count)
        params.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(params.detach().numpy().copy())
    return np.stack(path)


def travel(path: np.ndarray) -> np.ndarray:
    """How far each coordinate went, back and forth."""
    return np.abs(np.diff(path.astype(np.float64), axis=0)).sum(axis=0)


def record(name: str) -> dict[str, np.ndarray]:
    """A case's path at some counts with its length below it, and the state dict in its middle."""
    first, gradients = problem()
    params, optimizer = start(name, first)
    early = walk(params, optimizer, gradients[:SAVED_AT], 0)
    optimizer.param_groups[0]["lr"] = rate(SAVED_AT)
    saved = flat(optimizer.state_dict())
    path = np.concatenate([early, walk(params, optimizer, gradients[SAVED_AT:], SAVED_AT)[1:]])
    table = np.stack([*path[list(COUNTS)], travel(path).astype(np.float32)])
    return {"path": table, **(saved if name in SAVED else {})}


def flat(state_dict: dict) -> dict[str, np.ndarray]:
    """A state dict as arrays: the states as they are, the groups as text."""
    arrays = {f"state/{i}/{k}": v.numpy().copy() for i, entry in state_dict["state"].items() for k, v in entry.items()}
    return {**arrays, "param_groups": np.array(json.dumps(state_dict["param_groups"]))}


def unflat(arrays: dict[str, np.ndarray]) -> dict:
    """The state dict again."""
    state: dict = {}
    for key in arrays:
        if key.startswith("state/"):
            _, index, field = key.split("/")
            state.setdefault(int(index), {})[field] = arrays[key]
    return {"state": state, "param_groups": json.loads(str(arrays["param_groups"]))}


def recorded(name: str) -> dict[str, np.ndarray]:
    """What the file has for a case."""
    with np.load(FILE) as golden:
        assert str(golden["torch"]).startswith("2.14.1")
        arrays = {key.partition("|")[2]: golden[key] for key in golden.files if key.startswith(f"{name}|")}
        return arrays | ({"path": golden["paths"][list(CASES).index(name)]} if name in CASES else {})


def one_cycle_problem() -> tuple[np.ndarray, np.ndarray]:
    """First parameters and gradients, a weight of 3 x 4 and a bias of 3 in a row."""
    random = np.random.default_rng(11)
    first = random.normal(size=15)
    gradients = (random.normal(size=(ONE_CYCLE_UPDATES, 15)) + 0.5) * 10.0 ** -np.linspace(0, 4, 15)
    return first.astype(np.float32), gradients.astype(np.float32)


def one_cycle_start(values: np.ndarray):
    """PyTorch's parameters, optimizer and scheduler."""
    import torch

    weight = torch.nn.Parameter(torch.tensor(values[:12].reshape(3, 4)))
    bias = torch.nn.Parameter(torch.tensor(values[12:]))
    groups = [{"params": p, "weight_decay": d} for p, d in zip((weight, bias), ONE_CYCLE_DECAYS, strict=True)]
    optimizer = torch.optim.AdamW(groups)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=list(ONE_CYCLE_RATES), total_steps=ONE_CYCLE_UPDATES
    )
    return (weight, bias), optimizer, scheduler


def one_cycle_walk(params, optimizer, scheduler, gradients: np.ndarray) -> np.ndarray:
    """PyTorch's parameters before the first of these updates and after each, in a row."""
    import torch

    weight, bias = params
    path = []
    for gradient in gradients:
        path.append(np.concatenate([p.detach().numpy().ravel() for p in params]))
        weight.grad, bias.grad = torch.tensor(gradient[:12].reshape(3, 4)), torch.tensor(gradient[12:])
        optimizer.step()
        if scheduler.last_epoch < ONE_CYCLE_UPDATES - 1:
            scheduler.step()
    return np.stack([*path, np.concatenate([p.detach().numpy().ravel() for p in params])])


def record_one_cycle() -> dict[str, np.ndarray]:
    """The run stopped in the middle: first parameters, gradients, path, state dict."""
    first, gradients = one_cycle_problem()
    params, optimizer, scheduler = one_cycle_start(first)
    early = one_cycle_walk(params, optimizer, scheduler, gradients[:SAVED_AT])
    saved = flat(optimizer.state_dict())
    late = one_cycle_walk(params, optimizer, scheduler, gradients[SAVED_AT:])
    return {
        "first": first,
        "gradients": gradients,
        "early": early[::10],
        "late": late[::10],
        "travel": travel(late),
        **saved,
    }


def main() -> None:
    """Writes the file."""
    import torch

    cases = {name: record(name) for name in CASES}
    paths = np.stack([case.pop("path") for case in cases.values()])
    cases["one cycle"] = record_one_cycle()
    arrays = {f"{name}|{key}": value for name, case in cases.items() for key, value in case.items()}
    np.savez_compressed(FILE, torch=torch.__version__, paths=paths, **arrays)


if __name__ == "__main__":
    main()
