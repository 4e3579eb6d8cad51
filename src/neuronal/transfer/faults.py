r"""Which layer is at fault where a model's exponents in the width are not 0.

**What must hold.** Call $\Theta(1)$ what neither grows nor falls with the width n. One rate serves all widths
where, in every hidden layer, outputs are $\Theta(1)$ at the start, the step of each parameter changes its
layer's output by $\Theta(1)$, and these changes change the function by $\Theta(1)$: as much as stability
allows. See Yang and Hu 2021 ("Feature learning in infinite-width neural networks"), Yang et al. 2022
("Tensor Programs V", desiderata J.1) and Yang, Simon and Bernstein 2023 ("A spectral condition for feature
learning", condition 1). Networks in mean-field scaling have it from their limit, equation (2), those in the
maximal-update scaling from theirs; in the standard scaling, and in that of the tangent kernel, they do not.

**Per layer.** What is wrong in one layer is seen in others: what leaves it too large enters the next. Each
layer is asked for what is its own. Let h be its input, z its output, $\delta$ the derivative in z of what
is descended, and $s_z = |z|\,\mathrm{rms}(\delta)$ its *influence*, with $|z|$ coordinates; this is
$\Theta(1)$ too, for in a hidden layer $\delta \sim 1/n$. To be 0 are the exponents of

- the *gain* rms(z)/rms(h), where z is wide;
- the *influence's gain* $s_h / s_z$, with $s_h$ through this layer alone, where h is wide. For the readout
  it says that entries are $\Theta(1/n)$, be they independent or not; with the standard $n^{-1/2}$ it is 1/2;
- the *rate* $e / (s_z^k\, \mathrm{rms}(h)^{1+k})$, where e is what the step of one parameter does to z,
  and k the degree of the step in the gradient, measured by a step at twice the loss: 1 of SGD, 0 of Adam.
      For a
  matrix SGD has $e = \eta\,\delta\,\langle h, h\rangle$, and the exponent is 0 for $\eta \sim n$ from few
  coordinates to many, 1 from many to many and 1/n from many to few; Adam has $e = \eta\,|h|_1$, and it
  is 0 for 1, 1/n and 1/n. For a bias h is 1;
- the *decay*, the share of a parameter that a step takes away where gradients are 0;
- the *reach* of a softmax's arguments, the influence that comes through them to the layers that make them
  (queries and keys), over their own: 0 for a factor 1/d where the heads' dimension d grows, and
  $1/\sqrt d$ where it does not. At the start queries and keys are independent, and their scores are
  smaller than that by $n^{-1/2}$; what counts is what they may become.

**Units.** Where an output is multiplied by a power of n behind its layer, size and influence have opposite
exponents; both are taken out. The units of the last layers are the function's: there e is multiplied by
$s_z$. Where inputs or influences grow and no layer has done it, it is between layers.

Natural scalings are powers of $n^{1/2}$: an exponent is a fault if it is nearer to 1/2 than to 0, and its
95 % interval over seeds excludes 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..theory.rates import Rate
from .exponents import slope
from .local import STEP, Local, is_off


@dataclass(frozen=True)
class Fault:
    """What keeps a rate from serving all widths.

    Attributes:
        layers: at fault, or their parts; several where they share a parameter, or it lies behind them.
        kind: ``initial scale``, ``readout``, ``learning rate``, ``decay``, ``tied layers``,
            ``attention scale`` or ``between layers``.
        exponent: in the width, of what should have 0.
        advice: what would have it.
    """

    layers: tuple[str, ...]
    kind: str
    exponent: Rate
    advice: str

    def __str__(self) -> str:
        return f"{', '.join(self.layers)}: {self.kind}, n^{self.exponent}; {self.advice}"


def found(local: Local) -> list[Fault]:
    """The faults of a model, per layer from the first on, then those between layers."""
    faults = []
    for layer in local.names:
        faults += _of_start(local, layer) + _of_steps(local, layer)
    faults = _shared(local, faults)
    return faults + _between(local, faults)


def _of_start(local: Local, layer: str) -> list[Fault]:
    gain, back = local.gain(layer), local.influence_gain(layer)
    if layer in local.last:
        if not is_off(back) or _is_zero(local, layer):
            return []
        words = "the size of its entries at the start"
        return [Fault((layer,), "readout", back, _go(local, layer, "start", back.slope, words))]
    off = gain if is_off(gain) else back if is_off(back) and not _is_zero(local, layer) else None
    if off is None:
        return []
    words = "the size of its weights at the start"
    return [Fault((layer,), "initial scale", off, _go(local, layer, "start", off.slope, words))]


def _of_steps(local: Local, layer: str) -> list[Fault]:
    faults = []
    for part in local.parts_of(layer):
        rate, decay = local.rate(part), local.decay(part)
        if is_off(rate):
            advice = _go(local, part, "rate", rate.slope, "its learning rate")
            faults.append(Fault((part,), "learning rate", rate, advice))
        if is_off(decay):
            advice = (
                f"the share of it that a step takes away goes as n^{_natural(decay.slope)}, and should "
                "not depend on n: divide weight_decay by what the width does to the rate"
            )
            faults.append(Fault((part,), "decay", decay, advice))
    return faults


def _go(local: Local, name: str, what: str, off: float, words: str) -> str:
    """How a layer's or part's figure goes with n, and how it should."""
    matrices = [p for p in local.parts_of(name) if bool(local.data.matrix.sel(part=p))]
    part = matrices[0] if matrices else name
    now = slope(local.data, local.data[what].sel(part=part)).slope
    if not np.isfinite(now):
        return f"{words} should go with n as n^{_natural(-off)} times what it does"
    return f"{words} goes as n^{_natural(now)}, and should as n^{_natural(now - off)}"


def _natural(exponent: float) -> str:
    """To the nearest multiple of a half, if it is near, else two digits."""
    nearest = round(exponent / STEP) * STEP
    return f"{nearest if abs(nearest - exponent) < 0.15 else round(exponent, 2):g}"


def _is_zero(local: Local, layer: str) -> bool:
    starts = [local.data.start.sel(part=part) for part in local.parts_of(layer)
              if bool(local.data.matrix.sel(part=part))]  # fmt: skip
    return all(bool((start == 0).all()) for start in starts)


def _shared(local: Local, faults: list[Fault]) -> list[Fault]:
    """Faults of layers that share a parameter as one."""
    owners: dict[str, list[str]] = {}
    for part, parameter in zip(local.data.part.values, local.data.parameter.values, strict=True):
        owners.setdefault(str(parameter), []).append(str(part))
    for parts in (parts for parts in owners.values() if len(parts) > 1):
        layers = {local.layer_of(part) for part in parts}
        theirs = [f for f in faults if f.kind != "decay" and set(f.layers) & (layers | set(parts))]
        if len(layers) > 1 and theirs:
            worst = max(theirs, key=lambda fault: abs(fault.exponent.slope))
            advice = (
                f"they share a parameter, and what is right for one is not for the other ({worst.kind} of "
                f"{', '.join(worst.layers)}): weights of their own, or a multiplier behind one"
            )
            first = faults.index(theirs[0])
            faults = [f for f in faults if f not in theirs]
            faults.insert(
                first, Fault(tuple(sorted(layers)), "tied layers", worst.exponent, advice)
            )
    return faults


def _between(local: Local, faults: list[Fault]) -> list[Fault]:
    """What no layer has done to inputs, outputs' influences and scores."""
    if any(fault.kind in ("initial scale", "readout", "tied layers") for fault in faults):
        return []  # which may do it further on
    for before, layer in zip(local.names, local.names[1:], strict=False):
        given = local.input(layer)
        if (
            is_off(given)
            and not is_off(local.output(before))
            and local.is_wide(layer, "size_below")
        ):
            advice = f"what {layer} is given grows with n otherwise than what is before it gives"
            return [Fault((before, layer), "between layers", given, advice)]
    scores = _of_scores(local)
    off = [
        layer
        for layer in local.names
        if local.influence(layer).slope > 0 and is_off(local.influence(layer))
    ]
    if scores or not off:
        return scores
    position = local.names.index(off[-1]) + 1
    after = local.names[position] if position < len(local.names) else "the loss"
    advice = f"what is between it and {after} makes the loss feel it more, the larger n is"
    return [Fault((off[-1],), "between layers", local.influence(off[-1]), advice)]


def _of_scores(local: Local) -> list[Fault]:
    faults = []
    for softmax in range(local.data.sizes.get("softmax", 0)):
        reach = local.reach(softmax)
        if is_off(reach):
            layers = tuple(str(local.data.scored_by.values[softmax]).split(" and "))
            advice = (
                f"scores take n^{_natural(-reach.slope)} times their factor: 1/d where the heads' "
                "dimension d grows, 1/sqrt(d) where it does not"
            )
            faults.append(Fault(layers, "attention scale", reach, advice))
    return faults
