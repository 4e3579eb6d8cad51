"""One step of SGD in the package, and the gradient that a source's formula has, by autodiff."""

import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr

RNG = np.random.default_rng(12)


def one_step(problem, network, rate, samples, steps_before=0):
    """The changes of all layers in one step on the samples given, `(batch, d)` and `(batch,)`."""
    x, y = samples
    since = steps_before * rate
    stream = (np.tile(x, (steps_before + 1, 1, 1)), np.tile(y, (steps_before + 1, 1)))
    end = nr.train(
        problem, network, rate, since + rate, 0, data=stream, since=since, save_at=[since + rate]
    ).network
    return [
        np.asarray(b) - np.asarray(a) for a, b in zip(network.matrices, end.matrices, strict=True)
    ]


def gradients(formula, weights, samples):
    """Of a formula of the weights, one array per layer, and one sample, averaged over samples."""
    x, y = map(jnp.asarray, samples)
    mean = lambda weights: jnp.mean(jax.vmap(lambda a, b: formula(weights, a, b))(x, y))
    return [np.asarray(g) for g in jax.grad(mean)([jnp.asarray(w) for w in weights])]


def samples(dim, batch=1):
    return RNG.normal(size=(batch, dim)), RNG.normal(size=batch)


def law(dim):
    return nr.distributions.Empirical(np.eye(dim), np.zeros(dim))


def problem(dim, loss=None, **more):
    return nr.Problem(law(dim), loss or nr.losses.Squared(), **more)
