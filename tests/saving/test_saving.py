"""What is saved is loaded to the bit, in another process too; what is damaged is told."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from products import some

import neuronal as nr
from neuronal.errors import InvalidInput
from neuronal.files import archive
from neuronal.saving import kinds

from . import things


def same(a, b):
    """Whether two things are the same: classes, types of numbers and every bit."""
    assert type(a) is type(b)
    if isinstance(a, jax.Array | np.ndarray | np.generic):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        assert a.dtype == b.dtype
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
        assert a.shape == b.shape
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, tuple | list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    elif isinstance(a, nr.Trajectory):
        whole = dict(vars(a))
        del whole["_driver"]
        same(whole, {name: value for name, value in vars(b).items() if name != "_driver"})
    elif kinds.known(a):
        for name in kinds.names(type(a)):
            same(getattr(a, name), getattr(b, name))
    elif isinstance(a, float):
        assert a.hex() == b.hex()
    elif hasattr(a, "identical"):
        assert a.identical(b)
    else:
        assert a is b or a == b


@pytest.mark.parametrize(
    ("name", "precision"),
    some(
        (things.THINGS, ["float32", "float64"]),
        [
            *((name, "float32") for name in things.THINGS),
            *((name, "float64") for name in ("network", "factored", "sgd", "problem")),
        ],
    ),
)
def test_what_is_loaded_is_what_was_saved(name, precision, tmp_path):
    if precision == "float64" and name in ("fluctuations", "certificate"):
        pytest.skip("nothing of it but NumPy's numbers")
    with jax.enable_x64(precision == "float64"):
        made = things.THINGS[name]()
        nr.save(tmp_path / "thing", made)
        again = nr.load(tmp_path / "thing", own=things.OWN)
        same(made, again)
        if name in things.RUNS:  # between the states kept it runs on
            for t in (0.0, 0.37, 1.0):
                same(made.at(t), again.at(t))


SCRIPT = """
import sys
import neuronal as nr
import jax
from saving import things
jax.config.update("jax_enable_x64", True)
run = nr.load(sys.argv[1], own=things.OWN)
nr.save(sys.argv[2], run.at(0.37))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_another_process_loads_the_same(tmp_path):
    made = things.THINGS["sgd"]()
    nr.save(tmp_path / "run", made)
    subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "run", tmp_path / "there"],
        check=True,
        cwd=Path(__file__).parents[1],
    )
    same(nr.load(tmp_path / "there"), made.at(0.37))


def test_a_file_written_by_hand_as_the_guide_says(tmp_path):
    rng = np.random.default_rng(0)
    w = [rng.normal(size=s).astype(np.float32) for s in ((4, 2), (4, 3), (3, 1))]
    arrays = {f"w{i}": a for i, a in enumerate(w)} | {"p": np.full(4, 0.25, np.float32)}
    arrays["q"] = np.float32([0.5, 0.25, 0.25])

    def jax_array(name):
        return {"array": name, "of": "jax"}

    fields = {
        "weights": [jax_array("w0"), jax_array("w1"), jax_array("w2")],
        "measures": [jax_array("p"), jax_array("q")],
        "activations": [{"activation": "tanh"}] * 2 + [{"activation": "identity"}],
    }
    thing = {"is": "Network", "fields": fields}
    words = json.dumps({"format": "neuronal", "version": 1, "thing": thing})
    arrays["header"] = np.frombuffer(words.encode(), np.uint8)
    with zipfile.ZipFile(tmp_path / "net.npz", "w") as file:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            file.writestr(f"{name}.npy", member.getvalue())
    same(nr.load(tmp_path / "net.npz"), nr.Network(w, "tanh", [arrays["p"], arrays["q"]]))


def test_numpy_reads_the_arrays(tmp_path):
    net = things.embedding().sample(8, 0)
    nr.save(tmp_path / "net.npz", net)
    with np.load(tmp_path / "net.npz") as data:
        np.testing.assert_array_equal(data["thing.weights.1"], net.weights[1])


def test_short_floats_and_numbers_that_are_not_finite(tmp_path):
    weights = [jnp.ones(s, jnp.bfloat16) / 3 for s in ((4, 2), (4, 1))]
    net = nr.Network(weights, "tanh")
    rows = (
        nr.theory.certificate.rows.Row("1.1 a", "b", "violated", np.inf, detail={"t": [1, np.nan]}),
    )
    for thing in (net, nr.Certificate("both", rows)):
        nr.save(tmp_path / "thing", thing)
        same(nr.load(tmp_path / "thing"), thing)


def is_refused(path):
    try:
        nr.load(path)
    except InvalidInput as error:
        return str(error).startswith(f"path: {path.name!r} ")
    return False


def test_every_byte_counts(tmp_path):
    """Whatever byte is changed or wherever the file ends: the same thing, or the named error."""
    net = nr.Network([np.ones((2, 1)), np.ones((2, 1))])
    path = tmp_path / "net"
    nr.save(path, net)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in range(len(whole)):
        torn = bytearray(whole)
        torn[place] ^= int(rng.integers(1, 256))
        for content in (bytes(torn), whole[:place]):
            path.write_bytes(content)
            refused += is_refused(path) or same(nr.load(path), net) is not None
    assert refused > 1.5 * len(whole)  # names, sizes, checksums and numbers; not dates


def test_the_names_of_classes_are_their_own():
    modules = {}
    for name, cls in kinds.kinds().items():
        modules.setdefault(name, set()).add(cls)
        assert cls.__module__.startswith("neuronal.")
    seen = [
        kinds.called(cls)
        for module in kinds.modules()
        for cls in vars(module).values()
        if isinstance(cls, type)
        and cls.__module__ == module.__name__
        and kinds.names(cls) is not None
    ]
    assert len(seen) == len(set(seen)) == len(modules)


def test_own_things_are_named_and_handed_over(tmp_path):
    path = tmp_path / "run"
    run = things.THINGS["sgd"]()
    nr.save(path, run)
    with pytest.raises(InvalidInput, match=r"own: .*'target'.*hand it over"):
        nr.load(path)

    def target(x):
        return 2 + x[:, 0]

    with pytest.raises(InvalidInput, match=r"own: with 'target' the run begins at a risk of"):
        nr.load(path, own=target)
    own = nr.activations.Activation("mine", nr.activations.tanh.value_and_derivative, 1, 1, 1, True)
    other = nr.activations.Activation(
        "mine", nr.activations.erf.value_and_derivative, 1, 1, 1, True
    )
    net = nr.Network([np.ones((2, 1)), np.ones((2, 1))], own)
    nr.save(path, net)
    assert nr.load(path, own).activations[0] is own
    with pytest.raises(InvalidInput, match="called 'mine'"):
        nr.save(path, nr.Network(net.weights, [own, other]))


def test_a_subclass_is_not_taken_for_its_parent(tmp_path):
    problem = nr.Problem(things.FINITE, things.Cubic())
    nr.save(tmp_path / "p", problem)
    with pytest.raises(InvalidInput, match="own: .*cubic"):
        nr.load(tmp_path / "p")
    loss = things.Cubic()
    assert nr.load(tmp_path / "p", loss).loss is loss


def test_nothing_is_run_by_a_file(tmp_path):
    """Classes and functions other than those of the list are refused, whatever a header says."""
    for tree in (
        {"is": "Popen", "fields": {}},
        {"is": "Network", "fields": {"weights": [], "__class__": "x"}},
        {"diffrax": "diffeqsolve"},
        {"activation": "__init__"},
        {"thing": []},
        {"array": "header", "of": "jax"},
    ):
        header = {"format": "neuronal", "version": 1, "thing": tree}
        archive.write(tmp_path / "x", header, {})
        with pytest.raises(InvalidInput, match="path: 'x' holds what"):
            nr.load(tmp_path / "x")


def test_a_file_of_a_later_version_says_so(tmp_path):
    header = {"format": "neuronal", "version": 2, "written_by": "9.1", "thing": {"future": 1}}
    archive.write(tmp_path / "x", header, {})
    with pytest.raises(InvalidInput, match=r"path: 'x' is of version 2 .* up to 1.*9\.1"):
        nr.load(tmp_path / "x")
    archive.write(tmp_path / "x", {}, {})
    with pytest.raises(InvalidInput, match="path: 'x' is no file that neuronal.save wrote"):
        nr.load(tmp_path / "x")


def test_double_precision_is_not_rounded_unsaid(tmp_path):
    with jax.enable_x64(True):
        nr.save(tmp_path / "net", things.THINGS["network"]())
    with pytest.raises(InvalidInput, match="path: holds numbers of type float64"):
        nr.load(tmp_path / "net")


def test_a_file_that_is_there_is_replaced_whole(tmp_path, monkeypatch):
    net = things.THINGS["network"]()
    nr.save(tmp_path / "net", net)

    def broken(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(OSError, match="no space"):
        nr.save(tmp_path / "net", things.THINGS["nodes"]())
    monkeypatch.undo()
    same(nr.load(tmp_path / "net"), net)
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
