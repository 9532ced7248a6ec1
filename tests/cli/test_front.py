"""The front of the command line: quick without jax, and one line for whatever a command raises."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxlr.cli.faults
from jaxlr.cli import COMMANDS, main
from jaxlr.cli.faults import exit_code
from jaxlr.cli.listing import entries
from jaxlr.schedules import FAMILIES, signature_text


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list"], ["list", "--help"], ["nonsense"]], ids=" ".join)
def test_help_and_list_import_neither_jax_nor_numpy(words):
    program = (
        "import atexit, sys; from jaxlr.cli import main;"
        "atexit.register(lambda: print({'jax', 'numpy', 'tyro'} & set(sys.modules), file=sys.stderr));"
        "main(sys.argv[1:])"
    )
    result = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert result.stderr.splitlines()[-1] == "set()"


def test_the_list_that_is_read_is_that_of_the_families():
    found = {entry.name: entry for entry in entries()}
    assert set(found) == set(FAMILIES)
    assert {name: entry.signature for name, entry in found.items()} == {n: signature_text(n) for n in FAMILIES}
    assert {name: entry.sentence for name, entry in found.items()} == {
        name: make.__doc__.split("\n")[0] for name, make in FAMILIES.items()
    }


def test_list_takes_names(capsys):
    assert main(["list", "cosine"]) == 0
    assert capsys.readouterr().out.startswith("cosine(init_value, decay_steps, *, end_value=0.0")
    assert main(["list", "cosin"]) == 2
    assert capsys.readouterr().err == "jaxlr list: no schedule 'cosin'; did you mean 'cosine'?\n"


@pytest.mark.parametrize("words", [["--help"], ["list"]], ids=" ".join)
def test_no_line_is_wider_than_80_columns(words, capsys):
    main(words)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "list"])
def test_help_stands_in_groups_with_its_words_wrapped(name, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        main([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"usage: jaxlr {name} [OPTIONS]")
    assert max(map(len, lines)) <= min(columns, 100)
    # A line that ends early is the last of its words, or the next word would not have fitted.
    words = [line for line in lines if line.startswith(" " * 24)]
    for line, following in itertools.pairwise(lines):
        if following in words and line in words:
            assert len(line) + 1 + len(following.split()[0]) > min(columns, 100)
    if name == "train":
        groups = [line for line in lines if re.fullmatch(r"\S.*:", line)]
        assert groups == [
            "options:",
            "images:",
            "learning rate:",
            "optimization:",
            "network:",
            "validation and seed:",
            "how and where it runs:",
            "what is kept:",
            "several processes:",
        ]


def nested():
    return nested()


def raise_(error):
    raise error


@pytest.mark.parametrize(
    ("function", "code", "line"),
    [
        (nested, 2, "something given is nested too deeply"),
        (lambda: bytearray(1 << 62), 1, "the memory does not suffice: MemoryError"),
        (lambda: raise_(OSError(28, "No space left on device")), 1, "standard output: No space left on device"),
        (lambda: raise_(OSError(28, "No space left on device", "a/b")), 1, "a/b: No space left on device"),
        (lambda: raise_(KeyboardInterrupt), 130, "interrupted"),
    ],
    ids=["recursion", "memory", "output", "file", "interrupt"],
)
def test_what_is_known_is_one_line(function, code, line, capsys, monkeypatch):
    monkeypatch.setattr(jaxlr.cli.faults, "_close_stdout", lambda: None)
    assert exit_code("train", [], function) == code
    assert capsys.readouterr().err == f"jaxlr train: {line}\n"


def test_an_unforeseen_fault_is_one_line_and_a_file_of_details(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert exit_code("train", ["train", "--seed", "a b"], lambda: raise_(KeyError("a\nkey"))) == 1
    line = capsys.readouterr().err
    found = re.fullmatch(
        r"jaxlr train: an unforeseen fault: KeyError: 'a\\nkey'; its details are in (\S+), please report it .*\n", line
    )
    assert found, line
    details = Path(found[1]).read_text()
    assert details.startswith("jaxlr train --seed 'a b'\n")
    assert "Traceback (most recent call last)" in details
    assert re.search(r"^jaxlr \d", details, re.MULTILINE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has /dev/full")
@pytest.mark.parametrize(
    ("command", "code", "err"),
    [
        ("list > /dev/full", 1, "jaxlr list: standard output: No space left on device\n"),
        ("list >&-", 0, ""),
        ("list | head -1", 0, ""),
        ("nonsense 2>&-", 2, ""),
    ],
)
def test_an_output_that_takes_nothing_is_no_traceback(command, code, err):
    command = f"{sys.executable} -m jaxlr {command}"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (code, err)
