"""`nr.plan`: the limits of several depths, as far in MF time as their best networks go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import jax
import numpy as np
import xarray as xr
from jaxtyping import PRNGKeyArray

from ...checks import is_number, key_of, positive, require, several, shown, whole
from ...errors import DivergenceError, InvalidInput
from ...problem import Problem
from ...recipes import OfDepth, bidirectional_for, increasing
from ..fluctuations import Fluctuations, fluctuations
from .candidates import Shape, choices, interval, largest_rates
from .chosen import Plan

WIDTHS = (16, 32, 64, 128, 256, 512, 1024)
RATES = tuple(0.0125 * 2**j for j in range(9))
"""0.0125 to 3.2."""
_FIRST, _FURTHER = 8.0, 4.0
"""MF time of the first look, and the factor from one look to the next."""
_RECORDS = 48
_GAIN = 0.02
"""Of the risk: a look that brings less is the last."""
_NEAR = 1.25
"""Times the least risk, from which a network that is cut off by the look may yet become the best."""


def plan(
    problem: Problem,
    budget: float,
    *,
    depths: Sequence[int] = (2, 3, 4),
    widths: Sequence[int] = WIDTHS,
    learning_rates: Sequence[float] = RATES,
    batch_size: int = 1,
    until: float = 128.0,
    level: float = 0.9,
    embedding: OfDepth | None = None,
    nodes: int = 128,
    rule: str = "sobol",
    data_nodes: int = 64,
    directions: int = 8,
    rtol: float = 1e-2,
    key: PRNGKeyArray | int = 0,
    progress: bool | Callable[[str, float], None] = False,
) -> Plan:
    r"""Width, depth, learning rate and steps for a budget, before any network is trained.

    For each depth, one limit with its fluctuations tells the mean risk and its deviation at any width, rate
    and number of steps; of all that the budget pays for, the least expected risk is taken. Left out
    are rates above half of what is stable, and widths and rates where the first order is not to be
    trusted (`Fluctuations.term_ratio` above 1/2).

    Args:
        problem: what is learned. Its risk is that of its law: of a data set, the one of training.
        budget: floating-point operations of training, 6 per weight and sample.
        depths, widths, learning_rates: those considered; a width is that of all hidden layers.
        batch_size: samples per step.
        until: the longest MF time considered. Limits are looked at up to 8, and further as long as
            this pays.
        level: probability of the interval.
        embedding: a function of the depth; `Bidirectional` with its critical gain on the
            problem's inputs if left out.
        nodes, rule, data_nodes, directions, rtol, key: as `fluctuations` takes them.
        progress: called with words and the share of the work done, at most; True prints them.

    Returns:
        the `Plan`.

    Raises:
        InvalidInput: arguments that do not fit; a budget for which nothing can be expected.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> plan = nr.plan(problem, 1e7, depths=[2], widths=[32, 64], nodes=128, batch_size=4)
        >>> low, high = plan.interval
        >>> bool(low < plan.train(0).loss[-1] < high)
        True

        ```
    """
    budget, longest = positive("budget", budget), positive("until", until)
    sizes = [whole("widths", n, 1) for n in several("widths", widths, "widths")]
    layers = [whole("depths", n, 2) for n in several("depths", depths, "depths")]
    require(bool(sizes), "widths: takes one or more")
    require(bool(layers), "depths: takes one or more")
    rates = increasing("learning_rates", learning_rates)
    batch = whole("batch_size", batch_size, 1)
    require(is_number(level) and 0 < level < 1, f"level: takes one in (0, 1), got {shown(level)}")
    require(embedding is None or callable(embedding), "embedding: takes a function of the depth")
    of_depth = embedding or bidirectional_for(problem)
    say = print if progress is True else progress or _silent
    found: dict[int, xr.Dataset] = {}
    unknown: dict[int, str] = {}
    for i, (depth, own) in enumerate(
        zip(layers, jax.random.split(key_of(key), len(layers)), strict=True)
    ):
        start = of_depth(depth)
        shape = Shape(depth, start.input_dim, start.output_dim)
        tell = lambda words, share, i=i, depth=depth: say(
            f"L = {depth}: {words}", (i + share) / len(layers)
        )
        look = partial(
            fluctuations, problem, start, nodes=nodes, rule=rule, data_nodes=data_nodes,
            directions=directions, rtol=rtol, key=own, progress=tell,
        )  # fmt: skip
        most = partial(_reach, shape, min(sizes), rates, batch, budget, longest)
        choose = lambda law, shape=shape: choices(law, shape, sizes, rates, batch, budget)
        try:
            found[depth] = _searched(look, most, choose)
        except (InvalidInput, DivergenceError) as error:
            unknown[depth] = str(error)
    if not found:
        raise InvalidInput("; ".join(f"L = {depth}: {why}" for depth, why in unknown.items()))
    return _least(problem, of_depth, found, unknown, budget, batch, float(level))


def _searched(
    look: Callable[..., Fluctuations],
    reach: Callable[[Fluctuations | None], float],
    choose: Callable[[Fluctuations], xr.Dataset],
) -> xr.Dataset:
    """The choices of one depth, from looks at its limit that go further as long as this pays.

    Args:
        look: the law up to a time.
        reach: the longest time that the budget pays for, at rates that the law allows if it is known.
    """
    until, before = min(_FIRST, reach(None)), np.inf
    found: xr.Dataset | None = None
    while True:
        try:
            law = look(until=until, save_at=until * np.linspace(0, 1, _RECORDS + 1)[1:] ** 2)
        except (InvalidInput, DivergenceError):
            if found is None:
                raise
            return found
        found = choose(law)
        best = np.nan_to_num(found.risk.values, nan=np.inf)
        further = reach(law)
        at_the_end = (found.steps * found.learning_rate).values >= 0.9 * until
        promising = at_the_end & (best <= _NEAR * best.min())
        gained = best.min() < (1 - _GAIN) * before
        if until >= further or not gained or not promising.any():
            return found
        until, before = min(_FURTHER * until, further), float(best.min())


def _reach(
    shape: Shape,
    width: int,
    rates: Sequence[float],
    batch_size: int,
    budget: float,
    longest: float,
    law: Fluctuations | None,
) -> float:
    """The longest MF time considered, of the narrowest network at the largest rate that is."""
    steps = shape.steps(width, batch_size, budget)
    require(
        steps > 0,
        f"budget: {budget:.3g} operations do not pay for one step of the narrowest network, "
        f"{shape.weights(width)} weights at batches of {batch_size}",
    )
    stable = np.inf if law is None else largest_rates(law, batch_size)[-1]
    allowed = [rate for rate in rates if rate <= stable]
    return min(longest, steps * (allowed or rates[:1])[-1])


def _least(
    problem: Problem,
    of_depth: OfDepth,
    found: dict[int, xr.Dataset],
    unknown: dict[int, str],
    budget: float,
    batch_size: int,
    level: float,
) -> Plan:
    """The plan of least expected risk."""
    depths = sorted(found)
    candidates: xr.Dataset = xr.concat([found[depth] for depth in depths], "depth")
    candidates = candidates.assign_coords(depth=depths)
    bounds = np.vectorize(lambda risk, sd: interval(risk, sd, level))
    low, high = bounds(candidates.risk.values, candidates.sd.values)
    dims = candidates.risk.dims
    candidates = candidates.assign(low=(dims, low), high=(dims, high))
    risks = np.nan_to_num(candidates.risk.values, nan=np.inf)
    require(
        bool(np.isfinite(risks.min())),
        "budget: nothing can be expected of any width, depth and rate: "
        + "; ".join(f"{n} fail by {why}" for why, n in _reasons(candidates)),
    )
    i, j, r = np.unravel_index(int(np.argmin(risks)), risks.shape)
    best = candidates.isel(depth=i, width=j, learning_rate=r)
    return Plan(
        problem,
        of_depth(depths[i]),
        budget,
        int(best.width),
        float(best.learning_rate),
        int(best.steps),
        batch_size,
        float(best.risk),
        float(best.sd),
        level,
        str(best.end.item()),
        candidates,
        unknown,
    )


def _reasons(candidates: xr.Dataset) -> list[tuple[str, int]]:
    words, counts = np.unique(candidates.why.values, return_counts=True)
    return list(zip(words.tolist(), counts.tolist(), strict=True))


def _silent(words: str, share: float) -> None:
    pass
