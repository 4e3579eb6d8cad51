"""One module per claim; ``python -m benchmarks`` runs them. See `benchmarks/__main__.py`."""
