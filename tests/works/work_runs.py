"""What the tests of each work share: its run of seconds, and the same where something is broken."""

import jax
import jax.numpy as jnp

from neuronal import dynamics
from neuronal.distributions import Empirical
from neuronal.embeddings import IID
from neuronal.embeddings import iid as independent
from neuronal.network import Network
from neuronal.works import run
from neuronal.works.catalogue import work
from neuronal.works.rows import MEASURED, VIOLATED


def holds(name, least=3):
    """Run a work's seconds: no row violated, and enough of them."""
    rows = run(name, fast=True)
    assert not [(row.claim, row.stated, row.figure) for row in rows if row.status == VIOLATED]
    assert sum(row.status == MEASURED for row in rows) >= least
    assert len({row.claim for row in rows}) == len(rows)
    assert all(row.seconds >= 0 for row in rows)


def fails(name, claims):
    """Run the seconds of a work in which something is patched, until all these claims are violated."""
    jax.clear_caches()  # or programs compiled before the patch would be run
    left, told = set(claims), {}
    try:
        with jax.enable_x64(True):
            for row in work(name).rows(True):
                told[row.claim] = (row.status, row.figure)
                met = {claim for claim in left if row.claim.startswith(claim)}
                assert not met or row.status == VIOLATED, (row.claim, row.stated, row.figure)
                left -= met
                if not left:
                    return
    finally:
        jax.clear_caches()
    raise AssertionError((left, told))


def replaced(monkeypatch, place, name, change):
    """Put `change(original)` in the place of `place.name`."""
    monkeypatch.setattr(place, name, change(getattr(place, name)))


def without_slopes(monkeypatch):
    """The backward pass forgets the derivatives of the activations."""
    change = lambda of: (
        lambda weights, measures, slopes, gradient: of(
            weights, measures, [jnp.ones_like(s) for s in slopes], gradient
        )
    )
    replaced(monkeypatch, dynamics, "backward_with_averages", change)


def of_speeds(monkeypatch, speed):
    """Every layer moves at `speed(widths)` times its velocity, one number per layer or for all."""

    def change(of):
        def factors(weights, *more, **others):
            pairs, *rest = of(weights, *more, **others)
            by = jnp.broadcast_to(jnp.asarray(speed([w.shape[0] for w in weights[1:]])), len(pairs))
            scaled = [(f * by[i].astype(f.dtype), g) for i, (f, g) in enumerate(pairs)]
            return scaled, *rest

        return factors

    replaced(monkeypatch, dynamics, "velocity_factors_and_potentials", change)


def faster_if_wider(monkeypatch):
    """A learning rate that is no mean-field one: it grows with the width."""
    of_speeds(monkeypatch, lambda widths: (widths[0] / 50) ** 0.5)


def networks_faster(monkeypatch):
    """Networks of up to 200 neurons learn faster than their limit on more nodes."""
    of_speeds(monkeypatch, lambda widths: 1.3 if widths[0] <= 200 else 1.0)


def one_sample(monkeypatch):
    """SGD sees one sample again and again."""
    change = lambda of: lambda self, key, m: (
        jnp.tile(self.x[3:4], (m, 1)), jnp.tile(self.y[3:4], (m, 1))
    )  # fmt: skip
    replaced(monkeypatch, Empirical, "sample", change)


def repeated_batches(monkeypatch):
    """All samples of a batch are one sample."""

    def change(of):
        def sample(self, key, m):
            x, y = of(self, key, 1)
            return jnp.tile(x, (m, 1)), jnp.tile(y, (m, 1))

        return sample

    replaced(monkeypatch, Empirical, "sample", change)


def dependent_edges(monkeypatch):
    """Weights between neurons depend on the incoming neuron alone, and are not independent."""

    def change(of):
        def pairs(self, layer, c, c_next):
            found = of(self, layer, c, c_next)
            inner = 0 < layer < self.depth - 1
            return jnp.broadcast_to(found[:, :1], found.shape) if inner else found

        return pairs

    replaced(monkeypatch, IID, "_pairs", change)


def wider_edges(monkeypatch):
    """Independent weights have a deviation that is not the one asked for."""
    change = lambda of: (
        lambda self, layer, c, c_next: 1.5 * of(self, layer, c, c_next) - 0.5 * self.means[layer]
    )
    replaced(monkeypatch, IID, "_pairs", change)


def wider_nodes(monkeypatch):
    """The limit's nodes have a deviation that is not the one asked for."""

    class Wider:
        @staticmethod
        def gaussian(*arguments):
            points, weights = original.gaussian(*arguments)
            return 1.2 * points, weights

    original = independent.quadrature
    monkeypatch.setattr(independent, "quadrature", Wider)


def twins(monkeypatch):
    """Neurons of the first hidden layer come four at a time, and are not independent."""

    def change(of):
        def sample(self, widths, key, kernel="dense"):
            network = of(self, widths, key, kernel)
            few = jnp.repeat(jnp.arange(network.widths[0] // 4 + 1), 4)[: network.widths[0]]
            first, second, *more = network.matrices
            return Network([first[few], second[few], *more], network.activations)

        return sample

    replaced(monkeypatch, IID, "sample", change)
