"""Digits, L = 4: risks of networks of four widths against the band that one computation gave beforehand.

The training risk of SGD on some of scikit-learn's digits. *predicted* and *measured* are means and standard
deviations at the last time. *points inside*: of all curves at all times after 0 those in the mean ± 1.96
deviations of the prediction, 95 % if all were as predicted; *at worst* at one time. Points of one curve go
together: the standard error of the share is that between curves.

Later the deviation is still of the right size, but the shift of the mean is of no use: it is a mean of squares
of what single neurons move, some of which part from their neighbours ever faster while the loss is high.
"""

from __future__ import annotations

import json
import time

import numpy as np

import neuronal as nr

from .common import report

WIDTHS, SEEDS, DEPTH, ROWS = (64, 128, 256, 512), 32, 4, 240
RATE, BATCH, UNTIL, TIMES = 0.2, 32, 8.0, 8
NODES, DIRECTIONS = 192, 32
LEVEL = 1.96


def problem_and_embedding(rows: int = ROWS) -> tuple[nr.Problem, nr.embeddings.AbstractEmbedding]:
    data = nr.datasets.digits().train
    law = nr.distributions.Empirical(data.x[:rows], data.y[:rows])
    embedding = nr.embeddings.Bidirectional(law.input_dim, DEPTH, 10, inputs=law.x)
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


def row_of(width: int, risks: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> dict:
    """One width: what was measured `(seeds, T)`, and what was predicted `(T,)`, time 0 included."""
    inside = (np.abs(risks - mean) <= LEVEL * sd)[:, 1:]
    of_curves = inside.mean(axis=1)
    row = {"n": width, "mean, predicted": mean[-1], "measured": risks[:, -1].mean()}
    row |= {"its s.e.": risks[:, -1].std(ddof=1) / np.sqrt(len(risks))}
    row |= {"sd, predicted": sd[-1], "sd, measured": risks[:, -1].std(ddof=1)}
    row |= {"points inside": of_curves.mean()}
    row |= {"its s.e. ": of_curves.std(ddof=1) / np.sqrt(len(risks))}
    row |= {"at worst": inside.mean(axis=0).min()}
    return row


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
        rtol=1e-2,
        progress=lambda words, share: print(f"{share:.0%} {words}", flush=True),
    )
    taken = time.perf_counter() - began
    began = time.perf_counter()
    found = {n: measured(problem, embedding, n, seeds) for n in WIDTHS}
    trained = time.perf_counter() - began
    at = (RATE, BATCH)
    bands = {n: (law.risk_mean(n, *at), law.risk_sd(n, *at)) for n in WIDTHS}
    # What is not known of the mean belongs to the band, as in a plan's interval.
    unknown = {
        n: np.hypot(law.risk_mean_error(n, *at), law.risk_mean_remainder(n, *at)) for n in WIDTHS
    }
    wide = {n: np.hypot(bands[n][1], unknown[n]) for n in WIDTHS}
    rows = [row_of(n, found[n], bands[n][0], wide[n]) for n in WIDTHS]
    for row, n in zip(rows, WIDTHS, strict=True):
        row["sd, predicted"] = bands[n][1][-1]
        row["unknown of the mean"] = unknown[n][-1]
    curves = {
        "times": list(law.times),
        "limit": list(law.risk),
        "of_widths": {
            n: {
                "mean": list(bands[n][0]),
                "half": list(LEVEL * wide[n]),
                "risks": [list(curve) for curve in found[n]],
            }
            for n in WIDTHS
        },
    }
    share = np.mean([row["points inside"] for row in rows])
    report(
        "digits_band",
        f"digits, L = {DEPTH}: {share:.0%} of the risks of {seeds} networks each of widths "
        f"{', '.join(map(str, WIDTHS))} lie in the 95 % band that one computation gave beforehand",
        rows,
        f"{ROWS} digits, learning rate {RATE:g}, batches of {BATCH}, to t = {UNTIL:g}; the prediction on "
        f"{NODES} nodes, {DIRECTIONS} directions per source: {taken:.0f} s, the networks "
        f"{trained:.0f} s, while other programs ran",
        curves=json.loads(json.dumps(curves, default=float)),
        seconds={"prediction": taken, "networks": trained},
    )


if __name__ == "__main__":
    main()
