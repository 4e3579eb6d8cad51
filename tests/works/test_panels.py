"""Curves behind rows: kept as numbers, drawn from these alone, on the page of works."""

import json

import numpy as np
import pytest

from neuronal.pictures import style
from neuronal.works import Row
from neuronal.works.page import render
from neuronal.works.panels import DASHED, LINE, POINTS, Panel, curve, drawn, power_law

WIDTHS = (50, 100, 200)


def falling(noise=0.0):
    rng = np.random.default_rng(0)
    at = np.asarray(WIDTHS, float)
    return 3 * at[:, None] ** -0.5 * np.exp(noise * rng.normal(size=(3, 8)))


def panel():
    return power_law(
        "Title", "width $n$", "distance", WIDTHS, {"a": falling(), "b": 2 * falling()}, -0.5
    )


def test_a_power_law_lies_on_points_that_fall_so():
    a, beside_a, b, beside_b = panel().curves
    assert (a.look, beside_a.look, b.name) == (POINTS, DASHED, "b")
    np.testing.assert_allclose(a.y, beside_a.y, rtol=1e-4)
    np.testing.assert_allclose(np.array(b.y) / a.y, 2, rtol=1e-4)
    assert beside_a.name == "power -0.5" and beside_b.name == ""


def test_a_steeper_fall_is_not_hidden_by_the_line():
    steep = np.asarray(WIDTHS, float)[:, None] ** -1.0
    points, line = power_law("", "", "", WIDTHS, {"": steep}, -0.5).curves
    assert points.y[0] / line.y[0] > 1.3 and points.y[-1] / line.y[-1] < 0.8


def test_panels_go_through_json_to_five_digits():
    made = Panel("t", "x", "y", (curve("c", [1, 2], [np.pi, 1e-9], LINE),), "y")
    again = Panel.from_dict(json.loads(json.dumps(made.as_dict())))
    assert again == made and again.curves[0].y == (3.1416, 1e-9)


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3))]
)
def test_every_panel_has_its_axes_with_its_points(count, shape):
    for theme in (style.LIGHT, style.DARK):
        with style.using(theme):
            figure = drawn([panel()] * count, theme)
        shown = [axis for axis in figure.axes if axis.get_visible()]
        assert len(shown) == count and len(figure.axes) == shape[0] * shape[1]
        for axis in shown:
            assert axis.get_title("left") == "Title" and axis.get_xlabel() == "width $n$"
            assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
            found = [tuple(line.get_ydata()) for line in axis.get_lines()]
            assert found == [of.y for of in panel().curves]
            # A dashed line has the colour of the points that it stands beside.
            one, beside, other, _ = (line.get_color() for line in axis.get_lines())
            assert one == beside == theme.series[0] and other == theme.series[1]


def test_the_page_shows_the_panels_of_a_work():
    of = lambda **more: Row("c", "here", 1.0, 1.0, 0.1, "by hand", **more)
    text = render({"AOY19": [of(panel=panel()), of()], "SS18": [of()]}, fast=True)
    assert text.count("<figure ") == 1 and "AOY19: Title." in text
    assert "panel" not in of().as_dict() and of(panel=panel()).as_dict()["panel"]["logs"] == "xy"
