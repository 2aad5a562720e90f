"""What was made of style pictures, kept while the same ones are asked for again and again."""

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

MOST = 5  # pictures: as many as can be blended
LARGEST = 2**19  # pixels of a picture, so that some hundred MB are kept at most


class Kept:
    """A function of pictures that remembers its latest results.

    The frames of a video and of a camera share a style picture, and so do the runs of whoever moves
    a slider. Pictures are told apart by all their pixels, which takes a thousandth of the time that
    an encoder takes. Where gradients are asked for nothing is remembered.

    Args:
        compute: Maps ``(1, 3, H, W)`` to a tensor, by weights that do not change.
    """

    def __init__(self, compute: Callable[[Tensor], Tensor]) -> None:
        self.compute = compute
        self._latest: deque[tuple[Tensor, Tensor]] = deque(maxlen=MOST)

    def __call__(self, picture: Tensor) -> Tensor:
        """What ``compute`` makes of ``picture``; not to be changed."""
        if torch.is_grad_enabled() or picture[0, 0].numel() > LARGEST:
            return self.compute(picture)
        for known, made in tuple(self._latest):
            if known.device == picture.device and torch.equal(known, picture):
                return made
        made = self.compute(picture)
        self._latest.append((picture.clone(), made))
        return made
