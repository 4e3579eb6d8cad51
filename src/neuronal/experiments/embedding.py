"""From a system's table to its embedding."""

from __future__ import annotations

from ..distributions import Distribution
from ..embeddings import IID, AbstractEmbedding, Bidirectional
from ..errors import InvalidInput
from . import code
from .systems import BidirectionalSystem, IIDSystem, OwnSystem
from .units import activation_of, unit_of


def embedding_of(
    section: BidirectionalSystem | IIDSystem | OwnSystem, law: Distribution, outputs: int
) -> AbstractEmbedding:
    """The embedding of a system, of that law's inputs.

    Raises:
        InvalidInput: a function of the user's own that does not fit.
    """
    if isinstance(section, OwnSystem):
        return _made(section, law.input_dim, outputs)
    dimensions = law.input_dim, section.depth, outputs
    unit = unit_of(section.unit, law.input_dim)
    hidden = activation_of(section.activation, "systems.activation")
    last = activation_of(section.last_activation, "systems.last_activation")
    if isinstance(section, IIDSystem):
        return IID(
            *dimensions,
            activation=hidden,
            mean=section.mean,
            std=section.std,
            last_activation=last,
            unit=unit,
            biases=section.biases,
        )
    return Bidirectional(
        *dimensions,
        activation=hidden,
        rank=section.rank,
        gain=section.gain,
        input_scale=section.input_scale,
        spread=section.spread,
        inputs=law.quadrature(256)[0] if section.gain == "critical" else None,
        last_activation=last,
        unit=unit,
        biases=section.biases,
    )


def _made(section: OwnSystem, input_dim: int, outputs: int) -> AbstractEmbedding:
    """What the user's own function makes."""
    found = code.own(section.make, "systems.make")(input_dim, outputs)
    if not isinstance(found, AbstractEmbedding) or found.depth != section.depth:
        raise InvalidInput(
            "systems.make: takes a function of (input_dim, output_dim) to an embedding of depth "
            f"{section.depth}, got {found!r}"
        )
    return found
