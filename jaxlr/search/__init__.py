"""Finding learning rates: the range test, constant rates compared, and what their curves suggest."""

from jaxlr.errors import NoSuggestion
from jaxlr.search.ranges.constant_rates import constant_rate_test
from jaxlr.search.ranges.exponential import lr_range_test
from jaxlr.search.ranges.result import RangeTest
from jaxlr.search.sweeps.run import SweepResult, sweep

__all__ = ["NoSuggestion", "RangeTest", "SweepResult", "constant_rate_test", "lr_range_test", "sweep"]
