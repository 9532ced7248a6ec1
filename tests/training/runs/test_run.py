"""A run: rates as the schedule says, the same again from its config.json, files that are whole, a stop that is told."""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

from jaxlr.schedules import parse
from jaxlr.training.loop.items import Chunk, EpochEnd, TrainingDiverged, Updates
from jaxlr.training.runs.config import TrainConfig, default_schedule, load_config, to_json
from jaxlr.training.runs.folder import make_folder
from jaxlr.training.runs.records.summary import Tally, horizon_note, parameters_sha256
from jaxlr.training.runs.run import execute, prepare, train
from jaxlr.training.runs.showing.progress import print_summary

# 1,293 digits to train on: 10 batches of 128 an epoch.
SMALL = TrainConfig(width=2, depth=1, batch_size=128, epochs=2, schedule="triangular2(0.01, 0.1, 5)", optimizer="sgd")


def read(folder):
    """A run's files: the updates and the epochs of metrics.jsonl, config.json and summary.json."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    updates = [record for record in records if "epoch" not in record]
    epochs = [record for record in records if "epoch" in record]
    config, summary = (json.loads((folder / name).read_text()) for name in ("config.json", "summary.json"))
    return updates, epochs, config, summary


def change(config, **options):
    return TrainConfig(**{**vars(config), **options})


class Finished(NamedTuple):
    """A small run: its folder, what `train` returned, and metrics.jsonl as it was after each item of the loop."""

    folder: Path
    summary: dict
    texts: list[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder, texts = tmp_path_factory.mktemp("runs") / "first", []
    summary = train(SMALL, out=folder, watch=lambda item: texts.append((folder / "metrics.jsonl").read_text()))
    return Finished(folder, summary, texts)


def triangular2(n):
    cycle, place = divmod(n, 10)
    return 0.01 + 0.09 * (1 - abs(place / 5 - 1)) / 2**cycle


def warm_cosine(n):
    # 10 updates an epoch: a warm-up of one epoch, then a cosine of one.
    return 0.05 * n / 10 if n < 10 else 0.025 * (1 + math.cos(math.pi * (n - 10) / 10))


def test_rates_are_those_of_the_schedule(finished):
    updates, _, _, summary = read(finished.folder)
    assert [update["count"] for update in updates] == list(range(20))
    rates = [update["learning_rate"] for update in updates]
    assert rates == pytest.approx([triangular2(n) for n in range(20)], rel=1e-6)
    # Each is written as the double that equals the float32.
    assert rates == np.float32(rates).tolist()
    ends = [summary[f"learning_rate_{which}"] for which in ("first", "highest", "last", "end")]
    assert ends == pytest.approx([0.01, 0.1, triangular2(19), 0.01], rel=1e-6)


@pytest.mark.ci
def test_rates_under_accumulation_count_updates(tmp_path):
    # 20 batches of 128 make 6 updates of 3, and an epoch is 10/3 updates long.
    config = change(SMALL, accumulate=3, schedule="triangular2(0.01, 0.1, 0.9ep)")
    train(config, out=tmp_path / "run")
    updates, epochs, _, summary = read(tmp_path / "run")
    assert [update["count"] for update in updates] == list(range(6))
    assert [end["count"] for end in epochs] == [3, 6]
    expected = [0.01, 0.04, 0.07, 0.1, 0.07, 0.04]  # a rise of 3 updates, a fall of 3
    assert [update["learning_rate"] for update in updates] == pytest.approx(expected, rel=1e-6)
    assert summary["updates"] == 6
    assert summary["ended_inside_cycle"] is False


@pytest.mark.ci
def test_rates_of_a_cosine_with_warm_up_and_an_adaptive_optimizer(tmp_path):
    config = change(SMALL, optimizer="adamw", schedule="warmup(cosine(0.05, 1ep), 1ep)")
    train(config, out=tmp_path / "run")
    updates, _, _, summary = read(tmp_path / "run")
    rates = [update["learning_rate"] for update in updates]
    assert rates == pytest.approx([warm_cosine(n) for n in range(20)], rel=1e-6)
    assert summary["ended_inside_cycle"] is None


def test_a_run_from_anothers_config_is_the_same_run(finished, tmp_path):
    again = train(load_config(finished.folder / "config.json"), out=tmp_path / "again")
    for name in ("metrics.jsonl", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (finished.folder / name).read_bytes()
    times = {"seconds", "compile_seconds", "images_per_second"}
    untimed = [{k: v for k, v in summary.items() if k not in times} for summary in (again, finished.summary)]
    assert untimed[0] == untimed[1]


def test_another_seed_starts_from_other_weights_and_validates_on_other_images(tmp_path):
    runs = [prepare(change(SMALL, seed=seed), out=tmp_path / str(seed)) for seed in (0, 1)]
    first, second = (parameters_sha256(prepared.trainer.parameters) for prepared in runs)
    assert first != second
    images = [prepared.data.validation.images for prepared in runs]
    assert not np.array_equal(*images)


def test_the_summary_says_what_was_done(finished):
    folder, returned, _ = finished
    updates, epochs, config, summary = read(folder)
    assert returned == summary
    assert config == to_json(SMALL)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "metrics.jsonl",
        "report.png",
        "summary.json",
        "weights.npz",
    ]
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert summary["status"] == "done"
    assert summary["split"].startswith("1,293 train, 144 validation (seed 0), 360 test")
    assert summary["test_accuracy"] * 360 == pytest.approx(round(summary["test_accuracy"] * 360))
    assert (summary["updates"], summary["epochs"]) == (len(updates), len(epochs)) == (20, 2)
    assert summary["train_accuracy"] == epochs[-1]["train_accuracy"]
    means = [np.mean([update["accuracy"] for update in updates[first : first + 10]]) for first in (0, 10)]
    assert [end["train_accuracy"] for end in epochs] == pytest.approx(means, rel=1e-6)
    best = max(end["validation_accuracy"] for end in epochs)
    assert summary["best_validation_accuracy"] == best
    assert epochs[summary["best_epoch"] - 1]["validation_accuracy"] == best
    assert summary["images_per_second"] == pytest.approx(20 * 128 / summary["seconds"])
    assert summary["compile_seconds"] > 0
    assert summary["versions"]["jax"] == jax.__version__
    assert re.fullmatch("[0-9a-f]{64}", summary["parameters_sha256"])
    # A block of 3x3 kernels, scale and bias; two dense layers.
    assert summary["parameters"] == (9 * 2 + 2 + 2) + (4 * 4 * 2 * 128 + 128) + (128 * 10 + 10)


def test_the_parameters_hash_depends_on_names_shapes_kinds_and_values_alone():
    parameters = {"b": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}, "a": np.float32(1)}
    digest = parameters_sha256(parameters)
    expected = hashlib.sha256()
    expected.update(b"['a'] float32 ()\n" + np.float32(1).tobytes())
    expected.update(b"['b']['kernel'] float32 (2, 3)\n" + np.arange(6, dtype="<f4").tobytes())
    assert digest == expected.hexdigest()
    assert digest == parameters_sha256(jax.tree.map(jax.numpy.asarray, parameters))
    assert digest != parameters_sha256({**parameters, "a": np.float32(2)})


@pytest.mark.parametrize("optimizer", ["rmsprop", pytest.param("adam", marks=pytest.mark.ci)])
def test_a_run_that_ends_inside_a_cycle_says_so_and_learns(optimizer, tmp_path):
    config = change(SMALL, optimizer=optimizer, weight_decay=1e-4, schedule="triangular(0.001, 0.01, 4)")
    summary = train(config, out=tmp_path / "run")
    assert summary["ended_inside_cycle"] is True
    assert summary["cycle_note"] == "the run ends inside a cycle, 4 updates into 8; 4 more would complete it"
    losses = [update["loss"] for update in read(tmp_path / "run")[0]]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])


LENGTHS = {
    "cosine(0.01, 1ep)": "the rate is 0 at the last 10 updates, from count 10 on; a schedule of 20 would use them",
    "cosine(0.01, 11)": None,  # less than an epoch at 0
    "cosine(0.01, 2ep)": None,
    "warmup(linear(0.01, 0.0, 2ep), 5)": "the run ends before its schedule, 20 updates into 25; 5 more would",
}


@pytest.mark.parametrize(("text", "said"), LENGTHS.items())
def test_a_run_of_another_length_than_its_schedule_says_so(text, said, finished, capsys):
    schedule, tally = parse(text, steps_per_epoch=10), Tally()
    rates = np.asarray(schedule(np.arange(20)))
    tally.take(Chunk(Updates(np.arange(20, dtype=np.int32), *[rates] * 4), np.zeros(20, bool)))
    note = horizon_note(schedule, tally.updates, at_zero=tally.at_zero, an_epoch=10)
    print_summary({**finished.summary, "horizon_note": note}, finished.folder)
    out = " ".join(capsys.readouterr().out.split())
    if said is None:
        assert note is None
        assert "horizon" not in out
    else:
        assert note.startswith(said)
        assert f"horizon {said}" in out


@pytest.mark.parametrize("text", ["cosine(0.01, 1ep)", "cosine(0.01, 11)"])
def test_the_summary_of_a_run_knows_how_long_its_schedule_was_0(text, tmp_path):
    # By one update each: an epoch at 0 is told, one update less is not.
    note = train(change(SMALL, schedule=text), out=tmp_path / "run")["horizon_note"]
    assert (note or "").startswith(LENGTHS[text] or "")
    assert (note is None) == (LENGTHS[text] is None)


def test_the_updates_at_a_rate_of_0_are_counted_from_the_end_over_all_parts():
    tally, seen = Tally(), []
    for rates in ([0.0, 0.1], [0.0], [0.0, 0.0], [0.2, 0.0], [0.3]):
        count = np.arange(len(rates), dtype=np.int32)
        tally.take(Chunk(Updates(count, *np.float32([rates] * 4)), np.zeros(len(rates), bool)))
        seen.append(tally.at_zero)
    assert seen == [0, 1, 3, 1, 0]


def test_a_loss_that_diverges_stops_the_run_and_keeps_what_came_before(tmp_path):
    config = change(SMALL, schedule="join([constant(0.01), constant(1e30)], [4])")
    with pytest.raises(TrainingDiverged) as caught:
        train(config, out=tmp_path / "run")
    # Update 4 has the rate that ruins the weights; the loss of the next is not finite.
    assert caught.value.count == 5
    assert caught.value.learning_rate == pytest.approx(1e30)
    updates, epochs, config, summary = read(tmp_path / "run")
    assert [update["count"] for update in updates] == [0, 1, 2, 3, 4]
    assert epochs == []
    assert all(math.isfinite(update["loss"]) for update in updates)
    assert (summary["status"], summary["test_accuracy"], summary["updates"]) == ("diverged", None, 5)
    assert summary["failure"] == str(caught.value)
    assert "count 5" in summary["failure"]
    assert (tmp_path / "run" / "report.png").exists()


@pytest.mark.ci
def test_a_loss_that_is_infinite_from_the_start_leaves_whole_files(tmp_path):
    with pytest.raises(TrainingDiverged, match="at count 0"):
        train(change(SMALL, l2=3e38), out=tmp_path / "run")
    updates, epochs, _, summary = read(tmp_path / "run")
    assert updates == epochs == []
    assert (summary["status"], summary["updates"], summary["learning_rate_first"]) == ("diverged", 0, None)
    assert (tmp_path / "run" / "report.png").exists()


@pytest.mark.parametrize(("nonfinite", "boundary"), [("skip", 15), pytest.param("stop", 19, marks=pytest.mark.ci)])
def test_a_network_that_is_lost_without_a_word_has_a_summary_that_says_so(nonfinite, boundary, tmp_path, capsys):
    config = change(SMALL, nonfinite=nonfinite, schedule=f"join([constant(0.01), constant(1e30)], [{boundary}])")
    train(config, out=tmp_path / "run")
    summary = read(tmp_path / "run")[3]
    assert (summary["status"], summary["test_loss"]) == ("done", None)
    assert summary["updates"] + summary["skipped_updates"] == 20
    print_summary(summary, tmp_path)
    assert "test accuracy 0." in capsys.readouterr().out


@pytest.mark.ci
def test_an_interrupted_run_keeps_its_metrics(tmp_path):
    def stop(item):
        if isinstance(item, EpochEnd):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SMALL, out=tmp_path / "run", watch=stop)
    updates, epochs, _, summary = read(tmp_path / "run")
    assert (len(updates), len(epochs)) == (10, 1)
    assert (summary["status"], summary["updates"], summary["test_accuracy"]) == ("interrupted", 10, None)


def test_metrics_are_on_the_disk_as_the_run_goes(finished):
    assert all(text.endswith("\n") for text in finished.texts)
    lengths = [len(text) for text in finished.texts]
    assert lengths == sorted(set(lengths))
    assert len(lengths) >= 4  # at least one item of updates and the end of each epoch


def test_without_out_each_run_gets_a_new_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert make_folder(None, "digits") == Path("runs/digits-1")
    assert make_folder(None, "digits") == Path("runs/digits-2")
    assert (tmp_path / "runs" / "digits-2").is_dir()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schedule": "triangula2(0.1, 1.0, 2ep)"}, "unknown schedule 'triangula2'; did you mean 'triangular2'?"),
        ({"batch_size": 1294}, "batch_size must be at most the number of examples, 1293, got 1294"),
        ({"accumulate": 21}, "accumulate must be at most the 20 batches of the run, got 21"),
        ({"depth": 4}, "depth must be at most 3 for images of 8x8"),
        ({"data": "no/such.npz"}, "no/such.npz"),
    ],
    ids=["schedule", "batch", "accumulate", "depth", "data"],
)
def test_wrong_options_leave_nothing_behind(options, said, tmp_path):
    with pytest.raises(ValueError, match=re.escape(said)):
        prepare(change(SMALL, **options), out=tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="out must be a new or empty folder"):
        train(SMALL, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ValueError, match="out must be a new or empty folder"):
        train(SMALL, out=tmp_path / "notes.txt")


def test_a_folder_that_cannot_be_made_leaves_none_of_those_above_it(tmp_path):
    with pytest.raises(ValueError, match=r"out: .*: File name too long"):
        make_folder(tmp_path / "a" / "b" / ("c" * 300), "digits")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"out: .*: Not a directory"):
        make_folder(tmp_path / "file" / "run", "digits")


def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(ValueError, match="Permission denied"):
        make_folder(tmp_path / "run", "digits")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be an integer, got 1.5"),
        ({"epochs": True}, TypeError, "epochs must be an integer, got True"),
        ({"batch_size": -1}, ValueError, "batch_size must be at least 1, got -1"),
        ({"dropout": 1.0}, ValueError, "dropout must be below 1, got 1.0"),
        ({"validation": 0.0}, ValueError, "validation must be above 0, got 0.0"),
        ({"l2": math.nan}, ValueError, "l2 must be finite, got nan"),
        ({"momentum": "high"}, TypeError, "momentum must be a number or None, got 'high'"),
        ({"optimizer": "sdg"}, TypeError, "optimizer must be one of sgd, rmsprop, adam, adamw, got 'sdg'"),
        ({"optimizer": "adam", "momentum": 0.9}, ValueError, "momentum is for sgd and rmsprop, got 0.9 with adam"),
        ({"seed": 2**31}, ValueError, "seed must be at most 2147483647, got 2147483648"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_values_are_refused(options, error, said):
    with pytest.raises(error, match=re.escape(said)):
        TrainConfig(**options)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"epoch": 3}', "unknown option 'epoch'; did you mean 'epochs'?"),
        ('{"epochs": "3"}', "epochs must be an integer, got '3'"),
        ('{"epochs": 3', "not a JSON file"),
        ("[3]", "expected an object of options, got list"),
        (None, "No such file or directory"),
    ],
    ids=["unknown", "kind", "cut", "list", "missing"],
)
def test_a_config_that_cannot_be_used_is_named(content, said, tmp_path):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        load_config(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value).splitlines()) == 1


def test_options_survive_their_file(tmp_path):
    config = TrainConfig(data="cifar10", data_dir=Path("files"), momentum=0.5, optimizer="sgd", l1=1e-5, seed=3)
    (tmp_path / "config.json").write_text(json.dumps(to_json(config)))
    assert load_config(tmp_path / "config.json") == config


@pytest.mark.parametrize("epochs", [2, 3, 4, 7, 8, 12, 16, 17, 100])
def test_a_run_without_a_schedule_is_made_of_whole_cycles(epochs):
    an_epoch = 21
    schedule = parse(default_schedule(epochs), steps_per_epoch=an_epoch)
    place = schedule.cycle(epochs * an_epoch)
    assert schedule.name == "triangular2"
    assert place is not None
    assert place.updates == 0
    if epochs == TrainConfig().epochs:
        assert epochs * an_epoch >= 4 * place.length
        assert int(schedule.arguments["step_size"]) >= 2 * an_epoch


def test_a_run_without_a_schedule_keeps_the_one_it_took(tmp_path):
    prepared = prepare(change(SMALL, schedule=None, epochs=1), out=tmp_path / "run")
    assert prepared.config.schedule == default_schedule(1) == "triangular2(0.001, 0.01, 0.5ep)"


def test_the_test_images_are_met_once_after_training(monkeypatch, tmp_path):
    prepared = prepare(change(SMALL, epochs=1), out=tmp_path / "run")
    asked, evaluate = [], prepared.trainer.evaluate

    def spy(split):
        asked.append(split)
        return evaluate(split)

    monkeypatch.setattr(prepared.trainer, "evaluate", spy)
    execute(prepared)
    are_test = [split is prepared.data.test for split in asked]
    assert are_test == [False] * (len(asked) - 1) + [True]
