"""`jaxlr port` says in jaxlr what a recipe of another framework says."""

from pathlib import Path

import numpy as np
import pytest

import jaxlr
from jaxlr import dialects
from jaxlr.cli import main
from jaxlr.cli.port import recipes
from jaxlr.dialects.recipe import qualified


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assigned(shown, name):
    """What the printed Python calls `name`, run."""
    scope = {}
    exec(shown.split("\n\n")[0] + "\n" + shown.split("\n\n")[1], scope)
    return scope[name]


RECIPES = {
    "torch.OneCycleLR(lr=0.1, max_lr=1.0, total_steps=1000)": lambda: jaxlr.one_cycle(1.0, 1000),
    "torch.SequentialLR([torch.ConstantLR(0.1, 0.5, 10), torch.CosineAnnealingLR(0.1, T_max=90)], milestones=[10])": (
        lambda: jaxlr.join([jaxlr.constant(0.05), jaxlr.cosine(0.1, 90, after="rise")], [10])
    ),
    "optax.warmup_cosine_decay_schedule(0.0, 1.0, 50, 200)": lambda: jaxlr.warmup(jaxlr.cosine(1.0, 150), 50),
    'transformers.get_scheduler("linear", 0.001, 100, 1000)': (
        lambda: jaxlr.warmup(jaxlr.linear(0.001, 0.0, 900), 100)
    ),
    "keras.ExponentialDecay(0.1, 100, 0.5)": lambda: jaxlr.exponential(0.1, 0.5, transition_steps=100),
}


@pytest.mark.parametrize(
    "recipe", [pytest.param(r, marks=() if r.startswith(("torch.One", "keras")) else pytest.mark.ci) for r in RECIPES]
)
def test_prints_the_call_the_chain_and_a_picture(recipe, capsys, folder):
    assert main(["port", recipe]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("\n\nport.png\n")
    assert (folder / "port.png").read_bytes().startswith(b"\x89PNG")
    counts = np.arange(200)
    np.testing.assert_allclose(assigned(shown, "schedule")(counts), RECIPES[recipe]()(counts), rtol=1e-6, atol=1e-9)
    assert assigned(shown, "optimizer").init(np.zeros(2, np.float32))


def test_an_optimizer_and_a_rule_are_ported_too(capsys, folder):
    assert main(["port", "torch.AdamW(lr=torch.StepLR(0.1, 30), weight_decay=0.05)"]) == 0
    shown = capsys.readouterr().out
    assert "optimizer = jaxlr.dialects.torch.AdamW(" in shown
    assert "scale_by_adam -> " in shown
    assert "scale_by_learning_rate" in shown
    assert main(["port", "torch.ReduceLROnPlateau(0.1, patience=3)"]) == 0
    assert "jaxlr.observe(opt_state, metric)" in capsys.readouterr().out
    assert list(folder.iterdir()) == []


def test_names_may_have_their_frameworks_modules(capsys):
    for recipe in (
        "torch.optim.lr_scheduler.StepLR(0.1, 30)",
        "keras.optimizers.schedules.ExponentialDecay(0.1, 9, 0.5)",
        "torch.optim.SGD(torch.optim.lr_scheduler.OneCycleLR(0.1, max_lr=0.1, total_steps=9), momentum=0.9)",
    ):
        assert main(["port", recipe]) == 0
        exec(capsys.readouterr().out.split("\n\nport.png")[0], {})


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("torch.OneCycleLR(optimizer, max_lr=1.0, total_steps=1e3)", lambda t: t.OneCycleLR(0.1, 1.0, 1000)),
        ("lr_scheduler.OneCycleLR(opt, 1.0, total_steps=1000)", lambda t: t.OneCycleLR(0.1, 1.0, 1000)),
        (
            "sched = torch.optim.lr_scheduler.CyclicLR(self.optimizer, base_lr=0.1, max_lr=1.0, step_size_up=50.0)",
            lambda t: t.CyclicLR(0.1, 0.1, 1.0, 50),
        ),
        ("optim.lr_scheduler.CosineAnnealingLR(0.1, T_max=100.0)", lambda t: t.CosineAnnealingLR(0.1, 100)),
        (
            "torch.OneCycleLR(max_lr=1.0, optimizer=optimizer, epochs=1e1, steps_per_epoch=100)",
            lambda t: t.OneCycleLR(0.1, 1.0, 1000),
        ),
        (
            "torch.SequentialLR(optimizer, schedulers=[torch.ConstantLR(0.1), torch.StepLR(0.1, 9)], milestones=[5])",
            lambda t: t.SequentialLR([t.ConstantLR(0.1), t.StepLR(0.1, 9)], [5]),
        ),
        ("torch.optim.swa_utils.SWALR(0.1, swa_lr=0.05)", lambda t: t.SWALR(0.1, 0.05)),
    ],
)
def test_the_lines_that_people_have_are_read(line, call, capsys):
    assert main(["port", line]) == 0
    assert assigned(capsys.readouterr().out, "schedule").to_dict() == call(dialects.torch).to_dict()


def test_the_momentum_that_pytorch_moves_is_printed_too(capsys):
    assert main(["port", "torch.OneCycleLR(lr=0.1, max_lr=1.0, total_steps=100)"]) == 0
    momentum = assigned(capsys.readouterr().out, "momentum")
    assert momentum.to_dict() == dialects.torch.one_cycle_momentum(lr=0.1, max_lr=1.0, total_steps=100).to_dict()
    assert main(["port", "torch.OneCycleLR(lr=0.1, max_lr=1.0, total_steps=100, cycle_momentum=False)"]) == 0
    assert "momentum" not in capsys.readouterr().out
    assert main(["port", "torch.OneCycleLR(lr=0.1, max_lr=1.0, total_steps=100) * 0.5"]) == 0
    assert "momentum" not in capsys.readouterr().out
    assert main(["port", "torch.SGD(torch.OneCycleLR(lr=0.1, max_lr=1.0, total_steps=100), momentum=0.9)"]) == 0
    assert "# its schedule moves the momentum too" in capsys.readouterr().out


def test_what_a_trainer_moves_beside_the_rate_is_printed_too(capsys):
    moving = "start_wd=0.0, end_wd=0.5, wd_incr_steps=8, wd_incr_style='linear'"
    assert main(["port", f"megatron.OptimizerParamScheduler(0.0, 1.0, 0.0, 2, 8, 'cosine', {moving})"]) == 0
    shown = capsys.readouterr().out
    assert assigned(shown, "weight_decay").to_dict() == jaxlr.linear(0.0, 0.5, 8).to_dict()
    assert "jaxlr.adamw(schedule, weight_decay=weight_decay)" in shown
    assert main(["port", "megatron.OptimizerParamScheduler(0.0, 1.0, 0.0, 2, 8, 'cosine')"]) == 0
    assert "weight_decay" not in capsys.readouterr().out
    assert main(["port", "deepspeed.OneCycle(0.1, 0.0, 1.0, cycle_first_step_size=5)"]) == 0
    assert "jaxlr.adam(schedule, b1=b1)" in capsys.readouterr().out


def test_every_family_of_a_text_gets_its_module():
    text = "warmup(schedule=rex(init_value=0.1, decay_steps=9), warmup_steps=5) * 0.5"
    expected = "jaxlr.warmup(schedule=jaxlr.schedules.rex(init_value=0.1, decay_steps=9), warmup_steps=5) * 0.5"
    assert qualified(text) == expected


def test_every_framework_has_recipes():
    assert {name.split(".")[0] for name in recipes()} == set(dialects.FRAMEWORKS)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("", "give a recipe in quotes"),
        ("torch.OneCicleLR(0.1, 1.0, 10)", "unknown recipe 'torch.OneCicleLR'; did you mean 'torch.OneCycleLR'?"),
        ("torch.StepLR(0.1, stepsize=3)", "unknown argument 'stepsize'; did you mean 'step_size'?"),
        ("torch.StepLR(0.1, 0)", "step_size must be at least 1, got 0"),
        ("torch.optim.lr_scheduler.StepLR(optimizer, 30)", "in place of 'optimizer', as in torch.StepLR(0.1, 30)"),
        (
            "transformers.get_scheduler('cosine', optimizer=self.optimizer, num_training_steps=9)",
            "in place of 'self.optimizer', as in transformers.get_scheduler('cosine', lr=0.1, num_training_steps=9)",
        ),
        (
            "torch.SequentialLR(opt, [torch.StepLR(opt, 3), torch.StepLR(0.1, 3)], milestones=[5])",
            "in place of 'opt', as in torch.StepLR(0.1, 3)",
        ),
        ("torch.OneCycleLR(optimizer, max_lr=1.0, total_steps=10.5)", "total_steps must be an integer"),
        ("torch.CosineAnnealingLR(0.1, T_max=99.5)", "T_max must be an integer"),
        ("torch.StepLR(torch.SGD(0.1), 30)", "lr must be a number, got an optimizer: write its learning rate"),
        ("cosine(0.1, 10)", "unknown recipe 'cosine'"),
        ("__import__('os').getcwd()", "has no meaning here"),
        ("torch.StepLR(0.1, 3", "is not written as a call"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_one_line(recipe, said, capsys, folder):
    assert main(["port", recipe]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
    assert list(folder.iterdir()) == []


CONFIGS = Path(__file__).parents[1] / "dialects" / "configs"


@pytest.mark.parametrize("file", ["megatron/gpt_1p3b.sh", "deepspeed/cosine_auto.json"])
def test_a_file_is_ported_with_its_picture(file, capsys, folder):
    assert main(["port", str(CONFIGS / file)]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("\n\nport.png\n")
    assert (folder / "port.png").read_bytes().startswith(b"\x89PNG")
    recipe = dialects.from_file(CONFIGS / file)
    assert assigned(shown, "schedule").to_dict() == recipe.schedule.to_dict()
    assert "# not carried over\n#   " in shown
    assert all(f"#   {key}: " in shown for key in recipe.left_out)


ARGUMENTS = "--lr 3e-4 --lr-decay-style cosine --train-iters 1000 --lr-warmup-iters 100 --micro-batch-size 8"


def test_arguments_in_quotes_are_ported_as_those_of_a_file(capsys, folder):
    assert main(["port", ARGUMENTS, "--out", "rates.svg"]) == 0
    shown = capsys.readouterr().out
    (folder / "a.sh").write_text(ARGUMENTS)
    assert assigned(shown, "schedule").to_dict() == dialects.from_file(folder / "a.sh").schedule.to_dict()
    assert "# not carried over\n#   micro_batch_size: " in shown
    assert (folder / "rates.svg").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lr 1 --x 2"], "the text has no key by which a framework could be told"),
        (["--lr 1 --train-iters 9 --lr-decay-sytle x"], "did you mean 'lr_decay_style'?"),
        (["--lr '1 --train-iters 9"], "the text: "),
        (["--lr", "1"], "unknown option --lr"),
    ],
)
def test_arguments_that_cannot_be_read_are_one_line(words, said, capsys, folder):
    assert main(["port", *words]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "more", "said"),
    [
        ("a.sh", "--lr 1 --train-iters 9 --lr-decay-sytle x", [], "did you mean 'lr_decay_style'?"),
        ("a.sh", "--lr 1 --train-iters 9 --train-samples 9", [], "train_iters and train_samples contradict each other"),
        ("a.json", "{", [], "a.json: Expecting property name"),
        ("a.json", "{}", [], "must hold keys with values"),
        ("a.json", '{"a": 1}', [], "has no key by which a framework could be told"),
        ("a.json", '{"a": 1}', ["--framework", "torch"], "framework must be one of "),
        ("b.sh", None, [], "b.sh"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(name, text, more, said, capsys, folder):
    if text is not None:
        (folder / name).write_text(text)
    assert main(["port", name, *more]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
    assert not (folder / "port.png").exists()


def test_a_framework_is_for_a_file(capsys):
    assert main(["port", "torch.StepLR(0.1, 3)", "--framework", "megatron"]) == 2
    assert "--framework megatron is for a file" in capsys.readouterr().err
