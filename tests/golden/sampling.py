"""What the recorders of small dialects share: 20 draws of arguments, 24 of 200 rates."""

import numpy as np
from recording import DRAWS, STEPS, Dice, kept_of


def draws(table, name):
    """The arguments of every draw of a name; `table[name]` makes them of dice."""
    dice = Dice([*map(ord, name)])
    return [table[name](dice) for _ in range(DRAWS)]


def kept(name):
    """The counts that are recorded, one row for each draw: the ends, the first five, and others."""
    return kept_of([2, *map(ord, name)], (0, 1, 2, 3, 4))


def save(file, version, table, rates):
    """Writes the rates of every draw of every name."""
    recorded = {}
    for name in table:
        rows = [rates(name, arguments) for arguments in draws(table, name)]
        recorded[name] = np.take_along_axis(np.array(rows, np.float64), kept(name), 1).astype(np.float32)
    np.savez_compressed(file, version=version, **recorded)


def torch_rates(make, first, names=("lr",)):
    """The rates of a scheduler of torch's kind, update by update; of several names of a group a row for each."""
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=first, momentum=0.9)
    scheduler, group, rows = make(optimizer), optimizer.param_groups[0], []
    for _ in range(STEPS):
        rows.append([group[name] for name in names])
        optimizer.step()
        scheduler.step()
    return np.array(rows).squeeze(-1)
