"""The benchmark of devices runs on whatever there is: here on the CPU, and small."""

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
