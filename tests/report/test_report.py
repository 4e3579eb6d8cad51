"""The page: every number and figure of the dataset, and nothing from outside."""

import html
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import xarray as xr
from browser import is_sound, looks
from matplotlib.colors import to_hex
from pages import outside, read
from rich.console import Console

from neuronal.experiments import parse
from neuronal.pictures import saved, style
from neuronal.report import document, interactive, page, plots, predictions, terminal
from neuronal.theory.certificate.document import Certificate
from neuronal.theory.certificate.rows import Row

CONFIGURATION = {
    "name": "made",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [
        {"label": "deep <6>", "embedding": "bidirectional", "depth": 6},
        {"label": "flat", "embedding": "iid", "depth": 4},
    ],
    "networks": {"widths": [4, 8, 16], "seeds": [0, 1]},
    "run": {"until": 10.0},
}


def certificate(title, *statuses):
    rows = [Row(f"1.{k} C_{k}", f"states {k}", s, 0.5, "by <i>") for k, s in enumerate(statuses, 1)]
    return Certificate(title, tuple(rows))


CERTIFICATES = [
    certificate("deep <6>", "proved", "measured", "violated"),
    certificate("flat", "proved", "proved"),
]


@pytest.fixture(scope="module")
def made():
    """A run made by hand: excess risk 0.2 exp(-t) above an infimum of 0.1, and one that stays."""
    t = np.linspace(0, 10, 201)
    falling, staying = 0.1 + 0.2 * np.exp(-t), np.full_like(t, 0.3)
    seeds = np.stack([falling, 0.1 + 0.2 * np.exp(-t / 2)])
    networks = np.stack([np.stack([seeds] * 3), np.stack([np.stack([staying] * 2)] * 3)])
    x = np.linspace(-1, 1, 5)
    return xr.Dataset(
        {
            "depth": ("system", [6, 4]),
            "limit_risk": (("system", "time"), np.stack([falling, staying])),
            "limit_seconds": ("system", [1.0, 2.0]),
            "limit_report": ("system", ["Tsit5: 7 steps", "Tsit5: 9 steps"]),
            "limit_prediction": (("system", "x"), np.zeros((2, 5))),
            "risk": (("system", "width", "seed", "time"), networks),
            "seconds": (("system", "width", "seed"), np.ones((2, 3, 2))),
            "steps": (("system", "width", "seed"), np.full((2, 3, 2), 100)),
            "prediction": (("system", "width", "seed", "x"), np.zeros((2, 3, 2, 5))),
            "target": ("x", np.sin(x)),
            "infimum": 0.1,
            "constant_risk": 0.3,
        },
        coords={
            "system": ["deep <6>", "flat"], "time": t, "width": [4, 8, 16], "seed": [0, 1], "x": x,
        },
        attrs={
            "name": "made", "title": "A & B", "description": "One.\n\nTwo.",
            "configuration": parse(CONFIGURATION).to_toml(), "networks_report": "SGD",
            "neuronal_version": "0", "jax_version": "0", "cpus": 2,
        },
    )  # fmt: skip


@pytest.fixture
def data(made):
    return made.copy()


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    """Of the run's page, with two certificates of which one deviates."""
    home = tmp_path_factory.mktemp("run")
    page.write(made, home, CERTIFICATES)
    return home


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(text):
    return read(text)


def test_half_time_is_where_the_excess_has_halved(data):
    np.testing.assert_allclose(plots.half_times(data, "limit_risk"), [np.log(2), np.inf], rtol=0.03)
    np.testing.assert_allclose(plots.half_times(data)[0, 0], [np.log(2), 2 * np.log(2)], rtol=0.03)
    assert np.isinf(plots.half_times(data)[1]).all()


EVIL = "<script>alert(1)</script> & $\\frac{ _[red]"


@pytest.mark.slow
def test_what_users_say_is_escaped_and_no_formula(made, tmp_path):
    data = made.assign_coords(system=[EVIL, f"_{EVIL}$"])
    data["limit_report"] = ("system", [EVIL, EVIL])
    data.attrs |= {"title": EVIL, "description": EVIL, "networks_report": EVIL}
    data.attrs["configuration"] += f"# {EVIL}\n"
    data.attrs |= {"neuronal_version": EVIL, "jax_version": EVIL}
    text = page.write(data, tmp_path).read_text(encoding="utf-8")
    assert "<script" not in text and text.count("&lt;script&gt;") >= 8
    assert "[red]" in terminal_text(data)


def terminal_text(data):
    console = Console(width=400)
    with console.capture() as captured:
        console.print(terminal.summary(data))
    return captured.get()


def test_the_page_is_self_contained(text, shown, folder):
    assert not outside(shown)
    assert "url(" not in text and "@import" not in text and "<script" not in text
    files = {link for link in shown.links if link.startswith("figures/")}
    assert files == {f"figures/{p.name}" for p in (folder / "figures").iterdir()}


def test_the_page_shows_each_run_and_escapes_names(text, shown):
    assert "A &amp; B" in text and "deep &lt;6&gt;" in text and "deep <6>" not in text
    rows = [row for row in shown.rows if row[0].head == "system"]
    assert len(rows) == 2 * (1 + 3)
    halves = [row[5].text for row in rows]
    assert [words.split()[0] for words in halves[4:]] == ["never"] * 4 and "never" not in halves[0]
    assert [cell.text for cell in rows[0][:4]] == ["deep <6>", "6", "limit", "0.1"]
    assert rows[1][3].text == "0.101 [0.1, 0.101]"  # median and range over seeds
    assert "Tsit5: 7 steps" in text and "<p>Two.</p>" in text


NAMES = ["risk", "excess-risk", "limits", "difference", "predictions", "half-time"]


def test_every_figure_is_drawn_for_both_themes_and_windows(shown):
    assert [c.split(".")[0] for c in shown.captions] == [f"Figure {k}" for k in range(1, 7)]
    assert [anchor for anchor in shown.anchors if anchor in NAMES] == NAMES
    assert len(shown.images) == 4 * len(NAMES) == len(set(shown.images))
    for image in shown.images:
        assert ET.fromstring(image).tag.endswith("svg")


def luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """Of WCAG 2, from 1 to 21."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def colours(svg):
    """The ground of a figure, the colours of its text, and of every line and marker that is no grid."""
    text, lines, ground = set(), set(), None
    for element in ET.fromstring(svg).iter():
        drawn = dict(re.findall(r"([\w-]+): ([^;]+)", element.get("style", "")))
        if "fill-opacity" in drawn or "opacity" in drawn:  # a band
            continue
        found = {drawn[name] for name in ("stroke", "fill") if drawn.get(name, "")[:1] == "#"}
        if ground is None and found:
            (ground,) = found
        elif "path" in element.tag or "use" in element.tag:
            lines |= found
        elif found:
            text |= found
    return ground, text, lines - {ground, style.LIGHT.grid, style.DARK.grid}


@pytest.mark.slow
def test_every_line_stands_out_from_its_ground(shown):
    """3 : 1 for lines and markers, 4.5 : 1 for text; what is drawn dark has no colour of the light theme."""
    themes = {theme.ground: theme for theme in (style.LIGHT, style.DARK)}
    met = set()
    for image in shown.images:
        ground, text, lines = colours(image)
        theme = themes[ground]
        met.add(ground)
        assert text and len(lines) >= 3
        assert min(contrast(c, ground) for c in text) >= 4.5
        assert {c: contrast(c, ground) for c in lines if contrast(c, ground) < 3} == {}
        own = {c.lower() for c in (theme.ink, theme.faint, theme.limit, theme.line, *theme.series)}
        shades = {to_hex(style.share_of_shades(theme, k / 1024)) for k in range(1025)}
        assert text | lines <= own | shades
    assert met == set(themes)


@pytest.mark.parametrize("theme", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_all_colours_of_a_theme_stand_out(theme):
    lines = [theme.limit, theme.line, *theme.series, *map(to_hex, style.shades(64, theme))]
    assert min(contrast(colour, theme.ground) for colour in lines) >= 3
    assert min(contrast(colour, theme.ground) for colour in (theme.ink, theme.faint)) >= 4.5


def test_the_page_is_readable_in_a_browser(folder):
    is_sound(folder / "report.html")


def test_the_files_of_a_figure_open(folder):
    """In PDFium, which Chromium shows PDFs with: one page, its words, and ink on white."""
    pdfium = pytest.importorskip("pypdfium2")
    for name in NAMES:
        document = pdfium.PdfDocument(folder / "figures" / f"{name}.pdf")
        assert len(document) == 1
        page = document[0]
        words = " ".join(page.get_textpage().get_text_bounded().split())
        drawn = page.render(scale=1).to_numpy()
        assert "mean-field" in words or "width" in words or "prediction" in words
        assert drawn.max() == 255 and drawn.min() < 100
        with PIL.Image.open(folder / "figures" / f"{name}.png") as image:
            image.load()
            assert image.width == pytest.approx(page.get_width() / 72 * saved.DPI, abs=2)
        root = ET.parse(folder / "figures" / f"{name}.svg").getroot()
        assert root.get("width") == f"{page.get_width():g}pt"


def test_plotly_is_given_what_is_drawn(data):
    with style.using(style.LIGHT):
        figure = plots.risk(data, style.LIGHT)
        figure.draw_without_rendering()
    told = interactive.plotted(figure, style.LIGHT)
    lines = [trace for trace in told["data"] if trace.get("fill") is None]
    assert len(lines) == sum(len(axis.lines) for axis in figure.axes) == 2 * 6
    names = [trace["name"] for trace in lines if trace["showlegend"]]
    assert sorted(names) == sorted({trace["name"] for trace in lines})
    by_axis = {(trace["name"], trace["xaxis"]): trace for trace in lines}
    assert by_axis["limit", "x2"]["y"] == data.limit_risk.values[1].tolist()
    assert by_axis["infimum of the risk", "x"]["x"] == list(figure.axes[0].get_xlim())
    bands = [trace for trace in told["data"] if trace.get("fill") == "toself"]
    assert {band["legendgroup"] for band in bands} == {"$n = 4$", "$n = 8$", "$n = 16$"}
    assert told["layout"]["annotations"][0]["text"] == "deep <6>"


def test_interactive_figures_need_nothing_from_outside(data, tmp_path):
    pytest.importorskip("plotly")
    path = interactive.write("A & B", [next(page.pictures(data))], tmp_path)
    for seen in looks(path).values():
        assert not seen.asked and not [f for f in seen.faults if f.startswith("the page")]
        assert seen.plots == 1


def test_certificates_are_folded_with_what_deviates_first(shown):
    assert [s for s in shown.summaries if "proved" in s] == [
        "deep <6> 1 violated 1 measured 1 proved",
        "flat 2 proved",
    ]
    conditions = [
        row[0].text for row in shown.rows if len(row) == 4 and row[1].kind.startswith("status")
    ]
    assert conditions == ["1.3 C3", "C1", "C2", "C1", "C2"]


def test_the_numbers_of_a_figure_are_in_a_table_beside_it(made, folder):
    table = pd.read_csv(folder / "figures" / "risk.csv")
    limit = table[(table.of == "limit") & (table.system == "flat")]
    np.testing.assert_array_equal(limit.time, made.time)
    np.testing.assert_array_equal(limit.value, made.limit_risk[1])
    assert table[table.of == "infimum"].value.tolist() == [0.1]
    assert len(table[table.of == "network"]) == made.risk.size
    one = table[(table.width == 8) & (table.seed == 1) & (table.system == "deep <6>")]
    np.testing.assert_array_equal(one.value, made.risk.sel(width=8, seed=1)[0])
    off = pd.read_csv(folder / "figures" / "difference.csv")
    own = off[(off.width == 8) & (off.seed == 1) & (off.system == "deep <6>")]
    np.testing.assert_allclose(own.value, one.value.values - made.limit_risk[0])
    halves = pd.read_csv(folder / "figures" / "half-time.csv")
    assert halves[halves.system == "deep <6>"].value.iloc[0] == pytest.approx(np.log(2), rel=0.03)


def test_the_difference_to_the_limit_is_drawn_over_time_and_by_width(data):
    with style.using(style.LIGHT):
        figure = plots.difference(data, style.LIGHT)
    over_time, by_width = figure.axes[:2]
    lines = {line.get_label(): line for line in over_time.lines}
    middle = np.median(data.risk[0, 1] - data.limit_risk[0], axis=0)
    np.testing.assert_allclose(lines["$n = 8$"].get_ydata(), middle)
    largest = np.abs(data.risk[0] - data.limit_risk[0]).max("time")
    (drawn,) = [line for line in by_width.lines if line.get_label() == "largest difference"]
    np.testing.assert_allclose(drawn.get_ydata(), np.sqrt((largest**2).mean("seed")))


def test_the_risk_figure_has_the_infimum_and_the_limit(data):
    with style.using(style.LIGHT):
        figure = plots.risk(data, style.LIGHT)
    axis = figure.axes[0]
    levels = [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() in ("--", ":")]
    assert levels == pytest.approx([0.3, 0.1])
    limit = [line for line in axis.lines if line.get_color() == style.LIGHT.limit]
    np.testing.assert_allclose(limit[0].get_ydata(), data.limit_risk.values[0])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(labels) == {
        "limit", "$n = 4$", "$n = 8$", "$n = 16$", "infimum of the risk", "best constant",
    }  # fmt: skip


@pytest.mark.slow
def test_a_run_without_limit_infimum_or_networks_still_has_a_page(data):
    networks = data.drop_vars([n for n in data.data_vars if n.startswith("limit_")] + ["infimum"])
    text = page.page(networks)
    assert "not known here" in text and "infimum of the risk" not in text
    alone = data.drop_vars(["risk", "seconds", "steps", "prediction"]).drop_dims(["width", "seed"])
    del alone.attrs["networks_report"]
    assert len([row for row in read(page.page(alone)).rows if row[0].head == "system"]) == 2


def test_accuracy_is_given_in_percent(data):
    accuracy = np.full(data.risk.shape, 0.975)
    data["test_accuracy"] = (data.risk.dims, accuracy)
    data["limit_test_accuracy"] = (data.limit_risk.dims, accuracy[:, 0, 0])
    table = page.summary(data)
    assert {row[-2].text for rows in table.groups for row in rows} == {"97.5\u00a0%"}
    (picture,) = [p for p in page.pictures(data) if p.name == "test-accuracy"]
    assert "Accuracy on the held-out part" in picture.caption
    with style.using(style.LIGHT):
        figure = picture.draw(style.LIGHT)
    assert figure.axes[0].lines[0].get_ydata()[0] == 97.5


def foretold(data, mean, sd):
    """A prediction made by hand, of the first two widths and half the times."""
    t, systems = data.time.values[:101:2], data.system.values
    whole = ("system", "width", "time")
    given = lambda value: (whole, np.broadcast_to(value, (2, 2, len(t))).copy())
    return xr.Dataset(
        {
            "risk": (("system", "time"), np.full((2, len(t)), 0.3)),
            "risk_error": (("system", "time"), np.full((2, len(t)), 0.003)),
            "risk_mean": given(mean), "risk_mean_error": given(0.001),
            "risk_sd": given(sd), "risk_sd_error": given(0.002),
            "unpredicted": ("system", ["", ""]),
        },
        {"system": systems, "width": [4, 8], "time": t},
        {"learning_rate": 0.1, "batch_size": 1},
    )  # fmt: skip


def test_the_band_holds_the_share_of_records_that_it_says(data):
    """Of a network that stays at 0.3 all records are within 0.3 ± 1.96 sd; of one outside, none."""
    staying = predictions.beside(data, foretold(data, 0.31, 0.01), 1, 4)
    assert staying.within == 1.0 and np.isnan(staying.sd[101:]).all()
    assert predictions.beside(data, foretold(data, 0.33, 0.01), 1, 4).within == 0.0
    falling = predictions.beside(data, foretold(data, 0.3, 0.1 / 1.96), 0, 8)
    t = data.time.values[:101]
    shares = [np.mean(0.2 * np.exp(-rate * t) >= 0.1 * (1 - 1e-12)) for rate in (1, 0.5)]
    assert falling.within == pytest.approx(np.mean(shares), abs=1e-9)


def test_networks_and_prediction_are_drawn_alike_in_two_colours(data):
    several = data.isel(seed=[0, 1] * 4)
    with style.using(style.LIGHT):
        figure = predictions.risks(several, foretold(data, 0.31, 0.01), style.LIGHT)
    assert len(figure.axes) == 4
    networks, predicted = figure.axes[0].lines
    assert networks.get_linewidth() == predicted.get_linewidth()
    assert [networks.get_color(), predicted.get_color()] == list(style.LIGHT.series[:2])
    np.testing.assert_allclose(networks.get_ydata(), data.risk.values[0, 0].mean(axis=0))
    np.testing.assert_allclose(predicted.get_ydata()[:101], 0.31)
    assert np.isnan(predicted.get_ydata()[101:]).all()


@pytest.mark.slow
def test_the_page_shows_the_prediction_and_escapes_it(data, text, tmp_path):
    prediction = foretold(data, 0.31, 0.01)
    shown = page.write(data, tmp_path, (), prediction).read_text(encoding="utf-8")
    assert "Networks and their prediction" not in text
    assert [c.split(".")[0] for c in read(shown).captions] == [f"Figure {k}" for k in range(1, 8)]
    assert shown.count("0.31 ± 0.01") == 4 and "100\u00a0%" in shown
    unknown = foretold(data, np.nan, 0.01).assign_coords(system=[EVIL, "flat"])
    unknown["unpredicted"] = ("system", ["", EVIL])
    shown = page.page(data.assign_coords(system=[EVIL, "flat"]), (), unknown)
    assert "the mean&#39;s shift is not known" in shown and "– ± 0.01" in shown
    assert "<script" not in shown and f"flat: {html.escape(EVIL)}" in shown
    unknown["unpredicted"] = ("system", ["no", "no"])
    assert len(read(page.page(data, (), unknown)).captions) == 6


def test_numbers_are_written_for_readers():
    assert document.number(0.0) == "0" and document.number(np.inf) == "never"
    assert document.number(0.12345) == "0.123" and document.number(1234.6) == "1235"
    assert document.number(1.234e-5) == "1.23\u202f×\u202f10⁻⁵" and document.number(np.nan) == "–"


@pytest.mark.slow
def test_the_same_numbers_give_the_same_files(folder, data, tmp_path):
    page.write(data, tmp_path, CERTIFICATES)
    for file in [folder / "report.html", *sorted((folder / "figures").iterdir())]:
        assert (tmp_path / file.relative_to(folder)).read_bytes() == file.read_bytes(), file.name
