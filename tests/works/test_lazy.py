"""The claims of lazy, in a run of seconds."""

from work_runs import holds


def test_no_claim_is_violated():
    holds("lazy")
