"""Bounds of functions: proofs by interval arithmetic (`intervals`, `forms`), and figures (`search`)."""
