r"""Equations (3) and (4): one more neuron carried along a given limit, and back.

A neuron of hidden layer i is a pair (incoming, outgoing): for $i = 1$ a point of
$\mathbb{R}^d \times L^2(P_2)$, for $2 \le i \le L-1$ one of $L^2(P_{i-1}) \times
L^2(P_{i+1})$, given by its values at the limit's nodes. The limit acts on it through two
fields alone, $\varphi_{i-1}(H_{i-1})$ and $\Delta^H_{i+1}$ on nodes x data: these are kept at
knots in time, with their exact time derivatives, and interpolated; the weights are not. With momentum a
neuron also has the velocities of the pair, in which it starts at rest unless they are given.
"""

from __future__ import annotations

from collections.abc import Sequence

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..checks import is_whole, require, shown
from ..distributions import Samples
from ..kernels import seeing
from ..motion.motion import Motion
from ..network import Network
from ..problem import Problem
from .driver import State
from .trajectory import Trajectory

Neuron = tuple[Float[Array, "*many _"], ...]
"""Incoming and outgoing weights; with momentum, where they were given, their velocities."""

_FIRST_KNOTS = 17
_REFINEMENTS = 12


class Fields(eqx.Module):
    r"""What a layer's neurons see of the limit, at knots in MF time.

    Attributes:
        layer: i, 1..L-1.
        times: `(T,)`.
        incoming, incoming_rate: $\varphi_{i-1}(H_{i-1})$ (the input x for i = 1) and its
            time derivative, `(T, m, n_{i-1})`.
        outgoing, outgoing_rate: $\Delta^H_{i+1}$ and its time derivative, `(T, m, n_{i+1})`.
        sample_weights: the law of Z on the m samples.
        motion: the law by which the limit's weights move.
    """

    layer: int = eqx.field(static=True)
    times: Float[Array, "T"]
    incoming: Float[Array, "T m n_in"]
    incoming_rate: Float[Array, "T m n_in"]
    outgoing: Float[Array, "T m n_out"]
    outgoing_rate: Float[Array, "T m n_out"]
    sample_weights: Float[Array, "m"]
    motion: Motion

    def at(self, t: Float[Array, ""]) -> tuple[Float[Array, "m n_in"], Float[Array, "m n_out"]]:
        """Both fields at time t, by cubic Hermite interpolation."""
        i = jnp.clip(jnp.searchsorted(self.times, t, side="right") - 1, 0, len(self.times) - 2)
        step = self.times[i + 1] - self.times[i]
        s = (t - self.times[i]) / step

        def cubic(f: Array, rate: Array) -> Array:
            return (
                (1 + 2 * s) * (1 - s) ** 2 * f[i]
                + s**2 * (3 - 2 * s) * f[i + 1]
                + step * s * (1 - s) * ((1 - s) * rate[i] - s * rate[i + 1])
            )

        return cubic(self.incoming, self.incoming_rate), cubic(self.outgoing, self.outgoing_rate)


def fields(
    trajectory: Trajectory, layer: int, until: float | None = None, rtol: float = 1e-7
) -> Fields:
    """Record what the neurons of `layer` see along a solved limit up to `until`.

    Knots are added by halving until the interpolant agrees with the limit at every midpoint
    to `rtol`, relative to the field's largest root mean square.

    Raises:
        InvalidInput: a trajectory of SGD or in steps alone, a layer that does not exist, or a tolerance
            below what the trajectory's own integration allows.
    """
    problem, law = trajectory.solved("SGD has no limit's fields")
    require(problem.birth_death is None, "trajectory: its measures move; flows take fixed ones")
    network = trajectory.network
    require(
        is_whole(layer, 1) and layer < network.depth,
        f"layer: takes 1..{network.depth - 1}, got {shown(layer)}",
    )
    layer = int(layer)
    since, last = (float(t) for t in trajectory.times[[0, -1]])
    end = last if until is None else float(until)
    require(
        since < end <= last * (1 + 1e-9),
        f"until: the run covers {since:g} to {last:g}, got {shown(until)}",
    )
    knots: dict[float, list[np.ndarray]] = {}

    def see(t: float) -> None:
        seen = _see(network, trajectory.state_at(t), problem, law, layer, jnp.asarray(t))
        knots[t] = [np.asarray(f) for f in seen]

    grid = np.linspace(since, end, _FIRST_KNOTS)
    for t in grid:
        see(float(t))
    open_intervals = list(zip(grid[:-1].tolist(), grid[1:].tolist(), strict=True))
    for _ in range(_REFINEMENTS):
        scale = [max(float(np.sqrt(np.mean(k[j] ** 2))) for k in knots.values()) for j in (0, 2)]
        still_open = []
        for a, b in open_intervals:
            middle = (a + b) / 2
            see(middle)
            fa, fb, fm = knots[a], knots[b], knots[middle]
            errors = [
                np.sqrt(
                    np.mean(
                        ((fa[j] + fb[j]) / 2 + (b - a) / 8 * (fa[j + 1] - fb[j + 1]) - fm[j]) ** 2
                    )
                )
                for j in (0, 2)
            ]
            # Halving once more divides the error by 16: the midpoint is a knot from here on.
            if any(e > 16 * rtol * s for e, s in zip(errors, scale, strict=True)):
                still_open += [(a, middle), (middle, b)]
        open_intervals = still_open
        if not open_intervals:
            break
    require(
        not open_intervals,
        f"rtol: {rtol:g} is finer than the limit's own integration; solve it with a smaller rtol",
    )
    times = sorted(knots)
    incoming, incoming_rate, outgoing, outgoing_rate = (
        jnp.asarray(np.stack([knots[t][j] for t in times])) for j in range(4)
    )
    return Fields(
        layer,
        jnp.asarray(times, network.weights[0].dtype),
        incoming,
        incoming_rate,
        outgoing,
        outgoing_rate,
        law.weights,
        problem.motion(network),
    )


def flow(
    trajectory: Trajectory | Fields,
    layer: int,
    neuron: Sequence[ArrayLike],
    since: float = 0.0,
    until: float | None = None,
    *,
    rtol: float = 1e-7,
    atol: float = 1e-9,
    save_at: ArrayLike | None = None,
) -> Neuron:
    r"""Carry neurons of a layer along the limit, equation (3).

    Args:
        trajectory: a solved limit, or `fields` of it, which several calls can share.
        layer: i, 1..L-1.
        neuron: (incoming, outgoing), `(n_{i-1},)` (d for i = 1, its unit's p) and `(n_{i+1},)` (k for
            i = L - 1): values at the limit's nodes; or many, with one leading axis. With momentum
            their velocities may follow, shaped alike; they are 0 if left out.
            Where the layer has biases, the neuron's own is the last number of its incoming.
        since, until: MF times; the end of the trajectory if left out.
        rtol, atol: of the neuron's integration and of the fields' interpolation.
        save_at: MF times at which to return the neuron, as a leading axis.

    Returns:
        (incoming, outgoing) at `until`, shaped as given, or at `save_at`; with velocities, if they
        were given.

    Raises:
        InvalidInput: a layer, shape or time that does not fit.

    !!! example
        ```python
        >>> import neuronal as nr, numpy as np
        >>> x = np.linspace(-1, 1, 8)[:, None]
        >>> problem = nr.Problem(nr.distributions.Empirical(x, np.sin(3 * x)), nr.losses.Squared())
        >>> embedding = nr.embeddings.Bidirectional(1, 3, rank=4)
        >>> limit = nr.solve(problem, embedding, until=0.5, nodes=16, save_at=1)
        >>> seen, begin = nr.fields(limit, layer=1, rtol=1e-3), limit.at(0.0)
        >>> neuron = begin.weights[0][3], begin.weights[1][3]  # one of its own
        >>> there = nr.flow(seen, 1, neuron, rtol=1e-3)
        >>> back = nr.reverse_flow(seen, 1, there, rtol=1e-3)
        >>> bool(np.allclose(back[0], neuron[0], atol=1e-3))
        True

        ```
    """
    return _carry(trajectory, layer, neuron, since, until, rtol, atol, save_at)


def reverse_flow(
    trajectory: Trajectory | Fields,
    layer: int,
    neuron: Sequence[ArrayLike],
    since: float | None = None,
    until: float = 0.0,
    *,
    rtol: float = 1e-7,
    atol: float = 1e-9,
    save_at: ArrayLike | None = None,
) -> Neuron:
    """The neuron at `until` that equation (3) carries to `neuron` at `since`: equation (4).

    Arguments as for `flow`; time runs from `since` (the end, if left out) down to `until`.
    """
    return _carry(trajectory, layer, neuron, since, until, rtol, atol, save_at)


def _carry(
    trajectory: Trajectory | Fields,
    layer: int,
    neuron: Sequence[ArrayLike],
    since: float | None,
    until: float | None,
    rtol: float,
    atol: float,
    save_at: ArrayLike | None,
) -> Neuron:
    seen = trajectory
    if isinstance(seen, Trajectory):
        latest = None if since is None or until is None else max(since, until)
        seen = fields(seen, layer, latest, rtol)
    require(seen.layer == layer, f"layer: the fields are those of layer {seen.layer}, got {layer}")
    first, last = float(seen.times[0]), float(seen.times[-1])
    since, until = (last if t is None else float(t) for t in (since, until))
    for name, t in (("since", since), ("until", until)):
        require(
            first - 1e-9 <= t <= last * (1 + 1e-6),
            f"{name}: the trajectory covers {first:g} to {last:g}, got {t:g}",
        )
    dtype = seen.incoming.dtype
    parts = [jnp.asarray(part, dtype) for part in neuron]
    momentum = seen.motion.momentum
    most = 2 if momentum is None else 4
    require(
        len(parts) in (2, most),
        f"neuron: takes incoming and outgoing weights{', and their velocities' if most > 2 else ''}, "
        f"got {len(parts)} arrays",
    )
    single = parts[0].ndim == 1
    given = tuple(part[None] if single else part for part in parts)
    shapes = (seen.incoming.shape[2], seen.outgoing.shape[2])
    if layer == 1:
        shapes = (seen.motion.unit.parameters(shapes[0]), shapes[1])
    require(
        all(g.ndim == 2 and g.shape[1] == n for g, n in zip(given, shapes * 2, strict=False))
        and len({len(g) for g in given}) == 1,
        f"neuron: takes incoming (..., {shapes[0]}) and outgoing (..., {shapes[1]}) for layer "
        f"{layer}, got {[p.shape for p in parts]}",
    )
    if momentum is not None and len(given) == 2:
        given = (*given, *momentum.at_rest(given))
    times = None if save_at is None else jnp.asarray(save_at, dtype)
    numbers = [jnp.asarray(number, dtype) for number in (since, until, rtol, atol)]
    carried = _carry_neuron(seen, given, numbers[0], numbers[1], numbers[2], numbers[3], times)
    found = carried[: len(parts)]
    if save_at is None:
        found = tuple(part[0] for part in found)
    if single:
        found = tuple(part[..., 0, :] for part in found)
    return found


@eqx.filter_jit
def _carry_neuron(
    seen: Fields,
    neuron: tuple[Array, ...],
    since: Float[Array, ""],
    until: Float[Array, ""],
    rtol: Float[Array, ""],
    atol: Float[Array, ""],
    save_at: Float[Array, "T"] | None,
) -> tuple[Array, ...]:
    momentum = seen.motion.momentum
    if momentum is not None:
        momentum = momentum.of_layers(seen.layer, seen.layer + 1)

    def velocity(t: Array, neuron: tuple[Array, ...], args: None) -> tuple[Array, ...]:
        incoming, outgoing, *velocities = neuron
        pair = incoming, outgoing
        changes = seen.motion.of_neurons(seen.layer, t, pair, seen.at(t), seen.sample_weights)
        forces = changes[0].velocity(incoming), changes[1].velocity(outgoing)
        return forces if momentum is None else momentum.flow(t, velocities, forces)

    saveat = diffrax.SaveAt(t1=True) if save_at is None else diffrax.SaveAt(ts=save_at)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity),  # pyright: ignore[reportArgumentType]
        diffrax.Tsit5(),
        since,
        until,
        None,
        neuron,
        saveat=saveat,
        # The fields are smooth between knots alone.
        stepsize_controller=diffrax.ClipStepSizeController(
            diffrax.PIDController(rtol=rtol, atol=atol), step_ts=seen.times
        ),
        max_steps=100_000,
    )
    assert solution.ys is not None
    return solution.ys


@eqx.filter_jit
def _see(
    network: Network, state: State, problem: Problem, law: Samples, layer: int, t: Float[Array, ""]
) -> tuple[Array, Array, Array, Array]:
    """Both fields and their time derivatives at a state: a derivative along the velocity."""
    network = state.network(network)
    t = t.astype(network.weights[0].dtype)
    motion = problem.motion(network)
    if motion.momentum is None:
        changes, _ = motion.changes(t, network.weights, law)
        moved_by = lambda later: tuple(
            change.moved(w, later) for change, w in zip(changes, network.weights, strict=True)
        )
    else:
        velocities = state.phase(motion)[network.depth :]
        moved_by = lambda later: tuple(
            w + later * v for w, v in zip(network.weights, velocities, strict=True)
        )

    def see(later: Array) -> tuple[Array, Array]:
        moved = network.with_weights(moved_by(later))
        _, values, slopes = moved.forward(law.x)
        gradient = problem.loss.gradient(law.y, values[-1])
        sensitivities = moved.backward(slopes, gradient)
        before = seeing(moved.weights[layer - 1], values[layer - 2]) if layer > 1 else law.x
        return before, sensitivities[layer]

    zero = jnp.zeros((), network.weights[0].dtype)
    (incoming, outgoing), (d_incoming, d_outgoing) = jax.jvp(see, (zero,), (jnp.ones_like(zero),))
    return incoming, d_incoming, outgoing, d_outgoing
