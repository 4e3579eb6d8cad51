"""The solvers of the MF ODE by name, and the stepper of one on weights as they are kept."""

from __future__ import annotations

from dataclasses import dataclass

import diffrax
from jaxtyping import Array, Float

from ...checks import choice, require
from ...distributions import Samples
from ...network import Network
from ...problem import Problem
from ..storage import network_as_factors, network_with_room
from .factored import factored_start
from .factored_rkc import factored_rkc
from .matrices import DenseRungeKutta
from .rkc import RKC
from .runge_kutta import has_tableau
from .stabilised import AbstractStabilised, Known, Stabilised
from .stepper import AbstractStepper, Dense
from .switching import Switching


@dataclass(frozen=True)
class Automatic:
    """`explicit` until the run turns out to be stiff, and `stabilised` while it is."""

    explicit: diffrax.AbstractSolver
    stabilised: RKC

    @property
    def name(self) -> str:
        """In words."""
        names = (type(s).__name__ for s in (self.explicit, self.stabilised))
        return " or ".join(names)


SOLVERS = {
    "auto": lambda: Automatic(diffrax.Tsit5(), RKC()),
    "rkc": RKC,
    "tsit5": diffrax.Tsit5,
    "dopri5": diffrax.Dopri5,
    "bosh3": diffrax.Bosh3,
    "heun": diffrax.Heun,
    "euler": diffrax.Euler,
}
"""Makers of those that a name stands for."""

Solver = diffrax.AbstractSolver | AbstractStepper | Automatic


def solver_named(solver: str | Solver) -> Solver:
    """The solver of that name; any other as it is.

    Raises:
        InvalidInput: an unknown name.
    """
    if not isinstance(solver, str):
        return solver
    choice("solver", solver, tuple(SOLVERS))
    return SOLVERS[solver]()


def check_solver(solver: object, constant_step: bool) -> None:
    """Raise `InvalidInput` for a solver that the MF ODE cannot take.

    It takes steppers, and Diffrax's explicit solvers of one velocity: those that estimate their
    error, unless the step is constant.
    """
    if isinstance(solver, AbstractStepper | Automatic):
        return
    inner = solver
    while isinstance(inner, diffrax.AbstractWrappedSolver):
        inner = inner.solver
    terms = getattr(inner, "term_structure", None)
    require(
        isinstance(inner, diffrax.AbstractSolver)
        and not isinstance(inner, diffrax.AbstractImplicitSolver)
        and isinstance(terms, type)
        and issubclass(diffrax.ODETerm, terms),
        f"solver: takes one of {', '.join(SOLVERS)}, or an explicit solver of Diffrax for ordinary "
        f"differential equations, such as diffrax.Tsit5(), or a stepper, got {_shown(solver)}",
    )
    require(
        constant_step or isinstance(solver, diffrax.AbstractAdaptiveSolver),
        f"solver: {_shown(solver)} does not estimate its error; give a constant step, or take "
        "diffrax.Tsit5()",
    )


def solver_of_motion(problem: Problem, solver: Solver, constant_step: bool) -> Solver:
    """The solver by which this motion is integrated; of ``auto``, where more than weights moves, its first.

    Raises:
        InvalidInput: one that the motion cannot take.
    """
    if problem.stepwise:
        require(
            isinstance(solver, diffrax.Euler) and constant_step,
            f"solver: {problem.stepwise} takes constant steps, solver='euler' with a step in MF time, "
            f"or neuronal.train: what steps do besides the velocity is no part of {_shown(solver)}",
        )
    require(
        problem.reinject is None, "reinject: newborn neurons come in steps of neuronal.train alone"
    )
    if not problem.carried:
        return solver
    if isinstance(solver, Automatic):
        return solver.explicit
    require(
        problem.birth_death is None or not isinstance(solver, RKC | AbstractStepper),
        "solver: measures that move are known to Runge-Kutta methods alone; take 'tsit5'",
    )
    require(
        not isinstance(solver, RKC | AbstractStepper),
        "solver: with momentum the motion oscillates, off the negative real axis on which RKC is "
        "stable, and steppers of one's own move weights alone; take 'tsit5'",
    )
    return solver


def has_steps_alone(problem: Problem, solver: Solver, constant_step: bool) -> bool:
    """Whether the ODE is solved by the steps of SGD on the whole law, full-batch gradient descent."""
    more = bool(problem.stepwise) or problem.momentum is not None
    return more and constant_step and isinstance(solver, diffrax.Euler)


def stepper_for(
    solver: Solver,
    kernel: str,
    network: Network,
    tolerances: tuple[Float[Array, ""], Float[Array, ""]],
    data: Samples,
) -> tuple[AbstractStepper, Network]:
    """The stepper, and the network to start from, with room for its rank to grow.

    Args:
        kernel: ``dense`` or ``factored``.
        tolerances: relative and absolute, of a step.

    Raises:
        InvalidInput: factored kernels with a solver that cannot take them.
    """
    if isinstance(solver, Automatic):
        explicit, network = stepper_for(solver.explicit, kernel, network, tolerances, data)
        stabilised = stabilised_for(solver.stabilised, kernel, network, tolerances, data)
        return Switching.of(explicit, stabilised), network
    if isinstance(solver, RKC):
        if kernel == "factored":
            network = network_with_room(network_as_factors(network))
        return stabilised_for(solver, kernel, network, tolerances, data), network
    if kernel == "factored":
        return factored_start(network, solver, *tolerances, data)
    if isinstance(solver, AbstractStepper):
        return solver, network
    return (DenseRungeKutta(solver) if has_tableau(solver) else Dense(solver)), network


def stabilised_for(
    solver: RKC,
    kernel: str,
    network: Network,
    tolerances: tuple[Float[Array, ""], Float[Array, ""]],
    data: Samples,
) -> AbstractStabilised:
    """The stepper of the stabilised method on a network with room for its rank to grow."""
    if kernel == "factored":
        return factored_rkc(network, solver, *tolerances, data)
    return Stabilised(solver, Known.nothing(network.weights[0].dtype))


def _shown(solver: object) -> str:
    return type(solver).__name__ if isinstance(solver, diffrax.AbstractSolver) else repr(solver)
