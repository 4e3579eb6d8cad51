"""Which start learns fastest? Limits at their own best rate, of many targets and depths.

Budget and fairness: every start takes the same number of steps of SGD on 128 Sobol nodes per layer, all on
the same fresh samples, the rates falling to zero as half a cosine; and each is read at its own best rate, of
the factors of 2 from 0.2 to 25.6. A start whose risk is more curved has a smaller largest stable rate, and so
less MF time for its steps: none gains by a mere change of units, in weights, outputs or schedules. The risk
is that on samples apart, above its infimum, over that of the best constant.

Starts differ from a first one, of spread 0.5 at all depths, in one thing at a time, then in several, on
the targets of `CHOICE`; those of `HELD_OUT`, named before, are run for the finalists alone. The spread of 2
that falls as the power 0.3 of the depth is the default of `embeddings.Bidirectional` where the activation
saturates. Each run is kept as soon as it is there, and what is kept is not run again:

    python -m benchmarks.start [one pairs final ...] [--seconds 170]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import neuronal as nr
from neuronal import dynamics
from neuronal.embeddings import features

from .common import RESULTS, report
from .start_targets import CHOICE, HELD_OUT, TARGETS, Target, target

NODES, STEPS, BATCH = 128, 600, 64
RATES = tuple(0.2 * 2**j for j in range(8))
DEPTHS = (2, 3, 6, 12, 32)
KEPT = RESULTS / "start_runs.jsonl"


@dataclass(frozen=True)
class Start:
    r"""What a start, and how it is run, may differ in.

    Attributes:
        scale: s times $\sqrt d$, of the first layer's weights.
        spread: of $H_i$ over inputs, in the middle layers, at L = 3.
        fall: the power of 1/(L - 2) with which the spread falls in deeper networks.
        rank: K.
        mix_every: one feature of so many mixes coordinates, the others carry one.
        output: the standard deviation of $w_L^0$.
        first, middle: $\xi_1$, and $\xi_i (L-2)$ of the middle layers, for $\xi_L = 1$.
        momentum: the share of a step that the next one keeps.
        activation: of all hidden layers; starts are measured against the first one of the same.
    """

    scale: float = 1.5
    spread: float = 0.5
    fall: float = 0.0
    rank: int = 16
    mix_every: int = 4
    output: float = 1.0
    first: float = 1.0
    middle: float = 1.0
    momentum: float = 0.0
    activation: str = "tanh"

    @property
    def first_one(self) -> Start:
        """What it is measured against."""
        return Start(activation=self.activation)

    def __str__(self) -> str:
        other = [
            f"{f.name} {getattr(self, f.name):g}"
            for f in fields(self)
            if f.name != "activation" and getattr(self, f.name) != f.default
        ]
        words = ", ".join(other) or "spread 0.5"
        return words if self.activation == "tanh" else f"{self.activation}: {words}"

    def network(self, target: Target, depth: int) -> nr.Network:
        """The limit's nodes at t = 0."""
        x = target.inputs(256)
        d = x.shape[1]
        with mixing(self.mix_every):
            embedding = nr.embeddings.Bidirectional(
                d, depth, target.outputs, self.activation, rank=self.rank,
                input_scale=self.scale / math.sqrt(d),
                spread=self.spread * max(depth - 2, 1) ** -self.fall, inputs=x,
            )  # fmt: skip
            network = embedding.quadrature(NODES, key=0, kernel="dense")
        last = lambda n: n.weights[-1]
        return eqx.tree_at(last, network, self.output * network.weights[-1])

    def rates(self, depth: int) -> tuple[float, ...]:
        r"""$\xi_1, ..., \xi_L$."""
        middle = self.middle / max(depth - 2, 1)
        return (self.first, *(middle,) * (depth - 2), 1.0)


@contextmanager
def mixing(every: int) -> Iterator[None]:
    """While a start is drawn, one feature of so many mixes."""
    before, features.MIX_EVERY = features.MIX_EVERY, every
    # What was compiled has the features of before.
    with jax.disable_jit(every != before):
        yield
    features.MIX_EVERY = before


def run(start: Start, name: str, depth: int) -> dict[str, Any]:
    """Excess risks at all rates, over that of the best constant."""
    there = target(name)
    samples, least, constant = there.test
    network = start.network(there, depth)
    xi = jnp.asarray(start.rates(depth))
    risks = _descended(
        network, there.law, there.loss, xi, jnp.asarray(start.momentum), jnp.asarray(RATES), samples
    )
    relative = (np.asarray(risks, float) - least) / (constant - least)
    return {
        "start": asdict(start), "target": name, "depth": depth,
        "risks": [float(f"{r:.4g}") if np.isfinite(r) else None for r in relative],
    }  # fmt: skip


@eqx.filter_jit
def _descended(
    network: nr.Network,
    law: nr.distributions.Distribution,
    loss: nr.losses.Loss,
    xi: Float[Array, "L"],
    momentum: Float[Array, ""],
    rates: Float[Array, "R"],
    samples: Any,
) -> Float[Array, "R"]:
    """Risks after the last step of each rate."""
    weights, measures, activations = network.weights, network.measures, network.activations

    def step(state: Any, k: Array) -> tuple[Any, None]:
        x, y = law.sample(jax.random.fold_in(jax.random.key(7), k), BATCH)
        equal = jnp.full(BATCH, 1 / BATCH)
        fall = (1 + jnp.cos(jnp.pi * k / STEPS)) / 2

        def one(state: Any, rate: Array) -> Any:
            w, before = state
            v, _ = dynamics.velocity(
                w, measures, activations, loss, list(fall * rate * xi), x, y, equal
            )
            moved = tuple(momentum * b + (1 - momentum) * a for a, b in zip(v, before, strict=True))
            return tuple(a + b for a, b in zip(w, moved, strict=True)), moved

        return jax.vmap(one)(state, rates), None

    many = tuple(jnp.broadcast_to(w, (len(rates), *w.shape)) for w in weights)
    still = tuple(map(jnp.zeros_like, many))
    (ended, _), _ = jax.lax.scan(step, (many, still), jnp.arange(STEPS))

    def risk(w: Any) -> Array:
        values = dynamics.forward(w, measures, activations, samples[0])[1]
        return samples[2] @ loss(samples[1], values[-1])

    return jax.lax.map(risk, ended)


ONE = {
    "scale": (0.75, 3.0, 6.0, 12.0),
    "spread": (0.25, 1.0, 2.0, 4.0),
    "first": (0.1, 3.0, 10.0, 30.0),
    "middle": (0.3, 3.0, 10.0),
    "output": (0.3, 3.0, 10.0),
    "momentum": (0.8,),
    "rank": (4, 8, 32),
    "mix_every": (2, 1000),
}
MIDDLE = {"spread", "fall", "middle", "rank", "mix_every"}
"""What networks of two layers do not have."""

Job = tuple[Start, str, int]


def one_by_one() -> Iterator[Job]:
    for name in CHOICE:
        for depth in (2, 3, 6):
            yield Start(), name, depth
    for factor, values in ONE.items():
        for value in values:
            for name in CHOICE:
                for depth in (3, 6) if factor in MIDDLE else (2, 3, 6):
                    yield Start(**{factor: value}), name, depth


PAIRS = (
    Start(3.0, 1.0),
    Start(3.0, 2.0),
    Start(3.0, 1.5),
    Start(3.0, 1.5, middle=3.0),
    Start(3.0, 1.5, mix_every=2),
    Start(3.0, 1.5, momentum=0.8),
)


def in_pairs() -> Iterator[Job]:
    for start in PAIRS:
        for name in CHOICE:
            for depth in (3, 6):
                yield start, name, depth


FINALISTS = (Start(), Start(spread=2.0), Start(3.0, 1.5, middle=3.0))
DEEPEST = ("1-D waves", "2-D product", "1-D step, noise 0.3", "2-D ripples")


def final() -> Iterator[Job]:
    """The first and the finalists on all targets, those held out among them."""
    for depths, names in (
        ((2, 3, 6), HELD_OUT),
        ((12,), TARGETS),
        ((32,), DEEPEST),
        ((2,), CHOICE),
    ):
        for depth in depths:
            for name in names:
                for start in FINALISTS:
                    yield start, name, depth


def falling() -> Iterator[Job]:
    """Spreads that fall with depth, on all targets, the first start beside them."""
    for depth, names in ((32, DEEPEST), (12, TARGETS), (6, TARGETS), (3, TARGETS)):
        for name in names:
            yield Start(), name, depth
            for power in (0.3, 0.4, 0.5):
                yield Start(spread=2.0, fall=power), name, depth


def of_activations() -> Iterator[Job]:
    """The default's spread with other activations, that saturate or not."""
    for activation in ("sin", "sigmoid", "silu", "relu"):
        for depth in (3, 6):
            for name in list(CHOICE)[:3]:
                yield Start(activation=activation), name, depth
                yield Start(spread=2.0, fall=0.3, activation=activation), name, depth


DESIGNS: dict[str, Callable[[], Iterator[Job]]] = {
    "one": one_by_one,
    "pairs": in_pairs,
    "final": final,
    "falling": falling,
    "activations": of_activations,
}


def kept() -> dict[Job, list[float]]:
    """Runs that are there, by start, target and depth."""
    if not KEPT.exists():
        return {}
    found = {}
    for line in KEPT.read_text().splitlines():
        r = json.loads(line)
        risks = [math.inf if v is None else v for v in r["risks"]]
        found[Start(**r["start"]), r["target"], r["depth"]] = risks
    return found


def measure(jobs: Iterator[Job], seconds: float) -> bool:
    """Run what is not there yet, for so many seconds; whether all is there."""
    began, there = time.monotonic(), kept()
    for start, name, depth in jobs:
        if (start, name, depth) in there:
            continue
        if time.monotonic() - began > seconds:
            return False
        found = run(start, name, depth)
        there[start, name, depth] = []
        with KEPT.open("a") as file:
            file.write(json.dumps(found) + "\n")
    return True


def mean(values: Sequence[float]) -> float | str:
    """Geometric; nothing of nothing."""
    return float(np.exp(np.mean(np.log(values)))) if values else ""


def row_of(start: Start, there: dict[Job, list[float]]) -> dict[str, Any]:
    """Its risks at their best rates over the first start's, where both were run."""
    over = {
        (name, depth): min(risks) / min(there[start.first_one, name, depth])
        for (s, name, depth), risks in there.items()
        if s == start and (start.first_one, name, depth) in there
    }
    row: dict[str, Any] = {"start": str(start)}
    for depth in DEPTHS:
        row[f"L = {depth}"] = mean([v for (n, d), v in over.items() if n in CHOICE and d == depth])
    row["all depths"] = mean([v for (n, _), v in over.items() if n in CHOICE])
    row["worst"] = max(v for (n, _), v in over.items() if n in CHOICE)
    row["targets held out"] = mean([v for (n, _), v in over.items() if n in HELD_OUT])
    return {key: value for key, value in row.items() if value != ""}


def tell() -> None:
    """The table of all starts, and what is behind it."""
    there = kept()
    rows = [row_of(start, there) for start in dict.fromkeys(s for s, _, _ in there)]
    columns = dict.fromkeys(key for row in rows for key in row)
    runs = [
        {
            "start": str(start),
            "target": name,
            "L": depth,
            "excess": min(risks),
            "rate": RATES[risks.index(min(risks))],
        }
        for (start, name, depth), risks in there.items()
    ]
    at_edge = sum(run["rate"] in (RATES[0], RATES[-1]) for run in runs)
    report(
        "start",
        f"excess risk after {STEPS} steps of {BATCH} fresh samples over that of spread 0.5, each at its "
        f"own best rate: geometric means over {len(CHOICE)} targets",
        [{key: row.get(key, "") for key in columns} for row in rows],
        f"limits on {NODES} Sobol nodes per layer, rates falling to zero as half a cosine, the best of "
        f"factors of 2 from {RATES[0]:g} to {RATES[-1]:g} (the first or the last in {at_edge} of {len(runs)} "
        f"runs); targets: {'; '.join(CHOICE)}; below 1 is better than spread 0.5; what has no figure was "
        "not run; of digits the risk is that on rows apart",
        runs=runs,
    )


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("designs", nargs="*", metavar="design", help=", ".join(DESIGNS))
    parser.add_argument("--seconds", type=float, default=math.inf, help="per design; then it stops")
    asked = parser.parse_args(list(arguments))
    for name in asked.designs or DESIGNS:
        done = measure(DESIGNS[name](), asked.seconds)
        print(f"{name}: {'done' if done else 'not done'}", flush=True)
    tell()


if __name__ == "__main__":
    main(sys.argv[1:])
