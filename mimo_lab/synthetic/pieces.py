"""Pieces of clothing that stand off the body: skirts, capes, wide legs and sleeves, hats, hair, bags, all as sheets.

Every function returns sheets in the template's rest pose and takes `room`, the metres that what is worn below stands
off the body. Heights are in `down` (see regions.py). A sheet follows the body vertices near it, in shape and in pose,
unless it hangs: skirts follow the thighs and below the knee the shins, hair follows head and chest.
"""

from __future__ import annotations

import functools

import numpy as np

from mimo_core.body.skeleton import JOINT

from .garments import ClothSheet, anatomy
from .regions import height_of_down, measure_middle


RING_CORNERS = 14  # corners of a swept ring
NEAREST_VERTICES = 12  # vertices of the body that move a point of a sheet


def hanging(
    top: float,
    hem: float,
    *,
    flare: float = 0.05,
    folds: int = 9,
    fold: float = 0.5,
    gap: float = 0.0,
    tiers: int = 0,
    slant: float = 0.0,
    puff: float = 0.0,
    room: float = 0.0,
) -> list[ClothSheet]:
    """A skirt from `top` to `hem`, `flare` metres wider at the hem, with `folds` pleats, open in front by `gap` turns.

    `tiers` makes it step outwards, `slant` lowers one side by metres, `puff` rounds it like a balloon.
    """
    rows, columns = 14, 48
    map_ = anatomy()
    body = map_.points[(map_.arm < 0.3) & (map_.head < 0.3)]
    around = 2 * np.pi * np.linspace(gap / 2, 1 - gap / 2, columns)
    share = np.linspace(0, 1, rows)
    points, widest = [], (0.0, 0.0, 0.0)
    for part, level in zip(share, np.linspace(height_of_down(top), height_of_down(hem), rows), strict=True):
        near = body[np.abs(body[:, 1] - level) < 0.035]
        reach = (np.abs(near[:, 0]).max(), near[:, 2].max(), -near[:, 2].min())
        widest = tuple(max(w * 0.97, r) for w, r in zip(widest, reach, strict=True))
        step = np.floor(part * tiers) / max(tiers, 1) if tiers else part
        off = 0.01 + room + flare * (0.5 * part**1.2 + 0.5 * step if tiers else part**1.2)
        off += puff * np.sin(np.pi * min(part * 1.15, 1))
        depth = np.where(np.cos(around) > 0, widest[1], widest[2]) + off
        crease = 1 + fold * max(flare, 0.02) * part * np.sin(folds * around)
        y = level - slant * part * np.sin(around)
        points.append(np.stack([(widest[0] + off) * np.sin(around) * crease, y, depth * np.cos(around) * crease], 1))
    points = np.concatenate(points).astype(np.float32)
    return [_sheet(points, grid_faces(rows, columns), weights=_hanging_weights(points))]


def _hanging_weights(points: np.ndarray) -> np.ndarray:
    """Waist with the trunk, then with both thighs, then with both shins, smoothly, so that nothing splits."""
    joints = anatomy().joints
    weights = np.zeros((len(points), 24), np.float32)
    y = points[:, 1]
    above = np.clip((y - joints["pelvis"][1]) / 0.12, 0, 1)
    legs = 0.9 * _smooth((joints["pelvis"][1] - y) / 0.35)
    shins = legs * 0.85 * _smooth((joints["left_knee"][1] + 0.1 - y) / 0.25)
    left = 1 / (1 + np.exp(-points[:, 0] / 0.05))
    for side, share in (("left", left), ("right", 1 - left)):
        weights[:, JOINT[f"{side}_hip"]] = (legs - shins) * share
        weights[:, JOINT[f"{side}_knee"]] = shins * share
    weights[:, JOINT["spine1"]] = above * (1 - legs)
    weights[:, JOINT["pelvis"]] = 1 - weights.sum(1)
    return weights


def _smooth(values: np.ndarray) -> np.ndarray:
    values = np.clip(values, 0, 1)
    return values * values * (3 - 2 * values)


def cape(hem: float, *, width: float = 0.24, flare: float = 0.1, room: float = 0.0) -> list[ClothSheet]:
    """A cloth from shoulder to shoulder down the back to `hem`."""
    rows, columns = 14, 30
    map_ = anatomy()
    body = map_.points[(map_.arm < 0.3) & (map_.head < 0.3)]
    points = []
    for part, level in zip(
        np.linspace(0, 1, rows), np.linspace(height_of_down(-0.94), height_of_down(hem), rows), strict=True
    ):
        near = body[np.abs(body[:, 1] - level) < 0.04]
        back = near[:, 2].min() - 0.02 - room - flare * part
        across = np.linspace(-1, 1, columns)
        side = (width + 0.6 * flare * part) * across * (0.62 if part == 0 else 1)
        bulge = 0.09 * across**2 + 0.012 * part * np.sin(9 * across)
        points.append(np.stack([side, np.full(columns, level), back + bulge], 1))
    points = np.concatenate(points).astype(np.float32)
    weights = _hanging_weights(points)
    chest = _smooth((points[:, 1] - map_.joints["spine1"][1]) / 0.2)[:, None]
    upper = np.eye(24, dtype=np.float32)[JOINT["spine3"]]
    return [_sheet(points, grid_faces(rows, columns)[:, ::-1].copy(), weights=weights * (1 - chest) + chest * upper)]


def legs(top: float, hem: float, *, flare: float = 0.03, bell: float = 1.0, room: float = 0.0) -> list[ClothSheet]:
    """Wide trouser legs, `flare` metres off the leg at the hem; a `bell` above 1 widens only towards the hem."""
    map_, sheets = anatomy(), []
    for sign in (1, -1):
        mask = (map_.leg > 0.5) & (sign * map_.points[:, 0] > 0)
        leg = map_.points[mask]
        rings, radii = [], []
        for part, level in zip(
            np.linspace(0, 1, 10), np.linspace(height_of_down(top), height_of_down(hem), 10), strict=True
        ):
            near = leg[np.abs(leg[:, 1] - level) < 0.03]
            low, high = near.min(0), near.max(0)
            rings.append(((low[0] + high[0]) / 2, level, (low[2] + high[2]) / 2))
            off = 0.004 + room + flare * part**bell
            radii.append(((high[0] - low[0]) / 2 + off, (high[2] - low[2]) / 2 + off))
        sheets += sweep(rings, radii, follow=mask, closed=False, sides=18)
    return sheets


def sleeves(start: float, end: float, *, flare: float = 0.03, bell: float = 1.0, drop: float = 0.0, room: float = 0.0):
    """Wide sleeves between two places along the arm; `drop` metres lets the lower edge hang, as a kimono's."""
    map_, sheets = anatomy(), []
    shoulder, wrist = map_.joints["left_shoulder"][0], map_.joints["left_wrist"][0]
    for sign in (1, -1):
        mask = (map_.arm > 0.5) & (sign * map_.points[:, 0] > 0)
        arm = map_.points[mask]
        rings, radii = [], []
        for part, along in zip(np.linspace(0, 1, 9), np.linspace(start, end, 9), strict=True):
            x = sign * (shoulder + along * (wrist - shoulder))
            near = arm[np.abs(arm[:, 0] - x) < 0.025]
            low, high = near.min(0), near.max(0)
            off = 0.004 + room + flare * part**bell
            hang = drop * part**bell
            rings.append((x, (low[1] + high[1] - hang) / 2, (low[2] + high[2]) / 2))
            radii.append(((high[1] - low[1] + hang) / 2 + off, (high[2] - low[2]) / 2 + off))
        sheets += sweep(rings, radii, follow=mask, closed=False, sides=16)
    return sheets


def lathe(
    profile: tuple[tuple[float, float], ...],
    *,
    line: float = 0.048,
    tilt: float = 0.0,
    shift: float = 0.0,
    room: float = 0.0,
) -> list[ClothSheet]:
    """A crown on the head: (metres above `line` over the eyes, share of the head's girth there) from below to above.

    `tilt` leans it back by metres a metre, `shift` moves it back.
    """
    level = anatomy().eye[1] + line
    side, front, back = measure_girth(level)
    rings, radii = [], []
    for rise, share in profile:
        rings.append((0, level + rise, (front + back) / 2 - tilt * rise - shift))
        grow = 0.008 + room if share > 0.05 else 0
        radii.append((side * share + grow, (front - back) / 2 * share + grow))
    return sweep(rings, radii, sides=24, follow="head", closed=profile[-1][1] < 0.05)


def measure_girth(level: float) -> tuple[float, float, float]:
    """Half width, front and back of the head at a height in metres."""
    map_ = anatomy()
    skull = map_.points[map_.weights[:, JOINT["head"]] > 0.5]
    near = skull[np.abs(skull[:, 1] - level) < 0.02]
    return float(np.abs(near[:, 0]).max()), float(near[:, 2].max()), float(near[:, 2].min())


def brim(
    reach: float,
    *,
    span: float = 0.5,
    turn: float = 0.0,
    line: float = 0.048,
    sag: float = 0.25,
    curl: float = 0.0,
    room: float = 0.0,
) -> list[ClothSheet]:
    """The brim of a hat, `reach` metres wide, over `span` turns to each side of where it points (0 = the front).

    It sinks by `sag` metres a metre; `curl` bends the sides up.
    """
    rows, columns = 6, 48
    level = anatomy().eye[1] + line
    side, front, back = measure_girth(level)
    middle_, depth = (front + back) / 2, (front - back) / 2
    around = 2 * np.pi * (np.linspace(-span, span, columns))
    points = []
    for out in np.linspace(0, 1, rows):
        taper = np.cos(around / (4 * span)) if span < 0.5 else 1.0
        add = 0.004 + room + reach * out * taper
        angle = around + 2 * np.pi * turn
        y = level - sag * reach * out + curl * out * np.sin(angle) ** 2
        y = np.broadcast_to(y, columns)
        points.append(np.stack([(side + add) * np.sin(angle), y, middle_ + (depth + add) * np.cos(angle)], 1))
    points = np.concatenate(points).astype(np.float32)
    return [_sheet(points, grid_faces(rows, columns)[:, ::-1].copy(), follow="head")]


def fall(
    length: float, *, width: float = 0.03, span: float = 0.33, wave: float = 0.0, back: float = 0.0, room: float = 0.0
) -> list[ClothSheet]:
    """Hair from the crown over `span` turns to each side of the back, to `length` metres below the ears.

    `width` metres is how much it spreads, `wave` how deep it curls, `back` how far it stands off.
    """
    rows, columns = 14, 40
    map_ = anatomy()
    end = map_.ear[1] - length
    around = np.pi + 2 * np.pi * np.linspace(-span, span, columns)
    points = []
    for level in np.linspace(map_.crown - 0.012, end, rows):
        side, _, behind = measure_girth(max(level, map_.ear[1]))
        sink = np.clip((map_.ear[1] - level) / 0.25, 0, 1)
        curl = 1 + wave * sink * np.sin(70 * level + 3 * np.cos(3 * around))
        wide = (side + 0.012 + room + width * sink) * curl
        depth = map_.ear[2] - (behind - 0.016 - room - (0.02 + back) * sink)
        depth = depth * np.cos(around) * np.where(np.cos(around) < 0, 1, 0.35) * curl
        points.append(np.stack([wide * np.sin(around), np.full(columns, level), map_.ear[2] + depth], 1))
    points = np.concatenate(points).astype(np.float32)
    return [_sheet(points, grid_faces(rows, columns), weights=_hair_weights(points))]


def _hair_weights(points: np.ndarray) -> np.ndarray:
    weights = np.zeros((len(points), 24), np.float32)
    chest = 0.55 * np.clip((anatomy().nose[1] - 0.06 - points[:, 1]) / 0.2, 0, 1)
    weights[:, JOINT["head"]], weights[:, JOINT["spine3"]] = 1 - chest, chest
    return weights


def tail(
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    *,
    thick: float = 0.03,
    knots: int = 0,
    lift: float = 0.05,
    room: float = 0.0,
) -> list[ClothSheet]:
    """A tail of hair from `start` to `end`, metres from the middle between the eyes, arched by `lift`.

    `knots` beads it like a braid.
    """
    middle_ = anatomy().eye * (0, 1, 0) + (0, 0, anatomy().ear[2])
    count = 16
    time = np.linspace(0, 1, count)[:, None]
    path = middle_ + np.array(start) * (1 - time) + np.array(end) * time
    path[:, 2] -= lift * 4 * time[:, 0] * (1 - time[:, 0])
    shape = np.interp(time[:, 0], (0, 0.12, 0.7, 1), (0.5, 1, 0.8, 0.02))
    if knots:
        shape = shape * (0.72 + 0.4 * np.abs(np.sin(np.pi * knots * time[:, 0])))
    radii = np.repeat((thick * shape)[:, None], 2, 1)
    (sheet,) = sweep(path, radii, sides=10)
    return [_sheet(sheet.points, sheet.faces, weights=_hair_weights(sheet.points), closed=True)]


def ball(center: tuple[float, float, float], radii: tuple[float, float, float], *, on: str = "head", room=0.0):
    """An ellipsoid on the head (metres from the middle between the ears at eye height) or the trunk (x, down, z)."""
    if on == "head":
        center = np.array(center) + (0, anatomy().eye[1], anatomy().ear[2])
    else:
        center = np.array([center[0], height_of_down(center[1]), measure_middle(height_of_down(center[1])) + center[2]])
    angle = np.linspace(0, np.pi, 9)
    path = center - np.stack([0 * angle, np.cos(angle) * radii[1], 0 * angle], 1)
    rings = np.sin(angle)[:, None] * (np.array([radii[0], radii[2]]) + room)
    return sweep(path, rings, follow="head" if on == "head" else _trunk())


def ring(level: float, *, thick: float = 0.03, slack: float = 0.0, tilt: float = 0.0, room: float = 0.0):
    """A roll around the neck or the trunk at height `level`: a scarf, a collar, a belt pouch's strap."""
    y = height_of_down(level)
    map_ = anatomy()
    near = map_.points[(np.abs(map_.points[:, 1] - y) < 0.025) & (map_.arm < 0.3) & (np.abs(map_.points[:, 0]) < 0.25)]
    low, high = near.min(0), near.max(0)
    if level < -0.9:  # the neck; the shoulders are wider
        low, high = np.array([-0.062, 0, -0.05]), np.array([0.062, 0, 0.075])
    around = np.linspace(0, 2 * np.pi, 25)
    out = room + slack + 0.5 * thick
    x = ((high[0] - low[0]) / 2 + out) * np.sin(around)
    z = (low[2] + high[2]) / 2 + ((high[2] - low[2]) / 2 + out) * np.cos(around)
    path = np.stack([x, y - tilt * np.cos(around), z], 1)
    return sweep(path, np.full((25, 2), thick / 2), follow=_trunk(), sides=10)


def strip(x: float, top: float, bottom: float, *, width: float = 0.06, thick: float = 0.02, behind: bool = False,
          lean: float = 0.0, stand: float = 0.0, room: float = 0.0) -> list[ClothSheet]:  # fmt: skip
    """A flat band that hangs on the front (or back) of the trunk: an end of a scarf, a tie, an apron.

    Between heights `top` and `bottom`; `lean` metres to the side at its end, `stand` metres off the body.
    """
    levels = np.linspace(height_of_down(top), height_of_down(bottom), 9)
    map_ = anatomy()
    body = map_.points[(map_.arm < 0.3) & (map_.head < 0.3)]
    path, sign = [], -1 if behind else 1
    for part, level in zip(np.linspace(0, 1, 9), levels, strict=True):
        near = body[(np.abs(body[:, 1] - level) < 0.035) & (np.abs(body[:, 0] - x) < width / 2 + 0.05)]
        reach = (near[:, 2] * sign).max() if len(near) else 0.08
        path.append((x + lean * part, level, sign * (reach + room + stand + 0.6 * thick)))
    radii = np.full((9, 2), (width / 2, thick / 2))
    radii[[0, -1]] *= 0.3
    return sweep(path, radii, follow=_trunk(), square=0.5)


def block(
    x: float,
    level: float,
    size: tuple[float, float, float],
    *,
    behind: bool = True,
    side: bool = False,
    room: float = 0.0,
) -> list[ClothSheet]:
    """A bag of `size` (width, height, depth) metres centred at `level` on the back or front, or at the hip's side."""
    y = height_of_down(level)
    map_ = anatomy()
    body = map_.points[(map_.arm < 0.3) & (map_.head < 0.3)]
    near = body[np.abs(body[:, 1] - y) < 0.5 * size[1]]
    sign = -1 if behind else 1
    z = sign * ((near[:, 2] * sign).max() + size[2] / 2 + room)
    if side:
        x, z = np.sign(x) * (np.abs(near[:, 0]).max() + size[0] / 2 + room), measure_middle(y) - 0.03
    part = np.array([-1, -0.97, -0.85, 0, 0.7, 0.95, 1.0])
    path = np.stack([np.full(7, x), y + part * size[1] / 2, np.full(7, z)], 1)
    radii = np.array([0.02, 0.85, 1, 1, 0.97, 0.8, 0.02])[:, None] * (size[0] / 2, size[2] / 2)
    return sweep(path, radii, follow=_trunk(), square=0.35, sides=20)


def sweep(
    path, radii, *, follow="head", closed: bool = True, sides: int = RING_CORNERS, square: float = 1.0
) -> list[ClothSheet]:
    """A tube along `path` (P, 3) with half widths `radii` (P, 2) across and towards the front.

    `square` below 1 makes the cross-section a rounded rectangle.
    """
    path, radii = np.asarray(path, np.float64), np.asarray(radii, np.float64)
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.cross(along, (0.0, 0.0, 1.0))
    if np.linalg.norm(across, axis=1).min() < 0.3:
        across = np.cross(along, (0.0, 1.0, 0.0))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    outward = np.cross(across, along)
    turn = 2 * np.pi * np.arange(sides) / sides
    cos, sin = (np.sign(v) * np.abs(v) ** square for v in (np.cos(turn), np.sin(turn)))
    points = (
        path[:, None]
        + across[:, None] * (radii[:, :1] * cos)[..., None]
        + outward[:, None] * (radii[:, 1:] * sin)[..., None]
    ).reshape(-1, 3)
    number = np.arange(len(path) * sides).reshape(len(path), sides)
    a, c = number[:-1], number[1:]
    b, d = np.roll(a, -1, 1), np.roll(c, -1, 1)
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    inner = np.repeat(path, sides, 0)
    corner = points[faces]
    normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    if (normals * (corner - inner[faces]).mean(1)).sum() < 0:
        faces = faces[:, ::-1].copy()
    return [_sheet(points.astype(np.float32), faces, follow=follow, closed=closed)]


def grid_faces(rows: int, columns: int) -> np.ndarray:
    """Faces of rows x columns points, rows downwards and columns towards the left of the body seen from the front."""
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])


def _sheet(points, faces, *, weights=None, follow=None, closed: bool = False) -> ClothSheet:
    """A sheet that follows the body near it; its pose by `weights`, or as those parts of the body do."""
    near, share = find_anchors(points, follow)
    if isinstance(follow, str):
        weights = np.zeros((len(points), 24), np.float32)
        weights[:, JOINT["head"]] = 1
    elif weights is None:
        weights = (anatomy().weights[near] * share[..., None]).sum(1)
    return ClothSheet(points, faces, weights.astype(np.float32), 0, anchors=(near, share), closed=closed)


def find_anchors(points: np.ndarray, part) -> tuple[np.ndarray, np.ndarray]:
    """The body vertices (N, NEAR) that move each point, and their shares. `part` is a mask (V,), "head" or None."""
    if isinstance(part, str):
        part = anatomy().weights[:, JOINT["head"]] > 0.5
    tree, rows = _tree(None if part is None else part.tobytes())
    distance, near = tree.query(points, NEAREST_VERTICES)
    share = np.exp(-(distance - distance[:, :1]) / 0.03)
    return rows[near], (share / share.sum(1, keepdims=True)).astype(np.float32)


@functools.cache
def _tree(mask: bytes | None):
    from scipy.spatial import cKDTree

    rows = np.arange(len(anatomy().points)) if mask is None else np.flatnonzero(np.frombuffer(mask, bool))
    return cKDTree(anatomy().points[rows]), rows


def _trunk() -> np.ndarray:
    map_ = anatomy()
    return (map_.arm < 0.3) & (map_.head < 0.5)
