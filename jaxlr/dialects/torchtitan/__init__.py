"""torchtitan's learning rate under the name of its class, `lr` in place of `optimizers`, and its TOML files.

A schedule is update count (int, any shape) -> rate (float32, same shape); an argument of the wrong kind or out of range
is a TypeError or ValueError that names it. The count is that of the updates behind: the first of W updates of the
warm-up has the W-th part of the peak, the last has the peak, and the last update of the run, `total_steps - 1`, is one
before the rate would be the lowest.

The source's defects, and what is done here instead: past its end the rate goes on along its line, below the lowest and
below 0, its cosine up again; here it holds the lowest. Without a decay it fails past the end; here it holds the peak.
Followed as it is: a warm-up longer than the run is cut to it, and a decay to what the warm-up leaves.
"""

from jaxlr.dialects.torchtitan.configs import SIGNS as SIGNS
from jaxlr.dialects.torchtitan.configs import from_config
from jaxlr.dialects.torchtitan.schedules import LRSchedulersContainer

__all__ = ["LRSchedulersContainer", "from_config"]
