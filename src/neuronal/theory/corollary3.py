r"""Corollary 3 as an experiment: $\lim_{t\to\infty} \lim_{n\to\infty} \lim_{\epsilon\to 0}$ of the risk.

SGD's risk is measured on a grid of learning rates, widths, times and seeds, and extrapolated in
the corollary's order:

1. $\epsilon \to 0$: linear in $\epsilon$ (the noise enters the mean risk through its variance);
2. $n \to \infty$: linear in $1/n$ (sampled neurons enter the mean risk the same way);
3. $t \to \infty$: Aitken's $\Delta^2$ on three times in geometric progression, which is exact
   for a power law $R_\infty + c\,t^{-p}$ with any p.

Error bars are standard deviations over bootstrap resamples of the seeds, of the whole chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float, PRNGKeyArray

from ..checks import require
from ..embeddings import AbstractEmbedding
from ..problem import Problem
from .coupling import couple


@dataclass(frozen=True, repr=False)
class TripleLimit:
    r"""The risk, and its limits taken one after the other.

    Attributes:
        risk: of SGD, along `learning_rate`, `width`, `seed`, `time`.
        small_steps: after $\epsilon \to 0$, with `value` and `error` along `width`, `time`.
        wide: after $n \to \infty$ as well, along `time`.
        risk_limit: of the MF limit itself, solved by the ODE, along `time`.
        value, error: after $t \to \infty$ as well.
        infimum: $\inf_{\tilde y} E_Z[\mathcal{L}(Y, \tilde y(X))]$, None where not known.
    """

    risk: xr.DataArray
    small_steps: xr.Dataset
    wide: xr.Dataset
    risk_limit: xr.DataArray
    value: float
    error: float
    infimum: float | None

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {size}" for name, size in self.risk.sizes.items())
        return f"TripleLimit({self.value:.5g} +- {self.error:.2g}; {sizes})"

    def __str__(self) -> str:
        lines = [f"{'t':>8}{'n -> inf, eps -> 0':>28}{'MF limit':>14}"]
        for t in self.wide.time.values:
            at = self.wide.sel(time=t)
            figures = f"{float(at.value):.5f} +- {float(at.error):.5f}"
            lines.append(f"{t:>8g}{figures:>28}{float(self.risk_limit.sel(time=t)):>14.5f}")
        known = "unknown" if self.infimum is None else f"{self.infimum:.5f}"
        lines.append(
            f"t -> inf: {self.value:.5f} +- {self.error:.5f}; infimum of the risk: {known}"
        )
        return "\n".join(lines)


def triple_limit(
    problem: Problem,
    embedding: AbstractEmbedding,
    learning_rates: Sequence[float],
    widths: Sequence[int],
    until: float,
    key: PRNGKeyArray | int,
    *,
    seeds: int = 8,
    batch_size: int = 1,
    nodes: int = 1024,
    halvings: int = 4,
    resamples: int = 400,
    data_nodes: int = 64,
    progress: bool = False,
) -> TripleLimit:
    r"""Measure and extrapolate the risk of SGD in the order of Corollary 3.

    Args:
        learning_rates: at least two, dividing the largest.
        widths: at least two.
        until: the largest time T; records are at $T, T/2, T/4, \dots$.
        halvings: how many times smaller ones are recorded, at least two.
        seeds: networks and streams of samples for each pair.
        resamples: of the bootstrap.

    Raises:
        InvalidInput: too few values to extrapolate from.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> found = nr.triple_limit(
        ...     problem, embedding, [0.2, 0.1], [8, 16, 32], 1.0, 0, seeds=2, nodes=16, halvings=2
        ... )
        >>> bool(np.isfinite(found.value))
        True

        ```
    """
    require(len(learning_rates) >= 2, "learning_rates: takes at least two to extrapolate")
    require(len(widths) >= 2, "widths: takes at least two to extrapolate")
    require(halvings >= 2, f"halvings: takes 2 or more, got {halvings}")
    require(seeds >= 2, f"seeds: takes 2 or more, got {seeds}")
    times = until / 2.0 ** np.arange(halvings, -1, -1)
    coupled = couple(
        problem, embedding, widths, learning_rates, until, key, seeds=seeds, nodes=nodes,
        batch_size=batch_size, carried=0, save_at=times, data_nodes=data_nodes, progress=progress,
    )  # fmt: skip
    data = coupled.data.isel(time=slice(1, None))  # without t = 0
    risk = data.risk_sgd.transpose("learning_rate", "width", "seed", "time")
    eps, n = (np.asarray(data[name], float) for name in ("learning_rate", "width"))
    draws = np.random.default_rng(0).integers(seeds, size=(resamples, seeds))
    chain = [extrapolate(risk.values, eps, n, seed) for seed in (np.arange(seeds), *draws)]
    (small, wide, value), resampled = chain[0], chain[1:]
    spread = [np.std(np.stack([np.asarray(c[j]) for c in resampled]), axis=0) for j in range(3)]
    coords = {"width": data.width, "time": data.time}
    return TripleLimit(
        risk,
        xr.Dataset(
            {"value": (("width", "time"), small), "error": (("width", "time"), spread[0])}, coords
        ),
        xr.Dataset({"value": ("time", wide), "error": ("time", spread[1])}, {"time": data.time}),
        data.risk_limit,
        float(value),
        float(spread[2]),
        problem.distribution.bayes_risk(problem.loss),
    )


def extrapolate(
    risk: Float[np.ndarray, "E W S T"], eps: np.ndarray, n: np.ndarray, seeds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The three limits of the mean risk over `seeds`: `(W, T)`, `(T,)` and a number."""
    mean = risk[:, :, seeds].mean(axis=2)
    small = _intercept(eps, mean)
    wide = _intercept(1 / n, small)
    return small, wide, aitken(*wide[-3:])


def _intercept(at: Float[np.ndarray, "V"], values: Float[np.ndarray, "V *rest"]) -> np.ndarray:
    """Values extrapolated to 0 of a straight line along the first axis."""
    line = np.polynomial.polynomial.polyfit(at, values.reshape(len(at), -1), 1)
    return line[0].reshape(values.shape[1:])


def aitken(first: float, second: float, third: float) -> float:
    """Limit of a sequence of which three terms are given, exact for a geometric approach.

    Where the differences do not shrink there is no limit to be seen; the last term stands.
    """
    d1, d2 = second - first, third - second
    if abs(d2) >= abs(d1) or d1 == d2:
        return float(third)
    return float(third - d2**2 / (d2 - d1))
