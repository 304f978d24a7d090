"""A synthetic shot and everything that is true about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..body.model import free_body
from ..body.skeleton import JOINT
from ..body.stature import of_stature, stature_of
from ..camera import Camera
from ..errors import InputError
from ..motion.motion import Motion, Person
from .appearance import Look, look, sheets, volume
from .figure import Figure, Posing, draw, skinned
from .framing import CAMERAS, film
from .garments import Dressed, dress
from .light import CELLS, REACH, Light, studio_light
from .motions import a_pose, perform, stand
from .passing import Cutout, View, fixed_occluder, mover, moving_occluder
from .scenery import Rays, Scenery, build, cast, coarse
from .streams import stream


OCCLUDERS = ("none", "fixed", "moving")


@dataclass(frozen=True, eq=False)
class Shot:
    """Frames and their exact truth. Masks are 0 to 255; (F, H, W) unless said otherwise.

    The plate is the shot as it would have been filmed without the person: no person, no shadow of the person, but
    with the sensor's same noise and with what passes in front, just as the plate of a Scene. So it equals the frames
    wherever neither person nor shadow is. The background is the plate without what passes in front.
    """

    seed: int
    character: int
    frames: np.ndarray  # (F, H, W, 3) uint8
    plate: np.ndarray  # (F, H, W, 3) uint8
    background: np.ndarray  # (F, H, W, 3) uint8
    person: np.ndarray  # uint8, the whole person, hidden or not
    visible: np.ndarray  # uint8, what is seen of the person
    occluder: np.ndarray  # uint8, alpha of what passes in front
    mover: np.ndarray  # uint8, alpha of what moves elsewhere and never touches the person
    shadow: np.ndarray  # uint8, how much the person's shadow darkens
    depth: np.ndarray  # float32 metres along the camera's z, of what is seen
    parts: np.ndarray  # uint8, SMPL joint + 1 of the person's surface, hidden or not
    flow: np.ndarray  # (F - 1, H, W, 2) float32, pixels that what is seen moves until the next frame
    motion: Motion
    kind: str  # of motion
    camera: str  # one of CAMERAS
    passing: str  # one of OCCLUDERS

    @property
    def fps(self) -> float:
        return self.motion.fps


@dataclass(frozen=True, eq=False)
class Picture:
    """A character before a neutral background."""

    image: np.ndarray  # (H, W, 3) uint8
    mask: np.ndarray  # (H, W) uint8
    motion: Motion  # of one frame: the true body and camera


def shot(
    seed: int,
    *,
    size: int | tuple[int, int] = 256,
    frames: int = 16,
    fps: float = 12,
    character: int | None = None,
    camera: str | None = None,
    passing: str | None = None,
    place: str | None = None,
    performance: str | None = None,
    samples: int = 2,
) -> Shot:
    """The shot of a seed, `size` pixels square or (width, height).

    `character` puts another seed's character into it: same performance, place, camera and passing things; body shape
    (at the first one's stature, which no picture tells), hair and clothes of the other. `camera`, `passing`, `place`
    and `performance` choose what the seed would; `samples` squared rays are drawn a pixel.

    Of six seeds in a row three have a panning camera and two something that moves elsewhere; nothing, a fixed thing
    and a moving thing in front take turns every six seeds.
    """
    size = (size, size) if isinstance(size, int) else size
    if min(size) < 16 or frames < 1 or not fps > 0:
        raise InputError(f"A shot needs at least 16x16 pixels, 1 frame and a frame rate, got {size}, {frames}, {fps}.")
    camera = camera or CAMERAS[seed % 2]
    passing = passing or OCCLUDERS[seed // 6 % 3]
    if camera not in CAMERAS or passing not in OCCLUDERS:
        raise InputError(
            f"A shot's camera is one of {CAMERAS} and passing one of {OCCLUDERS}, got {camera}, {passing}."
        )
    stage = _stage(seed, size, frames, fps, camera, passing, place, performance)
    actor = stage.actor if character in (None, seed) else _act(character, stage.performance, fps, like=stage.actor)
    figure = draw(actor.look, actor.dressed, actor.posed, stage.camera, stage.scenery.light, samples=samples)
    layers = _compose(seed, stage, actor, figure)
    motion = Motion((actor.person,), fps, stage.camera)
    chosen = seed if character is None else character
    return Shot(seed, chosen, **layers, motion=motion, kind=stage.performance.kind, camera=camera, passing=passing)


@dataclass(frozen=True, eq=False)
class Actor:
    """A dressed character in action."""

    look: Look
    dressed: Dressed
    person: Person
    posed: Posing

    @property
    def points(self) -> np.ndarray:
        """The surface in the world, (F, V, 3)."""
        return self.posed.vertices.numpy()


@dataclass(frozen=True, eq=False)
class Stage:
    """A shot before anybody is drawn."""

    performance: object
    actor: Actor
    camera: Camera
    scenery: Scenery
    in_front: Cutout | None
    elsewhere: Cutout | None
    view: View


def _stage(seed, size, frames, fps, camera, passing, place, performance) -> Stage:
    seconds = np.arange(frames) / fps
    performed = perform(stream(seed, "motion"), seconds, kind=performance)
    actor = _act(seed, performed, fps)
    points = actor.points[:, ::7]
    lens = film(stream(seed, "camera"), points, size, kind=camera)
    scenery = build(stream(seed, "scenery"), lens, place=place)
    view = View.of(lens, points)
    rng = stream(seed, "occluder")
    in_front = None
    if passing == "fixed":
        in_front = fixed_occluder(rng, view)
    elif passing == "moving":
        in_front = moving_occluder(rng, view, seconds)
    elsewhere = None
    if seed % 3 == 0:
        far = view.distance + min(1.5, 0.7 * scenery.distance)
        small = lens.scaled(*coarse(size, 96))
        there = _where(small, points)
        elsewhere = mover(stream(seed, "mover"), view, View.of(small, points), seconds, there, far)
    return Stage(performed, actor, lens, scenery, in_front, elsewhere, view)


def _where(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Roughly the pixels of a person given by points (F, N, 3): (F, H, W) bool."""
    import cv2

    width, height = camera.size
    pixels = camera.project(torch.from_numpy(points)).numpy()
    masks = np.zeros((len(points), height, width), np.uint8)
    for mask, places in zip(masks, np.round(pixels).astype(int), strict=True):
        inside = ((places >= 0) & (places < (width, height))).all(1)
        mask[places[inside, 1], places[inside, 0]] = 1
        reach = max(1, round(0.02 * height))
        cv2.dilate(mask, np.ones((2 * reach + 1,) * 2, np.uint8), dst=mask)
    return masks > 0


def _act(character: int, performance, fps: float, *, like: Actor | None = None) -> Actor:
    """Dress a character and let it perform, standing on the floor; at the stature of `like` if given."""
    worn = look(character)
    betas, body = worn.betas, free_body()
    if like is not None:
        betas = of_stature(body, betas, stature_of(body, like.person.betas))
    dressed = dress(betas, volume(worn), sheets(worn))
    rotations = torch.from_numpy(performance.rotations())
    frames = len(rotations)
    person = Person(betas, rotations[:, 0], rotations[:, 1:].flatten(1), torch.zeros(frames, 3))
    transforms = body.pose(person).transforms
    posed = skinned(dressed, transforms)
    feet = torch.stack([posed.vertices[:, _soles(dressed, side)] for side in ("left", "right")], 1)
    footing = stand(feet.numpy(), performance.lift, fps=fps)
    transl = torch.from_numpy(footing.transl)
    person = replace(person, transl=transl, contacts=torch.from_numpy(footing.contacts))
    return Actor(worn, dressed, person, posed.moved(transl))


def _soles(dressed: Dressed, side: str) -> torch.Tensor:
    """The lowest 40 vertices of a foot, so that both sides have as many."""
    weight = dressed.weights[:, JOINT[f"{side}_ankle"]] + dressed.weights[:, JOINT[f"{side}_foot"]]
    return torch.where(weight > 0.6, dressed.rest[:, 1], 1e3).topk(40, largest=False).indices


def _compose(seed: int, stage: Stage, actor: Actor, figure: Figure) -> dict[str, np.ndarray]:
    """All pictures of the shot, frame by frame."""
    width, height = stage.camera.size
    frames = len(figure.alpha)
    rng = stream(seed, "sensor")
    grain = rng.uniform(0.8, 2.6)
    masks = ("person", "visible", "occluder", "mover", "shadow")
    layers = {name: np.zeros((frames, height, width, 3), np.uint8) for name in ("frames", "plate", "background")}
    layers |= {name: np.zeros((frames, height, width), np.uint8) for name in masks}
    layers |= {"depth": np.zeros((frames, height, width), np.float32), "parts": figure.parts}
    layers["flow"] = np.zeros((frames - 1, height, width, 2), np.float32)
    rays = view = None
    for frame in range(frames):
        if rays is None or not _still(stage.camera, frame):
            rays = cast(stage.camera, frame, stage.scenery.distance)
            view = stage.scenery.view(rays)
        pictures = _layers(stage, actor, figure, frame, rays, view)
        noise = grain * rng.standard_normal((height, width, 3), dtype=np.float32)
        for name in ("frames", "plate", "background"):
            layers[name][frame] = np.clip(np.rint(pictures[name] * 255 + noise), 0, 255)
        for name in masks:
            layers[name][frame] = np.rint(np.clip(pictures[name], 0, 1) * 255)
        layers["depth"][frame] = pictures["depth"]
        if frame + 1 < frames:
            layers["flow"][frame] = _flow(stage, figure, frame, pictures)
    return layers


def _still(camera: Camera, frame: int) -> bool:
    """True where the camera has not moved since the frame before."""
    return frame > 0 and torch.equal(camera.camera_from_world[frame], camera.camera_from_world[frame - 1])


def _layers(stage: Stage, actor: Actor, figure: Figure, frame: int, rays: Rays, view: np.ndarray) -> dict:
    """One frame's pictures and masks in 0..1, and its depth."""
    alpha, size = figure.alpha[frame], stage.camera.size
    depth = rays.depth
    background, moved = view, np.zeros_like(alpha)
    if stage.elsewhere is not None:
        thing = stage.elsewhere.layer(stage.view, frame, size)
        moved = thing[..., 3]
        background = background * (1 - moved[..., None]) + thing[..., :3]
        depth = np.where(moved > 0.5, stage.elsewhere.distance, depth)
    shadow = _shadow(stage.scenery.light, actor.points[frame], rays) * (1 - moved)
    filmed = background * (1 - shadow)[..., None] * (1 - alpha)[..., None] + figure.rgb[frame]
    depth = np.where(alpha > 0.5, figure.depth[frame], depth)
    plate, occluder = background, np.zeros_like(alpha)
    if stage.in_front is not None:
        thing = stage.in_front.layer(stage.view, frame, size)
        occluder = thing[..., 3]
        filmed, plate = (picture * (1 - occluder[..., None]) + thing[..., :3] for picture in (filmed, plate))
        depth = np.where(occluder > 0.5, stage.in_front.distance, depth)
    return {
        "frames": filmed, "plate": plate, "background": background, "person": alpha, "visible": alpha * (1 - occluder),
        "occluder": occluder, "mover": moved * (1 - occluder), "shadow": shadow * (1 - occluder), "depth": depth,
    }  # fmt: skip


def _shadow(light: Light, points: np.ndarray, rays: Rays) -> np.ndarray:
    """How much the body darkens the floor, (H, W) in 0..1."""
    import cv2

    middle = points[:, [0, 2]].mean(0)
    map_ = light.floor_shadow(points, middle)
    columns, rows = (((rays.x, rays.z)[axis] - middle[axis]) / REACH * CELLS / 2 + CELLS / 2 - 0.5 for axis in (0, 1))
    seen = cv2.remap(map_, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)
    return np.where(rays.is_floor & (seen > 1 / 255), seen, 0)


def _flow(stage: Stage, figure: Figure, frame: int, pictures: dict) -> np.ndarray:
    """Pixels (H, W, 2) by which what is seen moves until the next frame."""
    width, height = stage.camera.size
    lens = stage.view.pixel_from_tangent
    flow = _homography_flow(lens[frame + 1] @ np.linalg.inv(lens[frame]), width, height)
    for thing, mask in ((stage.elsewhere, "mover"), (None, "person"), (stage.in_front, "occluder")):
        if mask == "person":
            moved = figure.flow[frame]
        elif thing is not None:
            moved = _homography_flow(thing.flow(stage.view, frame), width, height)
        else:
            continue
        flow = np.where(pictures[mask][..., None] > 0.5, moved, flow)
    return flow


def _homography_flow(matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    x = np.arange(width)[None] + 0.5
    y = np.arange(height)[:, None] + 0.5
    u, v, w = (matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2] for row in range(3))
    return np.stack([u / w - x, v / w - y], -1).astype(np.float32)


def character_picture(seed: int, *, size: int = 512, back: bool = False, samples: int = 3) -> Picture:
    """The character of a seed in A-pose from the front, or from the back, before a neutral background."""
    worn = look(seed)
    dressed = dress(worn.betas, volume(worn), sheets(worn))
    pose = torch.from_numpy(a_pose())
    if back:
        pose[:, 0, 1] = np.pi
    person = Person(worn.betas, pose[:, 0], pose[:, 1:].flatten(1), torch.zeros(1, 3))
    posed = skinned(dressed, free_body().pose(person).transforms)
    low, high = posed.vertices.amin((0, 1)), posed.vertices.amax((0, 1))
    focal = 2.4 * size
    distance = float(high[1] - low[1]) * focal / (0.86 * size)
    shift = torch.stack([-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, torch.tensor(-distance)])
    person = replace(person, transl=shift[None])
    lens = Camera(focal, (size / 2, size / 2), (size, size), torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))[None])
    figure = draw(worn, dressed, posed.moved(shift[None]), lens, studio_light(), samples=samples)
    rng = stream(seed, "picture")
    wall = np.linspace(1.0, 0.9, size, dtype=np.float32)[:, None, None] * rng.uniform(0.62, 0.85)
    alpha = figure.alpha[0][..., None]
    image = wall * (1 - alpha) + figure.rgb[0] + rng.normal(0, 0.003, (size, size, 3))
    image, mask = (np.clip(np.rint(value * 255), 0, 255).astype(np.uint8) for value in (image, figure.alpha[0]))
    return Picture(image, mask, Motion((person,), 24.0, lens))
