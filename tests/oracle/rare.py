"""Parameters of the tests over all schedules: those only under `jaxlr.schedules` wait for `pytest -m ci`."""

import pytest

import jaxlr
from jaxlr.schedules import FAMILIES

RARE = {name for name in FAMILIES if not hasattr(jaxlr, name)}


def marked(family):
    """The marks of a test of this family."""
    return pytest.mark.ci if family in RARE else ()


def names(families):
    """The names as parameters."""
    return [pytest.param(name, id=name, marks=marked(name)) for name in families]
