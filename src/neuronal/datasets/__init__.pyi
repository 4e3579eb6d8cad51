from .files import table
from .included import BUNDLED, breast_cancer, diabetes, digits, wine
from .shipped import diamonds, keel
from .splits import Split

__all__ = [
    "BUNDLED",
    "Split",
    "breast_cancer",
    "diabetes",
    "diamonds",
    "digits",
    "keel",
    "table",
    "wine",
]
