"""Lightning Bolts: its formula by hand, in float64."""

import numpy as np

from jaxlr.dialects import bolts


def test_a_line_and_then_half_a_cosine():
    rate = bolts.LinearWarmupCosineAnnealingLR(0.1, 5, 25, 0.01, 0.001)
    line = [0.01 + n * 0.09 / 4 for n in range(5)]
    fall = [0.001 + 0.099 * (1 + np.cos(np.pi * n / 20)) / 2 for n in range(21)]
    np.testing.assert_allclose([float(rate(n)) for n in range(26)], line + fall, rtol=1e-6, atol=1e-9)
