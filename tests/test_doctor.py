"""`nr.transfer.check`: exponents that theory knows, planted errors and correct models, by hand and in all."""

import jax
import numpy as np
import pytest
import xarray as xr

import neuronal as nr
from neuronal.transfer.exponents import slope
from neuronal.transfer.records import degree_between

X = np.random.default_rng(0).normal(size=(16, 3))
Y = np.sin(2 * X[:, :1])
FEW = {"widths": (32, 64, 128), "seeds": 3, "steps": 2}


def kinds(check):
    return {(fault.layers, fault.kind) for fault in check.faults}


@pytest.fixture(scope="module")
def bidirectional():
    embedding = nr.embeddings.Bidirectional(3, 3, rank=4, inputs=X)
    problem = nr.Problem(nr.distributions.Empirical(X, Y), nr.losses.Squared(), decay=0.2)
    return nr.transfer.check(embedding, problem, None, 0.1, **FEW)


class TestEmbeddings:
    def test_networks_of_the_limit_have_no_fault(self, bidirectional):
        assert bidirectional.transfers and not bidirectional.faults
        assert bidirectional.laziness.low < 0 < bidirectional.laziness.high
        assert "Nothing found" in str(bidirectional)

    def test_decay_is_the_share_that_the_problem_says(self, bidirectional):
        np.testing.assert_allclose(bidirectional.data["shrink"], 0.1 * 0.2, rtol=1e-4)

    def test_its_figures_are_those_of_the_passes(self, bidirectional):
        """Sizes, influences and effects by the paper's formulas, sample by sample, at the first step."""
        network = nr.embeddings.Bidirectional(3, 3, rank=4, inputs=X).sample(
            64, jax.random.fold_in(jax.random.key(0), 1)
        )
        w1, w2, w3 = (np.asarray(w, float) for w in network.weights)
        h1 = X @ w1.T
        h2 = np.tanh(h1) @ w2 / 64
        at = bidirectional.data.sel(width=64, seed=1).isel(step=0)
        for name, expected in {
            "layer 1": h1,
            "layer 2": h2,
            "layer 3": np.tanh(h2) @ w3 / 64,
        }.items():
            found = float(at.outputs.sel(layer=name))
            np.testing.assert_allclose(found, np.sqrt(np.mean(expected**2)), rtol=1e-4)
        felt = float(at.felt) * len(X) ** 0.5  # of the one sample that is descended
        down = felt * w3[:, 0] / np.cosh(h2[0]) ** 2
        influence = np.sqrt(np.mean(down**2) / len(X))
        np.testing.assert_allclose(float(at.influence.sel(layer="layer 2")), influence, rtol=1e-4)
        # The step of w_2 on that sample, seen there: eps E[phi phi] Delta
        seen = np.tanh(h1) @ np.tanh(h1[0]) / 64
        effect = 0.1 / len(X) * np.sqrt(np.mean((seen[0] * down) ** 2))
        np.testing.assert_allclose(float(at.effect.sel(part="layer 2.w")), effect, rtol=1e-3)

    def test_the_limits_fluctuations_foresee_the_scatter(self, bidirectional):
        class Law:
            data = bidirectional.data.assign(prediction=(("time", "m"), np.array([[0.0], [2.0]])))

            def prediction_sd(self, n):
                return np.array([[0.0], [8 / n]])

        embedding = nr.embeddings.Bidirectional(3, 3, rank=4, inputs=X)
        problem = nr.Problem(nr.distributions.Empirical(X, Y), nr.losses.Squared(), decay=0.2)
        check = nr.transfer.check(embedding, problem, None, 0.1, law=Law(), **FEW)
        assert check.foreseen and "the limit's fluctuations" in str(check)
        np.testing.assert_allclose(check.scatter, [4 / 32, 4 / 64, 4 / 128])
        expected = np.log1p(2 * check.scatter[0] / 3**0.5) / np.log(4)
        assert check.explained == pytest.approx(float(expected))

    @pytest.mark.slow
    def test_independent_neurons_collapse_behind_the_second_layer(self):
        """Zero means: E[w phi] over n independent neurons is of order n^-1/2 in each layer (section 5)."""
        check = nr.transfer.check(nr.embeddings.IID(3, 3), (X, Y), nr.losses.Squared(), 0.1, **FEW)
        assert kinds(check) == {(("layer 2",), "initial scale")}
        assert check.faults[0].exponent.slope == pytest.approx(-0.5, abs=0.12)

    def test_plot_and_table_show_the_same_exponents(self, bidirectional):
        table = bidirectional.table()
        assert list(table.index) == ["layer 1.w", "layer 2.w", "layer 3.w"]
        ax = bidirectional.plot()
        drawn = {c.get_label(): c.lines[0].get_xdata() for c in ax.containers}
        np.testing.assert_allclose(drawn["rate"], [rate.slope for rate in table["rate"]])
        assert [t.get_text() for t in ax.get_yticklabels()] == list(table.index)
        assert "Check(nothing found)" in bidirectional._repr_html_()


def test_a_step_of_degree_k_is_told_by_twice_the_loss():
    assert [degree_between(3.0, 3.0 * 2**k) for k in (0, 0.5, 1)] == pytest.approx([0, 0.5, 1])
    assert np.isnan(degree_between(0.0, 1.0))


def test_a_power_of_the_width_is_its_exponent_and_zeros_have_none():
    data = xr.Dataset(coords={"width": [8, 16, 32]})
    table = 3.0 * np.array([8.0, 16, 32])[:, None] ** -0.5 * np.ones((3, 4))
    assert slope(data, table).slope == pytest.approx(-0.5)
    assert np.isnan(slope(data, 0 * table).slope)


BAD = [
    ("widths", lambda e: nr.transfer.check(e, (X, Y), nr.losses.Squared(), 0.1, widths=[64])),
    ("widths", lambda e: nr.transfer.check(e, (X, Y), nr.losses.Squared(), 0.1, widths=[64, 32])),
    ("steps", lambda e: nr.transfer.check(e, (X, Y), nr.losses.Squared(), 0.1, steps=0)),
    ("seeds", lambda e: nr.transfer.check(e, (X, Y), nr.losses.Squared(), 0.1, seeds=0)),
    ("optimiser: takes a positive", lambda e: nr.transfer.check(e, (X, Y), nr.losses.Squared(), None)),
    ("loss: takes one of", lambda e: nr.transfer.check(e, (X, Y), lambda a, b: a, 0.1)),
    ("batch: takes \\(x, y\\)", lambda e: nr.transfer.check(e, X, nr.losses.Squared(), 0.1)),
    ("loss: is the problem's", lambda e: nr.transfer.check(e, problem(), nr.losses.Squared(), 0.1)),
    ("batch: its problem has momentum", lambda e: nr.transfer.check(e, problem(momentum=1.0), None, 0.1)),
    ("model: takes a function", lambda e: nr.transfer.check(3, (X, Y), max, max)),
    ("batch: takes inputs", lambda e: nr.transfer.check(max, X, max, max)),
    ("loss: takes a function", lambda e: nr.transfer.check(max, (X, Y), None, max)),
    ("optimiser: takes a function", lambda e: nr.transfer.check(max, (X, Y), max, 0.1)),
    ("law: is that of an embedding", lambda e: nr.transfer.check(max, (X, Y), max, max, law=3)),
]  # fmt: skip


def problem(**more):
    return nr.Problem(nr.distributions.Empirical(X, Y), nr.losses.Squared(), **more)


@pytest.mark.parametrize(("message", "call"), BAD)
def test_bad_input_is_named(message, call):
    with pytest.raises(nr.InvalidInput, match=f"^{message}"):
        call(nr.embeddings.Bidirectional(3, 2))
