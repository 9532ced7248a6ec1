"""fastai 2.8: its annealers, what combines them, and the schedules behind `fit_one_cycle` and its relatives.

An annealer goes from `start` to `end` over a run of any length. `SchedCos(1e-3, 1e-5)` is one, and a schedule once
`total_steps` is given, or by `.over(total_steps)`. As in fastai, update n of N stands at n / N, so that the end belongs
to the count N, which no run of N updates gets to.

Lengths are updates: `n_epoch` and its like are epochs of `steps_per_epoch` updates. The arguments of `fit` that are no
schedule (wd, cbs, reset_opt, start_epoch) are not taken.

The source's defects, and what is done here instead: `combine_scheds` adds the shares in float32, which may put a border
beside its update; here borders are decided on integers. It wants `sum(pcts) == 1.0` to the last bit, which
[0.7, 0.2, 0.1] is not; here a sum within 1e-6 of 1 will do. `fit_sgdr` with `cycle_mult=1` divides by 0; here its
cycles are all alike. `fit_flat_cos` ignores `start_epoch`.
"""

from jaxlr.dialects.fastai.annealers import (
    Annealer,
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    combine_scheds,
    combined_cos,
)
from jaxlr.dialects.fastai.fits import fit_flat_cos, fit_one_cycle, fit_one_cycle_momentum, fit_sgdr

__all__ = [
    "Annealer",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "combine_scheds",
    "combined_cos",
    "fit_flat_cos",
    "fit_one_cycle",
    "fit_one_cycle_momentum",
    "fit_sgdr",
]
