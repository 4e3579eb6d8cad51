"""The command line: what it writes, and one message and exit code 2 for input it cannot use."""

import io
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import tomli_w

CONTENT = {
    "name": "tiny",
    "title": "A tiny run",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "L = 2", "embedding": "bidirectional", "depth": 2}],
    "limit": {"nodes": 4, "data_nodes": 8, "solver": "euler", "step": 0.1},
    "networks": {"widths": [4], "learning_rate": 0.1},
    "run": {"until": 1.0, "records": 4, "checkpoints": 2},
}


def written(path, **changes):
    path.write_text(tomli_w.dumps(CONTENT | changes), encoding="utf-8")
    return path


@pytest.mark.slow
def test_run_then_report(call, tmp_path):
    file = written(tmp_path / "tiny.toml")
    code, out, err = call("run", file)
    assert (code, err) == (0, "")
    folder = tmp_path / "runs" / "tiny"
    assert {p.name for p in folder.iterdir()} == {
        "config.toml", "results.nc", "report.html", "checkpoints", "certificate.json", "certificate.md",
        ".lock", "figures",
    }  # fmt: skip
    assert "L = 2" in out and "report.html" in out
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    assert call("report", folder)[0] == 0
    assert (folder / "report.html").read_text() == before

    code, _, err = call("run", file)
    assert code == 2 and "finished run of this configuration" in err and "--overwrite" in err
    assert call("run", file, "--resume")[0] == 0
    written(file, run=CONTENT["run"] | {"until": 2.0})
    code, _, err = call("run", file, "--resume")
    assert code == 2 and "(run differ)" in err
    assert call("run", file, "--overwrite")[0] == 0
    assert tomllib.loads((folder / "config.toml").read_text())["run"]["until"] == 2.0


@pytest.mark.slow
def test_a_diverging_run_exits_with_2_and_says_when(call, tmp_path):
    system = CONTENT["systems"][0] | {"activation": "identity", "input_scale": 30.0}
    file = written(
        tmp_path / "a.toml",
        systems=[system],
        networks={"widths": [4], "learning_rate": 1.0},
        limit={"enabled": False},
        run={"until": 100.0},
    )
    code, _, err = call("run", file, "--out", tmp_path / "there")
    assert code == 2 and "diverged at t = " in err and "learning_rate" in err
    assert "Traceback" not in err and len(err.strip().splitlines()) == 1
    assert (tmp_path / "there" / "checkpoints" / "system0-width4-seed0.npz").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"netwroks": {}}, "netwroks: unknown name; did you mean 'networks'?"),
        ({"networks": {"widths": [0]}}, "networks.widths[0]: takes a number of at least 1"),
        ({"run": {"until": float("nan")}}, "run.until: takes a finite number"),
        ({"systems": [CONTENT["systems"][0] | {"depth": 1}]}, "systems[0].depth: takes"),
        ({"problem": {"kind": "table", "path": "no.csv", "target": "y"}}, "path: no file"),
        ({"problem": {"kind": "table", "path": "nan.csv", "target": "y"}}, "column 'x': 1 empty"),
        ({"loss": {"name": "cross_entropy"}}, "loss.name: 'cross_entropy' takes classes"),
    ],
)
def test_bad_input_gets_one_line_on_stderr(call, tmp_path, change, message):
    (tmp_path / "nan.csv").write_text("x,y\n1,2\n,3\n4,5\n6,7\n")
    code, out, err = call("run", written(tmp_path / "a.toml", **change))
    assert code == 2 and message in err
    assert err.startswith("neuronal: ") and len(err.strip().splitlines()) == 1
    assert "Traceback" not in out + err


def test_missing_files_and_arguments(call, tmp_path):
    code, _, err = call("run", "none.toml")
    assert code == 2 and "FILE: no file 'none.toml'" in err
    code, _, err = call("report", tmp_path)
    assert code == 2 and "results.nc is missing" in err
    code, _, err = call("run")
    assert code == 2 and "Missing argument" in err
    assert call("fly")[0] == 2


def test_the_gallery_lists_and_shows(call):
    code, out, _ = call("gallery")
    assert code == 0
    for name in ("regression_1d", "digits", "iid_against_bidirectional"):
        assert name in out
    code, out, _ = call("gallery", "digits", "--show")
    assert code == 0 and tomllib.loads(out)["problem"]["kind"] == "digits"
    code, _, err = call("gallery", "digts")
    assert code == 2 and "did you mean 'digits'" in err


def test_help_and_version(call):
    code, out, _ = call("--help")
    assert code == 0 and all(name in out for name in ("run", "report", "gallery"))
    code, out, _ = call("--version")
    assert code == 0 and out.startswith("neuronal ")


TABLE = "a,b,y\n" + "".join(f"{i % 7},{i % 5},{i * i % 11}.5\n" for i in range(40))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"problem": {"split_seed": -1}}, "split_seed"),
        ({"problem": {"test_size": 0.99}}, "test_size"),
        ({"problem": {"test_size": 1e-9, "task": "classification"}}, "target|test_size"),
        ({"problem": {"target": "z"}}, "target"),
        ({"problem": {"path": "."}}, "path"),
        ({"problem": {"path": "a\0b.csv"}}, "path"),
        ({"networks": {"widths": [4], "seeds": [2**32]}}, "seeds"),
        ({"networks": {"widths": [4], "learning_rate": 1e-12}}, "learning_rate"),
        ({"run": {"until": 1.0, "seed": 2**64}}, "run.seed"),
        ({"run": {"until": 1e300}}, "learning_rate"),
    ],
)
@pytest.mark.parametrize("command", ["run", "couple", "sweep", "certify"])
def test_input_that_cannot_be_used_gets_one_message(call, tmp_path, changes, names, command):
    (tmp_path / "d.csv").write_text(TABLE)
    problem = {"kind": "table", "path": "d.csv", "target": "y", **changes.get("problem", {})}
    file = written(
        tmp_path / "t.toml", **{**changes, "problem": problem, "limit": {"enabled": False}}
    )
    extra = ("--set", "run.records=4") if command == "sweep" else ()
    code, _, err = call(command, file, *extra, "--out", tmp_path / "o")
    assert code == 2 and "Traceback" not in err
    assert re.search(names, err), err


WORDS = "Schicht \u03b5 \u2192 \u221e \u65e5\u672c"
"""A label outside of what most terminals show."""
LABELLED = {"systems": [CONTENT["systems"][0] | {"label": WORDS}]}


def printed(encoding, folder):
    """What a real process prints there of a run in the folder."""
    done = subprocess.run(
        [sys.executable, "-m", "neuronal", "run", written(folder.with_suffix(".toml"), **LABELLED),
         "--out", folder],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_shown(folder, words, encoding):
    """What the encoding has not is ? on the terminal; the page has all, in UTF-8."""
    assert WORDS in (folder / "report.html").read_text(encoding="utf-8")
    return (WORDS.encode() if encoding == "utf-8" else b"Schicht ?") in words


@pytest.fixture(scope="module")
def in_ascii(tmp_path_factory):
    """The folder of a run, and what it printed as ASCII."""
    folder = tmp_path_factory.mktemp("ascii") / "o"
    return folder, printed("ascii", folder)


@pytest.mark.slow
def test_what_a_terminal_cannot_show_stops_nothing(in_ascii):
    folder, words = in_ascii
    assert is_shown(folder, words, "ascii")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8"])
def test_nor_where_a_run_is_told_again(call, in_ascii, tmp_path, monkeypatch, encoding):
    shutil.copytree(in_ascii[0], tmp_path / "o")
    (tmp_path / "o" / "report.html").unlink()
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    file = written(tmp_path / "o.toml", **LABELLED)
    assert call("run", file, "--out", tmp_path / "o", "--resume")[0] == 0
    terminal.flush()
    assert is_shown(tmp_path / "o", terminal.buffer.getvalue(), encoding)


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8"])
def test_nor_while_a_run_computes_in_other_terminals(tmp_path, encoding):
    assert is_shown(tmp_path / "o", printed(encoding, tmp_path / "o"), encoding)
