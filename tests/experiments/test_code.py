"""Experiment files that name functions of the user's own."""

import copy
import tomllib

import jax.numpy as jnp
import numpy as np
import pytest
import tomli_w

import neuronal as nr
from neuronal.experiments import load, run
from neuronal.experiments.build import build
from neuronal.experiments.sweep import sweep

MODULE = """
import jax.numpy as jnp
import neuronal as nr

def wave(x):
    return jnp.sin(2 * x[0])

def ripple(h):
    return jnp.tanh(h) + 0.1 * jnp.sin(2 * h)

def robust(r):
    return jnp.sqrt(1 + r * r) - 1

delta = nr.losses.PseudoHuber(0.5)

def shallow(input_dim, output_dim):
    return nr.embeddings.IID(input_dim, 2, output_dim)

def broken(input_dim, output_dim):
    return 3

from scipy import stats
import jax

beta = stats.beta(2, 3)
pair = [stats.norm(), stats.uniform(-1, 2)]
cube = nr.distributions.Uniform(-2, 2)

def ring(key):
    angle = 2 * jnp.pi * jax.random.uniform(key)
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)])
"""
CONTENT = {
    "name": "own",
    "problem": {"kind": "regression", "target": "mine:wave"},
    "loss": {"name": "mine:robust"},
    "systems": [
        {
            "label": "deep",
            "embedding": "bidirectional",
            "depth": 3,
            "rank": 3,
            "gain": 1.0,
            "activation": "mine:ripple",
        },
        {"label": "made", "embedding": "own", "depth": 2, "make": "mine:shallow"},
    ],
    "limit": {"nodes": 8, "data_nodes": 8},
    "run": {"until": 0.5, "records": 2, "checkpoints": 1},
}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    return tmp_path


def written(home, **changes):
    content = copy.deepcopy(CONTENT)
    for path, value in changes.items():
        table, _, field = path.partition("__")
        if table == "system":
            content["systems"][int(field[0])][field[2:]] = value
        else:
            content[table][field] = value
    file = home / "own.toml"
    file.write_text(tomli_w.dumps(content))
    return file


@pytest.mark.slow
def test_its_functions_are_those_that_run(home):
    built = build(load(written(home)))
    x = jnp.asarray([[0.3, 1.0], [-0.8, 1.0]])
    problem = built.systems[0].problem
    np.testing.assert_allclose(problem.distribution.mean(x)[:, 0], np.sin(2 * x[:, 0]), rtol=1e-6)
    np.testing.assert_allclose(
        problem.loss(jnp.zeros((1, 1)), jnp.ones((1, 1))), np.sqrt(2) - 1, rtol=1e-6
    )
    phi = built.systems[0].embedding.activations[0]
    assert phi.name == "ripple" and float(phi(1.0)) == pytest.approx(
        np.tanh(1) + 0.1 * np.sin(2), rel=1e-6
    )
    assert built.systems[1].embedding.depth == 2
    named = build(load(written(home, loss__name="mine:delta"))).systems[0].problem.loss
    assert named == nr.losses.PseudoHuber(0.5)
    again = build(load(written(home))).systems[0].problem
    assert again.distribution.target == problem.distribution.target  # compiled once


@pytest.mark.parametrize(
    ("law", "target", "dim", "mean_square"),
    [
        ("beta", "sine", 1, 2 * 3 / (25 * 6) + (2 / 5) ** 2),
        ("pair", "waves", 2, 1 + 1 / 3),
        ("cube", "mine:wave", 1, 4 / 3),
        ("ring", "waves", 2, 1.0),
    ],
)
def test_a_law_of_inputs_is_taken_from_the_files_folder(home, law, target, dim, mean_square):
    """Its second moment is the one in closed form, and its own TOML reads it again."""
    file = written(home, problem__inputs={"law": f"mine:{law}"}, problem__target=target)
    experiment = load(file)
    found = build(experiment).systems[0].problem.distribution
    x, _, mass = found.quadrature(64)
    assert x.shape[1] == dim + 1  # and the constant
    assert float(mass @ (x[:, :-1] ** 2).sum(1)) == pytest.approx(mean_square, rel=0.05)
    file.write_text(experiment.to_toml(home))
    assert load(file) == experiment


@pytest.mark.slow
def test_a_run_is_gone_on_with_from_its_own_folder_until_its_code_is_edited(home):
    file, folder = written(home), home / "runs" / "a"
    first = run(load(file), folder)
    content = tomllib.loads((folder / "config.toml").read_text())
    assert content["problem"]["target"] == "../../mine.py:wave"
    again = run(load(folder / "config.toml"), folder, resume=True)
    np.testing.assert_array_equal(again.limit_risk, first.limit_risk)
    run(load(file), folder, resume=True)
    (home / "mine.py").write_text(MODULE.replace("2 * x[0]", "3 * x[0]"))
    with pytest.raises(nr.InvalidInput, match="functions of your own.*edited since"):
        run(load(file), folder, resume=True)
    other = run(load(file), folder, overwrite=True)
    assert float(other.limit_risk[0, 0]) != float(first.limit_risk[0, 0])


@pytest.mark.slow
def test_it_is_swept(home):
    data = sweep(load(written(home)), {"limit.nodes": [8, 16]}, home / "sweep", 1, home=home)
    assert (data.status == "finished").all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"problem__target": "theirs:wave"},
            "the module of 'theirs:wave' cannot be imported",
        ),
        ({"problem__target": "mine:tide"}, "problem.target: .*has no 'tide'; it has .*wave"),
        (
            {"problem__target": "tide"},
            "problem.target: takes 'sin4x_cos9x'.*or a function of your own",
        ),
        ({"problem__target": "mine:"}, "problem.target: takes"),
        ({"problem__inputs": {"law": "mine:disc"}}, "problem.inputs.law: .*has no 'disc'"),
        ({"problem__inputs": {"law": "mine:delta"}}, "problem.inputs.law: takes a law"),
        ({"problem__inputs": {"law": "mine:wave"}}, "problem.inputs.law: "),
        ({"problem__inputs": {"law": "mine:beta", "dim": 2}}, "dim: is not taken here"),
        (
            {"problem__inputs": {"law": "mine:ring"}, "problem__target": "sine"},
            "problem.inputs.law: target 'sine' takes 1 coordinates, got 2",
        ),
        (
            {"problem__inputs": {"law": "cube"}},
            "problem.inputs.law: takes 'uniform'.*'module:name'",
        ),
        ({"loss__name": "mine:robus"}, "loss.name: .*has no 'robus'"),
        ({"system__0_activation": "mine:rip"}, "systems.activation: .*has no 'rip'"),
        ({"system__1_make": "mine:broken"}, "systems.make: takes a function"),
        ({"system__1_depth": 3}, "systems.make: takes a function .* of depth 3"),
        ({"system__1_make": "shallow"}, r"systems\[1\].make: takes"),
    ],
)
def test_what_is_not_there_is_told(home, changes, message):
    with pytest.raises(nr.InvalidInput, match=message):
        build(load(written(home, **changes)))


def test_a_module_that_raises_is_told(home):
    file = written(home)
    (home / "mine.py").write_text("1 / 0")
    with pytest.raises(nr.InvalidInput, match="ZeroDivisionError"):
        build(load(file))
