"""Pictures of descent show the points and the numbers that they were given."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlr.plotting.descent import plot_curves, plot_descent


def bowl(x):
    return jnp.sum(x**2)


def test_a_way_over_two_coordinates_is_drawn_with_its_ends_in_a_panel_of_its_own():
    path = np.array([[1.0, 0.5], [0.5, -0.25], [0.25, 0.125]])
    figure = plot_descent(bowl, {"a": path, "b": path[:2]}, ((-1.0, 1.0), (-2.0, 2.0)))
    first, second = figure.axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("a", "b")
    line, start, end = first.lines
    np.testing.assert_array_equal(line.get_xydata(), path)
    assert start.get_xydata().tolist() == [[1.0, 0.5]]
    assert end.get_xydata().tolist() == [[0.25, 0.125]]
    assert second.lines[0].get_xydata().tolist() == path[:2].tolist()
    assert first.get_ylim() == (-2.0, 2.0)
    assert first.collections, "no contours"


def test_a_way_over_one_coordinate_lies_on_the_curve():
    (axes,) = plot_descent(bowl, {"a": [[3.0], [-0.5]]}, ((-1.0, 1.0),)).axes
    curve, way, _, _ = axes.lines
    np.testing.assert_allclose(curve.get_ydata(), curve.get_xdata() ** 2, rtol=1e-6)
    assert way.get_xydata().tolist() == [[3.0, 9.0], [-0.5, 0.25]]
    assert axes.get_xlim() == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("paths", "bounds", "message"),
    [
        ({}, ((0.0, 1.0),), "paths must hold at least one path"),
        ({"a": [[1.0]]}, (), "bounds must have one or two pairs, got 0"),
        ({"a": [[1.0]]}, ((0.0, 1.0), (0.0, 1.0)), r"paths\['a'\] must have the shape \(n, 2\), got \(1, 1\)"),
    ],
)
def test_what_cannot_be_drawn_is_named(paths, bounds, message):
    with pytest.raises(ValueError, match=message):
        plot_descent(bowl, paths, bounds)


def test_a_run_has_one_look_in_all_panels_and_curves_are_those_given():
    figure = plot_curves(
        {"rate": {"a": [1.0, 0.5], "b": [0.5, 0.5]}, "loss": {"b": ([0, 4], [2.0, 0.0])}}, log=["loss"]
    )
    rate, loss = figure.axes
    assert rate.lines[1].get_ydata().tolist() == [0.5, 0.5]
    assert loss.lines[0].get_xdata().tolist() == [0, 4]
    assert np.isnan(loss.lines[0].get_ydata()).tolist() == [False, True]
    assert loss.lines[0].get_color() == rate.lines[1].get_color() != rate.lines[0].get_color()
    assert (rate.get_yscale(), loss.get_yscale()) == ("linear", "log")
    assert [text.get_text() for text in figure.legends[0].texts] == ["a", "b"]


@pytest.mark.parametrize(
    ("panels", "log", "message"),
    [
        ({}, [], "at least one curve"),
        ({"loss": {}}, [], "at least one curve"),
        ({"a": {"b": [1]}}, ["c"], "log must name"),
    ],
)
def test_curves_that_cannot_be_drawn_are_named(panels, log, message):
    with pytest.raises(ValueError, match=message):
        plot_curves(panels, log=log)
