"""The short form of the attacks: some inputs of each table, and one interrupted run."""

import attack
import pytest


@pytest.mark.ci
def test_hostile_inputs_are_one_line_and_touch_nothing():
    assert attack.run_tables(every=97) == []


@pytest.mark.ci
def test_an_interrupted_run_goes_on_to_the_same_bits():
    assert attack.run_interrupted(2) == []


def test_there_are_enough_of_them():
    made = attack.attacks()
    assert len(made) >= 1500
    assert {each.table for each in made} == {
        "options",
        "schedules",
        "positions",
        "records",
        "checkpoints",
        "data",
        "configs",
        "summaries",
    }
