from .files import table
from .included import BUNDLED, breast_cancer, diabetes, digits, wine
from .shipped import diamonds, fair, keel
from .splits import Split

__all__ = [
    "BUNDLED",
    "Split",
    "breast_cancer",
    "diabetes",
    "diamonds",
    "digits",
    "fair",
    "keel",
    "table",
    "wine",
]
