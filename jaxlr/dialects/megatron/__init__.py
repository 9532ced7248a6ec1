"""Megatron-LM's `OptimizerParamScheduler` under its own name, its weight decay beside it, and its launch scripts.

Both functions return a schedule, update count (int, any shape) -> rate or weight decay (float32, same shape); an
argument of the wrong kind or out of range is a TypeError or ValueError that names it. Lengths are in the scheduler's
own steps. Megatron steps it by the global batch size, so its steps are samples: `jaxlr.per_example(schedule,
global_batch_size)` is driven by updates. Where everything is written in updates, one step is one update.

The count is that of the updates behind: the first has `init_lr`, the update after `lr_warmup_steps` the peak, the
update after `lr_decay_steps` the last rate, and every later one `min_lr`.

The source's defects, and what is done here instead: a weight decay that grows over 0 steps divides 0 by 0; here it is
at its end. A WSD without a style of its decay fails where the decay begins; here at once. A wrong style fails at the
end of the warm-up; here at once. Followed as it is: an inverse square root falls to `min_lr` at once after
`lr_decay_steps`, and a WSD whose decay begins inside the warm-up jumps down at the end of it.
"""

from jaxlr.dialects.megatron.configs import SIGNS as SIGNS
from jaxlr.dialects.megatron.configs import from_config
from jaxlr.dialects.megatron.schedules import OptimizerParamScheduler, weight_decay

__all__ = ["OptimizerParamScheduler", "from_config", "weight_decay"]
