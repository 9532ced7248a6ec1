"""`jaxlr report`: what it reads, how it compares, and one line for a folder that it cannot read."""

import json

import numpy as np
import pytest

from jaxlr import plotting
from jaxlr.cli import main
from jaxlr.training.runs.config import TrainConfig, to_json
from jaxlr.training.runs.showing.comparison import plot_runs
from jaxlr.training.runs.showing.past_runs import UNFINISHED, read_run


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Each test starts in an empty folder, on a terminal of the usual width."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    return tmp_path


def line(**record):
    return json.dumps(record) + "\n"


def write_run(folder, accuracies=(0.5, 0.75), *, status="done", scale=1.0, **options):
    """A run's folder with two updates an epoch."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(to_json(TrainConfig(schedule="constant(0.1)", **options))))
    metrics, count = "", 0
    for epoch, accuracy in enumerate(accuracies, 1):
        for _ in range(2):
            metrics += line(count=count, learning_rate=0.1 * scale, loss=scale / (1 + count), accuracy=0.5)
            count += 1
        metrics += line(epoch=epoch, count=count, train_accuracy=0.5, validation_accuracy=accuracy, validation_loss=1.0)
    (folder / "metrics.jsonl").write_text(metrics)
    if status is not None:
        summary = {"status": status, "updates": count, "images_per_second": 1234.5}
        summary["test_accuracy"] = 0.625 if status == "done" else None
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_the_table_is_sorted_and_tells_what_differs(capsys, empty_folder):
    write_run(empty_folder / "a", (0.5, 0.25), seed=1)
    write_run(empty_folder / "b", (0.75, 0.5), seed=2, optimizer="sgd")
    write_run(empty_folder / "c", (), status=None)
    (empty_folder / "c/metrics.jsonl").write_text(line(count=0, learning_rate=0.1, loss=1.0, accuracy=0.5) + '{"co')
    assert main(["report", "a", "b", "c"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    common, header, *rows, _, _, picture = (text.split() for text in out.splitlines() if text)
    assert " ".join(common) == "all: data digits, schedule constant(0.1), epochs 16, batch size 64"
    assert header == ["run", "optimizer", "seed", "updates", "validation", "test", "images/s", "status"]
    assert rows == [
        ["b", "sgd", "2", "4", "0.5000", "0.6250", "1,234", "done"],
        ["a", "adam", "1", "4", "0.2500", "0.6250", "1,234", "done"],
    ]
    assert out.splitlines()[-4].split() == ["c", "adam", "0", "1", "unfinished"]
    assert picture == ["comparison.png"]
    assert (empty_folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_no_figure_is_cut_off_on_a_narrow_terminal(columns, capsys, empty_folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    for number, optimizer in enumerate(("sgd", "adam", "rmsprop")):
        write_run(empty_folder / f"runs/digits-{number}", optimizer=optimizer, seed=number, weight_decay=number / 1e4)
    assert main(["report", *(f"runs/digits-{number}" for number in range(3))]) == 0
    out = capsys.readouterr().out
    assert all(len(text) <= columns for text in out.splitlines())
    assert out.count(" 0.7500  0.6250     1,234  done") == 3
    for word in ("runs/digits-2", "rmsprop", "0.0002"):
        assert word in out


def test_json_holds_the_same(capsys, empty_folder):
    write_run(empty_folder / "a", seed=1)
    write_run(empty_folder / "b", (0.875,), status="stopped")
    assert main(["report", "a", "b", "--json", "--out", "two.svg"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["picture"] == "two.svg"
    assert "<svg" in (empty_folder / "two.svg").read_text()
    assert told["common_options"]["schedule"] == "constant(0.1)"
    assert told["runs"] == [
        {
            "folder": "b",
            "status": "stopped",
            "updates": 2,
            "epochs": 1,
            "validation_accuracy": 0.875,
            "best_validation_accuracy": 0.875,
            "test_accuracy": None,
            "images_per_second": 1234.5,
            "options": {"seed": 0},
        },
        {
            "folder": "a",
            "status": "done",
            "updates": 4,
            "epochs": 2,
            "validation_accuracy": 0.75,
            "best_validation_accuracy": 0.75,
            "test_accuracy": 0.625,
            "images_per_second": 1234.5,
            "options": {"seed": 1},
        },
    ]


def test_the_picture_has_a_colour_a_run_and_a_ring_where_one_is_cut_off(empty_folder):
    runs = [read_run(write_run(empty_folder / "a")), read_run(write_run(empty_folder / "b", scale=8.0, status=None))]
    figure = plot_runs([("first", runs[0]), ("second", runs[1])])
    rate, loss, accuracy = figure.axes
    for axes in figure.axes:
        first, second, ring = axes.lines
        assert [each.get_color() for each in axes.lines] == [*plotting.COLOURS[:2], plotting.COLOURS[1]]
        assert first.get_zorder() > second.get_zorder()
        assert ring.get_xydata().tolist() == second.get_xydata()[-1:].tolist()
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), [[n, 1 / (1 + n)] for n in range(4)])
    np.testing.assert_array_equal(accuracy.lines[0].get_xydata(), [[2, 0.5], [4, 0.75]])
    # Rates of 0.1 and 0.8 are told apart on a logarithmic axis alone.
    assert (rate.get_yscale(), loss.get_yscale(), accuracy.get_yscale()) == ("log", "log", "linear")
    assert plot_runs([("only", runs[0])]).axes[0].get_yscale() == "linear"


def damage(name, change):
    def do(folder):
        write_run(folder)
        (folder / name).write_text(change((folder / name).read_text()))

    return do


NO_UPDATE = line(epoch=1, count=0, train_accuracy=None, validation_accuracy=0.5, validation_loss=1.0)


def test_a_folder_of_runs_stands_for_its_runs(capsys, empty_folder):
    for name in ("a", "b"):
        write_run(empty_folder / "runs" / name)
    (empty_folder / "runs" / "digits-find-1").mkdir()
    (empty_folder / "runs" / "digits-find-1" / "config.json").write_text("{}")
    assert main(["report", "runs"]) == 0
    out = capsys.readouterr().out
    assert "runs/a" in out
    assert "runs/b" in out
    assert "find" not in out


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "run: no folder of jaxlr train: it has no metrics.jsonl"),
        (lambda folder: folder.mkdir(), "run: no folder of jaxlr train: it has no metrics.jsonl"),
        (lambda folder: folder.write_text(""), "run: no folder of jaxlr train: it has no metrics.jsonl"),
        (lambda folder: write_run(folder, (), status=None), "run: has no update yet"),
        (damage("metrics.jsonl", lambda text: text[:-20]), "run/metrics.jsonl: damaged: line 6 is cut off"),
        (
            damage("metrics.jsonl", lambda text: text[text.index("\n") + 1 :]),
            "run/metrics.jsonl: damaged: 3 updates, but summary.json tells of 4",
        ),
        (
            damage("metrics.jsonl", lambda text: text.replace('"loss": 0.5', '"loss": "half"')),
            "run/metrics.jsonl: damaged: line 2: loss is 'half', which a record cannot hold there",
        ),
        (
            damage("metrics.jsonl", lambda text: "7\n" + text),
            "run/metrics.jsonl: damaged: line 1: expected a record, an object, got 7",
        ),
        (damage("summary.json", lambda text: text[:30]), "run/summary.json: damaged: not a run's summary"),
        (damage("summary.json", lambda text: "{}"), "run/summary.json: damaged: not a run's summary"),
        (damage("config.json", lambda text: text[:30]), "run/config.json: not a JSON file"),
        (damage("config.json", lambda text: '{"vary": []}'), "run/config.json: unknown option 'vary'"),
    ],
    ids=[
        "absent",
        "empty",
        "file",
        "no update",
        "cut off",
        "lost",
        "text",
        "number",
        "summary",
        "bare",
        "config",
        "sweep",
    ],
)
def test_a_folder_that_cannot_be_read_is_one_line(make, said, capsys, empty_folder):
    write_run(empty_folder / "good")
    make(empty_folder / "run")
    assert main(["report", "good", "run"]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith(f"jaxlr report: {said}")
    assert not (empty_folder / "comparison.png").exists()


def test_other_wrong_words_are_one_line(capsys, empty_folder):
    write_run(empty_folder / "a")
    for words, said in (
        ([], "give the folder of one run or more, such as runs/digits-1"),
        (["a", "--out", "a.gif"], "a picture's name must end in .png, .svg or .pdf, got 'a.gif'"),
        (["a", "--out", "none/a.png"], "none/a.png: No such file or directory"),
    ):
        assert main(["report", *words]) == 2
        assert capsys.readouterr().err == f"jaxlr report: {said}\n"


def test_a_killed_run_is_read_up_to_its_last_whole_line(empty_folder):
    run = read_run(write_run(empty_folder / "a", status=None))
    assert (run.status, run.test_accuracy, run.images_per_second) == (UNFINISHED, None, None)
    with (empty_folder / "a/metrics.jsonl").open("a") as file:
        file.write('{"count": 4, "learning_rate"')
    assert read_run(empty_folder / "a").count.tolist() == [0, 1, 2, 3]
