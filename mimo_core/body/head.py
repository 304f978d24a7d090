"""A larger head on a body: no shape value of the SMPL family makes the head of a cartoon."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .model import BodyModel
from .skeleton import JOINT


RELIEF = 0.05  # meters: nose, lips and chin of a head of twice the size, which are the fitted body's


def grow_head(body: BodyModel, vertices: Tensor, growth: float) -> Tensor:
    """Vertices (V, 3) of a posed body with a head that many times as large, on the same neck.

    The larger it is, the rounder: whoever has a large head has another nose and chin than the body.
    """
    if growth == 1:
        return vertices
    share = body.weights[:, JOINT["head"], None]
    # Where head and neck share alike is the base of the skull, which stays where it is.
    base = share * (1 - share)
    pivot = (vertices * base).sum(0) / base.sum()
    grown = vertices + (growth - 1) * share * (vertices - pivot)
    return _round_head(body, grown, share, reach=RELIEF * min(growth - 1, 1))


def _round_head(body: BodyModel, vertices: Tensor, share: Tensor, reach: float) -> Tensor:
    """Vertices (V, 3), those of the head without features smaller than `reach` meters, as large as before.

    One implicit step of mean curvature flow (Desbrun et al. 1999).
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    stiffness, area = _list_cotangents(vertices.double(), body.faces)
    weight = sparse.diags(share[:, 0].double().numpy() * reach**2)
    solve = splu((sparse.diags(area) + weight @ stiffness).tocsc()).solve
    smooth = torch.from_numpy(solve(area[:, None] * vertices.double().numpy())).to(vertices)
    is_head = share[:, 0] > 0.5
    spread = vertices[is_head].std(0) / smooth[is_head].std(0)
    full = vertices[is_head].mean(0) + (smooth - smooth[is_head].mean(0)) * spread
    return smooth + share * (full - smooth)


def _list_cotangents(vertices: Tensor, faces: Tensor):
    """The cotangent Laplacian (V, V), sparse and positive, and a third of the area around every vertex (V,)."""
    from scipy import sparse

    count = len(vertices)
    corners = vertices[faces]
    matrix = sparse.csr_matrix((count, count))
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1) / 2
    for at in range(3):
        here, after, before = (corners[:, (at + step) % 3] for step in range(3))
        cotangent = ((after - here) * (before - here)).sum(1) / (2 * area).clamp_min(1e-12)
        start, end = faces[:, (at + 1) % 3].numpy(), faces[:, (at + 2) % 3].numpy()
        half = (cotangent / 2).clamp(0, 10).numpy()  # obtuse angles would make it indefinite
        matrix += sparse.csr_matrix((half, (start, end)), (count, count))
    matrix = matrix + matrix.T
    share = torch.zeros(count, dtype=torch.float64).index_add(0, faces.flatten(), (area / 3).repeat_interleave(3))
    return sparse.diags(np.asarray(matrix.sum(1))[:, 0]) - matrix, share.clamp_min(1e-9).numpy()


def measure_stature(body: BodyModel, betas: Tensor, growth: float) -> float:
    """Height in meters at rest for shape values (10,) and a head that many times as large."""
    height = grow_head(body, body.shape(betas)[0], growth)[:, 1]
    return float(height.max() - height.min())
