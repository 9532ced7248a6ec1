"""Records the paths of PyTorch's optimizers that jaxlr's must follow; needs torch, writes `torch_optimizers.npz`.

Run it as `python tests/golden/record_torch.py` with torch 2.14.1.
"""

from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("torch_optimizers.npz")
UPDATES = 120
WIDTH = 16
BASE_RATE = 0.05
DROPS = (40, 80)  # the rate is a tenth from each on

# name: (class in torch.optim, arguments)
CASES = {
    "sgd": ("SGD", {}),
    "sgd momentum": ("SGD", {"momentum": 0.9}),
    "sgd dampening": ("SGD", {"momentum": 0.9, "dampening": 0.3}),
    "sgd nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "sgd l2": ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop momentum": ("RMSprop", {"momentum": 0.9}),
    "rmsprop centered": ("RMSprop", {"centered": True, "alpha": 0.9}),
    "rmsprop all": ("RMSprop", {"centered": True, "alpha": 0.95, "momentum": 0.8, "weight_decay": 0.1, "eps": 1e-6}),
    "adam": ("Adam", {}),
    "adam l2": ("Adam", {"weight_decay": 0.1}),
    "adam amsgrad": ("Adam", {"amsgrad": True, "betas": (0.9, 0.9)}),
    "adam b2": ("Adam", {"betas": (0.9, 0.999999)}),
    "adamw": ("AdamW", {}),
    "adamw amsgrad": ("AdamW", {"amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.95)}),
}


def rate(count: int) -> float:
    """The rate of the update after `count` updates: two drops."""
    return BASE_RATE * 0.1 ** sum(count >= drop for drop in DROPS)


def problem() -> tuple[np.ndarray, np.ndarray]:
    """First parameters, and gradients from 1 to 1e-6: by coordinate, and in the second half by time too."""
    random = np.random.default_rng(7)
    where = np.linspace(0.0, 1.0, WIDTH // 2)
    when = np.linspace(0.0, 1.0, UPDATES)[:, None]
    steady = np.broadcast_to(10.0 ** (-6 * where), (UPDATES, WIDTH // 2))
    sweeping = 10.0 ** (-6 * ((where + when) % 1.0))
    scales = np.concatenate([steady, sweeping], axis=1)
    first = random.normal(size=WIDTH) * scales[0]
    gradients = (random.normal(size=(UPDATES, WIDTH)) + 0.5) * scales
    return first.astype(np.float32), gradients.astype(np.float32)


def record(name: str) -> np.ndarray:
    """PyTorch's parameters before the first update and after each."""
    import torch

    kind, arguments = CASES[name]
    first, gradients = problem()
    params = torch.nn.Parameter(torch.tensor(first))
    optimizer = getattr(torch.optim, kind)([params], lr=BASE_RATE, **arguments)
    path = [first]
    for count, gradient in enumerate(gradients):
        optimizer.param_groups[0]["lr"] = rate(count)
        params.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(params.detach().numpy().copy())
    return np.stack(path)


def main() -> None:
    """Writes the file."""
    import torch

    first, gradients = problem()
    rates = [rate(count) for count in range(UPDATES)]
    paths = {name: record(name) for name in CASES}
    np.savez_compressed(FILE, torch=torch.__version__, first=first, gradients=gradients, rates=rates, **paths)


if __name__ == "__main__":
    main()
