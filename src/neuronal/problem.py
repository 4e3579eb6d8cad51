"""What is learned, a law of $(X, Y)$ and a loss, and how: schedules per layer, terms of the motion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .activations import in_words
from .checks import of_shape, require, result_shape, shown, whole
from .distributions import Distribution, Samples
from .embeddings import AbstractEmbedding
from .losses import Loss
from .motion.birth_death import BirthDeath
from .motion.decay import Decay
from .motion.momentum import Momentum
from .motion.motion import Motion
from .motion.penalty import Penalty
from .motion.strengths import Strengths, frictions, strengths, strengths_where_any
from .motion.temperature import Temperature
from .motion.term import Term
from .network import Network
from .programs import lightly
from .schedules import Schedule, Schedules, at, check_schedules, per_layer


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
        temperature: $\tau_i$ of Langevin noise, $dw_i = \dots + \sqrt{2\,\xi_i\,\tau_i}\,dB$, likewise; 0
            between hidden layers, where it averages out (`neuronal.motion.Temperature`). By
            `train`, and `solve` with ``euler`` and a step.
        penalty: $\lambda$ of $\lambda\,\mathbb{E}[|w_L|]$, a number or a callable of MF time, by proximal
            steps (`neuronal.motion.Penalty`), in the same drivers.
        momentum: $\gamma_i$ of the heavy ball, $dw_i = v_i\,dt$, $dv_i = (F_i - \gamma_i v_i)\,dt$, with
            the velocity above as $F_i$ (`neuronal.motion.Momentum`): frictions, given as decay is, of
            which 0 is one too. It takes dense kernels.
        birth_death: $\alpha_i$ of measures that move, $\partial_t p_i = -\alpha_i\,p_i\,(V_i -
            \mathbb{E}_{C_i}[V_i])$ (`neuronal.motion.BirthDeath`): a number or a callable of MF time, for all
            hidden layers or one per hidden layer. On dense kernels, without momentum, temperature and
            penalty; in `train` neurons die and are copied.
        reinject: an embedding of two layers of which newborn neurons are in `train`, in place of copies.
        more_terms: further terms of the motion, given as `terms` (`neuronal.motion.Term`).

    Raises:
        InvalidInput: what is no law, loss, schedule, strength or term; a negative strength.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> problem.loss
        Squared()

        ```
    """

    distribution: Distribution
    loss: Loss = eqx.field(static=True)
    schedules: Schedules
    decay: Schedules
    temperature: Schedules
    penalty: Schedule | None
    momentum: Schedules
    birth_death: Schedules
    reinject: AbstractEmbedding | None
    more_terms: tuple[Term, ...]

    def __init__(
        self,
        distribution: Distribution,
        loss: Loss,
        schedules: Schedules = None,
        decay: Strengths = None,
        terms: Sequence[Term] = (),
        temperature: Strengths = None,
        penalty: float | Schedule | None = None,
        momentum: Strengths = None,
        birth_death: Strengths = None,
        reinject: AbstractEmbedding | None = None,
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
        self.temperature = strengths_where_any("temperature", temperature)
        self.momentum = frictions("momentum", momentum)
        self.penalty = _one_strength("penalty", penalty)
        self.birth_death = strengths("birth_death", birth_death)
        others = [
            name
            for name in ("momentum", "temperature", "penalty")
            if getattr(self, name) is not None
        ]
        require(
            self.birth_death is None or not others,
            f"birth_death: does not go with {' and '.join(others)}",
        )
        require(
            reinject is None or isinstance(reinject, AbstractEmbedding),
            f"reinject: takes an embedding, got {shown(reinject)}",
        )
        require(
            reinject is None or self.birth_death is not None,
            "reinject: says whence newborn neurons are; give the rates as birth_death",
        )
        self.reinject = reinject
        require(
            isinstance(terms, Sequence) and all(isinstance(term, Term) for term in terms),
            f"terms: takes terms of the motion such as motion.decay.Decay, got {shown(terms)}",
        )
        self.more_terms = tuple(terms)

    def __repr__(self) -> str:
        words = [repr(self.distribution), repr(self.loss)]
        for name in ("schedules", "decay", "temperature", "penalty", "momentum", "birth_death"):
            given = getattr(self, name)
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

    def with_schedules(self, schedules: Sequence[Schedule]) -> Problem:
        """The same problem with other schedules, one per layer."""
        given = tuple(schedules)
        return eqx.tree_at(lambda p: p.schedules, self, given, is_leaf=lambda node: node is None)

    def motion(self, network: Network) -> Motion:
        """The law by which the weights of these neurons move."""
        depth = network.depth
        layers = lambda of, given, name, count=depth: (
            None if given is None else of(per_layer(given, count, name))
        )
        return Motion(
            self.loss,
            self.layer_schedules(depth),
            self.terms(depth),
            network.measures,
            network.activations,
            network.unit,
            layers(Momentum, self.momentum, "momentum"),
            layers(Temperature, self.temperature, "temperature"),
            None if self.penalty is None else Penalty(self.penalty),
            layers(
                lambda rates: BirthDeath(rates, self.reinject),
                self.birth_death,
                "birth_death",
                depth - 1,
            ),
        )

    @property
    def stepwise(self) -> str:
        """What steps do besides the velocity, so that constant ones alone will do; empty if nothing."""
        names = ("temperature", "penalty")
        return " and ".join(name for name in names if getattr(self, name) is not None)

    @property
    def beyond_velocity(self) -> str:
        """What of the motion is not a velocity of weights alone, in words; empty if nothing."""
        names = ("momentum", "temperature", "penalty", "birth_death")
        return " and ".join(name for name in names if getattr(self, name) is not None)

    @property
    def carried(self) -> str:
        """What moves besides weights, in words, which dense kernels alone take; empty if nothing."""
        if self.momentum is not None:
            return "momentum"
        return "" if self.birth_death is None else "birth and death"

    def outside(self, depth: int) -> list[str]:
        """Why the paper's statements do not cover the motion; nothing, of the paper's system."""
        parts = (
            (self.temperature, Temperature), (self.penalty, Penalty), (self.momentum, Momentum),
            (self.birth_death, BirthDeath),
        )  # fmt: skip
        others = [kind.outside for given, kind in parts if given is not None]
        return [*(term.outside for term in self.terms(depth)), *others]

    @property
    def regularised(self) -> bool:
        """Whether the motion may descend something else than the risk."""
        return bool(self.more_terms) or self.decay is not None or self.penalty is not None

    def added(self, network: Network, t: float) -> float:
        r"""What the objective has besides the risk: of decay $\sum_i \frac{\lambda_i}{2} \|w_i\|^2$, of the
        penalty $\lambda\,\mathbb{E}[|w_L|]$, and of terms what they say.
        """
        time = jnp.asarray(t, network.weights[0].dtype)
        return float(_added(network, self.terms(network.depth), self.penalty, time))

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
        for name in ("decay", "temperature", "momentum"):
            given = getattr(self, name)
            if given is not None:
                check_schedules(name, per_layer(given, model.depth, name))
        if self.penalty is not None:
            check_schedules("penalty", (self.penalty,))
        if self.birth_death is not None:
            rates = per_layer(self.birth_death, model.depth - 1, "birth_death")
            check_schedules("birth_death", rates)
        source = self.reinject
        require(
            source is None
            or (
                model.depth == source.depth == 2
                and (source.input_dim, source.unit) == (d, model.unit)
            ),
            "reinject: takes an embedding of two layers for networks of two, of the same inputs and unit",
        )
        if self.temperature is not None:
            Temperature(per_layer(self.temperature, model.depth, "temperature")).check()


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


@lightly()
def mean_loss(network: Network, loss: Loss, x: Array, y: Array, weights: Array) -> Array:
    """The loss averaged over weighted samples."""
    return weights @ loss(y, network.forward(x)[1][-1])


@lightly()
def _added(
    network: Network, terms: tuple[Term, ...], penalty: Schedule | None, t: Float[Array, ""]
) -> Array:
    found = jnp.zeros((), t.dtype)
    for term in terms:
        found += term.objective(network.weights, network.measures, t)
    if penalty is not None:
        found += Penalty(penalty).objective(t, network.weights[-1], network.measures[-1])
    return found


def _one_strength(name: str, given: Any) -> Schedule | None:
    """The strength of one layer."""
    require(
        not isinstance(given, list | tuple) and np.ndim(given) == 0,
        f"{name}: takes one number or callable of MF time, got {shown(given)}",
    )
    found = strengths(name, given)
    assert found is None or callable(found)  # of one there is one
    return found
