"""ViTPose: the joints of COCO on the crops of BlazePose, which goes on to tell all that COCO does not know.

A detector of the DETR family (RT-DETR or D-FINE) finds people. BlazePose looks first and tells mask, depth, hands, feet
and whether anybody is there; ViTPose (Xu et al. 2022, arXiv 2204.12484) looks at the same upright crop and decides
where the joints are. Both are networks of transformers.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..weights.transformers_networks import find_class, load_network, load_processor, read_model_type
from .blazepose import (
    ANKLES,
    EARS,
    ELBOWS,
    EYES,
    HEELS,
    HIPS,
    INDICES,
    KNEES,
    LANDMARK_COUNT,
    MOUTH,
    NOSE,
    PINKIES,
    REGION_MARGIN,
    SHOULDERS,
    THUMBS,
    TOES,
    WRISTS,
    BlazePose,
    CropRegion,
    FramePose,
    cut_region,
)
from .tracking import PRESENT_SCORE


DETECTORS = {  # model_type of config.json: class of transformers, and the first version that has it
    "rt_detr": ("RTDetrForObjectDetection", "4.43"),
    "rt_detr_v2": ("RTDetrV2ForObjectDetection", "4.49"),
    "d_fine": ("DFineForObjectDetection", "4.52"),
}
COCO_COUNT, WHOLE_BODY_COUNT = 17, 133
COCO_LANDMARKS = (NOSE, *EYES, *EARS, *SHOULDERS, *ELBOWS, *WRISTS, *HIPS, *KNEES, *ANKLES)  # in COCO's order
# Of COCO-WholeBody's 133: big and small toe are the ends of BlazePose's toe line; fingers are knuckles of hands of 21.
LEFT_HAND, RIGHT_HAND = 91, 112
WHOLE_BODY_LANDMARKS = {
    TOES[0]: (17, 18), HEELS[0]: (19,), TOES[1]: (20, 21), HEELS[1]: (22,),
    THUMBS[0]: (LEFT_HAND + 3,), INDICES[0]: (LEFT_HAND + 5,), PINKIES[0]: (LEFT_HAND + 17,),
    THUMBS[1]: (RIGHT_HAND + 3,), INDICES[1]: (RIGHT_HAND + 5,), PINKIES[1]: (RIGHT_HAND + 17,),
}  # fmt: skip
FOLLOWERS = {  # landmarks that COCO does not know go with a joint that it knows
    NOSE: MOUTH, EYES[0]: (1, 3), EYES[1]: (4, 6),
    **{WRISTS[side]: (PINKIES[side], INDICES[side], THUMBS[side]) for side in range(2)},
    **{ANKLES[side]: (HEELS[side], TOES[side]) for side in range(2)},
}  # fmt: skip
COCO_EXPERT, WHOLE_BODY_EXPERT = 0, 5  # of ViTPose+, which has one for each of six data sets
SEEN_SCORE = 0.3  # height of a joint's heatmap below which its place means nothing
CROP_PADDING = 1.25  # of the person's box, as ViTPose was trained
BODY_IOU = 0.7  # the detector tells people apart whose boxes overlap by less
HEAD_PADDING = 1.1  # the landmarks end at the eyes and at the toes


class VitPose(BlazePose):
    """The four networks. One object serves one thread at a time, as BlazePose does.

    `pose` and `detector` are folders with files of transformers.
    """

    same_person_iou = BODY_IOU
    seen_confidence = -np.inf  # its detector tells whether somebody is there

    def __init__(self, pose: Path, detector: Path, *, device: str = "cpu", threads: int = 1):
        super().__init__(threads=threads)
        self._joints = JointNetwork(pose, device)
        self._people = PersonNetwork(detector, device)

    def detect_boxes(self, frame: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and keypoints (N, 12) of people as BlazePose tells them, guessed for somebody upright in the box."""
        boxes, scores = self._people.detect(frame, threshold)
        return guess_keypoints(boxes), scores

    def find_landmarks(self, frame: np.ndarray, region: CropRegion) -> FramePose:
        pose = super().find_landmarks(frame, region)
        if pose.score < PRESENT_SCORE:
            return pose
        points, scores = self._joints.find_joints(frame, plan_crop(pose))
        return move_joints(pose, points, scores, frame.shape[1], frame.shape[0])


class JointNetwork:
    """VitPoseForPoseEstimation with 17 joints of COCO or 133 of COCO-WholeBody."""

    def __init__(self, folder: Path, device: str = "cpu"):
        self._processor = load_processor(find_class("VitPoseImageProcessor", since="4.48"), folder)
        self._network = load_network(find_class("VitPoseForPoseEstimation", since="4.48"), folder, device)
        self._device, self._lock = device, threading.Lock()
        config = self._network.config
        if config.num_labels not in (COCO_COUNT, WHOLE_BODY_COUNT):
            raise InputError(
                f"The ViTPose network in {folder} has {config.num_labels} joints; those with {COCO_COUNT} (COCO) and "
                f"{WHOLE_BODY_COUNT} (COCO-WholeBody) are known. Put another one there, or choose blazepose."
            )
        has_experts = getattr(config.backbone_config, "num_experts", 1) > 1
        is_whole = config.num_labels == WHOLE_BODY_COUNT
        self._expert = (WHOLE_BODY_EXPERT if is_whole else COCO_EXPERT) if has_experts else None

    def find_joints(self, frame: np.ndarray, region: CropRegion) -> tuple[np.ndarray, np.ndarray]:
        """Places (K, 2) in pixels of a frame (H, W, 3) uint8 and scores (K,) of the joints, K 17 or 133.

        The crop is as high as `region` and stands upright in it.
        """
        import torch

        size = self._processor.size
        width, height = size["width"], size["height"]
        left = (height - width) // 2
        crop = np.ascontiguousarray(cut_region(frame, region, height)[:, left : left + width])
        boxes = [[_fill_box(width, height)]]
        with self._lock, torch.inference_mode():
            inputs = self._processor(
                images=[crop], boxes=boxes, return_tensors="pt", input_data_format="channels_last"
            ).to(self._device)
            if self._expert is not None:
                inputs["dataset_index"] = torch.tensor([self._expert], device=self._device)
            outputs = self._network(**inputs)
        outputs.heatmaps = outputs.heatmaps.float()
        (found,) = self._processor.post_process_pose_estimation(outputs, boxes)[0]
        points = found["keypoints"].numpy().astype(np.float64) + (left + 0.5, 0.5)
        frame_from_region = region.frame_from_region(height)
        return points @ frame_from_region[:, :2].T + frame_from_region[:, 2], found["scores"].numpy().astype(np.float64)


class PersonNetwork:
    """A detector of the DETR family that knows people."""

    def __init__(self, folder: Path, device: str = "cpu"):
        kind = read_model_type(folder)
        if kind not in DETECTORS:
            raise InputError(
                f"The detector in {folder} is a {kind or 'folder without config.json'}; {', '.join(DETECTORS)} are "
                "known. Put another one there, or choose blazepose."
            )
        name, since = DETECTORS[kind]
        self._network = load_network(find_class(name, since=since), folder, device)
        self._processor = load_processor(find_class("RTDetrImageProcessor", since="4.43"), folder)
        self._device, self._lock = device, threading.Lock()
        labels = [int(number) for number, name in self._network.config.id2label.items() if name.lower() == "person"]
        if not labels:
            raise InputError(f"The detector in {folder} knows no person. Put one there that was trained on COCO.")
        self._label = labels[0]

    def detect(self, frame: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) of people in a frame (H, W, 3) uint8 as x0, y0, x1, y1 in pixels, and their scores (N,)."""
        import torch

        with self._lock, torch.inference_mode():
            inputs = self._processor(images=frame, return_tensors="pt", input_data_format="channels_last")
            outputs = self._network(**inputs.to(self._device))
        (found,) = self._processor.post_process_object_detection(
            outputs, threshold=threshold, target_sizes=[frame.shape[:2]]
        )
        is_person = found["labels"] == self._label
        boxes, scores = found["boxes"][is_person], found["scores"][is_person]
        return boxes.cpu().numpy().astype(np.float64), scores.cpu().numpy().astype(np.float64)


@lru_cache(maxsize=1)
def load_vitpose(pose: Path, detector: Path, device: str) -> VitPose:
    """The networks of two folders, loaded once."""
    return VitPose(pose, detector, device=device)


def _fill_box(width: int, height: int) -> list[float]:
    """The box (x, y, width, height) whose padded crop is a whole picture, in pixels centered at whole numbers."""
    inner_width, inner_height = (width - 1) / CROP_PADDING, (height - 1) / CROP_PADDING
    return [(width - 1 - inner_width) / 2, (height - 1 - inner_height) / 2, inner_width, inner_height]


def guess_keypoints(boxes: np.ndarray) -> np.ndarray:
    """What BlazePose's detector tells of a person (N, 12) from their boxes (N, 4) x0, y0, x1, y1.

    Center and size of the box, then hips, circle around the body, shoulders, circle around the upper body.
    """
    low, high = boxes[:, :2], boxes[:, 2:]
    center, size = (low + high) / 2, high - low
    up = np.zeros_like(center)
    up[:, 1] = -size.max(1) / 2
    shoulders = center + up * (0.3 * size[:, 1] / size.max(1))[:, None] * 2
    return np.concatenate([center, size, center, center + up, shoulders, shoulders + up / 2], 1)


def plan_crop(pose: FramePose) -> CropRegion:
    """The region whose height is that of ViTPose's crop: around what BlazePose sees, upright as in its own region."""
    seen = pose.confidence >= SEEN_SCORE
    if seen.sum() < 5:  # of 33: too few to tell how large the person is
        return replace(pose.region, size=pose.region.size * CROP_PADDING / REGION_MARGIN)
    cos, sin = np.cos(pose.region.angle), np.sin(pose.region.angle)
    upright = np.array([[cos, -sin], [sin, cos]])  # frame from upright, as a rotation
    points = pose.pixels[seen] @ upright
    low, high = points.min(0), points.max(0)
    width, height = (high - low) * HEAD_PADDING
    center = upright @ ((low + high) / 2)
    size = CROP_PADDING * max(height, width * 4 / 3, pose.region.size / 8)  # crops are 3:4
    return CropRegion((float(center[0]), float(center[1])), float(size), pose.region.angle)


def map_joints(points: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints of COCO or COCO-WholeBody (K, 2), (K,) as landmarks: places (33, 2), scores (33,), whether known (33,)."""
    places, found = np.zeros((LANDMARK_COUNT, 2)), np.zeros(LANDMARK_COUNT)
    known = np.zeros(LANDMARK_COUNT, bool)
    sources = {landmark: (joint,) for joint, landmark in enumerate(COCO_LANDMARKS)}
    if len(points) == WHOLE_BODY_COUNT:
        sources |= WHOLE_BODY_LANDMARKS
    for landmark, joints in sources.items():
        chosen = list(joints)
        places[landmark], found[landmark], known[landmark] = points[chosen].mean(0), scores[chosen].min(), True
    return places, found.clip(0, 1), known


def move_joints(pose: FramePose, points: np.ndarray, scores: np.ndarray, width: int, height: int) -> FramePose:
    """BlazePose's landmarks with the joints (K, 2) of another network in their place, and its scores (K,).

    A joint that the network does not see stays where it was, with the low confidence of the network. What the network
    does not know goes with the joint that it hangs on, and is seen no better. In space the landmarks move by as much
    sideways; depths stay.
    """
    places, found, known = map_joints(points, scores)
    shift = np.where((known & (found >= SEEN_SCORE))[:, None], places - pose.pixels, 0.0)
    confidence = np.where(known, found, pose.confidence)
    for joint, others in FOLLOWERS.items():
        hanging = [landmark for landmark in others if not known[landmark]]
        shift[hanging] = shift[joint]
        confidence[hanging] = np.minimum(confidence[hanging], found[joint])
    pixels = pose.pixels + shift
    inside = ((pixels >= 0) & (pixels <= (width, height))).all(1)
    world = pose.world.copy()
    world[:, :2] += shift / _measure_scale(pose)
    return replace(
        pose,
        pixels=pixels.astype(np.float32),
        world=world,
        confidence=(inside * confidence).astype(np.float32),
    )


def _measure_scale(pose: FramePose) -> float:
    """Pixels that a meter of a pose's landmarks in space takes in the picture."""
    flat = pose.world[:, :2] - pose.world[:, :2].mean(0)
    seen = pose.pixels - pose.pixels.mean(0)
    return max(float((flat * seen).sum() / max((flat**2).sum(), 1e-9)), 1e-3 * pose.region.size)
