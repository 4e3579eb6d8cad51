"""The benchmark of devices runs on what there is, that of transfer what it lacks; figures are the code's."""

import json
import tomllib

import jax
import numpy as np
import pytest
import xarray as xr

import neuronal as nr
from benchmarks import __main__ as command
from benchmarks import clt, common, digits_band, gpu, regression_1d
from benchmarks import plan as planning
from neuronal.experiments import load, parse
from neuronal.experiments.examples import example


@pytest.fixture(scope="module")
def table():
    return gpu.rows(gpu.SMALL)


@pytest.mark.slow
def test_single_precision_agrees_with_double_on_the_cpu(table):
    errors = [row["error"] for row in table[2:]]
    assert len(errors) == len(gpu.CASES)
    assert max(errors) < 1e-4
    assert min(errors) > 0  # two precisions were compared


@pytest.mark.slow
def test_rates_are_of_the_sizes_and_times_told(table):
    product, triad, *runs = table
    for row, case in zip(runs, gpu.CASES, strict=True):
        samples = case.samples or gpu.SMALL.data
        counts = (row["n"], samples, row["rank"])
        seconds = row["ms/step"] / 1e3
        np.testing.assert_allclose(row["TFLOP/s"] * 1e12 * seconds, case.operations(*counts))
        np.testing.assert_allclose(row["GB/s"] * 1e9 * seconds, case.bytes(*counts))
        np.testing.assert_allclose(row["of product"], row["TFLOP/s"] / product["TFLOP/s"])
        np.testing.assert_allclose(row["of triad"], row["GB/s"] / triad["GB/s"])
        assert np.isfinite(list(counts)).all() and seconds > 0


def test_on_a_cpu_a_table_is_kept_only_under_a_name(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    monkeypatch.setattr(gpu, "rows", lambda sizes: [{"run": "one", "n": sizes.dense}])
    gpu.main(["--small", "--dense", "77"])
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == (["gpu.json"] if jax.devices()[0].platform == "gpu" else [])
    assert "77" in capsys.readouterr().out
    gpu.main(["--out", "here"])
    assert (tmp_path / "here.json").exists()


def test_an_unknown_benchmark_is_told(capsys):
    assert command.main(["faster"]) == 2
    assert "unknown: faster" in capsys.readouterr().err
    assert {"batch_sgd", "diffrax_limit", "gpu"} <= set(command.NAMES)


def test_every_result_has_its_benchmark_and_helpers_are_none():
    results = {path.stem for path in common.RESULTS.glob("*.json")}
    assert results <= set(command.NAMES)
    assert not {"common", "peers", "transfer_plot"} & set(command.NAMES)


def test_transfer_runs_the_sizes_missing_each_from_the_best_rate_of_the_size_before(monkeypatch):
    pytest.importorskip("torch")
    from benchmarks import transfer

    asked = []

    def tuned(kind, width, depth, start):
        asked.append((width, depth, start))
        return {"kind": kind, "width": width, "depth": depth, "best": start / 2}

    monkeypatch.setattr(transfer, "tuned", tuned)
    point = lambda kind, width, depth, best: {
        "kind": kind, "width": width, "depth": depth, "best": best,
    }  # fmt: skip
    known = [point("mup", width, 3, 0.2) for width in (64, 256, 1024)]
    known += [point("mup", 512, depth, 0.1) for depth in (3, 4, 8, 32)]
    known += [point("ours", 4096, 3, 9.0)]  # of another kind
    assert len(list(transfer.scans("mup", known))) == 3
    assert asked == [(4096, 3, 0.2), (8192, 3, 0.1), (512, 16, 0.1)]


def kept(name):
    return json.loads((common.RESULTS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def curves():
    return xr.Dataset.from_dict(kept("regression_1d")["curves"])


@pytest.mark.slow
def test_the_example_begins_as_its_curves_that_are_kept(curves):
    """Its deepest system to the first record. If not: python -m benchmarks regression_1d."""
    experiment = load(example("regression_1d"))
    assert curves.attrs["configuration"] == experiment.to_toml()
    given = tomllib.loads(experiment.to_toml())
    given["systems"] = given["systems"][-1:]
    given["networks"] |= {"widths": [64], "seeds": [0]}
    given["run"] |= {"until": 2 * float(curves.time[1]), "records": 2}
    now = regression_1d.measured(parse(given, "shortened")).isel(time=[0, 1])
    before = curves.isel(time=[0, 1]).sel(system=now.system, width=now.width, seed=now.seed)
    for name in ("risk", "limit_risk"):
        np.testing.assert_allclose(now[name], before[name], rtol=2e-3)
        assert np.ptp(before[name].values) > 0.01  # what is compared has moved


@pytest.mark.long
def test_the_example_ends_as_its_curves_that_are_kept(curves):
    now = regression_1d.measured(load(example("regression_1d")))
    for name in ("risk", "limit_risk"):
        np.testing.assert_allclose(np.log(now[name]), np.log(curves[name]), atol=0.1)


def test_the_rates_kept_of_transfer_are_those_of_the_code():
    """One of its runs again. If it is another: python -m benchmarks transfer."""
    pytest.importorskip("torch")
    from benchmarks import transfer

    points = kept("transfer")["points"]
    point = next(p for p in points if (p["kind"], p["width"], p["depth"]) == ("ours", 64, 3))
    # At the best, which is near the largest that is stable, processors' roundings make 3 %.
    at = point["rates"].index(point["best"]) - 1
    ours = transfer.ours(64, 3, point["rates"][at], 0)
    assert ours == pytest.approx(point["risks"][at][0], rel=1e-3)


@pytest.mark.slow
def test_the_central_limit_theorem_kept_is_that_of_the_code():
    """Few networks, fewer nodes. If not: python -m benchmarks clt."""
    problem, embedding = clt.problem_and_embedding()
    law = nr.fluctuations(problem, embedding, clt.UNTIL, 1024, save_at=1, directions=16)
    row = clt.row_of(64, clt.ends(problem, embedding, 64, 64), law)
    (before,) = (row for row in kept("clt")["rows"] if row["n"] == 64)
    np.testing.assert_allclose(row["samples' share"], before["samples' share"], rtol=0.1)
    assert row["error"] < 2.5 * row["by chance"]
    np.testing.assert_allclose(row["by chance"], before["by chance"] * np.sqrt(999 / 63), rtol=0.1)
    assert abs(row["variance / predicted"] - 1) < 4 * row["its s.e. "]


def test_curves_of_the_law_predicted_lie_in_its_band():
    rng = np.random.default_rng(0)
    mean, sd = np.linspace(2, 1, 4), np.array([0.1, 0.2, 0.2, 0.3])
    none, normal = 0 * sd, rng.normal(size=(4000, 4))
    row = digits_band.row_of(64, mean + sd * normal, mean, mean, sd, none)
    assert abs(row["points inside"] - 0.95) < 0.01
    assert row["points inside"] == row["of the deviation"]
    assert row["its s.e."] < 0.004
    assert abs(row["shift, measured"]) < 4 * row["its s.e. "]
    assert 0.9 < row["ratio over times, from"] <= row["to"] < 1.1
    off = digits_band.row_of(64, mean + sd * normal, mean + sd, mean, sd, none)
    assert off["points inside"] > 0.94 > 0.9 > off["about the limit"]
    wide = digits_band.row_of(64, mean + 2 * sd * normal, mean, mean, sd, none)
    assert wide["points inside"] < 0.7
    unknown = np.array([0.0, 0.9, 2.0, 2.0]) * sd
    all_of_it = np.hypot(sd, unknown)
    told = digits_band.row_of(64, mean + all_of_it * normal, mean, mean, sd, unknown)
    assert abs(told["points inside"] - 0.95) < 0.01 > abs(told["inside then"] - 0.95)
    assert told["of the deviation"] < 0.75 and told["mean told"] == "1 of 3"


def test_rows_of_digits_are_those_of_their_curves():
    found = kept("digits_band")
    rows = digits_band.rows_of(found["curves"])
    assert [row.keys() for row in rows] == [row.keys() for row in found["rows"]]
    for row, before in zip(rows, found["rows"], strict=True):
        assert row == pytest.approx(before)


@pytest.mark.slow
def test_networks_trained_as_planned_have_the_mean_risk_kept():
    """If not: python -m benchmarks.plan --problems friedman1 --fresh."""
    (row,) = (row for row in kept("plan")["rows"] if row["problem"] == "friedman1")
    problem, test = planning.PROBLEMS["friedman1"]()
    assert test is not None
    embedding = planning.embeddings_for(problem)(row["L"])
    until, risks = row["rate"] * row["steps"], []
    for seed in range(planning.SEEDS):
        neurons, samples = jax.random.split(jax.random.key(seed))
        start = embedding.sample(row["n"], neurons)
        run = nr.train(problem, start, row["rate"], until, samples, planning.BATCH, save_at=1)
        risks.append(test.risk(run.network))
    assert np.mean(risks) == pytest.approx(row["measured"], rel=1e-3)


@pytest.mark.slow
def test_curves_kept_of_digits_are_those_of_the_code():
    """The first network's to its end. If not: python -m benchmarks digits_band."""
    (found,) = digits_band.measured(*digits_band.problem_and_embedding(), 64, 1)
    before = kept("digits_band")["curves"]["of_widths"]["64"]["risks"][0]
    assert before[0] > 1.2 * before[-1]
    np.testing.assert_allclose(found, before, rtol=1e-2)


@pytest.mark.parametrize("depth", [3, 6])
def test_the_default_start_is_the_one_that_learned_fastest(depth):
    """Of those run on targets that took no part in the choice; and at no depth slower than the first."""
    from benchmarks import start

    held_out = "targets held out"
    rows = [row for row in kept("start")["rows"] if row[held_out] != ""]
    best = start.Start(spread=2.0, fall=0.3)
    assert min(rows, key=lambda row: row[held_out])["start"] == str(best)
    of_best = next(row for row in rows if row["start"] == str(best))
    assert all(of_best[f"L = {L}"] < 1 for L in (3, 6, 12, 32))
    target = start.target("2-D product")
    embedding = nr.embeddings.Bidirectional(3, depth, inputs=target.inputs(256))
    now = embedding.quadrature(start.NODES, key=0, kernel="dense")
    for w, measured in zip(now.matrices, best.network(target, depth).matrices, strict=True):
        np.testing.assert_allclose(w, measured, rtol=1e-5)
    given = {"activation": "silu", "inputs": target.inputs(256)}
    mild = nr.embeddings.Bidirectional(3, depth, spread=0.5, **given)
    assert nr.embeddings.Bidirectional(3, depth, **given).gains == mild.gains
