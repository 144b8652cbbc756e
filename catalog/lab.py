"""CIELAB: how far two colours are apart to the eye, and a colour as a screen shows it.

Belongs here: what any room computes with (..., 3) CIELAB arrays (D65). Not here: which pixels of a picture are garment
and their median colour (garments.py), the colours of drawn cloth (drawn/), which words name a colour (training/).
"""

import numpy as np
from skimage.color import deltaE_ciede2000, lab2rgb


def difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """CIEDE2000 of two broadcastable (..., 3) CIELAB arrays: (...) float64."""
    return np.asarray(deltaE_ciede2000(*np.broadcast_arrays(first, second)), np.float64)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """(..., 3) CIELAB to (..., 3) uint8 sRGB, clipped into the gamut."""
    return np.round(np.clip(lab2rgb(np.asarray(lab, np.float64)), 0, 1) * 255).astype(np.uint8)
