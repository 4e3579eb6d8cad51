"""MkDocs hooks: tables made from `benchmarks/results/*.json`, the changelog, links of notebooks, times.

`python docs/hooks.py` writes the README's table of figures anew from the same files.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MARK = re.compile(
    r"^<!-- (benchmarks|benchmark|include|works): ?(\S*) -->$", re.MULTILINE
)
LINK = re.compile(r'(?<=href=")([^":?#]+\.(?:md|ipynb))(?=["#])')


def on_page_markdown(markdown: str, page: Any = None, **_) -> str:
    """Replace the marks of a page by what they name, and say how long its code takes."""
    whole = MARK.sub(lambda match: MARKS[match[1]](match[2]), markdown)
    return whole if page is None else whole + taken(f"docs/{page.file.src_uri}")


def taken(page: str) -> str:
    """How long the code of a page takes, as `docs/shown.py` measured it; nothing of one without."""
    seconds = json.loads((ROOT / "docs" / "seconds.json").read_text(encoding="utf-8"))
    if page not in seconds:
        return ""
    least = next(
        (words for most, words in _TIMES if seconds[page] <= most), "some minutes"
    )
    return (
        f"\n\nThe code of this page takes {least} of a processor, once compiled, and prints what is shown.\n"
        "{ .nl-seconds }\n"
    )


_TIMES = (
    (5, "five seconds"), (10, "ten seconds"), (20, "twenty seconds"), (30, "half a minute"),
    (60, "a minute"), (120, "two minutes"),
)  # fmt: skip


def on_page_content(html: str, page: Any, files: Any, **_) -> str:
    """Let links to sources lead to their pages: MkDocs does so in Markdown, not in notebooks."""

    def address(link: re.Match) -> str:
        source = posixpath.normpath(
            posixpath.join(posixpath.dirname(page.file.src_uri), link[1])
        )
        target = files.get_file_from_path(source)
        return link[1] if target is None else target.url_relative_to(page.file)

    return LINK.sub(address, html)


def benchmark(name: str) -> str:
    """One claim: its table, notes and machine."""
    record = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    machine = dict(record["machine"])
    lead = f"{machine.pop('cpus')} processors, {machine.pop('arch')}, Python {machine.pop('python')}"
    versions = ", ".join(f"{package} {version}" for package, version in machine.items())
    claim = record["claim"][0].upper() + record["claim"][1:]
    notes = (
        f" {record['notes'][0].upper()}{record['notes'][1:]}."
        if record["notes"]
        else ""
    )
    tables = table(record["rows"])
    if "cost" in record:
        tables += f"\n\n{table(record['cost'])}"
    return f"{claim}.{notes}\n\n{tables}\n\n*{lead}; {versions}.*\n"


def benchmarks(_: str) -> str:
    """All claims that have results, each with what its module says and how it is run."""
    sections = []
    for path in sorted(RESULTS.glob("*.json")):
        module = ROOT / "benchmarks" / f"{path.stem}.py"
        about = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
        sections.append(
            f"## {path.stem}\n\n{about}\n\n```bash\npython -m benchmarks {path.stem}\n```\n\n"
            f"{benchmark(path.stem)}"
        )
    return "\n".join(sections)


def include(name: str) -> str:
    """A file of the repository, its links to files left as they are."""
    return (ROOT / name).read_text(encoding="utf-8")


def table(rows: list[dict]) -> str:
    """Rows as a Markdown table; columns that hold a number in every row go right."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    numeric = [
        all(not isinstance(row.get(key, 0), str) for row in rows) for key in keys
    ]
    lines = [
        "| " + " | ".join(map(escape, keys)) + " |",
        "|" + "|".join("--:" if right else ":--" for right in numeric) + "|",
    ]
    lines += [
        "| " + " | ".join(escape(cell(row.get(key, ""))) for key in keys) + " |"
        for row in rows
    ]
    return "\n".join(lines)


def cell(value: object) -> str:
    """A number to three digits, as people write it."""
    if not isinstance(value, float):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")


def escape(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_")


def works(part: str) -> str:
    """Of the works: their `scaling`, or their `checks` in `works.json`, a section each."""
    kept = json.loads((RESULTS / "works.json").read_text(encoding="utf-8"))["works"]
    found = {name: _stated(name) for name in _names()}
    if part == "scaling":
        return table(
            [
                {"work": name, "the source's step": of["step"], "here": of["scaling"]}
                for name, of in found.items()
            ]
        )
    sections = []
    for name, of in found.items():
        rows = [
            {
                "claim": row["claim"],
                "where it is stated": row["where"],
                "stated": {"<=": "≤ ", ">=": "≥ "}.get(row["relation"], "")
                + cell(row["stated"]),
                "figure": cell(row["figure"]),
                "tolerance": cell(row["tolerance"]),
                "status": row["status"],
                "how it was checked": row["how"],
            }
            for row in kept.get(name, ())
        ]
        words = escape(
            " ".join(part for part in (of["settings"], of["out_of_reach"]) if part)
        )
        shown = [row["panel"]["title"] for row in kept.get(name, ()) if "panel" in row]
        if shown:
            picture = "\n".join(
                f"![{name}: {escape('; '.join(shown))}](../assets/works_{name}{end}){{ width=760 }}"
                for end in (".png#only-light", "-dark.png#only-dark")
            )
            words += f"\n\n{picture}"
        sections.append(
            f"## {name}\n\n*{escape(of['title'])}.* {escape(of['reference'])}.\n\n{words}\n\n"
            + (
                table(rows)
                if rows
                else f"Its figures: `python -m benchmarks.works {name}`."
            )
        )
    return "\n\n".join(sections)


def _assigned(path: Path, name: str) -> ast.expr:
    """What a module assigns to a name; read, not imported."""
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if (
            isinstance(statement, ast.Assign)
            and getattr(statement.targets[0], "id", "") == name
        ):
            return statement.value
    raise LookupError(name)


def _names() -> tuple[str, ...]:
    return ast.literal_eval(
        _assigned(ROOT / "src" / "neuronal" / "vocabulary.py", "WORKS")
    )


def _stated(name: str) -> dict[str, str]:
    """The words of a work's `WORK`."""
    value = _assigned(
        ROOT / "src" / "neuronal" / "works" / f"{name.lower()}.py", "WORK"
    )
    assert isinstance(value, ast.Call)
    return {
        k.arg: k.value.value
        for k in value.keywords
        if isinstance(k.value, ast.Constant)
    }


MARKS = {
    "benchmark": benchmark,
    "benchmarks": benchmarks,
    "include": include,
    "works": works,
}


def measured() -> str:
    """The README's table of figures: each row from one file of results."""
    rows = {
        path.stem: json.loads(path.read_text("utf-8"))["rows"]
        for path in RESULTS.glob("*.json")
    }
    depths = [
        f"{cell(row['excess risk / variance'])} at L = {row['L']}"
        for row in rows["depths"]
    ]
    classified = [
        f"{row['model']}: {100 * row['test accuracy']:.1f} %" for row in rows["digits"]
    ]
    online = [
        f"width {row['width']}: {row['hand / neuronal']:.2f} and {row['autograd / neuronal']:.2f}"
        for row in rows["online_sgd"]
    ]
    rhs = [
        f"{100 * row['rhs / peak']:.0f} % at n = {row['n']}"
        for row in rows["dense_rhs"]
    ]
    cost = {row["claim"]: row["figure"] for row in rows["factored"]}
    factored = [
        f"{claim}: {cell(figure)}"
        for claim, figure in cost.items()
        if "seconds" not in claim
    ]
    wide = [
        f"{row['steps']} steps at n = {row['n']:,}: {row['seconds']:.0f} s, {row['peak, GiB']:.1f} GiB"
        for row in rows["wide_sgd"]
    ]
    moved = []
    for kind, varied in (
        ("ours", "width"),
        ("ours", "depth"),
        ("standard", "width"),
        ("mup", "width"),
    ):
        scan = [
            row
            for row in rows["transfer"]
            if (row["network"], row["varied"]) == (kind, varied)
        ]
        at = [row["L" if varied == "depth" else "width"] for row in scan]
        best = [row["best rate"] for row in scan]
        ends = f"{varied}s {min(at)} to {max(at)}"
        moved.append(f"{kind}, {ends}: {cell(min(best))} to {cell(max(best))}")
    ranks = [f"{row['method']}: {row['mean rank']:.2f}" for row in rows["keel"]]
    drawn = [row["measured / predicted"] for row in rows["resampling"]]
    figures = [
        ("Excess risk of the limit over the target's variance, one step and one time for every depth",
         depths, "depths"),
        ("Digits, test accuracy, mean over seeds", classified, "digits"),
        ("The dense limit's right-hand side, share of the machine's matrix-product peak", rhs, "dense_rhs"),
        ("The limit on factored kernels", factored, "factored"),
        ("Online SGD on factored weights, batch 1, L = 4", wide, "wide_sgd"),
        ("Online SGD, PyTorch's time over ours, written by hand and with autograd", online, "online_sgd"),
        ("Best learning rates", moved, "transfer"),
        ("Mean rank on real tables, all with their defaults; 1 is best", ranks, "keel"),
        ("Networks drawn from a trained limit, measured over predicted error",
         [f"{cell(min(drawn))} to {cell(max(drawn))}"], "resampling"),
    ]  # fmt: skip
    lines = ["| what | figure | `python -m benchmarks` |", "|---|---|---|"]
    lines += [
        f"| {what} | {'; '.join(found)} | `{name}` |" for what, found, name in figures
    ]
    return "\n".join(lines)


def with_figures(readme: str) -> str:
    """A README with the table between its two marks made anew."""
    begin, end = "<!-- measured -->\n", "\n<!-- end -->"
    before, _, rest = readme.partition(begin)
    return before + begin + measured() + end + rest.partition(end)[2]


if __name__ == "__main__":
    README = ROOT / "README.md"
    README.write_text(
        with_figures(README.read_text(encoding="utf-8")), encoding="utf-8"
    )
