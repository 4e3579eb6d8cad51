"""What an experiment file adds to the motion: it is in the runs, goes on to the same bits, and is checked."""

import copy

import jax
import numpy as np
import pytest

import neuronal as nr
from neuronal.experiments import checkpoints, legs
from neuronal.experiments.build import build
from neuronal.experiments.config import parse
from neuronal.experiments.runner import run

CONTENT = {
    "name": "motion",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "L = 3", "embedding": "bidirectional", "depth": 3, "rank": 2}],
    "limit": {"nodes": 12, "data_nodes": 8},
    "networks": {"widths": [6], "learning_rate": 0.1, "batch_size": 2},
    "run": {"until": 0.8, "records": 4, "checkpoints": 2},
}
MOTIONS = {
    "momentum": ({"momentum": [0.5, 0.0, 1.0], "decay": 0.2}, {}),
    "noise": (
        {"temperature": [0.1, 0.0, 0.2], "penalty": 0.05, "momentum": 0.5},
        {"solver": "euler", "step": 0.05},
    ),
}


def with_motion(motion, limit=None, **tables):
    content = copy.deepcopy(CONTENT)
    content["motion"] = motion
    content["limit"] |= limit or {}
    for name, table in tables.items():
        content[name] = content.get(name, {}) | table
    return content


class Interrupted(BaseException):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("kind", MOTIONS)
def test_a_run_goes_on_to_the_same_bits_and_records_the_objective(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(legs, "SAVE_EVERY", 0.0)
    experiment = parse(with_motion(*MOTIONS[kind]))
    seen = []
    whole = run(experiment, tmp_path / "whole", on_record=lambda *record: seen.append(record))

    def states(folder):
        files = sorted((tmp_path / folder / "checkpoints").glob("*[0-9t].npz"))
        found = [checkpoints.load(file) for file in files]
        assert all(sorted(f.memory) == ["velocity_1", "velocity_2", "velocity_3"] for f in found)
        return jax.tree.leaves([(f.weights, f.memory) for f in found])

    for last in (1, 3, 4, 7):  # of 5 records of the limit, and 5 of the network
        folder, count = f"after {last}", [0]

        def interrupt(job, t, risk, count=count, last=last):
            count[0] += 1
            if count[0] > last:
                raise Interrupted

        with pytest.raises(Interrupted):
            run(experiment, tmp_path / folder, on_record=interrupt)
        again = run(experiment, tmp_path / folder, resume=True)
        for name in ("limit_risk", "risk", "limit_objective", "objective"):
            np.testing.assert_array_equal(again[name], whole[name], err_msg=f"{folder} {name}")
        for one, other in zip(states(folder), states("whole"), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=folder)
    assert np.all(whole.objective > whole.risk) and np.all(whole.limit_objective > whole.limit_risk)


def test_the_numbers_are_those_of_the_drivers(tmp_path):
    experiment = parse(with_motion(*MOTIONS["noise"], networks={"widths": []}))
    found = run(experiment, tmp_path)
    system = build(experiment).systems[0]
    network = system.embedding.quadrature(12, "sobol", 0)
    limit = nr.solve(
        system.problem,
        network,
        0.8,
        solver="euler",
        step=0.05,
        data_nodes=8,
        save_at=found.time.values,
    )
    np.testing.assert_allclose(found.limit_risk[0], limit.loss, rtol=1e-6)
    np.testing.assert_allclose(found.limit_objective[0], limit.objective, rtol=1e-6)
    np.testing.assert_allclose(found.time / 0.05, np.round(found.time / 0.05), atol=1e-12)


@pytest.mark.slow
def test_frozen_layers_stay(tmp_path):
    experiment = parse(with_motion({}, schedule={"kind": "depth_balanced", "frozen": [1, 2]}))
    run(experiment, tmp_path)
    built = build(experiment)
    for file in (tmp_path / "checkpoints").glob("*[0-9t].npz"):
        found = checkpoints.load(file).weights
        begin = built.systems[0].embedding
        if "limit" in file.name:
            start = begin.quadrature(12, "sobol", 0)
            for i in (0, 1):
                np.testing.assert_array_equal(found[i], start.weights[i])
            assert np.abs(found[2] - start.weights[2]).max() > 1e-4


@pytest.mark.parametrize(
    ("says", "motion", "limit", "tables"),
    [
        ("motion.momentum: takes one number, or one per layer", {"momentum": [0.1]}, {}, {}),
        ("motion.temperature: takes one number per layer, 0 between", {"temperature": 0.1}, {}, {}),
        (
            "motion.temperature: takes one number per layer",
            {"temperature": [0.1, 0.1, 0.1]}, {}, {},
        ),
        ("limit.solver: motion.temperature takes 'euler'", {"temperature": [0.1, 0, 0]}, {}, {}),
        ("limit.solver: motion.penalty takes 'euler'", {"penalty": 0.1}, {"solver": "heun", "step": 0.1}, {}),
        ("limit.solver: motion.momentum takes another", {"momentum": 0.1}, {"solver": "rkc"}, {}),
        ("limit.kernel: motion.momentum takes 'dense'", {"momentum": 0.1}, {"kernel": "factored"}, {}),
        ("limit.step: with temperature", {"penalty": 0.1}, {"solver": "euler", "step": 0.03}, {}),
        (
            "run.until: takes at least one step of limit.step", {"penalty": 0.1},
            {"solver": "euler", "step": 2.0}, {"networks": {"widths": []}},
        ),
        ("schedule.frozen: takes numbers of layers", {}, {}, {"schedule": {"frozen": [4]}}),
        ("motion.penalty", {"penalty": -1.0}, {}, {}),
        ("motion.momentum", {"momentum": "much"}, {}, {}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(says, motion, limit, tables):
    motion = {k: [float(x) for x in v] if isinstance(v, list) else v for k, v in motion.items()}
    with pytest.raises(nr.InvalidInput, match=says):
        parse(with_motion(motion, limit, **tables))


def test_networks_alone_need_no_solver_for_noise():
    parse(with_motion({"temperature": [0.1, 0.0, 0.0]}, {"enabled": False}))
