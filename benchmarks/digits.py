"""Digits, L = 6: one learning rate at widths 128, 512 and 2048, beside scikit-learn's MLP.

The rate falls to zero as a cosine: at a constant one the final risk of a run varies by a tenth
with the last batches, and hides what the width does. Ratios are paired: a seed has the same
samples, and the same first neurons, at every width.
"""

from __future__ import annotations

import time

import jax
import numpy as np
from sklearn.neural_network import MLPClassifier

import neuronal as nr
from neuronal import datasets
from neuronal.theory.rates import student

from .common import report

WIDTHS, SEEDS = (128, 512, 2048), 5
RATE, BATCH, EPOCHS, DEPTH = 0.3, 32, 40, 6


def main(widths=WIDTHS, seeds: int = SEEDS) -> None:
    data = datasets.digits()
    train, test = data.train, data.test
    classes = np.asarray(test.y)[:, 0]
    embedding = nr.embeddings.Bidirectional(train.input_dim, DEPTH, 10, inputs=train.x, spread=0.5)
    until = RATE * (EPOCHS * len(train.x) // BATCH)
    problem = nr.Problem(train, nr.losses.CrossEntropy(), nr.schedules.cosine(until))
    rows, by_width = [], []
    for n in widths:
        began = time.perf_counter()
        risks, scores = [], []
        for s in range(seeds):
            network = embedding.sample(n, jax.random.key(s))
            run = nr.train(problem, network, RATE, until, key=s, batch_size=BATCH, save_at=8)
            risks.append(run.loss[-1])
            scores.append(np.mean(np.argmax(np.asarray(run.network(test.x)), axis=1) == classes))
        by_width.append(np.array(risks))
        rows.append(
            {
                "model": f"bidirectional, L = {DEPTH}, width {n}",
                "final risk": float(np.mean(risks)),
                "risk, sd over seeds": float(np.std(risks, ddof=1)) if seeds > 1 else 0.0,
                "test accuracy": float(np.mean(scores)),
                "least test accuracy": float(np.min(scores)),
                "seconds per run": (time.perf_counter() - began) / seeds,
            }
        )
        print(rows[-1], flush=True)
    for row, risks in zip(rows, by_width, strict=True):
        ratio = student(np.log(risks / by_width[-1]))
        row["risk / widest"] = float(np.exp(ratio.slope))
        row["low"], row["high"] = float(np.exp(ratio.low)), float(np.exp(ratio.high))
    began = time.perf_counter()
    scores = [
        MLPClassifier((512, 512, 512), random_state=s)
        .fit(np.asarray(train.x), np.asarray(train.y)[:, 0])
        .score(np.asarray(test.x), classes)
        for s in range(seeds)
    ]
    rows.append(
        {
            "model": "MLPClassifier (512, 512, 512)",
            "test accuracy": float(np.mean(scores)),
            "least test accuracy": float(np.min(scores)),
            "seconds per run": (time.perf_counter() - began) / seeds,
        }
    )
    report(
        "digits",
        f"digits, learning rate {RATE} falling as a cosine, batch {BATCH}, {EPOCHS} epochs, {seeds} seeds",
        rows,
        "final risk: cross-entropy over the whole training set; seeds change latents and samples; risk / "
        "widest: geometric mean of paired ratios with its 95 % interval",
    )


if __name__ == "__main__":
    main()
