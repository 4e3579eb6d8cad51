"""What is learned, a law of $(X, Y)$ and a loss, and how: schedules per layer, terms of the motion."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .activations import in_words
from .checks import of_shape, require, result_shape, shown, whole
from .distributions import Distribution, Samples
from .embeddings import AbstractEmbedding
from .losses import Loss
from .motion.decay import Decay
from .motion.motion import Motion
from .motion.term import Term
from .network import Network
from .schedules import Schedule, Schedules, Strengths, at, check_schedules, per_layer, strengths


class Problem(eqx.Module):
    r"""A learning problem.

    Attributes:
        distribution: the law of $Z = (X, Y)$.
        loss: $\mathcal{L}$.
        schedules: $\xi_i$: one callable of MF time for all layers, or one per layer; 1 if
            left out.
        decay: $\lambda_i$ of weight decay, $\partial_t w_i = \xi_i(-\mathbb{E}_Z[\Delta^w_i] -
            \lambda_i w_i)$: a number or a callable of MF time, for all layers or one per layer.
            None, as left out, is the paper's system.
        more_terms: further terms of the motion, given as `terms` (`neuronal.motion.Term`).

    Raises:
        InvalidInput: what is no law, loss, schedule, decay or term; a negative decay.
    """

    distribution: Distribution
    loss: Loss = eqx.field(static=True)
    schedules: Schedules
    decay: Schedules
    more_terms: tuple[Term, ...]

    def __init__(
        self,
        distribution: Distribution,
        loss: Loss,
        schedules: Schedules = None,
        decay: Strengths = None,
        terms: Sequence[Term] = (),
    ):
        require(
            isinstance(distribution, Distribution), "distribution: takes a law such as Empirical"
        )
        require(
            isinstance(loss, Loss),
            f"loss: takes a loss such as losses.Squared(), got {shown(loss)}",
        )
        if schedules is not None and not callable(schedules):
            require(
                isinstance(schedules, Sequence),
                f"schedules: takes one callable, or one a layer, got {shown(schedules)}",
            )
            schedules = tuple(schedules)
        self.distribution, self.loss, self.schedules = distribution, loss, schedules
        self.decay = strengths("decay", decay)
        require(
            isinstance(terms, Sequence) and all(isinstance(term, Term) for term in terms),
            f"terms: takes terms of the motion such as motion.decay.Decay, got {shown(terms)}",
        )
        self.more_terms = tuple(terms)

    def __repr__(self) -> str:
        words = [repr(self.distribution), repr(self.loss)]
        for name, given in (("schedules", self.schedules), ("decay", self.decay)):
            if given is not None:
                layers = in_words(given if isinstance(given, tuple) else (given,))
                words.append(
                    f"{name}=({layers})" if isinstance(given, tuple) else f"{name}={layers}"
                )
        if self.more_terms:
            words.append(f"terms={in_words(type(term).__name__ for term in self.more_terms)}")
        return f"Problem({', '.join(words)})"

    def _repr_html_(self) -> str:
        from .pictures import tables

        facts = {"law": repr(self.distribution), "loss": repr(self.loss)}
        for name, given in (("schedules", self.schedules), ("decay", self.decay)):
            if given is not None:
                facts[name] = in_words(given if isinstance(given, tuple) else (given,))
        facts["terms"] = in_words(type(term).__name__ for term in self.more_terms)
        return tables.facts("Problem", facts)

    def rates(self, t: Float[Array, ""], depth: int) -> list[Float[Array, ""]]:
        r"""$\xi_1(t), \dots, \xi_L(t)$."""
        return at(self.layer_schedules(depth), t)

    def layer_schedules(self, depth: int) -> tuple[Schedule, ...]:
        r"""$\xi_1, \dots, \xi_L$."""
        return per_layer(self.schedules, depth)

    def terms(self, depth: int) -> tuple[Term, ...]:
        """What is added to equation (2)'s right-hand side; nothing, in the paper's system."""
        if self.decay is None:
            return self.more_terms
        return (Decay(per_layer(self.decay, depth, "decay")), *self.more_terms)

    def motion(self, network: Network) -> Motion:
        """The law by which the weights of these neurons move."""
        depth = network.depth
        return Motion(
            self.loss,
            self.layer_schedules(depth),
            self.terms(depth),
            network.measures,
            network.activations,
        )

    def quadrature(self, m: int, dtype: jnp.dtype | None = None) -> Samples:
        """The law for $E_Z$ on about `m` nodes (a finite law: all of it), of one dtype."""
        x, y, weights = self.distribution.quadrature(whole("data_nodes", m, 1))
        dtype = dtype or jnp.asarray(x).dtype
        return Samples(x.astype(dtype), y.astype(dtype), weights.astype(dtype))

    def risk(self, network: Network, data_nodes: int = 1024) -> float:
        r"""$\mathcal{L}(W) = E_Z[\mathcal{L}(Y, \hat y(X; W))]$."""
        self.check(network)
        x, y, weights = self.quadrature(data_nodes, network.weights[0].dtype)
        return float(mean_loss(network, self.loss, x, y, weights))

    def check(self, model: Network | AbstractEmbedding) -> None:
        """Raise `InvalidInput` unless inputs, targets and schedules fit the network."""
        d = self.distribution.input_dim
        require(
            model.input_dim == d,
            f"input_dim: the network takes {model.input_dim} coordinates, the data have {d}",
        )
        x, y, weights = map(jnp.asarray, self.distribution.quadrature(64))
        shapes = x.shape, y.shape, weights.shape
        require(
            x.ndim == y.ndim == 2 and shapes[0] == (len(y), d) and shapes[2] == (len(y),),
            f"distribution: its quadrature gives x (n, {d}), y (n, k), weights (n,), got {shapes}",
        )
        self.loss.check(y, model.output_dim)
        _check_loss(self.loss, y.shape[1], model.output_dim)
        check_schedules("schedules", self.layer_schedules(model.depth))
        if self.decay is not None:
            check_schedules("decay", per_layer(self.decay, model.depth, "decay"))


def _check_loss(loss: Loss, columns: int, outputs: int) -> None:
    """Raise `InvalidInput` for a loss of one sample, or of other shapes."""
    y, prediction = of_shape(outputs + 2, columns), of_shape(outputs + 2, outputs)
    for words, function, gives, expected in (
        ("its value", loss, "(m,)", (outputs + 2,)),
        ("gradient", loss.gradient, "(m, k)", prediction.shape),
    ):
        name, takes = f"loss {loss.name!r}: {words}", f"takes y and prediction (m, k) to {gives}"
        shape = result_shape(name, takes, function, y, prediction)
        require(shape == expected, f"{name}: {takes}, got {shape} for {prediction.shape}")


@eqx.filter_jit
def mean_loss(network: Network, loss: Loss, x: Array, y: Array, weights: Array) -> Array:
    """The loss averaged over weighted samples."""
    return weights @ loss(y, network.forward(x)[1][-1])
