"""Networks grown in the middle of training, beside those left narrow and those wide from the start.

Growth is to 512 neurons per layer at half the time. A grown network learns faster than the one it came
from, whatever the new width: the column *twice*, grown to twice the width alone, tells how much of the
gain is not the width's.
"""

from __future__ import annotations

import jax
import numpy as np

import neuronal as nr
from neuronal import datasets

from .common import problem_1d, report

WIDE, SEEDS, EPOCHS, RATE, BATCH = 512, 4, 20, 0.3, 32


def main(seeds: int = SEEDS) -> None:
    rows = [
        _grown("1-D, L = 3, MF ODE", 16, seeds, _flow),
        _grown("1-D, L = 3, MF ODE", 64, seeds, _flow),
    ]
    rows += [_grown(f"digits, L = {L}, SGD", 64, seeds, lambda s, L=L: _sgd(s, L)) for L in (3, 4)]
    report(
        "growth",
        f"grown to {WIDE} neurons per layer half way: final risks, geometric means over {seeds} seeds",
        rows,
        "ratios: geometric means of pairs, with the least and the largest; twice: grown to twice the width",
    )


def _grown(name: str, small: int, seeds: int, make) -> dict:
    risks = {"left": [], "grown": [], "twice": [], "from the start": []}
    for s in range(seeds):
        sample, run, half = make(s)
        left = run(sample(small), 0.0)
        middle = left.at(half)
        risks["left"].append(left.loss[-1])
        for kind, width in (("grown", WIDE), ("twice", 2 * small)):
            risks[kind].append(run(nr.grow(middle, width, key=s), half).loss[-1])
        risks["from the start"].append(run(sample(WIDE), 0.0).loss[-1])
    logs = {kind: np.log(found) for kind, found in risks.items()}
    row = {"problem": name, "from": small}
    row |= {kind: float(np.exp(np.mean(found))) for kind, found in logs.items()}
    for kind in ("left", "grown"):
        ratios = np.exp(logs[kind] - logs["from the start"])
        middle = np.exp(np.mean(np.log(ratios)))
        row[f"{kind} / from the start"] = f"{middle:.2f} [{ratios.min():.2f}, {ratios.max():.2f}]"
    print(row, flush=True)
    return row


def _flow(seed: int):
    problem, until = problem_1d(), 200.0
    x = problem.quadrature(64)[0]
    embedding = nr.embeddings.Bidirectional(2, 3, rank=4, input_scale=10.0, inputs=x, spread=0.5)

    def run(start: nr.Network, since: float) -> nr.Trajectory:
        return nr.solve(
            problem, start, until, save_at=2, data_nodes=48, rtol=1e-3, atol=1e-5, since=since
        )

    return lambda n: embedding.sample(n, jax.random.key(seed)), run, until / 2


def _sgd(seed: int, depth: int):
    train = datasets.digits().train
    steps = EPOCHS * len(train.x) // BATCH // 2 * 2
    until = RATE * steps
    problem = nr.Problem(train, nr.losses.CrossEntropy(), nr.schedules.cosine(until))
    embedding = nr.embeddings.Bidirectional(train.input_dim, depth, 10, inputs=train.x, spread=0.5)

    def run(start: nr.Network, since: float) -> nr.Trajectory:
        return nr.train(problem, start, RATE, until, seed, BATCH, save_at=2, since=since)

    return lambda n: embedding.sample(n, jax.random.key(seed)), run, until / 2


if __name__ == "__main__":
    main()
