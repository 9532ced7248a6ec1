"""Configuration files are data: whatever they hold is read, or refused in one line, and never run."""

import json

import pytest

from jaxlr import dialects
from jaxlr.dialects.configs import Keys, by_last_name, flat
from jaxlr.dialects.launch import arguments_of
from jaxlr.hints import CONFIGURED

RIGHT = "--lr 1e-3 --train-iters 100 --lr-decay-style cosine"
DEEPSPEED = '{"scheduler": {"type": "WarmupLR", "params": {"warmup_max_lr": 0.1, "warmup_num_steps": 9}}'


def one_line(folder, name, text, framework=None):
    """What is said of a file that cannot be read."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError) as error:  # noqa: PT011, each test says which
        dialects.from_file(folder / name, framework)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    return str(error.value)


BROKEN = {
    "a file that is too large": ("a.sh", "#" * 1_000_001, "has 1,000,001 bytes; a configuration may have 1,000,000"),
    "no text": ("a.yaml", b"\xff\xfe\x00", "can't decode"),
    "open quotes": ("a.sh", f'{RIGHT}\n--x "y', "quotes are open from line 2 on"),
    "variables without end": ("a.sh", "A=aaaaaaaa;" + "A=$A$A;" * 40, "variables make a word of more than"),
    "a variable nobody set": (
        "a.sh",
        f"{RIGHT} --min-lr ${{MIN_LR}}",
        "min_lr must be a number of at least 0, got '${MIN",
    ),
    "arithmetic of the shell": ("a.sh", f"{RIGHT} --lr-warmup-iters $((5*2))", "the file does not set this variable"),
    "code in an expression": ("a.sh", "--train-iters 5 --lr __import__('os').getcwd()", "lr must be a number of at"),
    "no JSON": ("a.json", "{", "a.json: Expecting property name"),
    "no YAML": ("a.yaml", "a: [", "a.yaml: while parsing"),
    "no TOML": ("a.toml", "a = ", "a.toml: Invalid value"),
    "a list": ("a.json", "[1]", "must hold keys with values, got list"),
    "nothing": ("a.yaml", "", "must hold keys with values, got NoneType"),
    "an object of Python's": ("a.yaml", "lr: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    "a key twice in JSON": ("a.json", DEEPSPEED + ', "scheduler": {}}', "key 'scheduler' stands twice in one place"),
    "a key twice in YAML": ("a.yaml", "lr: 1\ntrain_iters: 5\nlr: 2", "key 'lr' stands twice in one place"),
    "a key twice in TOML": ("a.toml", "a = 1\na = 2", "Cannot overwrite a value"),
    "one name in two places": (
        "a.yaml",
        "a: {lr: 1}\nb: {lr: 2}\ntrain_iters: 5",
        "a.lr and b.lr contradict each other",
    ),
    "NaN in JSON": ("a.json", DEEPSPEED + ', "gradient_clipping": NaN}', "a number must be finite, got NaN"),
    "NaN in YAML": ("a.yaml", "lr: .nan\ntrain_iters: 5", "lr must be a number of at least 0, got nan"),
    "infinity": ("a.yaml", "lr: .inf\ntrain_iters: 5", "lr must be a number of at least 0, got inf"),
    "an integer beyond floats": ("a.json", f'{{"lr": 1{"0" * 400}, "train_iters": 5}}', "lr must be a number"),
    "a wrong type": ("a.yaml", "lr: [1]\ntrain_iters: 5", "lr must be a number of at least 0, got [1]"),
    "a truth for a number": ("a.yaml", "lr: true\ntrain_iters: 5", "lr must be a number of at least 0, got True"),
    "half an update": (
        "a.yaml",
        "lr: 1\ntrain_iters: 5.5",
        "train_iters must be a whole number of at least 1, got 5.5",
    ),
    "a misspelled key": (
        "a.sh",
        f"{RIGHT} --lr-decay-sytle x",
        "unknown key 'lr_decay_sytle'; did you mean 'lr_decay_sty",
    ),
    "contradicting keys": ("a.sh", f"{RIGHT} --train-samples 9", "train_iters and train_samples contradict each other"),
    "no signs": (
        "a.json",
        '{"colour": "blue"}',
        "has no key by which a framework could be told; a dialect knows ",
    ),
    "signs of two": (
        "a.yaml",
        "lr_decay_style: cosine\ntrain_iters: 5\nscheduler: {type: WarmupLR}\ngradient_clipping: 1",
        "may be of megatron or of deepspeed: say which",
    ),
}


@pytest.mark.parametrize(("name", "text", "said"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_one_line(tmp_path, name, text, said):
    assert said in one_line(tmp_path, name, text)


def test_a_framework_that_is_none(tmp_path):
    said = one_line(tmp_path, "a.json", DEEPSPEED + "}", "deepsped")
    assert said == f"framework must be one of {', '.join(CONFIGURED)}, got 'deepsped'"


def test_references_that_multiply_are_no_text_of_gigabytes(tmp_path):
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))
    said = one_line(tmp_path, "a.yaml", f"a0: &a0 [x, x]\n{levels}\ntrain_iters: 5\nlr: *a11")
    assert "lr must be a number" in said
    loop = one_line(tmp_path, "b.yaml", "train_iters: 5\nlr: &a\n  b: *a")
    assert "nested at most 32 deep" in loop


def test_levels_and_keys_have_limits(tmp_path):
    with pytest.raises(ValueError, match="nested at most 32 deep"):
        flat({"a": json.loads("".join('{"a":' * 40) + "1" + "}" * 40)})
    with pytest.raises(ValueError, match="at most 10,000 keys"):
        flat({str(i): i for i in range(10_001)})
    assert "nested too deeply" in one_line(tmp_path, "a.json", "[" * 100_000)


def test_the_framework_is_told_by_most_of_its_signs(tmp_path):
    (tmp_path / "a.yaml").write_text("lr: 1e-3\ntrain_iters: 5\nlr_decay_style: linear\ngradient_clipping: 1.0")
    assert dialects.from_file(tmp_path / "a.yaml").framework == "megatron"
    (tmp_path / "b.json").write_text(DEEPSPEED + "}")
    assert dialects.from_file(tmp_path / "b.json", "deepspeed").framework == "deepspeed"


def test_a_launch_script_is_read_with_its_arrays_texts_and_variables():
    script = r"""#!/bin/bash
# it's a comment, and "this too
LR=1e-4   # the rate
export ITERS=${ITERS:-500}
ARGS="
  --lr $LR \
  --min-lr 1e-5
"
MORE=(
  --train-iters "$ITERS"  # comment
  --ramp 32 32 1000
  --style='a b'
  --bf16
  --shift -1
)
MORE+=(--seed $SEED)
torchrun --nproc_per_node 8 train.py ${ARGS} "${MORE[@]}" --lr 2e-4 | tee --append log
"""
    found = arguments_of(script)
    assert found.pop("append") == "log"
    expected = {"lr": 2e-4, "min_lr": 1e-5, "train_iters": 500, "ramp": [32, 32, 1000], "style": "a b", "bf16": True}
    assert found == expected | {"shift": -1, "seed": "$SEED", "nproc_per_node": [8, "train.py"]}


@pytest.mark.parametrize("text", ["$(" * 200_000, "`" * 400_000, "${" * 200_000, "(" * 400_000, "--a " * 100_000])
def test_a_hostile_script_takes_no_time(text):
    try:
        assert isinstance(arguments_of(text), dict)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017, either answer is right


def test_a_key_is_read_as_what_it_should_be():
    keys = Keys({"a": "1e-3", "b": [0.9, "0.95"], "c": 1e3, "d": "yes", "e": None, "f": 1}, ["a", "b", "c", "d", "e"])
    assert (keys.number("a"), keys.numbers("b", count=2), keys.length("c"), keys.number("e", 5.0)) == (
        1e-3,
        [0.9, 0.95],
        1000,
        5.0,
    )
    assert keys.unread() == ["d", "f"]
    refused = [
        (lambda: keys.flag("d"), "d must be true or false, got 'yes'"),
        (lambda: keys.number("e"), "e must be given"),
        (lambda: keys.numbers("b", count=3), "b must be a list of 3 numbers"),
        (lambda: keys.number("a", maximum=1e-4), "a must be a number of at most 0.0001"),
        (lambda: keys.length("c", maximum=10), "c must be a whole number of at least 0 and at most 10"),
        (lambda: keys.word("d", ["no", "yess"]), "d must be one of no, yess, got 'yes'; did you mean 'yess'"),
        (lambda: keys.one_of("a", "c", what="a length"), "a and c contradict each other: each is a length"),
    ]
    for call, said in refused:
        with pytest.raises(ValueError, match=said):
            call()


def test_a_long_place_makes_no_two_keys_alike():
    known = ["train_module.scheduler.alpha_f", "train_module.scheduler.warmup"]
    assert Keys({"train_module.scheduler.lr_field": 1}, known).unread()
    for misspelled, meant in (("train_module.scheduler.alpah_f", known[0]), ("train_modul.scheduler.warmup", known[1])):
        with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
            Keys({misspelled: 1}, known)


def test_what_concerns_rates_and_was_not_read_is_listed():
    keys = Keys({"a": 1, "lr_strange": 2, "seed": 3, "lr_other": 4}, ["a"], elsewhere=["lr_other"])
    assert keys.left_out({"seed": "no seed here"}) == {
        "lr_strange": "not known to this dialect",
        "seed": "no seed here",
    }
    assert by_last_name({"x": {"lr": 1}, "y": {"--lr": 1}}, ["lr"]) == {"lr": 1}
