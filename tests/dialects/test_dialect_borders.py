"""Where schedules of the older and the small dialects start and end: one table, each row a test of its own."""

import numpy as np
import pytest

from jaxlr.dialects import caffe, diffusers, fairseq, fastai, keras, mlx, mmengine, optax, tf_keras, timm, torch
from jaxlr.dialects import transformers as hf

# Framework and name, unit of the counts, first value, last count, what comes after it; a maker, and values by count.
ROWS = [
    ("torch `LinearLR`", "epochs or updates", "start_factor", "total_iters", "held",
     lambda: torch.LinearLR(1.0, start_factor=0.5, total_iters=4), {0: 0.5, 2: 0.75, 4: 1, 5: 1, 99: 1}),
    ("torch `ConstantLR`", "epochs or updates", "factor", "total_iters - 1", "lr",
     lambda: torch.ConstantLR(1.0, factor=0.25, total_iters=5), {0: 0.25, 4: 0.25, 5: 1, 99: 1}),
    ("torch `PolynomialLR`", "epochs or updates", "lr", "total_iters", "0",
     lambda: torch.PolynomialLR(1.0, total_iters=4), {0: 1, 1: 0.75, 4: 0, 99: 0}),
    ("torch `CosineAnnealingLR`", "epochs or updates", "lr", "T_max", "rises again",
     lambda: torch.CosineAnnealingLR(1.0, T_max=4), {0: 1, 2: 0.5, 4: 0, 8: 1}),
    ("torch `CosineAnnealingWarmRestarts`", "epochs or updates", "lr", "T_0 - 1", "the peak at T_0",
     lambda: torch.CosineAnnealingWarmRestarts(1.0, T_0=4), {0: 1, 2: 0.5, 4: 1, 8: 1}),
    ("torch `OneCycleLR`", "updates", "max_lr / div_factor", "total_steps - 1", "held; torch raises",
     lambda: torch.OneCycleLR(1.0, max_lr=1.0, total_steps=10), {0: 0.04, 2: 1, 9: 4e-6, 10: 4e-6, 99: 4e-6}),
    ("torch `SWALR`", "epochs", "lr", "anneal_epochs", "swa_lr",
     lambda: torch.SWALR(1.0, swa_lr=0.0, anneal_epochs=4, anneal_strategy="linear"), {0: 1, 2: 0.5, 4: 0, 9: 0}),
    ("Keras `CosineDecay`", "updates", "initial_learning_rate", "decay_steps", "held",
     lambda: keras.CosineDecay(1.0, 4), {0: 1, 2: 0.5, 4: 0, 99: 0}),
    ("Keras `CosineDecay` with warm-up", "updates", "initial_learning_rate", "warmup_steps + decay_steps", "held",
     lambda: keras.CosineDecay(0.0, 4, warmup_target=1.0, warmup_steps=2), {0: 0, 1: 0.5, 2: 1, 4: 0.5, 6: 0, 9: 0}),
    ("Keras `PolynomialDecay`", "updates", "initial_learning_rate", "decay_steps", "held",
     lambda: keras.PolynomialDecay(1.0, 4, end_learning_rate=0.0), {0: 1, 2: 0.5, 4: 0, 9: 0}),
    ("Keras `PiecewiseConstantDecay`", "updates", "values[0]", "each boundary, included", "the next value",
     lambda: keras.PiecewiseConstantDecay([2], [1.0, 0.5]), {0: 1, 2: 1, 3: 0.5, 9: 0.5}),
    ("Transformers `linear`", "updates", "0, with a warm-up", "num_training_steps", "0",
     lambda: hf.get_scheduler("linear", lr=1.0, num_warmup_steps=2, num_training_steps=6),
     {0: 0, 1: 0.5, 2: 1, 4: 0.5, 6: 0, 9: 0}),
    ("Transformers `cosine`", "updates", "0, with a warm-up", "num_training_steps", "0",
     lambda: hf.get_scheduler("cosine", lr=1.0, num_warmup_steps=2, num_training_steps=6), {0: 0, 2: 1, 4: 0.5, 6: 0}),
    ("timm `CosineLRScheduler`", "epochs or updates", "lr", "t_initial - 1", "lr_min",
     lambda: timm.CosineLRScheduler(1.0, t_initial=4, lr_min=0.25), {0: 1, 2: 0.625, 4: 0.25, 9: 0.25}),
    ("timm `MultiStepLRScheduler`", "epochs or updates", "lr", "one before each decay_t", "the next rate",
     lambda: timm.MultiStepLRScheduler(1.0, decay_t=[3], decay_rate=0.5), {0: 1, 1: 1, 2: 0.5, 3: 0.5}),
    ("Optax `warmup_cosine_decay_schedule`", "updates", "init_value", "decay_steps, the warm-up in it", "held",
     lambda: optax.warmup_cosine_decay_schedule(0.0, 1.0, 2, 6), {0: 0, 1: 0.5, 2: 1, 4: 0.5, 6: 0, 9: 0}),
    ("diffusers `piecewise_constant`", "updates", "the first factor", "each step - 1", "the next factor",
     lambda: diffusers.get_scheduler("piecewise_constant", 1.0, "1:10,0.5:20,0.125"),
     {0: 1, 9: 1, 10: 0.5, 19: 0.5, 20: 0.125, 99: 0.125}),
    ("fastai `SchedLin`", "updates", "start", "total_steps, which no update has", "end",
     lambda: fastai.SchedLin(1.0, 0.0, total_steps=4), {0: 1, 3: 0.25, 4: 0, 5: 0}),
    ("fastai `fit_sgdr`", "updates", "lr_max", "each cycle's length - 1", "the peak",
     lambda: fastai.fit_sgdr(3, 1, 1.0, cycle_mult=1, steps_per_epoch=4), {0: 1, 2: 0.5, 4: 1, 8: 1}),
    ("MMEngine `LinearLR`", "epochs or updates", "start_factor", "end - 1", "end_factor",
     lambda: mmengine.LinearLR(1.0, 0.5, 0.0, begin=10, end=20), {9: 1, 10: 0.5, 19: 0, 20: 0, 50: 0}),
    ("MMEngine `PolyLR`", "epochs or updates", "lr", "end - 1", "eta_min",
     lambda: mmengine.PolyLR(1.0, 0.0, end=5), {0: 1, 2: 0.5, 4: 0, 5: 0, 9: 0}),
    ("tf_keras `cosine_decay`", "updates", "learning_rate", "decay_steps", "held",
     lambda: tf_keras.cosine_decay(1.0, 4), {0: 1, 2: 0.5, 4: 0, 9: 0}),
    ("tf_keras `piecewise_constant`", "updates", "values[0]", "each boundary, included", "the next value",
     lambda: tf_keras.piecewise_constant([2], [1.0, 0.5]), {0: 1, 2: 1, 3: 0.5}),
    ("fairseq `tri_stage`", "updates", "init_lr_scale * lr", "all three stages", "final_lr_scale * lr",
     lambda: fairseq.tri_stage(1.0, 2, 2, 4, init_lr_scale=0.5, final_lr_scale=0.0625),
     {0: 0.5, 2: 1, 4: 1, 6: 0.25, 8: 0.0625, 9: 0.0625}),
    ("fairseq `polynomial_decay`", "updates", "0, with a warm-up", "total_num_update", "end_learning_rate",
     lambda: fairseq.polynomial_decay(1.0, 2, total_num_update=6), {0: 0, 2: 1, 4: 0.5, 6: 0, 9: 0}),
    ("Caffe `poly`", "iterations", "base_lr", "max_iter", "0",
     lambda: caffe.learning_rate("poly", 1.0, power=0.5, max_iter=4), {0: 1, 3: 0.5, 4: 0, 5: 0}),
    ("MLX `cosine_decay`", "updates", "init", "decay_steps", "end",
     lambda: mlx.cosine_decay(1.0, 4), {0: 1, 2: 0.5, 4: 0, 9: 0}),
    ("MLX `linear_schedule`", "updates", "init", "steps", "end",
     lambda: mlx.linear_schedule(1.0, 0.0, 4), {0: 1, 3: 0.25, 4: 0, 9: 0}),
]  # fmt: skip
CONVENTIONS = [row[:5] for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_borders_are_theirs(row):
    *_, make, expected = row
    values = np.asarray(make()(np.array(list(expected))), np.float64)
    np.testing.assert_allclose(values, list(expected.values()), rtol=1e-6, atol=1e-7)
