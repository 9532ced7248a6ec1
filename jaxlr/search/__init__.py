"""Finding learning rates: the range test, constant rates, what their curves suggest; sweeps and branches."""

from jaxlr.errors import NoSuggestion
from jaxlr.search.branching.run import BranchesResult, branches
from jaxlr.search.ranges.constant_rates import constant_rate_test
from jaxlr.search.ranges.exponential import lr_range_test
from jaxlr.search.ranges.result import RangeTest
from jaxlr.search.sweeps.run import SweepResult, sweep

__all__ = [
    "BranchesResult",
    "NoSuggestion",
    "RangeTest",
    "SweepResult",
    "branches",
    "constant_rate_test",
    "lr_range_test",
    "sweep",
]
