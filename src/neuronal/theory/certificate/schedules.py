r"""Assumption 1.1 for the schedules $\xi_i$, and Theorem 2's $\xi_L = 1$."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ...bounds import search
from ...bounds.finding import MEASURED, UNKNOWN, VIOLATED, Finding
from ...bounds.proofs import certified
from ...schedules import VANISHING, AbstractSchedule, Schedule
from .rows import Row, groups, layered


def schedule_rows(schedules: Sequence[Schedule], horizon: float) -> list[Row]:
    r"""$\xi_i$ K-bounded and K-Lipschitz; user-supplied ones on [0, `horizon`] of MF time."""
    bounded, lipschitz = [], []
    for schedule, layers in groups(schedules):
        one, two = _certified(schedule) or _measured(schedule, horizon)
        bounded.append(layered("1.1 xi_{} bounded", layers, "|xi_{}| <= K", one))
        lipschitz.append(layered("1.1 xi_{} Lipschitz", layers, "xi_{} is K-Lipschitz", two))
    return [*bounded, *lipschitz]


def last_rate_row(schedules: Sequence[Schedule], horizon: float) -> Row:
    r"""Theorem 2 assumes $\xi_L = 1$: up to a change of time, $\xi_L$ bounded away from 0.

    With $d\tau = \xi_L\,dt$ the schedules are $\xi_i / \xi_L$, of which the last is 1; they
    are bounded and Lipschitz if the $\xi_i$ are and $\xi_L \ge c > 0$.
    """
    depth, last = len(schedules), schedules[-1]
    name = f"2 xi_{depth} = 1"
    says = f"xi_{depth} = 1 up to a change of time: xi_{depth} >= c > 0"
    if isinstance(last, AbstractSchedule) and (found := last.positivity(f"xi_{depth}")):
        return Row(name, says, *found)
    try:
        values = function(last)(np.linspace(0, horizon, 1025))
    except (TypeError, ValueError) as error:
        return Row(name, says, UNKNOWN, "", _untraceable(error))
    least = float(np.min(values))
    grid = f"the least on 1025 times in [0, {horizon:g}]"
    if least < 0:
        return Row(name, says, VIOLATED, least, f"{grid} is negative")
    if least < 1e-6 * float(np.max(values)):
        return Row(name, says, UNKNOWN, least, VANISHING.format(grid))
    return Row(name, says, MEASURED, least, grid)


def function(schedule: Schedule) -> search.Function:
    """A schedule on arrays of times, in double precision."""

    def on_grid(t: np.ndarray) -> np.ndarray:
        with jax.enable_x64(True):
            times = jnp.asarray(t, jnp.float64)
            return np.asarray(jax.vmap(lambda s: jnp.asarray(schedule(s)))(times), float)

    return on_grid


def _untraceable(error: Exception) -> str:
    return f"JAX cannot trace it over times ({type(error).__name__})"


def _measured(schedule: Schedule, horizon: float) -> tuple[Finding, Finding]:
    on_grid = function(schedule)
    try:
        near = search.largest(on_grid, 0.0, horizon)
    except (TypeError, ValueError) as error:
        unknown = Finding(UNKNOWN, "", _untraceable(error))
        return unknown, unknown
    far = search.far_growth(on_grid, horizon, (1,))
    slope = search.steepest(on_grid, 0.0, horizon)
    grid = f"on a grid of {search.GRID} times in [0, {horizon:g}]"
    size = Finding(MEASURED, near.value, f"largest {grid}, and no growth far beyond")
    if near.grows or far.grows:
        worst = near if near.grows else far
        how = f"grows without bound: this size at t = {worst.at:.3g}"
        size = Finding(VIOLATED, worst.value, how)
    steep = Finding(
        MEASURED, slope.value, f"largest difference quotient {grid}, refined where steepest"
    )
    if slope.grows:
        how = (
            f"the difference quotient grows without bound as the spacing halves at t = "
            f"{slope.at:.6g}, where a difference of {slope.jump:.3g} is left"
        )
        steep = Finding(VIOLATED, math.inf, how)
    return size, steep


def _certified(schedule: Schedule) -> tuple[Finding, Finding] | None:
    """The two answers for a schedule that states its form, None for any other callable."""
    if not isinstance(schedule, AbstractSchedule) or not (form := schedule.interval_form()):
        return None
    name = str(schedule)
    return (
        certified(form.value, schedule.bound, name, ""),
        certified(form.slope, schedule.lipschitz, name, ""),
    )
