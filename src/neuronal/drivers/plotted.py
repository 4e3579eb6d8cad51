"""Pictures of a run: `trajectory.plot`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike, PyTree

from ..checks import choice, columns, is_whole, require, shown, whole
from ..errors import InvalidInput
from ..kernels import between, singular_values
from .numbers import Numbers, Run, of_latents, symbol
from .plotted_classes import ClassPlots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 7


class TrajectoryPlot(ClassPlots):
    r"""Pictures of a run: `trajectory.plot()` is its risk, `trajectory.plot.spectra(2)` another kind.

    Each takes Matplotlib's axes as `ax`, new ones if left out, and returns them. Weights are asked of their
    kernels, dense or factored; of layers wider than 512 neurons laws, ways and matrices show the first 512.
    Times are MF times; states between those kept are run anew, as by `Trajectory.at`.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, depth=3, rank=4)
        >>> run = nr.solve(problem, embedding, until=1.0, nodes=16, save_at=2)
        >>> run.plot.spectra(2).get_ylabel()
        'singular value'
        >>> run.plot.ridges("H_2").get_xlabel()
        '$H_{2}$'
        >>> run.plot("w_1").get_ylabel()
        '$w_{1}$'

        ```
    """

    def __init__(self, run: Run):
        self._run, self._numbers = run, Numbers(run)

    def __repr__(self) -> str:
        kinds = [name for name in dir(self) if not name.startswith("_")]
        return f"TrajectoryPlot({', '.join(kinds)})"

    def __call__(
        self,
        what: str = "risk",
        ax: Axes | None = None,
        *,
        x: ArrayLike | None = None,
        coordinate: int = 0,
        **line: Any,
    ) -> Axes:
        r"""Draw the run's risk, its prediction, or the law of some numbers over time.

        Args:
            what: ``risk`` over time; ``prediction`` at the end over one coordinate of the inputs; or the law
                over time of ``w_1``, ``w_2``, ..., all numbers of that layer, neurons by their measures, or
                of ``H_1``, ``H_2``, ..., pre-activations, samples by their weights.
            ax: to draw on.
            x: inputs `(m, d)` of ``prediction`` and pre-activations; those of the run's $E_Z$ if left out.
            coordinate: of the inputs, to draw ``prediction`` over.
            line: options of Matplotlib's lines, such as `label` and `color`; of a law, `color` alone.

        Raises:
            InvalidInput: another `what`.
        """
        from ..pictures import drawings

        run = self._run
        choice("what", what, ["risk", "prediction", *self._numbers.laws()])
        ax = drawings.on(ax)
        if what == "risk":
            return drawings.risk(ax, run.times, run.loss, **line)
        if what == "prediction":
            inputs = self._numbers.inputs(x)
            at = inputs[:, whole("coordinate", coordinate, 0, inputs.shape[1] - 1)]
            return drawings.curve(ax, at, np.asarray(run.network(inputs)), **line)
        values, mass = self._numbers.law(what, run.times, x)
        return drawings.laws(ax, run.times, values, mass, line.get("color"), symbol(what))

    def ridges(
        self,
        what: str = "w_1",
        ax: Axes | None = None,
        *,
        times: Sequence[float] | None = None,
        x: ArrayLike | None = None,
        bins: int = 64,
    ) -> Axes:
        """Draw the laws of ``w_i`` or ``H_i`` at some times, one above the other.

        Args:
            what, x: as in a call.
            ax: to draw on.
            times: MF times; seven of the records if left out.
            bins: of each histogram.

        Raises:
            InvalidInput: another `what`, or times outside the run.
        """
        from ..pictures import drawings, ridges

        choice("what", what, self._numbers.laws())
        at = self._numbers.times(times, _ROWS)
        values, mass = self._numbers.law(what, at, x)
        ax = drawings.on(ax, (5.0, 3.8))
        return ridges.ridges(ax, at, values, mass, whole("bins", bins, 1), symbol(what))

    def features(
        self,
        ax: Axes | None = None,
        *,
        coordinates: tuple[int, int] = (0, 1),
        neurons: int = 128,
    ) -> Axes:
        """Draw the ways of first-layer weights through the plane of two of their coordinates.

        Args:
            ax: to draw on.
            coordinates: of $w_1$, which are all if d = 2.
            neurons: how many, the first.

        Raises:
            InvalidInput: a $w_1$ without these coordinates.
        """
        from ..pictures import drawings, plane

        w = self._run.network.weights[0]
        require(
            len(coordinates) == 2 and all(is_whole(c, 0) and c < w.shape[1] for c in coordinates),
            f"coordinates: takes two of 0..{w.shape[1] - 1}, got {shown(coordinates)}",
        )
        rows = np.arange(min(whole("neurons", neurons, 1), w.shape[0]))
        picked = np.asarray(coordinates)
        paths = [np.asarray(at.weights[0])[rows][:, picked] for at in self._run.networks()]
        ax = plane.moving(
            drawings.on(ax, (4.2, 4.0)), np.stack(paths), self._numbers.measure(0, rows)
        )
        first, second = (f"$w_{{1,{c + 1}}}$" for c in coordinates)
        ax.set(xlabel=first, ylabel=second)
        return ax

    def spectra(self, layer: int = 2, ax: Axes | None = None, *, count: int = 12) -> Axes:
        r"""Draw the largest singular values of $w_i$ over time.

        Those of the operator $f \mapsto \mathbb{E}_{C'}[w_i(\cdot, C')\, f(C')]$ on $L^2$ of the layers'
        measures; of $w_1$ and $w_L$, coordinates of inputs and outputs count one each.

        Args:
            layer: i, 1..L.
            ax: to draw on.
            count: how many.

        Raises:
            InvalidInput: no such layer.
        """
        from ..pictures import drawings, spectra

        run = self._run
        place = whole("layer", layer, 1, run.network.depth) - 1
        found = []
        for network in run.networks():
            sides = self._numbers.sides(place, network)
            ordered = sides[::-1] if place == 0 else sides  # w_1 is (n_1, d)
            found.append(singular_values(network.weights[place], *ordered))
        most = min(whole("count", count, 1), *map(len, found))
        ax = spectra.spectra(drawings.on(ax), run.times, np.stack([s[:most] for s in found]))
        ax.set_title(f"$w_{{{layer}}}$")
        return ax

    def kernel(
        self,
        layer: int = 2,
        ax: Axes | None = None,
        *,
        t: float | None = None,
        latents: Sequence[PyTree] | None = None,
        coordinates: tuple[int, int] = (0, 0),
        neurons: int = 256,
    ) -> Axes:
        r"""Draw the values $w_i(c, c')$ between two hidden layers, neurons in an order that shows its form.

        Args:
            layer: i, 2..L-1.
            ax: to draw on.
            t: MF time; the end of the run if left out.
            latents: of the neurons of each hidden layer, such as `embedding.node_latents(nodes)`: neurons are
                ordered by one number of each. If left out, by the leading singular vectors.
            coordinates: which numbers of the latents, of incoming and of outgoing neurons.
            neurons: of each layer, the first.

        Raises:
            InvalidInput: no such layer, or latents that do not fit.
        """
        from ..pictures import drawings, images

        run = self._run
        depth = run.network.depth
        require(
            is_whole(layer, 2) and layer < depth,
            f"layer: takes one between hidden layers, 2..{depth - 1}, got {shown(layer)}",
        )
        network = run.network if t is None else run.at(t)
        most = whole("neurons", neurons, 1)
        rows, cols = (np.arange(min(most, n)) for n in network.weights[layer - 1].shape)
        values = between(network.weights[layer - 1], rows, cols)
        if latents is None:
            left, _, right = np.linalg.svd(values)
            orders = [left[:, 0].argsort(), right[0].argsort()]
            by = ["singular vector"] * 2
        else:
            given = [of_latents(latents, layer - 1 + side, network) for side in (0, 1)]
            picked = [
                g[:, whole("coordinates", c, 0, g.shape[1] - 1)]
                for g, c in zip(given, coordinates, strict=True)
            ]
            orders = [
                p[: len(some)].argsort() for p, some in zip(picked, (rows, cols), strict=True)
            ]
            by = [f"latent {c + 1}" for c in coordinates]
        ordered = values[orders[0]][:, orders[1]]
        ax = images.matrix(drawings.on(ax, (4.6, 3.8)), ordered, symbol(f"w_{layer}"))
        ax.set(
            xlabel=f"layer {layer}, by {by[1]}",
            ylabel=f"layer {layer - 1}, by {by[0]}",
        )
        return ax

    def map(
        self,
        what: str = "prediction",
        ax: Axes | None = None,
        *,
        target: Callable[[Any], Any] | None = None,
        coordinates: tuple[int, int] = (0, 1),
        output: int = 0,
        points: int = 96,
    ) -> Axes:
        r"""Draw the prediction, or its error, over two coordinates of the inputs.

        Over the range of the run's samples; other coordinates are at their means, so that a constant one
        stays.

        Args:
            what: ``prediction`` at the end, or ``error``: prediction less target.
            ax: to draw on.
            target: of inputs `(m, d)` to `(m,)` or `(m, k)`; the law's $E[Y | X = x]$ if left out.
            coordinates: of the inputs, across and up.
            output: which one.
            points: of the grid, along each side.

        Raises:
            InvalidInput: another `what`, inputs of one coordinate, or no known target.
        """
        from ..pictures import drawings, images

        choice("what", what, ["prediction", "error"])
        samples, run = self._numbers.samples(None, None), self._run
        x = np.asarray(samples.x, float)
        require(
            len(coordinates) == 2 and all(is_whole(c, 0) and c < x.shape[1] for c in coordinates),
            f"coordinates: takes two of 0..{x.shape[1] - 1}, got {shown(coordinates)}",
        )
        side = whole("points", points, 2)
        across, up = (np.linspace(x[:, c].min(), x[:, c].max(), side) for c in coordinates)
        grid = np.tile(np.asarray(samples.weights, float) @ x, (side * side, 1))
        grid[:, list(coordinates)] = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
        at = run.network.inputs(grid)
        values = np.asarray(run.network(at))[
            :, whole("output", output, 0, run.network.output_dim - 1)
        ]
        if what == "error":
            law = self._numbers.recipe().problem.distribution
            truth = target(at) if target is not None else law.mean(at)
            if truth is None:
                raise InvalidInput("target: is missing; the law knows none between its samples")
            values = values - np.asarray(columns("target", truth))[:, output]
        ax = drawings.on(ax, (4.6, 3.8))
        names = [f"$x_{{{c + 1}}}$" for c in coordinates]
        drawn = values.reshape(side, side)
        images.surface(ax, across, up, drawn, what == "error", what)
        ax.set(xlabel=names[0], ylabel=names[1])
        return ax
