"""What pictures share: the look (`style`, `paper.mplstyle`), sizes (`sizes`), drawings (`drawings`), figures
as files (`saved`), and HTML (`templates`, `tables`).

`matplotlib.pyplot.style.use("neuronal.pictures.paper")` is the look of the report and the documentation.
"""

from .sizes import size
from .style import DARK, LIGHT, Theme, shade, shades

__all__ = ["DARK", "LIGHT", "Theme", "shade", "shades", "size"]
