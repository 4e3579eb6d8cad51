"""What files and command lines may say, known without importing JAX: words and limits of numbers.

A refused file costs no import of the mathematics. The things that the words name are elsewhere;
`tests/test_vocabulary.py` holds the two together.
"""

from __future__ import annotations

ACTIVATIONS = (
    "tanh",
    "erf",
    "sigmoid",
    "softsign",
    "sin",
    "identity",
    "relu",
    "softplus",
    "square",
    "gelu",
    "silu",
)
"""The keys of `neuronal.activations.ACTIVATIONS`."""

LOSSES: dict[str, tuple[str, ...]] = {
    "squared": (),
    "pseudo_huber": ("delta",),
    "huber": ("delta",),
    "log_cosh": (),
    "cauchy": ("delta",),
    "logistic": (),
    "cross_entropy": (),
}
"""The keys of `neuronal.losses.LOSSES`, each with the parameters that it takes."""

TARGETS: dict[str, int | None] = {
    "sin4x_cos9x": 1,
    "sine": 1,
    "waves": 2,
    "single_index": None,
    "quadratic": None,
}
"""The keys of `neuronal.experiments.targets.TARGETS`, each with the coordinates that it takes."""

RULES = ("monte-carlo", "antithetic", "sobol", "lattice", "gauss-hermite")
"""How nodes are chosen: `neuronal.quadrature`."""

KERNELS = ("auto", "dense", "factored")
"""How weights between layers are kept: `neuronal.drivers.storage`."""

SOLVERS = ("auto", "rkc", "tsit5", "dopri5", "bosh3", "heun", "euler")
"""How the ODE is integrated: the keys of `neuronal.drivers.ode.choice.SOLVERS`."""

MOST_RECORDS = 2**24

MOST_STEPS = 2**31
"""Steps of a run, which are counted in 32 bits, are fewer."""

WORKS = (
    "MMN18", "CB18", "RVE18", "SS18", "Ngu19", "AOY19", "SS19", "NP20", "langevin", "lazy",
)  # fmt: skip
"""What `neuronal.works` runs: each, in small letters, a module there."""
