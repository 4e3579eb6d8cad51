"""One step of SGD, or of Euler's method, as all that is added to the motion would have it."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array, Float, PRNGKeyArray

from .. import dynamics
from ..kernels import updates
from .change import Change
from .momentum import plus
from .motion import Motion


def stepped(
    motion: Motion,
    before: dynamics.Kernels,
    now: dynamics.Kernels,
    velocities: dynamics.Kernels | None,
    changes: list[Change],
    t: Float[Array, ""],
    step: Float[Array, ""],
    key: PRNGKeyArray,
    k: Array,
) -> tuple[dynamics.Kernels, dynamics.Kernels | None]:
    """Weights and velocities of momentum one step later.

    Args:
        before: weights as the loop carries them (`kernels.updates`); `now`: the same, written.
        velocities: of momentum, else None.
        changes: of all layers in this step.
        t: MF time at the step's start; `step`: its length.
        key: of the run's noise; `k`: the step's number.
    """
    noise: dict[int, Array] = {}
    if motion.temperature is not None:
        sizes = [step * rate for rate in motion.rates(t)]
        if motion.momentum is not None:
            frictions = motion.momentum.frictions(t)
            sizes = [size * friction for size, friction in zip(sizes, frictions, strict=True)]
        noise = motion.temperature.kicks(key, k, t, now, sizes)
    if motion.momentum is None:
        weights = [
            b if frozen else updates.taking(b, w, change.f, change.g, change.kept)
            for b, w, change, frozen in zip(before, now, changes, motion.frozen, strict=True)
        ]
        _kicked(weights, noise, motion)
    else:
        assert velocities is not None
        frictions = motion.momentum.frictions(t)
        moving = list(velocities)
        for i, (v, w, change) in enumerate(zip(velocities, now, changes, strict=True)):
            if not motion.frozen[i]:
                moving[i] = motion.momentum.pushed(v, w, change, step, frictions[i])
        _kicked(moving, noise, motion)
        weights = [
            w if frozen else plus(w, v, step)
            for w, v, frozen in zip(now, moving, motion.frozen, strict=True)
        ]
        velocities = tuple(moving)
    if motion.penalty is not None and not motion.frozen[-1]:
        length = step * motion.rates(t)[-1]
        if velocities is None:
            weights[-1] = motion.penalty.proximal(t, weights[-1], length)
        else:
            weights[-1] = motion.penalty.proximal(t, weights[-1], step * length)
            velocities = (*velocities[:-1], (weights[-1] - now[-1]) / step)
    return tuple(weights), velocities


def _kicked(values: list[Any], noise: dict[int, Array], motion: Motion) -> None:
    """Add the noise to the outer layers, in place, but where they are frozen."""
    for i, kick in noise.items():
        if not motion.frozen[i]:
            values[i] = values[i] + kick
