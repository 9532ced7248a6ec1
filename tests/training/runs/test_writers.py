"""Whoever takes the records of a run beside metrics.jsonl: one method, clients that may fail, and every rate."""

import json
import os
import sys
import textwrap

import jax.numpy as jnp
import numpy as np
import pytest

import jaxlr
from jaxlr.training.loop.chunk import recorded
from jaxlr.training.loop.items import Chunk, Updates
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.records.metrics import encode
from jaxlr.training.runs.records.writers import open_writer, scalars_of
from jaxlr.training.runs.run import Stopped, execute, prepare, resume, train

SMALL = TrainConfig(width=2, depth=1, batch_size=128, epochs=2, schedule="cosine(0.1, 2ep)", optimizer="sgd")


class Kept:
    """A writer: one method, and no more."""

    def __init__(self):
        self.records = []

    def log(self, records):
        self.records += records


def test_a_writer_of_ones_own_gets_what_metrics_jsonl_says(tmp_path):
    kept = Kept()
    train(SMALL, out=tmp_path / "run", writers=[kept])
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    updates = [line for line in lines if "epoch" not in line]
    assert [line["momentum"] for line in updates] == [float(np.float32(0.9))] * 20
    told = [(count, figures) for count, figures in kept.records if "train/loss" in figures]
    names = ("learning_rate", "loss", "accuracy", "gradient_norm", "momentum")
    assert [(count, list(figures.values())) for count, figures in told] == [
        (line["count"], [line[name] for name in names]) for line in updates
    ]
    ends = [figures["validation/accuracy"] for _, figures in kept.records if "validation/accuracy" in figures]
    assert ends == [line["validation_accuracy"] for line in lines if "epoch" in line]


def test_every_groups_rate_is_among_the_records():
    groups = jaxlr.ParameterGroups(rates={"body": 0.5})
    state = groups.wrap(jaxlr.sgd(jaxlr.cosine(0.5, 10), momentum=0.75)).init(
        {"body": jnp.ones(2), "head": jnp.ones(2)}
    )
    rate, others = recorded(state)
    assert rate == 0.5
    assert {name: float(each) for name, each in others.items() if name.startswith("learning_rate/")} == {
        "learning_rate/body": 0.25,
        "learning_rate/others": 0.5,
    }
    assert set(map(float, (each for name, each in others.items() if "momentum" in name))) == {0.75}
    one = np.float32([0.5])
    chunk = Chunk(Updates(np.array([3]), one, one, one, one), np.array([False]), hyperparameters={"momentum": one})
    assert json.loads(encode(chunk))["momentum"] == 0.5
    assert dict(scalars_of(chunk, images_per_second=1.0))[3] == {"images_per_second": 1.0}
    assert next(scalars_of(chunk, images_per_second=1.0))[1]["momentum"] == 0.5


# What the clients do, in short, with what they are told kept in a file.
WANDB = """
import json, os
class Run:
    def __init__(self, **options):
        self.told({"init": options})
    def told(self, what):
        with open(os.environ["TOLD"], "a") as file:
            file.write(json.dumps(what) + "\\n")
    def log(self, figures, step):
        if step >= int(os.environ.get("LOST_AT", 10**6)):
            raise ConnectionError("the server\\nis gone")
        self.told({"step": step, **figures})
    def finish(self):
        self.told({"finish": True})
def init(**options):
    return Run(**options)
"""
MLFLOW = """
import json, os
from types import SimpleNamespace
from . import entities
class MlflowClient:
    def told(self, what):
        with open(os.environ["TOLD"], "a") as file:
            file.write(json.dumps(what) + "\\n")
    def get_experiment_by_name(self, name):
        return None
    def create_experiment(self, name):
        self.told({"experiment": name})
        return "7"
    def create_run(self, experiment_id, run_name):
        self.told({"init": {"name": run_name, "in": experiment_id}})
        return SimpleNamespace(info=SimpleNamespace(run_id="a1"))
    def log_batch(self, run_id, metrics=(), params=()):
        assert run_id == "a1" and len(metrics) <= 1000
        for each in metrics:
            self.told({"step": each.step, each.key: each.value})
        for each in params:
            self.told({"parameter": each.key, "is": each.value})
    def set_terminated(self, run_id):
        self.told({"finish": True})
"""
ENTITIES = """
from collections import namedtuple
Metric = namedtuple("Metric", "key value timestamp step")
Param = namedtuple("Param", "key value")
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Clients that stand in for the real ones; gives what they have been told."""
    for name, content in (
        ("wandb/__init__", WANDB),
        ("mlflow/__init__", MLFLOW),
        ("mlflow/entities", ENTITIES),
    ):
        path = tmp_path / "clients" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(content))
    monkeypatch.syspath_prepend(str(tmp_path / "clients"))
    for name in [name for name in sys.modules if name.split(".")[0] in ("wandb", "mlflow")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    yield lambda: [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    for name in [name for name in sys.modules if name.split(".")[0] in ("wandb", "mlflow")]:
        del sys.modules[name]


FIGURES = [(0, {"train/loss": 2.5, "learning_rate": 0.5}), (1, {"train/loss": float("inf")})]


@pytest.mark.parametrize("kind", ["wandb", "mlflow"])
def test_a_client_is_told_the_options_and_every_figure_and_a_run_that_goes_on_is_the_same_run(kind, told, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for _ in range(2):
        writer = open_writer(kind, folder, {"epochs": 2}, start=None)
        writer.log(FIGURES[:1])
        writer.close()
    names = {line["init"].get("id", line["init"]["name"]) for line in told() if "init" in line}
    assert len(names) == 1
    assert sum("finish" in line for line in told()) == 2
    losses = [(line["step"], line["train/loss"]) for line in told() if "train/loss" in line]
    assert losses == [(0, 2.5)] * 2
    assert [line["learning_rate"] for line in told() if "learning_rate" in line] == [0.5] * 2
    if kind == "wandb":
        options = told()[0]["init"]
        assert (options["project"], options["name"], options["config"]) == ("jaxlr", "mine", {"epochs": 2})
        assert (options["resume"], options["dir"]) == ("allow", str(folder))
    else:
        assert [line for line in told() if "parameter" in line] == [{"parameter": "epochs", "is": "2"}]
        assert sum("init" in line for line in told()) == 1


def test_mlflow_is_not_told_what_is_not_finite(told, tmp_path):
    writer = open_writer("mlflow", tmp_path, {}, start=None)
    writer.log(FIGURES)
    assert [line["step"] for line in told() if "step" in line] == [0, 0]


def test_a_client_that_loses_its_server_ends_no_run_and_the_summary_says_so(told, tmp_path, monkeypatch, capsys):
    from jaxlr.training.runs.showing.progress import print_summary

    monkeypatch.setenv("LOST_AT", "10")
    config = TrainConfig(**{**vars(SMALL), "events": "wandb"})
    summary = train(config, out=tmp_path / "run")
    said = r"wandb took no records from count \d+ on (ConnectionError: the server is gone)"
    assert summary["status"] == "done"
    assert summary["events_note"].startswith("wandb took no records from count ")
    assert summary["events_note"].endswith(said[said.index(" on ") :])
    print_summary(summary, tmp_path)
    assert "events" in capsys.readouterr().out
    assert max(line["step"] for line in told() if "step" in line) < 10


def test_a_client_that_is_not_there_is_one_line_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for kind in ("wandb", "mlflow"):
        with pytest.raises(ValueError, match=rf'^events: {kind} needs its client: pip install "jaxlr\[{kind}\]"$'):
            prepare(TrainConfig(**{**vars(SMALL), "events": kind}), out=tmp_path / "run")
    assert os.listdir(tmp_path) == []


@pytest.mark.ci
@pytest.mark.parametrize("kind", ["wandb", "mlflow"])
def test_the_real_client_without_a_server(kind, tmp_path, monkeypatch):
    pytest.importorskip(kind)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    config = TrainConfig(**{**vars(SMALL), "events": kind, "checkpoint_every": "8"})
    with pytest.raises(Stopped):
        execute(prepare(config, out=tmp_path / "run"), stop=lambda: True)
    summary = execute(resume(tmp_path / "run"))
    assert summary["events_note"] is None
    if kind == "wandb":
        assert len(list((tmp_path / "run").glob("wandb/offline-run-*"))) >= 1
        return
    client = sys.modules["mlflow"].MlflowClient()
    run = (tmp_path / "run/mlflow.id").read_text()
    steps = {each.step for each in client.get_metric_history(run, "train/loss")}
    assert steps == set(range(20))
