"""Colours carried over the body's surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body
from .atlas import Atlas
from .texture import TRUSTED_SHARE, BakedTexture


def diffuse_colors(atlas: Atlas, baked: BakedTexture) -> NDArray:
    """Seen colors carried over the surface to all texels, (N, 3): Laplace's equation on the body's vertices."""
    body = free_body()
    corner_faces = body.faces.numpy()[atlas.face.numpy()]  # (N, 3)
    bary = atlas.bary.numpy()
    weight = np.zeros(body.vertices)
    total = np.zeros((body.vertices, 3))
    share = bary * np.where(baked.seen > TRUSTED_SHARE, baked.seen, 0)[:, None]
    for corner in range(3):
        index = corner_faces[:, corner]
        weight += np.bincount(index, share[:, corner], body.vertices)
        for channel in range(3):
            total[:, channel] += np.bincount(index, share[:, corner] * baked.colors[:, channel], body.vertices)
    known = weight > 0.5
    vertex_colors = _solve_laplace(body.faces, total / np.maximum(weight, 1e-9)[:, None], known)
    return np.einsum("nk,nkc->nc", bary, vertex_colors[corner_faces]).astype(np.float32)


def _solve_laplace(faces: Tensor, values: NDArray, known: NDArray) -> NDArray:
    """Values (V, C) with the unknown ones replaced by the mean of their neighbors, everywhere at once."""
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    if known.all() or not known.any():
        return values if known.any() else np.full_like(values, 128.0)
    count = len(values)
    triangles = faces.numpy()
    rows = triangles[:, [0, 1, 2]].ravel()
    columns = triangles[:, [1, 2, 0]].ravel()
    links = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), (count, count)).tocsr()
    links = ((links + links.T) > 0).astype(float)
    laplacian = sparse.diags(np.asarray(links.sum(1)).ravel() + 1e-6) - links  # the rest keeps lone parts solvable
    free = ~known
    mean = values[known].mean(0)
    right = -(laplacian[free][:, known] @ (values[known] - mean))
    solved = values.copy()
    solved[free] = spsolve(laplacian[free][:, free].tocsc(), right) + mean
    return solved
