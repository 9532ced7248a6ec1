"""Floats beyond float32; knows no schedule.

Why: a rate must be the nearest float32 for every count up to 2**31 - 1, on devices without float64 whose `log` may be
off by thousands of units in the last place, under compilers that contract and reorder. `init * (1 - n / steps)` in
plain float32 loses all bits near its end.

How: `wide.Wide` is an unevaluated sum of two float32, about 46 bits, built on products that are exact however they are
rounded; `elementary` has exp, log, the root and the sine on it; `triple.Triple`, three float32, is for the one place
where a difference of large numbers keeps its last bits; `fusion` keeps XLA from computing such formulas twice.

What it costs: operations, hence compilation. `optax.cosine_decay_schedule` traces to 11 equations, `jaxlr.linear` to
191, `jaxlr.cosine` to 659, `jaxlr.cosine_restarts` to 3,597 (jax 0.10.2); a jitted call takes a few microseconds in
either, see benchmarks/results/schedules_cpu.md.
"""
