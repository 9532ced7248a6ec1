"""Pictures: they show the numbers they were given, write whole files or none, and leave Matplotlib's settings alone."""

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

import jaxlr
from jaxlr import plotting

RUN = [
    {"count": 0, "learning_rate": 0.1, "loss": 2.0, "accuracy": 0.1},
    {"count": 1, "learning_rate": 0.3, "loss": 1.0, "accuracy": 0.2},
    {"epoch": 1, "count": 2, "train_accuracy": 0.15, "validation_accuracy": 0.5, "validation_loss": 0.8},
    {"count": 2, "learning_rate": 0.2, "loss": 0.5, "accuracy": 0.6},
    {"count": 3, "learning_rate": 0.1, "loss": 0.1, "accuracy": 0.8},
    {"epoch": 2, "count": 4, "train_accuracy": 0.7, "validation_accuracy": 0.9, "validation_loss": 0.4},
]


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def test_schedules_are_drawn_to_the_last_count_in_different_colours():
    figure = plotting.plot_schedules([jaxlr.linear(1.0, 0.0, 10), jaxlr.constant(0.5)], 20)
    falling, flat = figure.axes[0].lines
    assert falling.get_xdata().tolist() == list(range(21))
    np.testing.assert_allclose(falling.get_ydata(), np.maximum(1.0 - np.arange(21) / 10, 0.0), atol=1e-7)
    assert set(flat.get_ydata()) == {0.5}
    assert falling.get_color() != flat.get_color()
    assert "constant(value=0.5)" in texts(figure)


def test_the_front_name_draws_schedules_over_the_longest_span():
    figure = jaxlr.plot(jaxlr.cosine(0.5, 50), jaxlr.linear(0.5, 0.1, 40))
    ends = [line.get_xydata()[-1].tolist() for line in figure.axes[0].lines]
    assert ends == [[50.0, 0.0], [50.0, pytest.approx(0.1)]]
    assert jaxlr.plot(jaxlr.cosine(0.5, 50), steps=20).axes[0].lines[0].get_xdata()[-1] == 20
    ends = [line.get_xydata()[-1].tolist() for line in jaxlr.plot([jaxlr.cosine(0.5, 50)], 60.0).axes[0].lines]
    assert ends == [[60.0, 0.0]]
    figure = jaxlr.plot({"a": jaxlr.cosine(0.5, 50), "b": jaxlr.constant(0.25)}, jaxlr.linear(0.5, 0.0, 40), 20)
    assert [line.get_label() for line in figure.axes[0].lines][:2] == ["a", "b"]
    assert [line.get_xydata()[-1].tolist() for line in figure.axes[0].lines][1:] == [[20.0, 0.25], [20.0, 0.25]]
    with pytest.raises(ValueError, match="must hold at least one schedule"):
        jaxlr.plot()
    with pytest.raises(TypeError, match=r"steps must be an integer number of updates, got 2\.5"):
        jaxlr.plot(jaxlr.cosine(0.5, 50), 2.5)
    with pytest.raises(TypeError, match=r"each of schedules must be a jaxlr schedule, got 0\.1; wrap a number"):
        jaxlr.plot(0.1)


def test_ten_schedules_differ_in_colour_or_line():
    figure = plotting.plot_schedules({str(n): jaxlr.constant(n) for n in range(10)}, 5)
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(looks) == 10


def test_many_labels_leave_the_curves_their_room():
    heights = []
    for count in (1, 8):
        figure = plotting.plot_schedules(
            {f"{n}: {'a label of its own ' * 6}": jaxlr.constant(n) for n in range(count)}, 5
        )
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
    assert heights[1] > 0.85 * heights[0]


def test_a_long_schedule_is_drawn_at_no_more_than_some_thousand_counts_with_both_ends():
    (line,) = plotting.plot_schedules([jaxlr.constant(0.5)], 10**9).axes[0].lines
    counts = line.get_xdata()
    assert counts[0] == 0
    assert counts[-1] == 10**9
    assert len(counts) <= 5000


def contrast(colour, paper):
    """The ratio of the luminances of two colours, as WCAG 2 defines it."""
    luminances = []
    for each in (colour, paper):
        parts = np.array([int(each[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        luminances.append(float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05)
    return max(luminances) / min(luminances)


def test_every_line_and_word_stands_out_from_the_page_light_and_dark():
    for colour in (*plotting.COLOURS, plotting.INK, plotting.PALE):
        assert contrast(colour, plotting.PAPER) >= 3
        assert contrast(plotting.DARK[colour], plotting.DARK[plotting.PAPER]) >= 3


def test_a_dark_picture_has_no_colour_of_the_light_page(tmp_path):
    figure = plotting.plot_schedules({str(n): jaxlr.constant(n) for n in range(7)}, 5)
    for dark in (False, True):
        plotting.save_figure(figure, tmp_path / f"{dark}.svg", dark=dark)
    light, dark = ((tmp_path / f"{dark}.svg").read_text().lower() for dark in (False, True))
    there = {colour for colour in plotting.DARK if colour.lower() in light}
    assert there == set(plotting.DARK)
    assert [colour for colour in there if f"#{colour[1:].lower()}" in dark] == []
    assert all(plotting.DARK[colour].lower() in dark for colour in there)
    with pytest.raises(ValueError, match=r"dark pictures are \.svg files, got '.*rates\.png'"):
        plotting.save_figure(figure, tmp_path / "rates.png", dark=True)


def test_epochs_on_the_axis():
    axes = plotting.plot_schedules([jaxlr.constant(0.5)], 100, steps_per_epoch=25).axes[0]
    assert axes.lines[0].get_xdata()[-1] == 4.0
    assert axes.get_xlabel() == "epochs of 25 updates"


def test_a_logarithmic_axis_leaves_zeros_out():
    axes = plotting.plot_schedules([jaxlr.linear(1.0, 0.0, 4)], 4, log=True).axes[0]
    assert axes.get_yscale() == "log"
    assert np.isnan(axes.lines[0].get_ydata()).tolist() == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([], 10), "schedules must hold at least one schedule, got none"),
        (([jaxlr.constant(1.0)], 0), "steps must be at least 1, got 0"),
    ],
    ids=["no schedule", "no steps"],
)
def test_wrong_arguments(arguments, said):
    with pytest.raises(ValueError, match=said):
        plotting.plot_schedules(*arguments)
    with pytest.raises(ValueError, match="steps_per_epoch must be at least 1, got 0"):
        plotting.plot_schedules([jaxlr.constant(1.0)], 10, steps_per_epoch=0)


def test_a_run_shows_its_rate_its_losses_and_its_accuracies():
    figure = plotting.plot_run(RUN, title="cosine(0.1, 4)", subtitle="digits", test_accuracy=0.85)
    rate, loss, accuracy = figure.axes
    assert rate.lines[0].get_ydata().tolist() == [0.1, 0.3, 0.2, 0.1]
    each, train, validation = (line.get_ydata().tolist() for line in loss.lines)
    assert each == [2.0, 1.0, 0.5, 0.1]
    assert train == pytest.approx([1.5, 0.3])  # the means of the epochs
    assert validation == [0.8, 0.4]
    train, validation, test = (line.get_ydata().tolist() for line in accuracy.lines)
    assert (train, validation, test) == ([0.15, 0.7], [0.5, 0.9], [0.85])
    assert accuracy.lines[0].get_xdata().tolist() == [2, 4]
    shown = texts(figure)
    assert {"cosine(0.1, 4)", "digits", "test 0.850", "train 0.700", "validation 0.900"} <= set(shown)
    assert "updates (2 an epoch)" in shown


@pytest.mark.parametrize("length", [0, 1, 3, 6])
def test_a_run_that_stopped_early_is_drawn_as_far_as_it_came(length, tmp_path):
    plotting.save_figure(plotting.plot_run(RUN[:length]), tmp_path / "report.png")
    assert imread(tmp_path / "report.png").std() > 0


def test_losses_that_are_not_finite_or_not_positive_leave_a_gap():
    records = [{"count": n, "learning_rate": 0.1, "loss": loss} for n, loss in enumerate([1.0, None, 0.0, 2.0])]
    losses = plotting.plot_run(records).axes[1].lines[0].get_ydata()
    assert np.isnan(losses).tolist() == [False, True, True, False]


def test_labels_at_the_ends_of_curves_do_not_overlap():
    records = [dict(RUN[2], train_accuracy=0.9, validation_accuracy=0.9001), dict(RUN[5], train_accuracy=0.95)]
    figure = plotting.plot_run(records, test_accuracy=0.9502)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[2].texts]
    assert len(boxes) == 3
    assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_pictures_are_written_in_the_format_of_their_name(ending, tmp_path):
    path = tmp_path / f"rates{ending}"
    plotting.save_figure(plotting.plot_schedules([jaxlr.constant(0.5)], 10), path)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "rates.png"
    path.write_bytes(b"old")
    figure = plotting.plot_schedules([jaxlr.constant(0.5)], 10)

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left on device"):
        plotting.save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_matplotlibs_settings_are_left_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    plotting.save_figure(plotting.plot_run(RUN), tmp_path / "report.png")
    assert dict(matplotlib.rcParams) == before


def test_one_schedule_is_drawn_alone():
    schedule = jaxlr.cosine(0.5, 100)
    for figure in (plotting.plot_schedules(schedule, 100), schedule.plot(), schedule.plot(100)):
        (line,) = figure.axes[0].lines
        assert (line.get_xdata()[-1], line.get_ydata()[0], line.get_ydata()[-1]) == (100, 0.5, 0.0)
    assert schedule.plot(50, steps_per_epoch=10).axes[0].lines[0].get_xdata()[-1] == 5
