"""levanter's schedules by its own words and from its files, against rates recorded from levanter."""

import jax.numpy as jnp
import numpy as np
import pytest
import record_levanter as record
from recorded import BOTH, assert_sane, assert_traces, differences, share_of_peak

import jaxlr
from jaxlr import dialects
from jaxlr.dialects import levanter as dialect

CONFIGS = sorted(record.CONFIGS.glob("*.yml"))
# name, unit, first rate, count of the last rate of a run of N updates, what comes after, the test of the border
CONVENTIONS = [
    ("`cosine`, `linear`", "updates, shares", "0", "N", "held", "test_the_end_is_one_past_the_last_update"),
    ("`inv`", "updates, shares", "0", "N", "held", "test_inv_has_its_first_rate_one_step_down"),
    ("`inv_sqrt`, `power`", "updates, shares", "0", "none", "goes on", "test_the_root_counts_the_warm_up"),
    ("`warmup: 1`", "share", "0", "N, the peak", "held", "test_one_is_all_of_them"),
]


def made(name, arguments):
    return dialect.lr_scheduler(**arguments)


@BOTH
@pytest.mark.parametrize("name", record.NAMES)
def test_is_what_levanter_recorded(name, draws):
    for found, arguments in differences(record, made, name, draws):
        assert found <= 1e-6, arguments


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_file_has_the_rates_of_the_source(path):
    import yaml

    recipe = dialects.from_file(path)
    assert recipe.framework == "levanter"
    counts = record.config_counts(yaml.safe_load(path.read_text())["trainer"]["num_train_steps"])
    with np.load(record.FILE) as golden:
        assert share_of_peak(recipe.schedule(np.array(counts)), golden[path.name]) <= 1e-6


@pytest.mark.ci
def test_a_file_makes_the_optimizer():
    lion, dense, cycled = (dialects.from_file(path) for path in CONFIGS)
    assert (lion.optimizer, dict(lion.arguments)) == ("optax.lion", {"b1": 0.95, "b2": 0.98, "weight_decay": 0.2})
    assert dense.arguments == {"b1": 0.9, "b2": 0.98, "eps": 1e-8, "weight_decay": 0.1}
    assert set(cycled.left_out) == {"optimizer.default_weight_decay_mask", "optimizer.skip_bad_steps"}
    corrected = {"weight_decay": 0.05, "coupling": "corrected", "peak": 3e-4}
    assert cycled.arguments == {"b1": 0.9, "b2": 0.95, "eps": 1e-8, **corrected}
    optimizer, weights = cycled.make(), {"w": jnp.ones((2, 2))}
    for count, decay in ((600, 0.05), (2000, 0.05 * 0.05)):  # times the rate over its peak
        state = jaxlr.set_update_count(optimizer.init(weights), count)
        updates, _ = optimizer.update({"w": jnp.zeros((2, 2))}, state, weights)
        rate = float(cycled.schedule(count))
        assert float(updates["w"][0, 0]) == pytest.approx(-rate * decay, rel=1e-5)
    for recipe in (lion, dense, cycled):
        assert recipe.clip == 1.0
        recipe.make().init({"w": jnp.ones(2)})


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_the_end_is_one_past_the_last_update(kind):
    rate = dialect.lr_scheduler(10, learning_rate=1.0, min_lr_ratio=0.5, warmup=2, lr_schedule=kind)
    assert [float(rate(n)) for n in (0, 1, 2, 6, 10, 11)] == [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]
    assert float(rate(9)) > 0.5


def test_inv_has_its_first_rate_one_step_down():
    rate = dialect.lr_scheduler(6, learning_rate=1.0, min_lr_ratio=0.25, warmup=3, lr_schedule="inv")
    assert [float(rate(n)) for n in (0, 3, 4, 6, 7, 99)] == [0.0, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_the_root_counts_the_warm_up():
    root = {"type": "inv_sqrt", "timescale": 4}
    rate = dialect.lr_scheduler(99, learning_rate=1.0, min_lr_ratio=0.0, warmup=4, lr_schedule=root)
    assert [float(rate(n)) for n in (0, 2, 4, 16, 64)] == [0.0, 0.5, 1.0, 0.5, 0.25]
    law = {"type": "power", "batch_size": 1, "seq_length": 1, "a": 2.0, "b": -0.5}
    rate = dialect.lr_scheduler(99, learning_rate=1.0, warmup=4, lr_schedule=law)
    assert [float(rate(n)) for n in (2, 4, 8, 20, 68)] == [0.5, 1.0, 1.0, 0.5, 0.25]
    later = dialect.lr_scheduler(99, learning_rate=1.0, warmup=0, lr_schedule=law | {"a": 0.5})
    assert [float(later(n)) for n in (0, 1, 4)] == [1.0, 0.5, 0.25]


def test_one_is_all_of_them():
    rate = dialect.lr_scheduler(8, learning_rate=1.0, warmup=1)
    assert [float(rate(n)) for n in (0, 4, 8, 9)] == [0.0, 0.5, 1.0, 1.0]
    assert float(dialect.lr_scheduler(8, learning_rate=1.0, warmup=0.13)(1)) == 1.0


def test_a_last_cycle_that_is_no_cycle_length_is_longer():
    rate = dialect.lr_scheduler(11, learning_rate=1.0, min_lr_ratio=0.0, warmup=0, cycle_length=3, lr_schedule="linear")
    np.testing.assert_allclose(rate(np.arange(12)), [1, 2 / 3, 1 / 3] * 2 + [1, 0.8, 0.6, 0.4, 0.2, 0], rtol=1e-6)


@pytest.mark.parametrize("kind", [*record.NAMES[:-1], {"type": "power", "batch_size": 1, "seq_length": 1}])
@pytest.mark.parametrize("phases", [{}, {"decay": 0}, {"warmup": 1.0}, {"cooldown": 0.5}, {"cycles": 2, "decay": 0}])
def test_phases_without_updates_are_finite(kind, phases):
    for steps in (1, 2, 40):
        if steps > 1 or "cycles" not in phases:
            assert_sane(dialect.lr_scheduler(steps, learning_rate=1.0, lr_schedule=kind, **phases))


@pytest.mark.ci
def test_numbers_can_be_traced():
    def rate(steps, peak, ratio, warm, decay, kind):
        words = {"learning_rate": peak, "min_lr_ratio": ratio, "warmup": warm, "decay": decay, "lr_schedule": kind}
        return dialect.lr_scheduler(steps, **words)

    for kind in ("constant", "cosine", "linear", {"type": "inv_sqrt", "timescale": 12}, "inv"):
        assert_traces(lambda *numbers, kind=kind: rate(*numbers, kind), 50, 0.3, 0.25, 7, 0.5)
        assert_traces(lambda *numbers, kind=kind: rate(*numbers, kind), 50, 0.3, 0.25, 0.25, 20)

    def cycled(peak, ratio, rewarm, cool):
        words = {"learning_rate": peak, "min_lr_ratio": ratio, "rewarmup": rewarm, "cooldown": cool}
        return dialect.lr_scheduler(50, cycles=3, lr_schedule={"type": "inv_sqrt", "timescale": 5.5}, **words)

    with pytest.raises(TypeError, match="num_train_steps must be known where cycles is given"):
        assert_traces(cycled, 0.3, 0.25, 0.25, 0.1)


def test_a_schedule_is_written_down():
    for name in record.NAMES:
        for arguments in record.cases(name)[:3]:
            rate = made(name, arguments)
            assert jaxlr.schedules.parse(repr(rate)).to_dict() == rate.to_dict()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"lr_schedule": "cosin"}, ValueError, "lr_schedule must be one of 'constant', 'cosine', .*, got 'cosin'"),
        ({"lr_schedule": {"type": "cosine", "exponnet": 2}}, ValueError, "no argument 'exponnet'; did you mean 'exp"),
        ({"lr_schedule": {"type": "linear", "x": 2}}, ValueError, "'linear' has no argument 'x'; it has none"),
        ({"lr_schedule": {"type": "power", "batch_size": 2}}, ValueError, "seq_length must be given for lr_schedule"),
        ({"lr_schedule": 3}, TypeError, "lr_schedule must be a word or a mapping with 'type', got 3"),
        ({"lr_schedule": "inv", "min_lr_ratio": 0.0}, ValueError, "min_lr_ratio must be above 0 and at most 1 for lr"),
        ({"warmup": 60, "decay": 60}, ValueError, "warmup and decay must be at most 100 updates together"),
        ({"warmup": 1.5}, ValueError, "warmup must be a share of at most 1 or a whole number of updates, got 1.5"),
        ({"cycles": 2, "cycle_length": 0.5}, ValueError, "cycle_length and cycles must not both be given"),
        ({"cycles": [20, 20]}, ValueError, "cycles must be in strictly rising order"),
        ({"cycles": [20, 200]}, ValueError, "cycles must end within num_train_steps, 100, got 200"),
        ({"cycles": 10**9}, ValueError, "cycles must make at most 1,000 cycles, got 1,000,000,000"),
        ({"cycles": "2"}, TypeError, "cycles"),
        ({"haps": 2}, TypeError, "haps must be a list of counts, got 2"),
        ({"cycle_length": 0.001}, ValueError, "cycle_length must be at least 1 update, got 0.001 of 100"),
        ({"warm_up": 3}, TypeError, "warm_up"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(arguments, error, words):
    with pytest.raises(error, match=words):
        dialect.lr_scheduler(100, **arguments)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ({"learning_rate": "__import__('os').getcwd()"}, "optimizer.learning_rate must be a number"),
        ({"min_lr_ration": 0.1}, "unknown key 'optimizer.min_lr_ration'; did you mean 'optimizer.min_lr_ratio'?"),
        ({"lr_schedule": "wsd"}, "optimizer.lr_schedule must be one of"),
        ({"cycles": ["a"]}, "optimizer.cycles must be a list of numbers, got ['a']"),
        ({"haps": 0.5}, "optimizer.haps must be a list of numbers, got 0.5"),
        ({"cycles": [2.5]}, "optimizer.cycles must be whole numbers of updates, got [2.5]"),
        ({"cycles": 2, "haps": [3]}, "cycles and haps must not both be given"),
    ],
)
def test_a_wrong_key_is_one_line(optimizer, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        dialect.from_config({"trainer": {"num_train_steps": 100}, "optimizer": optimizer})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_another_file_holds_is_data_where_it_does_not_matter(tmp_path):
    path = tmp_path / "gpt2.yaml"
    path.write_text("data: !include data/web.yaml\ntrainer: {num_train_steps: 100}\noptimizer: {learning_rate: 6E-4}\n")
    assert dialects.from_file(path).schedule.end() == 100
    path.write_text("trainer: {num_train_steps: 100}\noptimizer: !include optimizer.yaml\n")
    with pytest.raises(ValueError, match=r"optimizer must hold keys with values, got 'optimizer\.yaml'"):
        dialects.from_file(path)
    path.write_text("trainer: {num_train_steps: !!python/name:os.getcwd }\n")
    with pytest.raises(ValueError, match="could not determine a constructor for the tag"):
        dialects.from_file(path)


def test_what_is_left_out_and_what_is_off():
    recipe = dialect.from_config({"optimizer": {"type": "sophia-h", "max_grad_norm": None, "skip_bad_steps": False}})
    assert list(recipe.left_out) == ["optimizer.type"]
    assert (recipe.optimizer, recipe.clip) == ("", None)
