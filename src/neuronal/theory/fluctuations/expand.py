r"""`nr.fluctuations`: the limit, directions in its measures, and derivatives along them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import ArrayLike, Float, PRNGKeyArray
from scipy.interpolate import CubicSpline

from ...checks import key_of, positive, require, shown, whole
from ...distributions import Distribution
from ...drivers.ode.integrate import Control
from ...embeddings import AbstractEmbedding
from ...embeddings.base import SAMPLE, Rules, rules_of
from ...errors import InvalidInput
from ...network import Network
from ...problem import Problem
from . import propagation
from .directions import Response, neuron_directions, noise_directions
from .estimates import covariance, loss_along, moments, quadratic_variance, square_draws
from .law import Fluctuations
from .limit import recorded_limit
from .records import dataset
from .repeats import averaged
from .sources import Grid, Work

_LEADING = 3 / 4
"""Share of a layer's directions that are its leading ones."""
_DECAY = 0.5
"""The longest step of noise, in units of the time in which the fastest perturbation decays."""
_STABLE = 2.0
"""The longest step of all, over the spectral radius's inverse: `propagation.SOLVER` is stable to 2.5."""
_RADII = 64
"""Times at which it is measured, at most."""
_DRAWS = 512
"""Of the fluctuation's whole course."""
_MOST_STEPS = 4096
"""Of the limit, to its end."""
_MOST_COVARIED = 64
"""Inputs times outputs up to which covariances between them are kept."""


def fluctuations(
    problem: Problem,
    start: AbstractEmbedding | Network,
    until: float,
    nodes: int = 1024,
    rule: Rules = "sobol",
    *,
    save_at: int | ArrayLike | None = 32,
    data_nodes: int = 64,
    directions: int = 16,
    key: PRNGKeyArray | int = 0,
    accuracy: float | None = None,
    rtol: float = 1e-3,
    repeats: int = 1,
    judge: Distribution | None = None,
    progress: bool | Callable[[str, float], None] = False,
) -> Fluctuations:
    r"""How far finite networks are from their limit, from the limit alone.

    A network of sampled neurons, trained, is the limit with empirical measures in the place of
    $p_1, \dots, p_{L-1}$ and, if by SGD, of the law of the data at every step. The prediction's first
    and second derivatives in these measures give its law to first order in $1/n_i$ and $\epsilon$:
    see the page on fluctuations in the documentation.

    The derivatives are forward ones along directions, `directions` for each hidden layer and as many
    paths of noise for the samples: one run along a direction gives first and second derivatives at
    all times and inputs, where an adjoint run would give one gradient of one number. Three
    quarters of a layer's directions are the leading influences of its neurons, which carry
    nearly all of the variance; the others are random, so that no figure has a bias, and tell its
    standard error. What other nodes would give is not in that error unless `repeats` are asked for.

    Args:
        problem: what is learned.
        start: an embedding; or a network, whose neurons are then the law that smaller networks
            draw from.
        until: MF time at which to stop.
        nodes, rule: the quadrature of neurons, on dense kernels.
        save_at: MF times to record, or a number of equal intervals.
        data_nodes: quadrature nodes of $E_Z$; a finite law is taken whole.
        directions: for each hidden layer, and for the samples; 4 or more.
        key: of nodes and directions.
        accuracy: of the limit's own prediction, for which it is solved on as many nodes as it
            takes, as `solve` does; its derivatives stay on `nodes`.
        rtol: tolerance of the steps on which derivatives are taken; they are exact for these steps.
        repeats: sets of nodes and directions, at that many times the cost. Figures are means over
            them, and standard errors are those of their scatter, which has all that is random.
        judge: the law by which risks and predictions are told, such as that of rows held out; the
            problem's own, by which networks are trained, if left out.
        progress: called with words and the share of the work done; True prints them.

    Returns:
        the `Fluctuations`.

    Raises:
        InvalidInput: arguments that do not fit; momentum, temperature or penalty; neurons that
            are all alike; a limit that takes more than 4,096 steps.
        DivergenceError: the limit left the finite numbers.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, depth=2)
        >>> law = nr.fluctuations(problem, embedding, until=2.0, nodes=256, directions=8, save_at=4)
        >>> law.risk_sd(100).shape
        (5,)
        >>> bool(np.all(law.risk_sd(100) > law.risk_sd(400)))
        True

        ```
    """
    beyond = problem.beyond_velocity
    require(
        not beyond,
        f"problem: {beyond} is not expanded in the measures of neurons yet; leave it out",
    )
    count, sets = whole("directions", directions, 4), whole("repeats", repeats, 1)
    how = _Settings(
        until, nodes, rule, save_at, data_nodes, count, accuracy, positive("rtol", rtol), judge
    )
    if judge is not None:
        require(isinstance(judge, Distribution), f"judge: takes a distribution, got {shown(judge)}")
        Problem(judge, problem.loss).check(start)
    say = print if progress is True else progress or _silent
    keys = [key_of(key)] if sets == 1 else jax.random.split(key_of(key), sets)
    found = []
    for i, of_set in enumerate(keys):

        def tell(words: str, share: float, i: int = i) -> None:
            say(words if sets == 1 else f"nodes {i + 1} of {sets}: {words}", (i + share) / sets)

        found.append(_expanded(problem, start, of_set, how, tell))
    complete = isinstance(start, Network) or not _limits_meet(start, rule)
    return Fluctuations(found[0] if sets == 1 else averaged(found), complete)


def _limits_meet(start: AbstractEmbedding, rule: Rules) -> bool:
    """Whether two layers side by side are limits, with random weights between that their nodes do not have.

    Nodes beside a layer of sampled neurons have the weights to and from each of these.
    """
    sampled = [own == SAMPLE for own in rules_of(rule, start.depth)]
    return start.edges_apart and any(not (a or b) for a, b in itertools.pairwise(sampled))


class _Settings(NamedTuple):
    """What is asked of one expansion, as `fluctuations` takes it."""

    until: float
    nodes: int
    rule: Rules
    save_at: int | ArrayLike | None
    data_nodes: int
    directions: int
    accuracy: float | None
    rtol: float
    judge: Distribution | None


def _expanded(
    problem: Problem,
    start: AbstractEmbedding | Network,
    key: PRNGKeyArray,
    how: _Settings,
    say: Callable[[str, float], None],
) -> xr.Dataset:
    """`Fluctuations.data` of one set of nodes and directions."""
    until, count = how.until, how.directions
    rng = np.random.default_rng(np.asarray(jax.random.bits(key, (4,), jnp.uint32)))
    limit = recorded_limit(
        problem, start, until, how.nodes, how.rule, key, how.save_at, how.data_nodes, how.accuracy,
        how.judge,
    )  # fmt: skip
    network, data = limit.network, limit.data
    dtype = network.weights[0].dtype
    control = Control(
        jnp.asarray(how.rtol, dtype),
        jnp.asarray(how.rtol / 100, dtype),
        None,
        _MOST_STEPS,
    )
    steps = propagation.step_times(network, problem, data, until, control)
    if steps is not None:
        # The limit's own steps, controlled, do not leave it even where perturbations of it would grow.
        looks = steps[np.unique(np.linspace(0, len(steps) - 1, _RADII).round().astype(int))]
        steps = _refined(steps, looks, limit.radius(looks), _STABLE)
    if steps is None or len(steps) > _MOST_STEPS:
        raise InvalidInput(
            f"until: the limit takes more than {_MOST_STEPS} steps to t = {until:g}; take an earlier one"
        )
    # The limit may take longer steps where nothing moves so fast; the noise of samples moves everything.
    finer = _refined(steps, limit.looks, limit.sharpness, _DECAY)
    predictions, step_bias = propagation.along_steps(
        network, problem, data, jnp.asarray(finer, dtype)
    )
    fine_loss = loss_along(problem.loss, data, predictions)
    leading = min(round(_LEADING * count), count - 2)
    work = Work(network, problem, data, limit.rows, say, count)
    kept = work.kept(len(steps))
    sources = [
        work.of_neurons(
            i,
            neuron_directions(np.asarray(p), of, leading, count - leading, rng),
            Grid(steps, kept),
        )
        for i, (p, of) in enumerate(zip(network.measures, limit.influences, strict=True), start=1)
    ]
    own = slice(None) if how.judge is None else slice(limit.rows.start)
    response = Response(finer, limit.looks, limit.kernels, *fine_loss.on(own))
    paths, fixed = noise_directions(response, leading, count - leading, rng)
    paths = np.pad(paths, [(0, 0)] * 3 + [(0, len(data.x) - paths.shape[-1])])
    reads = np.searchsorted(finer, steps)[kept]
    sources.append(work.of_samples(paths, fixed, Grid(finer, reads)))
    loss = fine_loss.on(limit.rows).at(reads)._replace(weights=limit.mass)
    of_sources = [moments(source, loss) for source in sources]
    at = _Interpolation(finer[reads], limit.times)
    quadratic = [[at(quadratic_variance(a, b, loss, a is b)) for b in sources] for a in sources]
    draws = at(square_draws(sources, loss.weights, _DRAWS, rng))
    step_bias = np.asarray(step_bias, np.float64)[reads][:, limit.rows]
    of_time = {
        "risk": (("time",), limit.risk),
        "risk_error": (("time",), limit.risk_error),
        "prediction": (("time", "input", "output"), limit.predictions),
        "square_draws": (("time", "draw", "source", "other"), draws),
        "prediction_step_bias": (("time", "input", "output"), at(step_bias)),
        "risk_step_bias": (("time",), at(loss.linear(step_bias[None])[0])),
        "sharpness": (("time",), np.interp(limit.times, limit.looks, limit.sharpness)),
        "sharpness_sum": (("time",), np.interp(limit.times, limit.looks, limit.traces)),
    }
    interpolated = [
        {
            name: (at(value, "variance" in name), at(error, True))
            for name, (value, error) in of.items()
        }
        for of in of_sources
    ]
    if limit.predictions[0].size <= _MOST_COVARIED:
        for figures, source in zip(interpolated, sources, strict=True):
            value, error = covariance(source)
            figures["prediction_covariance"] = at(value), at(error, True)
    law = np.asarray(data.x[limit.rows]), np.asarray(limit.mass, data.x.dtype)
    return dataset(limit.times, interpolated, np.asarray(quadratic), of_time, law)


def _refined(
    steps: Float[np.ndarray, "K"],
    looks: Float[np.ndarray, "a"],
    rates: Float[np.ndarray, "a"],
    most: float,
) -> Float[np.ndarray, "fine"]:
    """Steps cut to at most so many times the inverse of a rate that is known at a few times."""
    rate = np.interp(steps, looks, rates)
    decays = np.diff(steps) * np.maximum(rate[:-1], rate[1:])
    pieces = np.ceil(decays / most).astype(int).clip(1, None)
    parts = [
        a + (b - a) * np.arange(n) / n
        for a, b, n in zip(steps[:-1], steps[1:], pieces, strict=True)
    ]
    return np.concatenate([*parts, steps[-1:]])


def _silent(words: str, share: float) -> None:
    pass


@dataclass(frozen=True)
class _Interpolation:
    """Figures at ends of steps, read at the times to record by a cubic spline."""

    steps: Float[np.ndarray, "K"]
    times: Float[np.ndarray, "T"]

    def __call__(
        self, values: Float[np.ndarray, "K *rest"], positive: bool = False
    ) -> Float[np.ndarray, "T *rest"]:
        found = CubicSpline(self.steps, values)(self.times)
        return np.maximum(found, 0) if positive else found
