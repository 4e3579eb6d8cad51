"""Bad input gets one message that names the field, as `InvalidInput`, a `ValueError`."""

import math
from collections import namedtuple

import diffrax
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats

import neuronal as nr
from neuronal.checks import shown
from neuronal.drivers.ode.choice import check_solver
from neuronal.theory.fokker_planck import FokkerPlanck

A, D, E, L, S = nr.activations, nr.distributions, nr.embeddings, nr.losses, nr.schedules
U = nr.units
NAN, INF = float("nan"), float("inf")
X, Y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
W = [np.ones((4, 2)), np.ones((4, 3)), np.ones((3, 1))]


def net(**changes):
    return nr.Network(**{"weights": W, **changes})


def with_nan(array):
    array = np.array(array, float)
    array.flat[-1] = NAN
    return array


def problem(law=None, loss=None, schedules=None):
    return nr.Problem(law or D.Empirical(X, Y), loss or L.Squared(), schedules)


def moved(**how):
    return nr.Problem(D.Empirical(X, Y), L.Squared(), **how)


def train(network=None, given=None, **options):
    options = {"learning_rate": 0.1, "until": 1.0, "key": 0, **options}
    return nr.train(given or problem(), network or net(), **options)


def solve(start=None, given=None, until=1.0, **options):
    return nr.solve(given or problem(), start or net(), until, **options)


def line(**changes):
    return D.Regression(**{"target": lambda x: x[:, 0], "inputs": D.Uniform(dim=2), **changes})


def bidirectional(**changes):
    return E.Bidirectional(**{"input_dim": 2, "depth": 4, "rank": 2, "gain": 1.0, **changes})


def own(samplers, *functions):
    return E.Embedding(samplers, functions)


STREAM = (np.ones((10, 1, 2)), np.ones((10, 1)))

NETWORKS = [
    ("weights", lambda: net(weights=W[:1])),
    (r"weights\[1\]", lambda: net(weights=[W[0], np.ones((5, 3)), W[2]])),
    (r"weights\[0\]", lambda: net(weights=[np.ones(4), *W[1:]])),
    (r"weights\[1\].*width of 0", lambda: net(weights=[W[0], np.ones((4, 0)), np.ones((0, 1))])),
    (r"weights\[2\].*NaN", lambda: net(weights=[*W[:2], with_nan(W[2])])),
    (r"weights\[0\].*numbers", lambda: net(weights=[[[1.0, 2.0], [3.0]], *W[1:]])),
    (r"weights\[0\].*numbers", lambda: net(weights=[np.array([["a"]]), *W[1:]])),
    ("activations", lambda: net(activations=["tanh"] * 2)),
    ("activation.*swish", lambda: net(activations="swish")),
    ("measures", lambda: net(measures=[np.full(4, 0.25)])),
    (r"measures\[1\]", lambda: net(measures=[np.full(4, 0.25), np.full(4, 0.25)])),
    (r"measures\[0\].*negative", lambda: net(measures=[[1.5, -0.5, 0, 0], np.full(3, 1 / 3)])),
    (r"measures\[1\].*sum", lambda: net(measures=[np.full(4, 0.25), np.full(3, 0.5)])),
    (r"measures\[0\].*NaN", lambda: net(measures=[with_nan(np.full(4, 0.25)), np.ones(3)])),
    ("x: ", lambda: net()(np.ones((3, 5)))),
    ("x: ", lambda: net()(np.ones(2))),
    ("x: .*NaN", lambda: net().sensitivities(with_nan(X), Y, L.Squared())),
    ("y: .*NaN", lambda: net().sensitivities(X, with_nan(Y), L.Squared())),
    ("y: ", lambda: net().sensitivities(X, Y[:2], L.Squared())),
    ("y: ", lambda: net().sensitivities(X, X, L.Squared())),
]

EMBEDDINGS = [
    ("depth", lambda: bidirectional(depth=1)),
    ("depth", lambda: E.IID(2, 0)),
    ("depth", lambda: E.IID(2, 2.5)),
    ("depth", lambda: bidirectional(depth=NAN)),
    ("depth", lambda: bidirectional(depth="three")),
    ("input_dim", lambda: bidirectional(input_dim=0)),
    ("output_dim", lambda: E.IID(2, 3, output_dim=0)),
    ("rank", lambda: bidirectional(rank=0)),
    ("gain.*critical", lambda: bidirectional(gain="large")),
    ("gain", lambda: bidirectional(gain=[1.0])),
    ("gain", lambda: bidirectional(gain=NAN)),
    ("input_scale", lambda: bidirectional(input_scale=0.0)),
    ("spread", lambda: bidirectional(gain="critical", spread=-1.0)),
    ("inputs", lambda: bidirectional(gain="critical", inputs=np.ones((4, 3)))),
    ("inputs", lambda: bidirectional(gain="critical", inputs=np.ones((4, 2)))),
    ("activation.*mish", lambda: bidirectional(activation="mish")),
    ("activation.*mish", lambda: E.IID(2, 3, last_activation="mish")),
    ("mean", lambda: E.IID(2, 3, mean=[0.0])),
    ("mean", lambda: E.IID(2, 3, mean="zero")),
    ("gain", lambda: bidirectional(gain=[[1.0, 1.0]])),
    ("std", lambda: E.IID(2, 3, std=-1.0)),
    ("std", lambda: E.IID(2, 3, std=NAN)),
    ("widths", lambda: bidirectional().sample(0, 0)),
    ("widths", lambda: bidirectional().sample((4, 4), 0)),
    ("widths", lambda: E.IID(2, 3).sample((4, -1), 0)),
    ("widths", lambda: E.IID(2, 3).sample(2.5, 0)),
    ("nodes", lambda: bidirectional().quadrature(0)),
    ("nodes", lambda: bidirectional().quadrature("many")),
    ("nodes", lambda: bidirectional().quadrature(NAN)),
    ("rule.*simpson", lambda: bidirectional().quadrature(8, "simpson")),
    ("rule.*gauss-hermite", lambda: bidirectional().quadrature(8, "gauss-hermite")),
    ("rule: takes one", lambda: bidirectional().quadrature(8, ("sobol",))),
    ("rule.*simpson", lambda: bidirectional().quadrature(8, ("simpson", "sample", "sample"))),
    ("rule", lambda: bidirectional().quadrature(8, 3)),
    ("carry", lambda: E.IID(2, 3).quadrature(8, ("sobol", "sample"), carry=[1, 2])),
    ("key", lambda: bidirectional().sample(3, "seed")),
    ("carry", lambda: bidirectional().quadrature(4, carry=[jnp.ones((1, 4))])),
    ("functions", lambda: own([1], lambda c: c)),
    ("samplers", lambda: own([1, 1], lambda c: c, lambda c: c)),
    (r"functions\[0\]", lambda: own([1], lambda c: c[0], lambda c: c)),
    (r"functions\[1\]", lambda: own([1, 1], lambda c: c, lambda c, d: c, lambda c: c)),
    (r"functions\[1\]", lambda: own([1], lambda c: c, lambda c: c[None])),
]

BIASES = [
    ("biases", lambda: E.IID(2, 2, biases=0.0)),
    ("biases", lambda: E.IID(2, 4, biases=[0.0])),
    (r"biases\[0\]", lambda: E.IID(2, 3, biases=[NAN])),
    (r"biases\[0\]", lambda: E.IID(2, 3, biases=jnp.sin)),
    ("biases", lambda: bidirectional(biases="none")),
    (
        r"biases\[0\]",
        lambda: E.Embedding(
            [1, 1], [lambda c: c, lambda c, d: c[0] * d[0], lambda d: d], biases=lambda d: d
        ),
    ),
    ("kernel: biases", lambda: bidirectional(biases=0.0).sample(4, 0, kernel="factored")),
    ("weights with biases", lambda: E.IID(2, 3, biases=0.1).sample(4, 0).matrices),
    ("weights with biases", lambda: nr.picard(problem(), E.IID(2, 3, biases=0.1), 0.1)),
    (
        "weights with biases",
        lambda: nr.couple(
            problem(), E.IID(2, 3, biases=0.1), [4], learning_rate=0.1, until=0.2, key=0
        ),
    ),
    ("weights with biases", lambda: nr.certify(problem(), bidirectional(biases=0.1))),
    (
        "devices: weights with biases",
        lambda: nr.sharding.spread(E.IID(2, 3, biases=0.1).sample(4, 0), jax.devices()),
    ),
]

LAZY = [
    ("network", lambda: nr.tangent_kernel(W, X)),
    ("x: ", lambda: nr.tangent_kernel(net(), np.ones((3, 5)))),
    ("rates", lambda: nr.tangent_kernel(net(), X, [1.0])),
    ("rates", lambda: nr.tangent_kernel(net(), X, "fast")),
    ("network", lambda: nr.kernel_flow(W, problem(), 1.0)),
    ("problem", lambda: nr.kernel_flow(net(), X, 1.0)),
    (
        "problem",
        lambda: nr.kernel_flow(net(), nr.Problem(D.Empirical(X, Y), L.Squared(), decay=0.1), 1.0),
    ),
    ("until", lambda: nr.kernel_flow(net(), problem(), -1.0)),
    ("x: ", lambda: nr.kernel_flow(net(), problem(), 1.0, np.ones((3, 5)))),
    ("rtol", lambda: nr.kernel_flow(net(), problem(), 1.0, rtol=0.0)),
]

UNITS = [
    ("unit", lambda: net(unit="gaussian")),
    ("unit", lambda: E.IID(2, 3, unit=jnp.sin)),
    ("unit", lambda: bidirectional(unit=None)),
    ("unit", lambda: E.Embedding([1], [lambda c: c, lambda c: c], unit="linear")),
    (r"weights\[0\].*Amplitude", lambda: net(unit=U.Amplitude("tanh"))),
    (
        r"functions\[0\].*Amplitude",
        lambda: E.Embedding([1], [lambda c: c, lambda c: c], unit=U.Amplitude("tanh")),
    ),
    ("unit: its function takes inputs of 2", lambda: E.IID(3, 2, unit=U.Functions(jnp.dot, 2, 2))),
    ("width", lambda: U.Gaussian(0.0)),
    ("width", lambda: U.Gaussian("wide")),
    ("order", lambda: U.Dirichlet(0)),
    ("order", lambda: U.Dirichlet(1.5)),
    ("activation.*swish", lambda: U.Amplitude("swish")),
    ("kernel", lambda: U.Homogeneous("gaussian")),
    ("rates", lambda: U.Homogeneous(U.Gaussian(), rates=(1.0,))),
    ("rates", lambda: U.Homogeneous(U.Gaussian(), rates=(1.0, 0.0))),
    ("rates", lambda: U.Functions(jnp.dot, 2, 2, rates=(1.0, -1.0))),
    ("rates", lambda: U.Functions(jnp.dot, 2, 2, rates=(1.0, 1.0, 1.0))),
    ("function", lambda: U.Functions(jnp.outer, 2, 2)),
    ("function", lambda: U.Functions(jnp.dot, 2, 3)),
    ("function", lambda: U.Functions(3.0, 2, 2)),
    ("parameter_dim", lambda: U.Functions(jnp.dot, 0, 2)),
    ("input_dim", lambda: U.Functions(jnp.dot, 2, 1.5)),
]

ACTIVATIONS = [
    ("knots", lambda: A.piecewise_linear([0.0], [1.0])),
    ("knots", lambda: A.piecewise_linear([0.0, 0.0], [1.0, 2.0])),
    ("knots", lambda: A.piecewise_linear([0.0, NAN], [1.0, 2.0])),
    ("values", lambda: A.piecewise_linear([0.0, 1.0], [1.0, 2.0, 3.0])),
    ("values.*numbers", lambda: A.piecewise_linear([0.0, 1.0], ["a", "b"])),
    ("alpha", lambda: A.scaled(0.0)),
    ("alpha", lambda: A.scaled(INF)),
    ("activation.*swish", lambda: A.scaled(2.0, "swish")),
    ("activation.*swish", lambda: A.radial("swish", 3)),
    ("dim", lambda: A.radial("relu", 1)),
    ("dim", lambda: A.radial("relu", 2.5)),
    ("reach", lambda: A.radial("relu", 3, reach=-1.0)),
    ("activation: the average of", lambda: A.radial(activation(cosine), 3)),
    ("mixture", lambda: D.Radial(D.Gaussian(2))),
    ("mixture", lambda: D.Radial(D.GaussianMixture(X))),
    ("mixture", lambda: D.Radial(D.GaussianMixture(0 * X, bias=True))),
]

LAWS = [
    ("x: .*NaN", lambda: D.Empirical(with_nan(X), Y)),
    ("y: .*NaN", lambda: D.Empirical(X, with_nan(Y))),
    ("x: .*infinite", lambda: D.Empirical(X + INF, Y)),
    ("x: ", lambda: D.Empirical(Y, Y)),
    ("x: .*numbers", lambda: D.Empirical([[1.0, 2.0], [3.0]], [0.0, 1.0])),
    ("x: .*numbers", lambda: D.Empirical([["a"]], [0.0])),
    ("x: .*empty", lambda: D.Empirical(np.ones((0, 2)), np.ones(0))),
    ("y: ", lambda: D.Empirical(X, Y[:2])),
    ("weights", lambda: D.Empirical(X, Y, [1.0, 1.0])),
    ("weights", lambda: D.Empirical(X, Y, [1.0, -1.0, 1.0])),
    ("weights", lambda: D.Empirical(X, Y, [0.0, 0.0, 0.0])),
    ("weights", lambda: D.Empirical(X, Y, [NAN, 1.0, 1.0])),
    ("target", lambda: line(target=3.0)),
    ("target", lambda: line(target=lambda x: x.sum() > 0 if x.ndim == 2 else x[None, :])),
    ("inputs", lambda: line(inputs=X)),
    ("noise", lambda: line(noise=-0.1)),
    ("noise", lambda: line(noise=INF)),
    ("target.*NaN", lambda: solve(given=problem(line(target=lambda x: NAN * x[:, 0])))),
    ("low, high", lambda: D.Uniform(1.0, -1.0)),
    ("low, high", lambda: D.Uniform(-INF, 1.0)),
    ("dim", lambda: D.Uniform(dim=0)),
    ("dim", lambda: D.Gaussian("two")),
    ("dim", lambda: D.Sphere(2.5)),
    ("weights", lambda: D.Empirical(X, Y, ["a", "b", "c"])),
    ("weights", lambda: D.Empirical(X, Y, [10**400, 1, 1])),
    ("dim", lambda: D.Sphere(1)),
    ("radius", lambda: D.Sphere(2, 0.0)),
    ("std", lambda: D.Gaussian(2, std=0.0)),
    ("mean", lambda: D.Gaussian(2, mean=NAN)),
    ("means", lambda: D.GaussianMixture(with_nan(X))),
    ("stds", lambda: D.GaussianMixture(X, -1.0)),
    ("stds", lambda: D.GaussianMixture(X, [1.0, 2.0])),
    ("labels", lambda: D.GaussianMixture(X, labels=[1.0, 2.0])),
    ("probabilities", lambda: D.GaussianMixture(X, probabilities=[0.5, 0.5])),
    ("probabilities", lambda: D.GaussianMixture(X, probabilities=[0.5, 0.6, 0.2])),
]

PROBLEMS = [
    ("distribution", lambda: nr.Problem(X, L.Squared())),
    ("loss", lambda: nr.Problem(D.Empirical(X, Y), "squared")),
    ("loss.*hinge", lambda: L.get("hinge")),
    ("loss", lambda: L.get("squared", delta=1.0)),
    ("delta", lambda: L.PseudoHuber(0.0)),
    ("delta", lambda: L.Cauchy(NAN)),
    ("delta", lambda: L.Huber(-1.0)),
    ("decay", lambda: moved(decay=-0.1)),
    ("decay", lambda: moved(decay="much")),
    ("momentum", lambda: moved(momentum=NAN)),
    ("momentum", lambda: moved(momentum=[0.1, "much", 0.1])),
    ("momentum", lambda: train(given=moved(momentum=[0.1, 0.1]))),
    ("temperature", lambda: moved(temperature=-1)),
    ("temperature", lambda: moved(temperature=np.ones((2, 2)))),
    ("temperature.*layer 2", lambda: train(given=moved(temperature=0.1))),
    ("temperature", lambda: train(given=moved(temperature=[0.1, 0.1]))),
    ("penalty", lambda: moved(penalty=INF)),
    ("penalty", lambda: moved(penalty=[0.0, 0.0, 0.1])),
    ("penalty", lambda: moved(penalty=np.ones(3))),
    ("solver.*temperature", lambda: solve(given=moved(temperature=[0.1, 0, 0]))),
    ("solver.*penalty", lambda: solve(given=moved(penalty=0.1), solver="heun", step=0.1)),
    ("solver.*momentum", lambda: solve(given=moved(momentum=0.1), solver="rkc")),
    ("kernel.*momentum", lambda: solve(given=moved(momentum=0.1), kernel="factored")),
    ("until.*step", lambda: solve(given=moved(penalty=0.1), solver="euler", step=9.0)),
    ("schedules", lambda: problem(schedules=0.5)),
    ("schedules", lambda: train(given=problem(schedules=[S.constant()] * 2))),
    ("schedules", lambda: solve(given=problem(schedules=[1.0, 1.0, 1.0]))),
    ("value", lambda: S.constant(-1.0)),
    ("horizon", lambda: S.cosine(0.0)),
    ("time_constant", lambda: S.exponential(NAN)),
    ("final", lambda: S.cosine(1.0, final=-1.0)),
    ("horizon", lambda: S.warmup(-2.0)),
    ("depth", lambda: S.depth_balanced(1)),
    ("depth", lambda: S.depth_balanced(2.5)),
    ("depth", lambda: S.depth_balanced("deep")),
    ("input_dim", lambda: train(given=problem(D.Empirical(np.ones((3, 5)), Y)))),
    ("output_dim", lambda: solve(given=problem(D.Empirical(X, np.ones((3, 2)))))),
    ("labels", lambda: train(given=problem(loss=L.Logistic()))),
    ("output_dim", lambda: train(given=problem(loss=L.CrossEntropy()))),
    ("class numbers", lambda: L.CrossEntropy().check(jnp.array([[0.5]]), 3)),
    ("class numbers", lambda: L.CrossEntropy().check(jnp.array([[3.0]]), 3)),
    ("probabilities", lambda: L.CrossEntropy().check(jnp.array([[0.5, 0.6]]), 2)),
]

DRIVERS = [
    ("on_record", lambda: solve(on_record=3)),
    ("on_record", lambda: train(on_record=[print, "a"])),
    ("learning_rate", lambda: train(learning_rate=0.0)),
    ("learning_rate", lambda: train(learning_rate=-0.1)),
    ("learning_rate", lambda: train(learning_rate=NAN)),
    ("learning_rate", lambda: train(learning_rate=INF)),
    ("network", lambda: train(E.IID(2, 3))),
    ("batch_size", lambda: train(batch_size=0)),
    ("batch_size", lambda: train(batch_size=1.5)),
    ("until", lambda: train(until=0.0)),
    ("until", lambda: train(until=NAN)),
    ("until.*learning_rate", lambda: train(learning_rate=5.0)),
    ("key", lambda: train(key="seed")),
    ("data", lambda: train(data=STREAM[0])),
    ("data: x", lambda: train(data=(np.ones((10, 1, 3)), STREAM[1]))),
    ("data: y", lambda: train(data=(STREAM[0], np.ones(10)))),
    ("data: 10 steps", lambda: train(data=STREAM, until=1.1)),
    ("data.*NaN", lambda: train(data=(with_nan(STREAM[0]), STREAM[1]))),
    ("data.*NaN", lambda: train(data=(STREAM[0], with_nan(STREAM[1])))),
    ("save_at", lambda: train(save_at=0)),
    ("save_at", lambda: solve(save_at=[0.5, 0.2])),
    ("save_at", lambda: solve(save_at=[0.5, 2.0])),
    ("save_at", lambda: solve(save_at=[-1.0])),
    ("save_at", lambda: solve(save_at=[NAN])),
    ("start", lambda: nr.solve(problem(), X, 1.0)),
    ("until", lambda: solve(until=-1.0)),
    ("nodes", lambda: solve(bidirectional(), nodes=0)),
    ("rule.*simpson", lambda: solve(bidirectional(), rule="simpson")),
    ("kernel.*sparse", lambda: solve(kernel="sparse")),
    ("rtol", lambda: solve(rtol=0.0)),
    ("atol", lambda: solve(atol=NAN)),
    ("step", lambda: solve(step=0.0)),
    ("data_nodes", lambda: solve(given=problem(line()), data_nodes=0)),
    ("input_dim", lambda: solve(bidirectional(input_dim=5))),
    ("save_at", lambda: train(save_at=2.5)),
    ("save_at", lambda: train(save_at="four")),
    ("save_at", lambda: train(save_at=10**400)),
    ("since", lambda: train(since="now")),
    ("until", lambda: train(until="then")),
    ("learning_rate", lambda: train(learning_rate=1e-12)),
    ("learning_rate", lambda: train(learning_rate=lambda t: 0.1)),
    ("learning_rate", lambda: train(learning_rate="a")),
    ("learning_rate", lambda: train(learning_rate=None)),
    ("learning_rate", lambda: train(learning_rate=10**400)),
    ("learning_rate", lambda: train(learning_rate=1j)),
    ("data_nodes", lambda: train(given=problem(line()), data_nodes=2.5)),
    ("data_nodes", lambda: train(given=problem(line()), data_nodes="many")),
    ("key", lambda: train(key=2**64)),
    ("t: the run covers 0 to 1", lambda: solve(save_at=1).at(1.5)),
    ("t: the run covers 0 to 1", lambda: train(save_at=1).at(NAN)),
    ("nodes", lambda: solve(bidirectional(), nodes=(8, 8))),
    ("nodes", lambda: solve(bidirectional(), nodes=(8, 8, 8), accuracy=0.1)),
    ("rule: takes one", lambda: solve(bidirectional(), rule=("sobol", "sample"))),
    ("accuracy: .*rule", lambda: solve(bidirectional(), rule=("sobol",) * 3, accuracy=0.1)),
    ("budget", lambda: nr.plan(problem(), 0.0)),
    ("budget", lambda: nr.plan(problem(), "small")),
    ("budget", lambda: nr.plan(problem(), 1.0, depths=[2])),
    ("until", lambda: nr.plan(problem(), 1e6, until=INF)),
    ("depths", lambda: nr.plan(problem(), 1e6, depths=[1])),
    ("depths", lambda: nr.plan(problem(), 1e6, depths=[])),
    ("depths", lambda: nr.plan(problem(), 1e6, depths=3)),
    ("widths", lambda: nr.plan(problem(), 1e6, widths=[0])),
    ("widths", lambda: nr.plan(problem(), 1e6, widths=[])),
    ("learning_rates", lambda: nr.plan(problem(), 1e6, learning_rates=[])),
    ("learning_rates", lambda: nr.plan(problem(), 1e6, learning_rates=[0.2, 0.1])),
    ("learning_rates", lambda: nr.plan(problem(), 1e6, learning_rates=["a"])),
    ("batch_size", lambda: nr.plan(problem(), 1e6, batch_size=0)),
    ("level", lambda: nr.plan(problem(), 1e6, level=1.0)),
    ("embedding", lambda: nr.plan(problem(), 1e6, embedding=bidirectional())),
    ("directions", lambda: nr.plan(problem(), 1e6, directions=3)),
    ("nodes", lambda: nr.plan(problem(), 1e6, nodes=0)),
    ("probes", lambda: nr.plan(problem(), 1e6, probes=-1)),
    ("probes", lambda: nr.plan(problem(), 1e6, probes=0.5)),
]

FILES = [
    ("path: no file", lambda: nr.load("nowhere.npz")),
    ("path", lambda: nr.load(3)),
    ("path", lambda: nr.save(3, net())),
    ("thing.*int", lambda: nr.save("nowhere.npz", 5)),
    ("thing.*ndarray", lambda: nr.save("nowhere.npz", X)),
]

SOLVERS = [
    (diffrax.Kvaerno5(), True),
    (diffrax.ImplicitEuler(), True),
    (diffrax.HalfSolver(diffrax.Kvaerno3()), False),
    (diffrax.SemiImplicitEuler(), True),
    (diffrax.EulerHeun(), True),
    (diffrax.ItoMilstein(), True),
    (diffrax.ShARK(), True),
    (diffrax.Sil3(), False),
    (diffrax.Euler(), False),
    (diffrax.LeapfrogMidpoint(), False),
    (diffrax.Tsit5, True),
    (diffrax.Euler, False),
    ("tsit4", True),
    ("", True),
    (0, True),
]


class OfOneSample(L.Loss):
    """A loss whose value, or gradient, is that of one sample."""

    def __call__(self, y, prediction):
        return jnp.sum((y - prediction) ** 2)

    def gradient(self, y, prediction):
        return prediction - y

    def infimum(self, y, weights):
        return jnp.zeros(len(y))


class WithoutOutputs(OfOneSample):
    def __call__(self, y, prediction):
        return jnp.sum((y - prediction) ** 2, axis=1)

    def gradient(self, y, prediction):
        return jnp.sum(prediction - y, axis=1)


class LawOfOneSample(D.Distribution):
    input_dim = 2

    def sample(self, key, m):
        return jnp.ones((m, 2)), jnp.ones((m, 1))

    def quadrature(self, m):
        return jnp.ones(2), jnp.ones(1), jnp.ones(1)


def activation(function):
    return A.Activation("mine", function, 1.0, 1.0, 1.0, True)


def cosine(h):
    return jnp.cos(h), -jnp.sin(h)


NO_TARGETS = [
    lambda x: float(x[0]),
    lambda x: math.sin(x[0]),
    lambda x: np.where(x > 0, 1.0, 0.0),
    lambda x: x[0] if x[0] > 0 else x[1],
    lambda x: [x[:, 0], x[:, 1]],
    lambda x: None,
    lambda x: "word",
    lambda x, y: x,
    lambda x: x[:, :0],
    lambda x: x[:, 0] + 1j,
    lambda x: x.values,
    5,
    None,
]
"""Giving something else than a row per sample, or a number of one."""

FUNCTIONS = [
    (r"samplers\[0\]", lambda: own([lambda: 1.0], lambda c: c, lambda c: c)),
    (r"samplers\[0\]", lambda: own([lambda key: "word"], lambda c: c, lambda c: c)),
    (r"samplers\[0\]", lambda: own([2.5], lambda c: c, lambda c: c)),
    (r"samplers\[0\]", lambda: own(["two"], lambda c: c, lambda c: c)),
    (r"samplers\[0\]", lambda: own([0], lambda c: c, lambda c: c)),
    (r"functions\[0\]", lambda: own([1], lambda c: c[0], lambda c: c)),
    (r"functions\[0\]", lambda: own([1], lambda c, other: c, lambda c: c)),
    (r"functions\[0\]", lambda: own([1], lambda c: float(c[0]), lambda c: c)),
    (r"functions\[0\]", lambda: own([1], 3.0, lambda c: c)),
    (r"functions\[1\]", lambda: own([1, 1], lambda c: c, lambda c, e: c + e, lambda c: c)),
    (r"functions\[1\]", lambda: own([1, 1], lambda c: c, lambda c: c[0], lambda c: c)),
    (r"functions\[1\]", lambda: own([1], lambda c: c, lambda c: jnp.outer(c, c))),
    ("activation 'mine'", lambda: net(activations=activation(jnp.tanh))),
    ("activation 'mine'", lambda: net(activations=activation(lambda h: (jnp.tanh(h), 1.0)))),
    ("activation 'mine'", lambda: net(activations=activation(lambda h: (h.sum(), h)))),
    ("activation 'mine'", lambda: net(activations=activation(lambda h: (math.tanh(h), h)))),
    ("activation 'mine'", lambda: E.IID(2, 3, activation=activation(lambda h: h if h > 0 else 0))),
    ("activation 'mine'", lambda: net(activations=activation("tanh"))),
    ("function", lambda: A.of("tanh")),
    ("function", lambda: A.of(5)),
    ("function.*element by element", lambda: A.of(jnp.sum)),
    ("function.*mixes the elements", lambda: A.of(lambda h: h - jnp.mean(h))),
    ("function", lambda: A.of(math.tanh)),
    ("function", lambda: L.of("squared")),
    ("function", lambda: L.of(lambda a, b, c: a)),
    ("function", lambda: L.of(lambda: 1.0)),
    ("function.*element by element", lambda: L.of(lambda y, p: jnp.sum(y - p))),
    ("inputs.*poisson.*continuous", lambda: line(inputs=stats.poisson(3))),
    ("inputs", lambda: line(inputs=[stats.norm(), 3])),
    ("inputs", lambda: line(inputs=stats.norm)),
    ("inputs", lambda: line(inputs=stats.multivariate_normal([0, 0]))),
    ("inputs", lambda: line(inputs=lambda key: jnp.ones((2, 2)))),
    ("inputs", lambda: line(inputs=lambda: 1.0)),
    ("inputs", lambda: line(inputs=[])),
    ("activation: ", lambda: net(activations=[jnp.tanh] * 3)),
    ("activation: ", lambda: E.IID(2, 3, activation=["tanh"])),
    ("loss 'of_one_sample': its value", lambda: train(given=problem(loss=OfOneSample()))),
    ("loss 'without_outputs': gradient", lambda: solve(given=problem(loss=WithoutOutputs()))),
    ("distribution", lambda: solve(given=problem(LawOfOneSample()))),
    ("schedules", lambda: solve(given=problem(schedules=lambda t: jnp.ones(3)))),
    ("schedules", lambda: train(given=problem(schedules=lambda t: 1.0 if t < 1 else 0.5))),
    ("schedules", lambda: train(given=problem(schedules=lambda t: math.exp(-t)))),
    ("schedules", lambda: solve(given=problem(schedules=[S.constant(), lambda: 1.0, jnp.cos]))),
    (
        "decay",
        lambda: solve(given=nr.Problem(D.Empirical(X, Y), L.Squared(), decay=jnp.atleast_1d)),
    ),
    ("momentum", lambda: solve(given=moved(momentum=jnp.atleast_1d))),
    ("temperature", lambda: train(given=moved(temperature=[jnp.atleast_1d, 0, 0]))),
    ("penalty", lambda: train(given=moved(penalty=lambda: 1.0))),
]


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("target", NO_TARGETS)
def test_no_targets(target, dim):
    refused("^target: takes a batch", lambda: line(target=target, inputs=D.Uniform(dim=dim)))


@pytest.mark.parametrize(("names", "call"), FUNCTIONS)
def test_functions_of_other_shapes(names, call):
    refused(f"^{names}", call)


@pytest.mark.parametrize(("solver", "constant_step"), SOLVERS)
def test_solvers(solver, constant_step):
    refused("^solver", lambda: solve(solver=solver, step=0.1 if constant_step else None))


def test_solvers_that_the_ode_takes():
    for solver in (diffrax.Tsit5(), diffrax.Heun(), diffrax.HalfSolver(diffrax.Euler())):
        check_solver(solver, False)
    for solver in (diffrax.Euler(), diffrax.LeapfrogMidpoint(), diffrax.Dopri8()):
        check_solver(solver, True)
    assert np.isfinite(solve(solver=diffrax.Euler(), step=0.1, save_at=2).loss).all()


COUNTS = {
    "save_at": lambda n: train(save_at=n),
    "save_at of solve": lambda n: solve(save_at=n),
    "batch_size": lambda n: train(batch_size=n, save_at=1),
    "data_nodes": lambda n: problem(line()).risk(net(), n),
    "nodes": lambda n: bidirectional().quadrature(n),
    "widths": lambda n: bidirectional().sample(n, 0),
    "depth": lambda n: bidirectional(depth=n).sample(4, 0),
    "rank": lambda n: bidirectional(rank=n).sample(4, 0),
    "dimensions": lambda n: E.IID(n, n, n).sample(4, 0),
    "dim": lambda n: D.Gaussian(n).quadrature(4),
    "depth of schedules": lambda n: S.depth_balanced(n),
    "resample": lambda n: nr.resample(net(), n, 0),
    "mean, std": lambda n: E.IID(2, 3, mean=n, std=n).sample(4, 0),
    "gain": lambda n: bidirectional(gain=n),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, float, np.float32, np.array])
def test_whole_numbers_of_any_kind_are_counts(name, kind):
    found = COUNTS[name](kind(3))
    plain = [np.asarray(a) for a in jax.tree.leaves(COUNTS[name](3)) if hasattr(a, "shape")]
    others = [np.asarray(a) for a in jax.tree.leaves(found) if hasattr(a, "shape")]
    assert all(np.array_equal(a, b) for a, b in zip(plain, others, strict=True))


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.float64, float, list])
@pytest.mark.parametrize("size", [2**31, 2**40, 2**62])
def test_integers_of_any_size_keep_their_value(kind, size):
    given = [[size, -1.0]] if kind in (float, list) else np.array([[size, 1]], kind)
    x = given if kind is list else np.asarray(given)
    for found in (D.Empirical(x, [1]).x, D.Empirical([[1.0]], x).y, net().inputs(x)):
        assert float(found[0, 0]) == size


OF_OTHER_KINDS = [
    np.ones((3, 2), complex), np.array([["a", "b"]] * 3), np.ma.masked_array(X, mask=X > 2),
    np.array(X, object), np.zeros((3, 2), "datetime64[D]"), [[1.0, 2.0], [3.0]],
    [["1", "2"]] * 3, [[None, 1.0]] * 3, {"a": 1}, b"12", [[10**400, 1]] * 3,
]  # fmt: skip


@hypothesis.given(
    st.lists(st.floats() | st.text()) | st.text() | st.tuples(st.integers()) | st.none()
)
def test_a_value_in_a_message_is_the_beginning_of_what_python_shows(value):
    words = " ".join(repr(value).split())
    assert shown(value) == (words if len(words) <= 100 else f"{words[:100]}...")


def test_long_values_in_a_message_are_not_written_out():
    class Costly:
        def __repr__(self):
            written.append(self)
            return "c"

    written = []
    assert shown([Costly() for _ in range(10**4)]).startswith("[c, c, c") and len(written) < 200
    assert shown(np.zeros((30, 2))) == "an array of shape (30, 2)"
    assert (
        shown([np.zeros(30), jnp.ones(2)])
        == "[an array of shape (30,), Array([1., 1.], dtype=float32)]"
    )
    assert shown(np.arange(3)) == "array([0, 1, 2])"
    assert shown(namedtuple("Pair", "a b")(1, 2)) == "Pair(a=1, b=2)"


def test_numbers_beyond_the_precision_are_told_from_nan():
    refused("^x: holds numbers beyond the range of float32", lambda: D.Empirical(1e200 * X, Y))
    refused("^y: holds numbers beyond the range of float32", lambda: D.Empirical(X, 1e200 * Y))
    with jax.enable_x64(True):
        assert D.Empirical(1e200 * X, Y).x[1, 1] == 3e200


@pytest.mark.parametrize("given", OF_OTHER_KINDS)
def test_arrays_of_other_kinds(given):
    refused("^x: ", lambda: D.Empirical(given, Y))
    refused("^y: ", lambda: D.Empirical(X, given))
    refused("^weights: ", lambda: D.Empirical(X, Y, given))
    refused("^x: ", lambda: net()(given))
    refused(r"^weights\[0\]: ", lambda: net(weights=[given, *W[1:]]))
    refused("^inputs: ", lambda: bidirectional(gain="critical", inputs=given))
    refused("^means: ", lambda: D.GaussianMixture(given))


@pytest.mark.parametrize(("names", "call"), NETWORKS)
def test_networks(names, call):
    refused(names, call)


GRID = np.linspace(-1.0, 1.0, 5)


def on_grid(**changes):
    return FokkerPlanck(
        **{"grid": GRID, "potential": lambda m: GRID**2, "temperature": 1.0, **changes}
    )


WORKS = [
    ("name: takes one of MMN18", lambda: nr.works.run("mmn")),
    ("name: takes one of MMN18", lambda: nr.works.run(18)),
    ("grid", lambda: on_grid(grid=GRID[:2])),
    ("grid", lambda: on_grid(grid=GRID**3)),
    ("grid", lambda: on_grid(grid=-GRID)),
    ("grid", lambda: on_grid(grid=with_nan(GRID))),
    ("temperature", lambda: on_grid(temperature=0.0)),
    ("until", lambda: on_grid().solve(GRID, -1.0, 3)),
    ("steps", lambda: on_grid().solve(GRID, 1.0, 0)),
]


@pytest.mark.parametrize(("names", "call"), EMBEDDINGS)
def test_embeddings(names, call):
    refused(names, call)


@pytest.mark.parametrize(("names", "call"), ACTIVATIONS)
def test_activations_and_their_laws(names, call):
    refused(names, call)


@pytest.mark.slow
@pytest.mark.parametrize(("names", "call"), BIASES)
def test_biases(names, call):
    refused(names, call)


@pytest.mark.parametrize(("names", "call"), LAZY)
def test_tangent_kernels(names, call):
    refused(names, call)


@pytest.mark.parametrize(("names", "call"), WORKS)
def test_works_and_grids(names, call):
    refused(names, call)


@pytest.mark.parametrize(("names", "call"), UNITS)
def test_units(names, call):
    refused(names, call)


@pytest.mark.parametrize(("names", "call"), LAWS)
def test_laws(names, call):
    refused(names, call)


@pytest.mark.parametrize(("names", "call"), PROBLEMS)
def test_problems_losses_and_schedules(names, call):
    refused(names, call)


@pytest.mark.parametrize(("names", "call"), DRIVERS + FILES)
def test_drivers(names, call):
    refused(names, call)


def refused(names, call):
    with pytest.raises(nr.InvalidInput, match=names) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert "\n" not in message.split("(")[0]
    assert len(message) > 10


@pytest.mark.slow
def test_what_the_cases_change_is_all_that_is_wrong_with_them():
    """The unchanged calls go through, so that each case fails for its own reason."""
    assert np.isfinite(train(data=STREAM).loss).all()
    assert np.isfinite(solve(save_at=2).loss).all()
    assert np.isfinite(solve(bidirectional(), problem(line()), nodes=4, save_at=1).loss).all()
    assert net().sensitivities(X, Y, L.Squared())[0].shape == (3, 4)
    assert bidirectional(gain="critical", inputs=X).gains
    assert own([1], lambda c: c, lambda c: c).sample(2, jax.random.key(0)).widths == (2,)
    assert on_grid().solve(np.full(5, 0.2), 1.0, 3).shape == (5,)
    assert len(D.GaussianMixture(X, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).quadrature(3)[2]) == 3
