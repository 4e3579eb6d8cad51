r"""Assumption 1.1: bounds and Lipschitz constants of $\varphi_i$, $\partial_2\mathcal{L}$, $\xi_i$,
$|X| \le K$, and the sub-Gaussian moments of $w_i^0$ (`neuronal.theory.certificate.moments`).

Built-in functions are bounded on the whole real line by interval arithmetic
(`neuronal.theory.bounds.intervals`), and the certified supremum is compared with the declared constant;
a user's own are measured on a grid (`neuronal.theory.bounds.search`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ...activations import Activation
from ...distributions import (
    Biased,
    Distribution,
    Empirical,
    Gaussian,
    GaussianMixture,
    Inputs,
    Regression,
    Sphere,
    Uniform,
)
from ...losses import Loss, Squared
from ..bounds import search
from ..bounds.forms import Extension, activation_form, loss_form
from ..bounds.intervals import supremum
from .rows import MEASURED, PROVED, UNKNOWN, VIOLATED, Finding, Row, groups, layered

_SLACK = 1e-5
_NEAR = 30.0


def activation_rows(activations: Sequence[Activation]) -> list[Row]:
    r"""$\varphi_i$ bounded for i < L; $\varphi_i'$ bounded and Lipschitz; $\varphi_L' \ne 0$."""
    depth = len(activations)
    rows = []
    for activation, layers in groups(activations[:-1]):
        rows.append(_activation(activation, layers, "value"))
    for activation, layers in groups(activations):
        rows.append(_activation(activation, layers, "first"))
    for activation, layers in groups(activations):
        rows.append(_activation(activation, layers, "second"))
    return [*rows, _nonzero(activations[-1], depth)]


_CONDITIONS = {
    "value": ("1.1 phi_{} bounded", "|phi_{}| <= K", "bound"),
    "first": ("1.1 phi'_{} bounded", "|phi'_{}| <= K", "derivative_bound"),
    "second": ("1.1 phi'_{} Lipschitz", "phi'_{} is K-Lipschitz", "derivative_lipschitz"),
}


def _activation(activation: Activation, layers: list[int], part: str) -> Row:
    name, statement, attribute = _CONDITIONS[part]
    declared = getattr(activation, attribute)
    form = activation_form(activation)
    if form is not None:
        extension = getattr(form, part)
        finding = certified(extension, declared, str(activation), form.why_not)
    else:
        finding = _measured_activation(activation, part, declared)
    return layered(name, layers, statement, finding)


def certified(
    extension: Extension | None, declared: float, name: str, why_not: str, scale: float = 1.0
) -> Finding:
    """Status, figure and reason of `sup |f| <= declared` from an interval extension of f."""
    if extension is None:
        return Finding(VIOLATED, math.inf, f"{name}: {why_not}")
    lower, upper = (scale * v for v in supremum(lambda h: abs(extension(h))))
    if lower > declared * (1 + 1e-9):
        return Finding(VIOLATED, lower, f"{name} declares {declared:.6g}, which is exceeded")
    if upper <= declared * (1 + _SLACK) + 1e-12:
        how = f"{name}: intervals, over the whole line; declared {declared:.6g}"
        return Finding(PROVED, upper, how)
    return Finding(UNKNOWN, upper, f"interval bound above the declared {declared:.6g}")


def _measured_activation(activation: Activation, part: str, declared: float) -> Finding:
    if math.isinf(declared):
        return Finding(VIOLATED, math.inf, f"{activation} declares that there is no such constant")

    def pick(index: int) -> search.Function:
        def function(h: np.ndarray) -> np.ndarray:
            with jax.enable_x64(True):
                return np.asarray(activation.value_and_derivative(jnp.asarray(h))[index], float)

        return function

    function = pick(0 if part == "value" else 1)
    if part == "second":
        slope = search.steepest(function, -_NEAR, _NEAR)
        if slope.grows:
            how = f"{activation}: the slope of phi' grows without bound at h = {slope.at:.4g}"
            return Finding(VIOLATED, math.inf, how)
        figure, at = slope.value, slope.at
    else:
        far = search.far_growth(function, _NEAR, (-1, 1))
        near = search.largest(function, -_NEAR, _NEAR)
        if far.grows or near.grows:
            worst = near if near.grows else far
            how = f"{activation} grows: this size at h = {worst.at:.3g}"
            return Finding(VIOLATED, worst.value, how)
        figure, at = max((near.value, near.at), (far.value, far.at))
    if figure > declared * (1 + 1e-6) + 1e-9:
        how = f"{activation} declares {declared:.6g}, which is exceeded at h = {at:.4g}"
        return Finding(VIOLATED, figure, how)
    how = (
        f"largest on a grid of {search.GRID} points in [-{_NEAR:g}, {_NEAR:g}], refined where "
        f"steepest, and far out; {activation} declares {declared:.6g}"
    )
    return Finding(MEASURED, figure, how)


def _nonzero(activation: Activation, depth: int) -> Row:
    name, statement = f"1.1 phi'_{depth} nonzero", f"phi'_{depth} is nonzero everywhere"
    form = activation_form(activation)
    if form is not None:
        if form.nonzero is None:
            return Row(name, statement, VIOLATED, 0.0, f"{activation}: {form.why_not}")
        return Row(name, statement, PROVED, "", f"{activation}: {form.nonzero}")
    with jax.enable_x64(True):
        h = jnp.linspace(-_NEAR, _NEAR, search.GRID + 1)
        slope = np.asarray(activation.derivative(h))
    if np.min(slope) <= 0 <= np.max(slope):
        at = float(h[np.argmin(np.abs(slope))])
        how = f"{activation}: phi' vanishes or changes sign near h = {at:.4g}"
        return Row(name, statement, VIOLATED, 0.0, how)
    least = float(np.min(np.abs(slope)))
    how = f"least |phi'| on a grid of [-{_NEAR:g}, {_NEAR:g}]"
    return Row(name, statement, MEASURED, least, how)


def loss_rows(problem_loss: Loss, law: Distribution, last: Activation) -> list[Row]:
    r"""$\partial_2\mathcal{L}$ bounded and Lipschitz in the second variable."""
    loss = problem_loss
    bounded, lipschitz = "1.1 d2L bounded", "1.1 d2L Lipschitz"
    says = ("|d2 L(y, .)| <= K", "d2 L(y, .) is K-Lipschitz")
    form = loss_form(loss)
    if form is None:
        return _measured_loss(loss, (bounded, lipschitz), says)
    status, figure, how = certified(form.slope, loss.gradient_lipschitz, loss.name, "")
    slope = Row(lipschitz, says[1], status, figure, f"{how}; of {form.of}")
    if isinstance(loss, Squared):
        return [_squared(law, last, bounded, says[0]), slope]
    status, figure, how = certified(form.gradient, loss.gradient_bound, loss.name, "", form.scale)
    return [Row(bounded, says[0], status, figure, f"{how}; of {form.of}, each output"), slope]


def _squared(law: Distribution, last: Activation, name: str, says: str) -> Row:
    """The residual is bounded if both the output and the targets are."""
    form = activation_form(last)
    if form is None or form.value is None:
        how = f"squared: d2 L is the residual, and the output {last} is unbounded"
        if form is not None or math.isinf(last.bound):
            return Row(name, says, VIOLATED, math.inf, how)
        return Row(name, says, UNKNOWN, "", f"squared: the bound of {last} is only declared")
    if isinstance(law, Empirical):
        largest = float(jnp.max(jnp.abs(law.y)))
    elif isinstance(law, GaussianMixture):
        largest = float(jnp.max(jnp.abs(law.labels)))
    elif isinstance(law, Regression) and law.noise > 0:
        how = "squared: d2 L is the residual, and Gaussian noise in Y is unbounded"
        return Row(name, says, VIOLATED, math.inf, how)
    else:
        return Row(name, says, UNKNOWN, "", "squared: no proven bound of the targets")
    figure = largest + last.bound
    how = f"squared: |y| <= {largest:.4g} and |{last}| <= {last.bound:.4g}"
    return Row(name, says, PROVED, figure, how)


def _measured_loss(loss: Loss, names: tuple[str, str], says: tuple[str, str]) -> list[Row]:
    if loss.gradient_bound < math.inf and loss.gradient_lipschitz < math.inf:

        def gradient(target: float) -> search.Function:
            def function(p: np.ndarray) -> np.ndarray:
                with jax.enable_x64(True):
                    prediction = jnp.asarray(p)[:, None]
                    g = loss.gradient(jnp.full_like(prediction, target), prediction)
                return np.asarray(g)[:, 0]

            return function

        try:
            functions = [gradient(t) for t in (-1.0, 0.0, 1.0)]
            sizes = [search.largest(f, -_NEAR, _NEAR) for f in functions]
            far = [search.far_growth(f, _NEAR, (-1, 1)) for f in functions]
            slopes = [search.steepest(f, -_NEAR, _NEAR) for f in functions]
        except (TypeError, ValueError, IndexError) as error:  # other targets, several outputs
            how = f"{loss.name}: its gradient does not take one output ({type(error).__name__})"
            return [Row(n, s, UNKNOWN, "", how) for n, s in zip(names, says, strict=True)]
        size, slope = max(s.value for s in (*sizes, *far)), max(s.value for s in slopes)
        how = "largest on a grid of predictions, for targets -1, 0 and 1; declared {:.6g}"
        unbounded = any(s.grows for s in (*sizes, *far)) or size > loss.gradient_bound * (1 + 1e-6)
        steep = any(s.grows for s in slopes) or slope > loss.gradient_lipschitz * (1 + 1e-6)
        return [
            Row(names[0], says[0], VIOLATED if unbounded else MEASURED, size,
                how.format(loss.gradient_bound)),
            Row(names[1], says[1], VIOLATED if steep else MEASURED, slope,
                how.format(loss.gradient_lipschitz)),
        ]  # fmt: skip
    how = f"{loss.name} declares no finite constant"
    bad = (loss.gradient_bound == math.inf, loss.gradient_lipschitz == math.inf)
    return [
        Row(n, s, VIOLATED if b else UNKNOWN, math.inf if b else "", how)
        for n, s, b in zip(names, says, bad, strict=True)
    ]


def input_row(law: Distribution | Inputs) -> Row:
    """|X| <= K with probability 1."""
    return Row("1.1 X bounded", "|X| <= K with probability 1", *_input_bound(law))


def _input_bound(law: Distribution | Inputs) -> tuple[str, float, str]:
    if isinstance(law, Regression):
        return _input_bound(law.inputs)
    if isinstance(law, Empirical):
        x = np.asarray(law.x, float)[np.asarray(law.weights) > 0]
        return PROVED, float(np.linalg.norm(x, axis=1).max()), "largest of the finitely many inputs"
    if isinstance(law, Uniform):
        most = max(abs(law.low), abs(law.high)) * math.sqrt(law.dim)
        return PROVED, most, f"a corner of the cube [{law.low:g}, {law.high:g}]^{law.dim}"
    if isinstance(law, Sphere):
        return PROVED, law.radius, "the radius of the sphere"
    if isinstance(law, Biased):
        status, figure, how = _input_bound(law.inputs)
        return status, math.hypot(figure, 1.0), f"{how}; a constant coordinate 1 appended"
    if isinstance(law, Gaussian | GaussianMixture):
        return VIOLATED, math.inf, "a Gaussian exceeds every K with positive probability"
    key = jax.random.key(0)
    x = law.sample(key, 4096)
    norms = np.linalg.norm(np.asarray(x[0] if isinstance(x, tuple) else x, float), axis=1)
    how = "largest of 4096 samples; this law has no proven bound"
    return MEASURED, float(norms.max()), how
