"""The benchmark of devices runs on whatever there is; that of transfer, what its table lacks."""

import jax
import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import common, gpu


@pytest.fixture(scope="module")
def table():
    return gpu.rows(gpu.SMALL)


def test_single_precision_agrees_with_double_on_the_cpu(table):
    errors = [row["error"] for row in table[2:]]
    assert len(errors) == len(gpu.CASES)
    assert max(errors) < 1e-4
    assert min(errors) > 0  # two precisions were compared


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
