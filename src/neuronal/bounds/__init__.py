"""Bounds of functions: proofs by interval arithmetic, figures by search, and how an answer is given."""
