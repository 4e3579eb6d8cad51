r"""What the paper claims, and where it is: numbers are those of Pham and Nguyen (2020).

What the paper defines lives outside this folder:

- (1), the L-layer network of width n and its backward pass: `neuronal.dynamics`, `neuronal.network`
- section 2.1, SGD with learning rates $\epsilon\,\xi_i(k\epsilon)$: `neuronal.drivers.sgd` (`nr.train`)
- section 2.2, neuronal embeddings $(\Omega, P, \{w_i^0\})$: `neuronal.embeddings`
- (2), the mean-field limit: `neuronal.dynamics`, solved by `neuronal.drivers.ode` (`nr.solve`)
- (3) and (4), forward and backward flow of one neuron: `neuronal.drivers.flow` (`nr.flow`,
  `nr.reverse_flow`)

What it assumes is answered here, condition by condition (`nr.certify`, in `theory.certificate`).
Facts and proofs are on the things: activations, losses, schedules, laws and embeddings state
them, with the means of `neuronal.bounds`; what they do not state is measured here or unknown.

- Assumption 1.1, regularity: `certificate.regularity` of $\varphi_i$, $\mathcal{L}$ and $X$,
  `certificate.schedules` of $\xi_i$, `certificate.moments` of $w_i^0$
- Assumption 1.2, bidirectional diversity: `certificate.diversity`; the embedding that has it:
  `neuronal.embeddings.bidirectional`
- Assumption 1.3, convergence of the weights: `certificate.convergence`
- three layers of independent weights, by the theorem of Pham and Nguyen (ICLR 2021):
  `certificate.independent`
- Assumption 1.4, universal approximation: `certificate.approximation`

What it proves:

- Theorem 1, existence and uniqueness by Picard's iteration: `theory.picard`
- Theorem 2, global convergence, both cases: `certificate.conclusion`; that $\xi_L = 1$:
  `certificate.schedules`
- Corollary 3, the triple limit of the risk: `theory.corollary3`
- section 4, networks coupled with their limit: `theory.coupling`, which runs `theory.systems`; their
  exponents and prefactors: `theory.fits`, `theory.rates`; what the limit alone says of them:
  `theory.prediction`, by `theory.fluctuations`
"""
