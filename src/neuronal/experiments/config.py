"""An experiment as data: what a TOML file may say, checked at the door.

`load` reads a file and `parse` a dictionary; both give an `Experiment`, or an `InvalidInput`
with one line an error that names the field and what it takes. Everything behind the door
trusts what it is given.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import Field, ValidationError, model_validator

from ..errors import InvalidInput, require
from ..vocabulary import MOST_STEPS
from . import code, messages
from .given import GivenProblem, Holding
from .learned import (
    BundledProblem,
    Learned,
    LossSection,
    MotionSection,
    ScheduleSection,
    TableProblem,
)
from .running import (
    CouplingSection,
    FluctuationsSection,
    LimitSection,
    NetworksSection,
    PlanSection,
    RunSection,
)
from .systems import IIDSystem, SystemSection

OF_PROBLEM = ("loss", "schedule", "motion")
"""Tables that belong to what is learned."""


class Experiment(Holding):
    """A whole experiment: one problem, several systems, the same time and rate for all."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        description="Letters, digits, '.', '_' and '-'; the folder is runs/NAME."
    )
    title: str = Field(default="", description="Heading of the page.")
    description: str = Field(default="", description="A paragraph below it.")
    problem: Learned = Field(description="What is learned.")
    loss: LossSection = LossSection()
    schedule: ScheduleSection = ScheduleSection()
    motion: MotionSection = MotionSection()
    systems: Annotated[list[SystemSection], Field(min_length=1)] = Field(
        description="Where neurons come from, one table per system."
    )
    limit: LimitSection = LimitSection()
    networks: NetworksSection = NetworksSection()
    coupling: CouplingSection = CouplingSection()
    fluctuations: FluctuationsSection | None = None
    plan: PlanSection | None = None
    run: RunSection

    @model_validator(mode="after")
    def _whole(self) -> Experiment:
        labels = [system.label for system in self.systems]
        if len(set(labels)) != len(labels):
            raise ValueError("systems: takes one label a system, each its own")
        for system in self.systems:
            self.motion.check(system.label, system.depth)
            if max(self.schedule.frozen, default=1) > system.depth:
                raise ValueError(
                    f"schedule.frozen: takes numbers of layers; {system.label!r} has {system.depth}"
                )
        if self.limit.enabled and self.limit.kernel == "factored":
            for system in self.systems:
                biased = getattr(system, "biases", None) is not None
                if isinstance(system, IIDSystem) or system.depth == 2 or biased:
                    raise ValueError(
                        f"limit.kernel: {system.label!r} has no weights between layers that come as "
                        "factors; take 'auto'"
                    )
        if self.limit.enabled:
            self._solvable()
        if not self.limit.enabled and not self.networks.widths:
            raise ValueError("networks.widths: is empty and limit.enabled is false: nothing to run")
        if self.grid is not None and self.run.until < self.grid:
            step = "networks.learning_rate" if self.networks.widths else "limit.step"
            raise ValueError(f"run.until: takes at least one step of {step}")
        if self.networks.widths and self.run.until / self.networks.learning_rate >= MOST_STEPS:
            raise ValueError(
                "networks.learning_rate: takes fewer than 2^31 steps to run.until, got "
                f"{self.networks.learning_rate:g}"
            )
        return self

    def _solvable(self) -> None:
        """Raise `ValueError` unless the limit's solver takes the motion."""
        limit, motion = self.limit, self.motion
        by_steps = limit.solver == "euler" and limit.step is not None
        if motion.stepwise and not by_steps:
            raise ValueError(
                f"limit.solver: motion.{motion.stepwise} takes 'euler' with limit.step, or networks "
                "alone, with limit.enabled = false"
            )
        if motion.carried and limit.solver == "rkc":
            raise ValueError(
                f"limit.solver: motion.{motion.carried} takes another than 'rkc', such as 'auto'"
            )
        if motion.reinject:
            raise ValueError(
                "motion.reinject: newborn neurons come in steps of SGD alone; take limit.enabled = false"
            )
        if motion.momentum is not None and limit.kernel == "factored":
            raise ValueError("limit.kernel: motion.momentum takes 'dense', or 'auto'")
        if self.steps_alone and self.networks.widths:
            ratio = self.networks.learning_rate / (limit.step or 1.0)
            if abs(ratio - max(round(ratio), 1)) > 1e-9 * ratio:
                raise ValueError(
                    "limit.step: with temperature, penalty or momentum takes a whole part of "
                    f"networks.learning_rate, which is {self.networks.learning_rate:g}"
                )

    @property
    def steps_alone(self) -> bool:
        """Whether the limit has states at the ends of constant steps alone."""
        by_steps = self.limit.solver == "euler" and self.limit.step is not None
        return self.limit.enabled and by_steps and self.motion.steps_alone

    @property
    def grid(self) -> float | None:
        """The length of steps of which all times recorded are whole numbers, if there is one."""
        if self.networks.widths:
            return self.networks.learning_rate
        return self.limit.step if self.steps_alone else None

    @property
    def on_real_data(self) -> bool:
        """Whether samples are rows of a file, and not drawn from a law."""
        return isinstance(self.problem, TableProblem | BundledProblem)

    def to_toml(self, folder: Path | None = None) -> str:
        """The whole experiment, defaults included, as TOML.

        Args:
            folder: from which the path of data is told; the file's own, so that its name alone is
                told, if left out.
        """
        content = self.model_dump(exclude_none=True)
        if isinstance(self.problem, GivenProblem):  # which has its own
            for table in OF_PROBLEM:
                del content[table]
        code.told_from(content, folder)
        if isinstance(self.problem, TableProblem):
            path = Path(self.problem.path).resolve()
            told = Path(os.path.relpath(path, folder.resolve())) if folder else Path(path.name)
            content["problem"]["path"] = told.as_posix()
        return tomli_w.dumps(content)


def load(path: str | Path) -> Experiment:
    """The experiment of a TOML file.

    Raises:
        InvalidInput: no such file, not TOML, or not an experiment: a line an error.
    """
    path = Path(path)
    require(path.is_file(), f"FILE: no file {str(path)!r}; takes a TOML file")
    try:
        # With a byte order mark or without one, as editors write it.
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # of numbers of many digits too
        raise InvalidInput(f"{path.name}: is not TOML in UTF-8: {error}") from error
    locate(content, path.parent)
    return parse(content, path.name)


def locate(content: dict[str, Any], folder: Path) -> None:
    """Take relative paths of data, and modules beside the file, from `folder`, in place."""
    code.located(content, folder)
    problem = content.get("problem")
    if isinstance(problem, dict) and isinstance(problem.get("path"), str):
        require("\0" not in problem["path"], "problem.path: holds a character that no path has")
        problem["path"] = str((folder / problem["path"]).resolve())


def parse(content: dict[str, Any], source: str = "configuration") -> Experiment:
    """The experiment that a dictionary describes; `source` begins each line of an error."""
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        lines = [f"{source}: {line}" for line in messages.lines(error, Experiment)]
        raise InvalidInput("\n".join(lines)) from None
