"""What one picture does not show: colours for the hidden part of the body, from the part that was seen.

The left side stands in for the right, the front for the back, hair for the back of the head; what is left is diffused
over the surface.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel, free_body, vertex_normals
from ..body.skeleton import JOINT
from .atlas import Atlas, free_body_atlas
from .texture import Baked


BACK_SIDES = ("mirror", "diffuse")
TRUSTED = 0.5
HAIRS = 12  # seen texels of hair averaged for a hidden one
AROUND = 0.12  # metres that a quarter turn around a limb counts for when a stand-in is looked up
FAR = 0.04  # metres to the best stand-in on the same limb from which the other limb is asked
INWARDS = 0.85  # the side of a limb takes what lies a little further in, not the last pixels of the outline
ARMS = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("shoulder", "elbow", "wrist", "hand")]
TRUNK = [JOINT[f"spine{number}"] for number in (1, 2, 3)] + [
    JOINT[name] for name in ("pelvis", "neck", "head", "left_collar", "right_collar")
]
FEET = [JOINT[name] for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")]


@dataclass(frozen=True, eq=False)
class Surface:
    """The rest pose of every texel of an atlas, (N, ...) each."""

    atlas: Atlas
    place: NDArray  # (N, 3) metres on the template
    axis: NDArray  # (N, 3) the point of the limb's axis beside it
    turn: NDArray  # (N,) sine of the angle around it, 0 in front and behind; on the trunk the way from its middle
    head: NDArray  # (N,) skinning weight of the head
    hair: NDArray  # (N,) bool: where hair grows if there is any

    @functools.cached_property
    def partner(self) -> NDArray:
        """For every texel the one at its mirror image, left for right, (N,)."""
        from scipy.spatial import cKDTree

        return cKDTree(self.place).query(self.place * np.array([-1, 1, 1], np.float32), eps=0.3)[1]


@functools.lru_cache(maxsize=2)
def free_body_surface(side: int) -> Surface:
    body, atlas = free_body(), free_body_atlas(side)
    place = atlas.at(body.faces, body.template).numpy()
    head = atlas.at(body.faces, body.weights[:, JOINT["head"], None]).numpy()[:, 0]
    axis, turn = (atlas.at(body.faces, values).numpy() for values in _around_limbs(body))
    return Surface(atlas, place, axis, turn[:, 0], head, _scalp(body, place, head))


def _around_limbs(body: BodyModel) -> tuple[Tensor, Tensor]:
    """For the vertices in rest pose the point of the limb's axis (V, 3) and the turn around it (V, 1).

    Arms lie along x, feet along z, everything else along y. The trunk is flat rather than round: there the way from
    the middle, in units of AROUND, says more than the normal.
    """
    joints = body.joint_regressor @ body.template
    place = body.template[:, None]
    candidate = torch.cat([joints[None, :, :1].expand(len(place), -1, -1), place[..., 1:2].expand(-1, 24, 1)], -1)
    candidate = torch.cat([candidate, joints[None, :, 2:].expand(len(place), -1, -1)], -1)
    candidate[:, ARMS, 0], candidate[:, ARMS, 1] = place[..., 0], joints[None, ARMS, 1]
    candidate[:, TRUNK, 0] = 0
    candidate[:, FEET, 2] = place[..., 2]
    axis = (body.weights[..., None] * candidate).sum(1)
    arm = body.weights[:, ARMS].sum(1, keepdim=True)
    normal = vertex_normals(body.template[None], body.faces)[0]
    trunk = body.weights[:, TRUNK].sum(1, keepdim=True)
    turn = normal[:, :1] * (1 - arm - trunk) + normal[:, 1:2] * arm + body.template[:, :1] / AROUND * trunk
    return axis, turn


def _scalp(body: BodyModel, place: NDArray, head: NDArray) -> NDArray:
    """Behind the ears and above the forehead, down to the nape."""
    at = {name: body.template[body.landmarks[name]].numpy() for name in ("left_ear", "left_eye", "nose")}
    top = float(place[head > 0.5, 1].max())
    forehead = at["left_eye"][1] + 0.6 * (top - at["left_eye"][1])
    behind = (place[:, 2] < at["left_ear"][2]) & (place[:, 1] > at["nose"][1] - 0.03)
    return (head > 0.5) & (behind | (place[:, 1] > forehead))


def filled(surface: Surface, baked: Baked, *, back_side: str) -> NDArray:
    """Colours of all texels (N, 3): seen ones as they are, the others made up."""
    trusted = baked.seen > TRUSTED
    colors = _diffused(surface.atlas, baked)
    if back_side == "mirror":
        _stand_in(surface, baked, trusted, colors)
    _grow_hair(surface, baked.colors, trusted, colors)
    seen = baked.seen[:, None]
    return baked.colors * seen + colors * (1 - seen)


def _stand_in(surface: Surface, baked: Baked, trusted: NDArray, colors: NDArray):
    """Take hidden colours from the same place of the limb's other side, or from the other limb if that is far."""
    from scipy.spatial import cKDTree

    source = np.flatnonzero(trusted & (surface.head < 0.5))
    target = np.flatnonzero((baked.seen < 1) & (surface.head < 0.9))
    if not len(source) or not len(target):
        return
    tree = cKDTree(_limb_feature(surface, source, 1.0))
    distance, nearest = tree.query(_limb_feature(surface, target, INWARDS), eps=0.3)
    chosen = source[nearest]
    partner = surface.partner[target]
    chosen = np.where((distance > FAR) & trusted[partner], partner, chosen)
    # The head is not mirrored, so the copy fades out over the neck.
    share = np.clip(1 - surface.head[target, None], 0, 1)
    colors[target] = baked.colors[chosen] * share + colors[target] * (1 - share)


def _limb_feature(surface: Surface, texels: NDArray, inwards: float) -> NDArray:
    """Where on its limb a texel lies, front and back alike, (n, 4)."""
    return np.concatenate([surface.axis[texels], AROUND * inwards * surface.turn[texels, None]], 1)


def _grow_hair(surface: Surface, shown: NDArray, trusted: NDArray, colors: NDArray):
    """The hidden part of the scalp in the colours of its seen part; nothing happens where none was seen."""
    from scipy.spatial import cKDTree

    visible = np.flatnonzero(surface.hair & trusted)
    if len(visible) < 50:
        return
    height = surface.place[visible, 1]
    crown = shown[visible[height > np.quantile(height, 0.6)]]
    middle = np.median(crown, 0)
    difference = np.abs(shown[visible] - middle).mean(1)
    source = visible[difference <= max(np.median(difference), 10)]
    target = np.flatnonzero(surface.hair & ~trusted)
    count = min(HAIRS, len(source))
    nearest = cKDTree(surface.place[source]).query(surface.place[target], k=[*range(1, count + 1)], eps=0.5)[1]
    colors[target] = shown[source[nearest]].mean(1)


def _diffused(atlas: Atlas, baked: Baked) -> NDArray:
    """Seen colours carried over the surface to all texels, (N, 3): Laplace's equation on the body's vertices."""
    body = free_body()
    corner_faces = body.faces.numpy()[atlas.face.numpy()]  # (N, 3)
    bary = atlas.bary.numpy()
    weight = np.zeros(body.vertices)
    total = np.zeros((body.vertices, 3))
    share = bary * np.where(baked.seen > TRUSTED, baked.seen, 0)[:, None]
    for corner in range(3):
        index = corner_faces[:, corner]
        weight += np.bincount(index, share[:, corner], body.vertices)
        for channel in range(3):
            total[:, channel] += np.bincount(index, share[:, corner] * baked.colors[:, channel], body.vertices)
    known = weight > 0.5
    vertex_colors = _laplace(body.faces, total / np.maximum(weight, 1e-9)[:, None], known)
    return np.einsum("nk,nkc->nc", bary, vertex_colors[corner_faces]).astype(np.float32)


def _laplace(faces: Tensor, values: NDArray, known: NDArray) -> NDArray:
    """Values (V, C) with the unknown ones replaced by the mean of their neighbours, everywhere at once."""
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
