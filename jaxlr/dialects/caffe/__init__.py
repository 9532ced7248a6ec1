"""Caffe 1's learning rates, from the fields of a solver's text: `lr_policy` and what it needs.

Counts are iterations; the first has `base_lr` (but for "sigmoid"), and "poly" has 0 at `max_iter`.

The source's defects, and what is done here instead: "poly" past `max_iter` takes a power of a number below 0; here it
stays at 0. A field that a policy does not read is ignored; here it is an error, but for `max_iter`, which every solver
has.
"""

from jaxlr.dialects.caffe.policies import learning_rate

__all__ = ["learning_rate"]
