"""Skeletons as other programs make them, with their own rest poses, units and angle orders, and their exact truth."""

import json
import struct

import numpy as np
from scipy.spatial.transform import Rotation


LIMBS = [  # joint, child: whose directions are compared, on both sides
    ("hip", "knee"),
    ("knee", "ankle"),
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
]
CMU = {  # name: (parent, offset); legs spread at rest, a joint between hips and thigh, six bones in the back
    "Hips": (None, (0, 0, 0)),
    "LHipJoint": ("Hips", (0, 0, 0)),
    "LeftUpLeg": ("LHipJoint", (1.36, -1.8, 0.84)),
    "LeftLeg": ("LeftUpLeg", (2.45, -6.73, 0)),
    "LeftFoot": ("LeftLeg", (2.56, -7.04, 0)),
    "LeftToeBase": ("LeftFoot", (0.06, -0.17, 2.0)),
    "RHipJoint": ("Hips", (0, 0, 0)),
    "RightUpLeg": ("RHipJoint", (-1.36, -1.8, 0.84)),
    "RightLeg": ("RightUpLeg", (-2.45, -6.73, 0)),
    "RightFoot": ("RightLeg", (-2.56, -7.04, 0)),
    "RightToeBase": ("RightFoot", (-0.06, -0.17, 2.0)),
    "LowerBack": ("Hips", (0, 0, 0)),
    "Spine": ("LowerBack", (0.02, 2.2, -0.2)),
    "Spine1": ("Spine", (0.03, 2.2, 0)),
    "Neck": ("Spine1", (0, 0, 0)),
    "Neck1": ("Neck", (0, 1.6, 0.2)),
    "Head": ("Neck1", (0, 1.7, -0.2)),
    "LeftShoulder": ("Spine1", (0, 0, 0)),
    "LeftArm": ("LeftShoulder", (3.5, 1.2, -0.3)),
    "LeftForeArm": ("LeftArm", (5.4, 0, 0)),
    "LeftHand": ("LeftForeArm", (3.6, 0, 0)),
    "RightShoulder": ("Spine1", (0, 0, 0)),
    "RightArm": ("RightShoulder", (-3.5, 1.2, -0.3)),
    "RightForeArm": ("RightArm", (-5.4, 0, 0)),
    "RightHand": ("RightForeArm", (-3.6, 0, 0)),
}
MIXAMO = {  # centimetres, arms of the rest pose 40 degrees down
    "mixamorig:Hips": (None, (0, 104, 0)),
    "mixamorig:Spine": ("mixamorig:Hips", (0, 10, -1)),
    "mixamorig:Spine1": ("mixamorig:Spine", (0, 12, 0)),
    "mixamorig:Spine2": ("mixamorig:Spine1", (0, 13, 0)),
    "mixamorig:Neck": ("mixamorig:Spine2", (0, 15, 0)),
    "mixamorig:Head": ("mixamorig:Neck", (0, 10, 3)),
    "mixamorig:HeadTop_End": ("mixamorig:Head", (0, 18, 6)),
    "mixamorig:LeftShoulder": ("mixamorig:Spine2", (6, 9, 0)),
    "mixamorig:LeftArm": ("mixamorig:LeftShoulder", (12, 0, 0)),
    "mixamorig:LeftForeArm": ("mixamorig:LeftArm", (21, -18, 0)),
    "mixamorig:LeftHand": ("mixamorig:LeftForeArm", (21, -18, 0)),
    "mixamorig:RightShoulder": ("mixamorig:Spine2", (-6, 9, 0)),
    "mixamorig:RightArm": ("mixamorig:RightShoulder", (-12, 0, 0)),
    "mixamorig:RightForeArm": ("mixamorig:RightArm", (-21, -18, 0)),
    "mixamorig:RightHand": ("mixamorig:RightForeArm", (-21, -18, 0)),
    "mixamorig:LeftUpLeg": ("mixamorig:Hips", (9, -5, 0)),
    "mixamorig:LeftLeg": ("mixamorig:LeftUpLeg", (0, -44, 0)),
    "mixamorig:LeftFoot": ("mixamorig:LeftLeg", (0, -44, -2)),
    "mixamorig:LeftToeBase": ("mixamorig:LeftFoot", (0, -9, 14)),
    "mixamorig:RightUpLeg": ("mixamorig:Hips", (-9, -5, 0)),
    "mixamorig:RightLeg": ("mixamorig:RightUpLeg", (0, -44, 0)),
    "mixamorig:RightFoot": ("mixamorig:RightLeg", (0, -44, -2)),
    "mixamorig:RightToeBase": ("mixamorig:RightFoot", (0, -9, 14)),
}
ROLES = {  # our joint: names of these skeletons behind the side
    "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"
}  # fmt: skip


def key_poses(skeleton, frames=6, seed=0, facing=0.0):
    """Local rotations {name: Rotation of F} and root places (F, 3): bold poses, the body turning round."""
    rng = np.random.default_rng(seed)
    turns = {}
    for name, (parent, _) in skeleton.items():
        bold = 0.7 if any(part in name for part in ("Arm", "Leg")) else 0.15
        vectors = rng.normal(0, bold, (frames, 3))
        if parent is None:
            vectors = np.stack([0 * vectors[:, 0], facing + np.linspace(0, 2, frames), 0 * vectors[:, 0]], 1)
        turns[name] = Rotation.from_rotvec(vectors)
    height = abs(sum(skeleton[name][1][1] for name in skeleton if name.endswith(("LeftUpLeg", "LeftLeg", "LeftFoot"))))
    places = np.stack([np.linspace(0, height, frames), np.full(frames, height), np.zeros(frames)], 1)
    return turns, places


def forward(skeleton, turns, places):
    """World rotations {name: Rotation} and places {name: (F, 3)}."""
    world, at = {}, {}
    for name, (parent, offset) in skeleton.items():
        if parent is None:
            world[name], at[name] = turns[name], places
        else:
            world[name] = world[parent] * turns[name]
            at[name] = at[parent] + world[parent].apply(offset)
    return world, at


def directions(at):
    """Unit vectors {(side, joint): (F, 3)} of the limbs of such a skeleton."""
    found = {}
    for side in ("left", "right"):
        for joint, child in LIMBS:
            ends = [
                next(at[name] for name in at if name.endswith(side.capitalize() + ROLES[which]))
                for which in (joint, child)
            ]
            bone = ends[1] - ends[0]
            found[side, joint] = bone / np.linalg.norm(bone, axis=1, keepdims=True)
    return found


def bvh_text(skeleton, turns, places, *, order="ZYX", unit=1.0, fps=120.0):
    """The animation as BVH with this order of angles, lengths times `unit`."""
    lines = ["HIERARCHY"]
    channels = []

    def block(name, depth):
        parent, offset = skeleton[name]
        pad = "\t" * depth
        scaled = " ".join(f"{unit * value:.6f}" for value in (offset if parent else (0, 0, 0)))
        lines.extend([f"{pad}{'JOINT' if parent else 'ROOT'} {name}", pad + "{", f"{pad}\tOFFSET {scaled}"])
        shift = "" if parent else "Xposition Yposition Zposition "
        count = 3 if parent else 6
        lines.append(f"{pad}\tCHANNELS {count} {shift}" + " ".join(f"{axis}rotation" for axis in order))
        channels.append(name)
        children = [child for child, (above, _) in skeleton.items() if above == name]
        for child in children:
            block(child, depth + 1)
        if not children:
            lines.extend([pad + "\tEnd Site", pad + "\t{", pad + "\t\tOFFSET 0 1 0", pad + "\t}"])
        lines.append(pad + "}")

    block(next(iter(skeleton)), 0)
    angles = {name: turns[name].as_euler(order, degrees=True) for name in channels}
    rows = np.concatenate([unit * places, *(angles[name] for name in channels)], 1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.6f}"]
    return "\n".join(lines + [" ".join(f"{value:.6f}" for value in row) for row in rows]) + "\n"


def glb_bytes(skeleton, turns, places, *, fps=30.0, resting=None):
    """The animation as Blender writes a Mixamo rig: centimetres below an armature of scale 0.01 with Z up.

    Its nodes' own transforms are the first frame; only the bind matrices know the rest pose. `resting` turns every
    bone's axes, which must make no difference.
    """
    names = list(skeleton)
    roll = resting or {name: Rotation.identity() for name in names}  # bone axes in world axes at rest
    up = Rotation.from_euler("x", -90, degrees=True)
    still = {name: Rotation.identity(len(places)) for name in names}
    _, rest = forward(skeleton, still, np.repeat([skeleton[names[0]][1]], len(places), 0))
    armature = np.eye(4)
    armature[:3, :3] = up.as_matrix() * 0.01
    content, views, accessors = bytearray(), [], []

    def add(values, kind):
        values = np.ascontiguousarray(values, np.float32)
        views.append({"buffer": 0, "byteOffset": len(content), "byteLength": values.nbytes})
        accessors.append({"bufferView": len(views) - 1, "componentType": 5126, "count": len(values), "type": kind})
        content.extend(values.tobytes())
        return len(accessors) - 1

    binds = []
    for name in names:
        bind = np.eye(4)
        bind[:3, :3], bind[:3, 3] = (up.inv() * roll[name]).as_matrix(), up.inv().apply(rest[name][0])
        binds.append(np.linalg.inv(bind).T.ravel())
    world, at = forward(skeleton, turns, places)
    nodes, samplers, channels = [], [], []
    times = add((np.arange(len(places)) / fps)[:, None], "SCALAR")
    for number, name in enumerate(names):
        parent, offset = skeleton[name]
        above = up if parent is None else world[parent] * roll[parent]
        local = above.inv() * (world[name] * roll[name])
        bone = np.tile(offset, (len(places), 1))
        shift = up.inv().apply(at[name]) if parent is None else roll[parent].inv().apply(bone)
        nodes.append(
            {
                "name": name,
                "translation": shift[0].tolist(),
                "rotation": local.as_quat()[0].tolist(),
                "children": [names.index(child) for child, (up_, _) in skeleton.items() if up_ == name],
            }
        )
        for path, values, kind in (("rotation", local.as_quat(), "VEC4"), ("translation", shift, "VEC3")):
            samplers.append({"input": times, "output": add(values, kind)})
            channels.append({"sampler": len(samplers) - 1, "target": {"node": number, "path": path}})
    nodes.append({"name": "Armature", "children": [0], "matrix": armature.T.ravel().tolist()})
    document = {
        "asset": {"version": "2.0"},
        "nodes": nodes,
        "skins": [{"joints": list(range(len(names))), "inverseBindMatrices": add(np.array(binds), "MAT4")}],
        "animations": [{"samplers": samplers, "channels": channels}],
        "buffers": [{"byteLength": len(content)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    return packed_glb(document, bytes(content))


def packed_glb(document, binary=b""):
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks
