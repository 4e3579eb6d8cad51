"""Experiments: a TOML file in, a folder with results, checkpoints and a page out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
