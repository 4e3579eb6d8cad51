"""What `nr.transfer.check` found: `Check`."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..theory.rates import Rate
from .exponents import slope
from .faults import Fault
from .local import FAULT, Local, is_off

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLUMNS = ("start", "gain", "influence's gain", "rate", "decay", "change")


@dataclass(frozen=True, repr=False)
class Check:
    """Exponents in the width of a model's activations, updates and changes, and what is wrong with them.

    Attributes:
        data: what was measured, over `width`, `seed`, `layer` or `part`, and `step` or `state`: sizes of
            `inputs` and `outputs`, `influence` and `influence_below` of the loss on them, `moved` of outputs,
            `effect` of each part's step, `shrink` of it without gradients, `prediction`, its `change` and the
            `loss`; see `transfer.faults`.
        faults: what was found, named.
        scatter: standard deviation of networks about their mean, over the function's change, of each
            width: of the seeds, or of the limit's fluctuations (`nr.fluctuations`) where the model is an
                embedding.
        foreseen: whether `scatter` is from the limit's fluctuations.
    """

    data: xr.Dataset
    faults: tuple[Fault, ...]
    scatter: xr.DataArray
    foreseen: bool = False

    @property
    def transfers(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    @property
    def change(self) -> Rate:
        """The exponent of the function's change over all steps."""
        return slope(self.data, self.data.change.isel(state=-1))

    @property
    def laziness(self) -> Rate:
        """Of the hidden layers' relative change over the function's: 0 where features are learned.

        It is -1/2 in the tangent kernel's scaling. The geometric mean over layers with wide outputs.
        """
        local, data = Local(self.data), self.data
        there = (data.outputs.isel(step=0) > 0).all(["width", "seed"])
        wide = [
            n
            for n in local.names
            if local.is_wide(n) and n not in local.last and there.sel(layer=n)
        ]
        if not wide:
            return Rate(np.nan, np.nan, np.nan)
        moved = data.moved.isel(state=-1).sel(layer=wide) / data.outputs.isel(step=0).sel(
            layer=wide
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.exp(np.log(moved).mean("layer"))
            return slope(data, mean / data.change.isel(state=-1))

    @property
    def explained(self) -> float:
        """The exponent that two standard deviations of the narrowest networks' mean may feign."""
        data, widths = self.data, self.data.width.values
        off = 2 * float(self.scatter[0]) / np.sqrt(data.sizes["seed"])
        return float(np.log1p(off) / np.log(widths[-1] / widths[0]))

    def table(self) -> pd.DataFrame:
        """Exponents per part: of the output at the start, gains, rate, decay and change over all steps."""
        import pandas as pd

        local, rows = Local(self.data), {}
        for layer in local.names:
            moved = self.data.moved.sel(layer=layer).isel(state=-1)
            of_layer = {
                "start": local.output(layer),
                "gain": local.gain(layer),
                "influence's gain": local.influence_gain(layer),
                "change": slope(self.data, moved),
            }
            for part in local.parts_of(layer):
                of_part = {"rate": local.rate(part), "decay": local.decay(part)}
                rows[part] = {name: (of_layer | of_part)[name] for name in _COLUMNS}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(_COLUMNS))

    def verdict(self) -> str:
        """What was found, in words."""
        if not self.faults:
            lines = [
                "Nothing found: every layer's own exponents are nearer to 0 than to the next natural one, "
                f"{2 * FAULT:g}. A rate serves all widths, but for what finite widths scatter."
            ]
            if is_off(self.change):
                lines.append(
                    f"Over {self.data.sizes['state'] - 1} steps the function's change goes as "
                    f"n^{self.change} all the same: look at more steps, or larger widths."
                )
        else:
            many = f"{len(self.faults)} faults" if len(self.faults) > 1 else "One fault"
            lines = [f"{many}: the best rate moves with the width."]
            lines += [f"- {fault}" for fault in self.faults]
        return "\n".join(lines)

    def __str__(self) -> str:
        words = self.table().map(_in_words)
        whence = "the limit's fluctuations" if self.foreseen else "the seeds"
        scatter = ", ".join(
            f"{100 * float(s):.2g} % at {int(n)}"
            for n, s in zip(self.data.width.values, self.scatter.values, strict=True)
        )
        return "\n".join(
            [
                self.verdict(),
                f"Exponents in the width ({', '.join(map(str, self.data.width.values))}; "
                f"{self.data.sizes['seed']} seeds, {self.data.sizes['state'] - 1} steps), to be 0:",
                words.to_string(),
                f"Function's change n^{self.change}; hidden changes over it n^{self.laziness}.",
                f"Scatter over the change, from {whence}: {scatter}; it may feign {self.explained:.2f}.",
            ]
        )

    def __repr__(self) -> str:
        names = ", ".join(f"{'/'.join(f.layers)}: {f.kind}" for f in self.faults) or "nothing found"
        return f"Check({names})"

    def _repr_html_(self) -> str:
        from ..pictures import tables

        return tables.facts(repr(self), {}, f"<pre>{html.escape(str(self))}</pre>")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the exponents of all parts with their intervals, and the band within which they are 0.

        Args:
            ax: Matplotlib's axes; new ones if left out.
        """
        from ..pictures import drawings, exponents

        table = self.table()
        kinds = {
            name: [(r.slope, r.low, r.high) for r in table[name]]
            for name in table
            if name != "start"
        }
        return exponents.by_part(drawings.on(ax), list(table.index), kinds, FAULT)


def _in_words(rate: Rate) -> str:
    """To two digits, a zero without its sign."""
    return "" if np.isnan(rate.slope) else f"{round(rate.slope, 2) + 0.0:.2f}"
