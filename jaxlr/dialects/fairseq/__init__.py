"""fairseq 0.12's schedules of `--lr-scheduler`: tri_stage, polynomial_decay and inverse_sqrt.

The rate stands first, where fairseq has a list of one; then the options by their names and in their order there.
Lengths are updates; count 0 is fairseq's `step_update(0)`, which its trainer calls before the first update. An argument
of the wrong kind or out of range is a TypeError or ValueError that names it.

The source's defects, and what is done here instead: `tri_stage` divides by 0 without a decay, and cuts the products of
`phase_ratio` off below, so that a run may lose updates; the first is an error here, the second is as there. It wants
`sum(phase_ratio) == 1` to the last bit; here a sum within 1e-6 of 1 will do. `inverse_sqrt` divides by 0 without a
warm-up; here that is an error. `polynomial_decay` with a warm-up longer than `total_num_update` falls back to the last
rate after it; here that is an error. A `force_anneal` waits for an epoch, and is refused.
"""

from jaxlr.dialects.fairseq.schedules import inverse_sqrt, polynomial_decay, tri_stage

__all__ = ["inverse_sqrt", "polynomial_decay", "tri_stage"]
