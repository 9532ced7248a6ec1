"""Compiling for TPUs and GPUs on a machine that has none: does it compile, how large, how many kernels, does it fit.

The compilers of TPU and CUDA run without the device; only running the program needs it. So what a reservation will say
on its first morning is known the evening before:

    from jaxlr.compiling import compile_for

    print(compile_for("v5e:2x4", step, state, batch))       # step(state, batch) -> state, or (state, ...)

Arrays may be shapes (`jax.ShapeDtypeStruct`), so nothing of the network's size needs to lie in memory. Devices are
named by `jaxlr.compiling.describe`. What `jaxlr train` would run is compiled by `jaxlr train --compile-for`.
"""

from jaxlr.compiling.batches import largest_batch
from jaxlr.compiling.compilation import compile_for
from jaxlr.compiling.program import Program, read_program
from jaxlr.compiling.report import Report
from jaxlr.compiling.targets import CHIPS, Target, describe
from jaxlr.errors import TargetError

__all__ = [
    "CHIPS",
    "Program",
    "Report",
    "Target",
    "TargetError",
    "compile_for",
    "describe",
    "largest_batch",
    "read_program",
]
