"""Neuronal embeddings: `Bidirectional`, `IID`, and `Embedding` from your own functions."""

from .base import AbstractEmbedding
from .bidirectional import Bidirectional
from .custom import Embedding
from .iid import IID

__all__ = ["IID", "AbstractEmbedding", "Bidirectional", "Embedding"]
