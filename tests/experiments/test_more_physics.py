"""Units, biases, birth and death in experiment files: what is built, what is run, and what is refused."""

import copy
import tomllib

import jax
import numpy as np
import pytest

import neuronal as nr
from neuronal.experiments import checkpoints, legs, load
from neuronal.experiments.build import build
from neuronal.experiments.config import parse
from neuronal.experiments.runner import run

U = nr.units
CONTENT = {
    "name": "more",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "one", "embedding": "iid", "depth": 2}],
    "limit": {"nodes": 12, "data_nodes": 8},
    "networks": {"widths": [6], "learning_rate": 0.1, "batch_size": 2},
    "run": {"until": 0.8, "records": 4, "checkpoints": 2},
}


def with_(system=None, **tables):
    content = copy.deepcopy(CONTENT)
    content["systems"][0] |= system or {}
    for name, table in tables.items():
        content[name] = content.get(name, {}) | table
    return content


DIRICHLET = {"kind": "dirichlet", "order": 3}


@pytest.mark.parametrize(
    ("table", "unit"),
    [
        ({"kind": "linear"}, U.Linear()),
        ({"kind": "gaussian", "width": 0.5}, U.Gaussian(0.5)),
        (DIRICHLET, U.Dirichlet(3)),
        ({"kind": "amplitude", "activation": "erf", "bias": False},
         U.Amplitude(nr.activations.erf, False)),
        ({"kind": "homogeneous", "place": DIRICHLET, "rates": [1.0, 0.5], "cone": True},
         U.Homogeneous(U.Dirichlet(3), (1.0, 0.5), True)),
        ({"kind": "homogeneous", "place": {"kind": "linear"}}, U.Homogeneous(U.Linear())),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["iid", "bidirectional"])
def test_a_table_is_the_unit_of_python(table, unit, kind):
    experiment = parse(with_({"unit": table, "embedding": kind}))
    assert parse(tomllib.loads(experiment.to_toml())) == experiment
    embedding = build(experiment).systems[0].embedding
    assert embedding.unit == unit and embedding.input_dim == 2


def test_biases_are_those_of_the_embedding():
    for kind in ("iid", "bidirectional"):
        system = {"embedding": kind, "depth": 4, "biases": [0.1, -0.2]}
        embedding = build(parse(with_(system))).systems[0].embedding
        assert embedding.biases == (0.1, -0.2)
    assert build(parse(with_())).systems[0].embedding.biases is None


MODULE = """
import jax.numpy as jnp

def ridge(theta, x):
    return theta[0] * jnp.sin(theta[1] * x[0] + theta[2])

def vector(theta, x):
    return theta

def ripple(h):
    return jnp.tanh(h) + 0.1 * jnp.sin(2 * h)
"""


@pytest.mark.slow
def test_a_unit_of_ones_own_runs_and_its_code_is_part_of_the_run(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    unit = {"kind": "own", "function": "mine:ridge", "parameters": 3, "rates": [1.0, 0.5, 0.5]}

    def file(**more):
        text = parse(with_({"unit": unit | more})).to_toml()
        (tmp_path / "more.toml").write_text(text)
        return load(tmp_path / "more.toml")

    experiment = file()
    built = build(experiment)
    assert built.code and built.systems[0].embedding.unit.rates == (1.0, 0.5, 0.5)
    found = run(experiment, tmp_path / "run")
    assert float(found.limit_risk[0, -1]) < float(found.limit_risk[0, 0])
    with pytest.raises(nr.InvalidInput, match=r"systems.unit.function: takes the parameters"):
        build(file(function="mine:vector"))
    with pytest.raises(
        nr.InvalidInput, match="systems.unit.function: the module of 'mine:none' has"
    ):
        build(file(function="mine:none"))
    made = build(load(_saved(tmp_path, {"kind": "amplitude", "activation": "mine:ripple"})))
    assert "ripple" in str(made.systems[0].embedding.unit.activation)


def _saved(folder, unit):
    (folder / "other.toml").write_text(parse(with_({"unit": unit})).to_toml())
    return folder / "other.toml"


class Interrupted(BaseException):
    pass


@pytest.mark.slow
def test_birth_and_death_go_on_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(legs, "SAVE_EVERY", 0.0)
    experiment = parse(with_({"unit": {"kind": "gaussian"}}, motion={"birth_death": 2.0}))
    whole = run(experiment, tmp_path / "whole")

    def states(folder):
        files = sorted((tmp_path / folder / "checkpoints").glob("*[0-9t].npz"))
        return jax.tree.leaves([(f.weights, f.memory) for f in map(checkpoints.load, files)])

    seen = [0]

    def interrupt(job, t, risk):
        seen[0] += 1
        if seen[0] > 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(experiment, tmp_path / "cut", on_record=interrupt)
    again = run(experiment, tmp_path / "cut", resume=True)
    for name in ("limit_risk", "risk"):
        np.testing.assert_array_equal(again[name], whole[name])
    for one, other in zip(states("cut"), states("whole"), strict=True):
        np.testing.assert_array_equal(one, other)
    still = run(parse(with_({"unit": {"kind": "gaussian"}})), tmp_path / "still")
    assert float(whole.limit_risk[0, -1]) < float(still.limit_risk[0, -1])


def test_newborn_neurons_are_of_the_systems_embedding(tmp_path):
    motion = {"birth_death": [30.0], "reinject": True}
    experiment = parse(with_(motion=motion, limit={"enabled": False}))
    system = build(experiment).systems[0]
    assert system.problem.reinject is system.embedding
    found = run(experiment, tmp_path)
    network = system.embedding.sample(6, 0)
    direct = nr.train(system.problem, network, 0.1, 0.8, 1, 2, save_at=4, data_nodes=8)
    plain = run(parse(with_(limit={"enabled": False})), tmp_path / "plain")
    assert np.all(np.isfinite(direct.loss)) and np.any(found.risk.values != plain.risk.values)


@pytest.mark.parametrize(
    ("says", "system", "tables"),
    [
        (r"systems\[0\].unit: kind takes 'linear'", {"unit": {"kind": "cubic"}}, {}),
        (r"systems\[0\].unit: kind is missing", {"unit": {"width": 1.0}}, {}),
        (r"systems\[0\].unit.width", {"unit": {"kind": "gaussian", "width": 0.0}}, {}),
        (r"systems\[0\].unit.order: is missing", {"unit": {"kind": "dirichlet"}}, {}),
        (r"systems\[0\].unit.widht: unknown name; did you mean 'width'",
         {"unit": {"kind": "gaussian", "widht": 1.0}}, {}),
        (r"systems\[0\].unit.activation", {"unit": {"kind": "amplitude", "activation": "relo"}}, {}),
        (r"systems\[0\].unit.place: is missing", {"unit": {"kind": "homogeneous"}}, {}),
        (r"systems\[0\].unit.place: kind takes",
         {"unit": {"kind": "homogeneous", "place": {"kind": "amplitude"}}}, {}),
        (r"systems\[0\].unit.rates",
         {"unit": {"kind": "homogeneous", "place": DIRICHLET, "rates": [1.0]}}, {}),
        (r"systems\[0\].unit.rates: takes one number, or one per parameter \(3\)",
         {"unit": {"kind": "own", "function": "m:f", "parameters": 3, "rates": [1.0]}}, {}),
        (r"systems\[0\].unit.function",
         {"unit": {"kind": "own", "function": "sine", "parameters": 3}}, {}),
        (r"systems\[0\].biases: are those of layers 2..L-1", {"biases": 0.1}, {}),
        (r"systems\[0\].biases: takes one number, or one per layer", {"depth": 4, "biases": [0.1]}, {}),
        (r"systems\[0\].biases", {"depth": 3, "biases": "many"}, {}),
        ("limit.kernel: 'one' has no weights between layers that come as factors",
         {"embedding": "bidirectional", "depth": 3, "biases": 0.1}, {"limit": {"kernel": "factored"}}),
        ("motion.birth_death: takes one number, or one per hidden layer", {},
         {"motion": {"birth_death": [1.0, 2.0]}}),
        ("motion.birth_death: does not go with momentum", {},
         {"motion": {"birth_death": 1.0, "momentum": 0.5}}),
        ("motion.birth_death: does not go with temperature and penalty", {},
         {"motion": {"birth_death": 1.0, "temperature": 0.5, "penalty": 0.1}}),
        ("motion.birth_death", {}, {"motion": {"birth_death": -1.0}}),
        ("motion.reinject: takes rates of birth and death", {}, {"motion": {"reinject": True}}),
        ("motion.reinject: newborn neurons come in steps of SGD alone", {},
         {"motion": {"birth_death": 1.0, "reinject": True}}),
        ("motion.reinject: takes systems of two layers", {"depth": 3},
         {"motion": {"birth_death": 1.0, "reinject": True}, "limit": {"enabled": False}}),
        ("limit.solver: motion.birth_death takes another than 'rkc'", {},
         {"motion": {"birth_death": 1.0}, "limit": {"solver": "rkc"}}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(says, system, tables):
    with pytest.raises(nr.InvalidInput, match=says):
        parse(with_(system, **tables))
