"""A picture in a notebook that is replaced in place: samples while a network trains, a loss curve as it grows.

Apart from the widgets because it needs no ipywidgets: IPython's own display can be updated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sdm_lite.progress import is_static
from sdm_lite.viz import alt_text, figure_png, png_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LiveImage:
    """A picture that is replaced in place.

    `with LiveImage() as live: ... live.update(picture)`. In static mode only the last picture is shown, when the block
    ends, after an interruption too. Outside of a notebook nothing is shown; the last PNG is in `png` all the same.

    Attributes:
        png: bytes of the last picture, or None before the first.
        alt: the last picture in words, which its PNG carries.
    """

    def __init__(self):
        self.png: bytes | None = None
        self.alt = ""
        self._handle: Any = None
        self._shown: bytes | None = None

    def update(self, picture: np.ndarray | Figure) -> None:
        """Shows another picture in place of the last.

        Args:
            picture: uint8 (H, W, 3), or a figure.
        """
        is_array = isinstance(picture, np.ndarray)
        self.png = png_bytes(picture) if is_array else figure_png(picture)
        self.alt = "a picture that is replaced while something runs" if is_array else alt_text(picture)
        if not is_static():
            self._show()

    def __enter__(self) -> LiveImage:
        """Returns itself; nothing is shown before the first update."""
        return self

    def __exit__(self, *_: object) -> None:
        """Shows the last picture, if it is not shown already, and lets any exception pass."""
        if self.png is not self._shown:
            self._show()

    def _show(self) -> None:
        self._shown = self.png
        try:
            from IPython import get_ipython
            from IPython.display import Image, display
        except ImportError:
            return
        if get_ipython() is None:
            return
        image = Image(data=self.png, metadata={"alt": self.alt})
        if self._handle is None:
            self._handle = display(image, display_id=True)
        else:
            self._handle.update(image)
