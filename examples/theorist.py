"""The theorist's job: i.i.d. against bidirectional weights at L = 5, all pieces of one's own.

python examples/theorist.py FOLDER
"""

import sys
from pathlib import Path

import jax.numpy as jnp
from scipy import stats

import neuronal as nr


def target(x):  # of one sample (x_1, x_2)
    return jnp.sin(2 * x[0]) * x[1]


folder = Path(sys.argv[1])
ripple = nr.activations.of(lambda h: jnp.tanh(h) + 0.1 * jnp.sin(2 * h), "ripple")
smooth = lambda r: jnp.sqrt(1 + r * r) - 1
law = nr.distributions.Regression(target, [stats.norm(), stats.beta(2, 2)])
problem = nr.Problem(law, nr.losses.of(smooth))
own = nr.embeddings.Bidirectional(2, 5, rank=4, activation=ripple, inputs=law.quadrature(64)[0])
systems = {"i.i.d.": nr.embeddings.IID(2, 5, activation=ripple), "bidirectional": own}

limit = {"nodes": 64, "data_nodes": 32}
experiment = nr.Experiment(problem, systems, 2.0, [32, 128], records=4, limit=limit)
experiment.run(folder, overwrite=True)  # report.html, results.nc, certificate.md, checkpoints
print(nr.certify(problem, own, nodes=32))

coupling = nr.couple(problem, own, [16, 64], 0.1, 0.5, 0, nodes=128, data_nodes=16, save_at=1)
print("exponent in the width:", coupling.rate())  # in theory -1/2
coupling.plot().figure.savefig(folder / "rate.pdf")

nr.save(folder / "coupling.npz", coupling)
again = nr.load(folder / "coupling.npz", own=[target, ripple, smooth])
again.limit.to_xarray().to_netcdf(folder / "limit.nc", engine="h5netcdf")
