"""Two small PyTorch models whose scaling in the width has knobs, to be turned wrong one at a time.

Knobs are powers of n by which something is off: ``init.LAYER`` of the weights at the start, ``rate.LAYER``
of the learning rate, ``decay.LAYER`` of the decay's share per step, ``attention`` of the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional as F

Knobs = Mapping[str, float]
BASE = 64
"""The width at which all powers of n are 1."""
TOKENS, LENGTH = 17, 8


class MLP(nn.Module):
    """Five inputs, three hidden layers of width n, one output."""

    def __init__(
        self,
        n: int,
        knobs: Knobs,
        activation: type[nn.Module] = nn.Tanh,
        bias: bool = False,
        outside: bool = False,
    ):
        super().__init__()
        self.first = nn.Linear(5, n, bias)
        self.middle = nn.Linear(n, n, bias)
        self.deep = nn.Linear(n, n, bias)
        self.readout = nn.Linear(n, 1, bias=False)
        self.act = activation()
        self.factor = BASE / n if outside else 1.0
        stds = {"first": 5**-0.5, "middle": n**-0.5, "deep": n**-0.5}
        start(self, {**stds, "readout": BASE**-0.5 * BASE / n / self.factor}, n, knobs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.act(self.middle(self.act(self.first(x))))
        return self.factor * self.readout(self.act(self.deep(h)))


class Attention(nn.Module):
    """Tokens, one block of attention and an MLP of width n, logits of the tokens."""

    def __init__(
        self,
        n: int,
        knobs: Knobs,
        heads: int = 1,
        of_torch: bool = False,
        tied: bool = False,
        outside: bool = False,
        norms: bool = True,
        zero: Sequence[str] = (),
    ):
        super().__init__()
        self.heads, self.of_torch = heads, of_torch
        d = n // heads
        fixed = heads > 1
        self.scale = (d**-0.5 if fixed else 8 / d) * (n / BASE) ** knobs.get("attention", 0.0)
        self.embed = nn.Embedding(TOKENS, n)
        self.place = nn.Embedding(LENGTH, n)
        norm = (lambda: nn.LayerNorm(n)) if norms else nn.Identity
        self.norm1, self.norm2, self.norm3 = norm(), norm(), norm()
        self.query, self.key, self.value, self.out = (nn.Linear(n, n, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(n, 2 * n, bias=False), nn.Linear(2 * n, n, bias=False)
        self.readout = nn.Linear(n, TOKENS, bias=False)
        self.factor = BASE / n if outside else 1.0
        hidden = dict.fromkeys(("query", "key", "value", "out", "up"), n**-0.5)
        stds = {"embed": 1.0, "place": 1.0, **hidden, "down": (2 * n) ** -0.5}
        readout = BASE**-0.5 * BASE / n / self.factor
        start(self, {**stds, "readout": readout}, n, knobs, zero)
        if tied:
            self.readout.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        b, t = tokens.shape
        h = self.embed(tokens) + self.place(torch.arange(t))
        x = self.norm1(h)
        q, k, v = (
            layer(x).view(b, t, self.heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        if self.of_torch:
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            mixed = torch.softmax((q @ k.transpose(-1, -2)) * self.scale, -1) @ v
        h = h + self.out(mixed.transpose(1, 2).reshape(b, t, -1))
        h = h + self.down(torch.relu(self.up(self.norm2(h))))
        return self.factor * self.readout(self.norm3(h))


def start(
    model: nn.Module,
    stds: Mapping[str, float],
    n: int,
    knobs: Knobs,
    zero: Sequence[str] = (),
) -> None:
    """Normal weights of those standard deviations times the knobs' powers of n, or 0."""
    for name, std in stds.items():
        weight = getattr(model, name).weight
        nn.init.normal_(weight, std=std * (n / BASE) ** knobs.get(f"init.{name}", 0.0))
        if name in zero:
            nn.init.zeros_(weight)


def groups(model: nn.Module, rate: float, adam: bool, knobs: Knobs, decay: float = 0.0) -> list:
    """A group per parameter: µP's rates for SGD or Adam, and a decay whose share does not depend on n."""
    made = []
    hidden = getattr(model, "middle", None) or model.query
    n = hidden.weight.shape[0]
    for name, parameter in model.named_parameters():
        layer = name.split(".")[0]
        if parameter.ndim == 1 or layer in ("first", "embed", "place"):
            power = 0.0 if adam else 1.0
        elif layer == "readout":
            power = -1.0 if not adam or getattr(model, "factor", 1.0) == 1 else 0.0
            power = power if adam or model.factor == 1 else 1.0
        else:
            power = -1.0 if adam else 0.0
        of_n = (n / BASE) ** (power + knobs.get(f"rate.{layer}", 0.0))
        shares = (n / BASE) ** knobs.get(f"decay.{layer}", 0.0)
        made.append(
            {"params": [parameter], "lr": rate * of_n, "weight_decay": decay * shares / of_n}
        )
    return made


def batches() -> tuple[tuple, tuple]:
    """Of inputs and targets, for both models."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(32, 5, generator=rng)
    y = torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3]
    tokens = torch.randint(TOKENS, (16, LENGTH), generator=rng)
    return (x, y), (tokens, tokens.roll(1, 1))


def squared(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return 0.5 * (prediction - target).square().sum(-1).mean()


def cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())
