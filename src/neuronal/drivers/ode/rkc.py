r"""The Runge-Kutta-Chebyshev method of second order as a solver of Diffrax.

For gradient flows and diffusion, whose Jacobians have eigenvalues along the negative real axis: a step of
s stages is stable to $h \rho \approx 0.65\, s^2$, and takes no linear system to solve. See
`chebyshev` for the method.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from ...checks import whole
from .chebyshev import Coefficients, coefficients
from .spectrum import Spectrum, power_method

SAFETY = 1.2
"""By which the estimate of the spectral radius, which is from below, is enlarged."""
PERIOD = 20
"""Velocities between two estimates: at one product each, a tenth of the work."""


class ChebyshevState(NamedTuple):
    """What the method carries from step to step.

    Attributes:
        velocity: at the step's start.
        spectrum: as last estimated; its products are those of all estimates.
        since: velocities since then.
        velocities: in all.
        stages: of the last step; `most_stages` of any.
    """

    velocity: PyTree[Array]
    spectrum: Spectrum
    since: Int[Array, ""]
    velocities: Int[Array, ""]
    stages: Int[Array, ""]
    most_stages: Int[Array, ""]


class RKC(diffrax.AbstractAdaptiveSolver[ChebyshevState]):
    r"""The Runge-Kutta-Chebyshev method of second order, with as many stages as stability asks.

    Explicit, adaptive, for mildly stiff systems $y' = f(t, y)$ whose Jacobian has its eigenvalues near the
    negative real axis, such as gradient flows. A step of length h takes the fewest stages s with $\beta_s \ge
    1.2\, h \rho$, $\beta_s \approx 0.65\, s^2$, with $\rho$ the spectral radius of the Jacobian: it is
    estimated by the power method along the run, on products $J v$ by forward differentiation. Dense
    output is the cubic Hermite interpolant of the steps' ends. Derivatives: forward mode.

    Reference: B. P. Sommeijer, L. F. Shampine and J. G. Verwer, RKC: an explicit solver for parabolic
    PDEs, J. Comput. Appl. Math. 88 (1998) 315-326.

    Attributes:
        most_stages: of a step; one that would take more is refused, so that a shorter one is tried.
            Roundings grow with their square.

    Example:
        The heat equation, rod of 100 points::

            >>> import diffrax, jax.numpy as jnp, neuronal as nr
            >>> n = 100
            >>> heat = lambda t, y, args: (n + 1)**2 * jnp.convolve(y, jnp.array([1., -2, 1]), "same")
            >>> y0 = jnp.sin(jnp.pi * jnp.arange(1, n + 1) / (n + 1))
            >>> solution = diffrax.diffeqsolve(
            ...     diffrax.ODETerm(heat), nr.RKC(), t0=0.0, t1=0.1, dt0=None, y0=y0,
            ...     stepsize_controller=diffrax.PIDController(rtol=1e-3, atol=1e-6),
            ... )
            >>> bool(jnp.allclose(solution.ys[0], jnp.exp(-0.1 * jnp.pi**2) * y0, atol=2e-3))
            True
            >>> int(solution.stats["num_steps"]) < 30
            True

    Raises:
        InvalidInput: `most_stages` below 2.
    """

    term_structure: ClassVar[Any] = diffrax.ODETerm
    interpolation_cls: ClassVar[Callable[..., Any]] = (
        diffrax.ThirdOrderHermitePolynomialInterpolation
    )
    copies: ClassVar[int] = 11
    """States that a step of the MF ODE holds at once, as the size of its compiled program shows."""
    most_stages: int = eqx.field(static=True, default=200)

    def __check_init__(self) -> None:
        whole("most_stages", self.most_stages, 2)

    def order(self, terms: Any) -> int:
        return 2

    def error_order(self, terms: Any) -> int:
        """Of the local error and of its estimate."""
        return 3

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        return terms.vf(t0, y0, args)

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> ChebyshevState:
        velocity = terms.vf(t0, y0, args)
        return self.state_at(velocity)

    def state_at(self, velocity: Any) -> ChebyshevState:
        """The state at a step's start, the spectrum unknown."""
        dtype = jnp.result_type(*jax.tree.leaves(velocity))
        count = lambda n: jnp.asarray(n, jnp.int32)
        spectrum = Spectrum(jnp.zeros((), jnp.finfo(dtype).dtype), velocity, count(0))
        return ChebyshevState(velocity, spectrum, count(PERIOD), count(1), count(0), count(0))

    def step(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: Any,
        args: Any,
        solver_state: ChebyshevState,
        made_jump: Any,
    ) -> tuple[Any, Any, dict[str, Any], ChebyshevState, diffrax.RESULTS]:
        field = lambda t, y: terms.vf(t, y, args)
        first = solver_state.velocity
        if made_jump is not False:
            first = jax.lax.cond(made_jump, lambda: field(t0, y0), lambda: first)
        spectrum, since = self.known_spectrum(
            lambda v: jax.jvp(lambda y: field(t0, y), (y0,), (v,))[1], first, solver_state
        )
        h = t1 - t0
        method, fits = choose_stages(coefficients(self.most_stages), h * spectrum.radius)
        moved = lambda d: jax.tree.map(jnp.add, y0, d)
        velocity = lambda t, d: field(t, moved(d))
        nothing = jax.tree.map(jnp.zeros_like, y0)
        distance = recursion(method, combined, velocity, nothing, first, t0, h)
        y1 = moved(distance)
        last = field(t1, y1)
        estimate = lambda d, f, g: jnp.where(fits, -0.8 * d + 0.4 * h * (f + g), jnp.inf)
        error = jax.tree.map(estimate, distance, first, last)
        dense_info = {"y0": y0, "y1": y1, "k0": scaled(first, h), "k1": scaled(last, h)}
        state = ChebyshevState(
            last,
            spectrum,
            since + method.stages,
            solver_state.velocities + method.stages,
            method.stages,
            jnp.maximum(solver_state.most_stages, method.stages),
        )
        return y1, error, dense_info, state, diffrax.RESULTS.successful

    def known_spectrum(
        self, product: Callable[[Any], Any], velocity: Any, state: ChebyshevState
    ) -> tuple[Spectrum, Int[Array, ""]]:
        """That of the state, or one estimated anew; and the velocities since then."""

        def estimated() -> tuple[Spectrum, Int[Array, ""]]:
            size = norm(state.spectrum.direction)
            known = (size > 0) & jnp.isfinite(size)
            begin = jax.tree.map(
                lambda v, f: jnp.where(known, v, f), state.spectrum.direction, velocity
            )
            found = power_method(product, norm, scaled, begin)
            products = state.spectrum.products + found.products
            return found._replace(products=products), jnp.zeros_like(state.since)

        return jax.lax.cond(state.since >= PERIOD, estimated, lambda: (state.spectrum, state.since))


class Method(NamedTuple):
    """The coefficients of one method, a row of those in `Coefficients`."""

    stages: Int[Array, ""]
    mu: Float[Array, "most"]
    nu: Float[Array, "most"]
    speed: Float[Array, "most"]
    first_speed: Float[Array, "most"]
    node: Float[Array, "most"]


def choose_stages(
    known: Coefficients, stiffness: Float[Array, ""]
) -> tuple[Method, Bool[Array, ""]]:
    r"""The method of fewest stages for $h \rho$, and whether there is one; the longest else."""
    dtype = stiffness.dtype
    wanted = SAFETY * stiffness
    reach = jnp.asarray(known.reach, dtype)
    i = jnp.minimum(jnp.searchsorted(reach, wanted), len(reach) - 1)
    rows = (jnp.asarray(a, dtype)[i] for a in known[2:])
    return Method(jnp.asarray(known.stages, jnp.int32)[i], *rows), wanted <= reach[-1]


def recursion(
    method: Method,
    combine: Callable[[Any, Any, Any, Any, tuple[Array, Array, Array, Array]], Any],
    velocity: Callable[[Array, Any], Any],
    nothing: Any,
    first: Any,
    t: Array,
    h: Array,
) -> Any:
    """The distance of the last stage from the step's start, however distances are kept.

    Args:
        combine: `(last, before, f, first, factors)` to the distance that is their sum times factors.
        velocity: at a time and a distance from the start.
        nothing: the distance 0.
        first: the velocity at the start, at time t.
    """
    zero = jnp.zeros((), h.dtype)
    start = combine(nothing, nothing, first, first, (zero, zero, h * method.speed[0], zero))

    def stage(now: tuple[Array, Any, Any]) -> tuple[Array, Any, Any]:
        j, before, last = now
        mu, nu, speed, first_speed, node = (row[j] for row in method[1:])
        f = velocity(t + h * node, last)
        new = combine(last, before, f, first, (mu, nu, h * speed, h * first_speed))
        return j + 1, last, new

    unfinished = lambda now: now[0] < method.stages
    return jax.lax.while_loop(unfinished, stage, (jnp.asarray(1), nothing, start))[2]


def combined(
    last: Any, before: Any, f: Any, first: Any, factors: tuple[Array, Array, Array, Array]
) -> Any:
    """The sum of arrays times their factors."""
    a, b, c, e = factors
    add = lambda x, y, z, w: a * x + b * y + c * z + e * w
    return jax.tree.map(add, last, before, f, first)


def norm(v: Any) -> Float[Array, ""]:
    """Euclid's, over all leaves."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(v)))


def scaled(v: Any, factor: Array) -> Any:
    """Each leaf times a number."""
    return jax.tree.map(lambda leaf: factor * leaf, v)
