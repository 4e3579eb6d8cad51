"""A run from its experiment to its page: `whole`, and `neuronal.Experiment` (`experiment`)."""
