"""The mean-field theory of multilayer neural networks, made executable.

A network is the mean-field system on an ensemble of neurons: see `neuronal.dynamics`. The names
that the package offers stand in `__init__.pyi`; each is imported when it is first used.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
