"""Every form of every schedule, such as the kinds of warm-up, before the compilers of test_hostile_compiler.py."""

import jax
import pytest
from cases import ROWS, dice_of
from draws import call_of
from test_hostile_compiler import check

pytestmark = pytest.mark.long


def forms(name):
    """The first seeds whose draws differ in more than numbers."""
    found = {}
    for seed in range(7, 47):
        call, _ = call_of(dice_of(name, seed), name)
        found.setdefault(jax.tree.structure(call.schedule()), seed)
    return found.values()


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in ROWS for seed in forms(name)])
def test_every_form_stays_exact_and_portable(name, seed):
    check(*call_of(dice_of(name, seed), name))


def test_all_words_are_drawn():
    words = {"warmup": 7, "cooldown": 5}  # kinds and shapes
    for name, many in words.items():
        calls = [call_of(dice_of(name, seed), name)[0].schedule() for seed in forms(name)]
        word = {"warmup": "kind", "cooldown": "shape"}[name]
        assert len({schedule.arguments[word] for schedule in calls}) == many
