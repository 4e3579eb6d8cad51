"""What pictures share: the look (`style`, `paper.mplstyle`), sizes (`sizes`), drawings (`drawings`), figures
as files (`saved`), and HTML (`templates`, `tables`).

`matplotlib.pyplot.style.use("neuronal.pictures.paper")` is the look of the report and the documentation,
`"neuronal.pictures.dark"` the same on dark ground. Each kind of drawing is a small module of plain arrays;
their colours are those of the style in use.
"""

from .sizes import size
from .style import DARK, LIGHT, Theme, shade, shades

__all__ = ["DARK", "LIGHT", "Theme", "shade", "shades", "size"]
