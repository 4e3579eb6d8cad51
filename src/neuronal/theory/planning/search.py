"""`nr.plan`: what the limits of several depths expect of networks, and trials of what they leave open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import PRNGKeyArray

from ...checks import is_number, key_of, positive, require, several, shown, whole
from ...distributions import Distribution
from ...errors import DivergenceError, InvalidInput
from ...problem import Problem
from ...recipes import OfDepth, bidirectional_for, increasing
from ..fluctuations import Fluctuations, fluctuations
from .candidates import Shape, choices, interval
from .chosen import Plan
from .probes import Arm, Probe, Trials, Winner, arms, in_order, measured_interval

WIDTHS = (16, 32, 64, 128, 256, 512, 1024)
RATES = tuple(0.0125 * 2**j for j in range(9))
"""0.0125 to 3.2."""
_RECORDS = 48


def plan(
    problem: Problem,
    budget: float,
    *,
    depths: Sequence[int] = (2, 3, 4),
    widths: Sequence[int] = WIDTHS,
    learning_rates: Sequence[float] = RATES,
    batch_size: int = 1,
    until: float = 32.0,
    level: float = 0.9,
    probes: int = 0,
    judge: Distribution | None = None,
    embedding: OfDepth | None = None,
    nodes: int = 128,
    rule: str = "sobol",
    data_nodes: int = 64,
    directions: int = 8,
    rtol: float = 1e-2,
    key: PRNGKeyArray | int = 0,
    progress: bool | Callable[[str, float], None] = False,
) -> Plan:
    r"""Width, depth, learning rate and steps for a budget, before any network is trained, or after few are.

    For each depth, one limit with its fluctuations tells the mean risk and its deviation at any width, rate
    and number of steps; of all that the budget pays for, the least expected risk is taken. Left out
    are rates above half of what is stable, and widths and rates where the first order is not to be
    trusted (`Fluctuations.term_ratio` above 1/2).

    Beyond that, and beyond `until`, nothing is expected. There `probes` look: networks of the widths that
    theory leaves open are trained, at the largest stable rate and one of a quarter at most, and the better
    ones go on (`neuronal.theory.planning.probes`).

    Args:
        problem: what is learned. Its risk is that of its law: of a data set, the one of training.
        budget: floating-point operations of training, 6 per weight and sample.
        depths, widths, learning_rates: those considered; a width is that of all hidden layers.
        batch_size: samples per step.
        until: the longest MF time at which limits are looked at.
        level: probability of the interval.
        probes: networks that may be tried, 0 or more. About a quarter of so many budgets, and three
            more, are what the trials cost: `Plan.spent` says.
        judge: the law whose risk is to be least, if not the problem's: that of rows held out. Then more
            steps may do harm, and a plan may end before the budget does.
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
        >>> plan = nr.plan(problem, 1e7, depths=[2], widths=[32, 64], batch_size=4, until=8.0)
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
    batch, most = whole("batch_size", batch_size, 1), whole("probes", probes, 0)
    require(is_number(level) and 0 < level < 1, f"level: takes one in (0, 1), got {shown(level)}")
    require(embedding is None or callable(embedding), "embedding: takes a function of the depth")
    of_depth = embedding or bidirectional_for(problem)
    say = print if progress is True else progress or _silent
    *keys, of_trials = jax.random.split(key_of(key), len(layers) + 1)
    found: dict[int, _Known] = {}
    unknown: dict[int, str] = {}
    for i, (depth, own) in enumerate(zip(layers, keys, strict=True)):
        start = of_depth(depth)
        shape = Shape(depth, start.input_dim, start.output_dim)
        last = min(longest, _reach(shape, min(sizes), rates[-1], batch, budget))
        tell = lambda words, share, i=i, depth=depth: say(
            f"L = {depth}: {words}", (i + share) / len(layers)
        )
        try:
            law = fluctuations(
                problem, start, last, nodes, rule, data_nodes=data_nodes, directions=directions,
                rtol=rtol, key=own, progress=tell, judge=judge,
                save_at=last * np.linspace(0, 1, _RECORDS + 1)[1:] ** 2,
            )  # fmt: skip
            found[depth] = _Known(law, shape, choices(law, shape, sizes, rates, batch, budget))
        except (InvalidInput, DivergenceError) as error:
            unknown[depth] = str(error)
    if not found:
        raise InvalidInput("; ".join(f"L = {depth}: {why}" for depth, why in unknown.items()))
    judged = problem if judge is None else Problem(judge, problem.loss)
    trials = Trials(problem, judged, of_depth, batch, of_trials, [], lambda words: say(words, 1.0))
    winner = trials.best(_opened(found, batch, budget, most)) if most else None
    return _least(problem, of_depth, found, unknown, budget, batch, float(level), trials, winner)


class _Known(NamedTuple):
    """What theory says of one depth."""

    law: Fluctuations
    shape: Shape
    choices: xr.Dataset


def _opened(found: dict[int, _Known], batch_size: int, budget: float, most: int) -> list[Arm]:
    """What theory leaves open, of all depths."""
    expected = [known.choices.risk.values for known in found.values()]
    below = float(np.min([np.nan_to_num(risks, nan=np.inf).min() for risks in expected]))
    of_depths = [arms(*known, batch_size, budget, below) for known in found.values()]
    return in_order(of_depths, most)


def _reach(shape: Shape, width: int, rate: float, batch_size: int, budget: float) -> float:
    """The longest MF time that the budget pays for: of the narrowest network at the largest rate."""
    steps = shape.steps(width, batch_size, budget)
    require(
        steps > 0,
        f"budget: {budget:.3g} operations do not pay for one step of the narrowest network, "
        f"{shape.weights(width)} weights at batches of {batch_size}",
    )
    return steps * rate


def _least(
    problem: Problem,
    of_depth: OfDepth,
    found: dict[int, _Known],
    unknown: dict[int, str],
    budget: float,
    batch_size: int,
    level: float,
    trials: Trials,
    winner: Winner | None,
) -> Plan:
    """The plan of least risk: of those expected, and of the one that trials left."""
    depths = sorted(found)
    candidates: xr.Dataset = xr.concat([found[depth].choices for depth in depths], "depth")
    candidates = candidates.assign_coords(depth=depths)
    bounds = np.vectorize(lambda risk, sd: interval(risk, sd, level))
    low, high = bounds(candidates.risk.values, candidates.sd.values)
    dims = candidates.risk.dims
    candidates = candidates.assign(low=(dims, low), high=(dims, high))
    risks = np.nan_to_num(candidates.risk.values, nan=np.inf)
    measured = np.inf if winner is None else float(np.mean(winner.risks))
    require(
        bool(np.isfinite(min(risks.min(), measured))),
        "budget: nothing can be expected of any width, depth and rate: "
        + "; ".join(f"{n} fail by {why}" for why, n in _reasons(candidates)),
    )
    if winner is not None and measured < risks.min():
        arm, sd = winner.arm, float(np.std(winner.risks, ddof=1))
        whole = arm.steps >= found[arm.depth].shape.steps(arm.width, batch_size, budget)
        end = "budget" if whole else ""
        chosen = (*arm[1:], measured, sd, measured_interval(winner.risks, level), end)
        depth = arm.depth
    else:
        i, j, r = np.unravel_index(int(np.argmin(risks)), risks.shape)
        best = candidates.isel(depth=i, width=j, learning_rate=r)
        depth, bounds = depths[i], (float(best.low), float(best.high))
        chosen = (int(best.width), float(best.learning_rate), int(best.steps))
        chosen += (float(best.risk), float(best.sd), bounds, str(best.end.item()))
    width, rate, steps, risk, sd, bounds, end = chosen
    return Plan(
        problem, of_depth(depth), budget, width, rate, steps, batch_size, risk, sd, level, bounds,
        end, candidates, unknown, pd.DataFrame(trials.probes, columns=list(Probe._fields)),
        trials.spent,
    )  # fmt: skip


def _reasons(candidates: xr.Dataset) -> list[tuple[str, int]]:
    words, counts = np.unique(candidates.why.values, return_counts=True)
    return list(zip(words.tolist(), counts.tolist(), strict=True))


def _silent(words: str, share: float) -> None:
    pass
