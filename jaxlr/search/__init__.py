"""Finding learning rates: the range test, constant rates compared, and what their curves suggest."""

from jaxlr.search.constants import constant_rate_test
from jaxlr.search.range_test import lr_range_test
from jaxlr.search.result import RangeTest
from jaxlr.search.suggestions import NoSuggestion
from jaxlr.search.sweeps import SweepResult, sweep

__all__ = ["NoSuggestion", "RangeTest", "SweepResult", "constant_rate_test", "lr_range_test", "sweep"]
