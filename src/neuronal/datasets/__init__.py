"""Real data as finite laws: scikit-learn's bundled sets, and tables of the user's own.

Every loader gives a `Split`: 75 % of the rows to train on and 25 % to test on (stratified by
class), inputs standardised by the training part, a constant coordinate 1 appended (the
paper's layers have no biases). Class labels become class numbers 0, 1, ...; regression targets
are standardised, and `Split` keeps their scale.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
