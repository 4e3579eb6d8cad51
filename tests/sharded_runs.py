"""Runs over several devices, as `test_sharding` has them done in processes of their own.

`sharded_runs.py OUT one` runs without devices, `sharded_runs.py OUT devices` over all those that the
environment forces, `sharded_runs.py OUT process I N PORT` as one of N processes. Results go to
the file OUT.
"""

import pickle
import re
import sys
from pathlib import Path

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr
from neuronal import communication, sharding
from neuronal.drivers.ode import integrate as ode
from neuronal.drivers.ode import stepper as steppers
from neuronal.drivers.ode.factored import factored_start
from neuronal.drivers.sgd import loop as sgd
from neuronal.kernels import shards

UNTIL, DATA = 1.0, 16
X = np.linspace(-1, 1, 7)[:, None] * [1.0, 0.0] + [0.0, 1.0]
BETWEEN = 0.7
"""A time that is not recorded: `Trajectory.at` has to run on to it."""
NAMES = ("dense limit", "factored limit", "sgd, one sample", "sgd, factored")
MORE = ("iid limit of four outputs", "units", "sgd, units in batches")
DONE = {
    ("one", "float64"): NAMES + MORE,
    ("one", "float32"): NAMES[:2],
    ("devices", "float64"): NAMES + MORE,
    ("devices", "float32"): NAMES[:2],
    ("process", "float64"): NAMES,
    ("process", "float32"): NAMES[:2],
}
SIZES = (("dense", 256), ("dense", 512), ("factored", 2048), ("factored", 4096))


def runs(devices, names):
    """Losses, predictions and step counts of the runs named."""
    inputs = nr.distributions.Biased(nr.distributions.Uniform())
    law = nr.distributions.Regression(lambda x: jnp.sin(4 * x[:, 0]), inputs)
    problem = nr.Problem(law, nr.losses.PseudoHuber())
    targets = np.stack([np.sin(j * X[:, 0]) for j in range(1, 5)], axis=1)
    four = nr.Problem(nr.distributions.Empirical(X, targets), nr.losses.Squared())
    embedding = nr.embeddings.Bidirectional(2, 4, rank=4, gain=1.0)
    iid = nr.embeddings.IID(2, 5, mean=0.5, output_dim=4)
    amplitudes = nr.embeddings.IID(2, 3, mean=0.5, unit=nr.units.Amplitude("tanh"))
    places = nr.embeddings.Bidirectional(2, 3, rank=4, gain=1.0, unit=nr.units.Gaussian(1.0))

    def solve(problem, start, **how):
        return nr.solve(problem, start, UNTIL, data_nodes=24, save_at=2, devices=devices, **how)

    def train(width, kernel="dense", start=embedding, **how):
        network = start.sample(width, 0, kernel=kernel)
        return nr.train(problem, network, 0.1, UNTIL, 1, save_at=2, devices=devices, **how)

    calls = {
        "dense limit": lambda: solve(problem, embedding, nodes=64, kernel="dense"),
        "factored limit": lambda: solve(problem, embedding, nodes=1544, kernel="factored"),
        "iid limit of four outputs": lambda: solve(four, iid, nodes=64),
        "sgd, one sample": lambda: train(256),
        "units": lambda: solve(problem, amplitudes, nodes=64),
        "sgd, units in batches": lambda: train(64, start=places, batch_size=8),
        "sgd, factored": lambda: train(512, "factored", batch_size=2),
    }
    return {name: what_it_left(calls[name]()) for name in names}


def what_it_left(run):
    return {
        "loss": run.loss,
        "predictions": np.asarray(run.predict(X)),
        "between": np.asarray(run.at(BETWEEN)(X)),
        "terms": terms(run.network),
        "steps": (run.report.steps, run.report.rejected, run.report.ranks),
    }


def terms(network):
    """Mean size of what a prediction averages: w_L phi_{L-1}(H_{L-1})."""
    last = network.activations[-2](network.preactivations(X)[-2])
    return float(jnp.max((network.measures[-1] * jnp.abs(last)) @ jnp.abs(network.weights[-1])))


def others(devices):
    """A run taken up again where its network lies, and one that diverges."""
    inputs = nr.distributions.Biased(nr.distributions.Uniform())
    problem = nr.Problem(
        nr.distributions.Regression(lambda x: x[:, 0], inputs), nr.losses.Squared()
    )
    network = nr.embeddings.IID(2, 2).sample(8, 0)
    how = {"save_at": 1, "data_nodes": 8, "step": 0.25}  # so that roundings choose no steps
    first = nr.solve(problem, network, 1.0, devices=devices, **how)
    again = nr.solve(problem, first.network, 2.0, since=1.0, **how)
    try:
        nr.train(problem, network, 1e30, 1e32, 1, save_at=2, devices=devices)
    except nr.DivergenceError as error:
        return {"loss": again.loss, "ensemble": again.report.ensemble, "diverged": error.time}


def sums(devices):
    """The largest error of sums over devices that are cut again, repeated: whole numbers, so exact."""
    rng = np.random.default_rng(0)
    over = sharding.mesh(devices)
    found = 0.0
    for n in (512, 1024, 2048, 8192):
        parts = rng.integers(-999, 999, size=(len(devices), 64, n)).astype(np.float32)
        rows = jax.sharding.NamedSharding(over, shards.ROWS)
        placed = jax.make_array_from_callback(parts.shape, rows, lambda at, a=parts: a[at])

        @jax.jit
        def worst(parts, exact, n=n):
            add = shards.summed(len(devices), lambda part: part[0], (shards.ROWS,), n)

            def again(_, carry):
                one, found = carry
                total = add(parts + 0 * one)
                return total[0, 0], jnp.maximum(found, jnp.max(jnp.abs(total - exact)))

            return jax.lax.fori_loop(0, 150, again, (jnp.float32(0), jnp.float32(0)))[1]

        with sharding.within(over):
            found = max(found, float(worst(placed, parts.sum(0))))
    return found


def exchanges(devices):
    """What is exchanged, and which arrays a device holds, by kernel and size."""
    law = nr.distributions.Regression(lambda x: x[:, 0], nr.distributions.Gaussian(2))
    problem = nr.Problem(law, nr.losses.Squared())
    embedding = nr.embeddings.Bidirectional(2, 4, rank=4, gain=1.0)
    data = problem.quadrature(DATA)
    solver = diffrax.Tsit5()
    control = ode.Control(jnp.float32(1e-4), jnp.float32(1e-6), None, 100)
    now, end = jnp.zeros(()), jnp.ones(())
    found, exchanged, shapes = {}, {}, {}
    for kernel, n in SIZES:
        network = sharding.spread(embedding.sample(n, 0, kernel="factored"), devices)
        programs = {}
        with sharding.within(sharding.mesh_of(network)):
            stepper, start = steppers.Dense(solver), network
            if kernel == "dense":
                programs["forming"] = sharding._multiplied_out.lower(network)
                start = network = sharding.with_matrices(network)
            else:
                stepper, start = factored_start(network, solver, control.rtol, control.atol, data)
            if n in (512, 4096):
                programs["ode"] = ode._integrate.lower(
                    start, (), problem, data, stepper, control, end, now, end, end
                )
                programs["sgd"] = sgd.steps.lower(
                    network, None, problem, None, jax.random.key(0), end, 0, 9, DATA, 4
                )
            for name, program in programs.items():
                compiled = program.compile().compiled
                exchanged[kernel, n, name] = communication.collectives(compiled)
                shapes[kernel, n, name] = held(compiled.as_text())
        exchanged[kernel, n, "rhs"] = communication.right_hand_side(problem, network, DATA)
        if kernel == "factored":
            exchanged[kernel, n, "step"] = communication.factored_step(problem, network, DATA)
        parts = jax.tree.leaves(network.weights[1])[0].addressable_shards
        found[kernel, n] = {part.data.shape for part in parts}
    found["exchanged"], found["shapes"] = exchanged, shapes
    try:
        sharding.spread(embedding.sample(10, 0), devices)
    except nr.InvalidInput as error:
        found["refusal"] = str(error)
    return found


def held(text):
    """Shapes of all arrays of a compiled program."""
    return {tuple(map(int, s.split(","))) for s in re.findall(r"\w\d+\[(\d[\d,]*)\]", text)}


def main(kind, *arguments):
    if kind == "process":
        index, count, port = map(int, arguments)
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(
            f"127.0.0.1:{port}", num_processes=count, process_id=index, initialization_timeout=60
        )
    devices = None if kind == "one" else jax.devices()
    found = {}
    for name, double in (("float32", False), ("float64", True)):
        with jax.enable_x64(double):
            found[name] = runs(devices, DONE[kind, name])
    found["others"] = others(devices)
    if devices is not None:
        found["sums"] = sums(devices)
    if kind == "devices":
        found["exchanges"] = exchanges(devices)
    return found


if __name__ == "__main__":
    results = main(*sys.argv[2:])
    Path(sys.argv[1]).write_bytes(pickle.dumps(results))
