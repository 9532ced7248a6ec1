"""Sweeps: every member's result, one trace a family, groups on disk, devices, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxlr
from jaxlr.search.sweeps.numbers import full_name, numbers_of, with_number
from jaxlr.search.sweeps.run import sweep
from jaxlr.search.sweeps.variations import values_of, variations

RATES = np.array([0.1, 0.25, 0.5, 1.0, 1.5])
STEPS = 12


def descent(schedule):
    """Gradient descent on x**2 / 2 from 1."""
    optimizer = jaxlr.sgd(schedule)

    def step(carry, _):
        x, state = carry
        updates, state = optimizer.update(x, state)
        x = optax.apply_updates(x, updates)
        return (x, state), x

    (x, _), path = jax.lax.scan(step, (jnp.float32(1), optimizer.init(jnp.float32(1))), length=STEPS)
    return {"distance": jnp.abs(x), "path": path}


def by_hand(peak, step_size):
    """The same in float64, with the triangle written out."""
    x, path = 1.0, []
    for n in range(STEPS):
        place = n % (2 * step_size)
        x -= peak * (place if place <= step_size else 2 * step_size - place) / step_size * x
        path.append(x)
    return path


def batch(rates=RATES, step_size=4):
    return jax.vmap(lambda peak: jaxlr.triangular(0.0, peak, step_size))(jnp.asarray(rates))


class Counted:
    """A function that counts how often it is traced."""

    def __init__(self, function=descent):
        self.function, self.traces = function, 0

    def __call__(self, schedule):
        self.traces += 1
        return self.function(schedule)


@pytest.mark.parametrize("strategy", ["auto", "vmap", "map"])
@pytest.mark.parametrize("group_size", [None, 2, 100])
def test_every_member_has_the_result_of_its_own_training(strategy, group_size):
    result = sweep(descent, batch(), strategy=strategy, group_size=group_size)
    expected = np.array([by_hand(peak, 4) for peak in RATES])
    np.testing.assert_allclose(result.results["path"], expected, rtol=2e-5, atol=1e-7)
    np.testing.assert_array_equal(result.results["distance"], np.abs(result.results["path"][:, -1]))
    assert result.strategies == ("vmap" if strategy == "auto" else strategy,)


def test_a_family_is_traced_once_whatever_its_numbers():
    train = Counted()
    peaks, sizes = jnp.linspace(0.1, 1.5, 16), jnp.arange(1, 17)
    result = sweep(train, jax.vmap(lambda p, s: jaxlr.triangular(0.0, p, s))(peaks, sizes), group_size=3)
    assert train.traces == result.traces == 1
    expected = np.array([by_hand(float(p), int(s)) for p, s in zip(peaks, sizes, strict=True)])
    np.testing.assert_allclose(result.results["path"], expected, rtol=1e-4, atol=1e-6)
    assert result.numbers["step_size"].tolist() == list(range(1, 17))


def test_a_list_is_sorted_into_families_and_keeps_its_order():
    train = Counted()
    schedules = [jaxlr.constant(0.5), batch([0.25, 1.0]), jaxlr.constant(0.25), jaxlr.triangular(0.0, 0.5, 2)]
    result = sweep(train, schedules)
    assert train.traces == result.traces == 2
    expected = [0.5**STEPS, by_hand(0.25, 4)[-1], by_hand(1.0, 4)[-1], 0.75**STEPS, by_hand(0.5, 2)[-1]]
    np.testing.assert_allclose(result.results["distance"], np.abs(expected), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(result.numbers["value"], [0.5, np.nan, np.nan, 0.25, np.nan])
    np.testing.assert_array_equal(result.numbers["max_lr"], [np.nan, 0.25, 1.0, np.nan, 0.5])
    assert [each.name for each in result.schedules] == ["constant", *["triangular"] * 2, "constant", "triangular"]


def test_the_best_is_a_schedule_to_train_with():
    result = sweep(lambda schedule: {"score": {"last": -descent(schedule)["distance"]}}, batch())
    losses = np.abs([by_hand(peak, 4)[-1] for peak in RATES])
    best = result.best("score.last", "max")
    assert repr(best) == f"triangular(base_lr=0.0, max_lr={RATES[losses.argmin()]}, step_size=4)"
    assert float(best(4)) == RATES[losses.argmin()]
    assert result.order("score.last", "max").tolist() == losses.argsort().tolist()
    assert repr(result.best("score.last", "min")) == repr(result.schedules[losses.argmax()])
    assert list(result.varied) == ["max_lr"]
    np.testing.assert_array_equal(result.varied["max_lr"], RATES.astype(np.float32))


def test_members_without_a_number_come_last():
    result = sweep(lambda schedule: jnp.sqrt(0.5 - schedule(0)), [jaxlr.constant(v) for v in (0.75, 0.25, 0.4, 1.0)])
    assert result.order(mode="max").tolist() == [1, 2, 0, 3]
    assert result.order(mode="min").tolist() == [2, 1, 0, 3]
    assert repr(result.best(None, "max")) == "constant(value=0.25)"
    with pytest.raises(ValueError, match="all 2 are NaN"):
        sweep(lambda schedule: jnp.sqrt(0.5 - schedule(0)), [jaxlr.constant(1.0)] * 2).best()


def test_the_choice_is_by_what_is_in_the_program():
    def convolve(schedule):
        image = jnp.full((1, 4, 4, 1), schedule(0))
        return jax.jit(lambda x: jax.lax.conv(x, x[:, :, :2, :1], (1, 1), "SAME"))(image).sum()

    result = sweep(convolve, [jaxlr.constant(1.0)])
    assert result.strategies == ("map",)
    assert "convolutions" in result.reasons[0]
    assert result.reasons[0] in repr(result)
    assert sweep(convolve, [jaxlr.constant(1.0)], strategy="vmap").strategies == ("vmap",)


def test_groups_come_one_after_the_other_and_are_about_equal():
    groups = []
    sweep(descent, batch(np.linspace(0.1, 1.0, 10)), group_size=4, watch=groups.append)
    assert [group.members.tolist() for group in groups] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [(group.done, group.total, group.loaded) for group in groups] == [(4, 10, 0), (8, 10, 0), (10, 10, 0)]
    assert groups[2].results["path"].shape == (2, STEPS)
    groups.clear()
    sweep(descent, batch(np.linspace(0.1, 1.0, 18)), watch=groups.append)
    assert [len(group.members) for group in groups] == [9, 9]


def interrupt_after(groups):
    def watch(group):
        if group.done >= groups:
            raise KeyboardInterrupt

    return watch


def equal(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


@pytest.mark.parametrize("strategy", ["vmap", "map"])
def test_a_stopped_sweep_goes_on_where_it_was(tmp_path, strategy):
    straight = sweep(descent, batch(), strategy=strategy, group_size=2)
    with pytest.raises(KeyboardInterrupt):
        sweep(descent, batch(), strategy=strategy, group_size=2, folder=tmp_path, watch=interrupt_after(2))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("members-*")}
    assert len(kept) == 1
    groups = []
    result = sweep(descent, batch(), strategy=strategy, group_size=2, folder=tmp_path, watch=groups.append)
    assert equal(result.results, straight.results)
    assert result.loaded == 2
    assert [(group.members.tolist(), group.loaded) for group in groups] == [([0, 1], 1), ([2, 3], 0), ([4], 0)]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    # All of it is there: nothing is compiled or run.
    again = sweep(descent, batch(), strategy=strategy, folder=tmp_path)
    assert equal(again.results, straight.results)
    assert (again.loaded, again.compile_seconds) == (5, 0.0)


def test_a_sweep_goes_on_with_other_groups_and_another_strategy(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sweep(descent, batch(), strategy="map", group_size=2, folder=tmp_path, watch=interrupt_after(2))
    result = sweep(descent, batch(), strategy="vmap", group_size=3, folder=tmp_path)
    expected = np.array([by_hand(peak, 4) for peak in RATES])
    np.testing.assert_allclose(result.results["path"], expected, rtol=2e-5, atol=1e-7)


def test_small_dtypes_and_scalars_come_back_from_disk(tmp_path):
    def train(schedule):
        rate = schedule(0)
        return rate.astype(jnp.bfloat16), (rate > 0.5, jnp.int8(3)), None

    first = sweep(train, batch(step_size=1), folder=tmp_path)
    again = sweep(train, batch(step_size=1), folder=tmp_path)
    assert again.loaded == 5
    assert equal(first.results, again.results)
    assert [leaf.dtype for leaf in jax.tree.leaves(again.results)] == [jnp.bfloat16, jnp.bool_, jnp.int8]


def shifted(by):
    shift = jnp.full(3, by)
    return lambda schedule: schedule(0) + shift.sum()


@pytest.mark.parametrize(
    ("train", "schedules", "message"),
    [
        (shifted(1.0), [jaxlr.constant(0.1), jaxlr.constant(0.3)], "a sweep of other schedules"),
        (shifted(1.0), [jaxlr.constant(0.1)], "a sweep of other schedules"),
        (shifted(2.0), [jaxlr.constant(0.1), jaxlr.constant(0.2)], "another train_fn, or one with other data in it"),
        (lambda schedule: schedule(1), [jaxlr.constant(0.1), jaxlr.constant(0.2)], "another train_fn"),
    ],
    ids=["number", "fewer", "data", "function"],
)
def test_the_files_of_another_sweep_are_refused(tmp_path, train, schedules, message):
    sweep(shifted(1.0), [jaxlr.constant(0.1), jaxlr.constant(0.2)], folder=tmp_path)
    with pytest.raises(ValueError, match=message):
        sweep(train, schedules, folder=tmp_path)


def test_damaged_and_foreign_files_are_named(tmp_path):
    def run():
        return sweep(shifted(1.0), [jaxlr.constant(0.1), jaxlr.constant(0.2)], folder=tmp_path, group_size=1)

    run()
    group, manifest = tmp_path / "members-000001.npz", tmp_path / "sweep.json"
    whole, said = group.read_bytes(), manifest.read_text()
    group.write_bytes(whole[:100])
    with pytest.raises(ValueError, match=r"members-000001\.npz is damaged"):
        run()
    group.unlink()
    assert run().loaded == 1
    manifest.write_text(json.dumps({**json.loads(said), "jax": "0.1"}))
    with pytest.raises(ValueError, match=r"made with jax 0\.1, not"):
        run()
    manifest.write_text("[")
    with pytest.raises(ValueError, match=r"no sweep\.json of a sweep"):
        run()
    manifest.unlink()
    with pytest.raises(ValueError, match=r"results but no sweep\.json"):
        run()
    with pytest.raises(ValueError, match=r"folder: \S+members-000001\.npz"):
        sweep(shifted(1.0), [jaxlr.constant(0.1)], folder=group)


def test_processes_write_through_files_of_their_own(tmp_path, monkeypatch):
    written, write = {0: set(), 1: set()}, Path.write_bytes
    for place in written:
        monkeypatch.setattr(jax, "process_index", lambda place=place: place)
        monkeypatch.setattr(
            Path,
            "write_bytes",
            lambda path, content, place=place: written[place].add(path.name) or write(path, content),
        )
        sweep(shifted(1.0), [jaxlr.constant(0.1)], folder=tmp_path / str(place))
    assert len(written[0]) == len(written[1]) == 2
    assert not written[0] & written[1]


ON_DEVICES = """
import jax, numpy as np, sys
sys.path.insert(0, {tests!r})
from test_search_sweep import batch, by_hand, descent
from jaxlr.search.sweeps.run import sweep
rates = np.linspace(0.1, 1.5, 10)
expected = [by_hand(rate, 4) for rate in rates]
for strategy, group_size, groups, used in (
    ("vmap", None, [10], 4), ("map", None, [4, 4, 2], 4), ("map", 9, [8, 2], 4), ("vmap", 3, [3, 3, 3, 1], 3)
):
    seen = []
    result = sweep(descent, batch(rates), strategy=strategy, group_size=group_size,
                   watch=lambda group: seen.append(len(group.members)))
    np.testing.assert_allclose(result.results["path"], expected, rtol=2e-5, atol=1e-6)
    assert (seen, result.devices) == (groups, used), (seen, result)
chosen = sweep(descent, batch(rates), devices=jax.devices()[2:3])
assert chosen.devices == 1
import test_search_branches as t
from jaxlr import branches
budgets, seen = [10, 20, 30, 40, 50], []
alone = branches(t.step, t.start(), t.TRUNK, budgets, score=t.score, strategy="map", devices=jax.devices()[:1])
spread = branches(t.step, t.start(), t.TRUNK, budgets, score=t.score, strategy="map", watch=seen.append)
t.same(alone.states, spread.states)
assert [part.budgets for part in seen[5:]] == [(10, 20, 30, 40), (50,)], seen
fast = branches(t.step, t.start(), t.TRUNK, budgets, score=t.score, strategy="vmap", watch=seen.append)
np.testing.assert_allclose(fast.scores["loss"], alone.scores["loss"], rtol=1e-5)
assert seen[-1].budgets == tuple(budgets)
print("done")
"""


@pytest.mark.ci
def test_members_and_branches_are_spread_over_all_devices(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
    program = ON_DEVICES.format(tests=__file__.rpartition("/")[0])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"train_fn": 3}, TypeError, "train_fn must be a function of a schedule, got 3"),
        ({"schedules": 0.1}, TypeError, "schedules must be a batched schedule or a list of schedules, got 0.1"),
        ({"schedules": []}, ValueError, "schedules must hold at least one schedule, got none"),
        ({"schedules": [0.1]}, TypeError, r"schedules\[0\] must be a jaxlr schedule, got 0.1"),
        ({"schedules": jaxlr.constant(0.1)}, ValueError, r"must be batched.*got one schedule, constant\(value=0.1\)"),
        ({"schedules": batch([])}, ValueError, "schedules must hold at least one schedule, got an empty batch"),
        (
            {"schedules": jax.tree.map(lambda leaf: leaf[:2] if leaf.dtype == jnp.int32 else leaf, batch())},
            ValueError,
            r"numbers of schedules must all be batched alike, got leading axes \(2,\), \(5,\)",
        ),
        (
            {"schedules": [jax.tree.map(lambda leaf: leaf[None], batch())]},
            ValueError,
            r"schedules\[0\] must have one batch axis, in front",
        ),
        ({"strategy": "pmap"}, ValueError, "strategy must be one of 'auto', 'vmap', 'map', got 'pmap'"),
        ({"group_size": 0}, ValueError, "group_size must be at least 1, got 0"),
        ({"group_size": 2.5}, TypeError, "group_size must be an integer"),
        ({"devices": []}, ValueError, "devices must hold at least one device"),
        ({"train_fn": lambda s: {"k": jax.random.key(0)}}, TypeError, "the result 'k' of train_fn is a random key"),
        (
            {
                "train_fn": lambda s: jnp.zeros(len(jax.tree.leaves(s))),
                "schedules": [jaxlr.constant(1.0), jaxlr.cosine(1.0, 5)],
            },
            ValueError,
            r"same shapes for every family of schedules, got \{result: float32\[2\]\} for the first and",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        sweep(**{"train_fn": descent, "schedules": batch(), **arguments})


def test_a_sweep_inside_jit_is_refused():
    with pytest.raises(TypeError, match=r"call it outside of jax\.jit"):
        jax.jit(lambda schedules: sweep(descent, schedules).results)(batch())


@pytest.mark.parametrize(
    ("key", "mode", "message"),
    [
        ("loss", "max", "key must be one of 'distance', 'path', got 'loss'"),
        (None, "max", "key must be one of 'distance', 'path', got None"),
        ("path", "min", rf"one number a member, got 'path' of shape \(5, {STEPS}\)"),
        ("distance", "lowest", "mode must be one of 'max', 'min', got 'lowest'"),
    ],
)
def test_a_best_that_cannot_be_is_refused(key, mode, message):
    with pytest.raises(ValueError, match=message):
        sweep(descent, batch()).best(key, mode)


def test_numbers_by_name_reach_into_every_composition():
    schedule = jaxlr.join([jaxlr.warmup(jaxlr.cosine(0.1, 50), 5), jaxlr.piecewise_constant([0.1, 0.2], [3])], [60])
    assert numbers_of(schedule * 0.5)["left.schedules[0].schedule.decay_steps"] == 50
    changed = with_number(schedule, "schedules[1].values[1]", 0.75)
    assert float(changed(63)) == 0.75
    assert float(with_number(schedule * 0.5, "decay_steps", 10)(15)) == 0.0
    assert full_name(schedule, "warmup_steps") == "schedules[0].warmup_steps"
    with pytest.raises(ValueError, match=r"several numbers 'value': left\.value, right\.value"):
        full_name(jaxlr.constant(1.0) + jaxlr.constant(2.0), "value")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.003 1e-2, 3", [0.003, 0.01, 3.0]),
        ("logspace(1e-4,1,5)", [1e-4, 1e-3, 1e-2, 0.1, 1.0]),
        ("logspace(1, 0.001, 7)", [1.0, 0.3162, 0.1, 0.03162, 0.01, 0.003162, 0.001]),
        ("linspace(0, 1, 3) 2ep 0.5ep", [0.0, 0.5, 1.0, 60, 15]),
    ],
)
def test_values_are_read_from_text(text, values):
    assert values_of(text, steps_per_epoch=30) == values


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("max_lr", "", "max_lr: give at least one value"),
        ("max_lr", "high", "'high' has no meaning"),
        ("max_lr", "nan", "'nan' has no meaning"),
        ("max_lr", "geomspace(1, 2, 3)", "has no meaning"),
        ("max_lr", "logspace(1, 2)", "needs start, stop and how many"),
        ("max_lr", "linspace(1, 2, 1)", "must have from 2 to 10000 numbers, got 1"),
        ("max_lr", "2ep", "needs to know the updates in an epoch"),
        ("max_lr", "0.00001", "base_lr must be at most max_lr"),
        ("step_size", "2.5", "step_size must be an integer, got 2.5"),
        ("step_size", "0", "step_size must be at least 1, got 0"),
        ("max_rl", "1", "has no number 'max_rl'; did you mean 'max_lr'"),
    ],
)
def test_bad_variations_are_named(name, text, message):
    with pytest.raises(ValueError, match=message):
        variations(jaxlr.triangular(0.001, 0.01, 20), [(name, text)])
