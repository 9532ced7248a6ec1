"""`jaxlr.training`: what it offers, what it costs, and a network read back from a run."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr.training
from jaxlr.training import TrainConfig, load_network, train
from jaxlr.training.data import load_dataset

TINY = {
    "width": 2,
    "depth": 1,
    "epochs": 1,
    "schedule": "constant(0.01)",
    "optimizer": "sgd",
    "checkpoint_every": "1ep",
}


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "options", [{}, {"depth": 2, "downsample": "stride", "precision": "bfloat16"}], ids=["pool", "stride"]
)
def test_a_network_read_back_predicts_as_the_trainer_did(options, tmp_path):
    summary = train(TrainConfig(**{**TINY, **options}), out=tmp_path / "run")
    test = load_dataset("digits").test
    outputs = load_network(tmp_path / "run")(jnp.asarray(test.images))
    assert np.mean(np.argmax(outputs, axis=1) == test.labels) == pytest.approx(summary["test_accuracy"], abs=1e-6)


@pytest.mark.ci
def test_images_need_not_be_square_nor_there(tmp_path):
    path = tmp_path / "wide.npz"
    images = np.random.default_rng(0).integers(0, 256, (40, 9, 14, 3), np.uint8)
    np.savez(path, images=images, labels=np.arange(40) % 3)
    config = TrainConfig(**{**TINY, "depth": 2, "batch_size": 8, "data": str(path)})
    train(config, out=tmp_path / "run")
    network = load_network(tmp_path / "run")
    path.unlink()
    assert load_network(tmp_path / "run")(images).shape == (40, 3)
    np.testing.assert_array_equal(network(images), network(images))  # no dropout: it predicts


def test_a_name_is_loaded_when_it_is_used():
    loaded = "print(sorted({'flax', 'orbax', 'matplotlib', 'tyro'} & set(sys.modules)))"
    assert run(f"import sys, jaxlr.training; jaxlr.training.TrainConfig(epochs=3); {loaded}") == "[]"
    assert run(f"import sys; from jaxlr.training import TrainingDiverged, Stopped; {loaded}") == "[]"


def test_without_the_extra_the_install_line_is_told():
    program = (
        "import sys; sys.modules['flax'] = None; import jaxlr.training\n"
        "try: jaxlr.training.train\nexcept ImportError as error: print(error)"
    )
    assert run(program) == 'jaxlr.training needs flax: pip install "jaxlr[train]"'


@pytest.mark.parametrize("name", ["load_networks"])
def test_a_wrong_name_is_answered(name):
    with pytest.raises(AttributeError, match=r"has no attribute 'load_networks'; did you mean 'load_network'\?"):
        getattr(jaxlr.training, name)
