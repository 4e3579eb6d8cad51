"""What checks the built site in `.ci/run`: each kind of fault is found, and what is sound is not one."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KATEX = (ROOT / "docs" / "assets" / "katex").as_uri()
STYLE = (ROOT / "docs" / "assets" / "site.css").as_uri()


def written(folder, pages):
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_links_are_followed_to_files_and_anchors(tmp_path):
    dead = runpy.run_path(str(ROOT / "docs" / "links.py"))["dead"]
    sound = """
        <a href="guide/a.html#there">1</a> <a href="#top">2</a> <a href="guide/">3</a> <a href="/x.png">4</a>
        <img src="x.png?v=1"> <a id="top" href="raw.ipynb" download>6</a> <a href="https://example.org">no</a>
    """
    written(
        tmp_path,
        {
            "index.html": sound,
            "guide/a.html": '<p id="there">',
            "guide/index.html": '<a href="../index.html#top">7</a>',
            "x.png": "",
            "raw.ipynb": "{}",
        },
    )
    assert dead(tmp_path) == ([], 7)
    faults = """
        <a href="guide/b.html">1</a> <a href="guide/a.html#elsewhere">2</a> <a href="#here">3</a>
        <a href="raw.ipynb">4</a> <img src="y.png"> <a href="../outside.html">6</a>
    """
    written(tmp_path, {"faults.html": faults})
    found, followed = dead(tmp_path)
    assert followed == 13
    assert [fault.split(": ", 1)[1] for fault in found] == [
        "guide/b.html: no such file",
        "guide/a.html#elsewhere: no such anchor",
        "#here: no such anchor",
        "raw.ipynb: a raw notebook, not its page",
        "y.png: no such file",
        "../outside.html: leaves the site",
    ]


def page(body, style=""):
    return f"""<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <link rel="stylesheet" href="{KATEX}/katex.min.css"><link rel="stylesheet" href="{STYLE}">
        <style>:root {{ --md-default-bg-color: white; --md-default-fg-color--lighter: gray }}
        body {{ margin: 0 10px }} {style}</style><body class="md-typeset">{body}
        <script src="{KATEX}/katex.min.js"></script>
        <script>for (const element of document.querySelectorAll("[tex]"))
          katex.render(element.getAttribute("tex"), element, {{ displayMode: true, throwOnError: false }});
        </script>"""


def equation(terms):
    return f'<div class="arithmatex" tex="{"+".join(["x"] * terms)}"></div>'


def test_what_is_cut_or_not_typeset_is_found_in_a_browser(tmp_path):
    pytest.importorskip("playwright")
    widths = runpy.run_path(str(ROOT / "docs" / "widths.py"))
    if widths["browser_path"]() is None:
        pytest.skip("no Chromium on this machine; .ci/run installs it")
    medium, long = equation(20), equation(80)
    hidden = ".katex-display { overflow: hidden !important }"
    signature = f'<div class="doc-signature"><pre><code>{"argument, " * 40}</code></pre></div>'
    written(
        tmp_path,
        {
            "sound.html": page(
                medium + '<div class="doc-signature"><pre><code>f(x)</code></pre></div>'
            ),
            "wide.html": page(long),
            "hidden.html": page(medium, hidden),
            "plain.html": page(medium, ".katex-display { background: none !important }"),
            "low.html": page(medium, ".katex-display { max-height: 8px }"),
            "signature.html": page(signature, "code { display: block; overflow: auto }"),
            "raw.html": page('<p class="arithmatex">x</p>'),
            "notebook.html": page('<div class="jp-RenderedMarkdown">$x$</div>'),
            "page.html": page('<div style="width: 1500px">x</div>'),
            "outside.html": page('<img src="http://127.0.0.1:9/x.png">'),
        },
    )
    found, counts = widths["faults"](tmp_path)
    kinds = lambda width: {
        (fault.split(" at ")[0], fault.split(" pixels: ")[1].split(": ")[0])
        for fault in found
        if f" at {width} pixels: " in fault
    }
    both = {
        ("low.html", "cut above or below"),
        ("raw.html", "not typeset"),
        ("notebook.html", "not typeset"),
        ("outside.html", "asks the network for http://127.0.0.1:9/x.png"),
    }
    assert kinds(1280) == both | {
        ("wide.html", "wider than its column"),
        ("signature.html", "wider than its column"),
        ("page.html", "the page is 1510 pixels wide"),
    }
    assert kinds(390) == both | {
        ("hidden.html", "cut and does not scroll"),
        ("plain.html", "scrolls and does not show it"),
        ("page.html", "the page is 1510 pixels wide"),
    }
    assert counts == {"equations": 10, "signatures": 4}


def test_ci_checks_the_built_site():
    """After the build, and with a browser: `docs/widths.py` fails without one."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    built = next(i for i, line in enumerate(lines) if "mkdocs" in line and " build " in line)
    for check in ("links", "widths"):
        assert lines.index(f'"$bin/python" docs/{check}.py .venv/site') > built
