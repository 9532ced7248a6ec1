"""fastai's rates, by hand: half of the way down is half of both ends."""

import numpy as np

from jaxlr.dialects import fastai


def test_flat_and_then_half_a_cosine():
    rate = fastai.SchedFlatCos(0.4, 100, pct_start=0.6, div_final=4.0)
    np.testing.assert_allclose(rate(np.array([0, 59, 60, 80, 100, 1000])), [0.4, 0.4, 0.4, 0.25, 0.1, 0.1], rtol=1e-6)
