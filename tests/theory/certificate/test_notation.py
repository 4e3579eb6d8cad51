"""Names of conditions as mathematics; what users and data say is escaped."""

import re
from io import StringIO
from xml.etree import ElementTree

import pytest
from rich.console import Console

from neuronal.theory.certificate.document import Certificate
from neuronal.theory.certificate.notation import (
    escaped_markdown,
    in_html,
    in_markdown,
    in_unicode,
)
from neuronal.theory.certificate.rows import Row


@pytest.mark.parametrize(
    ("plain", "unicode", "html", "markdown"),
    [
        ("phi'_1-5 bounded", "φ\u2032₁₋₅ bounded", "<i>φ</i>\u2032<sub>1\u20135</sub> bounded",
         r"$\varphi'_{1\text{-}5}$ bounded"),
        ("phi_1,3", "φ₁,₃", "<i>φ</i><sub>1,3</sub>", r"$\varphi_{1,3}$"),
        ("xi_12 = 1", "ξ₁₂ = 1", "<i>ξ</i><sub>12</sub> = 1", r"$\xi_{12}$ = 1"),
        ("w_{i+1}(C_i, .)", "wᵢ₊₁(Cᵢ, .)", "<i>w</i><sub>i+1</sub>(<i>C</i><sub>i</sub>, .)",
         r"$w_{i+1}$($C_{i}$, .)"),
        ("d2L <= K", "∂₂ℒ ≤ K", "∂<sub>2</sub>ℒ ≤ K", r"$\partial_2\mathcal{L}$ $\le$ K"),
        ("L2(P_X)", "L²(P_X)", "<i>L</i><sup>2</sup>(<i>P</i><sub>X</sub>)", "$L^2$($P_{X}$)"),
        ("words, Phillip, maxi_1", "words, Phillip, maxi_1", "words, Phillip, maxi_1",
         "words, Phillip, maxi_1"),
        ("<script>&|", "<script>&|", "&lt;script&gt;&amp;|", r"&lt;script>&amp;\|"),
    ],
)  # fmt: skip
def test_names(plain, unicode, html, markdown):
    assert in_unicode(plain) == unicode
    assert in_html(plain) == html
    assert in_markdown(plain) == markdown


EVIL = "<script>alert('x & y')</script> | [red] $a$\n<b>"


def evil():
    rows = (
        Row("1.1 phi_1 bounded", EVIL, "proved", EVIL, EVIL),
        Row("1.1 X bounded", "", "unknown"),
    )
    return Certificate(EVIL, rows)


def test_what_users_say_is_escaped_in_a_page():
    html = evil().html()
    assert "<script" not in html and "<b>" not in html
    tree = ElementTree.fromstring(html)
    assert EVIL in (tree.findtext("caption") or "") and EVIL in tree.itertext()


def test_what_users_say_is_escaped_in_markdown():
    lines = evil().markdown().splitlines()
    assert not re.search(r"<[A-Za-z/]", "\n".join(lines))
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 6 for line in table)
    assert escaped_markdown("a\n b") == "a b"


def test_what_users_say_is_no_markup_of_a_terminal():
    assert "[red]" in str(evil())


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "φ₁"), ("ascii", "phi_1"), ("cp1252", "phi_1")]
)
def test_a_terminal_without_the_letters_has_plain_names(encoding, name):
    class Stream(StringIO):
        @property
        def encoding(self):
            return encoding

    stream = Stream()
    Console(file=stream, width=80).print(evil())
    assert f"{name} bounded" in stream.getvalue()
