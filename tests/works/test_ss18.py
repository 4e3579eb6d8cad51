"""The claims of ss18, in a run of seconds."""

from work_runs import holds


def test_no_claim_is_violated():
    holds("ss18")
