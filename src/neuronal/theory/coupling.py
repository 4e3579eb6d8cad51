r"""Section 4: a network and the limit, coupled by their neurons.

Latents $C_i(j)$ are sampled once; the network starts from $w_i^0(C_{i-1}(j), C_i(j'))$. Three
systems then run side by side: SGD on that network, the MF ODE on the very neurons of the
network (its gradient flow), and the limit, which carries the sampled neurons along with
measure zero and so has weights $w_i(t, C_{i-1}(j), C_i(j'))$ to compare with theirs. SGD leaves
its flow by the noise of the samples and the step, order $\epsilon^{1/2}$; the flow leaves
the limit by the sampling of neurons, order $n^{-1/2}$.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from ..checks import choice, key_of, one_or_several, require, shown, whole
from ..drivers.recording import record_times
from ..drivers.trajectory import Trajectory
from ..embeddings import AbstractEmbedding
from ..problem import Problem
from .fits import PAIRS, PARTED, POWERS, chosen, fitted, fitted_prefactor
from .prediction import predict_distances
from .rates import Prefactor, Rate, rms
from .systems import Run, Systems, common_times, distances, empty_dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_AXES = {
    ("width", "log"): "width $n$",
    ("width", "power"): "$n^{-1/2}$",
    ("learning_rate", "log"): r"learning rate $\epsilon$",
    ("learning_rate", "power"): r"$\epsilon^{1/2}$",
}
"""What is on the axis of `Coupling.plot`."""


@dataclass(frozen=True, repr=False)
class Coupling:
    """Distances between SGD, the flow of its own neurons, and the limit.

    Attributes:
        data: an `xarray.Dataset`. Distances, each the largest value over times, along
            `pair`, `learning_rate`, `width`, `seed`: ``prediction`` (root mean square over
            the law of X), ``risk`` (absolute), ``weight_rms`` and ``weight_max`` (over the
            carried neurons, and along `layer`). Risks: ``risk_sgd``, ``risk_flow``,
            ``risk_limit`` along `time` (MF time). Where it was asked, ``predicted``: the distance of
            predictions that the limit alone predicts, NaN where it cannot, with the reason in
            ``unpredicted``.
        limit: the limit's trajectory.
    """

    data: xr.Dataset
    limit: Trajectory

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {size}" for name, size in self.data.sizes.items())
        return f"Coupling({sizes}; limit {self.limit!r})"

    def rate(
        self,
        along: str = "width",
        pair: str = "flow-limit",
        of: str = "prediction",
        layer: int | None = None,
    ) -> Rate:
        """The exponent in `width` or `learning_rate`, with its interval over seeds.

        Widths of one seed share neurons, so only seeds are independent (`rates.exponent`).
        The exponent in the width is taken at the smallest learning rate, that in the learning
        rate at the largest width.

        Args:
            of: one of `QUANTITIES`; a weight distance takes a `layer`, 1..L.

        Raises:
            InvalidInput: an unknown name, or a single value to fit.
        """
        return fitted(self.data, along, pair, of, layer)

    def prefactor(self, along: str = "width") -> Prefactor:
        r"""C of a distance of predictions, as measured and, where it was asked, as predicted.

        The flow is $C n^{-1/2}$ from the limit (`along` the width), SGD $C \epsilon^{1/2}$ from its flow
        (`along` the learning rate); taken where `rate` takes the exponent.

        Raises:
            InvalidInput: another `along`.
        """
        return fitted_prefactor(self.data, along)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        along: str = "width",
        pair: str | None = None,
        of: str = "prediction",
        layer: int | None = None,
        scale: str = "log",
        **line: Any,
    ) -> Axes:
        r"""Draw distances against the width or the learning rate, with the power that theory has for them.

        Args:
            ax: Matplotlib's axes; new ones if left out.
            along, pair, of, layer: as for `rate`; the pair that falls with it if left out.
            scale: ``log`` for logarithmic axes, where the power is a slope; ``power`` for distances against
                $n^{-1/2}$ or $\epsilon^{1/2}$ itself, where it is a line through 0.
            line: `label` and `color`.

        Raises:
            InvalidInput: as `rate`, or another scale.
        """
        from ..pictures import drawings

        choice("scale", scale, ["log", "power"])
        require(along in POWERS, f"along: width or learning_rate, got {shown(along)}")
        at, table = chosen(self.data, along, pair or PARTED[along], of, layer)
        draw = drawings.powers if scale == "log" else drawings.proportional
        ax = draw(drawings.on(ax), at, table, POWERS[along], **line)
        ax.set(xlabel=_AXES[along, scale], ylabel=f"distance: {of.replace('_', ' ')}")
        return ax

    def _repr_html_(self) -> str:
        from ..pictures import tables

        facts = {"sizes": ", ".join(f"{name} {size}" for name, size in self.data.sizes.items())}
        for along, power in POWERS.items():
            if self.data.sizes[along] > 1:
                words = f"{self.rate(along, PARTED[along])}, in theory {power:g}"
                facts[f"exponent in {along.replace('_', ' ')}"] = words
        return tables.facts("Coupling", facts, f"<pre>{escape(str(self))}</pre>")

    def __str__(self) -> str:
        asked = "predicted" in self.data
        lines = ["prediction distance, root mean square over seeds"]
        if asked:
            lines[0] += "; in brackets as the limit alone predicts"
        lines.append(f"{'rate':>10}{'width':>8}" + "".join(f"{pair:>14}" for pair in PAIRS))
        for eps in self.data.learning_rate.values:
            for n in self.data.width.values:
                row = self.data.prediction.sel(learning_rate=eps, width=n)
                cells = "".join(f"{rms(row.sel(pair=p).values):>14.3e}" for p in PAIRS)
                lines.append(f"{eps:>10g}{n:>8d}" + cells)
                if asked:
                    place = {"learning_rate": eps, "width": n}
                    values = [float(self.data.predicted.sel(place | {"pair": p})) for p in PAIRS]
                    told = ["–" if v != v else f"({v:.3e})" for v in values]
                    lines.append(" " * 19 + "".join(f"{word:>14}" for word in told))
        if asked and str(self.data.unpredicted.values):
            lines.append(f"not predicted: {self.data.unpredicted.values}")
        return "\n".join(lines)


def couple(
    problem: Problem,
    embedding: AbstractEmbedding,
    widths: Sequence[int],
    learning_rate: float | Sequence[float],
    until: float,
    key: PRNGKeyArray | int,
    *,
    seeds: int = 5,
    batch_size: int = 1,
    nodes: int = 2048,
    rule: str = "sobol",
    carried: int = 256,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    save_at: int | ArrayLike | None = 16,
    data_nodes: int = 64,
    predicted: bool = False,
    progress: bool | Callable[[str, float], None] = False,
) -> Coupling:
    r"""Couple networks of several widths with their limit.

    Args:
        widths: of the networks; the first n neurons of a wider one are the narrower one.
        learning_rate, batch_size: of SGD ($\epsilon$ in MF time), one or several.
        until: MF time.
        key: of latents and samples; seed s uses the key folded with s.
        nodes, rule: of the limit. Their error must be well below that of the widest
            network; another key or more nodes tell.
        carried: how many neurons per layer are carried by the limit and compared in their
            weights (all of a narrower network); 0 compares predictions and risks alone.
        rtol, atol: of the ODEs.
        save_at: MF times at which to compare, or a number of intervals; rounded to whole
            steps of the largest learning rate.
        data_nodes: quadrature nodes of $E_Z$ for laws that are not finite.
        predicted: put beside the distances of predictions what the limit alone predicts
            (`fluctuations`, on at most 512 of its nodes): some twenty times the cost of the limit.
        progress: called after each run of SGD with its distances in words and the share of
            runs done; True prints them.

    Raises:
        InvalidInput: arguments that do not fit.
        DivergenceError: a run left the finite numbers.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> found = nr.couple(problem, nr.embeddings.IID(1, 2), [4, 8], 0.25, 0.5, 0, seeds=2, nodes=16)
        >>> dict(found.data.prediction.sizes)
        {'pair': 3, 'learning_rate': 1, 'width': 2, 'seed': 2}

        ```
    """
    data, limit = coupled(
        problem,
        embedding,
        widths,
        learning_rate,
        until,
        key,
        seeds=seeds,
        batch_size=batch_size,
        nodes=nodes,
        rule=rule,
        carried=carried,
        rtol=rtol,
        atol=atol,
        save_at=save_at,
        data_nodes=data_nodes,
        predicted=predicted,
        progress=progress,
    )
    assert limit.trajectory is not None  # made here
    return Coupling(data, limit.trajectory)


Kept = Callable[[str, Callable[[], Run]], Run]
"""Given a run's name and how to make it: the run, made or from where it was kept before."""


def _made(name: str, make: Callable[[], Run]) -> Run:
    return make()


def coupled(
    problem: Problem,
    embedding: AbstractEmbedding,
    widths: Sequence[int],
    learning_rate: float | Sequence[float],
    until: float,
    key: PRNGKeyArray | int,
    *,
    seeds: int,
    batch_size: int,
    nodes: int,
    rule: str,
    carried: int,
    rtol: float,
    atol: float,
    save_at: int | ArrayLike | None,
    data_nodes: int,
    predicted: bool,
    progress: bool | Callable[[str, float], None],
    kept_runs: Kept = _made,
) -> tuple[xr.Dataset, Run]:
    """`couple`'s dataset and its limit, of runs that may have been made before.

    Args:
        kept_runs: called for every run.
    """
    require(
        isinstance(widths, Sequence | np.ndarray) and len(widths) > 0,
        f"widths: takes one integer or more, got {shown(widths)}",
    )
    widths = [whole("widths", n, 1) for n in widths]
    seeds, carried = whole("seeds", seeds, 1), whole("carried", carried, 0)
    batch_size = whole("batch_size", batch_size, 1)
    rates = np.asarray(one_or_several("learning_rate", learning_rate, 1))
    require(
        len(rates) > 0 and bool(np.all(np.isfinite(rates) & (rates > 0))),
        f"learning_rate: takes positive numbers, got {shown(learning_rate)}",
    )
    times = common_times(record_times(save_at, 0.0, until), rates)
    law = problem.quadrature(data_nodes)
    systems = Systems(
        problem,
        embedding,
        law,
        times,
        key_of(key),
        nodes=nodes,
        rule=rule,
        carried=min(carried, max(widths)),
        batch_size=batch_size,
        data_nodes=data_nodes,
        tolerances={"rtol": rtol, "atol": atol},
    )
    data = empty_dataset(rates, widths, seeds, times, embedding.depth, carried)
    say = print if progress is True else progress or None
    limit = kept_runs("limit-seed0", lambda: systems.limit(0))
    done, total = 0, seeds * len(widths) * len(rates)
    for s in range(seeds):
        if carried and s > 0:  # one that carries no neurons is the same for every seed
            limit = kept_runs(f"limit-seed{s}", partial(systems.limit, s))
        data["risk_limit"][:] = limit.loss
        for n in widths:
            network, kept = systems.network(n, s), min(n, carried)
            name = f"width{n}-seed{s}"
            flow = kept_runs(f"flow-{name}", partial(systems.flow, network, kept))
            data["risk_flow"].loc[{"width": n, "seed": s}] = flow.loss
            for k, eps in enumerate(rates):
                make = partial(systems.sgd, network, eps, s, kept)
                sgd = kept_runs(f"sgd{k}-{name}", make)
                place = {"learning_rate": eps, "width": n, "seed": s}
                runs = {"sgd": sgd, "flow": flow, "limit": limit}
                _record(data, place, runs, law.weights, kept)
                done += 1
                if say:
                    say(_words(data, place), done / total)
    if predicted:
        if say:
            say("predicting the distances", 1.0)
        how: dict[str, Any] = {"nodes": nodes, "rule": rule, "data_nodes": data_nodes}
        how["batch_size"] = batch_size
        data = data.merge(predict_distances(data, problem, embedding, systems.key, **how))
    return data, limit


def _record(
    data: xr.Dataset, place: dict[str, float], runs: dict[str, Run], weights: Array, kept: int
) -> None:
    """Write SGD's risks and the distances of every pair of runs to their place."""
    data["risk_sgd"].loc[place] = runs["sgd"].loss
    for pair in PAIRS:
        a, b = (runs[name] for name in pair.split("-"))
        for name, distance in distances(a, b, weights, kept).items():
            data[name].loc[place | {"pair": pair}] = distance


def _words(data: xr.Dataset, place: dict[str, float]) -> str:
    at = data.prediction.loc[place]
    figures = ", ".join(f"{p} {float(at.sel(pair=p)):.2e}" for p in PAIRS)
    return (
        f"seed {place['seed']}, width {place['width']}, rate {place['learning_rate']:g}: {figures}"
    )
