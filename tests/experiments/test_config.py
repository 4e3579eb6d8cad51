"""The door: what a TOML file may say, and the one line that each mistake gets."""

import copy
import tomllib

import pytest

import neuronal as nr
from neuronal.experiments import config
from neuronal.experiments.build import build
from neuronal.experiments.examples import example, examples

BASE = {
    "name": "small",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "L = 3", "embedding": "bidirectional", "depth": 3}],
    "networks": {"widths": [4]},
    "run": {"until": 1.0},
}


def changed(**changes):
    """`BASE` with values set by path: ``systems__0__depth=1``."""
    content = copy.deepcopy(BASE)
    for path, value in changes.items():
        *outer, last = path.split("__")
        table = content
        for key in outer:
            table = table[int(key)] if key.isdigit() else table.setdefault(key, {})
        table[last] = value
    return content


def test_a_configuration_survives_its_own_toml():
    experiment = config.parse(BASE)
    again = config.parse(tomllib.loads(experiment.to_toml()))
    assert again == experiment
    assert experiment.limit.nodes == 512  # defaults are written out
    assert "nodes = 512" in experiment.to_toml()


@pytest.mark.parametrize("name", ["regression_1d", "digits", "iid_against_bidirectional"])
def test_bundled_examples_pass_the_door(name):
    assert config.load(example(name)).name == name
    assert name in examples()


def test_an_unknown_example_names_the_nearest():
    with pytest.raises(nr.InvalidInput, match="did you mean 'digits'"):
        example("digit")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"netwroks": {}}, "netwroks: unknown name; did you mean 'networks'?"),
        ({"problem__targt": "sine"}, "problem.targt: unknown name; did you mean 'target'?"),
        ({"systems__0__dept": 3}, "systems[0].dept: unknown name; did you mean 'depth'?"),
        ({"problem__inputs__lo": 0.0}, "problem.inputs.lo: unknown name; did you mean 'low'?"),
        ({"problem__kind": "regresion"}, "did you mean 'regression'?"),
        ({"problem": {}}, "problem: kind is missing"),
        ({"problem__target": "x"}, "problem.target: takes 'sin4x_cos9x', 'sine'"),
        ({"problem__target": "waves"}, "inputs.dim: target 'waves' takes 2 coordinates, got 1"),
        ({"problem__noise": -1.0}, "problem.noise: takes a number of at least 0, got -1.0"),
        ({"problem__inputs": {"low": 2.0}}, "low, high: takes low < high"),
        ({"systems": []}, "systems: takes at least 1, got []"),
        ({"systems__0__depth": 1}, "systems[0].depth: takes a number of at least 2, got 1"),
        ({"systems__0__depth": 2.5}, "systems[0].depth: takes a whole number, got 2.5"),
        ({"systems__0__depth": "3"}, "systems[0].depth: takes a whole number, got '3'"),
        ({"systems__0__gain": "crit"}, "systems[0].gain: takes 'critical' or a number or a list"),
        ({"systems__0__gain": [1.0, 1.0]}, "gain: takes one number a middle layer (1)"),
        ({"systems__0__activation": "tan"}, "systems[0].activation: takes 'tanh'"),
        ({"systems__0__embedding": "iid", "systems__0__std": [1.0]}, "std: takes one number"),
        ({"loss__name": "hinge"}, "loss.name: takes 'squared'"),
        ({"loss__delta": 1.0}, "delta: is a parameter of pseudo_huber"),
        ({"loss__name": "huber", "loss__delta": 0.0}, "loss.delta: takes a number above 0, got 0"),
        ({"schedule__kind": "cosine"}, "schedule.horizon: is missing"),
        ({"limit__rtol": 0}, "limit.rtol: takes a number above 0, got 0"),
        ({"limit__solver": "euler"}, "limit.step: is missing"),
        ({"limit__kernel": "low"}, "limit.kernel: takes 'auto', 'dense' or 'factored'"),
        (
            {"limit__kernel": "factored", "systems__0__depth": 2},
            "limit.kernel: 'L = 3' has no weights",
        ),
        (
            {"limit__kernel": "factored", "systems__0__embedding": "iid"},
            "limit.kernel: 'L = 3' has no",
        ),
        ({"networks__widths": [0]}, "networks.widths[0]: takes a number of at least 1, got 0"),
        ({"networks__widths": [8, 8]}, "networks.widths: names one twice"),
        ({"networks__seeds": []}, "networks.seeds: takes at least 1"),
        ({"networks__learning_rate": 2.0}, "run.until: takes at least one step"),
        ({"networks__widths": [], "limit__enabled": False}, "nothing to run"),
        ({"run__until": float("nan")}, "run.until: takes a finite number, got nan"),
        ({"run": {}}, "run.until: is missing"),
        ({"run": 3}, "run: takes a table, got 3"),
        ({"run__precision": "float16"}, "run.precision: takes 'float32' or 'float64'"),
        ({"name": "a b"}, "name: takes letters, digits"),
    ],
)
def test_a_mistake_gets_one_line_that_names_the_field(changes, message):
    with pytest.raises(nr.InvalidInput) as error:
        config.parse(changed(**changes), "file.toml")
    text = str(error.value)
    assert text.startswith("file.toml: ") and len(text.splitlines()) == 1
    assert message in text


def test_several_mistakes_get_a_line_each():
    with pytest.raises(nr.InvalidInput) as error:
        config.parse(changed(run__until=-1.0, systems__0__rank=0))
    assert len(str(error.value).splitlines()) == 2


def test_labels_are_unique():
    content = changed()
    content["systems"] *= 2
    with pytest.raises(nr.InvalidInput, match="one label a system"):
        config.parse(content)


def test_a_file_that_is_not_toml_or_not_there(tmp_path):
    with pytest.raises(nr.InvalidInput, match="FILE: no file"):
        config.load(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("name = ")
    with pytest.raises(nr.InvalidInput, match=r"a\.toml: is not TOML"):
        config.load(tmp_path / "a.toml")


def test_a_table_is_found_from_the_files_folder(tmp_path):
    (tmp_path / "points.csv").write_text("x,y\n" + "\n".join(f"{i},{i % 7 / 3}" for i in range(40)))
    text = config.parse(BASE).to_toml().replace("[problem.inputs]", "[unused]")
    content = tomllib.loads(text)
    del content["unused"]
    content["problem"] = {"kind": "table", "path": "points.csv", "target": "y"}
    import tomli_w

    (tmp_path / "a.toml").write_text(tomli_w.dumps(content))
    built = build(config.load(tmp_path / "a.toml"))
    assert built.split is not None and built.split.train.x.shape == (30, 2)


@pytest.mark.parametrize(
    ("problem", "loss", "message"),
    [
        ({"kind": "diabetes"}, "cross_entropy", "takes classes, and the target of 'diabetes'"),
        ({"kind": "wine"}, "logistic", "takes two classes, 'wine' has 3"),
        ({"kind": "wine"}, "squared", "takes a number as target"),
        ({"kind": "regression", "target": "sine"}, "logistic", "takes classes"),
        ({"kind": "table", "path": "none.csv", "target": "y"}, "squared", "path: no file"),
    ],
)
def test_a_loss_that_does_not_fit_the_data_is_refused(problem, loss, message):
    content = changed(loss__name=loss)
    content["problem"] = problem
    with pytest.raises(nr.InvalidInput, match=message):
        build(config.parse(content))


def test_what_is_built_is_what_was_asked():
    content = changed(problem__noise=0.5, schedule__kind="depth_balanced")
    content["systems"].append({"label": "iid", "embedding": "iid", "depth": 5, "std": 2.0})
    built = build(config.parse(content))
    first, second = built.systems
    assert (first.embedding.depth, second.embedding.depth) == (3, 5)
    assert first.embedding.input_dim == 2  # the bias coordinate
    assert second.embedding.stds == (2.0,) * 5
    assert [float(xi(0.0)) for xi in second.problem.schedules][2] == pytest.approx(1 / 3)
    assert built.infimum == pytest.approx(0.125)
    assert built.constant_risk == pytest.approx(0.125 + 0.25, rel=1e-3)


def test_a_mixture_has_one_output_a_class_under_cross_entropy():
    content = changed(loss__name="cross_entropy")
    content["problem"] = {
        "kind": "gaussian_mixture",
        "means": [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]],
    }
    built = build(config.parse(content))
    assert built.systems[0].embedding.output_dim == 3
    assert 0 < built.infimum < built.constant_risk


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_changes_nothing(tmp_path, mark):
    path = tmp_path / "e.toml"
    path.write_bytes(mark + config.parse(BASE).to_toml().encode())
    assert config.load(path) == config.parse(BASE)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_file_in_another_encoding_is_refused(tmp_path, encoding):
    path = tmp_path / "e.toml"
    path.write_bytes(("title = '\u00e9'\n" + config.parse(BASE).to_toml()).encode(encoding))
    with pytest.raises(nr.InvalidInput, match="e.toml: is not TOML in UTF-8"):
        config.load(path)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"networks__seeds": [2**32]}, "networks.seeds[0]"),
        ({"networks__seeds": [-1]}, "networks.seeds[0]"),
        ({"run__seed": 2**32}, "run.seed"),
        ({"run__seed": 2**64}, "run.seed"),
        ({"networks__learning_rate": 1e-12}, "networks.learning_rate"),
        ({"problem": {"kind": "wine", "split_seed": -1}}, "problem.split_seed"),
        ({"problem": {"kind": "wine", "split_seed": 2**32}}, "problem.split_seed"),
    ],
)
def test_seeds_and_steps_that_cannot_be_counted_are_refused(changes, field):
    with pytest.raises(nr.InvalidInput, match="^[^\n]*$") as error:
        config.parse(changed(**changes))
    assert field in str(error.value)
