"""The code of the README and of all pages but the guide's prints and draws what they show."""

import pytest
from test_docs import SHOWN, named


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in SHOWN["pages"]() if page.parent.name != "guide"], ids=named
)
def test_the_code_of_a_page_prints_and_draws_what_it_shows(page, shows):
    """If it does not: python docs/shown.py PAGE."""
    shows(page)
