"""Where the pixels of a video come from: optical flow between two frames, and what it carries."""

import cv2
import numpy as np
from torch import Tensor

from zoo.color import luminance


def origins(first: Tensor, second: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Where in the first frame each pixel of the second one lies, and whether it is seen there.

    Dense inverse search (Kroeger et al., arXiv:1603.03590) in both directions. A pixel is seen in
    both frames where they agree, by the bound of Sundaram et al. (ECCV 2010).

    Args:
        first: Frame ``(1, 3, H, W)`` in [0, 1].
        second: The one after it, of the same size.

    Returns:
        Places ``(H, W, 2)``, x before y, in pixels; and ``(H, W)`` of bool.
    """
    before, after = _grey(first), _grey(second)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    nowhere = np.zeros((*before.shape, 2), np.float32)
    back = flow.calc(after, before, nowhere.copy())
    there = flow.calc(before, after, nowhere)
    height, width = before.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), 2).astype(np.float32)
    places = grid + back
    returned = carried(there, places)
    apart = np.square(back + returned).sum(2)
    moved = np.square(back).sum(2) + np.square(returned).sum(2)
    inside = (places >= 0).all(2) & (places <= (width - 1, height - 1)).all(2)
    return places, inside & (apart <= 0.01 * moved + 0.5)


def carried(array: np.ndarray, places: np.ndarray, *, sharp: bool = False) -> np.ndarray:
    """``array`` ``(H, W, ·)`` at ``places`` ``(H, W, 2)``, x before y, between pixels too.

    With ``sharp`` by Lanczos' kernel, which keeps fine detail and overshoots at edges, else in
    straight lines.
    """
    columns, rows = places[..., 0], places[..., 1]
    between = cv2.INTER_LANCZOS4 if sharp else cv2.INTER_LINEAR
    return cv2.remap(array, columns, rows, between, borderMode=cv2.BORDER_REPLICATE)


def _grey(image: Tensor) -> np.ndarray:
    """Luma of ``(1, 3, H, W)`` as OpenCV takes it: 8 bits, ``(H, W)``."""
    return (255 * luminance(image)[0, 0].clamp(0, 1)).round().byte().cpu().numpy()
