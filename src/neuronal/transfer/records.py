r"""What is seen of one width: `Run`, which a probe of each library fills.

A layer is a module with parameters of its own, a part is one of these parameters, named ``layer.parameter``.
Layers are asked in a few *probing steps*, in which the model does not descend its loss but $\langle c,
f \rangle$ with one random c for all widths, 0 but at one sample: a narrow network's first output, of order
$n^{-1/2}$, would make its loss pull otherwise than a wide one's, and many samples can cancel. Then it is
trained on its loss, from the same start.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

PROBES = 3
"""Probing steps: where readout and branches start at 0, the third is the first that moves all."""


@dataclass
class Layer:
    """A layer of a run, over its probing steps.

    Attributes:
        size: coordinates of its output, of the batch.
        size_below: of its input; 0 where that is no array of real numbers.
        whole: whether it is the model itself.
        inputs, outputs: root mean squares of its input and output.
        influence: the derivative of what is descended in its output, the root mean square times `size`:
            how it changes if all coordinates move by one unit in accord.
        influence_below: likewise of its input, through this layer alone.
        moved: in training, the root mean square of its output less that at the start, per state.
    """

    size: int
    size_below: int
    whole: bool = False
    inputs: list[float] = field(default_factory=list)
    outputs: list[float] = field(default_factory=list)
    influence: list[float] = field(default_factory=list)
    influence_below: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)


@dataclass
class Part:
    """A parameter of a run, over its probing steps.

    Attributes:
        name: its own, within the layer.
        of: what it is, for parts that are the same parameter.
        dimensions: of the array: 1 of biases.
        start: its root mean square before the first step.
        rate: the learning rate of its group; NaN where the optimiser does not say.
        shrink: the share of it that a step takes away where gradients are zero.
        degree: of its step in the gradient: 1 for SGD, 0 for Adam; NaN where not measured.
        effects: what the step of this part alone does to its layer's output, root mean square over what
            of it is felt.
    """

    layer: str
    name: str
    of: str
    dimensions: int
    start: float
    rate: float = np.nan
    shrink: float = 0.0
    degree: float = np.nan
    effects: list[float] = field(default_factory=list)


@dataclass
class Scores:
    """The arguments of a softmax between layers.

    Attributes:
        layers: which make them, the last two of them to act.
        before: layers that act before it.
        reach: how far they move if these layers' outputs do, each coordinate by one unit and all in
            accord: the influence that comes to the layers through them over their own, per step.
    """

    layers: tuple[str, ...]
    before: int
    reach: list[float] = field(default_factory=list)


@dataclass
class Run:
    """A model of one width, a few steps of its training.

    Attributes:
        layers: in the order in which they act.
        parts: of them.
        scores: of each softmax between layers.
        felt: the influence of the output itself, per probing step.
        prediction: root mean square of the model's output, per state of training.
        change: of the output less that at the start.
        loss: per state of training.
    """

    layers: dict[str, Layer]
    parts: dict[str, Part]
    scores: list[Scores] = field(default_factory=list)
    felt: list[float] = field(default_factory=list)
    prediction: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)


def one_of(dimensions: int) -> tuple[int, ...]:
    """The index of one sample's output, of a sequence at its last place, which may see all others."""
    return (0, *(-1,) * (dimensions - 2))


def degree_between(once: float, twice: float) -> float:
    """The degree k of a step in the gradient, from its size at the loss and at twice the loss."""
    if not (once > 0 and twice > 0):
        return np.nan
    return float(np.clip(np.log2(twice / once), 0, 1))
