"""Lab: the colours of a photograph in CIELAB, fast enough for every pixel.

Belongs here: the conversion. Not here: what is decided by it (border.py, contours.py).
"""

import numpy as np

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
# sRGB's primaries to XYZ, rows divided by the white point D65.
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / np.array([[0.95047], [1.0], [1.08883]])


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of sRGB pixels.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (..., 3) float32: L 0 to 100, a and b about -128 to 127.
    """
    xyz = _LINEAR[rgb] @ _TO_XYZ.T.astype(np.float32)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), xyz * np.float32(24389 / 27 / 116) + np.float32(16 / 116))
    lightness = 116 * f[..., 1] - 16
    return np.stack([lightness, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def squared(change: np.ndarray) -> np.ndarray:
    """Squared lengths of (..., 3) vectors: (...) of the same type."""
    return dot(change, change)


def dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Products of (..., 3) vectors: (...) of the same type. Some times as fast as a sum over so short an axis."""
    total: np.ndarray = left[..., 0] * right[..., 0] + left[..., 1] * right[..., 1] + left[..., 2] * right[..., 2]
    return total
