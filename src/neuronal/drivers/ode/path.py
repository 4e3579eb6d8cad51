r"""The states within a step of the ODE: where records lie that no step ends at.

The prediction is a smooth function of time there. Where more records lie in a step than a
polynomial of it has points, it is computed at these points alone: then what a record costs does not
depend on the number of neurons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float

from ...distributions import Samples
from ...dynamics import Kernels
from ...losses import Loss
from ...network import Network
from ...problem import mean_loss
from ...programs import lightly
from ...sharding import within
from ..driver import State
from .stepper import AbstractStepper

POINTS = 8
"""Chebyshev points of the prediction in a step."""
_AT_ONCE = 64


@dataclass(frozen=True)
class StepPath:
    """`driver.Path` of the ODE: the stepper's dense output.

    Attributes:
        since, until: MF times of the step's ends.
        network: at its end; `phase`: all that moves, there; `names`: of what that holds besides weights.
        stepper, stepper_state: that took the step, and its state.
        data: the samples of $E_Z$.
        tolerance: of the prediction between its points, of its size and absolute.
        over: the devices, if there are several.
    """

    since: float
    until: float
    network: Network
    phase: Kernels
    names: tuple[str, ...]
    stepper: AbstractStepper
    stepper_state: Any
    loss: Loss
    data: Samples
    tolerance: tuple[float, float]
    over: Mesh | None

    def state(self, t: float) -> State:
        """The state at MF time t."""
        with within(self.over):
            phase = _between(self.phase, self.stepper, self.stepper_state, self._share(t))
        return State.of_phase(phase, self.names)

    def losses(self, times: Sequence[float]) -> list[float]:
        """The risks at these times."""
        predictions = self._interpolated(times, self.data.x)
        if predictions is not None:
            return self._losses_of(predictions)
        with within(self.over):
            return [float(self._risk(self._share(t))) for t in times]

    def predictions(
        self, times: Sequence[float], x: Float[Array, "m d"]
    ) -> list[Float[Array, "m k"]]:
        r"""$\hat y(x)$ at these times."""
        predictions = self._interpolated(times, x)
        if predictions is not None:
            return list(jnp.asarray(predictions, x.dtype))
        return [self._predicted(x, self._share(t)[None])[0] for t in times]

    def _share(self, t: float) -> Float[Array, ""]:
        dtype = self.network.weights[0].dtype
        return jnp.asarray((t - self.since) / (self.until - self.since), dtype)

    def _risk(self, share: Float[Array, ""]) -> Float[Array, ""]:
        step = self.network, self.phase, self.names, self.stepper, self.stepper_state
        return _risk(*step, self.loss, self.data, share)

    def _predicted(
        self, x: Float[Array, "m d"], shares: Float[Array, "p"]
    ) -> Float[Array, "p m k"]:
        with within(self.over):
            step = self.network, self.phase, self.names, self.stepper, self.stepper_state
            return _predictions(*step, x, shares)

    def _interpolated(
        self, times: Sequence[float], x: Float[Array, "m d"]
    ) -> Float[np.ndarray, "T m k"] | None:
        """Predictions by interpolation in time; None where times are few or that is not accurate enough."""
        if len(times) <= POINTS:
            return None
        dtype, series = self.network.weights[0].dtype, np.polynomial.chebyshev
        points = -np.cos(np.pi * np.arange(POINTS) / (POINTS - 1))
        known = np.asarray(self._predicted(x, jnp.asarray((points + 1) / 2, dtype)), float)
        to_coefficients = np.linalg.inv(series.chebvander(points, POINTS - 1))
        coefficients = np.tensordot(to_coefficients, known, 1)
        relative, absolute = self.tolerance
        bound = absolute + relative * np.abs(known).max()
        if not np.abs(coefficients[-1]).max() <= bound:  # what is not finite is above it too
            return None
        places = 2 * (np.asarray(times) - self.since) / (self.until - self.since) - 1
        return np.tensordot(series.chebvander(places, POINTS - 1), coefficients, 1)

    def _losses_of(self, predictions: Float[np.ndarray, "T m k"]) -> list[float]:
        dtype, found = self.network.weights[0].dtype, []
        for first in range(0, len(predictions), _AT_ONCE):
            some = predictions[first : first + _AT_ONCE]
            padded = np.pad(some, ((0, _AT_ONCE - len(some)), (0, 0), (0, 0)))
            losses = _mean_losses(self.loss, jnp.asarray(padded, dtype), self.data)
            found += np.asarray(losses)[: len(some)].tolist()
        return found


@lightly()
def _between(
    phase: Kernels, stepper: AbstractStepper, state: Any, share: Float[Array, ""]
) -> Kernels:
    return stepper.between(phase, state, share)


@lightly()
def _risk(
    network: Network,
    phase: Kernels,
    names: tuple[str, ...],
    stepper: AbstractStepper,
    state: Any,
    loss: Loss,
    data: Samples,
    share: Float[Array, ""],
) -> Float[Array, ""]:
    there = State.of_phase(stepper.between(phase, state, share), names).network(network)
    return mean_loss(there, loss, *data)


@lightly()
def _predictions(
    network: Network,
    phase: Kernels,
    names: tuple[str, ...],
    stepper: AbstractStepper,
    state: Any,
    x: Float[Array, "m d"],
    shares: Float[Array, "p"],
) -> Float[Array, "p m k"]:
    def predict(share: Float[Array, ""]) -> Float[Array, "m k"]:
        there = State.of_phase(stepper.between(phase, state, share), names).network(network)
        return there.forward(x)[1][-1]

    return jax.lax.map(predict, shares)


@lightly()
def _mean_losses(
    loss: Loss, predictions: Float[Array, "b m k"], data: Samples
) -> Float[Array, "b"]:
    return jax.lax.map(lambda prediction: data.weights @ loss(data.y, prediction), predictions)
