"""`nr.Experiment`: an experiment file's run, with a problem of one's own."""

import json
import tomllib

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import neuronal as nr
from neuronal.experiments import load, parse
from neuronal.experiments import run as run_file
from neuronal.experiments.sweep.combinations import changed_by, setting

SETTINGS = {
    "limit": {"nodes": 16, "data_nodes": 16},
    "networks": {"widths": [4, 8], "seeds": [0, 1], "learning_rate": 0.1},
    "run": {"until": 1.0, "records": 4, "checkpoints": 2},
}
CONTENT = {
    "name": "same",
    "problem": {"kind": "regression", "target": "sine"},
    "loss": {"name": "pseudo_huber"},
    "systems": [
        {"label": "deep", "embedding": "bidirectional", "depth": 3, "rank": 3, "gain": 1.0}
    ],
    **SETTINGS,
}


def sine(x):
    return jnp.sin(jnp.pi * x[:, 0])


def problem(target=sine, loss=None):
    law = nr.distributions.Regression(target, nr.distributions.Biased(nr.distributions.Uniform()))
    return nr.Problem(law, loss or nr.losses.PseudoHuber())


def embedding(depth=3):
    return nr.embeddings.Bidirectional(2, depth, rank=3, gain=1.0)


def experiment(given=None, start=None, **more):
    tables = {name: dict(table) for name, table in SETTINGS.items()}
    until = tables["run"].pop("until")
    return nr.Experiment(
        given or problem(), start or {"deep": embedding()}, until, name="same", **tables | more
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "python"
    return folder, experiment().run(folder)


@pytest.mark.slow
def test_it_is_the_run_of_the_file_to_the_bit(made, tmp_path):
    folder, data = made
    from_file = run_file(parse(CONTENT), tmp_path / "file")
    for name in ("risk", "limit_risk", "prediction", "limit_prediction", "x", "target"):
        np.testing.assert_array_equal(data[name].values, from_file[name].values, err_msg=name)
    assert float(data.infimum) == float(from_file.infimum)
    names = {path.name for path in folder.iterdir()}
    assert {
        "config.toml",
        "results.nc",
        "report.html",
        "certificate.json",
        "certificate.md",
        "checkpoints",
    } <= names
    xr.testing.assert_identical(xr.load_dataset(folder / "results.nc", engine="h5netcdf"), data)
    certificates = json.loads((folder / "certificate.json").read_text())
    assert [c["title"] for c in certificates] == ["deep"]
    assert "deep" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_the_folder_says_what_was_run_and_the_file_alone_cannot_run_it(made):
    folder, _ = made
    content = tomllib.loads((folder / "config.toml").read_text())
    assert content["problem"]["words"] == repr(problem())
    assert "loss" not in content and content["systems"][0]["words"] == repr(embedding())
    with pytest.raises(nr.InvalidInput, match="problem: was made in Python"):
        run_file(load(folder / "config.toml"), folder, overwrite=True)


class Interrupted(Exception):
    pass


@pytest.mark.slow
def test_it_is_gone_on_with_to_the_same_bits(made, tmp_path):
    def stop(job, t, risk):
        if job.width == 8 and t > 0.6:
            raise Interrupted

    with pytest.raises(Interrupted):
        experiment().run(tmp_path / "a", progress=stop)
    again = experiment().resume(tmp_path / "a")  # made anew, as in another process
    for name in ("risk", "limit_risk", "prediction"):
        np.testing.assert_array_equal(again[name].values, made[1][name].values, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        lambda: experiment(problem(lambda x: jnp.sin(3 * x[:, 0]))),
        lambda: experiment(problem(loss=nr.losses.of(lambda r: r * jnp.arctan(r)))),
        lambda: experiment(start={"deep": embedding(4)}),
        lambda: experiment(start={"deep": nr.embeddings.IID(2, 3)}),
        lambda: experiment(limit={"nodes": 32}),
    ],
)
def test_another_problem_is_not_gone_on_with(made, other):
    with pytest.raises(nr.InvalidInput, match="another configuration"):
        other().resume(made[0])


@pytest.mark.slow
def test_certify_couple_predict_and_sweep(tmp_path):
    short = experiment(
        coupling={"widths": [4, 8], "seeds": 2, "nodes": 16, "carried": 2, "records": 2},
        fluctuations={"nodes": 16, "data_nodes": 8, "directions": 4, "records": 2},
    )
    found = short.certify()
    assert list(found) == ["deep"] and found["deep"].of("proved")
    coupled = short.couple(tmp_path / "couple")
    direct = nr.couple(
        problem(),
        embedding(),
        [4, 8],
        0.1,
        1.0,
        0,
        seeds=2,
        nodes=16,
        carried=2,
        save_at=2,
        data_nodes=16,
    )
    np.testing.assert_array_equal(coupled.prediction.sel(system="deep"), direct.data.prediction)
    assert (tmp_path / "couple" / "coupling.html").is_file()
    predicted = short.predict(tmp_path / "predict")
    assert np.isfinite(predicted.risk_sd).all()
    swept = short.sweep({"networks.learning_rate": [0.1, 0.2]}, tmp_path / "sweep")
    assert (swept.status == "finished").all() and (tmp_path / "sweep" / "sweep.html").is_file()
    assert np.all(swept.limit_risk[0] == swept.limit_risk[1]) and np.all(
        swept.risk[0] != swept.risk[1]
    )
    with pytest.raises(nr.InvalidInput, match=r"systems\.depth: 'deep'"):
        short.sweep({"systems.depth": [2]}, tmp_path / "depths")


@pytest.mark.slow
def test_real_data_have_a_part_to_test_on(tmp_path):
    split = nr.datasets.wine()
    given = nr.Problem(split.train, nr.losses.CrossEntropy())
    start = {"wine": nr.embeddings.Bidirectional(split.train.input_dim, 2, 3)}
    data = nr.Experiment(given, start, 0.4, [8], nodes=16, records=2, split=split).run(tmp_path)
    assert data.limit_test_accuracy.shape == (1, 3) and np.isfinite(data.test_risk).all()


BAD = [
    ("problem: takes a Problem", lambda: nr.Experiment("sine", {"a": embedding()}, 1.0)),
    ("embeddings: takes", lambda: nr.Experiment(problem(), [embedding()], 1.0)),
    ("embeddings: takes", lambda: nr.Experiment(problem(), {}, 1.0)),
    ("input_dim", lambda: experiment(start={"a": nr.embeddings.IID(5, 3)})),
    ("run.until", lambda: nr.Experiment(problem(), {"a": embedding()}, -1.0)),
    (r"networks\.widths\[0\]", lambda: nr.Experiment(problem(), {"a": embedding()}, 1.0, [0])),
    ("limit.nodes", lambda: nr.Experiment(problem(), {"a": embedding()}, 1.0, nodes=0)),
    ("limit.speed: unknown name", lambda: experiment(limit={"speed": 3})),
    ("split", lambda: nr.Experiment(problem(), {"a": embedding()}, 1.0, split=3)),
    ("widths, seeds", lambda: nr.Experiment(problem(), {"a": embedding()}, 1.0, 64)),
]


@pytest.mark.parametrize(("message", "call"), BAD)
def test_bad_input_names_the_field(message, call):
    with pytest.raises(nr.InvalidInput, match=message):
        call()


def test_ranges_of_settings():
    for text, expected in (
        ("a=0.01:1:log5", [0.01, 10**-1.5, 0.1, 10**-0.5, 1.0]),
        ("a=64:512:log4", [64, 128, 256, 512]),
        ("a=2:10:lin5", [2, 4, 6, 8, 10]),
        ("a=0:1.0:lin3, 4", [0, 0.5, 1.0, 4]),
        ("a=-1e-2:-1:log3", [-0.01, -0.1, -1]),
        ('a="1:2:lin3"', ["1:2:lin3"]),
    ):
        field, values = setting(text)
        assert field == "a" and len(values) == len(expected)
        assert all(
            v == w if isinstance(w, str) else abs(v - w) <= 1e-9 * abs(w)
            for v, w in zip(values, expected, strict=True)
        )
    assert all(isinstance(v, int) for v in setting("a=64:512:log4")[1])
    for text in ("a=0:1:log3", "a=1:2:lin1", "a=1:2:cube3"):
        with pytest.raises(nr.InvalidInput, match="--set"):
            setting(text)


def test_a_setting_changes_one_field():
    found = changed_by(parse(CONTENT), ["limit.nodes=8", "systems.depth=4"])
    assert found.limit.nodes == 8 and found.systems[0].depth == 4
    assert changed_by(parse(CONTENT), []) == parse(CONTENT)
    with pytest.raises(nr.InvalidInput, match="takes one value"):
        changed_by(parse(CONTENT), ["limit.nodes=8,16"])
