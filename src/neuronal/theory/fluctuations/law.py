r"""What is known of finite networks beforehand: `Fluctuations`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from jaxtyping import Float

from ...checks import hidden_sizes, is_number, non_negative, positive, require, shown, whole
from ...errors import InaccuracyWarning
from .estimates import largest_distance

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class Fluctuations:
    r"""Finite networks to first order in $1/n_i$ and $\epsilon$, along the limit.

    With widths $n_i$, learning rate $\epsilon$ and batches of B, every source of randomness has a
    scale, $1/n_i$ for the sampling of hidden layer i and $\epsilon/B$ for the samples of SGD, and
    its figures in `data` are to be multiplied by it; `..._step_bias`, by $\epsilon$.

    Attributes:
        data: along `time` (MF time), `source` (``layer 1``, ..., ``samples``), `input` and
            `output`: `risk` of the limit; `risk_variance`, `risk_shift`, `prediction_variance` and
            `prediction_bias` of each source, `risk_quadratic` of pairs of them; `risk_step_bias` and
            `prediction_step_bias`; and a standard error of each as `..._error`. `square_draws` are products,
            averaged over inputs, of the sources' parts of the prediction's fluctuation, drawn 512 times
            along `draw`; they take the root of each source's scale. `sharpness` is the largest
            eigenvalue of the tangent kernel times the loss's curvature, `sharpness_sum` their sum.
            `prediction_covariance` between inputs and outputs, where these are 64 at most.
            Coordinates `x` and `mass` are the inputs and their law.
        complete: whether means have all of their terms of order 1/n.
    """

    data: xr.Dataset
    complete: bool = True

    def __repr__(self) -> str:
        t = self.times
        return (
            f"Fluctuations(t = {t[0]:g}..{t[-1]:g}, {self.data.sizes['source'] - 1} hidden layers, "
            f"risk {self.risk[-1]:.4g})"
        )

    @property
    def times(self) -> Float[np.ndarray, "T"]:
        """MF times of the records."""
        return self.data.time.values

    @property
    def risk(self) -> Float[np.ndarray, "T"]:
        """The limit's risk."""
        return self.data.risk.values

    def risk_mean(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T"]:
        r"""The mean risk of networks, over their neurons and samples, at order $1/n_i$ and $\epsilon$.

        Args:
            width: of the hidden layers, one number or one per layer.
            learning_rate: $\epsilon$ of SGD; 0 is gradient flow.
            batch_size: samples per step.

        Raises:
            InvalidInput: a width below 1, or not L - 1 of them; a negative learning rate; a limit
                of independent weights at L >= 3, whose nodes do not have the noise of single weights.

        Warns:
            InaccuracyWarning: the limit's own error, from its nodes, is more than half of the correction.
        """
        self._require_complete("risk_mean")
        scales, eps = self._scales(width, learning_rate, batch_size), float(learning_rate)
        shift = scales @ self.data.risk_shift.values + eps * self.data.risk_step_bias.values
        error = self.data.risk_error.values
        if np.mean(error**2) > np.mean(shift**2) / 4:
            warnings.warn(
                f"width: at {shown(width)} the mean risk leaves the limit's by {_rms(shift):.2g}, and "
                f"the limit's own error on its nodes is {_rms(error):.2g}; take more nodes, or accuracy=",
                InaccuracyWarning,
                stacklevel=2,
            )
        return self.risk + shift

    def risk_mean_error(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T"]:
        """The standard error of `risk_mean`: of the limit on its nodes and of random directions."""
        self._require_complete("risk_mean_error")
        scales = self._scales(width, learning_rate, batch_size)
        squares = scales**2 @ self.data.risk_shift_error.values**2
        return np.sqrt(squares + self.data.risk_error.values**2)

    def risk_sd(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T"]:
        r"""The standard deviation of the risk of networks, over their neurons and samples.

        To first order, and with it the variance of the part of second degree in a
        Gaussian fluctuation of the prediction, which is what is left where the limit fits well.

        Args:
            width, learning_rate, batch_size: as for `risk_mean`.

        Raises:
            InvalidInput: arguments that do not fit.
        """
        scales = self._scales(width, learning_rate, batch_size)
        square = np.einsum("s,r,srt->t", scales, scales, self.data.risk_quadratic.values)
        return np.sqrt(np.maximum(scales @ self.data.risk_variance.values + square, 0))

    def risk_sd_error(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T"]:
        """The standard error of `risk_sd`, of its first order."""
        scales = self._scales(width, learning_rate, batch_size)
        of_variance = np.sqrt(scales**2 @ self.data.risk_variance_error.values**2)
        sd = self.risk_sd(width, learning_rate, batch_size)
        return np.divide(of_variance, 2 * sd, out=np.zeros_like(sd), where=sd > 0)

    def plot(
        self,
        widths: Sequence[int] = (64, 256, 1024),
        ax: Axes | None = None,
        *,
        learning_rate: float = 0.0,
        batch_size: int = 1,
    ) -> Axes:
        """Draw the limit's risk, and of each width the mean and two standard deviations about it.

        About the limit's own risk where the limit does not have the networks' means (`complete`).

        Args:
            widths: of all hidden layers.
            ax: Matplotlib's axes; new ones if left out.
            learning_rate, batch_size: as for `risk_mean`.

        Raises:
            InvalidInput: as `risk_sd`.
        """
        from ...pictures import drawings

        how = (learning_rate, batch_size)
        mean = lambda n: self.risk_mean(n, *how) if self.complete else self.risk
        of_widths = {n: drawings.Range.about(mean(n), 2 * self.risk_sd(n, *how)) for n in widths}
        return drawings.bands(drawings.on(ax), self.times, self.risk, of_widths)

    def prediction_mean(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T m k"]:
        r"""The mean prediction of networks at the inputs, at order $1/n_i$ and $\epsilon$.

        Raises:
            InvalidInput: as `risk_mean`.
        """
        self._require_complete("prediction_mean")
        scales = self._scales(width, learning_rate, batch_size)
        shift = np.tensordot(scales, self.data.prediction_bias.values, 1)
        step = float(learning_rate) * self.data.prediction_step_bias.values
        return self.data.prediction.values + shift + step

    def prediction_sd(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T m k"]:
        """The standard deviation of the prediction of networks at the inputs, to first order.

        Raises:
            InvalidInput: arguments that do not fit.
        """
        scales = self._scales(width, learning_rate, batch_size)
        return np.sqrt(np.tensordot(scales, self.data.prediction_variance.values, 1))

    def prediction_covariance(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T m k m k"]:
        r"""The covariance of the predictions of networks at pairs of inputs, to first order.

        Raises:
            InvalidInput: arguments that do not fit; more than 64 inputs times outputs.
        """
        require(
            "prediction_covariance" in self.data,
            "prediction_covariance: kept for up to 64 inputs times outputs; take fewer data_nodes",
        )
        scales = self._scales(width, learning_rate, batch_size)
        return np.tensordot(scales, self.data.prediction_covariance.values, 1)

    def distances(
        self, widths: Sequence[int], learning_rates: Sequence[float], batch_size: int = 1
    ) -> xr.DataArray:
        """What `couple` measures as the distances of predictions, to first order.

        Of root mean squares over inputs the largest over times, and of that the root mean square over
        networks: `Coupling.data.prediction` has one for each seed. From 512 draws of the fluctuation's
        course, so within some 3 %.

        Args:
            widths, learning_rates, batch_size: as `couple` takes them.

        Returns:
            along `pair`, `learning_rate` and `width`.

        Raises:
            InvalidInput: arguments that do not fit.
        """
        draws = self.data.square_draws.values
        scales = lambda n, eps: self._scales(n, eps, batch_size)
        pairs = {"sgd-flow": slice(-1, None), "flow-limit": slice(-1), "sgd-limit": slice(None)}
        values = [
            [
                [largest_distance(draws[..., of, of], scales(n, eps)[of]) for n in widths]
                for eps in learning_rates
            ]
            for of in pairs.values()
        ]
        coords = {"pair": list(pairs), "learning_rate": learning_rates, "width": widths}
        return xr.DataArray(values, coords, ("pair", "learning_rate", "width"))

    def term_ratio(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T"]:
        """The expansion's second term over its first: the prediction's bias over its deviation.

        Of root mean squares over inputs. Terms fall from one to the next by about that much; from
        1/2 on, the first order is not to be trusted.

        Args:
            width, learning_rate, batch_size: as for `risk_mean`.

        Raises:
            InvalidInput: as `risk_mean`.
        """
        self._require_complete("term_ratio")
        scales, mass = self._scales(width, learning_rate, batch_size), self.data.mass.values
        bias = np.einsum("r,rtmk->rtmk", scales, self.data.prediction_bias.values)
        variance = np.tensordot(scales, self.data.prediction_variance.values, 1)
        of_bias, of_variance = (
            np.sqrt(np.einsum("m,tmk->t", mass, values))
            for values in (np.sum(bias**2, axis=0), variance)
        )
        return np.divide(of_bias, of_variance, out=np.zeros_like(of_bias), where=of_variance > 0)

    def risk_mean_remainder(
        self, width: int | Sequence[int], learning_rate: float = 0.0, batch_size: int = 1
    ) -> Float[np.ndarray, "T"]:
        """About how much the orders beyond the first move the mean risk.

        The sum of its first-order shifts' sizes times the square of `term_ratio`, for the next
        term of the mean is two terms on.

        Args:
            width, learning_rate, batch_size: as for `risk_mean`.

        Raises:
            InvalidInput: as `risk_mean`.
        """
        ratio = self.term_ratio(width, learning_rate, batch_size)
        scales = self._scales(width, learning_rate, batch_size)
        return ratio**2 * (scales @ np.abs(self.data.risk_shift.values))

    def stable_rate(self, batch_size: int = 1) -> Float[np.ndarray, "T"]:
        r"""The learning rate from which SGD departs from the limit, up to each time.

        A perturbation of the prediction is forgotten at rates that are the eigenvalues of the tangent kernel
        times the loss's curvature. Their largest $\lambda$ and their sum $\Lambda$ bound the step by
        $2 / (\lambda (1 - 1/B) + \Lambda / B)$: the mean square of the perturbation grows above it, if
        inputs are seen one at a time in directions of their own, and batches of B samples, `batch_size`,
        bring this nearer to gradient descent's own bound.
        """
        share = 1 / whole("batch_size", batch_size, 1)
        total = self.data.sharpness.values * (1 - share) + self.data.sharpness_sum.values * share
        return 2 / np.maximum.accumulate(np.maximum(total, np.finfo(float).tiny))

    def width_for(
        self,
        excess: float,
        at: float | None = None,
        learning_rate: float = 0.0,
        batch_size: int = 1,
    ) -> int:
        """The least width, of all hidden layers, whose mean risk exceeds the limit's by no more.

        Args:
            excess: by which it may exceed it, in units of the loss.
            at: MF time; the last if left out.
            learning_rate, batch_size: as for `risk_mean`.

        Raises:
            InvalidInput: an excess that samples and steps alone exceed at any width; a time outside
                the run; and as `risk_mean`.

        !!! example
            ```python
            >>> import neuronal as nr, numpy as np
            >>> x = np.linspace(-1, 1, 8)[:, None]
            >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
            >>> embedding = nr.embeddings.Bidirectional(1, depth=2)
            >>> law = nr.fluctuations(problem, embedding, until=2.0, nodes=256, directions=8, save_at=4)
            >>> n = law.width_for(excess=0.01)
            >>> bool(law.risk_mean(n)[-1] - law.risk[-1] <= 0.01)
            True

            ```
        """
        self._require_complete("width_for")
        positive("excess", excess)
        time = float(self.times[-1]) if at is None else at
        require(
            is_number(time) and self.times[0] <= time <= self.times[-1] * (1 + 1e-9),
            f"at: takes an MF time in [{self.times[0]:g}, {self.times[-1]:g}], got {shown(at)}",
        )
        scales = self._scales(1, learning_rate, batch_size)
        shifts = [np.interp(time, self.times, shift) for shift in self.data.risk_shift.values]
        step = np.interp(time, self.times, self.data.risk_step_bias.values)
        others = float(scales[-1] * shifts[-1] + float(learning_rate) * step)
        require(
            others < excess,
            f"excess: SGD's samples and steps alone bring {others:.3g} at any width, got {excess:g}; take "
            "a smaller learning rate or larger batches",
        )
        return max(1, math.ceil(sum(shifts[:-1]) / (excess - others)))

    def _scales(
        self, width: int | Sequence[int], learning_rate: float, batch_size: int
    ) -> Float[np.ndarray, "sources"]:
        """1/n_i of every hidden layer, and eps / batch."""
        sizes = hidden_sizes("width", width, self.data.sizes["source"], most=2**62)
        eps = non_negative("learning_rate", learning_rate)
        batch = whole("batch_size", batch_size, 1)
        return np.asarray([*(1 / n for n in sizes), eps / batch])

    def _require_complete(self, name: str) -> None:
        require(
            self.complete,
            f"{name}: the limit of independent weights has no noise of single weights, which enters means "
            "at order 1/n for L >= 3; take embedding.sample(n, key), whose neurons have it",
        )


def _rms(values: Float[np.ndarray, "T"]) -> float:
    return float(np.sqrt(np.mean(values**2)))
