r"""Assumption 1.4: $\{\varphi_1(\langle u, \cdot\rangle)\}$ has dense span in $L^2(\mathcal{P}_X)$,
$\varphi_i$ is non-obstructive for 1 < i < L; and how well finitely many neurons span.

*Density.* With a constant coordinate in X the span of a bounded non-constant $\varphi_1$ is dense
for every law of X (Hornik 1991); that of relu for bounded X (Leshno et al. 1993). Without one, an
odd $\varphi_1$ gives odd functions alone. Where x and -x are both possible these miss the even
functions. Where the law of X and its reflection are singular to each other, every function
agrees with an odd one almost surely; and if X is bounded and all odd Taylor coefficients of
$\varphi_1$ at 0 are nonzero, derivatives in u at u = 0 give all odd monomials, hence all odd
functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ...activations import Activation
from ...bounds import search
from ...bounds.finding import MEASURED, PROVED, UNKNOWN, VIOLATED, Finding
from ...bounds.forms import ActivationForm
from ...distributions import Distribution
from ...distributions.conditional import Conditional
from ...network import Network
from ...units.linear import LINEAR
from .diversity import MOST, distance_to_span
from .rows import Row, groups, layered, span

_TESTS = 16
_POINTS = 512
_FREQUENCY = 3.0


def approximation_rows(
    activations: Sequence[Activation],
    law: Distribution,
    networks: Mapping[float, Network],
    data: Conditional,
) -> list[Row]:
    """Density, non-obstructiveness, and the projection residual at each time of `networks`."""
    name, says = "1.4 phi_1 dense", "span of phi_1(<u, .>) is dense in L2(P_X)"
    unit = next(iter(networks.values())).unit
    how = f"no argument for {unit}; the residual below is what is known"
    found = dense(activations[0], law) if unit == LINEAR else Finding(UNKNOWN, "", how)
    rows = [Row(name, says, *found)]
    for activation, layers in groups(activations[1:-1], first=2):
        says = "span of phi_{} o f, f in L2(P_X), is dense"
        finding = _non_obstructive(activation)
        rows.append(layered("1.4 phi_{} non-obstructive", layers, says, finding))
    return [*rows, _residual_row(networks, data)]


def dense(activation: Activation, law: Distribution) -> Finding:
    r"""Whether $\{\varphi_1(\langle u, \cdot\rangle)\}$ has dense span in $L^2(\mathcal{P}_X)$."""
    form = activation.proven_form
    if form is None:
        how = f"{activation}: no argument for a user's own; the residual below is what is known"
        return Finding(UNKNOWN, "", how)
    if form.linear:
        return _linear(activation, law)
    if law.has_constant():
        return _with_constant(activation, form, law)
    pairs = law.reflected_pairs()
    if pairs is None:
        return Finding(UNKNOWN, "", "whether x and -x both occur under this law is not known")
    centre = float(activation(jnp.zeros(1))[0])
    if form.misses and pairs > (0 if centre == 0 else 1):
        how = (
            f"without a constant coordinate {activation} misses {form.misses}, and x, -x both occur"
        )
        return Finding(VIOLATED, "", f"{how}; append one (distributions.Biased)")
    if pairs == 0 and form.taylor and law.norm_bound().status == PROVED:
        how = f"never both x and -x, X bounded, {activation} has all odd Taylor coefficients"
        return Finding(PROVED, "", how)
    return Finding(UNKNOWN, "", f"no argument for {activation} on this law without a constant")


def _with_constant(activation: Activation, form: ActivationForm, law: Distribution) -> Finding:
    with_constant = f"{activation} with a constant coordinate of X"
    if form.value is not None:
        return Finding(PROVED, "", f"{with_constant}; bounded, not constant: Hornik 1991")
    if not form.dense:
        return Finding(UNKNOWN, "", f"no argument for {with_constant}")
    if law.norm_bound().status == PROVED:
        return Finding(PROVED, "", f"{with_constant}; {form.dense}")
    return Finding(UNKNOWN, "", f"{activation} and X are both unbounded")


def _linear(activation: Activation, law: Distribution) -> Finding:
    x = law.support()
    if x is not None:
        x = np.unique(x, axis=0)
        if np.linalg.matrix_rank(x) == len(x):
            how = f"{activation}: the {len(x)} inputs are linearly independent"
            return Finding(PROVED, "", how)
    return Finding(VIOLATED, "", f"{activation}: linear functions alone")


def _non_obstructive(activation: Activation) -> Finding:
    form = activation.proven_form
    if form is not None and form.value is not None:
        return Finding(PROVED, "", f"{activation}: bounded, continuous, not constant")
    if form is not None and form.spans:
        return Finding(PROVED, "", f"{activation}: {form.spans}")
    values = np.asarray(activation(jnp.linspace(-30.0, 30.0, search.GRID + 1)), float)
    if float(np.ptp(values)) == 0:
        return Finding(VIOLATED, 0.0, f"{activation} is constant on [-30, 30]")
    if not activation.non_obstructive:
        return Finding(VIOLATED, "", f"{activation} declares that it is obstructive")
    how = f"range of {activation} on [-30, 30]: not constant; its continuity is declared"
    return Finding(MEASURED, float(np.ptp(values)), how)


def projection_residuals(
    network: Network, data: Conditional, tests: Float[np.ndarray, "t g"]
) -> list[Float[np.ndarray, "t"]]:
    r"""Distance in $L^2(\mathcal{P}_X)$ of functions to the span of $\varphi_i(H_i(\cdot, c))$.

    Returns:
        for each hidden layer, `(t,)`, each as a share of the function's norm.
    """
    root = np.sqrt(data.mass)
    digits = float(np.finfo(network.weights[0].dtype).eps)
    hidden = network.preactivations(data.x)[:-1]
    return [
        distance_to_span(np.asarray(phi(h), float).T[:MOST] * root, tests * root, digits)[0]
        for phi, h in zip(network.activations, hidden, strict=False)
    ]


def trial_functions(
    data: Conditional, count: int = _TESTS, seed: int = 0
) -> Float[np.ndarray, "t g"]:
    """E[Y | X], and cosines of X of random phases and frequencies, a few periods over its scale."""
    rng = np.random.default_rng(seed)
    scale = np.sqrt(max(float(data.mass @ np.mean(data.x**2, axis=1)), 1e-300))
    omega = rng.normal(size=(count, data.x.shape[1])) * _FREQUENCY / scale / data.x.shape[1] ** 0.5
    waves = np.sqrt(2) * np.cos(omega @ data.x.T + rng.uniform(0, 2 * np.pi, (count, 1)))
    return np.concatenate([data.mean().T, waves])


def _residual_row(networks: Mapping[float, Network], data: Conditional) -> Row:
    if len(data.x) > _POINTS:
        kept = np.random.default_rng(0).choice(len(data.x), _POINTS, replace=False)
        mass = data.mass[kept] / data.mass[kept].sum()
        data = Conditional(data.x[kept], mass, data.y[kept], data.p[kept])
    tests = trial_functions(data)
    found = [
        [float(np.mean(r)) for r in projection_residuals(network, data, tests)]
        for network in networks.values()
    ]
    times, layers = list(networks), range(1, len(found[0]) + 1)
    detail = {"time": times}
    detail |= {f"layer {i}": [row[i - 1] for row in found] for i in layers}
    shown = [found[0]] if len(found) == 1 else [found[0], found[-1]]
    figures = "; ".join(
        f"{max(values):.2g} at t = {t:g} (layer {int(np.argmax(values)) + 1})"
        for t, values in zip((times[0], times[-1]), shown, strict=False)
    )
    how = (
        f"mean share of E[Y|X] and {_TESTS} cosines off the span of phi_i(H_i(., c)), worst of "
        f"layers {span(layers)}, on {len(data.x)} nodes of X: {figures}"
    )
    says = "small if the neurons' functions approximate"
    return Row("1.4 projection residual", says, MEASURED, max(found[-1]), how, detail=detail)
