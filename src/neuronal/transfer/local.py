r"""Each layer's own exponents in the width, whatever the others do: see `transfer.faults`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..theory.rates import Rate
from .exponents import first_felt, first_move, grows, slope

STEP = 0.5
"""Between natural exponents."""
FAULT = STEP / 2
_NEAR = 0.2
NONE = Rate(np.nan, np.nan, np.nan)


def is_off(rate: Rate) -> bool:
    """Whether an exponent that should be 0 is nearer to another natural one, and is not 0 by its interval."""
    return bool(abs(rate.slope) >= FAULT and not rate.low <= 0 <= rate.high)


class Local:
    """Exponents of the layers and parts of `exponents.collected`.

    Attributes:
        data: the dataset.
        names: of the layers, in the order in which they act.
        last: those whose units are the function's: narrow ones behind which none is wide.
    """

    def __init__(self, data: xr.Dataset):
        self.data = data
        self.names = [str(name) for name in data.layer.values]
        self.last = {name for name in self.names if data.whole.sel(layer=name)}
        for name in reversed(self.names):
            if self.is_wide(name):
                break
            self.last.add(name)
        self._units = {name: self._unit(name) for name in self.names}

    def is_wide(self, layer: str, what: str = "size") -> bool:
        """Whether a layer has more outputs, or by ``size_below`` inputs, at larger widths."""
        return grows(self.data[what].sel(layer=layer))

    def parts_of(self, layer: str) -> list[str]:
        """The parts of a layer."""
        owners = zip(self.data.part.values, self.data.layer_of.values, strict=True)
        return [str(part) for part, owner in owners if owner == layer]

    def output(self, layer: str) -> Rate:
        """Of the output's size at the start, in units in which the influence is not off the other way."""
        return slope(self.data, self._outputs(layer))

    def input(self, layer: str) -> Rate:
        """Of the input's size at the start."""
        return slope(self.data, self._inputs(layer, 0))

    def influence(self, layer: str) -> Rate:
        """Of the influence over that of the function, where it is first felt; of the last layers 0."""
        return slope(self.data, self._influence(layer, first_felt(self.data, layer)))

    def gain(self, layer: str) -> Rate:
        """Of the output's size over the input's, of a wide output of a matrix."""
        if layer in self.last or not self._is_matrix(layer) or not self.is_wide(layer):
            return NONE
        return slope(self.data, self._outputs(layer) / self._inputs(layer, 0))

    def influence_gain(self, layer: str) -> Rate:
        """Of the influence of the input over the output's, of a wide input of a matrix."""
        if not self._is_matrix(layer) or not self.is_wide(layer, "size_below"):
            return NONE
        step = first_felt(self.data, layer)
        below = self.data.influence_below.sel(layer=layer)
        if not bool((below.isel(step=step) > 0).all()):  # of weights that start at 0
            step = min(step + 1, self.data.sizes["step"] - 1)
        below = below.isel(step=step) / self.data.felt.isel(step=step)
        return self._slope_of_quotient(below, self._influence(layer, step))

    def reach(self, softmax: int) -> Rate:
        """Of the reach of a softmax's arguments, where it is first felt."""
        reach = self.data.reach.isel(softmax=softmax)
        felt = ((reach > 0) & np.isfinite(reach)).all(["width", "seed"]).values
        return slope(self.data, reach.isel(step=int(np.argmax(felt))))

    def rate(self, part: str) -> Rate:
        """Of a parameter's own effect, over what its layer's input and influence make of it."""
        data, layer, step = self.data, self.layer_of(part), first_move(self.data, part)
        if step is None:
            return NONE
        effect = data.effect.sel(part=part).isel(step=step)
        felt = data.felt.isel(step=step)
        if layer in self.last:  # in the function's units
            effect = effect * data.influence.sel(layer=layer).isel(step=step) / felt
        else:
            effect = effect * self._power(-self._units[layer])
        k = float(data.degree.sel(part=part))
        inputs = self._inputs(layer, step) if bool(data.matrix.sel(part=part)) else 1.0
        made = (felt * self._influence(layer, step)) ** k * inputs ** (1 + k)
        return self._slope_of_quotient(effect, made)

    def decay(self, part: str) -> Rate:
        """Of the share of a parameter that a step takes away where gradients are 0."""
        shrink = self.data.shrink.sel(part=part)
        return slope(self.data, shrink) if bool((shrink > 1e-9).all()) else NONE

    def layer_of(self, part: str) -> str:
        """The layer of a part."""
        return str(self.data.layer_of.sel(part=part).values)

    def _is_matrix(self, layer: str) -> bool:
        return any(bool(self.data.matrix.sel(part=part)) for part in self.parts_of(layer))

    def _inputs(self, layer: str, step: int) -> xr.DataArray:
        """1 where the input is no array of real numbers, such as tokens."""
        found = self.data.inputs.sel(layer=layer).isel(step=step)
        return found if self.data.size_below.sel(layer=layer).all() else xr.ones_like(found)

    def _outputs(self, layer: str) -> xr.DataArray:
        found = self.data.outputs.sel(layer=layer).isel(step=0)
        return found * self._power(-self._units[layer])

    def _influence(self, layer: str, step: int) -> xr.DataArray:
        found = self.data.influence.sel(layer=layer).isel(step=step)
        if layer in self.last:
            return xr.ones_like(found)
        return found / self.data.felt.isel(step=step) * self._power(self._units[layer])

    def _power(self, exponent: float) -> xr.DataArray:
        return self.data.width.astype(float) ** exponent

    def _slope_of_quotient(self, above: xr.DataArray, below: xr.DataArray) -> Rate:
        with np.errstate(divide="ignore", invalid="ignore"):
            return slope(self.data, above / below)

    def _unit(self, layer: str) -> float:
        """The power of n of the layer's units: behind it, its output is divided by it.

        A norm does so too; but there the next layer, the norm, is given the output as it is. And queries' and
        keys' influence goes as n^-1/2 at the start: values that are independent of what they are asked for.
        """
        scoring = self.data.scored_by.values if "scored_by" in self.data else []
        if layer in self.last or any(layer in str(names).split(" and ") for names in scoring):
            return 0.0
        out, influence = (
            slope(self.data, self.data[name].sel(layer=layer).isel(step=0)).slope
            for name in ("outputs", "influence")
        )
        opposite = out * influence < 0 and abs(out + influence) < _NEAR
        if not opposite or min(abs(out), abs(influence)) < FAULT:
            return 0.0
        after = self.names[self.names.index(layer) + 1 :]
        given = self.input(after[0]).slope if after else 0.0
        return 0.0 if abs(given - out) < _NEAR else out
