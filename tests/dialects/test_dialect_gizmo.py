"""gizmo's scheduler by the line that its documentation gives."""

import numpy as np
import pytest

from jaxlr.dialects import gizmo

# When it starts and ends, and the test that says so: `tests/programs/conventions.py` writes a table of these.
CONVENTIONS = [("SlopeDown", "updates", "0", "`ticks`", "held", "test_is_the_documented_line")]


def test_is_the_documented_line():
    rates = gizmo.SlopeDown(1.0, 4, 0.5)(np.arange(6))
    np.testing.assert_array_equal(rates, [1.0, 0.875, 0.75, 0.625, 0.5, 0.5])


def test_what_is_refused_is_named():
    with pytest.raises(ValueError, match="ticks must be at least 1, got 0"):
        gizmo.SlopeDown(1.0, 0)
