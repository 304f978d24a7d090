"""Skeletons as other programs make them, with their own rest poses, units and angle orders, and their exact truth."""

import json
import re
import struct

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from mimo_core.body.model import free_body
from mimo_core.body.skeleton import JOINTS, PARENTS


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


MIXAMO_OF = {  # our joint: the name of Mixamo, without prefix
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
    "left_collar": "LeftShoulder", "left_shoulder": "LeftArm", "left_elbow": "LeftForeArm", "left_wrist": "LeftHand",
    "left_hand": "LeftHandMiddle1", "left_hip": "LeftUpLeg", "left_knee": "LeftLeg", "left_ankle": "LeftFoot",
    "left_foot": "LeftToeBase",
}  # fmt: skip


SIDES = [("Left", "Right"), ("left", "right"), ("LEFT", "RIGHT"), (r"(^|[_. :])L(?=[_. A-Z]|$)", r"\1R"),
         (r"(^|[_. :])l(?=[_. A-Z]|$)", r"\1r"), (r"^l(?=[a-z])", "r")]  # fmt: skip


def both_sides(left):
    """{joint: name} of the left and the middle, with the names of the right side."""
    found = dict(left)
    for joint, name in left.items():
        if joint.startswith("left_"):
            pattern, other = next(pair for pair in SIDES if re.search(pair[0], name))
            found[joint.replace("left", "right")] = re.sub(pattern, other, name, count=1)
    return found


def motion_bvh(motion, names, *, axes=None, world=None, before=None, fps=None):
    """A motion of our body as BVH text of a skeleton with other names and another rest pose.

    `axes` {joint: Rotation} turns the axes of a bone against ours, so that the file's zero pose is another one; `world`
    turns all of it. `before` {joint: (name, Rotation of F)} puts a joint without length before one of ours.
    """
    person = motion.person
    _, rest = free_body().shape(person.betas)
    rest = rest.double().numpy()
    pose = [Rotation.from_rotvec(person.pose()[:, joint].double().numpy()) for joint in range(24)]
    whole = world or Rotation.identity()
    ours, bone = [], []
    for joint, parent in enumerate(PARENTS):
        ours.append(pose[joint] if parent < 0 else ours[parent] * pose[joint])
        bone.append(whole * ours[joint] * (axes or {}).get(JOINTS[joint], Rotation.identity()))
    offsets = [np.zeros(3)]
    for joint, parent in enumerate(PARENTS[1:], 1):
        own = (axes or {}).get(JOINTS[parent], Rotation.identity())
        offsets.append(own.inv().apply(rest[joint] - rest[parent]) * 100)
    root = whole.apply((rest[0] + person.transl.double().numpy()) * 100)
    lines, columns = ["HIERARCHY"], []

    def open_block(kind, name, offset, channels):
        lines.extend([f"{kind} {name}", "{", "OFFSET " + " ".join(f"{value:.6f}" for value in offset)])
        lines.append(channels)

    def block(joint):
        name, parent = JOINTS[joint], PARENTS[joint]
        turns = "CHANNELS 3 Zrotation Xrotation Yrotation"
        local = bone[joint] if parent < 0 else bone[parent].inv() * bone[joint]
        extra = (before or {}).get(name)
        offset = offsets[joint]
        if extra is not None:
            open_block("JOINT", extra[0], offset, turns)
            columns.append(extra[1].as_euler("ZXY", degrees=True))
            local, offset = extra[1].inv() * local, np.zeros(3)
        root_turns = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
        open_block("JOINT" if parent >= 0 else "ROOT", names[name], offset, turns if parent >= 0 else root_turns)
        columns.append(local.as_euler("ZXY", degrees=True))
        children = [child for child, above in enumerate(PARENTS) if above == joint and JOINTS[child] in names]
        for child in children:
            block(child)
        if not children:
            lines.extend(["End Site", "{", "OFFSET 5 0 0", "}"])
        lines.extend(["}"] * (2 if extra is not None else 1))

    block(0)
    rows = np.concatenate([root, *columns], 1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / (fps or motion.fps):.8f}"]
    return "\n".join(lines + [" ".join(f"{value:.6f}" for value in row) for row in rows]) + "\n"


def along_bones(axis):
    """Axes of bones that all point along one axis at rest, as in LAFAN1 or Rokoko, which is no pose at all."""
    _, rest = free_body().shape(torch.zeros(10))
    rest = rest.double().numpy()
    axes = {}
    for joint, name in enumerate(JOINTS):
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        if name == "pelvis":
            children = [JOINTS.index("spine1")]
        if name == "spine3":
            children = [JOINTS.index("neck")]
        if not children:
            axes[name] = axes[JOINTS[PARENTS[joint]]]
            continue
        bone = rest[children[0]] - rest[joint]
        bone = bone / np.linalg.norm(bone)
        across = np.cross(bone, [0.0, 0.0, 1.0])
        across /= np.linalg.norm(across)
        columns = [None, None, None]
        columns[axis], columns[(axis + 1) % 3] = bone, across
        columns[(axis + 2) % 3] = np.cross(bone, across)
        axes[name] = Rotation.from_matrix(np.stack(columns, 1))
    return axes


def motion_gltf(motion, names, *, posed=None, animations=("motion",), strides=(1,)):
    """A motion of our body as a glTF document without a skin, and its binary part.

    `posed` is the frame whose pose the nodes themselves stand in; None is the rest pose. Of several `animations` each
    takes every so many frames of the motion.
    """
    person = motion.person
    _, rest = free_body().shape(person.betas)
    rest = rest.double().numpy()
    content, views, accessors, nodes, made = bytearray(), [], [], [], []

    def add(values, kind):
        values = np.ascontiguousarray(values, np.float32)
        views.append({"buffer": 0, "byteOffset": len(content), "byteLength": values.nbytes})
        accessors.append({"bufferView": len(views) - 1, "componentType": 5126, "count": len(values), "type": kind})
        content.extend(values.tobytes())
        return len(accessors) - 1

    joints = [joint for joint, name in enumerate(JOINTS) if name in names]
    turns = {joint: Rotation.from_rotvec(person.pose()[:, joint].double().numpy()).as_quat() for joint in joints}
    root = rest[0] + person.transl.double().numpy()
    for joint in joints:
        offset = root[posed or 0] if joint == 0 else rest[joint] - rest[PARENTS[joint]]
        children = [joints.index(child) for child in joints if PARENTS[child] == joint]
        node = {"name": names[JOINTS[joint]], "translation": offset.tolist()}
        node |= {"rotation": turns[joint][posed].tolist()} if posed is not None else {}
        nodes.append(node | ({"children": children} if children else {}))
    for name, stride in zip(animations, strides, strict=True):
        kept = slice(None, None, stride)
        times = add((np.arange(len(root[kept])) / motion.fps)[:, None], "SCALAR")
        outputs = [("translation", 0, add(root[kept], "VEC3"))]
        outputs += [("rotation", joints.index(joint), add(turns[joint][kept], "VEC4")) for joint in joints]
        samplers = [{"input": times, "output": output} for *_, output in outputs]
        channels = [{"sampler": n, "target": {"node": node, "path": path}} for n, (path, node, _) in enumerate(outputs)]
        made.append({"name": name, "samplers": samplers, "channels": channels})
    document = {
        "asset": {"version": "2.0"}, "nodes": nodes, "animations": made, "buffers": [{"byteLength": len(content)}],
        "bufferViews": views, "accessors": accessors,
    }  # fmt: skip
    return document, bytes(content)
