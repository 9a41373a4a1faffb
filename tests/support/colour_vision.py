"""How far apart the colours of a palette are, for normal and for colour-blind eyes, in numbers.

Apart because a palette is judged by a measurement and not by the author's own eyes. Colours are sRGB, uint8. About one
man in twelve has one of the red-green deficiencies (protan, deutan); tritan is rare.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Machado, Oliveira & Fernandes (2009), Table 1, severity 1: what linear RGB becomes for eyes that lack one cone type.
PROTANOPIA = np.array(
    [(0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)]
)
DEUTERANOPIA = np.array(
    [(0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)]
)
TRITANOPIA = np.array(
    [(1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)]
)
VISIONS = {
    "normal vision": np.eye(3),
    "protanopia": PROTANOPIA,
    "deuteranopia": DEUTERANOPIA,
    "tritanopia": TRITANOPIA,
}

# Linear sRGB to CIE XYZ (IEC 61966-2-1), and the white that (1, 1, 1) becomes.
XYZ = np.array(
    [(0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041)]
)


class Nearest(NamedTuple):
    """The two colours of a palette that are hardest to tell apart, and the CIELAB distance between them."""

    distance: float
    first: int
    second: int


def simulate(colours: np.ndarray, vision: np.ndarray) -> np.ndarray:
    """What colours look like to a colour-blind eye. Machado et al. (2009).

    Args:
        colours: (..., 3) uint8 sRGB.
        vision: (3, 3) on linear RGB: PROTANOPIA, DEUTERANOPIA or TRITANOPIA.

    Returns:
        (..., 3) uint8 sRGB.
    """
    seen = (_linear(colours) @ vision.T).clip(0, 1)
    srgb = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    return np.rint(255 * srgb).astype(np.uint8)


def lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB lightness, green-red and blue-yellow of sRGB colours under D65: (..., 3) float64. CIE (1976)."""
    ratio = (_linear(colours) @ XYZ.T) / XYZ.sum(axis=1)
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def nearest_colours(palette: np.ndarray, vision: np.ndarray = VISIONS["normal vision"]) -> Nearest:
    """The least distance between two colours of a palette as an eye sees them: Euclidean in CIELAB (CIE 1976).

    Side by side, a distance of 2.3 is just noticed (Mahy et al. 1994); below about 10, colours that are looked up in a
    legend get mixed up.

    Args:
        palette: (N, 3) uint8 sRGB, N at least 2.
        vision: (3, 3), one of VISIONS.

    Returns:
        The distance, and the places of the two colours in the palette.

    Raises:
        ValueError: if there are fewer than two colours.
    """
    palette = np.asarray(palette)
    if palette.ndim != 2 or palette.shape[1] != 3 or len(palette) < 2:
        raise ValueError(f"expected a palette (N, 3) of at least two colours, got shape {palette.shape}")
    places = lab(simulate(palette, vision))
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    distances[np.diag_indices(len(palette))] = np.inf
    first, second = np.unravel_index(distances.argmin(), distances.shape)
    return Nearest(float(distances[first, second]), int(first), int(second))


def contrast(first: np.ndarray, second: np.ndarray) -> float:
    """The contrast ratio of two sRGB colours, 1 to 21: text should have 4.5 and more. WCAG 2.1, 1.4.3."""
    light, dark = sorted((float(_linear(colour) @ XYZ[1]) for colour in (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _linear(colours: np.ndarray) -> np.ndarray:
    srgb = np.asarray(colours) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
