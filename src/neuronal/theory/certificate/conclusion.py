r"""Theorem 2's conclusion along a run: $E[\partial_2 L | X = x] \to 0$, and how far the risk can
be from its infimum over all functions.

The upper bound of the gap takes the conditional risk $r_x(a) = E[L(Y, a) | X = x]$ as convex,
no more: its minimum over $[l, h]$ with $r'(l) \le 0 \le r'(h)$ is at least $r(l) + r'(l)(h - l)$,
and halving the interval makes that as sharp as numbers allow. Where no such interval is found,
$L \ge 0$ is used.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ...bounds.finding import MEASURED, PROVED, UNKNOWN, VIOLATED
from ...distributions import Distribution
from ...distributions.conditional import Conditional
from ...losses import Loss
from ...network import Network
from ...problem import Problem, mean_loss
from .rows import Row

_HALVINGS = 45
_DOUBLINGS = 50
_ROUNDING = 16
_SEGMENTS = 4096
_RISK_NODES = 1024  # those of Problem.risk


def _outputs_apart(loss: Loss, outputs: int) -> bool:
    """Whether each output may be looked at alone."""
    return loss.sums_over_outputs or outputs == 1


def infimum_bound(loss: Loss, data: Conditional) -> Float[np.ndarray, "g"]:
    """A lower bound of the least conditional risk at each node, for a convex loss >= 0."""
    proven = loss.proven_infimum(data.y, data.p)
    if proven is not None:
        return proven
    k = data.y.shape[2]
    if not _outputs_apart(loss, k):
        return np.zeros(len(data.x))
    each = data.outputs_apart()
    charged = each.p > 0
    low = np.min(np.where(charged, each.y[..., 0], np.inf), axis=1)
    high = np.max(np.where(charged, each.y[..., 0], -np.inf), axis=1)

    def risk(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r, slope = each.risk_and_gradient(loss, a[:, None])
        return r, slope[:, 0]

    for _ in range(_DOUBLINGS):
        right, left = risk(low)[1] > 0, risk(high)[1] < 0
        if not np.any(right | left):
            break
        width = np.maximum(high - low, 1.0)
        low, high = np.where(right, low - width, low), np.where(left, high + width, high)
    bracketed = (risk(low)[1] <= 0) & (risk(high)[1] >= 0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        falling = risk(middle)[1] <= 0
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    r, slope = risk(low)
    tangent = r + np.minimum(slope, 0) * (high - low)
    return np.where(bracketed, np.maximum(tangent, 0), 0).reshape(-1, k).sum(axis=1)


def gap_bounds(
    problem: Problem,
    networks: Mapping[float, Network],
    data: Conditional,
    recorded: Mapping[float, float] | None = None,
) -> tuple[list[float], float]:
    r"""Upper bounds of $\mathcal{L}(W) - \inf_{\tilde y} E[L(Y, \tilde y(X))]$, one per network, and
    the lower bound of the infimum; the risks and 0 if the loss is not convex.

    The largest of the risks by the quadratures at hand is taken (`data`, that of
    `Problem.risk`, and what the run `recorded` at that time) and a margin of rounding added, so
    that the bound is not below the gap by the coarser of them.
    """
    loss = problem.loss
    infimum = float(data.mass @ infimum_bound(loss, data)) if loss.convex else 0.0
    dtype = next(iter(networks.values())).weights[0].dtype
    law = problem.quadrature(_RISK_NODES, dtype)
    bounds = []
    for t, network in networks.items():
        r, _ = data.risk_and_gradient(loss, _predictions(network, data))
        risk = max(float(data.mass @ r), float(mean_loss(network, loss, *law)))
        risk = max(risk, (recorded or {}).get(t, -np.inf))
        bounds.append(max(risk - infimum, 0.0) + _ROUNDING * float(np.finfo(dtype).eps) * risk)
    return bounds, infimum


def _predictions(network: Network, data: Conditional) -> Float[np.ndarray, "g k"]:
    return np.asarray(network(data.x), float)


def mean_gradient(problem: Problem, network: Network, data: Conditional) -> float:
    r"""$E_X |E[\partial_2 L(Y, \hat y(X)) | X]|$."""
    g = data.risk_and_gradient(problem.loss, _predictions(network, data))[1]
    return float(data.mass @ np.linalg.norm(g, axis=1))


def conclusion_rows(
    problem: Problem,
    networks: Mapping[float, Network],
    recorded: Mapping[float, float],
    data: Conditional,
) -> list[Row]:
    """Which case of Theorem 2 applies, the stationarity that it proves, and the gap's bound."""
    case = _case(problem, data)
    gradient = ("2 E[d2L | X]", "E|E[d2 L(Y, prediction) | X]| -> 0")
    gap = ("2 optimality gap", "risk - inf over all functions -> 0")
    if len(networks) < 2:
        why = "no trajectory given"
        return [case, Row(*gradient, UNKNOWN, "", why), Row(*gap, UNKNOWN, "", why)]
    times = list(networks)
    slopes = [mean_gradient(problem, w, data) for w in networks.values()]
    gaps, infimum = gap_bounds(problem, networks, data, recorded)
    how = f"upper bound at t = {times[-1]:g}; {gaps[0]:.3g} at t = {times[0]:g}. "
    if problem.loss.convex:
        how += f"By tangents of the convex conditional risk the infimum is at least {infimum:.4g}"
    else:
        how += "The loss is not convex: this is the risk, since L >= 0"
    exact = problem.distribution.support() is not None and case.status == PROVED
    if not exact:
        how += f", on {len(data.x)} nodes of X"
    detail = {"time": times}
    return [
        case,
        Row(*gradient, MEASURED, slopes[-1], f"at t = {times[-1]:g}; {slopes[0]:.3g} at "
            f"t = {times[0]:g}", detail=detail | {"gradient": slopes}),
        Row(*gap, PROVED if exact else MEASURED, gaps[-1], how, detail=detail | {"bound": gaps}),
    ]  # fmt: skip


def _case(problem: Problem, data: Conditional) -> Row:
    name, says = "2 case", "1: L convex; or 2: d2 L = 0 only where L = 0, and Y a function of X"
    loss = problem.loss
    if loss.convex:
        status, how = _convexity(loss, data)
        return Row(name, says, status, "1" if status != VIOLATED else "", how)
    function = _is_function(problem.distribution, data)
    if loss.zero_gradient_is_zero_loss and function:
        how = f"{loss.name}: stationary only at residual 0 (declared); each x has one y"
        return Row(name, says, MEASURED, "2", how)
    lacks = "d2 L vanishes elsewhere" if function else "Y is no function of X"
    return Row(name, says, VIOLATED, "neither", f"{loss.name} is not convex, and {lacks}")


def _convexity(loss: Loss, data: Conditional) -> tuple[str, str]:
    argument = loss.convexity()
    if argument:
        return PROVED, argument
    rng = np.random.default_rng(0)
    rows = rng.integers(len(data.x), size=_SEGMENTS)
    y = jnp.asarray(data.y[rows, 0])
    k = data.y.shape[2]
    a, b = (jnp.asarray(10.0 ** rng.uniform(-2, 2) * rng.normal(size=(_SEGMENTS, k))) for _ in "ab")
    rise = np.sum(np.asarray((loss.gradient(y, a) - loss.gradient(y, b)) * (a - b)), axis=1)
    if float(rise.min()) < -1e-6 * float(np.abs(rise).max()):
        return VIOLATED, f"{loss.name} is declared convex, and its gradient falls along a segment"
    return MEASURED, f"{loss.name}: its gradient rises along {_SEGMENTS} random segments"


def _is_function(law: Distribution, data: Conditional) -> bool:
    known = law.is_function()
    if known is not None:
        return known
    spread = np.where(data.p[..., None] > 0, data.y - data.y[:, :1], 0)
    return not np.any(spread)


def law_of(problem: Problem, outputs: int, nodes: int) -> Conditional:
    """The law of Z as these rows see it."""
    return problem.distribution.conditional(nodes, _outputs_apart(problem.loss, outputs))
