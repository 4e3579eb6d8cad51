"""Whole certificates: what must be violated, what must not, and the table's forms."""

import json
import re

import jax.numpy as jnp
import numpy as np
import pytest

import neuronal as nr
from neuronal.theory.certificate.document import _SECTIONS
from neuronal.theory.certificate.notation import in_html, in_markdown, in_unicode

LAWS, LOSS, EMB, XI = nr.distributions, nr.losses, nr.embeddings, nr.schedules
TARGET = lambda x: jnp.sin(2 * x[:, 0])
BOUNDED = LAWS.Regression(TARGET, LAWS.Biased(LAWS.Uniform()), 0.1)
SMALL = {"nodes": 8, "data_nodes": 8}


def violated(law=BOUNDED, loss=None, schedules=None, embedding=None):
    problem = nr.Problem(law, loss or LOSS.PseudoHuber(), schedules)
    embedding = embedding or EMB.Bidirectional(2, 4, rank=2, gain=1.0)
    return {row.condition for row in nr.certify(problem, embedding, **SMALL).violated}


def jump(t):
    return jnp.where(t < 3.0, 1.0, 0.5)


@pytest.mark.parametrize(
    ("changes", "conditions"),
    [
        ({}, set()),
        ({"schedules": XI.cosine(20.0, 1.0, 0.1)}, set()),
        ({"schedules": XI.exponential(20.0)}, set()),
        ({"schedules": lambda t: 1 / (1 + t / 50)}, set()),
        ({"embedding": EMB.Bidirectional(2, 4, rank=2, gain=1.0, activation="relu")},
         {"1.1 phi_1-3 bounded", "1.1 phi'_1-3 Lipschitz"}),
        ({"loss": LOSS.Squared()}, {"1.1 d2L bounded"}),
        ({"embedding": EMB.IID(2, 4)}, {"1.2 diversity"}),
        ({"law": LAWS.Regression(TARGET, LAWS.Biased(LAWS.Gaussian()))}, {"1.1 X bounded"}),
        ({"schedules": jump}, {"1.1 xi_1-4 Lipschitz"}),
        ({"schedules": [XI.constant(), XI.constant(), jump, XI.constant()]}, {"1.1 xi_3 Lipschitz"}),
        ({"law": LAWS.Regression(lambda x: TARGET(x), LAWS.Uniform(dim=2))}, {"1.4 phi_1 dense"}),
        ({"loss": LOSS.Cauchy()}, {"2 case"}),
    ],
)  # fmt: skip
def test_exactly_the_broken_conditions_are_violated(changes, conditions):
    assert violated(**changes) == conditions


def test_case_2_takes_a_loss_without_convexity_on_noiseless_data():
    law = LAWS.Regression(TARGET, LAWS.Biased(LAWS.Uniform()))
    assert violated(law=law, loss=LOSS.Cauchy()) == set()


@pytest.fixture(scope="module")
def whole():
    problem = nr.Problem(BOUNDED, LOSS.PseudoHuber())
    embedding = EMB.Bidirectional(2, 3, rank=4)
    trajectory = nr.solve(problem, embedding, 20.0, nodes=32, data_nodes=32, save_at=10)
    n = len(trajectory.network.measures[0])
    targets = {1: (np.ones((2, 2)), np.ones((2, n)))}
    return nr.certify(problem, embedding, trajectory, data_nodes=32, targets=targets)


def test_along_a_run_everything_is_answered(whole):
    assert not whole.violated and not whole.unknown
    assert {row.condition.split(" ")[0] for row in whole.rows} == set(_SECTIONS) - {"NP20"}
    gap = whole["2 optimality gap"]
    assert gap.detail["time"] == [0, 2, 4, 8, 10, 12, 16, 18, 20]
    assert gap.figure == gap.detail["bound"][-1] < gap.detail["bound"][0] / 5
    assert whole["1.2 span, given"].status == "measured"
    assert "layer 2 backward" in whole["1.2 span, random"].detail


def test_rows_are_found_by_each_of_their_layers(whole):
    assert whole["1.1 phi_2 bounded"] is whole["1.1 phi_1-2 bounded"]
    with pytest.raises(nr.InvalidInput, match=r"condition: '1\.1 phi_3 bounded' is none of"):
        whole["1.1 phi_3 bounded"]


def test_every_form_says_the_same(whole):
    content = json.loads(whole.json())
    assert [r["status"] for r in content["rows"]] == [r.status for r in whole.rows]
    again = nr.Certificate.from_dict(content)
    assert again.markdown() == whole.markdown() and str(again) == str(whole)
    table = [line for line in whole.markdown().splitlines() if line.startswith("| ")]
    assert len(table) == 1 + len(whole.rows)
    for row in whole.rows:
        assert f"{in_html(row.bare_condition)}</td>" in whole.html()
        assert f"| {in_markdown(row.condition)} | " in whole.markdown()
        assert f"  {in_unicode(row.bare_condition)} " in str(whole)
        assert whole[in_unicode(row.condition)] is whole[row.condition] is row
    for form in (whole.html(), whole.markdown(), str(whole)):
        assert "phi_" not in re.sub(r"\\varphi_", "", form) and "xi_" not in re.sub(
            r"\\xi_", "", form
        )
    assert whole.html().count("<tr><td") == len(whole.rows)
    assert whole.summary.startswith("20 proved") or "proved" in str(whole)


def test_infinite_figures_are_words_in_json():
    problem = nr.Problem(BOUNDED, LOSS.Squared())
    text = nr.certify(problem, EMB.Bidirectional(2, 2), **SMALL).json()
    rows = {row["condition"]: row for row in json.loads(text)["rows"]}
    assert rows["1.1 d2L bounded"]["figure"] == "inf"


@pytest.mark.slow
def test_a_trajectory_of_another_embedding_is_refused():
    problem = nr.Problem(BOUNDED, LOSS.PseudoHuber())
    trajectory = nr.solve(problem, EMB.Bidirectional(2, 2), 1.0, nodes=4, data_nodes=4, save_at=2)
    with pytest.raises(nr.InvalidInput, match="trajectory: is not one"):
        nr.certify(problem, EMB.Bidirectional(2, 3, rank=2, gain=1.0), trajectory)


@pytest.mark.slow
def test_several_outputs_and_classes():
    x = np.random.default_rng(0).normal(size=(30, 3))
    law = LAWS.Empirical(np.hstack([x, np.ones((30, 1))]), np.arange(30) % 3)
    problem = nr.Problem(law, LOSS.CrossEntropy())
    embedding = EMB.Bidirectional(4, 3, 3, rank=4)
    trajectory = nr.solve(problem, embedding, 5.0, nodes=16, save_at=4)
    found = nr.certify(problem, embedding, trajectory)
    assert not found.violated
    assert found["2 optimality gap"].status == "proved"
    assert found["2 optimality gap"].figure == pytest.approx(trajectory.loss[-1], rel=1e-4)
