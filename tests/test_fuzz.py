"""Generated input: it is used, or refused by one message that names the field; nothing else.

The quick tests draw the same few hundred inputs each time. `pytest -m slow tests/test_fuzz.py -s`
draws thousands and prints how many of each kind were refused.
"""

import contextlib
import datetime
import io
import math
import re
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import pandas as pd
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neuronal as nr
from neuronal import cli, datasets, quadrature
from neuronal.drivers.recording import record_times
from neuronal.experiments import load
from neuronal.experiments.build import build
from neuronal.experiments.config import parse
from neuronal.experiments.sweep import points, settings_of

D, E, L, S = nr.distributions, nr.embeddings, nr.losses, nr.schedules
QUICK = {"experiments": 80, "tables": 80, "arguments": 120, "command lines": 40}
MANY = {"experiments": 1500, "tables": 1200, "arguments": 2500, "command lines": 600}


def verdict(call):
    """`used`, or `refused` by one message that begins with a name; anything else is a fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except nr.InvalidInput as error:
            message = str(error)
            assert re.match(r"[\w\[\].,'\"/ ()-]+.*: \S", message), message
            assert "Traceback" not in message and len(message) > 10, message
            assert "errors.pydantic.dev" not in message, message
            return "refused"
    return "used"


WORDS = st.sampled_from(["", "x", "auto", "tanh", "critical", "é", "0", "-1", "1e3", "None", "nan",
                         "\0", "a" * 300, "../x", "{}", "$x$", "<b>", "true", "lin ear"])  # fmt: skip
NUMBERS = st.sampled_from(
    [0, -1, 1, 2, 3, 7, 10**30, -(10**30), 2**31, 2**63, 0.0, -0.5, 0.5, 1.5, 1e-300, 1e300,
     math.nan, math.inf, -math.inf, 1e-12, 1e12]
)  # fmt: skip
TRUTHS = st.booleans()
DATES = st.just(datetime.date(2020, 1, 2)) | st.just(datetime.datetime(2020, 1, 2, 3, 4))
PLAIN = WORDS | NUMBERS | TRUTHS | DATES
JUNK = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.sampled_from(["a", "kind"]), PLAIN)


# ---- experiment files

BIDIRECTIONAL = {"label": "one", "embedding": "bidirectional", "depth": 3, "rank": 2}
IID = {"label": "two", "embedding": "iid", "depth": 2}
RUN = {"until": 0.4, "records": 2, "checkpoints": 1}
NETWORKS = {"widths": [4], "learning_rate": 0.1}
BASES = [
    {"problem": {"kind": "regression", "target": "sine"}, "systems": [BIDIRECTIONAL, IID]},
    {"problem": {"kind": "regression", "target": "sine", "bias": False, "noise": 0.1},
     "systems": [IID], "schedule": {"kind": "cosine", "horizon": 2.0}},
    {"problem": {"kind": "gaussian_mixture", "means": [[0.0], [1.0], [2.0]]},
     "loss": {"name": "cross_entropy"}, "systems": [BIDIRECTIONAL]},
    {"problem": {"kind": "gaussian_mixture", "means": [[-1.0, 0.0], [1.0, 1.0]],
                 "labels": [-1.0, 1.0], "stds": [0.5, 1.0], "probabilities": [0.5, 0.5]},
     "loss": {"name": "logistic"}, "systems": [IID], "motion": {"decay": [0.1, 0.2]}},
    {"problem": {"kind": "wine"}, "loss": {"name": "cross_entropy"}, "systems": [IID]},
    {"problem": {"kind": "table", "path": "d.csv", "target": "y"},
     "loss": {"name": "pseudo_huber", "delta": 0.5}, "systems": [BIDIRECTIONAL]},
]  # fmt: skip


def places(content, path=()):
    """Where a table or list can be changed."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(items):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def parent(content, path):
    for key in path[:-1]:
        content = content[key]
    return content


@st.composite
def experiment_files(draw):
    """The bytes of a file: one whose tables are changed in one to three places, or its text."""
    base = draw(st.sampled_from(BASES))
    content = {"name": "fuzzed", "networks": NETWORKS, "run": RUN} | base
    content["limit"] = {"enabled": False}
    if draw(st.booleans()):  # all names with their defaults
        content = parse(content).model_dump(exclude_none=True)
    else:
        content = parse(content).model_dump(exclude_unset=True)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(content))))
        where, key = parent(content, path), path[-1]
        change = draw(st.sampled_from(["put"] * 4 + ["drop", "name", "list", "twice", "more"]))
        if change == "put":
            where[key] = draw(JUNK)
        elif change == "drop":
            del where[key]
        elif change == "name" and isinstance(where, dict):
            where[f"{key}{draw(st.sampled_from(['s', '_', '2']))}"] = where.pop(key)
        elif change == "list":
            where[key] = [where[key]]
        elif change == "twice" and isinstance(where, list):
            where.append(where[key])
        elif isinstance(where[key], dict):
            where[key][draw(st.sampled_from(["more", "kind", "until", "seed"]))] = draw(JUNK)
    text = tomli_w.dumps(content)
    how = draw(st.sampled_from(["as it is"] * 8 + ["cut", "again", "noise", "encoded"]))
    if how == "cut":
        text = text[: draw(st.integers(0, len(text)))]
    elif how == "again":
        text += "\n" + draw(st.sampled_from(text.splitlines() or [""]))
    elif how == "noise":
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["\0", "\ufeff", "=", "[", '"', "\n"])) + text[at:]
    encoding = draw(st.sampled_from(["utf-16", "latin-1"])) if how == "encoded" else "utf-8"
    return text.encode(encoding, errors="replace")


def use_experiment(folder, content):
    (folder / "d.csv").write_text("a,y\n" + "".join(f"{i},{i * i % 7}.5\n" for i in range(12)))
    (folder / "e.toml").write_bytes(content)
    experiment = load(folder / "e.toml")
    parse(experiment.model_dump(exclude_none=True))
    if sum(system.depth for system in experiment.systems) < 20:
        build(experiment)


# ---- tables

CELLS = st.sampled_from(["0", "1", "2", "-3.5", "1e400", "1e200", "1e-200", "", " ", "NA",
                         "nan", "None", "inf", "True", "a", "b", "é", '"a,b"', '"', "1,5"])  # fmt: skip
FIGURES = st.sampled_from(["0", "1", "1e200", "2.5", "-3e-200"])
HEADS = st.sampled_from(["a", "b", "c", "y", "y", "a.1", "", "é", " y", "1", "Unnamed: 0"])


@st.composite
def tables(draw):
    """A suffix, the bytes of a file, and options for `datasets.table`."""
    width, length = draw(st.integers(1, 4)), draw(st.sampled_from([0, 1, 3, 9, 16, 24]))
    heads = draw(st.sampled_from([["y", "a", "b", "c"][:width]] * 2 + [None]))
    heads = heads or [draw(HEADS) for _ in range(width)]
    cells = draw(st.sampled_from([CELLS, FIGURES, FIGURES, st.just("0.1")]))
    rows = [[draw(cells) for _ in heads] for _ in range(length)]
    for row in rows:
        ragged = draw(st.sampled_from([0] * 80 + [1, -1]))
        row[len(row) :] = ["7"] * ragged
        del row[len(row) + min(ragged, 0) :]
    suffix = draw(st.sampled_from([".csv"] * 12 + [".tsv", ".txt", ".parquet", ".CSV", ".xlsx"]))
    separator = draw(st.sampled_from([","] * 10 + ["\t", ";"]))
    text = "\n".join(separator.join(row) for row in [heads, *rows])
    encoding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "latin-1"]))
    options = {"target": draw(st.sampled_from(["y"] * 12 + ["a", "é", "", "z", None, 3, ["y"]]))}
    for name, values in (
        ("features", [["a"], ["a", "b"], [], ["y"], ["a", "a"], "a", 3, [None]]),
        ("task", ["regression", "classification", "sorting", None]),
        ("test_size", [0.5, 0.0, 1.0, -1, math.nan, "half", 0.01, None]),
        ("seed", [3, -1, 2**40, 1.5, "s", None, np.int64(2)]),
    ):
        if draw(st.integers(0, 9)) == 0:
            options[name] = draw(st.sampled_from(values))
    return suffix, text.encode(encoding, errors="replace"), options


COLUMNS = {
    "numbers": [1.0, 2.5, 3.0, 0.5, 1.5, 2.0],
    "counts": [0, 1, 0, 1, 0, 1],
    "words": list("ababab"),
    "gaps": [1.0, None, 3.0, 0.5, 1.5, 2.0],
    "word gaps": ["a", None, "b", "a", "b", "a"],
    "lists": [[1], [2], [1], [2], [1], [2]],
    "dates": list(pd.date_range("2020-01-01", periods=6)),
    "spans": list(pd.to_timedelta(range(6), unit="D")),
    "truths": [True, False] * 3,
    "bytes": [b"a", b"b"] * 3,
    "infinite": [1.0, math.inf, 1.0, 2.0, 3.0, 1.0],
    "one": [0.1] * 6,
    "categories": pd.Categorical(list("ababab")),
    "nullable": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"),
    "whole": pd.array([1, 2, 3, 4, 5, 6], dtype="Int64"),
}


@st.composite
def frames(draw):
    """A Parquet file of columns of many types, some of them the index."""
    names = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4, unique=True))
    frame = pd.DataFrame({name: COLUMNS[name] for name in names})
    index = draw(st.sampled_from([None, None, *names]))
    if index is not None:
        frame = frame.set_index(index, drop=draw(st.booleans()))
    file = io.BytesIO()
    try:
        frame.to_parquet(file)
    except ValueError:  # a name both of a column and of the index
        frame.reset_index(drop=True).to_parquet(file)
    options = {"target": draw(st.sampled_from([*names, "y"]))}
    if draw(st.booleans()):
        options["task"] = draw(st.sampled_from(["regression", "classification"]))
    return draw(st.sampled_from([".parquet", ".pq", ".csv"])), file.getvalue(), options


def use_table(folder, case):
    suffix, content, options = case
    path = folder / f"d{suffix}"
    path.write_bytes(content)
    split = datasets.table(path, **options)
    for law in (split.train, split.test):
        assert np.isfinite(law.x).all() and np.isfinite(law.y).all()


# ---- arguments of public functions

X, Y = np.arange(8.0).reshape(4, 2), np.arange(4.0)
W = [np.ones((3, 2)), np.ones((3, 3)), np.ones((3, 1))]
NET, LAW = nr.Network(W), D.Empirical(X, Y)


@st.composite
def arrays(draw):
    shape = draw(st.sampled_from([(4, 2), (4,), (), (0,), (3,), (3, 1), (0, 2), (2, 4), (4, 2, 1),
                                  (1, 1, 1, 1), (1000, 2)]))  # fmt: skip
    kind = draw(st.sampled_from(
        [float, float, float, np.float32, np.float16, np.longdouble, int, np.uint64, bool, complex,
         str, object, "datetime64[D]", "S3"]
    ))  # fmt: skip
    array = np.ones(shape).astype(kind) if kind != "datetime64[D]" else np.zeros(shape, kind)
    if array.size and array.dtype.kind in "fc":
        array.flat[draw(st.integers(0, array.size - 1))] = draw(
            st.sampled_from([0.0, -1.0, math.nan, math.inf, -math.inf, 1e200, 1e-200, 1e30])
        )
    if array.size and array.dtype.kind in "iu":
        array.flat[0] = draw(st.sampled_from([0, 1, 2**40]))
    if array.size and array.dtype == object:
        array.flat[0] = draw(st.sampled_from([None, "a", 10**400, 1j, {}]))
    wrapped = draw(st.sampled_from(["plain"] * 5 + ["list", "frame", "masked", "read-only", "jax"]))
    if wrapped == "list":
        return array.tolist()
    if wrapped == "frame" and array.ndim in (1, 2):
        return pd.DataFrame(array)
    if wrapped == "masked":
        return np.ma.masked_array(array, mask=draw(st.booleans()))
    if wrapped == "jax" and array.dtype.kind in "fi" and array.dtype != np.longdouble:
        return jax.numpy.asarray(array)
    array.flags.writeable = wrapped != "read-only"
    return array


ODD = st.sampled_from([[[1.0, 2.0], [3.0]], [], [[]], {}, {1, 2}, None, object(), lambda x: x, "a",
                       b"a", 1j, np.True_, np.float64("nan"), np.int8(3), range(4)])  # fmt: skip
VALUES = arrays() | arrays() | ODD | NUMBERS | WORDS
ONE_STEP = {"learning_rate": 0.5, "until": 0.5, "key": 0, "save_at": 1}
TARGETS = {
    "Empirical x": lambda v: D.Empirical(v, Y),
    "Empirical y": lambda v: D.Empirical(X, v),
    "Empirical weights": lambda v: D.Empirical(X, Y, v),
    "GaussianMixture means": lambda v: D.GaussianMixture(v),
    "GaussianMixture stds": lambda v: D.GaussianMixture(X, v),
    "GaussianMixture labels": lambda v: D.GaussianMixture(X, labels=v),
    "GaussianMixture probabilities": lambda v: D.GaussianMixture(X, probabilities=v),
    "Uniform": lambda v: D.Uniform(v, 2.0, 1),
    "Uniform dim": lambda v: small(v) and D.Uniform(dim=v),
    "Gaussian": lambda v: D.Gaussian(2, v, 1.0),
    "Sphere": lambda v: D.Sphere(2, v),
    "Regression noise": lambda v: D.Regression(lambda x: x[:, 0], D.Uniform(), v),
    "Regression inputs": lambda v: D.Regression(lambda x: x[:, 0], v),
    "Network": lambda v: nr.Network(v),
    "Network weights": lambda v: nr.Network([v, *W[1:]]),
    "Network measures": lambda v: nr.Network(W, measures=[v, np.full(3, 1 / 3)]),
    "Network activations": lambda v: nr.Network(W, v),
    "prediction": lambda v: NET(v),
    "sensitivities x": lambda v: NET.sensitivities(v, Y, L.Squared()),
    "sensitivities y": lambda v: NET.sensitivities(X, v, L.Squared()),
    "Bidirectional gain": lambda v: E.Bidirectional(2, 4, gain=v),
    "Bidirectional inputs": lambda v: E.Bidirectional(2, 3, inputs=v),
    "Bidirectional input_scale": lambda v: E.Bidirectional(2, 3, gain=1.0, input_scale=v),
    "Bidirectional rank": lambda v: small(v) and E.Bidirectional(2, 3, gain=1.0, rank=v),
    "IID mean": lambda v: E.IID(2, 3, mean=v),
    "IID std": lambda v: E.IID(2, 3, std=v),
    "depth": lambda v: small(v) and E.IID(2, v),
    "input_dim": lambda v: small(v) and E.IID(v, 2),
    "activation": lambda v: E.IID(2, 3, activation=v),
    "samplers": lambda v: E.Embedding(v, [lambda c: c, lambda c: c]),
    "functions": lambda v: E.Embedding([1], v),
    "widths": lambda v: small(v) and E.IID(2, 3).sample(v, 0),
    "key": lambda v: E.IID(2, 3).sample(2, v),
    "nodes": lambda v: small(v) and E.Bidirectional(2, 3, gain=1.0).quadrature(v, "monte-carlo"),
    "rule": lambda v: E.Bidirectional(2, 3, gain=1.0).quadrature(2, v),
    "kernel": lambda v: E.IID(2, 3).sample(2, 0, v),
    "Problem law": lambda v: nr.Problem(v, L.Squared()),
    "Problem loss": lambda v: nr.Problem(LAW, v),
    "schedules": lambda v: nr.Problem(LAW, L.Squared(), v).check(NET),
    "decay": lambda v: nr.Problem(LAW, L.Squared(), decay=v).check(NET),
    "terms": lambda v: nr.Problem(LAW, L.Squared(), terms=v).check(NET),
    "constant": S.constant,
    "cosine": S.cosine,
    "exponential": lambda v: S.exponential(2.0, v),
    "warmup": lambda v: S.warmup(v),
    "depth_balanced": lambda v: small(v) and S.depth_balanced(v),
    "depth_balanced power": lambda v: S.depth_balanced(3, v),
    "loss": L.get,
    "delta": lambda v: L.PseudoHuber(v),
    "save_at": lambda v: small(v) and record_times(v, 0.0, 1.0),
    "until": lambda v: record_times(2, 0.0, v),
    "resample": lambda v: small(v) and nr.resample(NET, v, 0),
    "resample x": lambda v: nr.resample(NET, 3, 0, inputs=v),
    "grow": lambda v: small(v) and nr.grow(NET, v, 0),
    "learning_rate": lambda v: train(learning_rate=v),
    "batch_size": lambda v: small(v) and train(batch_size=v),
    "train data": lambda v: train(data=v),
    "train x": lambda v: train(data=(v, np.ones((1, 4)))),
    "train y": lambda v: train(data=(np.ones((1, 4, 2)), v)),
    "solve rtol": lambda v: solve(rtol=v),
    "solve step": lambda v: solve(step=v),
    "solve solver": lambda v: solve(solver=v),
    "solve nodes": lambda v: small(v) and solve(E.IID(2, 3), nodes=v, rule="monte-carlo"),
    "solve kernel": lambda v: solve(kernel=v),
    "solve max_steps": lambda v: solve(max_steps=v),
    "solve data_nodes": lambda v: small(v) and solve(data_nodes=v),
    "devices": lambda v: solve(devices=v),
    "fit X": lambda v: fit(v, Y),
    "fit y": lambda v: fit(X, v),
    "fit sample_weight": lambda v: fit(X, Y, v),
    "classes": lambda v: nr.MeanFieldClassifier(width=4, max_iter=1, learning_rate=0.1).partial_fit(
        X, [0, 1, 0, 1], classes=v
    ),
    "quadrature": lambda v: small(v) and quadrature.gaussian("sobol", v, 2, jax.random.key(0)),
}  # fmt: skip


def small(value):
    """Whether no count in it asks for more memory than a test may take."""
    try:
        return not np.any(np.abs(np.asarray(value, float)) > 64)
    except (TypeError, ValueError, OverflowError):
        return True


def train(**options):
    return nr.train(nr.Problem(LAW, L.Squared()), NET, **{**ONE_STEP, **options})


def solve(start=NET, **options):
    options = {"until": 0.1, "save_at": 1, "step": 0.1, **options}
    return nr.solve(nr.Problem(LAW, L.Squared()), start, **options)


def fit(x, y, weights=None):
    model = nr.MeanFieldRegressor(width=4, max_iter=1, learning_rate=0.1, random_state=0)
    return model.fit(x, y, weights)


CASES = st.tuples(st.sampled_from(sorted(TARGETS)), VALUES)


def use_argument(folder, case):
    name, value = case
    try:
        TARGETS[name](value)
    except (TypeError, ValueError) as error:
        # scikit-learn checks X and y of estimators itself, as its contract asks.
        if not name.startswith("fit ") or isinstance(error, nr.InvalidInput):
            raise
        raise nr.InvalidInput(f"{name}: {error}") from error


# ---- command lines

FLAGS = st.sampled_from(["--resume", "--overwrite", "--out", "-o", "--set", "-s", "--workers", "-j",
                         "--show", "--nothing", "-x", "--"])  # fmt: skip
SETTINGS = st.sampled_from(
    ["run.until=1,2", "run.until", "=1", "run.until=", "a.b=1", "systems=1", "systems.9.depth=3",
     "systems.depth=x", "systems.0=1", "systems.²=1", "run.until=1]\nx=[2", "run.until=1e999",
     "run.until=" + "9" * 5000, "name=''", "name='a/b'", "problem.path='\0'", "problem.path='x'",
     "run=1", "systems.label='a','b'", "networks.widths=[[4]]", "é=1", "run.until=[[[["]
)  # fmt: skip
FILES = st.sampled_from(["e.toml", "bad.toml", "missing.toml", ".", "d.csv", "", "a" * 300, "\u00e9",
                         "latin.toml", "e.toml/x"])  # fmt: skip
COMMANDS = st.sampled_from(["run", "certify", "couple", "sweep", "report", "gallery", "rum", ""])
LINES = st.tuples(COMMANDS, st.lists(FLAGS | SETTINGS | FILES | NUMBERS.map(str), max_size=5))


def use_line(folder, line):
    command, words = line
    content = {"name": "fuzzed", "networks": NETWORKS, "run": RUN, **BASES[-1]}
    content["problem"] = content["problem"] | {"path": "missing.csv"}
    (folder / "e.toml").write_text(tomli_w.dumps(content))
    (folder / "bad.toml").write_text("name = ")
    (folder / "latin.toml").write_bytes("title = 'é'".encode("latin-1"))
    (folder / "d.csv").write_text("a,y\n1,2\n")
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["neuronal", command, *words]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    text = err.getvalue()
    assert "Traceback" not in text + out.getvalue(), text
    if ended.value.code in (0, None):
        return
    assert ended.value.code == 2 and len(text.strip()) > 10, (ended.value.code, text)
    raise nr.InvalidInput(f"command line: {text.strip()}")


KINDS = {
    "experiments": (experiment_files(), use_experiment),
    "tables": (tables() | frames(), use_table),
    "arguments": (CASES, use_argument),
    "command lines": (LINES, use_line),
}


def fuzz(kind, count):
    """How many of `count` inputs of a kind were used, and how many were refused."""
    cases, use = KINDS[kind]
    found = Counter()
    folder = Path(tempfile.mkdtemp())
    health = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

    @settings(max_examples=count, deadline=None, derandomize=True, database=None,
              suppress_health_check=health)  # fmt: skip
    @given(cases)
    def one(case):
        found[verdict(lambda: use(folder, case))] += 1

    try:
        one()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_inputs(kind):
    assert fuzz(kind, QUICK[kind])["refused"] > QUICK[kind] / 4


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_inputs(kind):
    found = fuzz(kind, MANY[kind])
    print(f"\n{kind}: {found['refused']} refused, {found['used']} used")
    assert found["refused"] > MANY[kind] / 4


def test_sweeps_of_settings():
    content = {"name": "fuzzed", "networks": NETWORKS, "run": RUN, **BASES[0]}

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.lists(SETTINGS, min_size=1, max_size=2))
    def one(texts):
        verdict(lambda: points(parse(content), settings_of(texts)))

    one()
