"""`neuronal plan`: the plan of the file's table, and an experiment that comes of it."""

import tomllib

import numpy as np
import pytest
import tomli_w
import xarray as xr

import neuronal as nr
from neuronal.experiments import load, parse
from neuronal.experiments.build import build
from neuronal.experiments.folder import differing_tables

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "two", "embedding": "bidirectional", "depth": 2}],
    "plan": {
        "budget": 1e6, "depths": [2], "widths": [16, 32], "learning_rates": [0.05], "until": 1.0,
        "nodes": 16, "directions": 4, "data_nodes": 4,
    },
    "run": {"until": 0.5, "seed": 3},
}  # fmt: skip


@pytest.mark.slow
def test_the_plan_is_printed_and_its_experiment_written(call, tmp_path):
    file, folder = tmp_path / "tiny.toml", tmp_path / "runs" / "tiny-plan"
    file.write_text(tomli_w.dumps(CONTENT))
    code, out, _ = call("plan", file, "--budget", 2e6)
    assert code == 0
    system = build(parse(CONTENT)).systems[0]
    asked = {name: value for name, value in CONTENT["plan"].items() if name != "budget"}
    plan = nr.plan(system.problem, 2e6, embedding=lambda depth: system.embedding, key=3, **asked)
    assert " ".join(str(plan).split()) in " ".join(out.split())
    planned = load(folder / "planned.toml")
    assert planned.networks.widths == [plan.width]
    assert planned.networks.learning_rate == plan.learning_rate
    assert round(planned.run.until / planned.networks.learning_rate) == plan.steps
    assert [system.depth for system in planned.systems] == [plan.depth]
    with xr.open_dataset(folder / "plan.nc") as data:
        np.testing.assert_allclose(data.risk, plan.candidates.risk, rtol=1e-6)


def test_what_no_plan_can_be_made_of_is_told(call, tmp_path):
    file = tmp_path / "tiny.toml"
    cases = {
        "plan: is missing": {"plan": None},
        "plan.budget": {"plan": {"depths": [2]}},
        "plan.depths[0]": {"plan": {"budget": 1e6, "depths": [1]}},
        "plan.probes": {"plan": {"budget": 1e6, "probes": -1}},
        "plan.level": {"plan": {"budget": 1e6, "level": 1.0}},
        "plan.depths: takes one": {"schedule": {"frozen": [1]}, "plan": {"budget": 1e6}},
        "plan.held_out: takes real data": {"plan": {"budget": 1e6, "held_out": True}},
        "budget: ": {"plan": CONTENT["plan"] | {"budget": 1.0}},
    }
    for words, change in cases.items():
        content = {key: value for key, value in (CONTENT | change).items() if value is not None}
        file.write_text(tomli_w.dumps(content))
        code, _, err = call("plan", file)
        assert code == 2 and words in err, (words, err)


def test_a_plan_changes_no_run():
    """Nor is a file without the table another than it was."""
    plain = parse({key: value for key, value in CONTENT.items() if key != "plan"})
    assert "[plan]" not in plain.to_toml()
    with_plan, without = (tomllib.loads(e.to_toml()) for e in (parse(CONTENT), plain))
    assert "plan" in with_plan
    assert differing_tables(without, with_plan) == []
