"""Updates that are skipped: the rest of the run is that of a plain loop that leaves the same batches out."""

import chex
import jax
import numpy as np
import optax
import pytest
from flax import nnx
from test_loop import BATCH, DATA, TRAIN, make_model, make_trainer

import jaxlr
from jaxlr.training.data.datasets import Dataset, Split
from jaxlr.training.loop import trainer as loop
from jaxlr.training.loop.items import Chunk, EpochEnd, TrainingDiverged
from jaxlr.training.loop.order import epoch_order

BAD = 17  # an image that is not finite


def spoiled(*bad):
    images = DATA.train.images.astype(np.float32)
    images[list(bad)] = np.inf
    return Dataset("spoiled", Split(images, DATA.train.labels), DATA.validation, DATA.test, classes=3, split_note="")


def rate(count):
    return 0.1 / (1 + count)


def plain_loop(epochs):
    """Parameters of a loop without jaxlr's that leaves out the batches with the bad image."""
    model = make_model()
    optimizer = nnx.Optimizer(model, optax.sgd(rate, momentum=0.9), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, images, labels):
        def loss_of(model):
            return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

        optimizer.update(model, nnx.grad(loss_of)(model))

    left_out = 0
    for epoch in range(epochs):
        order = epoch_order(TRAIN, 0, epoch)
        for batch in range(TRAIN // BATCH):
            chosen = order[batch * BATCH : (batch + 1) * BATCH]
            if BAD in chosen:
                left_out += 1
            else:
                images = DATA.train.images[chosen].astype(np.float32)
                step(model, optimizer, images, DATA.train.labels[chosen])
    return nnx.to_pure_dict(nnx.state(model, nnx.Param)), left_out


@pytest.mark.parametrize(
    "seconds", [pytest.param(0.0, id="one by one"), pytest.param(1e9, id="whole epochs", marks=pytest.mark.ci)]
)
def test_a_batch_with_a_bad_image_is_left_out_and_the_count_stands_still(seconds, monkeypatch):
    monkeypatch.setattr(loop, "_CHUNK_SECONDS", seconds)
    trainer = make_trainer(jaxlr.sgd(rate, momentum=0.9), data=spoiled(BAD), nonfinite="skip")
    items = list(trainer.run(3))
    parameters, left_out = plain_loop(3)
    chex.assert_trees_all_close(trainer.parameters, parameters, rtol=1e-4, atol=1e-6)
    chunks = [item for item in items if isinstance(item, Chunk)]
    updates = [chunk.updates for chunk in chunks]
    counts = np.concatenate([item.count for item in updates])
    np.testing.assert_array_equal(counts, np.arange(18 - left_out))
    np.testing.assert_allclose(np.concatenate([item.learning_rate for item in updates]), 0.1 / (1 + counts), rtol=1e-6)
    assert sum(chunk.skipped.sum() for chunk in chunks) == left_out == trainer.skipped > 0
    assert [item.count for item in items if isinstance(item, EpochEnd)][-1] == trainer.count == 18 - left_out
    skipped = np.concatenate([chunk.skipped for chunk in chunks])
    count, rates, loss, *_ = map(np.concatenate, zip(*(chunk.entries for chunk in chunks), strict=True))
    np.testing.assert_array_equal(count, np.cumsum(~skipped) - ~skipped)
    np.testing.assert_array_equal(np.isnan(loss), skipped)
    assert not any(chunk.diverged for chunk in chunks)
    for place in np.flatnonzero(skipped & (count > 0)):
        assert rates[place] == pytest.approx(0.1 / count[place])


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["one by one", "whole epochs"])
def test_after_every_item_the_state_belongs_to_it(seconds, monkeypatch):
    monkeypatch.setattr(loop, "_CHUNK_SECONDS", seconds)
    trainer = make_trainer(jaxlr.sgd(rate), data=spoiled(BAD), nonfinite="skip")
    made = left_out = 0
    for item in trainer.run(2):
        if isinstance(item, Chunk):
            made, left_out = made + len(item.updates.count), left_out + int(item.skipped.sum())
        assert (trainer.count, trainer.skipped) == (made, left_out)
        assert int(trainer.state[1][-1].count) == made


def test_a_run_of_nothing_but_bad_updates_stops_after_an_epoch():
    trainer = make_trainer(data=spoiled(*range(TRAIN)), nonfinite="skip")
    items = []
    with pytest.raises(TrainingDiverged, match="the loss became nan at count 0"):
        items.extend(trainer.run(3))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(trainer.parameters))


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="nonfinite must be one of 'stop', 'skip', got 'ignore'"):
        make_trainer(nonfinite="ignore")
