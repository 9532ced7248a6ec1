"""A program that takes a schedule goes through `jax.export`, and is found again by another process."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from jax import export

import jaxlr

SCHEDULE = jaxlr.warmup(
    jaxlr.join([jaxlr.cosine(0.1, 100), jaxlr.exponential(0.1, 0.9, staircase=True)], [50]), 10
).shift(-2) * jaxlr.constant(0.5)
AGAIN = """
import sys, jax, jaxlr.schedules
from jax import export
program = export.deserialize(open(sys.argv[1], "rb").read())
schedule = jaxlr.schedules.parse(sys.argv[2])
print([bool(program.call(schedule, jax.numpy.int32(n)) == schedule(n)) for n in (0, 7, 60, 90)])
print(program.call(schedule.replace(right=jaxlr.constant(2.0)), jax.numpy.int32(60)) == 4 * schedule(60))
"""


def written(schedule):
    pytest.importorskip("flatbuffers")
    return export.export(jax.jit(lambda schedule, n: schedule(n)))(schedule, jnp.int32(0)).serialize()


def test_another_process_calls_it_with_its_own_numbers(tmp_path):
    file = tmp_path / "program"
    file.write_bytes(written(SCHEDULE))
    command = [sys.executable, "-c", AGAIN, str(file), repr(SCHEDULE)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "[True, True, True, True]\nTrue\n"


def test_every_kind_of_leaf_is_registered():
    for schedule in (jaxlr.constant(0.1).shift(3), jaxlr.multi_step(0.1, [1, 2], [0.5, 0.1])):
        again = export.deserialize(written(schedule))
        assert again.call(schedule, jnp.int32(1)) == schedule(1)


def test_a_function_is_refused_with_the_way():
    with pytest.raises(TypeError, match=r"fn must be no function for a schedule to be exported, got .*; call the"):
        written(jaxlr.custom(lambda n: 0.5 * n))
