"""What XLA makes one function of stays below the size from which it computes the same values again and again."""

import jax
import jax.numpy as jnp
import pytest
from test_schedules import ONE_EACH

import jaxlr

LARGEST = 2500  # operations; from some 3,000 on XLA on CPU may cut a fusion up so that a call takes seconds
HEAVY = ("k_decay", "time_based", "cosine_restarts", "join")
pytestmark = pytest.mark.skipif(jax.default_backend() != "cpu", reason="reads what XLA makes for a CPU")


def compiled(schedule, call=lambda schedule, counts: schedule(counts)):
    return jax.jit(call).lower(schedule, jnp.arange(200)).compile().as_text()


def sizes_of_fusions(text):
    """The operations of every function that stands for a fusion, by its name."""
    sizes, name = {}, None
    for line in text.splitlines():
        if line.startswith("%") and line.endswith("{"):
            name = line.split()[0]
        elif line.startswith("}"):
            name = None
        elif name and "fused" in name:
            sizes[name] = sizes.get(name, 0) + 1
    return sizes


@pytest.mark.parametrize(
    "schedule",
    [pytest.param(s, id=n, marks=pytest.mark.ci if n in HEAVY else pytest.mark.long) for n, s in ONE_EACH.items()],
)
def test_no_fusion_of_a_schedule_is_cut_up(schedule):
    assert max(sizes_of_fusions(compiled(schedule)).values(), default=0) < LARGEST


def test_light_parts_stand_together():
    """A condition around each would double the time of a call."""
    text = compiled(jaxlr.warmup(jaxlr.cosine(0.1, 900), 100))
    assert " conditional(" not in text
    assert 300 < max(sizes_of_fusions(text).values()) < LARGEST


@pytest.mark.ci
def test_heavy_parts_stay_out_of_each_others_fusions():
    parts = [jaxlr.schedules.k_decay(0.1, 19, power=1.7, shape=shape) for shape in ("cosine", "linear")]
    schedule = jaxlr.join(parts, [74])
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), schedule)
    mapped = compiled(batch, jax.vmap(lambda schedule, counts: schedule(counts), in_axes=(0, None)))
    for text in (compiled(schedule), mapped):
        assert text.count(" conditional(") == 2
        assert max(sizes_of_fusions(text).values()) < LARGEST
