"""A run's folder, and that stopping and resuming changes nothing."""

import copy
import errno
import os
import re
import tomllib

import jax
import numpy as np
import pytest
import xarray as xr

import neuronal as nr
from neuronal.experiments import checkpoints, legs, parse, run
from neuronal.experiments.build import build
from neuronal.experiments.certify import certify_systems
from neuronal.experiments.couple import couple_systems
from neuronal.experiments.jobs import jobs, start, times
from neuronal.files.writing import atomically
from neuronal.kernels import Factored

CONTENT = {
    "name": "small",
    "problem": {"kind": "regression", "target": "sine", "noise": 0.1},
    "systems": [
        {"label": "L = 2", "embedding": "bidirectional", "depth": 2, "input_scale": 3.0},
        {"label": "iid", "embedding": "iid", "depth": 3},
    ],
    "limit": {"nodes": 8, "data_nodes": 8},
    "networks": {"widths": [4], "seeds": [0, 3], "learning_rate": 0.1, "batch_size": 2},
    "run": {"until": 3.0, "records": 12, "checkpoints": 3},
}
SERIES = ("risk", "limit_risk", "prediction", "limit_prediction")


@pytest.fixture(scope="module")
def experiment():
    return parse(CONTENT)


@pytest.fixture(scope="module")
def whole(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return run(experiment, folder), folder


def test_a_run_leaves_its_folder(whole, experiment):
    data, folder = whole
    assert parse(tomllib.loads((folder / "config.toml").read_text())) == experiment
    with xr.open_dataset(folder / "results.nc", engine="h5netcdf") as opened:
        xr.testing.assert_identical(opened.load(), data)
    names = {path.name for path in (folder / "checkpoints").iterdir()}
    files = {job.file for job in jobs(experiment)}
    assert names == files | {f"{name[:-4]}.previous.npz" for name in files} and len(names) == 12
    assert not list(folder.rglob("*.partial"))


def test_the_dataset_is_labelled_and_complete(whole):
    data, _ = whole
    assert data.risk.dims == ("system", "width", "seed", "time")
    assert data.limit_risk.dims == ("system", "time")
    assert list(data.width) == [4] and list(data.seed) == [0, 3]
    assert list(data.system.values) == ["L = 2", "iid"]
    for name in SERIES:
        assert np.isfinite(data[name].values).all(), name
        assert data[name].attrs["description"]
    assert float(data.infimum) == pytest.approx(0.5 * 0.1**2)
    assert float(data.constant_risk) == pytest.approx(0.5 * (0.5 + 0.1**2), rel=1e-3)
    assert float(data.time[-1]) == pytest.approx(3.0) and float(data.time[0]) == 0


def test_the_numbers_are_those_of_the_drivers(whole, experiment):
    data, _ = whole
    system = build(experiment).systems[0]
    limit = nr.solve(
        system.problem, system.embedding, 3.0, nodes=8, rtol=1e-6, data_nodes=8, save_at=12
    )
    np.testing.assert_allclose(data.limit_risk.values[0, -1], limit.loss[-1], rtol=1e-2)
    neurons, samples = jax.random.split(jax.random.fold_in(jax.random.key(0), 3))
    network = system.embedding.sample(4, neurons)
    trained = nr.train(system.problem, network, 0.1, 3.0, samples, 2, data_nodes=8, save_at=12)
    np.testing.assert_allclose(data.risk.values[0, 0, 1, -1], trained.loss[-1], rtol=1e-5)


def test_one_seed_has_the_same_neurons_at_every_width():
    content = copy.deepcopy(CONTENT)
    content["networks"]["widths"] = [4, 6]
    wider = parse(content)
    system = build(wider).systems[0]
    networks = {
        (job.width, job.seed): start(wider, system, job)
        for job in jobs(wider)
        if job.system == 0 and job.width
    }
    narrow, wide = networks[4, 0].weights[0], networks[6, 0].weights[0]
    np.testing.assert_array_equal(narrow, wide[:4])
    assert not np.array_equal(networks[4, 3].weights[0], narrow)


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("records", [6, 30, 50])
def test_an_interrupted_and_resumed_run_gives_the_same_numbers(
    whole, experiment, tmp_path, records
):
    count = 0

    def interrupt(job, t, risk):
        nonlocal count
        count += 1
        if count == records:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(experiment, tmp_path / "b", on_record=interrupt)
    assert not (tmp_path / "b" / "results.nc").exists()
    again = []
    data = run(
        experiment, tmp_path / "b", resume=True, on_record=lambda job, t, risk: again.append(t)
    )
    assert 0 < len(again) < 78 - records + 5  # goes on, and does not start anew
    for name in SERIES:
        np.testing.assert_array_equal(data[name].values, whole[0][name].values, err_msg=name)
    np.testing.assert_array_equal(data.steps.values, whole[0].steps.values)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["networks", "dense", "factored"])
def test_a_run_goes_on_to_the_same_bits_after_every_record(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(legs, "SAVE_EVERY", 0.0)
    content = copy.deepcopy(CONTENT)
    content["systems"] = [{"label": "L = 3", "embedding": "bidirectional", "depth": 3, "rank": 2}]
    content["run"] |= {"until": 1.2, "records": 4, "checkpoints": 2}
    if kind == "networks":
        content["limit"] = {"enabled": False}
    else:
        content["networks"] = {}
        content["limit"] |= {"kernel": kind, "nodes": 16, "rtol": 1e-4}
    experiment, series = parse(content), "risk" if kind == "networks" else "limit_risk"
    seen = []
    whole = run(experiment, tmp_path / "whole", on_record=lambda *record: seen.append(record))

    def state(folder):
        files = sorted((tmp_path / folder / "checkpoints").glob("*[0-9t].npz"))
        found = [jax.tree.leaves(checkpoints.load(file).weights) for file in files]
        return [array for arrays in found for array in arrays]

    for last in range(1, len(seen)):
        folder, count = f"after {last}", [0]

        def interrupt(job, t, risk, count=count, last=last):
            count[0] += 1
            if count[0] > last:
                raise Interrupted

        with pytest.raises(Interrupted):
            run(experiment, tmp_path / folder, on_record=interrupt)
        again = run(experiment, tmp_path / folder, resume=True)
        np.testing.assert_array_equal(again[series], whole[series], err_msg=folder)
        for one, other in zip(state(folder), state("whole"), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=folder)


def test_resuming_a_finished_run_computes_nothing(whole, experiment):
    data, folder = whole
    seen = []
    again = run(experiment, folder, resume=True, on_record=lambda *record: seen.append(record))
    assert not seen
    xr.testing.assert_identical(again, data)


def test_a_folder_with_another_run_is_refused(whole, experiment, tmp_path):
    _, folder = whole
    content = copy.deepcopy(CONTENT)
    content["limit"]["nodes"] = 16
    other = parse(content)
    with pytest.raises(nr.InvalidInput, match="finished run of another configuration"):
        run(other, folder)
    with pytest.raises(nr.InvalidInput, match=r"another configuration \(limit differ\)"):
        run(other, folder, resume=True)
    with pytest.raises(nr.InvalidInput, match="finished run of this configuration"):
        run(experiment, folder)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(nr.InvalidInput, match="holds files that are no run"):
        run(experiment, tmp_path, overwrite=True)
    with pytest.raises(nr.InvalidInput, match="is a file"):
        run(experiment, tmp_path / "notes.txt")


def test_overwriting_starts_anew(experiment, tmp_path):
    content = copy.deepcopy(CONTENT)
    content["systems"] = content["systems"][:1]
    content["networks"]["widths"] = []
    run(parse(content), tmp_path / "a")
    content["limit"]["rule"] = "monte-carlo"
    seen = []
    data = run(parse(content), tmp_path / "a", overwrite=True, on_record=lambda *r: seen.append(r))
    assert len(seen) == 13 and "risk" not in data


def test_a_diverging_run_keeps_its_last_finite_checkpoint(tmp_path):
    content = copy.deepcopy(CONTENT)
    content["systems"] = content["systems"][:1]
    content["systems"][0] |= {"activation": "identity", "input_scale": 20.0}
    content["networks"] = {"widths": [4], "learning_rate": 0.5}
    content["limit"] = {"enabled": False}
    content["run"] = {"until": 50.0, "records": 50, "checkpoints": 5}
    with pytest.raises(
        nr.DivergenceError, match="L = 2, width 4, seed 0: diverged at t = "
    ) as error:
        run(parse(content), tmp_path / "a")
    told = float(re.search(r"diverged at t = ([\d.]+)", str(error.value)).group(1))
    assert told == pytest.approx(error.value.time, rel=1e-3)
    assert "learning_rate" in str(error.value)
    state = checkpoints.load(tmp_path / "a" / "checkpoints" / "system0-width4-seed0.npz")
    assert state.diverged_at == error.value.time
    assert all(np.isfinite(w).all() for w in state.weights)
    assert np.isfinite(state.series["risk"]).all() and len(state.series["risk"]) == state.records
    assert not (tmp_path / "a" / "results.nc").exists()


@pytest.mark.slow
def test_classification_records_accuracy_on_held_out_data(tmp_path):
    content = copy.deepcopy(CONTENT)
    content["problem"] = {"kind": "wine"}
    content["loss"] = {"name": "cross_entropy"}
    content["systems"] = [{"label": "L = 3", "embedding": "bidirectional", "depth": 3, "rank": 4}]
    content["limit"] = {"nodes": 8, "solver": "euler", "step": 0.25, "until": 1.5}
    content["networks"] = {"widths": [16], "learning_rate": 0.25, "batch_size": 8}
    content["run"] = {"until": 20.0, "records": 20}
    data = run(parse(content), tmp_path / "a")
    assert float(data.test_accuracy[0, 0, 0, -1]) > 0.9 > float(data.test_accuracy[0, 0, 0, 0])
    assert np.isfinite(data.test_risk.values).all()
    # the limit stops at its own horizon, and says nothing after it
    reached = np.isfinite(data.limit_test_accuracy.values[0])
    assert reached.sum() == 2 and reached[:2].all()
    assert "prediction" not in data


def test_float64_is_float64(tmp_path):
    content = copy.deepcopy(CONTENT)
    content["systems"] = content["systems"][:1]
    content["networks"] = {}
    content["limit"] = {"nodes": 4, "solver": "euler", "step": 0.25}
    content["run"] = {"until": 0.5, "records": 2, "precision": "float64"}
    run(parse(content), tmp_path / "a")
    state = checkpoints.load(tmp_path / "a" / "checkpoints" / "system0-limit.npz")
    assert {w.dtype for w in state.weights} == {np.dtype("float64")}
    assert not jax.config.jax_enable_x64


@pytest.mark.slow
def test_limits_on_factored_kernels_are_those_on_dense_ones_and_resume(tmp_path):
    content = copy.deepcopy(CONTENT)
    content["systems"] = [{**CONTENT["systems"][0], "label": "L = 4", "depth": 4, "rank": 4}]
    content["networks"] = {}
    content["limit"] |= {"nodes": 64, "rtol": 1e-5}
    content["run"] |= {"precision": "float64"}

    def risks(folder, kernel, **how):
        content["limit"]["kernel"] = kernel
        return run(parse(content), tmp_path / folder, **how).limit_risk.values

    dense, factored = risks("dense", "dense"), risks("factored", "factored")
    np.testing.assert_allclose(factored, dense, rtol=1e-4)
    file = tmp_path / "factored" / "checkpoints" / "system0-limit.npz"
    state = checkpoints.load(file)
    assert all(isinstance(w, Factored) for w in state.weights[1:-1])
    assert "of rank" in state.ensemble

    def interrupt(job, t, risk):
        if t > 1.6:
            raise Interrupted

    with pytest.raises(Interrupted):
        risks("again", "factored", on_record=interrupt)
    np.testing.assert_array_equal(risks("again", "factored", resume=True), factored)


def test_a_limit_wide_enough_is_factored_of_itself():
    content = copy.deepcopy(CONTENT)
    content["systems"] = [{**CONTENT["systems"][0], "label": label, "depth": 3} for label in "ab"]
    for nodes, kind in ((64, jax.Array), (2048, Factored)):
        content["limit"]["nodes"] = nodes
        experiment = parse(content)
        job = next(jobs(experiment))
        assert isinstance(start(experiment, build(experiment).systems[0], job).weights[1], kind)


def test_record_times_are_whole_steps(experiment):
    content = copy.deepcopy(CONTENT)
    content["run"] = {"until": 100.0, "records": 30, "spacing": "log"}
    grid = times(parse(content))
    np.testing.assert_allclose(grid / 0.1, np.round(grid / 0.1), atol=1e-9)
    assert grid[0] == 0 and grid[1] == pytest.approx(0.1) and np.all(np.diff(grid) > 0)
    assert np.diff(grid)[-1] > 10 * np.diff(grid)[1]


def test_a_checkpoint_keeps_the_whole_state(tmp_path):
    """What a motion carries besides weights too, as matrices or as factors."""
    rng = np.random.default_rng(0)
    low = Factored(rng.normal(size=(2, 3)), rng.normal(size=(2, 4)), np.ones(2))
    memory = {"velocity_1": rng.normal(size=(3, 2)), "velocity_2": low}
    path = tmp_path / "a.npz"
    checkpoints.save(path, checkpoints.Checkpoint(1, [np.eye(3), low], {}, memory=memory))
    again = checkpoints.load(path)
    assert list(again.memory) == list(memory)
    for ours, theirs in zip(
        jax.tree.leaves((again.weights, again.memory)),
        jax.tree.leaves(([np.eye(3), low], memory)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_folder_from_before_a_table_was_there_is_gone_on_with(tmp_path, experiment):
    """A table that its configuration does not have stood at its defaults."""
    run(experiment, tmp_path / "a")
    config = tmp_path / "a" / "config.toml"
    text = re.sub(r"\[motion\]\n(.+\n)*\n?", "", config.read_text())
    assert "motion" not in text
    config.write_text(text)
    run(experiment, tmp_path / "a", resume=True)
    decaying = copy.deepcopy(CONTENT)
    decaying["motion"] = {"decay": 0.1}
    with pytest.raises(nr.InvalidInput, match="motion differ"):
        run(parse(decaying), tmp_path / "a", resume=True)


@pytest.mark.slow
def test_weights_decay_as_the_file_says(tmp_path):
    content = copy.deepcopy(CONTENT)
    plain = run(parse(content), tmp_path / "plain")
    content["motion"] = {"decay": 1.0}
    decaying = run(parse(content), tmp_path / "decaying")
    for name in ("limit_risk", "risk"):
        assert np.all(decaying[name].isel(time=-1) != plain[name].isel(time=-1))
        assert np.all(decaying[name].isel(time=0) == plain[name].isel(time=0))


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path):
    state = checkpoints.Checkpoint(2, [np.eye(2)], {"risk": np.array([2.0, 1.0])}, steps=7)
    path = tmp_path / "deep" / "a.npz"
    checkpoints.save(path, state)

    def fails(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as caught:
        atomically(path, fails)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)
    again = checkpoints.load(path)
    assert again.steps == 7 and [p.name for p in path.parent.iterdir()] == ["a.npz"]
    np.testing.assert_array_equal(again.weights[0], np.eye(2))
    assert checkpoints.load(tmp_path / "none.npz") is None
    path.write_bytes(b"rubbish")
    with pytest.raises(nr.InvalidInput, match=r"a\.npz.*cannot be read"):
        checkpoints.load(path)


def written(path, factor=1.0, extra=""):
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{factor * (a + b):.4f}{extra}" for a, b in rng.normal(size=(20, 2))]
    path.write_text("\n".join(["a,b,y" + extra.replace("7", "z"), *rows]) + "\n")


@pytest.fixture
def on_data(tmp_path):
    """An experiment on a table, its file, and a folder that holds its run."""
    file, folder = tmp_path / "d.csv", tmp_path / "run"
    written(file)
    content = CONTENT | {
        "problem": {"kind": "table", "path": str(file), "target": "y", "features": ["a", "b"]},
        "systems": CONTENT["systems"][:1],
        "limit": {"enabled": False},
        "networks": {"widths": [4], "learning_rate": 0.1},
        "run": {"until": 1.0, "records": 4, "checkpoints": 2},
        "coupling": {"widths": [4, 8], "seeds": 2, "nodes": 8, "carried": 0, "records": 1},
    }
    run(parse(content), folder)
    return parse(content), file, folder


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("factor", [2.0, -1.0, 1.0001])
def test_data_edited_since_are_refused_by_name(on_data, factor, finished):
    experiment, file, folder = on_data
    if not finished:
        (folder / "results.nc").unlink()
        for path in (folder / "checkpoints").iterdir():
            path.unlink()
    written(file, factor)
    for use in (
        lambda: run(experiment, folder, resume=True),
        lambda: couple_systems(experiment, folder),
        lambda: certify_systems(experiment, folder=folder),
    ):
        with pytest.raises(nr.InvalidInput, match="d.csv.*edited since"):
            use()
    again = run(experiment, folder, overwrite=True)
    np.testing.assert_array_equal(run(experiment, folder.parent / "new").risk, again.risk)


def test_data_that_say_the_same_are_taken(on_data):
    experiment, file, folder = on_data
    written(file, extra=",7")  # a column that is not used
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    run(experiment, folder, resume=True)


@pytest.mark.slow
def test_a_coupling_alone_is_made_anew_of_edited_data(on_data):
    experiment, file, folder = on_data
    folder = folder.parent / "coupled"
    couple_systems(experiment, folder)
    written(file, 2.0)
    with pytest.raises(nr.InvalidInput, match="holds a finished coupling|edited since"):
        couple_systems(experiment, folder)
    couple_systems(experiment, folder, overwrite=True)
    run(experiment, folder, resume=True)


def test_a_law_has_no_digest(whole):
    assert not (whole[1] / "data.sha256").exists()
