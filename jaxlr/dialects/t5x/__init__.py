"""The factor strings of t5x and of scenic, such as "constant * linear_warmup * rsqrt_decay": read, never evaluated.

`create_learning_rate_scheduler` is t5x's, `compound_lr_scheduler` scenic's, with the keys of its `lr_configs` as
arguments. Both have factors with the same names and other meanings. A count is the step: 0 at the first update, which
has the rate 0 behind a warm-up, in t5x `min_learning_rate`. A gin file is not read; its arguments are these.

The sources' defects, and what is done here instead: in t5x warmup_steps=0 divides 0 by 0 at the first update
("linear_warmup", "linear_decay", "rsqrt_decay") or makes every rate 0 ("rsqrt_normalized_decay"); here there is no
warm-up then, and the root counts from 1. "linear_decay" falls below 0, so that twice it rises again; here it stays at
0. In scenic "linear_cooldown" falls below 0 after the end; here it stays at 0. A `t_mul` below 1 is NaN there from
some count on; here it is refused. "linear_warmup" with a `warmup_alpha` above 1 falls, through 0; refused. With
`t_mul` above 1 the cycle comes from a float logarithm, which loses some restarts; here each has its peak. Events of
"piecewise_linear" at 0 or at one count jump one update late; refused.
"""

from jaxlr.dialects.t5x.scenic import compound_lr_scheduler
from jaxlr.dialects.t5x.schedule import create_learning_rate_scheduler

__all__ = ["compound_lr_scheduler", "create_learning_rate_scheduler"]
