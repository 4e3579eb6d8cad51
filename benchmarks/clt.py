"""The central limit theorem of Sirignano and Spiliopoulos: one hidden layer, trained by SGD of step 1/n.

n times the covariance of the predictions at 16 inputs, of many networks and from `fluctuations`, which has
the limit alone: neurons and samples both bring order 1/n. *error*: of the measured covariance from the one
predicted, relative, in the Frobenius norm; *its s.e.* over networks (bootstrap). *by chance*: what so many
normal vectors of exactly the predicted covariance would give. *beyond chance*: the root of the difference of
their squares, where it is positive. *normal*: Kolmogorov's distance of the predictions at one input from the
normal law of the predicted variance about the mean predicted; *1 % level*: what it exceeds once in a hundred
times where that law is exact. *samples' share*: of the predicted covariance's trace.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

import neuronal as nr
from neuronal.works.figures import wave

from .common import report

WIDTHS, SEEDS, UNTIL, POINT = (64, 256, 1024), 1000, 2.0, 12
NODES, DIRECTIONS, RESAMPLED = 4096, 32, 400


def problem_and_embedding() -> tuple[nr.Problem, nr.embeddings.AbstractEmbedding]:
    embedding = nr.embeddings.IID(2, 2, activation="erf", std=(2.0, 1.0))
    return nr.Problem(wave(16), nr.losses.Squared()), embedding


def ends(problem, embedding, n: int, seeds: int) -> np.ndarray:
    """Predictions `(seeds, m)` of networks trained by steps of 1/n."""
    x, _, _ = problem.quadrature(1)
    train = lambda s: nr.train(problem, embedding.sample(n, s), 1 / n, UNTIL, s, save_at=1)
    return np.asarray([np.asarray(train(s).network(x))[:, 0] for s in range(seeds)], float)


def relative(found: np.ndarray, predicted: np.ndarray) -> float:
    """The distance of a covariance from the predicted one, in the Frobenius norm."""
    return float(np.linalg.norm(found - predicted) / np.linalg.norm(predicted))


def row_of(n: int, predictions: np.ndarray, law: nr.Fluctuations) -> dict:
    """One width: n times the covariance, and the law at one input."""
    seeds = len(predictions)
    at = (n, 1 / n, 1)
    predicted = n * law.prediction_covariance(*at)[-1, :, 0, :, 0]
    of = lambda rows: relative(n * np.cov(rows, rowvar=False), predicted)
    error = of(predictions)
    rng = np.random.default_rng(0)
    again = [of(predictions[rng.integers(seeds, size=seeds)]) for _ in range(RESAMPLED)]
    chance = np.sqrt((np.sum(predicted**2) + np.trace(predicted) ** 2) / (seeds - 1))
    chance /= np.linalg.norm(predicted)
    mean = law.prediction_mean(*at)[-1, POINT, 0]
    normal = stats.norm(mean, np.sqrt(predicted[POINT, POINT] / n))
    ratio = n * predictions[:, POINT].var(ddof=1) / predicted[POINT, POINT]
    of_source = np.einsum("smm->s", law.data.prediction_covariance.values[:, -1, :, 0, :, 0])
    row = {"n": n, "networks": seeds, "error": error, "its s.e.": np.std(again, ddof=1)}
    row |= {"by chance": chance, "beyond chance": np.sqrt(max(error**2 - chance**2, 0.0))}
    row |= {"variance / predicted": ratio, "its s.e. ": np.sqrt(2 / (seeds - 1))}
    row |= {"normal": float(stats.kstest(predictions[:, POINT], normal.cdf).statistic)}
    row |= {"1 % level": stats.kstwo(seeds).ppf(0.99)}
    row |= {"samples' share": of_source[-1] / of_source.sum()}
    return row


def main(widths=WIDTHS, seeds: int = SEEDS) -> None:
    problem, embedding = problem_and_embedding()
    law = nr.fluctuations(problem, embedding, UNTIL, NODES, save_at=1, directions=DIRECTIONS)
    own = law.data.prediction_covariance_error.values[:, -1, :, 0, :, 0].sum(axis=0)
    whole = law.data.prediction_covariance.values[:, -1, :, 0, :, 0].sum(axis=0)
    rows = []
    for n in widths:
        rows.append(row_of(n, ends(problem, embedding, n, seeds), law))
        print(rows[-1], flush=True)
    report(
        "clt",
        f"central limit theorem at learning rate 1/n: n times the covariance at 16 inputs within "
        f"{max(row['error'] for row in rows):.1%} (Frobenius) of that predicted from the limit alone",
        rows,
        f"sin 3x, erf, w ~ N(0, 4), c ~ N(0, 1), to t = {UNTIL:g}; the prediction's own error, of its "
        f"directions, {np.linalg.norm(own) / np.linalg.norm(whole):.1%}",
    )


if __name__ == "__main__":
    main()
