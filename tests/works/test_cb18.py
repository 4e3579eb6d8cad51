"""The claims of cb18, in a run of seconds."""

from work_runs import holds


def test_no_claim_is_violated():
    holds("cb18")
