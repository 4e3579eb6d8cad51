r"""Assumption 1.1: bounds and Lipschitz constants of $\varphi_i$, $\partial_2\mathcal{L}$, $\xi_i$,
$|X| \le K$, and the sub-Gaussian moments of $w_i^0$ (`neuronal.theory.certificate.moments`).

Built-in functions are bounded on the whole real line by interval arithmetic
(`neuronal.bounds.intervals`), and the certified supremum is compared with the declared constant;
a user's own without a form are measured on a grid (`neuronal.bounds.search`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ...activations import Activation
from ...bounds import search
from ...bounds.finding import MEASURED, PROVED, UNKNOWN, VIOLATED, Finding
from ...bounds.proofs import certified, exceeds
from ...distributions import Distribution, Inputs
from ...losses import Loss
from .rows import Row, groups, layered

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
    return [*rows, nonzero_row(activations[-1], depth)]


_CONDITIONS = {
    "value": ("1.1 phi_{} bounded", "|phi_{}| <= K", "bound"),
    "first": ("1.1 phi'_{} bounded", "|phi'_{}| <= K", "derivative_bound"),
    "second": ("1.1 phi'_{} Lipschitz", "phi'_{} is K-Lipschitz", "derivative_lipschitz"),
}


def _activation(activation: Activation, layers: list[int], part: str) -> Row:
    name, statement, attribute = _CONDITIONS[part]
    declared = getattr(activation, attribute)
    form = activation.proven_form
    if form is not None and form.decides(part):
        extension = getattr(form, part)
        finding = certified(extension, declared, str(activation), form.why_not)
    else:
        finding = _measured_activation(activation, part, declared)
    return layered(name, layers, statement, finding)


def _measured_activation(activation: Activation, part: str, declared: float) -> Finding:
    if math.isinf(declared):
        return Finding(VIOLATED, math.inf, f"{activation} declares that there is no such constant")

    def pick(index: int) -> search.Function:
        def function(h: np.ndarray) -> np.ndarray:
            with jax.enable_x64(True):
                return np.asarray(activation.value_and_derivative(jnp.asarray(h))[index])

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
    if exceeds(figure, declared):
        how = f"{activation} declares {declared:.6g}, which is exceeded at h = {at:.4g}"
        return Finding(VIOLATED, figure, how)
    how = (
        f"largest on a grid of {search.GRID} points in [-{_NEAR:g}, {_NEAR:g}], refined where "
        f"steepest, and far out; {activation} declares {declared:.6g}"
    )
    return Finding(MEASURED, figure, how)


def nonzero_row(activation: Activation, layer: int, section: str = "1.1") -> Row:
    r"""$\varphi_i' \ne 0$ everywhere."""
    name, statement = f"{section} phi'_{layer} nonzero", f"phi'_{layer} is nonzero everywhere"
    form = activation.proven_form
    if form is not None and form.decides("nonzero"):
        if form.nonzero is None:
            return Row(name, statement, VIOLATED, 0.0, f"{activation}: {form.why_not}")
        return Row(name, statement, PROVED, "", f"{activation}: {form.nonzero}")
    if not activation.derivative_nonzero:
        how = f"{activation} declares that phi' vanishes somewhere"
        return Row(name, statement, VIOLATED, 0.0, how)
    with jax.enable_x64(True):
        h = jnp.linspace(-_NEAR, _NEAR, search.GRID + 1)
        slope = np.asarray(activation.derivative(h))
    error = search.rounding(slope)
    least = float(np.min(np.abs(slope)))
    at = float(h[np.argmin(np.abs(slope))])
    if np.min(slope) < -error and np.max(slope) > error:
        how = f"{activation}: phi' changes sign near h = {at:.4g}"
        return Row(name, statement, VIOLATED, 0.0, how)
    if least <= error:  # as tanh' is, computed as 1 - tanh^2, at h = 20
        how = f"{activation}: phi' is 0, or too small for double precision, near h = {at:.4g}"
        return Row(name, statement, UNKNOWN, least, how)
    how = f"least |phi'| on a grid of [-{_NEAR:g}, {_NEAR:g}]"
    return Row(name, statement, MEASURED, least, how)


def loss_rows(loss: Loss, law: Distribution, last: Activation) -> list[Row]:
    r"""$\partial_2\mathcal{L}$ bounded and Lipschitz in the second variable."""
    bounded, lipschitz = "1.1 d2L bounded", "1.1 d2L Lipschitz"
    says = ("|d2 L(y, .)| <= K", "d2 L(y, .) is K-Lipschitz")
    form = loss.interval_form()
    if form is None:
        return _measured_loss(loss, (bounded, lipschitz), says)
    status, figure, how = certified(form.slope, loss.gradient_lipschitz, loss.name, "")
    slope = Row(lipschitz, says[1], status, figure, f"{how}; of {form.number}")
    if form.is_residual:
        return [Row(bounded, says[0], *_residual_bound(loss, law, last)), slope]
    status, figure, how = certified(form.gradient, loss.gradient_bound, loss.name, "", form.scale)
    how = f"{how}; of {form.number}, each output"
    return [Row(bounded, says[0], status, figure, how), slope]


def _residual_bound(loss: Loss, law: Distribution, last: Activation) -> Finding:
    """The residual is bounded if both the output and the targets are."""
    form = last.proven_form
    if form is None or form.value is None:
        how = f"{loss.name}: d2 L is the residual, and the output {last} is unbounded"
        if (form is not None and form.decides("value")) or math.isinf(last.bound):
            return Finding(VIOLATED, math.inf, how)
        return Finding(UNKNOWN, "", f"{loss.name}: the bound of {last} is only declared")
    targets = law.target_bound()
    if targets.status == VIOLATED:
        how = f"{loss.name}: d2 L is the residual, and {targets.how}"
        return Finding(VIOLATED, math.inf, how)
    if targets.status != PROVED or isinstance(targets.figure, str):
        return Finding(UNKNOWN, "", f"{loss.name}: no proven bound of the targets")
    how = f"{loss.name}: |y| <= {targets.figure:.4g} and |{last}| <= {last.bound:.4g}"
    return Finding(PROVED, targets.figure + last.bound, how)


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
        unbounded = any(s.grows for s in (*sizes, *far)) or exceeds(size, loss.gradient_bound)
        steep = any(s.grows for s in slopes) or exceeds(slope, loss.gradient_lipschitz)
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
    return Row("1.1 X bounded", "|X| <= K with probability 1", *law.norm_bound())
