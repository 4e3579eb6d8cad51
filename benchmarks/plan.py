"""Plans against what networks do: coverage of the interval, and regret against a grid that was trained.

A row is one problem and one budget of floating-point operations. *risk* and *interval* are the plan's,
*measured* the mean of networks trained as planned and *inside* how many lie in the interval. *regret*: the
planned networks' mean risk over the least mean risk of a grid of widths, depths and rates, each trained
on the same budget, less 1. *cost*: seconds of the plan over those of the grid, compilation included in both.
Budgets serve about `STEPS` steps of a network of width 64 and depth 3.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings

import numpy as np

import neuronal as nr
from neuronal.theory.planning.candidates import Shape

from .common import RESULTS, problem_1d, report

SEEDS, BATCH, STEPS, LEVEL = 10, 8, 500, 0.9
DEPTHS, WIDTHS, RATES = (2, 3), (16, 64, 256), (0.05, 0.2, 0.8)
GRID_SEEDS = 2


def product() -> nr.Problem:
    """A product of two coordinates, with noise."""
    inputs = nr.distributions.Biased(nr.distributions.Gaussian(2))
    law = nr.distributions.Regression(lambda x: x[:, 0] * x[:, 1], inputs, noise=0.1)
    return nr.Problem(law, nr.losses.PseudoHuber())


def of_data(name: str):
    def problem():
        split = getattr(nr.datasets, name)()
        classes = split.task == "classification"
        loss = nr.losses.CrossEntropy() if classes else nr.losses.PseudoHuber()
        return nr.Problem(split.train, loss)

    return problem


def of_scikit(load: str):
    """A set that scikit-learn bundles and the package does not: standardised, with a constant coordinate."""

    def problem():
        from sklearn import datasets

        x, y = getattr(datasets, f"load_{load}")(return_X_y=True)
        x = (x - x.mean(0)) / x.std(0)
        law = nr.distributions.Empirical(np.column_stack([x, np.ones(len(x))]), y)
        return nr.Problem(law, nr.losses.CrossEntropy())

    return problem


def of_generated(make: str, **options):
    """A set that scikit-learn generates."""

    def problem():
        from sklearn import datasets

        x, y = getattr(datasets, f"make_{make}")(random_state=0, **options)
        x = (x - x.mean(0)) / x.std(0)
        classes = make in ("moons", "circles")
        y = y if classes else (y - y.mean()) / y.std()
        law = nr.distributions.Empirical(np.column_stack([x, np.ones(len(x))]), y)
        return nr.Problem(law, nr.losses.Logistic() if classes else nr.losses.PseudoHuber())

    return problem


PROBLEMS = {
    "1-D": problem_1d,
    "product": product,
    "diabetes": of_data("diabetes"),
    "wine": of_data("wine"),
    "iris": of_scikit("iris"),
    "moons": of_generated("moons", n_samples=200, noise=0.2),
    "circles": of_generated("circles", n_samples=200, noise=0.1, factor=0.5),
    "friedman1": of_generated("friedman1", n_samples=200, noise=0.5),
    "friedman2": of_generated("friedman2", n_samples=200),
    "friedman3": of_generated("friedman3", n_samples=200),
    "breast_cancer": of_data("breast_cancer"),
}


def row_of(name: str, grid: bool) -> dict:
    problem = PROBLEMS[name]()
    _, y, _ = problem.quadrature(64)
    shape = Shape(3, problem.distribution.input_dim, problem.loss.outputs(y))
    budget = 6.0 * BATCH * STEPS * shape.weights(64)
    began = time.perf_counter()
    plan = nr.plan(
        problem, budget, depths=DEPTHS, widths=(16, 32, 64, 128, 256), batch_size=BATCH, level=LEVEL
    )
    planned = time.perf_counter() - began
    risks = np.asarray([plan.train(seed).loss[-1] for seed in range(SEEDS)])
    low, high = plan.interval
    row = {"problem": name, "budget": budget, "L": plan.depth, "n": plan.width}
    row |= {"rate": plan.learning_rate, "steps": plan.steps, "risk": plan.risk}
    row |= {"low": low, "high": high, "measured": risks.mean()}
    row |= {"its s.e.": risks.std(ddof=1) / np.sqrt(SEEDS)}
    row |= {"inside": f"{np.sum((low < risks) & (risks < high))} of {SEEDS}", "plan, s": planned}
    if grid:
        began = time.perf_counter()
        best, where = min(trained(problem, budget), key=lambda found: found[0])
        taken = time.perf_counter() - began
        row |= {"grid's best": best, "its L, n, rate": where}
        row |= {"regret": risks.mean() / best - 1, "cost": planned / taken}
    return row


def trained(problem, budget: float):
    """Mean risks of networks of the grid, each at the end of the budget, and their place."""
    of_depth = nr.transfer.bidirectional_for(problem)
    for depth in DEPTHS:
        embedding = of_depth(depth)
        shape = Shape(depth, embedding.input_dim, embedding.output_dim)
        for n in WIDTHS:
            steps = shape.steps(n, BATCH, budget)
            if steps < 1:
                continue
            for rate in RATES:
                risks = []
                for seed in range(GRID_SEEDS):
                    try:
                        run = nr.train(
                            problem, embedding.sample(n, 100 + seed), rate, rate * steps, seed,
                            BATCH, save_at=1,
                        )  # fmt: skip
                        risks.append(float(run.loss[-1]))
                    except nr.DivergenceError:
                        risks.append(np.inf)
                yield float(np.mean(risks)), f"{depth}, {n}, {rate:g}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--no-grid", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="measure anew what the file has")
    given = parser.parse_args(arguments if arguments is not None else [])
    file = RESULTS / "plan.json"
    known = json.loads(file.read_text())["rows"] if file.is_file() else []
    rows = {row["problem"]: row for row in known}
    for name in given.problems:
        if name in rows and not given.fresh and (given.no_grid or "regret" in rows[name]):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", nr.InaccuracyWarning)
            rows[name] = row_of(name, not given.no_grid)
        ordered = [rows[key] for key in PROBLEMS if key in rows]
        inside = [int(row["inside"].split()[0]) for row in ordered]
        report(
            "plan",
            f"{sum(inside)} of {SEEDS * len(inside)} networks lie in the plan's {LEVEL:.0%} interval, on "
            f"{len(inside)} problems",
            ordered,
            f"batches of {BATCH}; a problem that the file has is kept: --fresh measures it anew",
        )


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
