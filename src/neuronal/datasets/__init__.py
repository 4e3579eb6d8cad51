"""Real data as finite laws: scikit-learn's bundled sets, and tables of the user's own.

Every loader gives a `Split`: 75 % of the rows to train on and 25 % to test on (stratified by
class), inputs standardised by the training part, a constant coordinate 1 appended (the
paper's layers have no biases). Class labels become class numbers 0, 1, ...; regression targets
are standardised, and `Split` keeps their scale.
"""

from .files import table
from .included import BUNDLED, breast_cancer, diabetes, digits, wine
from .splits import Split

__all__ = ["BUNDLED", "Split", "breast_cancer", "diabetes", "digits", "table", "wine"]
