"""Digits, L = 4: risks of networks of four widths against the band that one computation gave beforehand.

The training risk of SGD on some of scikit-learn's digits. The band is 1.96 times the deviation and the mean's
own error together about the mean, all predicted. *points inside*: of all curves at all times after 0 those in
it, 95 % if all were as predicted; *of the deviation*: in that of the deviation alone; *about the limit*: in
the whole band about the limit's risk, as if networks had that in the mean. *mean told*: at how many of the
times its error is below the deviation, and *inside then*. Points of one curve go together: the standard
error of the share is that between curves. *shift*: of the mean risk from the limit's at the last time,
measured, and predicted with its own error.

Second derivatives have heavy tails: at times of its own each set of nodes tells a shift of the mean that is
many times too large. So the law is a mean over several sets.
"""

from __future__ import annotations

import json
import time

import numpy as np

import neuronal as nr

from .common import report

WIDTHS, SEEDS, DEPTH, ROWS = (64, 128, 256, 512), 32, 4, 240
RATE, BATCH, UNTIL, TIMES = 0.2, 32, 8.0, 8
NODES, DIRECTIONS, SETS = 512, 8, 6
LEVEL = 1.96


def problem_and_embedding(rows: int = ROWS) -> tuple[nr.Problem, nr.embeddings.AbstractEmbedding]:
    data = nr.datasets.digits().train
    law = nr.distributions.Empirical(data.x[:rows], data.y[:rows])
    embedding = nr.embeddings.Bidirectional(law.input_dim, DEPTH, 10, inputs=law.x, spread=0.5)
    return nr.Problem(law, nr.losses.CrossEntropy()), embedding


def measured(problem, embedding, width: int, seeds: int) -> np.ndarray:
    """Risks `(seeds, T)` of trained networks, time 0 first."""
    runs = [
        nr.train(
            problem, embedding.sample(width, 1000 + s), RATE, UNTIL, s, BATCH, save_at=TIMES
        ).loss
        for s in range(seeds)
    ]
    return np.asarray(runs, float)


def row_of(
    width: int,
    risks: np.ndarray,
    limit: np.ndarray,
    mean: np.ndarray,
    sd: np.ndarray,
    unknown: np.ndarray,
) -> dict:
    """One width: what was measured `(seeds, T)`, and what was predicted `(T,)`, time 0 included."""
    half = LEVEL * np.hypot(sd, unknown)
    within = lambda at, half: (np.abs(risks - at) <= half)[:, 1:]
    inside, near = within(mean, half), within(limit, half)
    of_curves, measured = inside.mean(axis=1), risks.std(axis=0, ddof=1)
    ratios = sd[1:] / measured[1:]
    row = {"n": width, "sd, predicted": sd[-1], "sd, measured": measured[-1]}
    row |= {"ratio over times, from": ratios.min(), "to": ratios.max()}
    row |= {"points inside": of_curves.mean()}
    row |= {"its s.e.": of_curves.std(ddof=1) / np.sqrt(len(risks))}
    row |= {"of the deviation": within(mean, LEVEL * sd).mean(), "about the limit": near.mean()}
    told = (unknown < sd)[1:]
    row |= {"mean told": f"{told.sum()} of {len(told)}", "inside then": inside[:, told].mean()}
    row |= {"shift, measured": risks[:, -1].mean() - limit[-1]}
    row |= {"its s.e. ": measured[-1] / np.sqrt(len(risks))}
    return row | {"predicted": (mean - limit)[-1], "its own error": unknown[-1]}


def rows_of(curves: dict) -> list[dict]:
    """One row per width, of all that was computed."""
    limit = np.asarray(curves["limit"])
    rows = []
    for n, of in curves["of_widths"].items():
        risks, *told = (np.asarray(of[name]) for name in ("risks", "mean", "sd", "error"))
        rows.append(row_of(int(n), risks, limit, *told))
    return rows


def main(seeds: int = SEEDS) -> None:
    problem, embedding = problem_and_embedding()
    began = time.perf_counter()
    law = nr.fluctuations(
        problem,
        embedding,
        UNTIL,
        NODES,
        save_at=TIMES,
        directions=DIRECTIONS,
        repeats=SETS,
        rtol=1e-2,
        progress=lambda words, share: print(f"{share:.0%} {words}", flush=True),
    )
    taken = time.perf_counter() - began
    began = time.perf_counter()
    found = {n: measured(problem, embedding, n, seeds) for n in WIDTHS}
    trained = time.perf_counter() - began
    at = (RATE, BATCH)
    curves = {
        "times": list(law.times),
        "limit": list(law.risk),
        "of_widths": {
            str(n): {
                "mean": list(law.risk_mean(n, *at)),
                "sd": list(law.risk_sd(n, *at)),
                "error": list(law.risk_mean_error(n, *at)),
                "risks": [list(curve) for curve in risks],
            }
            for n, risks in found.items()
        },
    }
    rows = rows_of(curves)
    share = np.mean([row["points inside"] for row in rows])
    ratios = min(row["ratio over times, from"] for row in rows), max(row["to"] for row in rows)
    report(
        "digits_band",
        f"digits, L = {DEPTH}: the risk's deviation over {seeds} networks each of widths "
        f"{', '.join(map(str, WIDTHS))} from one computation, predicted over measured {ratios[0]:.2f} to "
        f"{ratios[1]:.2f} at {TIMES} times; {share:.0%} of all risks within its band",
        rows,
        f"{ROWS} digits, learning rate {RATE:g}, batches of {BATCH}, to t = {UNTIL:g}; the prediction on "
        f"{SETS} sets of {NODES} nodes, {DIRECTIONS} directions per source: {taken:.0f} s, the networks "
        f"{trained:.0f} s, while other programs ran",
        curves=json.loads(json.dumps(curves, default=float)),
        seconds={"prediction": taken, "networks": trained},
    )


if __name__ == "__main__":
    main()
