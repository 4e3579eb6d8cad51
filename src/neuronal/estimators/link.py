"""Where the documentation of an estimator is: the link that scikit-learn's displays have."""

from __future__ import annotations

import os
from importlib import metadata
from urllib.parse import quote

VARIABLE = "NEURONAL_DOCS"
_PAGE = "api/estimators.html#neuronal.{estimator_name}"
_SAFE = "%/:?&=@~+,;!*()"


def template() -> str:
    """The address of an estimator's documentation, with scikit-learn's field; empty if none is known.

    The site is where `NEURONAL_DOCS` says, a folder's `file:` address too, else where the package's
    metadata have its documentation.
    """
    site = os.environ.get(VARIABLE, "") or declared()
    return f"{quote(site, safe=_SAFE).rstrip('/')}/{_PAGE}" if site else ""


def declared() -> str:
    """The address of the documentation in the package's metadata; empty if there is none."""
    try:
        found = metadata.metadata("neuronal").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    pairs = [line.partition(",") for line in found]
    return next((url.strip() for name, _, url in pairs if name.lower() == "documentation"), "")
