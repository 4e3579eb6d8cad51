"""What files may say, known without JAX, is what there is."""

import subprocess
import sys
from dataclasses import fields

import jax.numpy as jnp
import pytest

from neuronal import vocabulary
from neuronal.activations import ACTIVATIONS
from neuronal.drivers.ode.choice import SOLVERS
from neuronal.experiments.targets import TARGETS
from neuronal.losses import LOSSES
from neuronal.works.catalogue import work
from neuronal.works.work import Work


def test_words_are_the_names_of_what_there_is():
    assert tuple(ACTIVATIONS) == vocabulary.ACTIVATIONS
    assert tuple(vocabulary.TARGETS) == tuple(TARGETS)
    assert tuple(SOLVERS) == vocabulary.SOLVERS
    assert all(isinstance(work(name), Work) for name in vocabulary.WORKS)
    parameters = {name: tuple(f.name for f in fields(loss)) for name, loss in LOSSES.items()}
    assert parameters == vocabulary.LOSSES


@pytest.mark.parametrize("name", TARGETS)
def test_targets_take_the_coordinates_that_are_told(name):
    takes = vocabulary.TARGETS[name]
    for dim in [takes] if takes else [1, 3]:
        assert TARGETS[name].function(jnp.ones((5, dim))).shape == (5,)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["run", "--help"], 0),
        (["--version"], 0),
        (["gallery"], 0),
        (["works", "--help"], 0),
        (["works", "nothing"], 2),
        (["schema"], 0),
        (["run", "bad.toml"], 2),
        (["couple", "bad.toml"], 2),
        (["certify", "bad.toml"], 2),
        (["sweep", "bad.toml", "--set", "run.seed=1,2"], 2),
        (["run", "missing.toml"], 2),
    ],
)
def test_help_and_refused_files_need_no_jax(tmp_path, arguments, code):
    (tmp_path / "bad.toml").write_text('name = "x"\nbogus = 1\n')
    program = (
        f"import sys; sys.argv = ['neuronal', *{arguments}]\n"
        "from neuronal.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    assert not {'jax', 'numpy'} & set(sys.modules), sorted(sys.modules)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
