"""What a probe of PyTorch's models asks of tensors."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn


def mapped(tree: Any, function: Callable[[Any], Any]) -> Any:
    """A tree of tuples, lists and dictionaries with its tensors put through a function."""
    import torch

    if isinstance(tree, torch.Tensor):
        return function(tree)
    if isinstance(tree, tuple | list):
        return type(tree)(mapped(branch, function) for branch in tree)
    if isinstance(tree, dict):
        return {key: mapped(branch, function) for key, branch in tree.items()}
    return tree


def detached(tree: Any) -> Any:
    """Copies; a tensor that stands in several places is one copy."""
    copies: dict[int, Any] = {}
    return mapped(tree, lambda a: copies.setdefault(id(a), a.detach().clone()))


def real(tree: Any) -> Any:
    """The first tensor of real numbers."""
    import torch

    if isinstance(tree, torch.Tensor):
        return tree if tree.is_floating_point() else None
    branches = tree.values() if isinstance(tree, dict) else tree
    if isinstance(tree, tuple | list | dict):
        return next((found for b in branches if (found := real(b)) is not None), None)
    return None


def rms(tensor: Any) -> float:
    """Root mean square."""
    return float(tensor.double().square().mean().sqrt())


def joint(tensors: list[Any]) -> float:
    """Root mean square of tensors together; 0 without any."""
    there = [t.double().flatten() for t in tensors if t is not None]
    if not there:
        return 0.0
    square = sum(float(t.square().sum()) for t in there)
    return float(np.sqrt(square / max(sum(t.numel() for t in there), 1)))


def values(model: nn.Module) -> dict[str, Any]:
    """Copies of the parameters by name; one that is shared has several names."""
    named = model.named_parameters(remove_duplicate=False)
    return {name: parameter.detach().clone() for name, parameter in named}


def share(before: Any, after: Any) -> float:
    """c of after = (1 - c) before, by least squares."""
    square = float((before * before).sum())
    return float(((before - after) * before).sum()) / square if square > 0 else 0.0


@contextmanager
def softmaxes(keep: Callable[[Any, float | None], None]) -> Iterator[None]:
    """Within it, `keep` is called with every softmax's arguments, and their reach if that is known.

    PyTorch's own attention multiplies queries and keys of dimension d by a scale; the reach is that times d.
    """
    import torch
    from torch.nn import functional as F
    from torch.overrides import TorchFunctionMode

    class Mode(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            named = dict(zip(_ARGUMENTS.get(func.__name__, ()), args, strict=False)) | (
                kwargs or {}
            )
            if func in (F.softmax, torch.softmax, torch.Tensor.softmax):
                scores = named["input"]
                if scores.requires_grad and not scores.is_leaf:
                    scores.retain_grad()
                    keep(scores, None)
            elif func is F.scaled_dot_product_attention:
                query, key = named["query"], named["key"]
                scale = named.get("scale") or query.shape[-1] ** -0.5
                if query.requires_grad or key.requires_grad:
                    keep(query.sum() + key.sum(), float(query.shape[-1] * scale))
            elif func is F.multi_head_attention_forward:
                query, key = named["query"], named["key"]
                d = named["embed_dim_to_check"] / named["num_heads"]
                if query.requires_grad or key.requires_grad:
                    keep(query.sum() + key.sum(), float(d**0.5))
            return func(*args, **(kwargs or {}))

    with Mode():
        yield


_ARGUMENTS = {
    "softmax": ("input",),
    "scaled_dot_product_attention": (
        "query",
        "key",
        "value",
        "attn_mask",
        "dropout_p",
        "is_causal",
    ),
    "multi_head_attention_forward": ("query", "key", "value", "embed_dim_to_check", "num_heads"),
}
"""Names of arguments by position."""
