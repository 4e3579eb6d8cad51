"""Fluctuations predicted from the limit alone, against many networks: risk and prediction, flow and SGD.

Ten times of the 1-D problem. A row is one width, trained in one way; *risk sd* and *prediction sd* are
the least and the largest ratio of predicted to measured over the times (prediction: root mean square over
inputs).
*within*: at how many of the ten times the risk's deviation is met within 10 % or two standard errors
of the measurement. *shift*: mean risk less the limit's, times n, at the last time.
"""

from __future__ import annotations

import argparse

import numpy as np

import neuronal as nr

from .common import problem_1d, report, seconds, show

WIDTHS, SEEDS, UNTIL, TIMES, DATA = (64, 128, 512), 256, 10.0, 10, 32
NODES, DIRECTIONS, RATE, BATCH = 512, 24, 0.02, 2
CASES = [("bidirectional", 2), ("bidirectional", 3), ("i.i.d.", 2), ("i.i.d.", 3)]
CASES += [("bidirectional", 4), ("bidirectional", 6)]


def embedding_of(kind: str, depth: int, x) -> nr.embeddings.AbstractEmbedding:
    if kind == "i.i.d.":
        return nr.embeddings.IID(2, depth, mean=1.0, std=(2.0, *[1.0] * (depth - 1)))
    return nr.embeddings.Bidirectional(2, depth, rank=4, input_scale=2.0, inputs=x)


def measured(problem, embedding, width: int, rate: float, seeds: int):
    """Risks `(seeds, T)` and predictions `(seeds, T, m)` of trained networks."""
    x, _, _ = problem.quadrature(DATA)
    keep = {"save_at": TIMES, "data_nodes": DATA}
    risks, predictions = [], []
    for seed in range(seeds):
        network = embedding.sample(width, 1000 + seed)
        seen = []
        record = lambda t, loss, at, seen=seen: seen.append(np.asarray(at(x))[:, 0])
        if rate:
            run = nr.train(problem, network, rate, UNTIL, seed, BATCH, progress=record, **keep)
        else:
            run = nr.solve(problem, network, UNTIL, rtol=1e-3, atol=1e-5, progress=record, **keep)
        risks.append(run.loss[1:])
        predictions.append(seen[1:])
    return np.asarray(risks), np.asarray(predictions)


def rows_of(kind: str, depth: int, seeds: int, widths=WIDTHS) -> list[dict]:
    problem = problem_1d()
    x, _, q = problem.quadrature(DATA)
    embedding = embedding_of(kind, depth, x)
    keep = {"save_at": TIMES, "data_nodes": DATA}
    # More nodes, where they are as cheap, leave less of the limit's own error.
    nodes = NODES if depth > 2 and kind == "bidirectional" else 8 * NODES
    law = nr.fluctuations(problem, embedding, UNTIL, nodes, directions=DIRECTIONS, **keep)
    rows = []
    for n in widths:
        for rate in (0.0, RATE):
            risks, predictions = measured(problem, embedding, n, rate, seeds)
            at = (n, rate, BATCH)
            sd, expected = risks.std(axis=0, ddof=1), law.risk_sd(*at)[1:]
            error = 1 / np.sqrt(2 * seeds)
            of_prediction = np.sqrt(predictions.var(axis=0, ddof=1) @ np.asarray(q))
            of_law = np.sqrt(law.prediction_sd(*at)[1:, :, 0] ** 2 @ np.asarray(q))
            near = np.abs(expected / sd - 1) <= max(0.1, 2 * error)
            row = {"embedding": kind, "L": depth, "n": n, "by": f"SGD {rate:g}" if rate else "flow"}
            row |= {"risk sd, from": min(expected / sd), "to": max(expected / sd)}
            row |= {"within": f"{near.sum()} of {len(near)}"}
            row |= {"prediction sd, from": min(of_law / of_prediction)}
            row |= {"to ": max(of_law / of_prediction)}
            row |= {"n shift, measured": n * (risks.mean(axis=0) - law.risk[1:])[-1]}
            row |= {"its s.e.": n * sd[-1] / np.sqrt(seeds)}
            if law.complete:
                row |= {"predicted": n * (law.risk_mean(*at) - law.risk)[-1]}
                row |= {"its s.e. ": n * law.risk_mean_error(*at)[-1]}
            else:
                row |= {"predicted": "", "its s.e. ": ""}
            rows.append(row)
            show("fluctuations", "so far", rows)
    return rows


def cost(nodes: int = 1024, data: int = 128, rounds: int = 2) -> dict:
    """Seconds of the law, of `solve` and of 64 networks of n = 512, at 65 times, L = 3."""
    problem = problem_1d()
    x, _, _ = problem.quadrature(data)
    embedding = embedding_of("bidirectional", 3, x)
    keep = {"save_at": 64, "data_nodes": data}
    runs = {
        "solve": lambda: nr.solve(problem, embedding, UNTIL, nodes, **keep).network.weights,
        "fluctuations": lambda: (
            nr.fluctuations(problem, embedding, UNTIL, nodes, directions=16, **keep).risk
        ),
        "a network of 512": lambda: (
            nr.solve(
                problem, embedding.sample(512, 0), UNTIL, rtol=1e-3, atol=1e-5, **keep
            ).network.weights
        ),
    }
    for run in runs.values():
        run()
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(seconds(run))
    median = {name: float(np.median(found)) for name, found in times.items()}
    law = nr.fluctuations(problem, embedding, UNTIL, nodes, directions=16, **keep)
    own = {
        "sd, own error": float(np.max(law.risk_sd_error(512) / law.risk_sd(512))),
        "shift, own error": float(
            np.max(
                np.sqrt(np.sum(law.data.risk_shift_error.values[:-1] ** 2, axis=0))
                / np.abs(law.data.risk_shift.values[:-1]).sum(axis=0)
            )
        ),
    }
    ratio = {"of solve": median["fluctuations"] / median["solve"]}
    ratio |= {"of 64 networks": median["fluctuations"] / (64 * median["a network of 512"])}
    return {f"{name}, s": t for name, t in median.items()} | ratio | own


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--cases", type=int, default=len(CASES), help="the first so many")
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args(arguments if arguments is not None else [])
    rows = []
    for kind, depth in CASES[: given.cases]:
        rows += rows_of(kind, depth, given.seeds, given.widths)
    more = {"cost": cost()} if given.cost else {}
    ratios = [row[name] for row in rows for name in ("risk sd, from", "to")]
    report(
        "fluctuations",
        f"deviation of the risk of {given.seeds} networks, 1-D problem to t = {UNTIL:g}: predicted over "
        f"measured {min(ratios):.2f} to {max(ratios):.2f} at ten times",
        rows,
        f"standard error of a measured deviation: {1 / np.sqrt(2 * given.seeds):.1%}; SGD: learning rate "
        f"{RATE:g}, batch {BATCH}",
        **more,
    )


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
