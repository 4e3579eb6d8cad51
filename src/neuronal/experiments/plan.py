"""Plan the networks of an experiment for a budget: `plan.nc`, and the experiment planned, `planned.toml`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from ..errors import InvalidInput, require
from ..files.writing import write_text
from ..theory.planning import Plan, plan
from . import results
from .build import build
from .config import Experiment, parse
from .folder import PLAN, PLANNED, locked
from .given import GivenProblem

DEPTHS = [2, 3, 4]
"""Where the table names none."""


def plan_experiment(
    experiment: Experiment, folder: Path, on_part: Callable[[str, float], None]
) -> tuple[Plan, Path]:
    """The plan for the budget of the experiment's table, with its first system's embedding at all depths.

    Args:
        folder: created if it is not there.
        on_part: called with words and the share of the work done.

    Returns:
        the plan, and the experiment that it comes to, written: networks of its width, its rate, batch
        and end, in the system of its depth.

    Raises:
        InvalidInput: no table, input that does not fit, or a budget for which nothing can be expected.
    """
    table = experiment.plan
    if table is None:
        raise InvalidInput("plan: is missing; takes a table [plan] with a budget")
    require(
        not isinstance(experiment.problem, GivenProblem),
        "problem: was made in Python; neuronal.plan takes it",
    )
    depths = table.depths or DEPTHS
    by_layer = experiment.schedule.kind == "depth_balanced" or experiment.schedule.frozen
    require(
        len(depths) == 1 or not by_layer,
        "plan.depths: takes one depth where schedules are those of its layers",
    )
    batch = experiment.networks.batch_size if experiment.networks.widths else 1
    asked: dict[str, Any] = {"batch_size": batch}
    asked |= table.model_dump(exclude_none=True, exclude={"budget", "depths", "held_out"})
    with locked(folder), jax.enable_x64(experiment.run.precision == "float64"):
        whole = build(_with(experiment, [_system(experiment, depth) for depth in depths]))
        by_depth = dict(zip(depths, whole.systems, strict=True))
        if table.held_out and whole.split is None:
            raise InvalidInput("plan.held_out: takes real data, which have rows held out")
        found = plan(
            whole.systems[0].problem,
            table.budget,
            depths=depths,
            embedding=lambda depth: by_depth[depth].embedding,
            key=experiment.run.seed,
            progress=on_part,
            judge=whole.split.test if table.held_out and whole.split else None,
            **asked,
        )
        data = found.candidates.assign_attrs(results.attributes(experiment))
        results.write(data, folder / PLAN)
        planned = _with(
            experiment,
            [_system(experiment, found.depth)],
            networks=experiment.networks.model_dump()
            | {
                "widths": [found.width],
                "learning_rate": found.learning_rate,
                "batch_size": found.batch_size,
            },
            run=experiment.run.model_dump() | {"until": found.until},
        )
        write_text(folder / PLANNED, planned.to_toml(folder))
    return found, folder / PLANNED


def _system(experiment: Experiment, depth: int) -> dict[str, Any]:
    """The first system, of another depth."""
    first = experiment.systems[0].model_dump(exclude_none=True)
    return first | {"depth": depth, "label": f"L = {depth}"}


def _with(experiment: Experiment, systems: list[dict[str, Any]], **tables: Any) -> Experiment:
    content = experiment.model_dump(exclude_none=True) | {"systems": systems} | tables
    return parse(content, "plan")
