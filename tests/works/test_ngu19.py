"""The claims of ngu19, in a run of seconds."""

import pytest
from work_runs import holds


@pytest.mark.slow
def test_no_claim_is_violated():
    holds("ngu19")
