"""big_vision's schedule; durations in updates, epochs, examples or shares of the run, as its configurations say them.

A count is the step: 0 at the first update, which has the rate 0 behind a warm-up. The fall and the cooldown end at
count total_steps, one past the last update of the run. The configurations are Python; of one, `config.schedule` is
what this takes: `create_learning_rate_schedule(total_steps, batch_size, data_size, base, **config.schedule)`.

The source's defects, and what is done here instead: a cooldown falls below 0 past total_steps, a rate that turns the
training round; here it stays at 0. A duration in epochs or examples is silently none where the batch or the data size
is missing; here it is an error, as is a keyword that no decay has. More boundaries than `mults` make NaN; refused. A
run of one update with a warm-up of one fails, dividing by 0; here it warms up. A `shift` below 0 raises the rate above
its base, and to infinity; refused.
"""

from jaxlr.dialects.big_vision.schedule import create_learning_rate_schedule

__all__ = ["create_learning_rate_schedule"]
