"""Cameras for a motion: standing before it, following it, circling it, or as core's 3D viewer holds one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..body.model import free_body
from ..body.person import Person
from ..errors import InputError
from ..geometry.camera import Camera
from ..geometry.rotations import matrix_from_axis_angle
from .edit import smooth_path


CAMERA_SIZE = 1024  # pixels, of the camera that a motion without one gets
BODY_MARGIN = 1.4  # metres around the pelvis that a camera sees at least
CAMERA_CALM = 0.4  # seconds: standard deviation of the window in which a camera averages the way that it follows
VIEWER_SIZE = 5.0  # units: core's 3D viewer scales every model to this along its longest side
VIEWER_FIELD = 75.0  # degrees from top to bottom of its picture, where the viewer does not say
UP = (0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Viewpoint:
    """Where a camera stands, seen from the person.

    `azimuth` turns it around the person, 0 is in front of the way the person faces at first, 90 at the person's left.
    `elevation` raises it. Distance 0 is as near as sees the person whole; `turn_rate` lets it circle.
    """

    azimuth: float = 0.0  # degrees
    elevation: float = 0.0  # degrees
    distance: float = 0.0  # metres from the pelvis
    turn_rate: float = 0.0  # degrees a second, counter-clockwise seen from above


def fixed_camera(person: Person, camera: Camera, viewpoint: Viewpoint = Viewpoint()) -> Camera:
    """`camera` standing still so that it sees the whole way of the pelvis."""
    place = pelvis_path(person)
    low, high = place.amin(0), place.amax(0)
    reach = float((high - low).norm()) / 2
    distance = viewpoint.distance or _distance_to_see(camera, reach + BODY_MARGIN) + reach
    direction = _direction_to_camera(
        torch.tensor([facing_angle(person) + math.radians(viewpoint.azimuth)]), viewpoint.elevation
    )
    target = ((low + high) / 2)[None]
    matrix = look_at(target + distance * direction, target)
    return replace(camera, camera_from_world=matrix.repeat(person.frames, 1, 1))


def following_camera(person: Person, camera: Camera, fps: float, viewpoint: Viewpoint = Viewpoint()) -> Camera:
    """`camera` moving with the person, calmly, and circling them where `viewpoint` has a turn rate."""
    target = smooth_path(pelvis_path(person), CAMERA_CALM * fps)
    seconds = torch.arange(person.frames) / fps
    angle = facing_angle(person) + torch.deg2rad(viewpoint.azimuth + viewpoint.turn_rate * seconds)
    distance = viewpoint.distance or _distance_to_see(camera, BODY_MARGIN)
    return replace(
        camera, camera_from_world=look_at(target + distance * _direction_to_camera(angle, viewpoint.elevation), target)
    )


def viewer_camera(info: Mapping, person: Person, camera: Camera) -> Camera:
    """A LOAD3D_CAMERA of core's 3D viewer as a camera that stands still.

    The viewer puts a model on the origin and scales its longest side to 5 units. So the camera stands to the body, in
    rest at the place where it starts, as it stood to the model. Convention: right-handed, Y up, three.js. Raises
    InputError if the value lacks position or target.
    """
    if info.get("cameraType", "perspective") != "perspective":
        raise InputError("The 3D viewer's camera is orthographic. Switch it to perspective.")
    eye, target = (_read_vector(info, name) for name in ("position", "target"))
    if float((eye - target).norm()) < 1e-6:
        raise InputError("The 3D viewer's camera stands at its own target. Turn the view once, then run again.")
    vertices, _ = free_body().shape(free_body().betas_of(person))
    extent = vertices.amax(0) - vertices.amin(0)
    scale = float(extent.max()) / VIEWER_SIZE
    start = pelvis_path(person)[0]
    origin = torch.stack([start[0], floor_height(person), start[2]])
    matrix = look_at((origin + scale * eye)[None], (origin + scale * target)[None])
    field = math.radians(float(info.get("fov") or VIEWER_FIELD))
    focal = camera.size[1] / 2 / math.tan(field / 2) * float(info.get("zoom") or 1)
    width, height = camera.size
    return Camera(focal, (width / 2, height / 2), camera.size, matrix.repeat(person.frames, 1, 1))


def camera_in_front(person: Person, *, size: tuple[int, int] = (CAMERA_SIZE, CAMERA_SIZE)) -> Camera:
    """The camera that a motion without one gets: it stands still in front of the body and sees all of its way."""
    return fixed_camera(person, Camera.for_size(*size))


def change_lens(camera: Camera, *, size: tuple[int, int], field: float) -> Camera:
    """The camera for pictures of another size; `field` in degrees is its view from top to bottom, 0 keeps the lens."""
    reframed = camera if size == camera.size else camera.reframe(*size)
    if not field:
        return reframed
    return replace(reframed, focal=size[1] / 2 / math.tan(math.radians(field) / 2))


def look_at(eye: Tensor, target: Tensor) -> Tensor:
    """camera_from_world (F, 4, 4) of cameras at `eye` (F, 3) that look at `target` (F, 3), upright.

    From (0, 0, 3) to the origin it is diag(1, -1, -1, 1) with the shift (0, 0, 3).
    """
    forward = normalize(target - eye, dim=1)
    up = forward.new_tensor(UP).expand_as(forward)
    steep = forward[:, 1:2].abs() > 0.999  # looking straight down or up: the picture's top is towards -Z
    up = torch.where(steep, forward.new_tensor([0.0, 0.0, -1.0]), up)
    right = normalize(torch.linalg.cross(forward, up), dim=1)
    linear = torch.stack([right, torch.linalg.cross(forward, right), forward], 1)
    matrix = torch.eye(4).repeat(len(eye), 1, 1)
    matrix[:, :3, :3] = linear
    matrix[:, :3, 3] = -(linear @ eye[..., None])[..., 0]
    return matrix


def pelvis_path(person: Person) -> Tensor:
    """Where the pelvis is, (F, 3)."""
    return person.transl + rest_pelvis(person)


def rest_pelvis(person: Person) -> Tensor:
    """The pelvis of the person's body at rest, (3,)."""
    return free_body().shape(free_body().betas_of(person))[1][0]


def floor_height(person: Person) -> Tensor:
    """The height of the soles if the first frame's body stood at rest, a scalar."""
    body = free_body()
    return body.shape(body.betas_of(person))[0][:, 1].amin() + person.transl[0, 1]


def facing_angle(person: Person) -> float:
    """The way that the body faces in the first frame in which it is visible, radians about +Y from +Z."""
    first = int(person.visible.int().argmax())
    front = matrix_from_axis_angle(person.global_orient[first])[:, 2]
    return math.atan2(float(front[0]), float(front[2]))


def _distance_to_see(camera: Camera, reach: float) -> float:
    """How far a camera stands from what it sees up to `reach` metres around its middle."""
    return reach * 2 * camera.focal / min(camera.size)


def _direction_to_camera(angle: Tensor, elevation: float) -> Tensor:
    """From the person to the camera, (F, 3), of length 1."""
    raised = math.radians(elevation)
    flat = torch.stack([angle.sin(), torch.zeros_like(angle), angle.cos()], 1) * math.cos(raised)
    return (flat + torch.tensor(UP) * math.sin(raised)).float()


def _read_vector(info: Mapping, name: str) -> Tensor:
    try:
        place = info[name]
        vector = torch.tensor([float(place[axis]) for axis in "xyz"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"The 3D viewer's camera has no {name} with x, y and z. Connect camera_info.") from error
    if not torch.isfinite(vector).all():
        raise InputError(f"The {name} of the 3D viewer's camera is not finite. Reset its view.")
    return vector
