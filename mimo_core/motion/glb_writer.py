"""The free body with a motion as binary glTF 2.0: mesh, skin and animation, for Blender and engines."""

from __future__ import annotations

import json
import struct

import numpy as np
import torch
from torch import Tensor

from ..body.model import BodyModel, free_body, vertex_normals
from ..body.skeleton import JOINTS, PARENTS
from ..geometry.rotations import quaternion_from_axis_angle, unwind_quaternions
from .glb import BIN_CHUNK, JSON_CHUNK, MAGIC, VERSION
from .motion import Motion


INFLUENCES = 4  # joints a vertex, what every reader takes
FLOAT, SHORT, INT = 5126, 5123, 5125
ARRAY, ELEMENTS = 34962, 34963  # what a buffer view is for
SKIN_COLOR = [0.72, 0.66, 0.62, 1.0]


class _GlbBuffer:
    """The binary part as it grows, with the views and accessors that describe it."""

    def __init__(self):
        self.content, self.views, self.accessors = bytearray(), [], []

    def add(self, values: np.ndarray, kind: str, *, target: int | None = None, bounds: bool = False) -> int:
        """Append an array (count, width) and return the number of its accessor."""
        component = {"f": FLOAT, "H": SHORT, "I": INT}[values.dtype.char]
        view = {"buffer": 0, "byteOffset": len(self.content), "byteLength": values.nbytes}
        self.views.append(view | ({} if target is None else {"target": target}))
        accessor = {"bufferView": len(self.views) - 1, "componentType": component, "count": len(values), "type": kind}
        if bounds:
            flat = values.reshape(len(values), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.accessors.append(accessor)
        self.content += np.ascontiguousarray(values).tobytes()
        self.content += bytes(-len(self.content) % 4)
        return len(self.accessors) - 1


def write_glb(motion: Motion) -> bytes:
    """The first person: the body at rest, skinned to our 24 joints, and the motion as its animation, in metres."""
    body, person = free_body(), motion.person
    betas = body.betas_of(person)
    vertices, joints = body.shape(betas)
    buffer = _GlbBuffer()
    primitive = _add_mesh(buffer, body, vertices)
    bind = torch.eye(4).repeat(len(JOINTS), 1, 1)
    bind[:, :3, 3] = -joints
    skin = {
        "joints": list(range(len(JOINTS))),
        "skeleton": 0,
        "inverseBindMatrices": buffer.add(bind.mT.flatten(1).numpy(), "MAT4"),  # glTF stores columns
    }
    document = {
        "asset": {"version": "2.0", "generator": "MIMO"},
        "scene": 0,
        "scenes": [{"nodes": [len(JOINTS), 0]}],
        "nodes": [*_joint_nodes(joints), {"name": "body", "mesh": 0, "skin": 0}],
        "meshes": [{"name": "body", "primitives": [primitive]}],
        "materials": [{"name": "skin", "pbrMetallicRoughness": {"baseColorFactor": SKIN_COLOR, "metallicFactor": 0.0}}],
        "skins": [skin],
        "animations": [_add_animation(buffer, motion, joints)],
        "buffers": [{"byteLength": len(buffer.content)}],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
    }
    return _pack_glb(document, bytes(buffer.content))


def _add_mesh(buffer: _GlbBuffer, body: BodyModel, vertices: Tensor) -> dict:
    """A vertex for each pair of position and texture coordinate."""
    corners = torch.stack([body.faces, body.uv_faces], -1).flatten(0, 1)
    pairs, faces = torch.unique(corners, dim=0, return_inverse=True)
    vertex, coordinate = pairs.unbind(1)
    normals = vertex_normals(vertices[None], body.faces)[0]
    weights, joints = body.weights.topk(INFLUENCES, dim=1)
    weights = weights / weights.sum(1, keepdim=True)
    uv = body.uv[coordinate] * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0])  # glTF counts v downwards
    attributes = {
        "POSITION": buffer.add(vertices[vertex].numpy(), "VEC3", target=ARRAY, bounds=True),
        "NORMAL": buffer.add(normals[vertex].numpy(), "VEC3", target=ARRAY),
        "TEXCOORD_0": buffer.add(uv.numpy(), "VEC2", target=ARRAY),
        "JOINTS_0": buffer.add(joints[vertex].numpy().astype(np.uint16), "VEC4", target=ARRAY),
        "WEIGHTS_0": buffer.add(weights[vertex].numpy(), "VEC4", target=ARRAY),
    }
    indices = buffer.add(faces.numpy().astype(np.uint32)[:, None], "SCALAR", target=ELEMENTS)
    return {"attributes": attributes, "indices": indices, "material": 0}


def _joint_nodes(joints: Tensor) -> list[dict]:
    nodes = []
    for joint, name in enumerate(JOINTS):
        parent = PARENTS[joint]
        offset = joints[joint] - (joints[parent] if parent >= 0 else 0)
        node = {"name": name, "translation": offset.tolist()}
        children = [child for child, above in enumerate(PARENTS) if above == joint]
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _add_animation(buffer: _GlbBuffer, motion: Motion, joints: Tensor) -> dict:
    person = motion.person
    seconds = (np.arange(motion.frames) / motion.fps).astype(np.float32)[:, None]
    times = buffer.add(seconds, "SCALAR", bounds=True)
    turns = unwind_quaternions(quaternion_from_axis_angle(person.pose()))[..., [1, 2, 3, 0]]  # glTF has w last
    outputs = [("translation", 0, buffer.add((person.transl + joints[0]).numpy(), "VEC3"))]
    outputs += [
        ("rotation", joint, buffer.add(np.ascontiguousarray(turns[:, joint].numpy()), "VEC4"))
        for joint in range(len(JOINTS))
    ]
    return {
        "name": "motion",
        "samplers": [{"input": times, "output": output, "interpolation": "LINEAR"} for *_, output in outputs],
        "channels": [
            {"sampler": number, "target": {"node": node, "path": path}}
            for number, (path, node, _) in enumerate(outputs)
        ],
    }


def _pack_glb(document: dict, binary: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    parts = [struct.pack("<II", len(text), JSON_CHUNK), text, struct.pack("<II", len(binary), BIN_CHUNK), binary]
    length = 12 + sum(len(part) for part in parts)
    return b"".join([MAGIC, struct.pack("<II", VERSION, length), *parts])
