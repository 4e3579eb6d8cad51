"""What the tests of each work share: its run of seconds, and the same where something is broken."""

import jax
import pytest

from neuronal.works import run
from neuronal.works.rows import MEASURED, VIOLATED


def holds(name, least=3):
    """Run a work's seconds: no row violated, and enough of them."""
    rows = run(name, fast=True)
    assert not [(row.claim, row.stated, row.figure) for row in rows if row.status == VIOLATED]
    assert sum(row.status == MEASURED for row in rows) >= least
    assert len({row.claim for row in rows}) == len(rows)
    assert all(row.seconds >= 0 for row in rows)


def broken(name, claims):
    """Run the seconds of a work in which something has been patched; the claims must not hold."""
    jax.clear_caches()  # or programs compiled before the patch would be run
    try:
        rows = run(name, fast=True)
    finally:
        jax.clear_caches()
    found = {row.claim: row.status for row in rows}
    for claim in claims:
        states = {status for told, status in found.items() if claim in told}
        assert states == {VIOLATED}, (claim, found)


def patched(monkeypatch, place, change):
    """Put `change(original)` in the place of `module.name`."""
    module, name = place
    monkeypatch.setattr(module, name, change(getattr(module, name)))


slow = pytest.mark.slow
