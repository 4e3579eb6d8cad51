"""Runs survive: killed, told to stop, files damaged, disks full, folders shared, memory short."""

import contextlib
import copy
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import xarray as xr

import neuronal as nr
from neuronal import kernels
from neuronal.experiments import certify as certificates
from neuronal.experiments import checkpoints, load, parse, results, run
from neuronal.experiments.checkpoints import RecoveryWarning
from neuronal.experiments.couple import couple_systems
from neuronal.experiments.folder import locked
from neuronal.kernels import memory
from neuronal.report import page

SCRIPT = Path(__file__).with_name("killed_runs.py")
CONTENT = {
    "name": "small",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "L = 3", "embedding": "bidirectional", "depth": 3, "rank": 2}],
    "limit": {"nodes": 8, "data_nodes": 8},
    "networks": {"widths": [4], "learning_rate": 0.1},
    "run": {"until": 2.0, "records": 10, "checkpoints": 2},
    "coupling": {"widths": [4, 8], "seeds": 2, "nodes": 8, "carried": 2, "records": 1, "until": 1.0},
}  # fmt: skip


def killed(kind, count, number="KILL"):
    told = subprocess.run(
        [sys.executable, str(SCRIPT), kind, str(count), number],
        capture_output=True, text=True, check=True, env=os.environ | {"JAX_PLATFORMS": "cpu"},
    ).stdout  # fmt: skip
    return json.loads(told)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits():
    """One that is killed once, and one that is killed twice."""
    found = killed("train", 2)
    assert found["equal"] == 2, found


@pytest.mark.long
@pytest.mark.parametrize("kind", ["train", "dense", "factored", "couple"])
def test_runs_killed_at_twenty_moments_go_on_to_the_same_bits(kind):
    found = killed(kind, 20)
    assert found["equal"] == 20, found


@pytest.mark.parametrize(
    ("kind", "number", "code", "count"),
    [
        pytest.param("dense", "INT", 130, 1, marks=pytest.mark.slow),
        pytest.param("factored", "TERM", 143, 1, marks=pytest.mark.slow),
        pytest.param("dense", "TERM", 143, 10, marks=pytest.mark.long),
        pytest.param("factored", "INT", 130, 10, marks=pytest.mark.long),
    ],
)
def test_a_run_told_to_stop_leaves_a_final_checkpoint(kind, number, code, count):
    found = killed(kind, count, number)
    assert found["equal"] == count, found
    ends = [e for a in found["tries"] for e in zip(a["codes"], a["words"], strict=True)]
    assert {c for c, _ in ends} <= {code, 0}, found
    for ended_with, words in ends:
        assert not ended_with or "neuronal: interrupted" in words, found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return run(parse(CONTENT), folder), folder


@pytest.fixture
def broken(whole, tmp_path):
    """A copy of the run without its results, the files of its limit, and a way to go on with it."""
    folder = tmp_path / "copy"
    shutil.copytree(whole[1], folder)
    (folder / "results.nc").unlink()

    def resumed():
        data = run(parse(CONTENT), folder, resume=True)
        for name in ("risk", "limit_risk", "prediction", "limit_prediction", "limit_steps"):
            np.testing.assert_array_equal(data[name].values, whole[0][name].values, err_msg=name)

    return folder / "checkpoints" / "system0-limit.npz", resumed


def shortened(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(path):
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


def made_infinite(path):
    with np.load(path) as data:
        arrays = dict(data)
    arrays["state.weights.1"][0, 0] = np.inf
    np.savez(path, **arrays)


DAMAGE = [shortened, overwritten, emptied, made_infinite]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_said_and_the_one_before_it_used(broken, damage):
    path, resumed = broken
    damage(path)
    with pytest.warns(RecoveryWarning, match=r"limit.npz.*goes on from the checkpoint before it"):
        resumed()
    assert path.with_name("system0-limit.npz.damaged").is_file()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecoveryWarning)
        resumed()


@pytest.mark.parametrize("damage", DAMAGE)
def test_where_both_generations_are_damaged_the_job_starts_anew(broken, damage):
    path, resumed = broken
    damage(path)
    damage(path.with_name("system0-limit.previous.npz"))
    with pytest.warns(RecoveryWarning, match="starts anew"):
        resumed()


def test_a_glance_reads_what_was_recorded_without_weights(whole, broken):
    path, _ = broken
    seen, full = checkpoints.glance(path), checkpoints.load(path)
    assert (seen.records, seen.time, seen.seconds) == (full.records, full.time, full.seconds)
    np.testing.assert_array_equal(seen.series["risk"], whole[0].limit_risk[0])
    assert seen.weights == [] and seen.pace is None
    earlier = checkpoints.load(path.with_name("system0-limit.previous.npz"))
    shortened(path)
    assert checkpoints.glance(path).records == earlier.records < full.records
    path.with_name("system0-limit.previous.npz").unlink()
    assert checkpoints.glance(path) is None and path.is_file()


def test_two_generations_are_kept_whatever_the_moment(tmp_path, monkeypatch):
    """Stopped before any of the moves of a file, one of the generations is whole."""
    path = tmp_path / "a.npz"
    states = [checkpoints.Checkpoint(k, [np.full((2, 2), k)], {}) for k in (1, 2, 3)]
    checkpoints.save(path, states[0])
    checkpoints.save(path, states[1])
    move = os.replace
    for allowed, expected in ((0, 2), (1, 2), (2, 3)):
        left = [allowed]

        def stopped(source, target, left=left):
            if left[0] == 0:
                raise SystemExit
            left[0] -= 1
            move(source, target)

        monkeypatch.setattr(os, "replace", stopped)
        with contextlib.suppress(SystemExit):
            checkpoints.save(path, states[2])
        monkeypatch.setattr(os, "replace", move)
        assert checkpoints.latest(path).records == expected


@pytest.mark.parametrize("damage", [shortened, overwritten, emptied])
def test_damaged_results_are_found_and_written_anew_from_the_checkpoints(whole, tmp_path, damage):
    folder = tmp_path / "copy"
    shutil.copytree(whole[1], folder)
    damage(folder / "results.nc")
    with pytest.raises(nr.InvalidInput, match=r"results.nc .* cannot be read; .*--resume"):
        results.read(folder)
    xr.testing.assert_identical(run(parse(CONTENT), folder, resume=True), whole[0])
    xr.testing.assert_identical(results.read(folder), whole[0])


def test_one_number_changed_in_the_results_is_noticed(whole, tmp_path):
    file = tmp_path / "results.nc"
    content = (whole[1] / "results.nc").read_bytes()
    number = np.float64(whole[0].limit_risk.values[0, 3]).tobytes()
    assert content.count(number) == 1
    file.write_bytes(content.replace(number, np.float64(0.25).tobytes()))
    with pytest.raises(nr.InvalidInput, match="cannot be read"):
        results.read(tmp_path)


@pytest.mark.parametrize("when", [1, 4])
def test_a_full_disk_leaves_a_run_that_can_be_gone_on_with(whole, tmp_path, monkeypatch, when):
    sync, count = os.fsync, [0]

    def full(descriptor):
        count[0] += 1
        if count[0] > when:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    folder = tmp_path / "full"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run(parse(CONTENT), folder)
    monkeypatch.setattr(os, "fsync", sync)
    assert not list(folder.rglob("*.partial"))
    data = run(parse(CONTENT), folder, resume=True)
    np.testing.assert_array_equal(data.risk.values, whole[0].risk.values)


def test_what_a_killed_process_was_writing_is_cleared_away(whole, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(whole[1], folder)
    torn = [folder / ".results.nc.partial", folder / "checkpoints" / ".a.npz.x.partial"]
    for file in torn:
        file.write_bytes(b"half")
    run(parse(CONTENT), folder, resume=True)
    assert not any(file.exists() for file in torn)


def test_files_of_others_are_never_cleared_away(tmp_path):
    mine = [tmp_path / ".thesis.tex.partial", tmp_path / "checkpoints" / ".mine.partial"]
    mine[1].parent.mkdir()
    for file in mine:
        file.write_text("mine")
    with pytest.raises(nr.InvalidInput, match="holds files that are no run"):
        run(parse(CONTENT), tmp_path, overwrite=True)
    assert all(file.read_text() == "mine" for file in mine)


def test_a_folder_that_another_run_writes_is_refused(whole, tmp_path):
    folder = tmp_path / "a"
    with locked(folder):
        for use in (run, couple_systems):
            with pytest.raises(nr.InvalidInput, match="in use by another run"):
                use(parse(CONTENT), folder)
    assert list(folder.iterdir()) in ([], [folder / ".lock"])
    run(parse(CONTENT), folder)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(nr.InvalidInput, match="--out: .*cannot be written|is a file"):
        run(parse(CONTENT), tmp_path / "file" / "deeper")


class Interrupted(BaseException):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 3])
def test_an_interrupted_coupling_goes_on_from_its_runs(tmp_path, runs):
    expected = couple_systems(parse(CONTENT), tmp_path / "whole")
    told = []

    def interrupt(words, share):
        told.append(words)
        if len(told) == runs:
            raise Interrupted

    with pytest.raises(Interrupted):
        couple_systems(parse(CONTENT), tmp_path / "a", on_run=interrupt)
    kept = list((tmp_path / "a" / "coupling-runs").rglob("*.npz"))
    assert len(kept) >= 2 + runs
    shortened(kept[0])
    before = {file: file.stat().st_mtime_ns for file in kept[1:]}
    with pytest.warns(RecoveryWarning, match="is made anew"):
        again = couple_systems(
            parse(CONTENT), tmp_path / "a",
            on_run=lambda *_: [pytest.fail(str(f)) for f in before if f.stat().st_mtime_ns != before[f]],
        )  # fmt: skip
    xr.testing.assert_identical(again, expected)
    assert not (tmp_path / "a" / "coupling-runs").exists()


@pytest.mark.slow
def test_runs_of_another_coupling_are_not_taken(tmp_path):
    told = []

    def interrupt(words, share):
        raise Interrupted

    with pytest.raises(Interrupted):
        couple_systems(parse(CONTENT), tmp_path / "a", on_run=interrupt)
    content = copy.deepcopy(CONTENT)
    content["coupling"]["nodes"] = 16
    fresh = couple_systems(parse(content), tmp_path / "b")
    again = couple_systems(parse(content), tmp_path / "a", on_run=lambda *told_: told.append(told_))
    xr.testing.assert_identical(again, fresh)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit": {"nodes": 2**13, "kernel": "dense"}, "networks": {}}, "limit.nodes"),
        ({"limit": {"enabled": False}, "networks": {"widths": [4, 2**13]}}, "networks.widths"),
    ],
)
def test_what_does_not_fit_into_memory_is_said_before_anything_runs(
    tmp_path, monkeypatch, change, field
):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**28)
    ran = []
    with pytest.raises(nr.InvalidInput, match=rf"{field}: .* GiB .*0.25 GiB are free; take fewer"):
        run(parse(CONTENT | change), tmp_path / "a", on_record=lambda *record: ran.append(record))
    assert not ran


def test_the_memory_told_is_that_of_the_matrices(monkeypatch):
    embedding = nr.embeddings.Bidirectional(2, 4, rank=2)
    problem = nr.Problem(
        nr.distributions.Regression(lambda x: x[:, 0], nr.distributions.Gaussian(2)),
        nr.losses.Squared(),
    )
    exactly = 2 * 64 * 64 * 4
    monkeypatch.setattr(memory, "free_bytes", lambda: exactly)
    embedding.sample(64, 0)
    with pytest.raises(nr.InvalidInput, match="nodes: .*kernel='factored'"):
        nr.solve(problem, embedding, 1.0, nodes=64)
    monkeypatch.setattr(memory, "free_bytes", lambda: exactly - 1)
    with pytest.raises(nr.InvalidInput, match="widths: matrices between layers of 64, 64, 64"):
        embedding.sample(64, 0)
    embedding.sample(64, 0, kernel="factored")
    # Layers of neurons that are all alike have one node.
    nr.embeddings.IID(2, 6).quadrature(64)


def test_memory_is_counted_where_the_machine_tells():
    assert memory.free_bytes() > 2**20
    assert kernels.matrix(np.eye(2)).shape == (2, 2)


@pytest.mark.slow
def test_certificates_of_a_finished_run_are_not_made_anew(tmp_path, call, monkeypatch):
    file = tmp_path / "small.toml"
    file.write_text(tomli_w.dumps(CONTENT))
    code, out, err = call("run", file, "--out", tmp_path / "a")
    assert code == 0, err
    lines = [line for line in out.splitlines() if " after " in line]
    assert [line.split(":")[0] for line in lines] == ["L = 3, limit", "L = 3, width 4, seed 0"]
    made = []
    certify = certificates.certify_systems
    monkeypatch.setattr(
        certificates, "certify_systems", lambda *a, **k: made.append(1) or certify(*a, **k)
    )
    code, out, err = call("run", file, "--out", tmp_path / "a", "--resume", "--quiet")
    assert (code, out, made) == (0, "", [])
    shortened(tmp_path / "a" / "certificate.json")
    assert call("run", file, "--out", tmp_path / "a", "--resume")[0] == 0 and made == [1]


@pytest.mark.parametrize("ignored", [False, True])
def test_a_signal_during_the_imports_ends_the_command_without_a_word(tmp_path, ignored):
    """A module that the command line imports sends it the signal; one told to ignore it goes on."""
    (tmp_path / "typer.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nprint('went on')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "neuronal", "--version"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL
        ),
        capture_output=True,
        text=True,
    )
    if ignored:
        assert ended.stdout == "went on\n"
    else:  # a shell says 130
        assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_a_full_disk_is_one_message(tmp_path, call, monkeypatch):
    file = tmp_path / "small.toml"
    file.write_text(tomli_w.dumps(CONTENT))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code, _out, err = call("run", file, "--out", tmp_path / "a")
    assert code == 2 and err.count("\n") == 1
    assert f"No space left on device: {tmp_path / 'a' / 'config.toml'}; --resume goes on" in err


def test_an_error_of_words_alone_keeps_them(tmp_path, call, monkeypatch):
    """HDF5 raises such, without a number of the system's."""
    file = tmp_path / "small.toml"
    file.write_text(tomli_w.dumps(CONTENT))

    def full(descriptor):
        raise OSError("Can't write data")

    monkeypatch.setattr(os, "fsync", full)
    code, _out, err = call("run", file, "--out", tmp_path / "a")
    assert code == 2 and err.count("\n") == 1
    assert f"Can't write data; {tmp_path / 'a' / 'config.toml'}; --resume goes on" in err


def test_a_page_is_written_whole_or_stays_as_it_was(whole, tmp_path, monkeypatch):
    page.write(whole[0], tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*risk.pdf'"):
        page.write(whole[0], tmp_path)
    with pytest.raises(OSError, match="No space left on device: '.*results.nc'"):
        results.write(whole[0], tmp_path / "results.nc")
    assert {p.name for p in tmp_path.iterdir()} == {"report.html", "figures"}
    assert not list(tmp_path.rglob("*.partial"))
    assert (tmp_path / "report.html").read_bytes() == before


def test_a_recovery_is_said_on_the_command_line(whole, tmp_path, call):
    folder = tmp_path / "copy"
    shutil.copytree(whole[1], folder)
    shortened(folder / "checkpoints" / "system0-limit.npz")
    file = tmp_path / "small.toml"
    file.write_text(tomli_w.dumps(CONTENT))
    code, _, err = call("run", file, "--out", folder, "--resume", "--quiet")
    assert code == 0 and "goes on from the checkpoint before it" in err and "Warning" not in err


@pytest.mark.slow
def test_no_path_of_the_machine_is_in_what_a_run_leaves(tmp_path, call):
    """Neither where it ran nor who ran it, nor where its data lie."""
    home = tmp_path / "secret-home"
    home.mkdir()
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{a:.4f},{b:.4f},{a + b:.4f}" for a, b in rng.normal(size=(20, 2)))
    (home / "d.csv").write_text(f"a,b,y\n{rows}\n")
    content = CONTENT | {
        "problem": {"kind": "table", "path": "d.csv", "target": "y", "features": ["a", "b"]}
    }
    (home / "small.toml").write_text(tomli_w.dumps(content))
    folder = home / "runs" / "a"
    for verb in ("run", "couple"):
        code, _, err = call(verb, home / "small.toml", "--out", folder)
        assert code == 0, err
    words = [b"secret-home", str(tmp_path).encode(), os.uname().nodename.encode()]
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 8
    for file in files:
        # A short name stands in compressed data by chance.
        least = 8 if file.suffix in {".png", ".pdf"} else 1
        read = [name for name in words if len(name) >= least and name in file.read_bytes()]
        assert not read, (file.name, read)
    assert load(folder / "config.toml").problem.path == str(home / "d.csv")
    shutil.move(folder, home / "b")  # and what has moved is gone on with
    assert call("run", home / "small.toml", "--out", home / "b", "--resume")[0] == 0
