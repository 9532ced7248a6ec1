"""levanter's schedules from the words of its optimizer configuration, and its YAML files.

A count is the step: 0 at the first update, which has the rate 0 behind a warm-up. A fall ends at count
num_train_steps, one past the last update. `warmup`, `decay`, `rewarmup`, `cooldown` and `cycle_length` are shares up to
1 and updates above it: 1 is all of them, not one.

The source's defects, and what is done here instead: where warm-up and decay are longer than their cycle the decay cuts
the warm-up off in the middle; here that is an error. "inv" divides by `min_lr_ratio`, so 0 fails; here it is refused
with that word. `cycles` lets a `haps` beside it be ignored; refused. A `cycle_length` that does not divide the run
makes its last cycle longer, not shorter as the warning there says: kept. A decay of no updates fails for the cosine
and is at its end at once for "inv"; here the rate stays.
"""

from jaxlr.dialects.levanter.configs import SIGNS as SIGNS
from jaxlr.dialects.levanter.configs import from_config
from jaxlr.dialects.levanter.schedule import lr_scheduler

__all__ = ["from_config", "lr_scheduler"]
