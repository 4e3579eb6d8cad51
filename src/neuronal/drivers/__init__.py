r"""What moves weights in MF time, each driver over the passes of `neuronal.dynamics`.

`sgd` takes steps on samples (section 2.1 of the paper), `ode` integrates equation (2), `flow` carries
one more neuron along a solved limit, equations (3) and (4). The first two are a `driver.Driver`
which `recording.record` runs through the times to record; what is left is a
`trajectory.Trajectory`. `storage` decides whether weights are kept as matrices or as factors.
"""
