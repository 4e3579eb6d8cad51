"""Fluctuations predicted from the limit alone, against many networks: risk and prediction, flow and SGD.

Ten times of the 1-D problem. A row is one width, trained in one way; *risk sd* and *prediction sd* are
the least and the largest ratio of predicted to measured over the times (prediction: root mean square over
inputs).
Rows take minutes each: `python -m benchmarks.fluctuations --resume --parts 1` measures the next one that
the file lacks.
`--parts 0 --cost` measures what the law costs beside `solve` and beside networks; alone on the machine.
*within*: at how many of the ten times the risk's deviation is met within 10 % or two standard errors
of the measurement. *shift*: mean risk less the limit's, times n, at the last time.
"""

from __future__ import annotations

import argparse
import json
import resource

import numpy as np

import neuronal as nr

from .common import RESULTS, problem_1d, report, seconds

WIDTHS, SEEDS, UNTIL, TIMES, DATA = (64, 128, 512), 256, 10.0, 10, 32
NODES, DIRECTIONS, RATE, BATCH = 512, 24, 0.02, 2
COUNTS = (4, 8, 16)
"""Directions whose cost is measured."""
CASES = [("bidirectional", 2), ("bidirectional", 3), ("i.i.d.", 2), ("i.i.d.", 3)]
CASES += [("bidirectional", 4), ("bidirectional", 6)]


def embedding_of(kind: str, depth: int, x) -> nr.embeddings.AbstractEmbedding:
    if kind == "i.i.d.":
        return nr.embeddings.IID(2, depth, mean=1.0, std=(2.0, *[1.0] * (depth - 1)))
    return nr.embeddings.Bidirectional(2, depth, rank=4, input_scale=2.0, inputs=x, spread=0.5)


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


def law_of(
    kind: str, depth: int
) -> tuple[nr.Problem, nr.embeddings.AbstractEmbedding, nr.Fluctuations]:
    """What is known of all networks of one embedding and depth."""
    problem = problem_1d()
    x, _, _ = problem.quadrature(DATA)
    embedding = embedding_of(kind, depth, x)
    # More nodes, where they are as cheap or tell, leave less of the limit's own error.
    nodes = NODES * (8 if depth == 2 else 2 if kind == "i.i.d." or depth > 3 else 1)
    # Second derivatives on one set of nodes of Gaussian weights scatter by more than half of the shift.
    sets = 8 if (kind, depth) == ("i.i.d.", 2) else 1
    keep = {"save_at": TIMES, "data_nodes": DATA}
    law = nr.fluctuations(
        problem, embedding, UNTIL, nodes, directions=DIRECTIONS, repeats=sets, **keep
    )
    return problem, embedding, law


def row_of(kind: str, depth: int, n: int, rate: float, seeds: int, known) -> dict:
    """One width, trained in one way, beside what is known of it."""
    problem, embedding, law = known
    _, _, q = problem.quadrature(DATA)
    risks, predictions = measured(problem, embedding, n, rate, seeds)
    at = (n, rate, BATCH)
    sd, expected = risks.std(axis=0, ddof=1), law.risk_sd(*at)[1:]
    error = 1 / np.sqrt(2 * seeds)
    of_prediction = np.sqrt(predictions.var(axis=0, ddof=1) @ np.asarray(q))
    of_law = np.sqrt(law.prediction_sd(*at)[1:, :, 0] ** 2 @ np.asarray(q))
    near = np.abs(expected / sd - 1) <= max(0.1, 2 * error)
    row = {"embedding": kind, "L": depth, "n": n, "by": by(rate)}
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
    return row


def by(rate: float) -> str:
    return f"SGD {rate:g}" if rate else "flow"


def cost(nodes: int = 1024, data: int = 128, rounds: int = 2) -> list[dict]:
    """Seconds of the law, of `solve` and of 64 networks of n = 512, at 65 times, L = 3; a row per number of
    directions."""
    problem = problem_1d()
    x, _, _ = problem.quadrature(data)
    embedding = embedding_of("bidirectional", 3, x)
    keep = {"save_at": 64, "data_nodes": data}
    laws: dict[int, nr.Fluctuations] = {}

    def law(directions: int) -> np.ndarray:
        laws[directions] = nr.fluctuations(
            problem, embedding, UNTIL, nodes, directions=directions, **keep
        )
        return laws[directions].risk

    runs = {
        "solve": lambda: nr.solve(problem, embedding, UNTIL, nodes, **keep).network.weights,
        "a network of 512": lambda: (
            nr.solve(
                problem, embedding.sample(512, 0), UNTIL, rtol=1e-3, atol=1e-5, **keep
            ).network.weights
        ),
    } | {n: lambda n=n: law(n) for n in COUNTS}
    for run in runs.values():
        run()
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(seconds(run))
    median = {name: float(np.median(found)) for name, found in times.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [
        {
            "directions": n,
            "s": median[n],
            "solve, s": median["solve"],
            "a network of 512, s": median["a network of 512"],
            "of solve": median[n] / median["solve"],
            "of 64 networks": median[n] / (64 * median["a network of 512"]),
            "risk sd, own error": float(np.max(laws[n].risk_sd_error(512) / laws[n].risk_sd(512))),
            "shift, own error": _shift_error(laws[n]),
            "most memory of all, GiB": peak,
        }
        for n in COUNTS
    ]


def _shift_error(law: nr.Fluctuations) -> float:
    """Of the mean's shift by neurons, at worst over the times, as a share of it."""
    errors = law.data.risk_shift_error.values[:-1]
    return float(
        np.max(
            np.sqrt(np.sum(errors**2, axis=0)) / np.abs(law.data.risk_shift.values[:-1]).sum(axis=0)
        )
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--cases", type=int, default=len(CASES), help="the first so many")
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--depths", type=int, nargs="*", help="of the cases; all if left out")
    parser.add_argument("--resume", action="store_true", help="measure what the file lacks")
    parser.add_argument("--parts", type=int, default=1000, help="at most so many rows in this call")
    given = parser.parse_args(arguments if arguments is not None else [])
    file = RESULTS / "fluctuations.json"
    record = json.loads(file.read_text()) if given.resume and file.is_file() else {"rows": []}
    name = lambda row: (row["embedding"], row["L"], row["n"], row["by"])
    rows = {name(row): row for row in record["rows"]}
    wanted = [
        (kind, depth, n, rate)
        for kind, depth in CASES[: given.cases]
        for n in given.widths
        for rate in (0.0, RATE)
        if given.depths is None or depth in given.depths
    ]
    missing = [part for part in wanted if (*part[:3], by(part[3])) not in rows][: given.parts]
    known, of = None, ()
    for kind, depth, n, rate in missing:
        if of != (kind, depth):
            known, of = law_of(kind, depth), (kind, depth)
        rows[kind, depth, n, by(rate)] = row_of(kind, depth, n, rate, given.seeds, known)
        written(list(rows.values()), given.seeds, record)
    if given.cost:
        written(list(rows.values()), given.seeds, record | {"cost": cost()})


def written(rows: list[dict], seeds: int, record: dict) -> None:
    rows = sorted(rows, key=lambda row: CASES.index((row["embedding"], row["L"])))
    ratios = [row[name] for row in rows for name in ("risk sd, from", "to")]
    more = {"cost": record["cost"]} if "cost" in record else {}
    report(
        "fluctuations",
        f"deviation of the risk of {seeds} networks, 1-D problem to t = {UNTIL:g}: predicted over "
        f"measured {min(ratios):.2f} to {max(ratios):.2f} at ten times",
        rows,
        f"standard error of a measured deviation: {1 / np.sqrt(2 * seeds):.1%}; SGD: learning rate "
        f"{RATE:g}, batch {BATCH}",
        **more,
    )


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
