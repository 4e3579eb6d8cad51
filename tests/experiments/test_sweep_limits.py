"""Limits that points share are solved once, and each folder is a whole run all the same."""

import copy

import numpy as np
import pytest

import neuronal as nr
from neuronal.drivers.ode import solve as ode
from neuronal.experiments import checkpoints, jobs, parse, run
from neuronal.experiments.folder import locked
from neuronal.experiments.sweep import limits, sweep

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "a", "embedding": "bidirectional", "depth": 2}],
    "limit": {"nodes": 4, "data_nodes": 8, "solver": "euler", "step": 0.25},
    "networks": {"widths": [4], "learning_rate": 0.25},
    "run": {"until": 1.0, "records": 2, "checkpoints": 1},
}


@pytest.fixture
def solved(monkeypatch):
    """The steps of the limits that were solved, so far."""
    steps = []
    prepare = ode.prepare

    def counted(problem, start, neurons, settings, interval):
        steps.append(settings.step)
        return prepare(problem, start, neurons, settings, interval)

    monkeypatch.setattr(ode, "prepare", counted)
    return steps


@pytest.mark.slow
def test_a_limit_that_no_setting_changes_is_solved_once(tmp_path, solved):
    settings = {"networks.batch_size": [1, 2], "systems.0.input_scale": [2.0, 3.0]}
    data = sweep(parse(CONTENT), settings, tmp_path / "s", 1)
    assert len(solved) == 2 and len(list((tmp_path / "s" / "limits").iterdir())) == 2
    assert (data.limit_risk.values[:, 0] != data.limit_risk.values[:, 1]).all()
    name = "networks.batch_size=2,systems.0.input_scale=3"
    content = CONTENT | {"networks": CONTENT["networks"] | {"batch_size": 2}}
    content["systems"] = [CONTENT["systems"][0] | {"input_scale": 3.0}]
    alone = run(parse(content), tmp_path / "alone")
    assert len(solved) == 3
    for job in ("system0-limit", "system0-width4-seed0"):
        ours, theirs = (
            checkpoints.load(folder / "checkpoints" / f"{job}.npz")
            for folder in (tmp_path / "s" / name, tmp_path / "alone")
        )
        for a, b in zip(ours.weights, theirs.weights, strict=True):
            np.testing.assert_array_equal(a, b)
    went_on = []
    again = run(parse(content), tmp_path / "s" / name, True, on_record=lambda *r: went_on.append(r))
    assert not went_on and len(solved) == 3
    for key in ("limit_risk", "risk", "limit_prediction", "prediction"):
        np.testing.assert_array_equal(again[key], alone[key])


def test_a_point_that_comes_later_takes_what_another_solved(tmp_path, solved):
    sweep(parse(CONTENT), {"networks.batch_size": [1]}, tmp_path, 1)
    assert len(solved) == 1 and not (tmp_path / "limits").exists()
    sweep(parse(CONTENT), {"networks.batch_size": [1, 2]}, tmp_path, 1)
    assert len(solved) == 1
    (point,) = tmp_path.glob("*batch_size=1*")
    with locked(point), pytest.raises(nr.InvalidInput, match="in use by another run"):
        sweep(parse(CONTENT), {"networks.batch_size": [1, 2]}, tmp_path, 1, overwrite=True)
    assert (point / "results.nc").is_file()
    sweep(parse(CONTENT), {"networks.batch_size": [1, 2]}, tmp_path, 1, overwrite=True)
    assert len(solved) == 2


def test_points_whose_limit_fails_are_told_and_the_others_go_on(tmp_path, monkeypatch):
    prepare = ode.prepare

    def fails(problem, start, neurons, settings, interval):
        if settings.step == 0.25:
            raise nr.InvalidInput("no step will do")
        return prepare(problem, start, neurons, settings, interval)

    monkeypatch.setattr(ode, "prepare", fails)
    settings = {"limit.step": [0.25, 0.5], "networks.batch_size": [1, 2]}
    data = sweep(parse(CONTENT), settings, tmp_path, 1)
    assert data.status.values.tolist() == [["failed"] * 2, ["finished"] * 2]
    assert data.error.values[0].tolist() == ["a, limit: no step will do"] * 2
    assert data.tries.values.tolist() == [[0, 0], [1, 1]]


def key(digest="", **changes):
    content = copy.deepcopy(CONTENT)
    for path, value in changes.items():
        *tables, name = path.split("__")
        table = content
        for part in tables:
            table = table[int(part)] if part.isdigit() else table.setdefault(part, {})
        table[name] = value
    experiment = parse(content)
    return limits.key_of(experiment, next(jobs.jobs(experiment)), digest)


@pytest.mark.parametrize(
    "changes",
    [
        {"networks__widths": [4, 8]},
        {"networks__seeds": [1, 2]},
        {"networks__batch_size": 3},
        {"networks__learning_rate": 0.125},  # with times that are equal
        {"name": "another"},
        {"description": "words"},
        {"coupling__nodes": 3},
    ],
)
def test_what_does_not_change_a_limit(changes):
    assert key(**changes) == key()


@pytest.mark.parametrize(
    "changes",
    [
        {"problem__noise": 0.1},
        {"loss__name": "log_cosh"},
        {"schedule__value": 0.5},
        {"motion__decay": 0.1},
        {"systems__0__depth": 3},
        {"systems__0__label": "b"},
        {"limit__nodes": 8},
        {"limit__until": 0.5},
        {"run__seed": 1},
        {"run__until": 2.0},
        {"run__records": 4},
        {"run__checkpoints": 2},
        {"run__precision": "float64"},
        {"networks__learning_rate": 0.2},
        {"digest": "of other data"},
    ],
)
def test_what_changes_a_limit(changes):
    assert key(**changes) != key()
