"""`neuronal.Experiment`: what an experiment file does, with a problem and embeddings of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..checks import require, shown
from ..datasets import Split
from ..embeddings import AbstractEmbedding
from ..experiments import certify as certificates
from ..experiments import config
from ..experiments.couple import couple_systems
from ..experiments.given import Given, digest
from ..experiments.jobs import Job, jobs
from ..experiments.predict import predict_systems
from ..experiments.sweep import Settings
from ..problem import Problem
from ..records.record import OnRecord, told
from ..report import coupling as coupling_page
from ..report import progress as bars
from ..theory.certificate.document import Certificate
from .sweeping import sweep_whole
from .whole import run_whole

Table = Mapping[str, Any]
_TIMES = (0.0, 0.5, 3.0)


class Experiment:
    """A problem, several embeddings, and how long, how wide and how fast: as an experiment file has it.

    Args:
        problem: what is learned.
        embeddings: by label.
        until: MF time.
        widths, seeds: of the networks; no widths, no networks.
        learning_rate, batch_size: of their SGD.
        nodes: of the limit.
        records: times recorded.
        seed: of neurons and samples.
        name, title, description: in words.
        split: real data in two parts, whose law the problem has: the held-out part is measured too.
        limit, networks, run, coupling, fluctuations: further fields of the tables of those names
            ([the experiment file](../guide/experiment.md)), such as `limit={"rtol": 1e-4}`.

    Raises:
        InvalidInput: arguments that do not fit; the message names the field.

    !!! example
        ```python
        >>> import tempfile, neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embeddings = {"shallow": nr.embeddings.Bidirectional(1, depth=2)}
        >>> experiment = nr.Experiment(problem, embeddings, until=1.0, nodes=16, records=4)
        >>> data = experiment.run(tempfile.mkdtemp())
        >>> dict(data.limit_risk.sizes)
        {'system': 1, 'time': 5}

        ```
    """

    def __init__(
        self,
        problem: Problem,
        embeddings: Mapping[str, AbstractEmbedding],
        until: float,
        widths: Sequence[int] = (),
        *,
        seeds: Sequence[int] = (0,),
        learning_rate: float = 0.1,
        batch_size: int = 1,
        nodes: int = 512,
        records: int = 60,
        seed: int = 0,
        name: str = "experiment",
        title: str = "",
        description: str = "",
        split: Split | None = None,
        limit: Table | None = None,
        networks: Table | None = None,
        run: Table | None = None,
        coupling: Table | None = None,
        fluctuations: Table | None = None,
    ):
        require(isinstance(problem, Problem), f"problem: takes a Problem, got {shown(problem)}")
        require(
            isinstance(embeddings, Mapping)
            and len(embeddings) > 0
            and all(isinstance(e, AbstractEmbedding) for e in embeddings.values()),
            f"embeddings: takes a dictionary of labels and embeddings, got {shown(embeddings)}",
        )
        require(
            split is None or isinstance(split, Split), f"split: takes a Split, got {shown(split)}"
        )
        for embedding in embeddings.values():
            problem.check(embedding)
        precision = "float64" if jax.config.read("jax_enable_x64") else "float32"
        content: dict[str, Any] = {
            "name": name,
            "title": title,
            "description": description,
            "problem": {"kind": "given", "words": _words(problem), "digest": _of_problem(problem)},
            "systems": [
                {
                    "label": label,
                    "embedding": "given",
                    "depth": embedding.depth,
                    "words": _words(embedding),
                    "digest": _of_embedding(embedding),
                }
                for label, embedding in embeddings.items()
            ],
            "limit": {"nodes": nodes} | dict(limit or {}),
            "networks": {
                "widths": _numbers(widths),
                "seeds": _numbers(seeds),
                "learning_rate": learning_rate,
                "batch_size": batch_size,
            }
            | dict(networks or {}),
            "run": {"until": until, "records": records, "seed": seed, "precision": precision}
            | dict(run or {}),
            "coupling": dict(coupling or {}),
        }
        if fluctuations is not None:
            content["fluctuations"] = dict(fluctuations)
        plain = config.parse(_plain(content), "Experiment")
        self.configuration = plain.with_given(Given(problem, dict(embeddings), split))

    def __repr__(self) -> str:
        made = self.configuration
        labels = ", ".join(repr(system.label) for system in made.systems[:6])
        widths = f", widths {made.networks.widths}" if made.networks.widths else ""
        return f"Experiment({made.name!r}: {labels}, until t = {made.run.until:g}{widths})"

    def run(
        self,
        folder: str | Path,
        resume: bool = False,
        overwrite: bool = False,
        progress: bool | Callable[[Job, float, float], None] = False,
        on_record: OnRecord | Sequence[OnRecord] | None = None,
    ) -> xr.Dataset:
        """Solve the limits, train the networks, certify, and write the folder with its page.

        The folder holds what `neuronal run` leaves: `config.toml`, `results.nc`, `report.html` with its
        figures, the certificates and the checkpoints, from which `resume` goes on after whatever end. The
        page is there, and renewed, while the run goes on.

        Args:
            folder: made if it is not there.
            resume: go on from the checkpoints of the same experiment.
            overwrite: start anew where the folder holds a run.
            progress: True for a bar, or a callable of the job, its MF time and its risk.
            on_record: called with each `neuronal.records.Record` of all its runs: a function or several.

        Returns:
            the dataset of `results.nc`.

        Raises:
            InvalidInput: a folder that holds something else, or the run of another experiment.
            DivergenceError: a run left the finite numbers.
        """
        folder, given, tell = Path(folder), self.configuration, told(on_record)
        how: dict[str, Any] = {"resume": resume, "overwrite": overwrite, "tell": tell}
        if progress is True:
            with bars.Jobs(_console(), list(jobs(given)), False) as bar:
                return run_whole(given, folder, on_record=bar.record, say=bar.say, **how)[0]
        return run_whole(given, folder, on_record=progress or None, **how)[0]

    def resume(
        self,
        folder: str | Path,
        progress: bool = False,
        on_record: OnRecord | Sequence[OnRecord] | None = None,
    ) -> xr.Dataset:
        """`run` from the checkpoints in the folder: to the same bits as one never interrupted."""
        return self.run(folder, resume=True, progress=progress, on_record=on_record)

    def certify(self, folder: str | Path | None = None) -> dict[str, Certificate]:
        """The certificates by label; written into the folder if there is one.

        Raises:
            InvalidInput: input that does not fit.
        """
        home = None if folder is None else Path(folder)
        found = certificates.certify_systems(self.configuration, folder=home)
        if home is not None:
            certificates.write(found, home)
        return {certificate.title: certificate for certificate in found}

    def couple(self, folder: str | Path, overwrite: bool = False) -> xr.Dataset:
        """Couple networks with their limits as `coupling` says; writes `coupling.nc` and its page.

        Raises:
            InvalidInput, DivergenceError: as `run`.
        """
        data = couple_systems(self.configuration, folder, overwrite)
        coupling_page.write(data, Path(folder))
        return data

    def predict(self, folder: str | Path) -> xr.Dataset:
        """The risks of networks from the limits alone, as `fluctuations` says; writes `prediction.nc`.

        Raises:
            InvalidInput, DivergenceError: as `run`.
        """
        return predict_systems(self.configuration, Path(folder), lambda words, share: None)[0]

    def sweep(
        self, settings: Settings, folder: str | Path, executor: Any = 1, overwrite: bool = False
    ) -> xr.Dataset:
        """Run every combination of some settings, such as `{"networks.learning_rate": [0.1, 0.2]}`.

        Args:
            folder: each combination has a folder in it; `sweep.nc` and `sweep.html` compare them. The page is
                there, and renewed, while the sweep goes on.
            executor: as `neuronal.experiments.sweep.sweep` takes it; other processes than this one have to
                be able to import the functions of the problem.
            overwrite: make all anew.

        Raises:
            InvalidInput: an unknown field or value, or one of the problem or the embeddings, which stand.
        """
        return sweep_whole(self.configuration, settings, Path(folder), executor, overwrite)[0]


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


def _numbers(given: Any) -> list[Any]:
    require(
        isinstance(given, Sequence | np.ndarray) and not isinstance(given, str),
        f"widths, seeds: take lists of whole numbers, got {shown(given)}",
    )
    return list(given)


def _plain(content: Any) -> Any:
    """NumPy's numbers and tuples as Python's, which configurations take."""
    if isinstance(content, Mapping):
        return {name: _plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple | np.ndarray):
        return [_plain(value) for value in content]
    return content.item() if isinstance(content, np.generic) else content


def _words(thing: Any) -> str:
    """As it prints, without where it is in memory: the same in other processes."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(thing))


def _of_problem(problem: Problem) -> str:
    """A digest of what a problem computes: its samples, and what the loss gives on them."""
    x, y, weights = (np.asarray(a, float) for a in problem.distribution.quadrature(64))
    outputs = problem.loss.outputs(jnp.asarray(y))
    predictions = jnp.asarray(np.linspace(-2, 2, len(x) * outputs).reshape(len(x), outputs))
    loss = problem.loss
    values = [loss(jnp.asarray(y), predictions), loss.gradient(jnp.asarray(y), predictions)]
    rates = problem.schedules
    several = () if rates is None else rates if isinstance(rates, tuple) else (rates,)
    at = [np.asarray([xi(jnp.asarray(t)) for t in _TIMES], float) for xi in several]  # pyright: ignore[reportCallIssue]
    return digest(_words(problem), x, y, weights, *(np.asarray(v, float) for v in values), *at)


def _of_embedding(embedding: AbstractEmbedding) -> str:
    """Likewise, of an embedding: the weights of some of its neurons, and its activations."""
    network = embedding.sample(4, jax.random.key(0))
    h = jnp.linspace(-3.0, 3.0, 13)
    values = [np.asarray(phi(h), float) for phi in network.activations]
    return digest(_words(embedding), *(np.asarray(w, float) for w in network.matrices), *values)
