"""Person masks of EdgeTAM or SAM 2 for video, by transformers, shown by boxes and joints of a motion whom to follow.

The networks remember what they saw (Ravi et al. 2024, arXiv 2408.00714; Zhou et al. 2025, arXiv 2501.07256). Frames are
given one by one, and what the memory no longer looks at is dropped, so a long clip takes no more than a short one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..media.clip import Clip, Masks
from ..media.cuts import CutFinder
from ..motion.motion import Motion
from ..weights.transformers_networks import find_class, keep_on_device, load_network, read_model_type
from .prompts import Prompt, list_prompts


NETWORKS = {  # model_type of config.json: model and session of transformers, and the first version that works
    "edgetam_video": ("EdgeTamVideoModel", "EdgeTamVideoInferenceSession", "4.57"),
    "sam2_video": ("Sam2VideoModel", "Sam2VideoInferenceSession", "4.57"),
}
IMAGE_MEAN, IMAGE_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as both were trained
POINT, BOX_CORNERS = 1, (2, 3)  # labels of prompts
LEAST_INSIDE = 0.6  # share of the body's points that the mask must hold; below it the person is shown again
KEPT_PROMPTS = 2  # frames with prompts that are remembered


class MaskNetwork:
    """A network that follows people through a clip. One object serves one clip at a time."""

    def __init__(self, folder: Path, *, device: str = "cpu"):
        kind = read_model_type(folder)
        if kind not in NETWORKS:
            raise InputError(
                f"The mask network in {folder} is a {kind or 'folder without config.json'}; {', '.join(NETWORKS)} are "
                "known. Put another one there, or choose classical."
            )
        model, session, since = NETWORKS[kind]
        if kind == "edgetam_video":
            _check_timm()
        self._network = load_network(find_class(model, since=since), folder, "cpu")
        self._session_class = find_class(session, since=since)
        self._device, self._lock = device, threading.Lock()

    def segment(self, clip: Clip, motion: Motion, tick: Callable[[], None] = lambda: None) -> Masks:
        """Masks (F, H, W), soft, of all people of a motion; nobody where the motion shows nobody.

        The masks go to a temporary file. `tick` is called once a frame; it may raise.
        """
        return Masks.from_frames(self._draw_masks(clip, motion, tick))

    def _draw_masks(self, clip: Clip, motion: Motion, tick: Callable[[], None]) -> Iterator[NDArray]:
        cuts, empty = CutFinder(), np.zeros((clip.height, clip.width), np.uint8)
        prompts = list_prompts(motion, clip.width, clip.height)
        follower = None
        with self._lock, keep_on_device(self._network, self._device):
            for frame, shown in zip(clip, prompts, strict=True):
                if cuts.add(frame) or not any(shown):
                    follower = None  # what is remembered of before is of no use
                if any(shown):
                    follower = follower or _Follower(self._network, self._session_class, self._device)
                    yield follower.follow(frame, shown)
                else:
                    yield empty
                tick()


def _check_timm() -> None:
    try:
        import timm  # noqa: F401
    except ImportError as error:
        raise InputError(
            "EdgeTAM needs the packages timm and torchvision, which are not installed. "
            f"Run: {sys.executable} -m pip install timm, or choose sam2."
        ) from error


class _Follower:
    """A stretch of a clip in which people are followed without a break."""

    def __init__(self, network, session_class, device: str):
        import torch

        self.network, self.device = network, device
        self.session = session_class(
            inference_device=device,
            inference_state_device=device,
            video_storage_device=device,
            dtype=torch.float32,
        )
        self.lost: set[int] = set()  # numbers of people who are shown again in the next frame
        self.known: set[int] = set()
        self.frame = -1

    def follow(self, frame: NDArray, shown: list[Prompt | None]) -> NDArray:
        """The mask (H, W) uint8 of all people who are shown in a frame (H, W, 3) uint8."""
        import torch

        self.frame += 1
        here = {number for number, prompt in enumerate(shown) if prompt is not None}
        for number in sorted((here - self.known) | (here & self.lost)):
            self._prompt(number, shown[number], frame.shape[1], frame.shape[0])
        self.known |= here
        pixels = self._prepare(frame)
        with torch.inference_mode():
            output = self.network(inference_session=self.session, frame=pixels, frame_idx=self.frame)
        logits = output.pred_masks.float().cpu().numpy()
        masks = {
            number: _draw_mask(logits[row].squeeze(), frame.shape[1], frame.shape[0])
            for row, number in enumerate(self.session.obj_ids)
            if number in here
        }
        self.lost = {number for number, mask in masks.items() if shown[number].share_inside(mask) < LEAST_INSIDE}
        self.known &= here  # who comes back is shown again
        self._forget()
        return np.maximum.reduce(list(masks.values()))

    def _prompt(self, number: int, prompt: Prompt, width: int, height: int) -> None:
        """Show a person in the next frame."""
        import torch

        scale = np.array([self.network.config.image_size / width, self.network.config.image_size / height])
        points = np.concatenate([prompt.box.reshape(2, 2), prompt.points]) * scale
        labels = [*BOX_CORNERS, *[POINT] * len(prompt.points)]
        index = self.session.obj_id_to_idx(number)
        inputs = {
            "point_coords": torch.tensor(points, dtype=torch.float32)[None, None],
            "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None],
        }
        self.session.add_point_inputs(index, self.frame, inputs)
        if number not in self.session.obj_with_new_inputs:
            self.session.obj_with_new_inputs.append(number)

    def _prepare(self, frame: NDArray):
        """Pixels (1, 3, S, S) as the network wants them."""
        import cv2
        import torch

        side = self.network.config.image_size
        is_smaller = max(frame.shape[:2]) > side
        small = cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)
        pixels = (small.astype(np.float32) / 255 - IMAGE_MEAN) / IMAGE_DEVIATION
        return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None].to(self.device)

    def _forget(self) -> None:
        """Drop what the network does not look at any more: pictures, and outputs before its memory."""
        config, session = self.network.config, self.session
        oldest = self.frame - max(config.num_maskmem, config.max_object_pointers_in_encoder)
        session.processed_frames = None
        for index, outputs in session.output_dict_per_obj.items():
            prompted = sorted(outputs["cond_frame_outputs"])[:-KEPT_PROMPTS]
            _drop(outputs["cond_frame_outputs"], prompted)
            old = [number for number in outputs["non_cond_frame_outputs"] if number < oldest]
            _drop(outputs["non_cond_frame_outputs"], old)
            for kept in (*outputs["cond_frame_outputs"].values(), *outputs["non_cond_frame_outputs"].values()):
                kept.pop("high_res_masks", None)
            for table in (session.point_inputs_per_obj[index], session.frames_tracked_per_obj[index]):
                _drop(table, [number for number in table if number < oldest])


def _drop(table: dict, keys: list[int]) -> None:
    for key in keys:
        del table[key]


def _draw_mask(logits: NDArray, width: int, height: int) -> NDArray:
    """Log-odds (h, w) as a soft mask (height, width) uint8."""
    import cv2

    large = cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR)
    return (255 / (1 + np.exp(-large.clip(-30, 30))) + 0.5).astype(np.uint8)
