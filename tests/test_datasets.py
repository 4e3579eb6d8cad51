"""Real data as finite laws: what a loader promises, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

import neuronal as nr
from neuronal import datasets


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "height": rng.normal(170, 10, 40),
            "weight": rng.normal(70, 5, 40),
            "kind": ["cat", "dog"] * 20,
            "price": rng.normal(1000, 300, 40),
        }
    )


@pytest.mark.parametrize("name", datasets.BUNDLED)
def test_bundled_sets_are_standardised_by_their_training_part(name):
    split = datasets.BUNDLED[name]()
    x = np.asarray(split.train.x)
    assert np.all(x[:, -1] == 1)
    assert x.shape[1] == len(split.features) + 1 == split.test.x.shape[1]
    np.testing.assert_allclose(x[:, :-1].mean(axis=0), 0, atol=1e-5)
    deviations = x[:, :-1].std(axis=0)
    constant = np.all(x[:, :-1] == x[0, :-1], axis=0)
    np.testing.assert_allclose(deviations[~constant], 1, atol=1e-4)
    # a quarter of all rows, rounded up
    total = len(x) + len(split.test.x)
    assert len(split.test.x) == -(-total // 4)


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine"])
def test_classes_are_numbers_in_the_same_shares_on_both_sides(name):
    split = datasets.BUNDLED[name]()
    train, test = (np.asarray(law.y)[:, 0].astype(int) for law in (split.train, split.test))
    assert set(train) == set(range(split.outputs)) and len(split.classes) == split.outputs
    shares = [np.bincount(y) / len(y) for y in (train, test)]
    np.testing.assert_allclose(*shares, atol=0.02)


def test_class_numbers_follow_the_data_sets_own_order():
    from sklearn.datasets import load_breast_cancer

    split = datasets.breast_cancer()
    assert split.classes == ("malignant", "benign")
    benign = float(np.mean(load_breast_cancer().target))
    assert abs(float(np.mean(np.asarray(split.train.y))) - benign) < 0.01


def test_regression_targets_keep_their_scale():
    from sklearn.datasets import load_diabetes

    split = datasets.diabetes()
    y = np.concatenate([np.asarray(split.train.y)[:, 0], np.asarray(split.test.y)[:, 0]])
    back = np.sort(split.target_mean + split.target_std * y)
    np.testing.assert_allclose(back, np.sort(load_diabetes().target), rtol=1e-4, atol=1e-2)


def test_the_seed_decides_the_split():
    one, same, other = (np.asarray(datasets.wine(seed=s).test.x) for s in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_accuracy_counts_the_largest_output():
    split = datasets.wine()
    y = np.asarray(split.test.y)[:, 0].astype(int)
    assert split.accuracy(np.eye(3)[y]) == 1.0
    assert split.accuracy(np.eye(3)[(y + 1) % 3]) == 0.0


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_of_any_kind_give_the_same_split(frame, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"pets{suffix}"
    write = {
        ".csv": lambda: frame.to_csv(path, index=False),
        ".tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        ".parquet": lambda: frame.to_parquet(path),
    }
    write[suffix]()
    split = datasets.table(path, "kind")
    assert split.task == "classification" and split.classes == ("cat", "dog")
    assert split.features == ("height", "weight", "price")
    assert split.train.x.shape == (30, 4) and split.test.x.shape == (10, 4)
    number = datasets.table(path, "price", features=["height", "weight"])
    assert number.task == "regression" and number.train.x.shape == (30, 3)


def test_a_table_trains(frame, tmp_path):
    path = tmp_path / "pets.csv"
    frame.to_csv(path, index=False)
    split = datasets.table(path, "kind")
    problem = nr.Problem(split.train, nr.losses.CrossEntropy())
    network = nr.embeddings.Bidirectional(4, 3, split.outputs, rank=2).sample(8, 0)
    run = nr.train(problem, network, 0.5, 20.0, key=0, batch_size=8)
    assert run.loss[-1] < run.loss[0]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"target": "colour"}, "target: no column 'colour'; the file has height, weight"),
        ({}, {"target": "price", "features": ["age"]}, "features: no column 'age'"),
        ({}, {"target": "price", "features": ["price"]}, "'price' is the target"),
        ({}, {"target": "price"}, "column 'kind': takes finite numbers, row 1 holds 'cat'"),
        ({}, {"target": "kind", "task": "regression"}, "column 'kind': takes finite numbers"),
        ({}, {"target": "kind", "task": "both"}, "task: takes auto"),
        ({}, {"target": "kind", "test_size": 1.5}, "test_size: takes a number between 0 and 1"),
        ({"height": np.nan}, {"target": "kind"}, "column 'height': 40 empty or NaN cells"),
        ({"height": np.inf}, {"target": "kind"}, "column 'height': takes finite numbers"),
        ({"kind": "cat"}, {"target": "kind"}, "one class only"),
        ({"price": 3.5}, {"target": "price", "features": ["height"]}, "one value only"),
        ({"kind": ["a"] * 39 + ["b"]}, {"target": "kind"}, "class 'b' has one row"),
    ],
)
def test_a_bad_table_is_refused_by_the_name_of_its_column(
    frame, tmp_path, change, arguments, message
):
    path = tmp_path / "pets.csv"
    frame.assign(**change).to_csv(path, index=False)
    with pytest.raises(nr.InvalidInput, match="^[^\n]*$") as error:
        datasets.table(path, **arguments)
    assert message in str(error.value)


def test_a_bad_file_is_refused(tmp_path):
    with pytest.raises(nr.InvalidInput, match="path: no file"):
        datasets.table(tmp_path / "none.csv", "y")
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(nr.InvalidInput, match=r"path: takes a \.csv"):
        datasets.table(tmp_path / "a.xlsx", "y")
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(nr.InvalidInput, match="not a readable csv"):
        datasets.table(tmp_path / "a.csv", "y")
    (tmp_path / "b.csv").write_text("x,y\n")
    with pytest.raises(nr.InvalidInput, match="no rows"):
        datasets.table(tmp_path / "b.csv", "y")
    (tmp_path / "a.parquet").write_text("not parquet")
    with pytest.raises(nr.InvalidInput, match="path: "):
        datasets.table(tmp_path / "a.parquet", "y")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")

    def missing(*arguments, **options):
        raise ImportError("no pyarrow")

    monkeypatch.setattr(pd, "read_parquet", missing)
    with pytest.raises(nr.InvalidInput, match="pip install pyarrow"):
        datasets.table(tmp_path / "a.parquet", "y")
