r"""Learning-rate schedules $\xi_i(t)$ of MF time $t$.

A schedule is any callable of MF time that JAX can trace; it returns a non-negative number.
Those here state the bound and the Lipschitz constant that Assumption 1.1 asks for, and prove
them (`AbstractSchedule`); of any other callable they are measured.
`depth_balanced` gives one schedule per layer; the others give one for any layer. Their numbers may
be arrays, so that other values are no other program to compile.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .bounds import intervals as iv
from .bounds.finding import PROVED, UNKNOWN, VIOLATED, Finding
from .bounds.forms import ScheduleForm
from .bounds.forms import constant as constant_form
from .bounds.intervals import Interval
from .bounds.proofs import proof
from .checks import is_number, non_negative, of_shape, positive, require, result_shape, shown, whole

Schedule = Callable[[Float[Array, ""]], Float[Array, ""]]
Schedules = Schedule | Sequence[Schedule] | None

VANISHING = "{}: Theorem 2 is silent on a last layer whose rate tends to 0"


class AbstractSchedule(abc.ABC):
    """A schedule that states its constants, and may prove them."""

    def __repr__(self) -> str:
        own = fields(self) if is_dataclass(self) else ()
        given = [(f.name, getattr(self, f.name)) for f in own]
        words = [f"{name}={float(v):.4g}" if is_number(v) else name for name, v in given]
        return f"{type(self).__name__}({', '.join(words)})"

    @property
    @abc.abstractmethod
    def bound(self) -> float:
        r"""$\sup_t \xi(t)$."""

    @property
    @abc.abstractmethod
    def lipschitz(self) -> float:
        r"""Lipschitz constant of $\xi$."""

    @abc.abstractmethod
    def __call__(self, t: Float[Array, ""]) -> Float[Array, ""]:
        r"""$\xi(t)$, traceable."""

    def interval_form(self) -> ScheduleForm | None:
        """The schedule on intervals, which proves its constants; None: they are measured.

        A method that overrides this one or `positivity` is marked by
        `neuronal.bounds.proofs.proof`, unless it holds for every subclass.
        """
        return None

    def positivity(self, name: str) -> Finding | None:
        r"""Whether $\xi \ge c > 0$, and c; `name` is $\xi$'s. None: it is measured."""
        return None


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class Constant(AbstractSchedule):
    r"""$\xi(t) = v$."""

    value: float = 1.0

    @property
    def bound(self) -> float:
        return self.value

    @property
    def lipschitz(self) -> float:
        return 0.0

    def __call__(self, t: Array) -> Array:
        return jnp.full_like(t, self.value)

    @proof
    def interval_form(self) -> ScheduleForm:
        return ScheduleForm(lambda u: constant_form(u, self.value), lambda u: constant_form(u, 0.0))

    @proof
    def positivity(self, name: str) -> Finding:
        if self.value > 0:
            return Finding(PROVED, self.value, "constant")
        return Finding(VIOLATED, 0.0, "the last layer does not move")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class Cosine(AbstractSchedule):
    r"""From `value` at $t = 0$ down a half cosine to `final` at `horizon`, constant after."""

    horizon: float
    value: float = 1.0
    final: float = 0.0

    @property
    def bound(self) -> float:
        return max(self.value, self.final)

    @property
    def lipschitz(self) -> float:
        return abs(self.value - self.final) * math.pi / (2 * self.horizon)

    def __call__(self, t: Array) -> Array:
        wave = jnp.cos(math.pi * jnp.clip(t / self.horizon, 0, 1))
        return self.final + (self.value - self.final) * (1 + wave) / 2

    @proof
    def interval_form(self) -> ScheduleForm:
        fall, final = self.value - self.final, self.final
        rate = fall * math.pi / (2 * self.horizon)
        return ScheduleForm(
            lambda u: final + fall * (0.5 + 0.5 * iv.cos(math.pi * _clipped(u))),
            lambda u: rate * iv.sin(math.pi * _clipped(u)),
        )

    @proof
    def positivity(self, name: str) -> Finding:
        least = min(self.value, self.final)
        if least > 0:
            return Finding(PROVED, least, "monotone between its ends")
        return Finding(UNKNOWN, 0.0, VANISHING.format(self))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class Exponential(AbstractSchedule):
    r"""$\xi(t) = v\,e^{-t/\tau}$, `time_constant` $\tau$ in MF time."""

    time_constant: float
    value: float = 1.0

    @property
    def bound(self) -> float:
        return self.value

    @property
    def lipschitz(self) -> float:
        return self.value / self.time_constant

    def __call__(self, t: Array) -> Array:
        return self.value * jnp.exp(-t / self.time_constant)

    @proof
    def interval_form(self) -> ScheduleForm:
        rate = self.value / self.time_constant
        return ScheduleForm(
            lambda u: self.value * iv.exp(-abs(u)), lambda u: rate * iv.exp(-abs(u))
        )

    @proof
    def positivity(self, name: str) -> Finding:
        return Finding(UNKNOWN, 0.0, VANISHING.format(self))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class Warmup(AbstractSchedule):
    r"""Rises linearly from 0 to `value` over `horizon`, constant after."""

    horizon: float
    value: float = 1.0

    @property
    def bound(self) -> float:
        return self.value

    @property
    def lipschitz(self) -> float:
        return self.value / self.horizon

    def __call__(self, t: Array) -> Array:
        return self.value * jnp.clip(t / self.horizon, 0, 1)

    @proof
    def interval_form(self) -> ScheduleForm:
        rate = self.value / self.horizon
        return ScheduleForm(lambda u: self.value * _clipped(u), lambda u: constant_form(u, rate))

    @proof
    def positivity(self, name: str) -> Finding | None:
        if self.value == 0:
            return None
        how = f"{name} is constant from t = {self.horizon:g}, and time may start there"
        return Finding(PROVED, self.value, how)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class Frozen(AbstractSchedule):
    r"""$\xi(t) = 0$: the layer stays as it is, bit for bit, and its products are left out of programs."""

    @property
    def bound(self) -> float:
        return 0.0

    @property
    def lipschitz(self) -> float:
        return 0.0

    def __call__(self, t: Array) -> Array:
        return jnp.zeros_like(t)

    @proof
    def interval_form(self) -> ScheduleForm:
        return ScheduleForm(lambda u: constant_form(u, 0.0), lambda u: constant_form(u, 0.0))

    @proof
    def positivity(self, name: str) -> Finding:
        return Finding(VIOLATED, 0.0, "the last layer does not move")


def _clipped(u: Interval) -> Interval:
    return Interval(np.clip(u.low, 0, 1), np.clip(u.high, 0, 1))


def constant(value: float = 1.0) -> Constant:
    r"""$\xi(t) = v$ for all t, the default with $v = 1$."""
    non_negative("value", value)
    return Constant(value)


def cosine(horizon: float, value: float = 1.0, final: float = 0.0) -> Cosine:
    """Half a cosine from `value` to `final` over `horizon` (MF time)."""
    positive("horizon", horizon)
    non_negative("value", value)
    non_negative("final", final)
    return Cosine(horizon, value, final)


def exponential(time_constant: float, value: float = 1.0) -> Exponential:
    """Exponential decay with a time constant in MF time."""
    positive("time_constant", time_constant)
    non_negative("value", value)
    return Exponential(time_constant, value)


def warmup(horizon: float, value: float = 1.0) -> Warmup:
    """Linear rise to `value` over `horizon` (MF time)."""
    positive("horizon", horizon)
    non_negative("value", value)
    return Warmup(horizon, value)


def depth_balanced(
    depth: int, power: float = 1.0, horizon: float | Array | None = None
) -> tuple[Constant, ...] | tuple[Cosine, ...]:
    r"""$\xi_i = (L-2)^{-p}$ on the middle layers, 1 on the first and the last.

    Every middle layer moves the function; dividing their rates by their number keeps the
    total speed, and so the best learning rate, from growing with depth. Theorem 2 asks only
    for $\xi_L = 1$.

    Args:
        power: p.
        horizon: MF time over which all fall to zero, as half a cosine; constant if left out.
    """
    depth = whole("depth", depth, 2)
    require(is_number(power), f"power: takes a number, got {shown(power)}")
    middle = float(max(depth - 2, 1)) ** -power
    values = (1.0, *(middle,) * (depth - 2), 1.0)
    if horizon is None:
        return tuple(map(Constant, values))
    positive("horizon", horizon)
    length: Any = horizon
    return tuple(Cosine(length, value) for value in values)


def per_layer(schedules: Schedules, depth: int, name: str = "schedules") -> tuple[Schedule, ...]:
    """One schedule per layer from none, one for all, or one per layer; `name` begins an error.

    Raises:
        InvalidInput: a sequence of another length than `depth`, or what is not callable.
    """
    if schedules is None:
        schedules = Constant()
    if callable(schedules):
        return (schedules,) * depth
    require(
        isinstance(schedules, Iterable),
        f"{name}: takes one callable, or one a layer ({depth}), got {shown(schedules)}",
    )
    given = tuple(schedules)
    require(
        len(given) == depth,
        f"{name}: takes one callable, or one a layer ({depth}), got {len(given)}",
    )
    require(all(map(callable, given)), f"{name}: each must be a callable of MF time")
    return given


def check_schedules(name: str, schedules: Sequence[Schedule]) -> None:
    """Raise `InvalidInput` unless each takes MF time to one number."""
    for schedule in schedules:
        if isinstance(schedule, AbstractSchedule):
            continue
        takes = "takes MF time t to one number, by operations that JAX can trace"
        shape = result_shape(name, takes, schedule, of_shape())
        require(shape == (), f"{name}: {takes}, got shape {shape}")


def constant_value(schedule: Schedule) -> float | None:
    """The value of a schedule that is known not to change in time; None of any other."""
    if is_frozen(schedule):
        return 0.0
    return float(schedule.value) if isinstance(schedule, Constant) else None


def is_frozen(schedule: Schedule) -> bool:
    """Whether it is `Frozen`, which programs know when they are compiled; a subclass is not."""
    return type(schedule) is Frozen


def at(schedules: Sequence[Schedule], t: Float[Array, ""]) -> list[Float[Array, ""]]:
    """All of them at MF time t, in its precision."""
    return [jnp.asarray(xi(t), t.dtype) for xi in schedules]
