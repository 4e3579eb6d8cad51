"""Plots draw the numbers of the things; the look is one; tables of notebooks escape what they show."""

import html.parser

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot

import neuronal as nr
from neuronal.pictures import drawings, sizes, style
from neuronal.pictures.style import DARK, LIGHT, settings
from neuronal.theory.certificate.rows import Row
from neuronal.theory.fluctuations import Fluctuations

X = np.linspace(-1, 1, 9)[:, None]
PROBLEM = nr.Problem(nr.distributions.Empirical(X, np.sin(3 * X)), nr.losses.PseudoHuber())
EMBEDDING = nr.embeddings.Bidirectional(1, 3, rank=3, gain=1.0)


@pytest.fixture(autouse=True)
def agg():
    mpl.use("agg")
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def run():
    return nr.solve(PROBLEM, EMBEDDING, 1.0, nodes=8, save_at=4)


def line(ax, label):
    found = [drawn for drawn in ax.lines if drawn.get_label() == label]
    assert len(found) == 1
    return found[0].get_xydata().T


def test_a_run_is_drawn_as_it_is(run):
    ax = run.plot(label="limit")
    t, risk = line(ax, "limit")
    np.testing.assert_array_equal(t, run.times)
    np.testing.assert_array_equal(risk, run.loss)
    assert ax.get_yscale() == "log" and run.plot(ax=ax) is ax and len(ax.lines) == 2
    x, y = line(run.plot("prediction", label="a"), "a")
    np.testing.assert_array_equal(x, np.float32(X[:, 0]))
    np.testing.assert_array_equal(y, run.network(X)[:, 0])
    at = np.array([[0.5], [-0.5]])
    x, y = line(run.plot("prediction", x=at, label="a"), "a")
    np.testing.assert_array_equal(x, [-0.5, 0.5])
    np.testing.assert_array_equal(y, run.network(at)[::-1, 0])
    for message, call in (
        ("what", lambda: run.plot("weights")),
        ("coordinate", lambda: run.plot("prediction", coordinate=1)),
    ):
        with pytest.raises(nr.InvalidInput, match=message):
            call()


def test_the_median_of_a_law_is_drawn(run):
    for i in (1, 2, 3):
        t, middle = line(run.plot(f"w_{i}"), f"$w_{{{i}}}$")
        np.testing.assert_array_equal(t, run.times)
        for time, value in zip(t, middle, strict=True):
            w = np.asarray(run.at(time).matrices[i - 1]).ravel()
            assert np.quantile(w, 0.45) <= value <= np.quantile(w, 0.55)


def test_a_law_weighs_its_neurons():
    values = np.array([[0.0, 1.0, 10.0]])
    _, middle = line(
        drawings.laws(drawings.on(None), np.zeros(1), values, np.array([0.1, 0.1, 0.8]), name="a"),
        "a",
    )
    assert middle[0] > 5


def coupling():
    return nr.couple(
        PROBLEM, EMBEDDING, [4, 8], [0.1, 0.2], 0.4, 0, seeds=3, nodes=8, carried=2, save_at=2
    )


@pytest.mark.slow
def test_a_coupling_draws_what_it_fits():
    found = coupling()
    ax = found.plot()
    n, middle = line(ax, "root mean square")
    table = found.data.prediction.sel(pair="flow-limit", learning_rate=0.1)
    np.testing.assert_array_equal(n, [4, 8])
    np.testing.assert_allclose(middle, np.sqrt((table**2).mean("seed")))
    slope = np.diff(np.log(middle)) / np.diff(np.log(n))
    assert slope[0] == pytest.approx(found.rate().slope)
    n, reference = line(ax, "power -0.5")
    assert np.diff(np.log(reference)) / np.diff(np.log(n)) == pytest.approx(-0.5)
    eps, _ = line(found.plot(along="learning_rate", label="a"), "a")
    np.testing.assert_array_equal(eps, [0.1, 0.2])
    found.plot(of="weight_rms", layer=2)
    ax = found.plot(scale="power")
    x, y = line(ax, "root mean square")
    np.testing.assert_allclose(x, np.array([4, 8]) ** -0.5)
    np.testing.assert_array_equal(y, middle)
    (fit,) = (drawn for drawn in ax.lines if drawn.get_label().startswith("slope"))
    (zero, end), slope = fit.get_xdata(), np.linalg.lstsq(x[:, None], y, rcond=None)[0][0]
    assert zero == 0 and fit.get_ydata()[1] == pytest.approx(slope * end)
    with pytest.raises(nr.InvalidInput, match="scale"):
        found.plot(scale="linear")
    with pytest.raises(nr.InvalidInput, match="along"):
        found.plot(along="depth")
    with pytest.raises(nr.InvalidInput, match="layer"):
        found.plot(of="weight_rms")
    assert f"{found.rate()}" in found._repr_html_()


def test_picard_iterates_fall_below_their_bound():
    m = np.arange(9)
    exact = 3.0 * 2.0**m / np.cumprod(np.maximum(m, 1), dtype=float)
    ax = nr.Picard(exact, 1e-12).plot()
    _, bound = line(ax, "$(Ct)^m/m!$")
    np.testing.assert_allclose(bound, exact)


def law(complete=True):
    t = np.linspace(0, 1, 3)
    zero = np.zeros((2, 3))
    data = xr.Dataset(
        {
            "risk": ("time", 1 - t / 2),
            "risk_error": ("time", 0 * t),
            "risk_shift": (("source", "time"), zero + 0.6),
            "risk_shift_error": (("source", "time"), zero),
            "risk_step_bias": ("time", 0 * t),
            "risk_variance": (("source", "time"), zero + 0.04),
            "risk_quadratic": (("source", "other", "time"), np.zeros((2, 2, 3))),
        },
        {"time": t, "source": ["layer 1", "samples"], "other": ["layer 1", "samples"]},
    )
    return Fluctuations(data, complete)


def test_fluctuations_are_bands_about_their_mean():
    ax = law().plot([4, 16])
    _, mean = line(ax, "$n = 4$")
    np.testing.assert_allclose(mean, law().risk + 0.15)
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(1 + 0.15 + 2 * 0.1)
    _, mean = line(law(complete=False).plot([4]), "$n = 4$")
    np.testing.assert_allclose(mean, law().risk)


def certificate():
    rows = [
        ("1.1 phi_1 bounded", "proved"),
        ("1.2 <diversity> $", "violated"),
        ("2 risk", "unknown"),
    ]
    return nr.Certificate("mine", tuple(Row(c, "", s, 0.25) for c, s in rows))


def test_a_certificate_shows_every_condition():
    ax = certificate().plot()
    words = " ".join(text.get_text() for text in ax.texts)
    for part in ("diversity", "proved 0.25", "violated 0.25", "unknown"):
        assert part in words
    assert [drawn.get_color() for drawn in ax.lines] == [
        drawings.STATUS[s] for s in ("proved", "violated", "unknown")
    ]
    ax.figure.canvas.draw()


def tuned():
    """A rate found among two, of which the larger diverged once."""
    recipe = nr.transfer.Recipe(
        PROBLEM, nr.transfer.bidirectional_for(PROBLEM), steps=20, batch_size=4
    )
    risks = np.array([[0.02, 0.03], [0.5, np.inf]])
    return nr.transfer.Tuned(0.4, np.array([0.4, 0.8]), risks, 8, 3, recipe)


class Balanced(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.words = [], ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def test_notebooks_show_tables(run):
    for thing, parts in (
        (PROBLEM, ["Problem", "Empirical", "PseudoHuber"]),
        (run.network, ["Network(1 -> 8 x 2 -> 1", "tanh", "(8, 8)"]),
        (run, ["Trajectory", f"{run.loss[-1]:.4g}", "MF ODE"]),
        (certificate(), ["<diversity>", "proved"]),
        (tuned(), ["Learning rate 0.4", "width 8, L = 3", "20 steps of 4 samples", "inf", "0.025"]),
    ):
        parser = Balanced()
        parser.feed(thing._repr_html_())
        assert parser.open == []
        assert all(part in parser.words for part in parts), parser.words
        assert len(parser.words) < 4000


@pytest.mark.parametrize(
    ("name", "theme", "ground"), [("paper", LIGHT, "white"), ("dark", DARK, "#15181e")]
)
def test_the_style_is_the_reports(name, theme, ground):
    with pyplot.style.context(f"neuronal.pictures.{name}"):
        assert style.current() is theme
        for name, value in settings(theme).items():
            expected = ground if name.endswith("facecolor") else value
            found = mpl.rcParams[name]
            same = found == expected or [found] == [expected] or found == [expected]
            if isinstance(expected, str) and expected.startswith("#"):
                same = mpl.colors.to_hex(found) == expected.lower()
            assert same, (name, found, expected)
        cycle = [mpl.colors.to_hex(c) for c in mpl.rcParams["axes.prop_cycle"].by_key()["color"]]
        assert cycle == [c.lower() for c in theme.series]


def test_sizes_fit_columns():
    for where, (column, page) in sizes.COLUMNS.items():
        assert nr.pictures.size(where, ratio=0.5) == (column, column / 2)
        assert nr.pictures.size(where, whole=True, share=0.5)[0] == page / 2
    for arguments in ({"where": "lncs"}, {"share": 0}, {"ratio": -1}):
        with pytest.raises(nr.InvalidInput):
            nr.pictures.size(**arguments)
