"""nanochat's three schedules under their own names, and nanoGPT's cosine.

Every function returns a schedule, update count (int, any shape) -> rate, multiplier, momentum or weight decay (float32,
same shape); an argument of the wrong kind or out of range is a TypeError or ValueError that names it. nanochat sets
every rate to its first value times `get_lr_multiplier`: give the product to each group of `jaxlr.ParameterGroups`.

The count is that of the updates behind: the first of W updates of the warm-up has the W-th part (nanoGPT: the W +
1-th), and the last update of a run of T, T - 1, is one before the last rate.

The source's defects, and what is done here instead: past the end of a run nanochat's rate and momentum go on along
their lines, below the last rate and below 0, and its weight decay rises again; here they hold. nanoGPT's warm-up of all
of the run divides 0 by 0 at its end; here the last rate comes at once. Followed as they are: a momentum whose warm-up
of 400 updates reaches into the warm-down, which jumps down after it (one of a shorter run only rises), and the same of
the rate.
"""

from jaxlr.dialects.nanochat.schedules import get_lr, get_lr_multiplier, get_muon_momentum, get_weight_decay

__all__ = ["get_lr", "get_lr_multiplier", "get_muon_momentum", "get_weight_decay"]
