"""The command line: what it prints, its exit codes, and one line on stderr for whatever is wrong."""

import importlib.metadata
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from image_files import FAMILY, write_family

from jaxlr.cli import COMMANDS, main
from jaxlr.cli.parsing import in_one_line
from jaxlr.schedules import FAMILIES
from jaxlr.training.data.datasets import SOURCES
from jaxlr.training.loop.items import EpochEnd, Updates
from jaxlr.training.runs.config import TrainConfig
from jaxlr.training.runs.showing.progress import show_progress

TINY = ["train", "--width", "2", "--depth", "1", "--batch-size", "128", "--epochs", "2"]
# The extra train without plot.
TRAINING = ("flax", "pooch", "orbax", "rich")


def shell(*arguments, blocked=(), timeout=120):
    """Runs `jaxlr` in a process in which the blocked packages cannot be imported."""
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "from jaxlr.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", program, *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Each test starts in an empty folder, on a terminal of the usual width."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    return folder


@pytest.fixture
def refused(capsys, empty_folder):
    """Checks that a command is refused: exit code 2, nothing printed, nothing left behind; returns its one line."""

    def check(*words):
        before = sorted(empty_folder.rglob("*"))
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1
        assert sorted(empty_folder.rglob("*")) == before
        return err

    return check


def test_a_run_ends_with_its_table_and_its_test_accuracy(capsys, empty_folder):
    schedule = "triangular2(0.01, 0.1, 5) + multi_step(0.0, [3, 4], 0.5)"
    assert main([*TINY, "--optimizer", "sgd", "--schedule", schedule]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert re.fullmatch(r"test accuracy 0\.\d{4}", lines[-1])
    # A line an epoch, with all there is to know.
    epochs = [line for line in lines if line.startswith("epoch ")]
    pattern = r"epoch {}/2  loss \d+\.\d{{4}}  accuracy 0\.\d{{3}}  rate \d\S*  validation 0\.\d{{3}}  \d+ s left"
    assert len(epochs) == 2
    assert all(re.fullmatch(pattern.format(n + 1), line) for n, line in enumerate(epochs))
    table = " ".join(out.split())
    summary = json.loads((empty_folder / "runs/digits-1/summary.json").read_text())
    for said in (
        "data digits: 1,293 train, 144 validation (seed 0), 360 test",
        f"network {summary['parameters']:,} parameters",
        f"schedule {schedule}",
        "optimizer sgd",
        "updates 20 in 2 epochs, batches of 128",
        "rate first 0.01, highest 0.1, last 0.019, then 0.01",
        f"speed {summary['images_per_second']:,.0f} images/s on cpu",
        f"accuracy train {summary['train_accuracy']:.4f}, validation {summary['validation_accuracy']:.4f} (best ",
        "files runs/digits-1/",
    ):
        assert said in table
    assert lines[-1] == f"test accuracy {summary['test_accuracy']:.4f}"
    assert " cycle " not in table


@pytest.mark.ci
def test_a_config_is_run_again_with_what_is_changed_beside_it(capsys, empty_folder):
    options = {"width": 2, "depth": 1, "batch_size": 128, "epochs": 2, "schedule": "triangular(0.001, 0.01, 8)"}
    (empty_folder / "config.json").write_text(json.dumps(options))
    assert main(["train", "--config", "config.json", "--epochs", "1", "--out", "again"]) == 0
    written = json.loads((empty_folder / "again/config.json").read_text())
    assert {name: written[name] for name in options} == {**options, "epochs": 1}
    assert "the run ends inside a cycle, 10 updates into 16; 6 more would complete it" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_run_that_diverges_exits_1_and_says_where(capsys, empty_folder):
    schedule = "join([constant(0.01), constant(1e30)], [4])"
    assert main([*TINY, "--optimizer", "sgd", "--schedule", schedule, "--out", "run"]) == 1
    out, err = capsys.readouterr()
    assert re.fullmatch(
        r"jaxlr train: the loss became \S+ at count 5, where the learning rate was 1e\+30; .*run/\n", err
    )
    assert "test accuracy" not in out
    assert len((empty_folder / "run/metrics.jsonl").read_text().splitlines()) == 5


@pytest.mark.ci
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_exits_130_with_one_line_and_saves(empty_folder):
    words = [sys.executable, "-m", "jaxlr", *TINY[:-1], "1000000", "--out", "run"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("epoch"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    summary = json.loads((empty_folder / "run/summary.json").read_text())
    count = summary["updates"]
    again = "go on with jaxlr train --resume run"
    assert err == f"jaxlr train: stopped at count {count} by Ctrl-C and saved; {again}\n"
    assert summary["status"] == "stopped"
    lines = (empty_folder / "run/metrics.jsonl").read_text().splitlines()
    assert sum("learning_rate" in json.loads(line) for line in lines) == count > 0
    assert (empty_folder / "run/checkpoints" / str(count)).is_dir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--schedule", "triangula2(0.1, 1.0, 5)"], "unknown schedule 'triangula2'; did you mean 'triangular2'?"),
        (["--schedule", "cosine(0.1, 1O)"], "cosine(0.1, 1O)"),
        (["--schedule", "cosine(0.1, -10)"], "decay_steps must be at least 1, got -10"),
        (["--schedule", "cosine(0.1, decay_step=10)"], "'decay_step'; did you mean 'decay_steps'?"),
        (["--schedule", "__import__('os').remove('x')"], "__import__"),
        (["--schedule", f"cosine(0.{'1' * 32_000}, 10)"], "and 500 digits in a number"),
        (["--schedule=" + "-" * 500 + "cosine(0.1, 10)"], "nested at most 64 deep"),
        (["--schedule", "cosine(0.1, 10)" + ".shift(1)" * 2000], "nested at most 64 deep"),
        (["--schedule", "cosine(0.1, 10)" + " + cosine(0.1, 10)" * 3000], "nested at most 64 deep"),
        (["--schedule", "x" * 99_000], "write numbers, lists, words and schedules"),
        (["--schedule", f"cosine(0.1, 10, after='{'x' * 99_000}')"], "after must be one of 'hold', 'rise', got 'xxx"),
        (["--lr", "-1"], "learning_rate at count 0 must be finite and at least 0, got -1"),
        (["--width", "10000000"], "width must be at most 65536, got 10000000"),
        (["--checkpoint-every", "9" * 5000], "checkpoint_every must be a number of updates (500) or of epochs (2ep)"),
        (["--l1", "1e308"], "l1 must be at most 3.4e+38, got 1e+308"),
        (["--seed", "2147483648"], "seed must be at most 2147483647, got 2147483648"),
        (["--schedule", ""], "schedule"),
        (["--schedule", "cosine(-0.1, 10ep)"], "learning_rate at count 0 must be finite and at least 0, got -0.1"),
        (["--schedule", "linear(0.1, -0.1, 1ep)"], "learning_rate at count 20 must be finite and at least 0, got -0.1"),
        (
            ["--schedule", "0.1 - 0.5 * linear(0.0, 1.0, 1ep) * linear(1.0, 0.0, 1ep)", "--epochs", "1"],
            "learning_rate at count 6 must be finite and at least 0, got -0.005",
        ),
        (["--schedule", "constant(0.0)", "--epochs", "2"], "the rate is 0 at each of the 40 updates from count 0 on"),
        (["--batch-size", "1294"], "batch_size must be at most the number of examples, 1293, got 1294"),
        (["--batch-size", "64.5"], "--batch-size must be an integer, got '64.5'"),
        (["--momentum", "high"], "--momentum must be a number, got 'high'"),
        (["--momentum", "0.5", "--optimizer", "adam"], "momentum is for sgd and rmsprop, got 0.5 with adam"),
        (["--epochs", "0"], "epochs must be at least 1, got 0"),
        (["--epochs"], "--epochs needs a value"),
        (["--epoch", "3"], "unknown option --epoch; did you mean --epochs?"),
        (["--optimizer", "sdg"], "--optimizer must be one of 'sgd', 'rmsprop', 'adam', 'adamw', got 'sdg'"),
        (["--optimizer", "adamW"], "'adam', 'adamw', got 'adamW'; did you mean 'adamw'?"),
        (["--depth", "9"], "depth must be at most 3 for images of 8x8"),
        (["--data", "digit"], "unknown data set 'digit', did you mean 'digits'?"),
        (["--data", "missing.npz"], "missing.npz"),
        (["--data", "fashion-mnist", "--data-dir", "."], "train-images-idx3-ubyte"),
        (["--data", "mnist", "--data-dir", "nowhere"], "nowhere: no such folder"),
        (["--config", "missing.json"], "missing.json: No such file or directory"),
        (["--out", "/dev/null/run"], "/dev/null/run"),
        *(([word], f"unexpected word {word}; --data {word}?") for word in ("digits", "photos.npz")),
        *(([name], f"unexpected word {name}; --data {name}?") for name in SOURCES),
    ],
    ids=lambda value: " ".join(value)[:80] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(words, said, refused):
    line = refused("train", *words)
    assert line.startswith("jaxlr train: ")
    assert said in line
    assert len(line) < 700


def test_a_truncated_file_is_named(refused, empty_folder):
    write_family(empty_folder, FAMILY, gz=False)
    images = empty_folder / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:100])
    assert "train-images-idx3-ubyte" in refused("train", "--data", "mnist", "--data-dir", ".", "--out", "run")


def test_a_folder_that_holds_something_is_left_alone(refused, empty_folder):
    (empty_folder / "kept").mkdir()
    (empty_folder / "kept" / "metrics.jsonl").write_text("mine\n")
    assert "out must be a new or empty folder, got 'kept'" in refused(*TINY, "--out", "kept")
    assert (empty_folder / "kept" / "metrics.jsonl").read_text() == "mine\n"


def test_a_full_disk_is_a_run_that_failed(capsys, monkeypatch):
    def full(path, *_):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("jaxlr.training.runs.run.write_json", full)
    assert main(TINY) == 1
    assert capsys.readouterr().err == (
        "jaxlr train: runs/digits-1/config.json: No space left on device; once that is mended, "
        "the same command starts it again\n"
    )


def test_an_unknown_command_suggests_the_nearest(refused):
    assert refused("trian") == "jaxlr: unknown command 'trian'; did you mean 'train'?\n"
    assert refused("help", "trian") == refused("trian")
    assert refused("xyz") == f"jaxlr: unknown command 'xyz'; there are {', '.join(COMMANDS)}\n"


BOXES = {
    "drawn": """\
╭─ Unrecognized options ─────────────────────╮
│ Unrecognized options: --epoch, 3           │
│ ────────────────────────────────────────── │
│ Perhaps you meant:                         │
│     --epochs INT                           │
│         Passes over the images.            │
│ ────────────────────────────────────────── │
│ For full helptext, run jaxlr train --help  │
╰────────────────────────────────────────────╯
""",
    "plain": """\
 Unrecognized options
 -------------------------------------------
  Unrecognized options: --epoch, 3
  ------------------------------------------
  Perhaps you meant:
      --epochs INT
          Passes over the images.
  ------------------------------------------
  For full helptext, run jaxlr train --help

""",
}
# As tyro colours it on a terminal.
BOXES["coloured"] = re.sub(r"(─{3,}|[╭╮╰╯│]|Unrecognized options)", "\x1b[1m\x1b[31m\\1\x1b[0m", BOXES["drawn"])


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_a_box_of_tyros_becomes_one_line(box):
    assert in_one_line(box) == "unknown option --epoch; did you mean --epochs?"


def test_help_tells_what_each_command_does(capsys):
    assert main([]) == 0
    overview = capsys.readouterr().out
    assert all(f"  {name}" in overview and command.summary in overview for name, command in COMMANDS.items())
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == overview
    for name in COMMANDS:
        for words in ([name, "--help"], ["help", name]):
            with pytest.raises(SystemExit) as stopped:
                main(words)
            assert stopped.value.code == 0
            assert f"usage: jaxlr {name}" in capsys.readouterr().out
    assert main(["help"]) == 0
    assert capsys.readouterr().out == overview


def test_every_option_of_a_run_is_explained(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = " ".join(line.strip(" │|") for line in capsys.readouterr().out.splitlines())
    for name in (*TrainConfig.__dataclass_fields__, "out", "config"):
        option = f"--{name.replace('_', '-')}"
        assert re.search(rf" {option},? \S+ +[A-Z][^()]+.*?\(default: ", shown), option


def test_list_prints_every_schedule_with_its_arguments(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in FAMILIES:
        assert any(line.startswith(f"{name}(") for line in lines), name
    place = lines.index("triangular2(base_lr, max_lr, step_size, *, step_size_down=None)")
    assert lines[place + 1] == "    `triangular` with the height halved after each cycle."


def test_list_is_a_table_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    assert main(["list"]) == 0
    shown = terminal.getvalue()
    assert "┃" in shown
    assert all(name in shown for name in FAMILIES)


def test_plot_draws_schedules_to_a_file(capsys, empty_folder):
    words = ["plot", "warmup(cosine(0.1, 10ep), 1ep)", "triangular2(0.01, 0.1, 100)", "--out", "rates.svg"]
    assert main(words) == 0
    assert capsys.readouterr().out == "rates.svg\n"
    assert [path.name for path in empty_folder.iterdir()] == ["rates.svg"]
    assert main(["plot", "cosine(0.1, 100)", "--log", "--steps", "50", "--out", "rates.svg"]) == 0
    assert main(["plot", "cosine(0.1, 10ep)", "--steps-per-epoch", "20"]) == 0
    assert (empty_folder / "schedules.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one schedule or more, each in quotes"),
        (["cosin(0.1, 10)"], "unknown schedule 'cosin'; did you mean 'cosine'?"),
        (
            ["cosine(0.1, 2.5)"],
            "decay_steps must be an integer number of updates, got 2.5; make it one with int(...), or "
            "give a fraction to per_epoch or at_speed\n",
        ),
        (["cosine(0.1, '10ep')"], "a length is written without quotes, as 10ep, got '10ep'"),
        (["cosine(0.1, 10)", "--steps", "0"], "steps must be at least 1, got 0"),
        (["cosine(0.1, 10)", "--step", "5"], "unknown option --step; did you mean --steps?"),
        (["cosine(0.1, 10)", "--steps", "many"], "--steps must be an integer, got 'many'"),
        (["cosine(0.1, 10)", "--steps-per-epoch", "0"], "steps_per_epoch must be at least 1, got 0"),
        (["cosine(0.1, 10)", "--out", "rates.gif"], "must end in .png, .svg or .pdf, got 'rates.gif'"),
        (["cosine(0.1, 10)", "--out", "nowhere/rates.png"], "nowhere/rates.png: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_plot_that_cannot_be_made_is_one_line(words, said, refused):
    assert said in refused("plot", *words)


def test_python_m_jaxlr_is_jaxlr():
    result = subprocess.run([sys.executable, "-m", "jaxlr", "--version"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, f"jaxlr {importlib.metadata.version('jaxlr')}\n")


def test_without_the_extra_train_prints_the_install_line(empty_folder):
    result = shell("train", blocked=(*TRAINING, "tyro", "matplotlib"))
    assert result.returncode == 2
    assert result.stdout == ""
    assert re.fullmatch(
        r'jaxlr train: needs tyro, flax, pooch, rich, matplotlib: pip install "jaxlr\[train\]"\n',
        result.stderr,
    )
    assert list(empty_folder.iterdir()) == []


def test_without_matplotlib_plot_prints_the_install_line():
    result = shell("plot", "cosine(0.1, 10)", blocked=("matplotlib",))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == 'jaxlr plot: needs matplotlib: pip install "jaxlr[plot]"\n'


@pytest.mark.parametrize("words", [["list"], ["plot", "cosine(0.1, 10)"]], ids=lambda words: words[0])
def test_list_and_plot_need_the_smaller_extra_alone(words):
    result = shell(*words, blocked=TRAINING)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_overview_and_the_library_import_no_extra():
    program = (
        "import sys, jaxlr.cli, jaxlr.plotting, jaxlr.training.runs.config; jaxlr.cli.main([]);"
        "print(sorted({'flax', 'orbax', 'matplotlib', 'tyro', 'rich', 'pooch'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_with_loss_accuracy_rate_and_the_time_that_is_left(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with show_progress(updates=4, epochs=2) as watch:
        for epoch in (1, 2):
            count = np.array([2 * epoch - 2, 2 * epoch - 1], np.int32)
            watch(Updates(count, *np.float32([[0.5, 0.25], [2.0, 1.0], [0.5, 0.7], [4, 3]])))
            time.sleep(0.01)
            watch(EpochEnd(epoch, 2 * epoch, 0.625, 0.75, 0.9))
    shown = terminal.getvalue()
    # A line of each epoch stays above it.
    assert re.search(r"epoch 1/2  loss 1\.5000  accuracy 0\.625  rate 0\.250  validation 0\.750 *\r?\n", shown)
    frames = [each for each in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).split("\r") if "━" in each]
    assert "epoch 2/2" in frames[-1]
    assert "loss 1.5000  accuracy 0.625  rate 0.250" in frames[-1]
    assert re.search(r"\d:\d\d:\d\d", frames[-1])
    # At the end it goes: what it says stands above it.
    assert shown.rindex("\x1b[2K") > shown.rindex("━")


@pytest.mark.parametrize("words", [["--epoch", "3"], ["--batch-size", "64.5"], ["--optimizer", "adamW"], ["digits"]])
def test_a_complaint_on_a_terminal_is_the_same_with_its_words_wrapped(words, capsys, monkeypatch):
    assert main(["train", *words]) == 2
    plain = capsys.readouterr().err
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["train", *words]) == 2
    shown = terminal.getvalue()
    assert " ".join(shown.split()) == plain.strip()
    assert max(map(len, shown.splitlines())) <= 40


def test_a_line_of_an_epoch_leaves_out_what_is_not_known(capsys):
    with show_progress(updates=30, epochs=3) as watch:
        watch(EpochEnd(2, 20, 0.973, 0.979, 0.1))  # taken up again between the updates and the evaluation
        watch(Updates(np.array([29], np.int32), *np.float32([[0.5], [2.0], [0.5], [4]])))
        watch(EpochEnd(3, 30, 0.975, 0.98, 0.1))
    first, second = capsys.readouterr().out.splitlines()
    assert first == "epoch 2/3  accuracy 0.973  validation 0.979"
    assert re.fullmatch(r"epoch 3/3  loss 2\.0000  accuracy 0\.975  rate 0\.500  validation 0\.980", second)
