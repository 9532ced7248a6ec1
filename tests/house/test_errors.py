"""Every error of jaxlr is caught as the built-in one, is one line, and comes whole out of another process."""

import pickle

import pytest

from jaxlr import errors

RAISED = [
    errors.DataError("digits: a\nfile is missing"),
    errors.NoSuggestion("the loss never falls"),
    errors.CheckpointError("runs/digits-1: holds\nno checkpoint"),
    errors.TrainingDiverged(count=120, learning_rate=8.0, loss=float("inf")),
    errors.TargetError("v5x:2x4: unknown\nchip"),
    errors.Stopped("stopped at count 20"),
]


def test_all_of_them_are_here():
    assert {type(error).__name__ for error in RAISED} == set(errors.__all__)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_an_error_is_one_line_and_pickles(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert "\n" not in str(error)
    assert vars(copy) == vars(error)
