"""glTF 2.0 (Khronos), binary or as JSON, and VRM's animations: animated skeletons."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import InputError
from ..geometry.rotations import matrix_from_quaternion, quaternion_from_matrix, slerp
from .bones import find_bones
from .skeletal_animation import SkeletalAnimation, round_frame_rate


MAGIC, VERSION = b"glTF", 2
JSON_CHUNK, BIN_CHUNK = 0x4E4F534A, 0x004E4942
LARGEST_JSON = 256 << 20  # with data URIs
LARGEST_BUFFER = 1 << 30
LISTED_ANIMATIONS = 20
GLTF_UP_TRUST = (
    1.25  # glTF 2.0, section 3.4: +Y is up; more than that somebody stands along another axis, see upright.py
)
MOST_NODES = 20_000
MOST_GLB_VALUES = 50_000_000  # of all node transforms together
COMPONENT_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
STEP_SLACK = 1e-4  # seconds
SLOWEST, FASTEST, USUAL = 5.0, 240.0, 30.0  # frames a second; keys further apart or closer are taken at the usual rate


@dataclass(frozen=True, eq=False)
class _AnimatedNodes:
    """The node transforms of a file over F frames, world from node."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    world: Tensor  # (F, N, 4, 4)
    still: Tensor  # (N, 4, 4) without any animation
    fps: float
    moved: frozenset[int]  # nodes that the animation moves
    notes: tuple[str, ...]


class Glb:
    """An opened file: its JSON and its numbers, checked as they are asked for.

    `content` is a binary .glb, or the JSON of a .gltf whose buffers are data URIs or files beside it in `folder`.
    """

    def __init__(self, content: bytes, file: str, folder: Path | None = None):
        self.file, self.folder = file, folder
        is_json = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
        text, self.binary = (content, memoryview(b"")) if is_json else self._chunks(content)
        self.json = self._parse(text)
        self._buffers: dict[int, memoryview] = {}

    def _chunks(self, content: bytes) -> tuple[bytes, memoryview]:
        if len(content) < 20 or content[:4] != MAGIC:
            raise InputError(f"{self.file} is no binary glTF file (.glb).")
        version, length = struct.unpack_from("<II", content, 4)
        if version != VERSION:
            raise InputError(f"{self.file} is glTF {version}; version 2 is read. Export it again.")
        if length > len(content):
            raise InputError(f"{self.file} is cut off: {len(content)} of {length} bytes. Export it again.")
        chunks, place = {}, 12
        while place + 8 <= length:
            size, kind = struct.unpack_from("<II", content, place)
            if place + 8 + size > length:
                raise InputError(f"{self.file} is damaged: a part of it is longer than the file.")
            chunks.setdefault(kind, memoryview(content)[place + 8 : place + 8 + size])
            place += 8 + size + (-size) % 4
        return bytes(chunks.get(JSON_CHUNK, b"")), chunks.get(BIN_CHUNK, memoryview(b""))

    def _parse(self, text: bytes) -> dict:
        if not 0 < len(text) <= LARGEST_JSON:
            raise InputError(f"{self.file} is damaged: it has no description, or one above {LARGEST_JSON >> 20} MB.")
        try:
            described = json.loads(text.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.file} is damaged: its description is no JSON ({error}).") from error
        if not isinstance(described, dict):
            raise InputError(f"{self.file} is damaged: its description is no glTF.")
        return described

    def _buffer(self, number: int) -> memoryview:
        """The bytes of a buffer: the binary part, a data URI, or a file beside a .gltf."""
        uri = self.json["buffers"][number].get("uri")
        if uri is None:
            return self.binary
        if number not in self._buffers:
            self._buffers[number] = memoryview(self._read_uri(str(uri)))
        return self._buffers[number]

    def _read_uri(self, uri: str) -> bytes:
        head, _, data = uri.partition(",")
        if head[:5].lower() == "data:":
            try:
                packed = head.lower().endswith(";base64")
                return base64.b64decode("".join(data.split()), validate=True) if packed else unquote_to_bytes(data)
            except ValueError as error:
                raise InputError(f"{self.file} is damaged: its data URI is no base64 ({error}).") from error
        name = unquote(uri).removeprefix("./")
        if self.folder is None or Path(name).name != name or not (self.folder / name).is_file():
            raise InputError(
                f"{self.file} keeps its numbers in another file, {name[:80]}, which is not beside it. Export it as one "
                ".glb, or put the file into the same folder."
            )
        path = self.folder / name
        if path.stat().st_size > LARGEST_BUFFER:
            raise InputError(f"{name} has {path.stat().st_size >> 20} MB; at most {LARGEST_BUFFER >> 20} MB are read.")
        return path.read_bytes()

    def accessor(self, number: int) -> np.ndarray:
        """The numbers of an accessor, (count, width) float64; normalised integers as fractions. Raises InputError."""
        entry = self.json["accessors"][number]
        width, count = WIDTHS[entry["type"]], int(entry["count"])
        kind = np.dtype(COMPONENT_TYPES[entry["componentType"]]).newbyteorder("<")
        if "sparse" in entry or "bufferView" not in entry:
            raise InputError(f"{self.file} stores numbers sparsely, which is not read. Export it without that option.")
        view = self.json["bufferViews"][entry["bufferView"]]
        packed = sorted(name for name in view.get("extensions", {}) if name.endswith("meshopt_compression"))
        if packed:
            raise InputError(
                f"{self.file} is compressed with meshopt ({packed[0]}), which is not read. Export it without."
            )
        binary = self._buffer(view["buffer"])
        step = int(view.get("byteStride", 0)) or width * kind.itemsize
        start = int(view.get("byteOffset", 0)) + int(entry.get("byteOffset", 0))
        end = start + (count - 1) * step + width * kind.itemsize
        if count < 1 or start < 0 or step < width * kind.itemsize or end > len(binary):
            raise InputError(f"{self.file} is damaged: it declares {count} numbers that it does not hold.")
        flat = np.ndarray((count, width), kind, binary, start, (step, kind.itemsize)).astype(np.float64)
        if entry.get("normalized") and kind.kind in "iu":
            flat = np.maximum(flat / np.iinfo(kind).max, -1.0)
        return flat


def read_glb(
    content: bytes,
    *,
    file: str,
    folder: Path | None = None,
    animation: str = "",
    names: Mapping[str, str] | None = None,
) -> SkeletalAnimation:
    """An animation of a glTF file (.glb, .gltf or .vrma), on the first skeleton whose bones are known by name.

    `animation` chooses by name; without one the longest is read. `folder` is where the buffers of a .gltf may lie.
    Bones that a VRM extension names count by that name; `names` is the map for `find_bones`. Raises InputError
    naming `file` where it is damaged, has no animation, or is compressed in a way that is not read.
    """
    glb = Glb(content, file, folder)
    try:
        nodes = glb.json.get("nodes", [])
        parents = _parents(nodes, file)
        animated = _sample_nodes(glb, nodes, parents, animation)
        return _choose_skeleton(glb, animated, names)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is damaged: its parts do not fit together ({error!r}).") from error


def name_animation(entry: Mapping, number: int) -> str:
    """What an animation of a glTF file is called, or its number where it has no name."""
    return str(entry.get("name") or f"animation {number}") if isinstance(entry, dict) else f"animation {number}"


def _parents(nodes: list[Mapping], file: str) -> tuple[int, ...]:
    if not 0 < len(nodes) <= MOST_NODES:
        raise InputError(f"{file} has {len(nodes)} nodes; 1 to {MOST_NODES} are read.")
    parents = [-1] * len(nodes)
    for number, node in enumerate(nodes):
        for child in node.get("children", []):
            if parents[child] >= 0 or child == number:
                raise InputError(f"{file} is damaged: node {child} hangs on two others.")
            parents[child] = number
    for start in range(len(nodes)):
        seen, node = 0, start
        while node >= 0:
            node, seen = parents[node], seen + 1
            if seen > len(nodes):
                raise InputError(f"{file} is damaged: its nodes hang on each other in a circle.")
    return tuple(parents)


def _sample_nodes(glb: Glb, nodes: list[Mapping], parents: tuple[int, ...], wanted: str) -> _AnimatedNodes:
    chosen, notes = _choose_animation(glb, wanted)
    times, fps = _frame_times(chosen, len(nodes), glb.file)
    local = [_local(node, number, chosen, times) for number, node in enumerate(nodes)]
    resting = [_local(node, number, {}, times[:1]) for number, node in enumerate(nodes)]
    names = [str(node.get("name", f"node {number}")) for number, node in enumerate(nodes)]
    for bone, number in _vrm_bones(glb.json).items():
        names[number] = bone
    world, still = _chain(local, parents), _chain(resting, parents)[0]
    moved = frozenset(number for number, _ in chosen)
    return _AnimatedNodes(tuple(names), parents, world, still, fps, moved, notes)


def _choose_animation(glb: Glb, wanted: str) -> tuple[dict, tuple[str, ...]]:
    """The keys of the animation of that name, or of the longest one, and a note where there are several."""
    animations = glb.json.get("animations") or []
    names = [name_animation(entry, number) for number, entry in enumerate(animations)]
    if wanted and wanted not in names:
        listed = ", ".join(names[:LISTED_ANIMATIONS]) or "none"
        raise InputError(f"{glb.file} has no animation {wanted!r}. It has: {listed}.")
    keys = {number: _keys(glb, entry) for number, entry in enumerate(animations) if wanted in ("", names[number])}
    keys = {number: each for number, each in keys.items() if each}
    if not keys:
        raise InputError(f"{glb.file} has no animation. Export it with its animation.")
    length = {
        number: max(t[-1] for t, *_ in each.values()) - min(t[0] for t, *_ in each.values())
        for number, each in keys.items()
    }
    best = max(keys, key=length.get)
    notes = ()
    if len(keys) > 1:
        listed = ", ".join(names[number] for number in list(keys)[:LISTED_ANIMATIONS])
        notes = (f"{glb.file} holds {len(keys)} animations: {listed}. {names[best]!r}, the longest, is read.",)
    return keys[best], notes


def _vrm_bones(described: Mapping) -> dict[str, int]:
    """Nodes by the name that a VRM file gives them: VRM 1.0, VRM animation (.vrma), or VRM 0."""
    extensions = described.get("extensions", {})
    for name in ("VRMC_vrm_animation", "VRMC_vrm"):
        if name in extensions:
            bones = extensions[name]["humanoid"]["humanBones"]
            return {str(bone): int(entry["node"]) for bone, entry in bones.items() if int(entry["node"]) >= 0}
    if "VRM" in extensions:
        return {str(entry["bone"]): int(entry["node"]) for entry in extensions["VRM"]["humanoid"]["humanBones"]}
    return {}


def _keys(glb: Glb, animation: Mapping) -> dict[tuple[int, str], tuple]:
    """(node, path) to (times (K,), values (K, ...), interpolation)."""
    found = {}
    for channel in animation.get("channels", []):
        target = channel["target"]
        if "node" not in target or target["path"] not in ("translation", "rotation", "scale"):
            continue
        sampler = animation["samplers"][channel["sampler"]]
        times = glb.accessor(sampler["input"])[:, 0]
        values = glb.accessor(sampler["output"])
        way = sampler.get("interpolation", "LINEAR")
        each = 3 if way == "CUBICSPLINE" else 1
        if len(values) != each * len(times) or not (np.diff(times) >= 0).all() or not np.isfinite(values).all():
            raise InputError(f"{glb.file} is damaged: keys of {target['path']} do not fit, or are not finite.")
        found[target["node"], target["path"]] = (times, values.reshape(len(times), each, -1), way)
    return found


def _frame_times(keys: Mapping, nodes: int, file: str) -> tuple[np.ndarray, float]:
    start = min(times[0] for times, *_ in keys.values())
    end = max(times[-1] for times, *_ in keys.values())
    densest = max((times for times, *_ in keys.values()), key=len)
    gap = float(np.median(np.diff(densest))) if len(densest) > 1 else 0.0
    fps = round_frame_rate(gap) if gap > 0 and SLOWEST <= 1 / gap <= FASTEST else USUAL
    count = round((end - start) * fps) + 1
    if not np.isfinite(end - start) or count * nodes * 16 > MOST_GLB_VALUES:
        raise InputError(f"{file} has an animation of {end - start:.0f} seconds, which is too long. Cut it.")
    return start + np.arange(count) / fps, fps


def _local(node: Mapping, number: int, keys: Mapping, times: np.ndarray) -> Tensor:
    """A node's own transform (F, 4, 4)."""
    frames = len(times)
    if "matrix" in node:
        matrix = torch.tensor(node["matrix"], dtype=torch.float64).view(4, 4).T
        if not any((number, path) in keys for path in ("translation", "scale", "rotation")):
            return matrix.repeat(frames, 1, 1)
        node = _split_matrix(matrix)  # glTF forbids it in nodes that move, but some have it
    shift, scale, turn = (
        _sample_keys(keys[number, path], times)
        if (number, path) in keys
        else torch.tensor(node.get(path, default), dtype=torch.float64).repeat(frames, 1)
        for path, default in (("translation", [0, 0, 0]), ("scale", [1, 1, 1]), ("rotation", [0, 0, 0, 1]))
    )
    matrix = torch.eye(4, dtype=torch.float64).repeat(frames, 1, 1)
    rotation = matrix_from_quaternion(normalize(turn[:, [3, 0, 1, 2]], dim=1))  # glTF has w last
    matrix[:, :3, :3] = rotation * scale[:, None]
    matrix[:, :3, 3] = shift
    return matrix


def _sample_keys(key: tuple, times: np.ndarray) -> Tensor:
    """Keys at `times`: (F, 3) or, for rotations, (F, 4)."""
    known, values, way = key
    # A step begins at its key, whose time is rounded to 24 bits.
    reached = times + STEP_SLACK if way == "STEP" else times
    low = np.clip(np.searchsorted(known, reached, "right") - 1, 0, len(known) - 1)
    high = np.minimum(low + 1, len(known) - 1)
    gap = np.where(high > low, known[high] - known[low], 1.0)
    share = np.clip((times - known[low]) / np.where(gap > 0, gap, 1.0), 0, 1)[:, None]
    if way == "STEP":
        return torch.from_numpy(values[low, 0])
    if way == "CUBICSPLINE":
        s, gap = share, gap[:, None]
        weights = (2 * s**3 - 3 * s**2 + 1, gap * (s**3 - 2 * s**2 + s), 3 * s**2 - 2 * s**3, gap * (s**3 - s**2))
        points = (values[low, 1], values[low, 2], values[high, 1], values[high, 0])
        return torch.from_numpy(sum(weight * point for weight, point in zip(weights, points, strict=True)))
    before, after = torch.from_numpy(values[low, 0]), torch.from_numpy(values[high, 0])
    share = torch.from_numpy(share)
    if values.shape[2] == 4:
        return slerp(normalize(before, dim=1), normalize(after, dim=1), share)
    return torch.lerp(before, after, share)


def _chain(local: list[Tensor], parents: tuple[int, ...]) -> Tensor:
    """World from node (F, N, 4, 4)."""
    world: dict[int, Tensor] = {}
    for start in range(len(local)):
        line, node = [], start
        while node >= 0 and node not in world:
            line.append(node)
            node = parents[node]
        for node in reversed(line):
            above = parents[node]
            world[node] = local[node] if above < 0 else world[above] @ local[node]
    return torch.stack([world[node] for node in range(len(local))], 1)


def _choose_skeleton(glb: Glb, animated: _AnimatedNodes, names: Mapping[str, str] | None) -> SkeletalAnimation:
    """The skin whose bones are known and move most, or all nodes where the file has no such skin."""
    known = []
    for skin in glb.json.get("skins", []):
        animation = _animation(animated, skin["joints"], _bind(glb, skin))
        try:
            find_bones(animation.names, animation.parents, file=glb.file, given=names)
        except InputError:
            continue
        known.append((len(animated.moved & set(skin["joints"])), -len(known), animation))
    if known:
        return max(known)[2]
    return _animation(animated, list(range(len(animated.names))), None)


def _bind(glb: Glb, skin: Mapping) -> Tensor | None:
    """World from joint (J, 4, 4) of the pose in which the skin was bound."""
    if "inverseBindMatrices" not in skin:
        return None
    inverse = torch.from_numpy(glb.accessor(skin["inverseBindMatrices"])).view(-1, 4, 4).mT
    if len(inverse) < len(skin["joints"]):
        raise InputError(f"{glb.file} is damaged: a skin has fewer bind matrices than joints.")
    return torch.linalg.inv(inverse[: len(skin["joints"])])


def _animation(animated: _AnimatedNodes, joints: list[int], bind: Tensor | None) -> SkeletalAnimation:
    """The joints' motion. At rest they are as they were bound to the skin, or as the nodes stand without animation."""
    inside = {joint: number for number, joint in enumerate(joints)}
    parents = []
    for joint in joints:
        above = animated.parents[joint]
        while above >= 0 and above not in inside:
            above = animated.parents[above]
        parents.append(inside.get(above, -1))
    world = animated.world[:, joints]
    rest = animated.still[joints] if bind is None else bind
    return SkeletalAnimation(
        tuple(animated.names[joint] for joint in joints),
        tuple(parents),
        rest[:, :3, 3].float(),
        (_rotation(world) @ _rotation(rest).mT).float(),
        world[..., :3, 3].float(),
        animated.fps,
        rest_in_world=bind is None,
        up_trust=GLTF_UP_TRUST,
        notes=animated.notes,
    )


def _split_matrix(matrix: Tensor) -> dict[str, list[float]]:
    """Translation, rotation (x, y, z, w) and scale of a transform (4, 4)."""
    scale = matrix[:3, :3].norm(dim=0)
    w, x, y, z = quaternion_from_matrix(matrix[:3, :3] / scale.clamp_min(1e-12)).tolist()
    return {"translation": matrix[:3, 3].tolist(), "rotation": [x, y, z, w], "scale": scale.tolist()}


def _rotation(matrix: Tensor) -> Tensor:
    """The rotation in (..., 4, 4), without scale."""
    return normalize(matrix[..., :3, :3], dim=-2)
