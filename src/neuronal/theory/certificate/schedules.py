r"""Assumption 1.1 for the schedules $\xi_i$, and Theorem 2's $\xi_L = 1$."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from ...schedules import Constant, Cosine, Exponential, Schedule, Warmup
from ..bounds import intervals as iv
from ..bounds import search
from ..bounds.forms import Extension
from ..bounds.intervals import Interval
from .regularity import certified
from .rows import MEASURED, PROVED, UNKNOWN, VIOLATED, Finding, Row, groups, layered

Kind = TypeVar("Kind")


def schedule_rows(schedules: Sequence[Schedule], horizon: float) -> list[Row]:
    r"""$\xi_i$ K-bounded and K-Lipschitz; user-supplied ones on [0, `horizon`] of MF time."""
    bounded, lipschitz = [], []
    for schedule, layers in groups(schedules):
        one, two = _builtin(schedule) or _measured(schedule, horizon)
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
    vanishing = "{}: Theorem 2 is silent on a last layer whose rate tends to 0"
    if _is(last, Constant):
        if last.value > 0:
            return Row(name, says, PROVED, last.value, "constant")
        return Row(name, says, VIOLATED, 0.0, "the last layer does not move")
    if _is(last, Cosine) and min(last.value, last.final) > 0:
        return Row(name, says, PROVED, min(last.value, last.final), "monotone between its ends")
    if _is(last, Exponential) or _is(last, Cosine):
        return Row(name, says, UNKNOWN, 0.0, vanishing.format(last))
    if _is(last, Warmup) and last.value > 0:
        how = f"xi_{depth} is constant from t = {last.horizon:g}, and time may start there"
        return Row(name, says, PROVED, last.value, how)
    try:
        values = function(last)(np.linspace(0, horizon, 1025))
    except (TypeError, ValueError) as error:
        return Row(name, says, UNKNOWN, "", _untraceable(error))
    least = float(np.min(values))
    grid = f"the least on 1025 times in [0, {horizon:g}]"
    if least < 0:
        return Row(name, says, VIOLATED, least, f"{grid} is negative")
    if least < 1e-6 * float(np.max(values)):
        return Row(name, says, UNKNOWN, least, vanishing.format(grid))
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


def _builtin(schedule: Schedule) -> tuple[Finding, Finding] | None:
    """The two answers for a built-in schedule (not a subclass of one), None for any other."""
    form = _form(schedule)
    if form is None:
        return None
    value, slope, bound, lipschitz = form
    name = str(schedule)
    return certified(value, bound, name, ""), certified(slope, lipschitz, name, "")


def _form(schedule: Schedule) -> tuple[Extension, Extension, float, float] | None:
    """Interval extensions of a schedule and its a.e. derivative, and their declared bounds.

    Of u = t/horizon on the whole line, of which t >= 0 is a part, with the schedules' clips.
    """
    if _is(schedule, Constant):
        value = schedule.value
        return lambda u: _like(u, value), lambda u: _like(u, 0.0), schedule.bound, 0.0
    if _is(schedule, Cosine):
        fall, final = schedule.value - schedule.final, schedule.final
        rate = fall * math.pi / (2 * schedule.horizon)
        return (
            lambda u: final + fall * (0.5 + 0.5 * iv.cos(math.pi * _clipped(u))),
            lambda u: rate * iv.sin(math.pi * _clipped(u)),
            schedule.bound,
            schedule.lipschitz,
        )
    if _is(schedule, Exponential):
        value = schedule.value
        rate = value / schedule.time_constant
        return (
            lambda u: value * iv.exp(-abs(u)),
            lambda u: rate * iv.exp(-abs(u)),
            schedule.bound,
            schedule.lipschitz,
        )
    if _is(schedule, Warmup):
        value, rate = schedule.value, schedule.value / schedule.horizon
        return (
            lambda u: value * _clipped(u),
            lambda u: _like(u, rate),
            schedule.bound,
            schedule.lipschitz,
        )
    return None


def _is(schedule: object, kind: type[Kind]) -> TypeGuard[Kind]:
    """Of that very class: a subclass may compute something else."""
    return type(schedule) is kind


def _clipped(u: Interval) -> Interval:
    return Interval(np.clip(u.low, 0, 1), np.clip(u.high, 0, 1))


def _like(u: Interval, value: float) -> Interval:
    return Interval(np.full_like(u.low, value), np.full_like(u.high, value))
