"""The training loop against a plain loop of Flax and optax, and its promises: order, repeatability, one compilation."""

import itertools
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxlr
from jaxlr.training.data.datasets import Dataset, Split
from jaxlr.training.loop import trainer as loop
from jaxlr.training.loop.items import Chunk, EpochEnd, TrainingDiverged, Updates
from jaxlr.training.loop.order import epoch_order
from jaxlr.training.loop.trainer import Trainer
from jaxlr.training.network.models import CNN

TRAIN, BATCH = 52, 8  # 6 batches in an epoch, 4 images left out


def make_split(examples, seed):
    """Images whose class is the bright one of three rows."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, examples).astype(np.int32)
    images = random.integers(0, 100, (examples, 4, 4, 1))
    images[np.arange(examples), labels] += 100
    return Split(images.astype(np.uint8), labels)


DATA = Dataset(
    "rows", make_split(TRAIN, 0), make_split(20, 1), make_split(300, 2), classes=3, split_note="52 + 20 + 300"
)


class Network(nnx.Module):
    """A network of Flax's layers, with running statistics and dropout, that compiles in no time."""

    def __init__(self, dropout):
        rngs = nnx.Rngs(0)
        self.hidden = nnx.Linear(16, 5, rngs=rngs)
        self.norm = nnx.BatchNorm(5, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.output = nnx.Linear(5, 3, rngs=rngs)

    def __call__(self, images):
        pixels = images.reshape(len(images), -1).astype(jnp.float32) / 255
        return self.output(self.dropout(nnx.relu(self.norm(self.hidden(pixels)))))


def make_model(dropout=0.0):
    return Network(dropout)


def make_trainer(optimizer=None, *, model=None, data=DATA, batch_size=BATCH, **options):
    optimizer = jaxlr.sgd(0.1, momentum=0.9) if optimizer is None else optimizer
    return Trainer(model or make_model(), optimizer, data, batch_size=batch_size, **options)


def join(items):
    """All updates of a run as one `Updates`."""
    chunks = [item for item in items if isinstance(item, Chunk)]
    return Updates(*map(np.concatenate, zip(*(chunk.updates for chunk in chunks), strict=True)))


def plain_loop(optimizer, epochs):
    """Losses, accuracies, gradients and final parameters of a loop without jaxlr's."""
    model = make_model()
    flax_optimizer = nnx.Optimizer(model, optimizer, wrt=nnx.Param)

    @nnx.jit
    def step(model, flax_optimizer, images, labels):
        def loss_of(model):
            outputs = model(images)
            loss = optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean()
            return loss, (outputs.argmax(axis=1) == labels).mean()

        (loss, accuracy), gradients = nnx.value_and_grad(loss_of, has_aux=True)(model)
        flax_optimizer.update(model, gradients)
        flat = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(gradients)])
        return jnp.concatenate([jnp.stack([loss, accuracy]), flat])

    results = []
    for epoch in range(epochs):
        order = epoch_order(TRAIN, 0, epoch)
        for batch in range(TRAIN // BATCH):
            chosen = order[batch * BATCH : (batch + 1) * BATCH]
            results.append(step(model, flax_optimizer, DATA.train.images[chosen], DATA.train.labels[chosen]))
    losses, accuracies, *gradients = np.asarray(results).T
    return losses, accuracies, np.transpose(gradients), nnx.to_pure_dict(nnx.state(model, nnx.Param))


@pytest.mark.parametrize("accumulate", [1, 4], ids="accumulate {}".format)
def test_the_run_is_that_of_a_plain_loop(accumulate):
    optimizer = optax.sgd(0.1, momentum=0.9)
    losses, accuracies, gradients, parameters = plain_loop(optax.MultiSteps(optimizer, accumulate), epochs=3)
    trainer = make_trainer(accumulate=accumulate)
    items = join(trainer.run(3))
    whole = len(losses) // accumulate * accumulate
    np.testing.assert_allclose(items.loss, losses[:whole].reshape(-1, accumulate).mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(items.accuracy, accuracies[:whole].reshape(-1, accumulate).mean(axis=1), rtol=1e-6)
    norms = np.linalg.norm(gradients[:whole].reshape(-1, accumulate, gradients.shape[1]).mean(axis=1), axis=1)
    np.testing.assert_allclose(items.gradient_norm, norms, rtol=1e-4)
    chex.assert_trees_all_close(trainer.parameters, parameters, rtol=1e-4, atol=1e-6)


# 6 batches in an epoch: with 4 of them in an update, epochs end after updates 1, 3, 4; with 20, after 0, 0, 0, 1.
@pytest.mark.parametrize(
    ("accumulate", "ends"),
    [
        pytest.param(1, [6, 12, 18], id="1", marks=pytest.mark.ci),
        pytest.param(4, [1, 3, 4], id="4"),
        pytest.param(20, [0, 0, 0, 1], id="20", marks=pytest.mark.ci),
    ],
)
def test_every_update_comes_once_with_its_rate_and_epochs_end_in_their_places(accumulate, ends):
    schedule = jaxlr.triangular2(base_lr=0.01, max_lr=0.05, step_size=2)
    trainer = make_trainer(jaxlr.adam(schedule), accumulate=accumulate)
    items = list(trainer.run(len(ends)))
    updates = join(items)
    np.testing.assert_array_equal(updates.count, np.arange(ends[-1]))
    cycle, place = np.divmod(updates.count, 4)
    rates = 0.01 + 0.04 * np.minimum(place, 4 - place) / 2 * 0.5**cycle
    np.testing.assert_allclose(updates.learning_rate, rates, rtol=1e-6)
    assert [(item.epoch, item.count) for item in items if isinstance(item, EpochEnd)] == list(
        zip(range(1, len(ends) + 1), ends, strict=True)
    )
    seen = 0
    for item in items:
        seen += len(item.updates.count) if isinstance(item, Chunk) else 0
        assert isinstance(item, Chunk) or item.count == seen
    for item, (begin, end) in zip(
        (item for item in items if isinstance(item, EpochEnd)), itertools.pairwise([0, *ends]), strict=True
    ):
        expected = updates.accuracy[begin:end].mean() if end > begin else np.nan
        np.testing.assert_allclose(item.train_accuracy, expected, rtol=1e-6)
    assert trainer.updates_total(len(ends)) == ends[-1]
    assert {column.dtype.name for column in updates} == {"int32", "float32"}


def run_all(*, seed=0, chunk_seconds=0.7, epochs=(3,), monkeypatch):
    monkeypatch.setattr(loop, "_CHUNK_SECONDS", chunk_seconds)
    trainer = make_trainer(model=make_model(dropout=0.5), seed=seed, accumulate=2)
    items = [item for part in epochs for item in trainer.run(part)]
    ends = [item for item in items if isinstance(item, EpochEnd)]
    return (join(items), ends, trainer.parameters), len(items) - len(ends)


def test_the_same_seed_gives_the_same_bits_however_the_run_is_cut(monkeypatch):
    whole, few_chunks = run_all(chunk_seconds=1e9, monkeypatch=monkeypatch)
    single_updates, many_chunks = run_all(chunk_seconds=0.0, monkeypatch=monkeypatch)
    continued, _ = run_all(epochs=(1, 2), monkeypatch=monkeypatch)
    assert few_chunks < many_chunks == 9
    chex.assert_trees_all_equal(whole, single_updates, continued)
    other, _ = run_all(seed=1, monkeypatch=monkeypatch)
    assert (other[0].loss != whole[0].loss).any()


def test_the_step_is_compiled_once_whatever_the_chunks(monkeypatch):
    optimizer = jaxlr.sgd(0.1)
    once = optax.GradientTransformationExtraArgs(optimizer.init, chex.assert_max_traces(optimizer.update, n=1))
    monkeypatch.setattr(loop, "_CHUNK_SECONDS", 0.0)
    trainer = make_trainer(once)
    chunks = []
    for item in trainer.run(2):
        chunks.append(len(item.updates.count) if isinstance(item, Chunk) else 0)
        monkeypatch.setattr(loop, "_CHUNK_SECONDS", 1e9 if len(chunks) > 3 else 0.0)
    list(trainer.run(1))
    assert len(set(chunks)) > 2
    # Another trainer has a step of its own.
    assert len(join(make_trainer().run(1)).count) == 6


def test_a_second_trace_of_the_step_is_an_error():
    trainer = make_trainer()
    list(trainer.run(1))
    with pytest.raises(AssertionError, match="traced > 1 times"):
        trainer._train_chunk(trainer._state, trainer._feed.fed(0, 1), 1)


def test_evaluation_is_that_of_the_whole_split_at_once():
    trainer = make_trainer(model=make_model(dropout=0.5))
    list(trainer.run(2))
    for split in (DATA.validation, DATA.test):
        outputs = np.asarray(trainer.model(jnp.asarray(split.images)), np.float64)
        losses = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(outputs)), split.labels]
        loss, accuracy = trainer.evaluate(split)
        np.testing.assert_allclose(loss, losses.mean(), rtol=1e-5)
        np.testing.assert_allclose(accuracy, (outputs.argmax(axis=1) == split.labels).mean(), rtol=1e-12)


def test_training_learns_and_reports_the_validation_part():
    model = CNN((4, 4, 1), 3, width=4, depth=1, dense=8, dropout=0.2, rngs=nnx.Rngs(0))
    trainer = make_trainer(jaxlr.adam(0.02), model=model)
    ends = [item for item in trainer.run(15) if isinstance(item, EpochEnd)]
    assert ends[-1].train_accuracy > 0.95
    assert trainer.evaluate(DATA.test)[1] > 0.9
    assert (ends[-1].validation_loss, ends[-1].validation_accuracy) == trainer.evaluate(DATA.validation)


def test_what_the_caller_holds_is_left_alone():
    model = make_model()
    before = jax.tree.map(jnp.copy, nnx.to_pure_dict(nnx.state(model)))
    trainer = make_trainer(model=model)
    list(trainer.run(1))
    held = trainer.parameters
    values = jax.tree.map(jnp.copy, held)
    list(trainer.run(1))
    chex.assert_trees_all_equal(nnx.to_pure_dict(nnx.state(model)), before)
    chex.assert_trees_all_equal(held, values)
    assert not model.dropout.deterministic


@pytest.mark.ci
def test_penalties_are_part_of_the_loss_but_not_of_the_evaluation():
    trainers = [make_trainer(), make_trainer(l1=0.3), make_trainer(l2=0.3)]
    kernels = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(trainers[0].parameters) if leaf.ndim > 1]
    weights = np.concatenate([kernel.ravel() for kernel in kernels])
    assert len({trainer.evaluate(DATA.test) for trainer in trainers}) == 1
    plain, with_l1, with_l2 = (float(next(trainer.run(1)).updates.loss[0]) for trainer in trainers)
    np.testing.assert_allclose(with_l1 - plain, 0.3 * np.abs(weights).sum(), rtol=1e-4)
    np.testing.assert_allclose(with_l2 - plain, 0.3 * (weights**2).sum() / 2, rtol=1e-4)


def test_a_loss_that_is_not_finite_stops_the_run_after_the_updates_before_it():
    bad = 9  # in the second epoch
    # The update before the bad one throws the parameters away.
    rate = jaxlr.piecewise_constant([0.01, 1e38], [bad - 1])
    items = []
    with pytest.raises(TrainingDiverged) as caught:
        items.extend(make_trainer(jaxlr.sgd(rate)).run(3))
    np.testing.assert_array_equal(join(items).count, np.arange(bad))
    # The network that the last of them left is gone.
    assert [item.diverged for item in items if isinstance(item, Chunk)][-2:] == [False, True]
    assert np.isfinite(join(items).loss).all()
    assert (caught.value.count, caught.value.learning_rate) == (bad, float(np.float32(1e38)))
    assert not np.isfinite(caught.value.loss)
    assert str(caught.value) == f"the loss became {caught.value.loss} at count {bad}, where the learning rate was 1e+38"


def test_a_first_loss_that_is_not_finite_stops_the_run_at_once():
    infinite = Split(np.full((TRAIN, 4, 4, 1), np.inf, np.float32), DATA.train.labels)
    trainer = make_trainer(data=Dataset("infinite", infinite, infinite, infinite, classes=3, split_note=""))
    with pytest.raises(TrainingDiverged, match=r"at count 0, where the learning rate was 0\.1"):
        next(trainer.run(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 53}, "batch_size must be at most the 52 training images, got 53"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"accumulate": 0}, "accumulate must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"l1": -1.0}, "l1 must be at least 0 and finite, got -1.0"),
        ({"l2": float("nan")}, "l2 must be at least 0 and finite, got nan"),
        ({"loss": "mse-loss"}, "loss must be one of cross-entropy, mse, mae, smooth-l1, got 'mse-loss'"),
        ({"optimizer": optax.sgd(0.1)}, "no learning rate is recorded"),
        ({"data": Dataset("x", DATA.train, make_split(0, 0), DATA.test, 3, "")}, "data.validation must have at least"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_wrong_argument_is_named(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_trainer(**options)


def test_a_run_without_an_update_is_refused():
    trainer = make_trainer(accumulate=13)
    with pytest.raises(ValueError, match="accumulate must be at most the 12 batches of the run, got 13"):
        trainer.run(2)
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        trainer.run(0)
    with pytest.raises(ValueError, match="split must have at least one image"):
        trainer.evaluate(make_split(0, 0))


def test_each_epoch_goes_through_all_images_in_another_order():
    orders = [epoch_order(1000, seed, epoch) for seed in range(3) for epoch in range(3)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    for one, other in itertools.combinations(orders, 2):
        assert (one == other).mean() < 0.01
