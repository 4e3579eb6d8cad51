"""The paper's formulas in float64 NumPy, sample by sample.

Written from equations (1) and (2) alone, to check the package against: it imports nothing of
it. Layers are numbered as in the paper, so `w[i]` with i = 1..L (`w[0]` is unused) and `p[i]`
with i = 1..L, where `p[L]` is all ones: there is no average over the outputs.
"""

import itertools

import numpy as np
from scipy import special

ACTIVATIONS = {
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    "erf": (special.erf, lambda h: 2 / np.sqrt(np.pi) * np.exp(-(h**2))),
    "sigmoid": (special.expit, lambda h: special.expit(h) * special.expit(-h)),
    "softsign": (lambda h: h / (1 + np.abs(h)), lambda h: (1 + np.abs(h)) ** -2.0),
    "sin": (np.sin, np.cos),
    "identity": (lambda h: h, np.ones_like),
    "relu": (lambda h: np.where(h > 0, h, 0.0), lambda h: np.where(h > 0, 1.0, 0.0)),
    "softplus": (lambda h: np.logaddexp(0, h), special.expit),
    "square": (np.square, lambda h: 2 * h),
    "gelu": (
        lambda h: h * special.ndtr(h),
        lambda h: special.ndtr(h) + h * np.exp(-(h**2) / 2) / np.sqrt(2 * np.pi),
    ),
    "silu": (
        lambda h: h * special.expit(h),
        lambda h: special.expit(h) * (1 + h * special.expit(-h)),
    ),
}


def one_hot(y, k):
    return np.eye(k)[int(y[0])] if len(y) != k else y


def sign(y):
    return np.where(y > 0, 1.0, -1.0)


# name: (L(y, a), d2 L(y, a)) of one sample, y and a of shape (k,); scale 1 where there is one.
LOSSES = {
    "squared": (lambda y, a: np.sum((a - y) ** 2) / 2, lambda y, a: a - y),
    "pseudo_huber": (
        lambda y, a: np.sum(np.sqrt(1 + (a - y) ** 2) - 1),
        lambda y, a: (a - y) / np.sqrt(1 + (a - y) ** 2),
    ),
    "log_cosh": (lambda y, a: np.sum(np.log(np.cosh(a - y))), lambda y, a: np.tanh(a - y)),
    "cauchy": (
        lambda y, a: np.sum(np.log(1 + (a - y) ** 2)) / 2,
        lambda y, a: (a - y) / (1 + (a - y) ** 2),
    ),
    "logistic": (
        lambda y, a: np.sum(np.log(1 + np.exp(-sign(y) * a))),
        lambda y, a: -sign(y) / (1 + np.exp(sign(y) * a)),
    ),
    "cross_entropy": (
        lambda y, a: -one_hot(y, len(a)) @ np.log(np.exp(a) / np.exp(a).sum()),
        lambda y, a: np.exp(a) / np.exp(a).sum() - one_hot(y, len(a)),
    ),
}


class Reference:
    """An L-layer network: measures and activations fixed, weights an argument of everything."""

    def __init__(self, measures, activations, loss, outputs=1):
        self.p = [None, *(np.asarray(q, float) for q in measures), np.ones(outputs)]
        self.depth = len(activations)
        self.phi = [None, *(ACTIVATIONS[name][0] for name in activations)]
        self.dphi = [None, *(ACTIVATIONS[name][1] for name in activations)]
        self.loss, self.d2_loss = LOSSES[loss]

    def preactivations(self, weights, x):
        """H_1, ..., H_L at one input x (d,)."""
        w = [None, *weights]
        h = [None, w[1] @ x]
        for i in range(2, self.depth + 1):
            below = self.phi[i - 1](h[i - 1])
            h.append((self.p[i - 1] * below) @ w[i])
        return h[1:]

    def predict(self, weights, x):
        return np.array([self.phi[-1](self.preactivations(weights, row)[-1]) for row in x])

    def risk(self, weights, x, y, sample_weights):
        values = [self.loss(b, a) for b, a in zip(y, self.predict(weights, x), strict=True)]
        return float(np.dot(sample_weights, values))

    def sensitivities(self, weights, x, y):
        """Delta^H_1, ..., Delta^H_L at one sample."""
        w, h = [None, *weights], [None, *self.preactivations(weights, x)]
        top = self.depth
        delta = [None] * top + [self.d2_loss(y, self.phi[top](h[top])) * self.dphi[top](h[top])]
        for i in range(top, 1, -1):
            delta[i - 1] = w[i] @ (self.p[i] * delta[i]) * self.dphi[i - 1](h[i - 1])
        return delta[1:]

    def velocity(self, weights, rates, x, y, sample_weights):
        """-xi_i E_Z[Delta^w_i] of every layer; rates are the xi_i."""
        total = [np.zeros(np.shape(w)) for w in weights]
        for row, target, q in zip(x, y, sample_weights, strict=True):
            h = self.preactivations(weights, row)
            delta = self.sensitivities(weights, row, target)
            total[0] -= q * rates[0] * np.outer(delta[0], row)
            for i in range(1, self.depth):
                total[i] -= q * rates[i] * np.outer(self.phi[i](h[i - 1]), delta[i])
        return total

    def sgd(self, weights, schedules, eps, xs, ys):
        """W(k) after as many steps as the stream `xs (steps, batch, d)` has."""
        weights = [np.array(w, float) for w in weights]
        for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
            rates = [eps * xi(k * eps) for xi in schedules]
            change = self.velocity(weights, rates, x, y, np.full(len(x), 1 / len(x)))
            weights = [w + dw for w, dw in zip(weights, change, strict=True)]
        return weights


def random_case(seed, widths, d=2, k=1, scale=1.0):
    """Weights and non-uniform measures, from a seed; `widths` of the hidden layers."""
    rng = np.random.default_rng(seed)
    sizes = [*widths, k]
    weights = [scale * rng.normal(size=(sizes[0], d))]
    weights += [scale * rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    measures = [rng.dirichlet(np.full(n, 3.0)) for n in widths]
    return weights, measures


def flatten(weights):
    return np.concatenate([np.ravel(w) for w in weights])


def unflatten(flat, like):
    ends = np.cumsum([np.size(w) for w in like])[:-1]
    return [part.reshape(np.shape(w)) for part, w in zip(np.split(flat, ends), like, strict=True)]
