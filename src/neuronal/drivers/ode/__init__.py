"""The MF ODE: `solve` turns arguments into a driver, `integrate` takes the steps of a `stepper`."""
