"""The doctor of transfer (`nr.transfer.check`) on models with one error each, and on models without.

Two small PyTorch models, an MLP and a block of attention, in the scaling of µP, trained by SGD or Adam.
Twenty times something goes with another power of the width than it should; it counts as found if what the
doctor names is the layer of the error, of its kind, and nothing else. Two more are settings told in public
trackers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

import neuronal as nr
from neuronal.interop.torch import bidirectional_, parameter_groups

from .common import report
from .doctor_models import MLP, Attention, batches, cross_entropy, groups, squared


@dataclass
class Case:
    """A model, its optimiser, and what is wrong with it.

    Attributes:
        layers, kind: of the error; none of a correct model.
        knobs: what is turned, by which power of the width.
        model, adam, rate, decay, more: what else it is.
    """

    name: str
    layers: tuple[str, ...] = ()
    kind: str = ""
    knobs: dict[str, float] = field(default_factory=dict)
    model: type[nn.Module] = MLP
    adam: bool = False
    decay: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)
    momentum: float = 0.0

    def build(self, n: int) -> nn.Module:
        more = {k: v(n) if k == "heads" else v for k, v in self.more.items()}
        return self.model(n, self.knobs, **more)

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        rate = 0.003 if self.adam else 0.1
        made = groups(model, rate, self.adam, self.knobs, self.decay)
        return (
            torch.optim.AdamW(made) if self.adam else torch.optim.SGD(made, momentum=self.momentum)
        )


RELU: dict[str, Any] = {"activation": nn.ReLU, "bias": True}
HEADS: dict[str, Any] = {"heads": lambda n: n // 16}


def mlp(layer: str, kind: str, knob: str, power: float, **how: Any) -> Case:
    return Case(f"MLP, {knob} n^{power:g}", (layer,), kind, {knob: power}, **how)


def block(layers: str, kind: str, knob: str, power: float, **how: Any) -> Case:
    name, named = f"attention, {knob} n^{power:g}", tuple(layers.split())
    return Case(name, named, kind, {knob: power}, Attention, **{"adam": True, **how})


ERRORS = [
    mlp("middle", "initial scale", "init.middle", 0.5),
    mlp("deep", "initial scale", "init.deep", -0.5),
    mlp("readout", "readout", "init.readout", 0.5),
    mlp("first", "learning rate", "rate.first", -1.0),
    mlp("middle", "learning rate", "rate.middle", -0.5),
    mlp("readout", "learning rate", "rate.readout", 0.5),
    mlp("first", "initial scale", "init.first", 0.5, adam=True, more=RELU),
    mlp("deep", "learning rate", "rate.deep", 1.0, adam=True, more=RELU),
    mlp("readout", "learning rate", "rate.readout", 1.0, adam=True, more=RELU),
    mlp("deep", "decay", "decay.deep", -1.0, adam=True, decay=0.1, more=RELU),
    block("query key", "attention scale", "attention", 0.5),
    Case("attention, PyTorch's own 1/sqrt(d)", ("query", "key"), "attention scale", model=Attention,
         adam=True, more={"of_torch": True}),
    Case("attention, tied without a factor", ("embed", "readout"), "tied layers", model=Attention,
         adam=True, more={"tied": True}),
    block("query", "initial scale", "init.query", 0.5),
    block("embed", "initial scale", "init.embed", 0.5, more={"norms": False}),
    block("up", "initial scale", "init.up", 0.5),
    block("readout", "readout", "init.readout", 0.5, adam=False),
    block("key", "learning rate", "rate.key", 1.0),
    block("embed", "learning rate", "rate.embed", -1.0),
    block("value", "decay", "decay.value", -1.0, decay=0.1),
]  # fmt: skip
RIGHT = [
    Case("MLP, SGD"),
    Case("MLP, SGD with momentum, ReLU and biases", momentum=0.9, more=RELU),
    Case("MLP, AdamW, ReLU and biases", adam=True, decay=0.1, more=RELU),
    Case("MLP, SGD, the readout's factor outside", more={"outside": True, "activation": nn.GELU}),
    Case("attention, AdamW", model=Attention, adam=True, decay=0.1),
    Case("attention, SGD", model=Attention),
    Case("attention, more heads of one size", model=Attention, adam=True, more=HEADS),
    Case("attention, readout and query from 0", model=Attention, adam=True,
         more={"zero": ("readout", "query")}),
    Case("attention, tied with a factor", model=Attention, adam=True,
         more={"tied": True, "outside": True}),
]  # fmt: skip
OTHERS = [
    mlp("first", "initial scale", "init.first", -0.5, adam=True, more=RELU),
    mlp("deep", "learning rate", "rate.deep", 0.5),
    mlp("first", "learning rate", "rate.first", -0.5, adam=True, more=RELU),
    mlp("middle", "initial scale", "init.middle", -0.5, momentum=0.9, more={"activation": nn.SiLU}),
    mlp("middle", "decay", "decay.middle", 1.0, decay=0.01),
    block("key", "initial scale", "init.key", -0.5),
    block("out", "learning rate", "rate.out", 0.5),
    block("value", "initial scale", "init.value", 0.5, adam=False),
    block("place", "learning rate", "rate.place", -1.0, more={"norms": False}),
    block("down", "initial scale", "init.down", 0.5, more=HEADS),
    block("up", "learning rate", "rate.up", -0.5, adam=False),
    block("query key", "attention scale", "attention", -0.5),
]
"""Errors that were planted when the doctor was finished."""
TOLD = [
    Case("microsoft/mup pull 73: Adam with one weight decay", ("middle", "deep", "readout"), "decay",
         {f"decay.{name}": -1.0 for name in ("middle", "deep", "readout")}, adam=True, decay=0.1,
         more=RELU),
    Case("microsoft/mup issue 55: shared readout rescaled", ("embed", "readout"), "tied layers",
         {"init.embed": 0.5}, Attention, adam=True, more={"tied": True, "outside": True}),
]  # fmt: skip
"""A decay that Adam's rate takes along, so that it falls as 1/n where the rate does; an embedding of entries
n^1/2 that the readout shares."""


def of_ours() -> tuple[Callable[[int], nn.Module], Callable[[nn.Module], Any]]:
    """A model started and trained by `neuronal.interop.torch`."""
    (x, _), _ = batches()

    def build(n: int) -> nn.Module:
        layers = [
            nn.Linear(5, n),
            nn.Tanh(),
            nn.Linear(n, n, False),
            nn.Tanh(),
            nn.Linear(n, 1, False),
        ]
        return bidirectional_(nn.Sequential(*layers), int(torch.randint(2**31, ())), x)

    return build, lambda model: torch.optim.SGD(parameter_groups(model, 0.1))


def examined(case: Case, **how: Any) -> nr.transfer.Check:
    """The doctor's check of a case."""
    of_vectors, of_tokens = batches()
    batch, loss = (of_tokens, cross_entropy) if case.model is Attention else (of_vectors, squared)
    return nr.transfer.check(case.build, batch, loss, case.optimiser, **how)


def is_found(case: Case, check: nr.transfer.Check) -> bool:
    """Whether the layers and the kind named are those of the error, or none where there is none."""
    layers = {
        name.removesuffix(".weight").removesuffix(".bias")
        for f in check.faults
        for name in f.layers
    }
    return layers == set(case.layers) and {f.kind for f in check.faults} <= {case.kind}


def row(case: Case, check: nr.transfer.Check, seconds: float) -> dict[str, Any]:
    named = "; ".join(f"{', '.join(f.layers)}: {f.kind}" for f in check.faults) or "nothing"
    is_error = f"{', '.join(case.layers)}: {case.kind}" if case.kind else "none"
    return {"model": case.name, "error": is_error, "found": named, "right": is_found(case, check),
            "seconds": round(seconds, 1)}  # fmt: skip


def timed(call: Callable[[], nr.transfer.Check]) -> tuple[nr.transfer.Check, float]:
    start = time.perf_counter()
    return call(), time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for case in [*ERRORS, *RIGHT, *TOLD]:
        rows.append(row(case, *timed(partial(examined, case))))
        print(rows[-1], flush=True)
    batch, _ = batches()
    build, optimiser = of_ours()
    ours = timed(lambda: nr.transfer.check(build, batch, squared, optimiser))
    rows.insert(len(ERRORS) + len(RIGHT), row(Case("MLP, neuronal.interop.torch"), *ours))
    hits = [r["right"] for r in rows]
    errors, others, told = len(ERRORS), len(RIGHT) + 1, len(TOLD)
    report(
        "doctor",
        f"{sum(hits[:errors])} of {errors} planted errors named at their layer, "
        f"{others - sum(hits[errors : errors + others])} alarms on {others} correct models, "
        f"{sum(hits[-told:])} of {told} settings told in trackers; at most "
        f"{max(r['seconds'] for r in rows):.0f} s a model",
        rows,
        "widths 64 to 512, 4 seeds, 3 probing steps and 4 of training each, one thread; right: what is named "
        "is the layer of the error, of its kind, and nothing else",
    )


if __name__ == "__main__":
    main()
