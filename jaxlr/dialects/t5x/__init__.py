"""The factor strings of t5x and of scenic, such as "constant * linear_warmup * rsqrt_decay": read, never evaluated.

`create_learning_rate_scheduler` is t5x's, `compound_lr_scheduler` scenic's, with the keys of its `lr_configs` as
arguments. Both have factors with the same names and other meanings. A count is the step: 0 at the first update, which
has the rate 0 behind a warm-up, in t5x `min_learning_rate`. A gin file is not read; its arguments are these.

The sources' defects, and what is done here instead: in t5x warmup_steps=0 divides by 0 at the first update, which is
NaN or infinite ("linear_warmup", "linear_decay", "rsqrt_decay", "rsqrt_normalized_decay", which is 0 from there on);
here there is no warm-up then, and the roots count from 1. "linear_decay" falls below 0, so that twice it rises again;
here it stays at 0. In scenic "linear_cooldown" falls below 0 after the end; here it stays at 0. A `t_mul` below 1 is
NaN there from some count on; here it is refused. "linear_warmup" with a `warmup_alpha` above 1 falls, through 0;
refused. With `t_mul` above 1 the cycle comes from a float logarithm, so that a restart may have the height of the cycle
before (t_mul=3 in float64: the 5th); here each has its own. "piecewise_linear" jumps one update late where two events
are at one count, or one is at 0; refused.
"""

from jaxlr.dialects.t5x.scenic import compound_lr_scheduler
from jaxlr.dialects.t5x.schedule import create_learning_rate_scheduler

__all__ = ["compound_lr_scheduler", "create_learning_rate_scheduler"]
