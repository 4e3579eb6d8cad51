"""SGD: `train` turns arguments into a driver, `loop` is the compiled loop."""
