"""Where a sheet of cloth or hair ends on the picture: in a smooth line, not in the steps of its coarse mesh.

At the figure's outline the matte ends it. It also ends inside the figure, where an arm or a hand lay over it, and that
is known only on the mesh's grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


REACH = 2  # pixels of the mesh that it goes on beyond the sheet's end
ROUNDING, SHARPNESS = 1.2, 4.0  # pixels of the mesh over which corners are rounded; how steep the end is after that
CRUMB_AREA = 0.01  # of the figure's area: smaller pieces that hang on nothing are left out
VISIBLE = 64  # alpha from which pieces hang together


def reach_beyond(bound: NDArray) -> NDArray:
    """Depth and weights (H, W, 25) of a sheet, 0 beside it, carried on by REACH pixels."""
    from scipy.ndimage import distance_transform_edt

    away, nearest = distance_transform_edt(bound[..., 0] == 0, return_indices=True)
    return np.where((away <= REACH)[..., None], bound[tuple(nearest)], 0)


def end_smoothly(alpha: NDArray, region: NDArray, anchored: NDArray) -> NDArray:
    """The alpha (H, W) uint8 of a sheet that lies on a `region` (h, w) bool of a coarser grid.

    `anchored` (h, w) bool is what its pieces may hang on: small ones that do not touch it are what fingers have left.
    """
    import cv2

    ended = np.round(alpha * round_region(region, alpha.shape)).astype(np.uint8)
    crumbs = _find_crumbs(cv2.resize(ended, region.shape[::-1], interpolation=cv2.INTER_AREA) > VISIBLE, anchored)
    kept = cv2.resize((~crumbs).astype(np.uint8), alpha.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return ended * kept


def round_region(region: NDArray, shape: tuple[int, int]) -> NDArray:
    """A `region` (h, w) bool of a grid on a picture (H, W), 0 to 1: its edge is a smooth line instead of steps."""
    import cv2

    share = cv2.GaussianBlur(region.astype(np.float32), (0, 0), ROUNDING)
    return np.clip((cv2.resize(share, shape[::-1]) - 0.5) * SHARPNESS + 0.5, 0, 1)


def _find_crumbs(shown: NDArray, anchored: NDArray) -> NDArray:
    """Small pieces of what is `shown` (h, w) bool that do not touch what is `anchored` (h, w) bool, and their rims."""
    import cv2

    figure = shown | anchored
    labels, stats = cv2.connectedComponentsWithStats(figure.astype(np.uint8), connectivity=8)[1:3]
    is_crumb = stats[:, cv2.CC_STAT_AREA] < CRUMB_AREA * figure.sum()
    is_crumb[labels[anchored]] = False
    is_crumb[0] = False
    return (cv2.dilate(is_crumb[labels].astype(np.uint8), np.ones((5, 5))) > 0) & (is_crumb[labels] | ~figure)
