"""The certificates of an experiment's systems: `certificate.json` and `certificate.md`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import jax

from ..drivers.ode.solve import solve
from ..drivers.trajectory import Trajectory
from ..errors import DivergenceError, InvalidInput
from ..files.writing import write_text
from ..theory.certificate.conditions import certify
from ..theory.certificate.document import Certificate
from .build import System, build
from .config import Experiment
from .folder import CERTIFICATE, CERTIFICATE_MD, CONFIG, check_data

_NODES = 128
_RECORDS = 16


def certify_systems(
    experiment: Experiment,
    on_system: Callable[[str], None] | None = None,
    folder: Path | None = None,
) -> list[Certificate]:
    """A certificate per system, along its limit on at most 128 nodes per layer.

    So few nodes cost little beside the run itself. A limit that the experiment does not solve,
    or that diverges, is certified at t = 0 alone.

    Args:
        on_system: called with each system's label before it is certified.
        folder: of a run, if there is one, whose data must be these.

    Raises:
        InvalidInput: data that were edited since the run in `folder`, or input that does not fit.
    """
    certificates = []
    with jax.enable_x64(experiment.run.precision == "float64"):
        built = build(experiment)
        if folder is not None:
            check_data(experiment, built.digest, folder)
        for system in built.systems:
            if on_system:
                on_system(system.label)
            trajectory = _limit(experiment, system)
            certificates.append(
                certify(
                    system.problem,
                    system.embedding,
                    trajectory,
                    nodes=_nodes(experiment),
                    key=experiment.run.seed,
                    title=system.label,
                )
            )
    return certificates


def certify_run(experiment: Experiment, folder: Path) -> list[Certificate]:
    """The certificates of a finished run: those in its folder, or made and written there.

    They are of the run if they are newer than its configuration and name its systems.
    """
    file = folder / CERTIFICATE
    labels = [section.label for section in experiment.systems]
    if file.is_file() and file.stat().st_mtime_ns >= (folder / CONFIG).stat().st_mtime_ns:
        with suppress(InvalidInput):  # a file cut short is written anew
            found = read(folder)
            if [certificate.title for certificate in found] == labels:
                return found
    found = certify_systems(experiment, folder=folder)
    write(found, folder)
    return found


def write(certificates: list[Certificate], folder: Path) -> None:
    """Write both files into `folder`, which is created if it is not there."""
    content = json.dumps([c.to_dict() for c in certificates], indent=1, allow_nan=False)
    text = "\n".join(c.markdown() for c in certificates)
    for name, words in ((CERTIFICATE, content + "\n"), (CERTIFICATE_MD, text)):
        write_text(folder / name, words)


def read(folder: Path) -> list[Certificate]:
    """The certificates in `folder`; none if it has no such file.

    Raises:
        InvalidInput: a file that holds something else.
    """
    path = folder / CERTIFICATE
    if not path.is_file():
        return []
    try:
        return [Certificate.from_dict(c) for c in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(
            f"DIR: {CERTIFICATE} holds no certificates; `neuronal certify` writes it"
        ) from error


def _nodes(experiment: Experiment) -> int:
    return max(2, min(experiment.limit.nodes, _NODES))


def _limit(experiment: Experiment, system: System) -> Trajectory | None:
    limit = experiment.limit
    if not limit.enabled:
        return None
    start = system.embedding.quadrature(_nodes(experiment), limit.rule, experiment.run.seed)
    try:
        return solve(
            system.problem,
            start,
            limit.until or experiment.run.until,
            rtol=limit.rtol,
            atol=limit.atol,
            save_at=_RECORDS,
            solver=limit.solver,
            step=limit.step,
            data_nodes=limit.data_nodes,
        )
    except (DivergenceError, InvalidInput):  # no step meets the tolerances
        return None
