"""A second look at figures, with hover and toggles: drawn by Plotly, in a page that opens offline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox

from ..errors import InvalidInput
from ..files.writing import write_text
from ..pictures.saved import darkened
from ..pictures.style import LIGHT, NARROW, Theme, using
from ..pictures.templates import markup, render
from .document import TEMPLATES
from .figures import Picture

PAGE = "interactive.html"
_PIXELS = 96
"""Of an inch."""
_DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}
_TEX = {r"\epsilon": "ε", r"\hat y": "ŷ", "$": "", r"\$": "$"}


def write(title: str, pictures: Iterable[Picture], folder: Path) -> Path:
    """Write the page of figures into `folder`; returns its path.

    Raises:
        InvalidInput: Plotly (the extra ``plotly``) is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InvalidInput(
            "--interactive: takes Plotly, which is not installed; pip install 'neuronal[plotly]'"
        ) from error
    figures = [
        {"name": picture.name, "caption": picture.caption, "drawn": markup(_drawn(picture))}
        for picture in pictures
    ]
    library = markup(get_plotlyjs().replace("</script", "<\\/script"))
    path = folder / PAGE
    text = render("interactive.html", TEMPLATES, title=title, figures=figures, library=library)
    write_text(path, text)
    return path


def _drawn(picture: Picture) -> str:
    """A picture as JSON, for wide and narrow windows, in light and in dark."""
    found = {}
    for name, theme in (("wide", LIGHT), ("narrow", NARROW)):
        with using(theme):
            figure = picture.draw(theme)
            figure.draw_without_rendering()  # lays it out
        light = json.dumps(plotted(figure, theme))
        found[f"{name} light"] = json.loads(light)
        found[f"{name} dark"] = json.loads(darkened(light.encode()))
    return json.dumps(found).replace("</", "<\\/")


def plotted(figure: Figure, theme: Theme) -> dict[str, Any]:
    """What Plotly takes for a figure: its lines and bands, a toggle for each name, axes where they stand."""
    size = figure.get_size_inches() * _PIXELS
    layout: dict[str, Any] = {
        "height": float(size[1]) + 40,
        "paper_bgcolor": theme.ground,
        "plot_bgcolor": theme.ground,
        "font": {"color": theme.ink, "size": 13},
        "margin": {"l": 10, "r": 10, "t": 60, "b": 10},
        "legend": {"orientation": "h", "y": 1 + 30 / float(size[1]), "yanchor": "bottom"},
        "hovermode": "closest",
        "annotations": [],
    }
    traces: list[dict[str, Any]] = []
    named: set[str] = set()
    shown = [axis for axis in figure.axes if axis.get_visible()]
    for place, (axis, box) in enumerate(zip(shown, _boxes(shown), strict=True)):
        number = str(place + 1) if place else ""
        x, y = _axis(axis, "x", theme), _axis(axis, "y", theme)
        x |= {"domain": [box.x0, box.x1], "anchor": f"y{number}"}
        y |= {"domain": [box.y0, box.y1], "anchor": f"x{number}"}
        layout |= {f"xaxis{number}": x, f"yaxis{number}": y}
        title = _words(axis.get_title(loc="left") or axis.get_title())
        if title:
            where = {"x": box.x0, "y": box.y1, "xref": "paper", "yref": "paper"}
            layout["annotations"].append(
                where | {"text": title, "showarrow": False, "xanchor": "left", "yanchor": "bottom"}
            )
        on = {"xaxis": f"x{number}", "yaxis": f"y{number}", "type": "scatter"}
        names = {to_hex(line.get_color()): line.get_label() for line in axis.lines}
        for band in axis.collections:
            if isinstance(band, PolyCollection):
                traces += [on | trace for trace in _band(band, names)]
        for line in axis.lines:
            trace = _line(line, axis)
            if trace is not None:
                trace["showlegend"] = trace["showlegend"] and trace["name"] not in named
                named.add(trace["name"])
                traces.append(on | trace)
    return {"data": traces, "layout": layout}


def _boxes(axes: list[Axes]) -> list[Bbox]:
    """Where axes stand, the whole of them as wide and as high as Plotly's ground."""
    boxes = [axis.get_position() for axis in axes]
    whole = Bbox.union(boxes)
    return [
        Bbox(
            [
                [(x - whole.x0) / whole.width, (y - whole.y0) / whole.height]
                for x, y in box.get_points()
            ]
        )
        for box in boxes
    ]


def _axis(axis: Axes, which: str, theme: Theme) -> dict[str, Any]:
    own = axis.xaxis if which == "x" else axis.yaxis
    low, high = axis.get_xlim() if which == "x" else axis.get_ylim()
    log = own.get_scale() == "log"
    ticks: dict[str, Any] = {}
    if isinstance(own.get_major_locator(), FixedLocator):
        words = [_words(label.get_text()) for label in own.get_ticklabels()]
        ticks = {"tickvals": [float(v) for v in own.get_ticklocs()], "ticktext": words}
    side = "labelbottom" if which == "x" else "labelleft"
    return ticks | {
        "showticklabels": bool(own.get_tick_params()[side]),
        "type": "log" if log else "linear",
        "range": [float(v) for v in (np.log10([low, high]) if log else (low, high))],
        "title": {"text": _words(own.get_label_text()), "standoff": 4},
        "gridcolor": theme.grid,
        "linecolor": theme.faint,
        "zeroline": False,
        "automargin": True,
    }


def _line(line: Line2D, axis: Axes) -> dict[str, Any] | None:
    x, y = (np.asarray(v, float) for v in line.get_data())
    if x.size == 0:
        return None
    if not line.get_transform().contains_branch_seperately(axis.transData)[0]:
        x = np.array(axis.get_xlim())  # a level, which is as wide as the axis
    name, color = str(line.get_label()), to_hex(line.get_color())
    joined = line.get_linestyle() in _DASHES
    marked = line.get_marker() not in (None, "", "None", "none")
    told = not name.startswith("_")
    return {
        "x": [float(v) for v in x],
        "y": [float(v) if np.isfinite(v) else None for v in y],
        "mode": "+".join(["lines"] * joined + ["markers"] * marked),
        "name": _words(name) if told else "",
        "legendgroup": name if told else "",
        "showlegend": told,
        "line": {
            "color": color,
            "width": line.get_linewidth() * 1.2,
            "dash": _DASHES.get(str(line.get_linestyle()), "solid"),
        },
        "marker": {
            "color": color,
            "size": max(line.get_markersize() * 1.3, 4),
            "symbol": "x" if line.get_marker() == "x" else "circle",
        },
    }


def _band(band: PolyCollection, names: dict[str, Any]) -> Iterable[dict[str, Any]]:
    color = to_hex(band.get_facecolor()[0])  # pyright: ignore[reportArgumentType, reportIndexIssue]
    for path in band.get_paths():
        corners = np.asarray(path.vertices)
        yield {
            "x": corners[:, 0].tolist(),
            "y": corners[:, 1].tolist(),
            "mode": "lines",
            "fill": "toself",
            "fillcolor": color,
            "opacity": 0.22,
            "line": {"width": 0},
            "hoverinfo": "skip",
            "legendgroup": str(names.get(color, "")),
            "showlegend": False,
        }


def _words(text: str) -> str:
    """Words of Matplotlib without its mathematics."""
    for tex, plain in _TEX.items():
        text = text.replace(tex, plain)
    return re.sub(r"\\[a-z]+\s*", "", text).strip()
