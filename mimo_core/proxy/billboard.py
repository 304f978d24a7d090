"""A character without a body, a drawing or an object, as a flat card that stands where the driver stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.height import measure_height
from ..body.landmarks import landmark_weights
from ..body.model import free_body
from ..geometry.box import Box
from ..identity.bust import EARS_APART, Bust
from ..motion.motion import Motion
from ..pose.blazepose import EARS
from .skin import TexturedMesh


LARGEST_BUST = 1.3  # of the size that the driver's head gives it
OFTEN = 0.9  # of the frames in which the picture's lower border is reached
SAMPLED = 32  # frames that tell
LEAST_HEIGHT, LARGEST_HEIGHT = 0.5, 1.2  # of the driver's height: how far a card follows a crouch or a jump


def make_billboard(colors: NDArray, matte: NDArray) -> TexturedMesh:
    """The card of a picture's colors (H, W, 3), cut to the box of its matte (H, W)."""
    box = Box.of_mask(matte)
    texture = np.dstack([np.clip(box.cut(colors) + 0.5, 0, 255).astype(np.uint8), box.cut(matte)])
    height, width = texture.shape[:2]
    place = torch.tensor([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    faces = torch.tensor([[0, 2, 1], [0, 3, 2]])
    return TexturedMesh(faces, place[faces], texture, two_sided=True)


def place_billboard(motion: Motion, aspect: float) -> Tensor:
    """World corners (F, 4, 3) of a card: top left, top right, bottom right, bottom left, as the camera sees it.

    It is as tall as the driver, shrinks when the driver crouches, stands upright on the driver's soles, and turns
    about its upright axis to face the camera.
    """
    body, person = free_body(), motion.person
    posed = body.pose(person)
    betas = body.betas_of(person)
    height = measure_height(body, betas)
    pelvis = posed.joints[:, 0]
    rest, joints = body.shape(betas)
    standing = joints[0, 1] - rest[:, 1].amin()
    ground = torch.minimum(posed.vertices[..., 1].amin(1), pelvis[:, 1])
    scale = ((pelvis[:, 1] - ground) / standing).clamp(LEAST_HEIGHT, LARGEST_HEIGHT)
    foot = torch.stack([pelvis[:, 0], ground, pelvis[:, 2]], 1)
    right = _camera_right(motion, foot) * (height * scale * aspect / 2)[:, None]
    up = torch.zeros_like(foot)
    up[:, 1] = height * scale
    return torch.stack([foot + up - right, foot + up + right, foot + right, foot - right], 1)


def reach_down(motion: Motion, bust: Bust, size: tuple[int, int]) -> Bust:
    """The bust of a card (width, height), larger where its lower end would be seen, by at most LARGEST_BUST."""
    shown = motion.person.visible.nonzero()[:, 0].tolist()
    shares = []
    for frame in shown[:: max(1, len(shown) // SAMPLED)]:
        now = motion[frame : frame + 1]
        corners = place_bust(now, bust, size)
        top, low = now.camera.project(corners[:, [0, 3]])[0, :, 1].tolist()
        ears = top + bust.y / size[1] * (low - top)
        shares.append((now.camera.size[1] - ears) / max(low - ears, 1.0))
    wanted = float(np.quantile(shares, OFTEN)) if shares else 1.0
    return replace(bust, meter=bust.meter / min(max(wanted, 1.0), LARGEST_BUST))


def place_bust(motion: Motion, bust: Bust, size: tuple[int, int]) -> Tensor:
    """World corners (F, 4, 3) of a card (width, height) with a bust on it, in the order of `place_billboard`.

    The middle of its ears is the driver's, its head is as large as the driver's, and it stands upright before the
    camera.
    """
    body, person = free_body(), motion.person
    ears = landmark_weights()[list(EARS)] @ body.pose(person).vertices
    middle = ears.mean(1)
    meter = (ears[:, 0] - ears[:, 1]).norm(dim=1) / EARS_APART / bust.meter  # meters of the world in a pixel
    right = _camera_right(motion, middle)
    up = torch.zeros_like(middle)
    up[:, 1] = 1.0
    corners = [(0, 0), (size[0], 0), size, (0, size[1])]
    places = [middle + meter[:, None] * ((x - bust.x) * right + (bust.y - y) * up) for x, y in corners]
    return torch.stack(places, 1)


def _camera_right(motion: Motion, point: Tensor) -> Tensor:
    """Level unit vectors (F, 3) to the right as the camera sees points (F, 3)."""
    camera_from_world = motion.camera.extrinsics().to(point).expand(len(point), 4, 4)
    eye = -(camera_from_world[:, :3, :3].mT @ camera_from_world[:, :3, 3:])[..., 0]
    sight = (point - eye) * point.new_tensor([1.0, 0.0, 1.0])
    # A camera straight above looks along no level direction; its own upwards will do.
    sight = torch.where(sight.norm(dim=1, keepdim=True) > 1e-3, sight, -camera_from_world[:, 1, :3])
    right = torch.linalg.cross(sight, sight.new_tensor([0.0, 1.0, 0.0]).expand_as(sight))
    return torch.nn.functional.normalize(right, dim=1)
