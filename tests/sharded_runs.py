"""Runs over several devices, as `test_sharding` has them done in processes of their own.

`sharded_runs.py OUT devices N` runs on one and on N forced host devices; `sharded_runs.py OUT
process I N PORT` runs as one of N processes with a device each. Results go to the file OUT.
"""

import os
import pickle
import re
import sys

UNTIL = 1.0
BETWEEN = 0.7
"""A time that is not recorded: `Trajectory.at` has to run on to it."""


def runs(devices):
    """Losses, predictions and step counts of every kind of run, by name."""
    x = np.linspace(-1, 1, 7)[:, None] * [1.0, 0.0] + [0.0, 1.0]
    targets = np.stack([np.sin((j + 1) * x[:, 0]) for j in range(4)], axis=1)
    inputs = nr.distributions.Biased(nr.distributions.Uniform())
    law = nr.distributions.Regression(lambda x: jnp.sin(4 * x[:, 0]), inputs)
    problem = nr.Problem(law, nr.losses.PseudoHuber())
    four = nr.Problem(nr.distributions.Empirical(x, targets), nr.losses.Squared())
    embedding = nr.embeddings.Bidirectional(2, 4, rank=4, gain=1.0)
    iid = nr.embeddings.IID(2, 5, mean=0.5)
    two = nr.embeddings.IID(2, 2, output_dim=4).sample(8, 3)
    how = {"data_nodes": 24, "save_at": 2, "devices": devices}
    train = {"until": UNTIL, "key": 1, "save_at": 2, "devices": devices}
    trajectories = {
        "dense limit": nr.solve(problem, embedding, UNTIL, 64, kernel="dense", **how),
        "factored limit": nr.solve(problem, embedding, UNTIL, 1536, kernel="factored", **how),
        "iid limit": nr.solve(problem, iid, UNTIL, 64, **how),
        "network of four outputs": nr.solve(four, two, UNTIL, **how),
        "sgd, one sample": nr.train(problem, embedding.sample(256, 0), 0.05, **train),
        "sgd, batches": nr.train(problem, embedding.sample(64, 0), 0.05, batch_size=8, **train),
        "sgd, factored": nr.train(
            problem, embedding.sample(512, 0, kernel="factored"), 0.05, batch_size=2, **train
        ),
    }
    found = {
        name: {
            "loss": run.loss,
            "predictions": np.asarray(run.predict(x)),
            "between": np.asarray(run.at(BETWEEN)(x)),
            "steps": (run.report.steps, run.report.rejected, run.report.ranks),
        }
        for name, run in trajectories.items()
    }
    again = nr.solve(problem, trajectories["dense limit"].network, 2.0, since=UNTIL, data_nodes=24)
    found["dense limit"]["taken up again"] = np.asarray(again.loss)
    try:
        nr.train(problem, embedding.sample(256, 0), 1e30, 1e32, 1, save_at=2, devices=devices)
    except nr.DivergenceError as error:
        found["sgd, one sample"]["diverged"] = error.time
    return found


def exchanges(devices):
    """What is exchanged, and which arrays a device holds, at two sizes each."""
    law = nr.distributions.Regression(lambda x: x[:, 0], nr.distributions.Gaussian(2))
    problem = nr.Problem(law, nr.losses.Squared())
    embedding = nr.embeddings.Bidirectional(2, 4, rank=4, gain=1.0)
    data = problem.quadrature(DATA)
    found = {}
    for kernel, sizes in (("dense", (512, 1024)), ("factored", (2048, 4096))):
        for n in sizes:
            factors = sharding.spread(embedding.sample(n, 0, kernel="factored"), devices)
            network = sharding.with_matrices(factors) if kernel == "dense" else factors
            programs = {"forming": sharding._multiplied_out.lower(factors)}
            solver = diffrax.Tsit5()
            tolerances = jnp.float32(1e-4), jnp.float32(1e-6)
            control = ode.Control(*tolerances, None, 100)
            stepper, start = steppers.Dense(solver), network
            now, end = jnp.zeros(()), jnp.ones(())
            with sharding.active(sharding.mesh_of(network)):
                if kernel == "factored":
                    stepper, start = factored_start(network, solver, *tolerances, data)
                programs = {
                    "forming": sharding._multiplied_out.lower(factors),
                    "ode": ode._integrate.lower(
                        start, problem, data, stepper, control, end, now, end
                    ),
                    "sgd": sgd.steps.lower(
                        network, problem, None, jax.random.key(0), end, 0, 9, DATA, 4
                    ),
                }
                if kernel == "factored":
                    del programs["forming"]
                compiled = {name: p.compile().compiled for name, p in programs.items()}
            found[kernel, n] = {
                "rhs": communication.right_hand_side(problem, network, DATA),
                "programs": {name: communication.collectives(c) for name, c in compiled.items()},
                "held": {name: held(c.as_text()) for name, c in compiled.items()},
                "weights": [w.addressable_shards[0].data.shape for w in jax.tree.leaves(network)],
            }
            if kernel == "factored":
                found[kernel, n]["step"] = communication.factored_step(problem, network, DATA)
    try:
        sharding.spread(embedding.sample(10, 0), devices)
    except nr.InvalidInput as error:
        found["refusal"] = str(error)
    return found


def held(text):
    """Shapes of all arrays of a compiled program."""
    return {tuple(map(int, s.split(","))) for s in re.findall(r"\w\d+\[(\d[\d,]*)\]", text)}


DATA = 16

if __name__ == "__main__":
    out, kind, *arguments = sys.argv[1:]
    if kind == "devices":
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={arguments[0]}"
    else:
        os.environ["XLA_FLAGS"] = ""
    os.environ["JAX_PLATFORMS"] = "cpu"

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import neuronal as nr
from neuronal import communication, ode, sgd, sharding, steppers
from neuronal.start import factored_start


def main(kind, *arguments):
    if kind == "process":
        index, count, port = map(int, arguments)
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(
            f"127.0.0.1:{port}", num_processes=count, process_id=index, initialization_timeout=60
        )
    found = {}
    for name, double in (("float32", False), ("float64", True)):
        with jax.enable_x64(double):
            found[name, "many"] = runs(jax.devices())
            if kind == "devices":
                found[name, "one"] = runs(None)
    if kind == "devices":
        found["exchanges"] = exchanges(jax.devices())
    return found


if __name__ == "__main__":
    found = main(kind, *arguments)
    with open(out, "wb") as file:
        pickle.dump(found, file)
