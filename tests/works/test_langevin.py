"""The claims of langevin, in a run of seconds."""

import pytest
from work_runs import holds


@pytest.mark.slow
def test_no_claim_is_violated():
    holds("langevin")
