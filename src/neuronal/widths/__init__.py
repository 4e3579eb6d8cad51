"""The width as a dial: fewer neurons of a trained network (`resample`), or more (`grow`)."""
