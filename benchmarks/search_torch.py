"""The way of benchmarks/search.py that runs on torch; `python search_torch.py FILE.npz` prints one JSON object."""

import contextlib
import io
import json
import os
import sys
import time
from importlib import metadata

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_lr_finder import LRFinder

BATCH_SIZE, WIDTH = 64, 32


def network(image, classes: int) -> nn.Module:
    """The network of `jaxlr.training.network.models.CNN`: two blocks and two dense layers."""
    height, width, channels = image
    layers: list[nn.Module] = []
    for outputs in (WIDTH, 2 * WIDTH):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        height, width, channels = height // 2, width // 2, outputs
    layers += [nn.Flatten(), nn.Linear(height * width * channels, 128), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(128, classes))


def main():
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)
    with np.load(sys.argv[1]) as file:
        images, labels, batches, (start, end) = (file[name] for name in ("images", "labels", "batches", "rates"))
    model = network(images.shape[1:], int(labels.max()) + 1)
    scaled = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    data = TensorDataset(scaled, torch.from_numpy(labels.astype(np.int64)))
    loader = DataLoader(data, batch_size=BATCH_SIZE, shuffle=True, drop_last=True)

    def test() -> tuple[float, list[float]]:
        optimizer = torch.optim.Adam(model.parameters(), lr=float(start))
        started = time.perf_counter()
        finder = LRFinder(model, optimizer, nn.CrossEntropyLoss(), device="cpu")
        with contextlib.redirect_stdout(io.StringIO()):
            finder.range_test(loader, end_lr=float(end), num_iter=len(batches), diverge_th=float("inf"))
        finder.reset()
        return time.perf_counter() - started, finder.history["loss"]

    seconds, losses = test()
    again, _ = test()
    versions = f"torch {torch.__version__}, torch-lr-finder {metadata.version('torch-lr-finder')}"
    print(json.dumps({"seconds": seconds, "again": again, "losses": losses, "versions": versions}))


if __name__ == "__main__":
    main()
