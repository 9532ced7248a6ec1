"""MaxText's schedule from its configuration's keys, and its YAML files.

A count is MaxText's step: 0 at the first update, which has the rate 0 behind a warm-up. The fall ends at the last
update of the schedule, count learning_rate_schedule_steps - 1; the updates after that, up to `steps`, have the rate 0.

The source's defects, and what is done here instead: a schedule as long as the run has no rate of its own past its end,
where a cosine rises again; here it holds its last rate. One whose phases are all empty fails with an IndexError; here
its length must be at least 1. A straight fall of one update stays at the peak, where a cosine of one update is at its
end: kept.
"""

from jaxlr.dialects.maxtext.configs import SIGNS as SIGNS
from jaxlr.dialects.maxtext.configs import from_config
from jaxlr.dialects.maxtext.schedule import create_learning_rate_schedule

__all__ = ["create_learning_rate_schedule", "from_config"]
