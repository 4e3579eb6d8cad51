"""Does the best learning rate move with width and depth? Ours beside the standard parametrisation and mup.

The 1-D problem with noise in Y, fresh samples, one budget of steps for every run, rates falling to
zero as half a cosine. Each kind of network is tuned alike, by itself, at every width and depth, on
factors of 2: from the best rate of the size before, in both directions until the risk has risen on
either side. All have the same input scale; a seed is the same samples at every size.
`python -m benchmarks.transfer ours` (or `standard`, `mup`) renews that kind alone; `missing` runs the
sizes that the results lack. Each size is written as it is found, so that a run cut short loses one.
`docs/figures.py` draws the picture of the documentation from what is written.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence

import jax
import numpy as np
import torch

import neuronal as nr

from .common import RESULTS, report, target_1d

STEPS, BATCH, SCALE, NOISE = 600, 32, 10.0, 0.3
WIDTHS, DEPTHS = (64, 256, 1024, 4096, 8192), (3, 4, 8, 16, 32)
DEPTH, WIDTH = 3, 512  # while the other one moves
SEEDS, WIDE_SEEDS, WIDE = 3, 2, 4096
START = {"ours": 1.6, "standard": 0.1, "mup": 0.4}


LAW = nr.distributions.Regression(
    target_1d, nr.distributions.Biased(nr.distributions.Uniform(-1.0, 1.0)), noise=NOISE
)
PROBLEM = nr.Problem(LAW, nr.losses.PseudoHuber(1.0))
INFIMUM = LAW.bayes_risk(PROBLEM.loss)


def ours(width: int, depth: int, rate: float, seed: int) -> float:
    x = LAW.inputs.quadrature(64)[0]

    def embedding(depth: int) -> nr.embeddings.Bidirectional:
        return nr.embeddings.Bidirectional(2, depth, inputs=x, input_scale=SCALE)

    recipe = nr.transfer.Recipe(PROBLEM, embedding, STEPS, BATCH)
    return nr.transfer.final_risk(recipe, width, depth, rate, jax.random.key(seed)) - INFIMUM


def layers(width: int, depth: int, readout: type) -> torch.nn.Sequential:
    """A tanh network without biases (inputs are (x, 1)), variances 1/fan-in but for the first layer."""
    sizes = [2, *[width] * (depth - 1)]
    parts: list[torch.nn.Module] = []
    for i in range(depth - 1):
        linear = torch.nn.Linear(sizes[i], sizes[i + 1], bias=False)
        torch.nn.init.normal_(linear.weight, std=SCALE if i == 0 else sizes[i] ** -0.5)
        parts += [linear, torch.nn.Tanh()]
    last = readout(width, 1, bias=False)
    torch.nn.init.normal_(last.weight, std=width**-0.5)
    return torch.nn.Sequential(*parts, last)


def standard(width: int, depth: int, rate: float, seed: int) -> float:
    torch.manual_seed(seed)
    model = layers(width, depth, torch.nn.Linear)
    return trained(model, torch.optim.SGD(model.parameters(), rate), seed)


def mup(width: int, depth: int, rate: float, seed: int) -> float:
    from mup import MuReadout, MuSGD, set_base_shapes

    torch.manual_seed(seed)
    model = layers(width, depth, MuReadout)
    base, delta = (layers(n, depth, MuReadout) for n in (64, 128))
    set_base_shapes(model, base, delta=delta)
    return trained(model, MuSGD(model.parameters(), lr=rate), seed)


def trained(model: torch.nn.Module, optimiser: torch.optim.Optimizer, seed: int) -> float:
    """The risk above the infimum after the run; infinite if it diverged."""
    samples = LAW.sample(jax.random.key(seed), STEPS * BATCH)
    x, y = (torch.tensor(np.asarray(a)).reshape(STEPS, BATCH, -1) for a in samples)
    fall = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: (1 + np.cos(np.pi * k / STEPS)) / 2
    )
    for k in range(STEPS):
        loss = (torch.sqrt(1 + (model(x[k]) - y[k]) ** 2) - 1).mean()
        if not torch.isfinite(loss):
            return np.inf
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        fall.step()
    nodes, targets, p = (torch.tensor(np.asarray(a)) for a in PROBLEM.quadrature(1024))
    with torch.no_grad():
        risk = p @ (torch.sqrt(1 + (model(nodes) - targets) ** 2) - 1)[:, 0]
    return float(risk) - INFIMUM if torch.isfinite(risk) else np.inf


torch.set_num_threads(1)  # on a busy machine two wait for each other, up to 40-fold
SIZE = ("kind", "width", "depth")
KINDS = {"ours": ours, "standard": standard, "mup": mup}


def seeds_of(kind: str, width: int) -> range:
    """Peers form their weights: at the widths of thousands they get one seed."""
    if width < WIDE:
        return range(SEEDS)
    return range(WIDE_SEEDS if kind == "ours" else 1)


def tuned(kind: str, width: int, depth: int, start: float) -> dict:
    """Risks at rates around the best, both sides known."""
    seeds = seeds_of(kind, width)
    began = time.perf_counter()
    risks: dict[float, list[float]] = {}

    def middle(rate: float) -> float:
        if rate not in risks:
            risks[rate] = [KINDS[kind](width, depth, rate, s) for s in seeds]
        return mean(risks[rate])

    best = start
    middle(best)
    while True:
        near = min((best / 2, best * 2), key=middle)
        if middle(near) >= middle(best):
            break
        best = near
    if width < WIDE:  # the curve's other points, for the plot
        middle(best / 4)
        middle(best * 4)
    rates = sorted(risks)
    found = {"kind": kind, "depth": depth, "width": width, "best": best, "risk": middle(best)}
    found |= {"rates": rates, "risks": [risks[r] for r in rates]}
    print({k: v for k, v in found.items() if k != "risks"}, [f"{middle(r):.2e}" for r in rates],
          f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
    return found


def scans(kind: str, known: list[dict]) -> Iterator[dict]:
    """The sizes of a kind that are not known, each started at the best rate of the size before."""
    best = {(p["width"], p["depth"]): p["best"] for p in known if p["kind"] == kind}
    for sizes in ([(n, DEPTH) for n in WIDTHS], [(WIDTH, depth) for depth in DEPTHS]):
        start = START[kind]
        for width, depth in sizes:
            if (width, depth) not in best:
                yield (found := tuned(kind, width, depth, start))
                best[width, depth] = found["best"]
            start = best[width, depth]


def row_of(point: dict, points: list[dict]) -> dict:
    """A point beside those of its scan: over widths at L = 3, over depths at one width."""
    by_depth = point["width"] == WIDTH
    scan = [p for p in points if p["kind"] == point["kind"] and (p["width"] == WIDTH) == by_depth]
    beside = scan[0] if by_depth else next((p for p in scan if p["width"] == 256), point)
    both = slice(min(len(p["risks"][0]) for p in (point, beside)))
    risk, risk_beside = (
        mean(p["risks"][p["rates"].index(p["best"])][both]) for p in (point, beside)
    )
    return {
        "network": point["kind"], "varied": "depth" if by_depth else "width",
        "L": point["depth"], "width": point["width"], "best rate": point["best"],
        "steps of 2 from the first": round(float(np.log2(point["best"] / scan[0]["best"]))),
        "excess risk": point["risk"],
        "risk": point["risk"] + INFIMUM,
        "excess / that of L = 3 or width 256": risk / risk_beside,
        "excess at the first's rate": at(point, scan[0]["best"]) or "",
    }  # fmt: skip


def mean(risks: list[float]) -> float:
    """Geometric, over seeds."""
    return float(np.exp(np.mean(np.log(risks))))


def at(point: dict, rate: float) -> float | None:
    """The risk at a rate handed on, if the scan came by it."""
    if rate not in point["rates"]:
        return None
    return mean(point["risks"][point["rates"].index(rate)])


def main(renewed: Sequence[str] = tuple(KINDS)) -> None:
    for kind in KINDS if renewed == ["missing"] else renewed:
        for found in scans(kind, measured() if renewed == ["missing"] else []):
            size = [found[name] for name in SIZE]
            others = [p for p in measured() if [p[name] for name in SIZE] != size]
            tell(sorted([*others, found], key=in_order))


def measured() -> list[dict]:
    """What the results hold now: another process may have added to them."""
    path = RESULTS / "transfer.json"
    return json.loads(path.read_text())["points"] if path.exists() else []


def in_order(point: dict) -> tuple:
    """Kind by kind, first over widths, then over depths."""
    return list(KINDS).index(point["kind"]), point["width"] == WIDTH, point["width"], point["depth"]


def tell(points: list[dict]) -> None:
    report(
        "transfer",
        "best learning rate and final risk above the infimum over widths "
        f"(L = {DEPTH}) and depths (width {WIDTH}), {STEPS} steps of {BATCH} samples",
        [row_of(point, points) for point in points],
        f"excess: risk above the infimum {INFIMUM:.4f} (noise {NOISE}), about 0.2 at the start; geometric "
        f"means over {SEEDS} seeds, from width {WIDE} on {WIDE_SEEDS} (1 of the peers); ratios of the seeds "
        "that both have; ours: `transfer.Recipe` (power 1, factored weights from width 2048 on); standard: "
        "PyTorch, variance 1/fan-in, one rate; mup: its MuReadout and MuSGD, base width 64; the last "
        "column is the excess with the first size's best rate, where the scan came by it",
        points=points,
    )


if __name__ == "__main__":
    main(sys.argv[1:] or tuple(KINDS))
