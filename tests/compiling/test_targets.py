"""Programs for devices that are not there: the largest batch, the memory of a chip, and what is refused."""

import dataclasses
import math

import jax
import pytest

from jaxlr.compiling import CHIPS, TargetError, compile_for, describe, largest_batch, targets
from jaxlr.compiling.report import Memory, Report


def report(peak, available=1000):
    return Report("x", 1, 0.0, 0.0, {}, Memory(temporaries=peak), available)


@pytest.mark.parametrize(
    ("peak", "start", "multiple", "most", "found"),
    [
        (lambda b: 100 + 7 * b, 16, 1, 10**6, 128),  # 128.57
        (lambda b: 100 + 7 * b, 16, 8, 10**6, 128),
        (lambda b: 100 + 7 * b, 900, 4, 10**6, 128),
        (lambda b: 100 + 7 * b, 16, 1, 40, 40),  # all the images that there are
        (lambda b: 1001 + b, 16, 1, 10**6, 0),
        (lambda b: 0.001 * b**2, 16, 1, 10**6, 1000),
    ],
)
def test_the_largest_batch_is_found_in_few_compilations(peak, start, multiple, most, found):
    asked = []

    def compiled(batch):
        asked.append(batch)
        return report(math.ceil(peak(batch)))

    largest = largest_batch(compiled, start, multiple=multiple, most=most)
    assert found - found // 16 <= largest <= found
    assert largest % multiple == 0
    assert len(asked) == len(set(asked)) <= 8


def test_a_refusal_without_a_number_is_no_batch_that_fits():
    def compiled(batch):
        return report(7 * batch) if batch < 100 else dataclasses.replace(report(0), memory=None, refusal="too large")

    assert 80 <= largest_batch(compiled, 400) < 100


def test_a_compiler_that_jax_did_not_load_is_told_what_loads_it(monkeypatch):
    def not_loaded(**words):
        raise NotImplementedError("topology not implemented for cuda")

    monkeypatch.setattr(targets.importlib.util, "find_spec", lambda package: package)
    monkeypatch.setattr(targets.topologies, "get_topology_desc", not_loaded)
    with pytest.raises(TargetError, match=r"^h100: JAX has not loaded the compiler for GPUs.* JAX_PLATFORMS=cpu$"):
        describe("h100")


@pytest.mark.tpu
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v5e:3x5", 'the installed compiler does not know these devices: .*"v5e:3x5" is not divisible'),
        ("v5e:99x99x99", "the installed compiler does not know these devices"),
    ],
)
def test_a_topology_that_libtpu_does_not_know(name, said):
    pytest.importorskip("libtpu")
    with pytest.raises(TargetError, match=f"^{name}: {said}"):
        describe(name)


@pytest.mark.tpu
@pytest.mark.parametrize("name", [name for name, chip in CHIPS.items() if chip.platform == "tpu"])
def test_the_memory_of_a_tpu_is_what_its_compiler_says(name):
    pytest.importorskip("libtpu")
    huge = jax.ShapeDtypeStruct((300_000, 300_000), "float32")
    refused = compile_for(name, lambda state: jax.numpy.sin(state @ state) @ state, huge)
    assert not refused.fits
    assert f"exceeds available HBM ({describe(name).memory / 2**30:.2f}G)" in refused.refusal
