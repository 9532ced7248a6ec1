"""The promises of every link of a chain, from one table: a public link without a row in links.py fails."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from links import LINKS, falling

import jaxlr
from jaxlr import transforms
from jaxlr.transforms.waiting import CORRECTED, RECORDS

ROWS = pytest.mark.parametrize("case", LINKS.values(), ids=LINKS)
DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.complex64], ids=lambda each: each.__name__)


def params_of(dtype):
    return {"w": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3).astype(dtype), "b": jnp.ones(3, dtype)}


def gradients_of(dtype, count):
    noise = np.random.default_rng(count)
    parts = {"w": noise.normal(size=(2, 3)), "b": noise.normal(size=3)}
    if dtype == jnp.complex64:
        parts = {name: part * (1.0 + 0.5j) for name, part in parts.items()}
    return {name: jnp.asarray(part, dtype) for name, part in parts.items()}


def run(link, dtype=jnp.float32, steps=4, update=None):
    """The updates and states of a few steps."""
    params = params_of(dtype)
    state, outputs = link.init(params), []
    for count in range(steps):
        updates, state = (update or link.update)(gradients_of(dtype, count), state, params)
        outputs.append((updates, state))
    return outputs


def shapes(tree):
    return [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(tree)]


def same(one, other):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))


def test_every_public_link_has_a_row():
    links = {name for name in transforms.__all__ if name.startswith(("scale_by_", "add_", "clip_by_"))}
    missing = links - LINKS.keys()
    assert not missing, f"add a row to tests/links.py for {', '.join(sorted(missing))}"
    assert {name.removesuffix("_with_b2") for name in LINKS} <= links


@ROWS
@DTYPES
def test_updates_and_states_keep_dtypes_and_shapes(case, dtype):
    if case.real and dtype == jnp.complex64:
        pytest.skip("for real parameters")
    link = case()
    start = link.init(params_of(dtype))
    for updates, state in run(link, dtype):
        assert shapes(updates) == shapes(params_of(dtype))
        assert shapes(state) == shapes(start)
        assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(updates))
    assert not any(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(start)), "moments are float32"


@ROWS
def test_jit_changes_at_most_the_last_bits(case):
    link = case()
    for (one, _), (other, _) in zip(run(link), run(link, update=jax.jit(link.update)), strict=True):
        for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(left, right, rtol=3e-6)


@ROWS
def test_its_numbers_are_data(case):
    traces = []

    @jax.jit
    def updates(numbers, state, gradients):
        traces.append(None)
        return case(**numbers).update(gradients, state, params_of(jnp.float32))

    state = case(**case.numbers).init(params_of(jnp.float32))
    known = case(**case.numbers).update(gradients_of(jnp.float32, 0), state, params_of(jnp.float32))[0]
    traced = updates(dict(case.numbers), state, gradients_of(jnp.float32, 0))[0]
    updates({name: 0.9 * value for name, value in case.numbers.items()}, state, gradients_of(jnp.float32, 0))
    assert len(traces) == 1
    for left, right in zip(jax.tree.leaves(known), jax.tree.leaves(traced), strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-5)


@ROWS
def test_it_counts_and_stops_at_the_largest_count(case):
    if case.stateless:
        pytest.skip("it has no count")
    outputs = run(case())
    assert [int(state.count) for _, state in outputs] == [1, 2, 3, 4]
    late = outputs[-1][1]._replace(count=jnp.int32(2**31 - 1))
    updates, state = case().update(gradients_of(jnp.float32, 9), late, params_of(jnp.float32))
    assert int(state.count) == 2**31 - 1
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(updates))


@ROWS
def test_a_count_that_corrects_its_moments_is_told(case):
    """`link_state(corrected=True)`: else a parameter that joins later takes steps of another size."""
    if case.stateless:
        pytest.skip("it has no count")
    link, params, gradients = case(), params_of(jnp.float32), gradients_of(jnp.float32, 0)
    start = link.init(params)
    first, later = (link.update(gradients, start._replace(count=jnp.int32(n)), params)[0] for n in (0, 3))
    matters = any(bool(jnp.any(one != other)) for one, other in zip(first.values(), later.values(), strict=True))
    assert not matters or type(start) in CORRECTED


@ROWS
def test_in_groups_it_takes_each_ones_rate(case):
    if case.make is LINKS["scale_by_learning_rate"].make:
        pytest.skip("a second rate would be each group's too")
    chain, params = optax.chain(case(), jaxlr.scale_by_learning_rate(0.1)), params_of(jnp.float32)
    grouped = jaxlr.ParameterGroups({"b": 0.5, "w": 1.0}).wrap(chain)
    states, scales = [chain.init(params), grouped.init(params)], {"w": 1.0, "b": 0.5}
    for count in range(3):
        gradients = gradients_of(jnp.float32, count)
        plain, states[0] = chain.update(gradients, states[0], params)
        ours, states[1] = grouped.update(gradients, states[1], params)
        for name, scale in scales.items():
            np.testing.assert_allclose(ours[name], scale * plain[name], rtol=1e-6)
    assert sorted(map(float, jaxlr.learning_rates(states[1]).values())) == pytest.approx([0.05, 0.1])
    assert jaxlr.current_hyperparameters(states[1]) == jaxlr.current_hyperparameters(states[0])


@ROWS
def test_what_it_records_is_found_by_name(case):
    link = case(**case.scheduled)
    recorded = RECORDS.get(type(link.init(params_of(jnp.float32))), ())
    assert set(case.records) == set(recorded), "say in its row what it records"
    if not case.records:
        pytest.skip("it records nothing")
    chain = optax.chain(link, jaxlr.scale_by_learning_rate(0.1))
    assert set(jaxlr.current_hyperparameters(chain.init(params_of(jnp.float32)))) == set(case.records)
    for count, (_, state) in enumerate(run(chain)):
        for name in case.records:
            assert float(jaxlr.current_hyperparameters(state)[name]) == pytest.approx(falling(count))


@ROWS
def test_it_stands_still_until_an_update_is_due(case):
    link = case()
    twice = jaxlr.accumulate(link, 2)
    state = twice.init(params_of(jnp.float32))
    _, half = twice.update(gradients_of(jnp.float32, 0), state, params_of(jnp.float32))
    same(half.inner_state, state.inner_state)
    updates, whole = twice.update(gradients_of(jnp.float32, 0), half, params_of(jnp.float32))
    once = link.update(gradients_of(jnp.float32, 0), link.init(params_of(jnp.float32)), params_of(jnp.float32))
    same((updates, whole.inner_state), once)


@ROWS
def test_its_state_goes_through_a_dictionary_and_back(case):
    chain = optax.chain(case(), jaxlr.scale_by_learning_rate(0.1))
    state = run(chain)[-1][1]
    name = next(name for name, row in LINKS.items() if row is case)
    saved = jaxlr.state_dict(state)
    assert case.stateless or any(key.startswith(f"{name}/count") for key in saved)
    restored, _ = jaxlr.load_state_dict(chain.init(params_of(jnp.float32)), saved)
    same(restored, state)


@ROWS
def test_it_takes_missing_leaves(case):
    params, gradients = {"w": jnp.ones(2), "frozen": None}, {"w": jnp.full(2, 0.5), "frozen": None}
    link = case()
    updates, _ = link.update(gradients, link.init(params), params)
    assert updates["frozen"] is None


@ROWS
def test_its_scalars_lie_where_the_parameters_do(case):
    # A jitted step returns them there; were they elsewhere before the first step, the second would compile again.
    params = jax.device_put(params_of(jnp.float32), jax.devices()[0])
    link = case()
    leaves = jax.tree.leaves(link.init(params))
    assert all(leaf.committed for leaf in leaves if leaf.ndim == 0)
    step = jax.jit(link.update)
    state = link.init(params)
    for count in range(3):
        _, state = step(jax.device_put(gradients_of(jnp.float32, count), jax.devices()[0]), state, params)
    assert step._cache_size() == 1


@ROWS
def test_a_program_that_takes_its_state_is_exported(case):
    if case.stateless:
        pytest.skip("its state is of Optax")
    link, params = case.make(), params_of(jnp.float32)
    state = link.init(params)
    program = jax.export.export(jax.jit(link.update))(params, state, params)
    _, after = jax.export.deserialize(program.serialize()).call(params, state, params)
    assert after.count == 1


@pytest.mark.parametrize("rule", [jaxlr.reduce_on_plateau, jaxlr.kl_adaptive, jaxlr.greedy])
def test_a_program_that_takes_the_state_of_a_rule_is_exported(rule):
    link = jaxlr.scale_by_learning_rate(rule(0.1))
    state = link.init(jnp.ones(1))
    program = jax.export.export(jax.jit(link.update))(jnp.ones(1), state)
    _, after = jax.export.deserialize(program.serialize()).call(jnp.ones(1), state)
    assert after.count == 1
