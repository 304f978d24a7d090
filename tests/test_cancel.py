"""Cancel is heard soon: no loop over the frames of a clip runs without asking for it.

With MIMO_CANCEL=1280x720x100 the same nodes run once on a clip of that size and print how long each was silent.
"""

import importlib
import os
from fractions import Fraction
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.silence import Silence


FEW, MANY, MORE = 6, 18, 30  # frames
MOST_CALLS = 250  # a frame that no question may have in between: what lists and arrays of numbers take
MEASURED = os.environ.get("MIMO_CANCEL", "")  # WIDTHxHEIGHTxFRAMES


@pytest.fixture(scope="module")
def core(node_classes):
    return lambda name: importlib.import_module(f"pack_under_test.mimo_core.{name}")


@pytest.fixture(scope="module")
def media(node_classes):
    return importlib.import_module("pack_under_test.nodes.media")


def make_inputs(core, folder, frames, size=(192, 256)):
    """What nodes take, of so many frames of the example, forward and back, in the middle of pictures of a size."""
    import cv2
    from comfy_api.latest import InputImpl

    (example, *_) = core("example").example_shots()
    film = core("media.clip").Clip.from_file(example.video)
    order = [*range(len(film)), *range(len(film) - 2, 0, -1)]

    def fit(picture):
        width = round(size[1] * film.width / film.height)
        left = (size[0] - width) // 2
        sides = left, size[0] - width - left
        return cv2.copyMakeBorder(cv2.resize(picture, (width, size[1])), 0, 0, *sides, cv2.BORDER_REPLICATE)

    shown = film.select(order[k % len(order)] for k in range(frames))
    clip = core("media.clip").Clip.from_frames((fit(frame) for frame in shown), fps=Fraction(24))
    path = folder / f"{frames}.mp4"
    core("media.video_writer").write_video(path, clip, fps=24)
    media = importlib.import_module("pack_under_test.nodes.media")
    clip = media.to_clip(InputImpl.VideoFromFile(str(path)), progress=lambda *given: None)
    found = core("pose.estimate").estimate_motion(clip)
    motion, masks = found.motion, np.stack(list(found.masks))
    scene = core("scene.separate").separate_scene(clip, motion=motion)
    picture = cv2.resize(
        core("media.picture").read_picture(example.character), None, fx=size[1] / 512, fy=size[1] / 512
    )
    identity = core("identity.encode").encode_identity(picture)
    batches = importlib.import_module("pack_under_test.nodes.batches")
    images = batches.make_batch(clip, frames)

    return SimpleNamespace(
        frames=frames,
        video=InputImpl.VideoFromFile(str(path)),
        images=images,
        masks=torch.from_numpy(masks).float() / 255,
        motion=motion,
        scene=scene,
        identity=identity,
        character=torch.from_numpy(picture).float()[None] / 255,
        boxes=[[[0.0, 0.0, clip.width, clip.height]]] * frames,
        keypoints=core("pose.other_packs").project_openpose(motion),
    )


POSE = {"estimator": "auto", "person": 0, "smoothing": 1.0, "fps": 0.0, "focal": 0.0}
SEPARATE = {"camera": "auto", "edge": 2, "fps": 0.0}
CASES = {
    "SMPL Pose Estimator": ("MIMO_EstimatePose", lambda x: POSE | {"clip": x.video}),
    "SMPL Pose Estimator, masks": ("MIMO_EstimatePose", lambda x: POSE | {"clip": x.images, "person_mask": x.masks}),
    "SMPL Pose Estimator, poses": ("MIMO_EstimatePose", lambda x: POSE | {"clip": x.video, "poses": x.keypoints}),
    "Scene Separator": ("MIMO_SeparateScene", lambda x: SEPARATE | {"clip": x.video, "motion": x.motion}),
    "Scene Separator, no motion": ("MIMO_SeparateScene", lambda x: SEPARATE | {"clip": x.video}),
    "Scene Separator, layers given": (
        "MIMO_SeparateScene",
        lambda x: SEPARATE | {"clip": x.video, "motion": x.motion, "person": x.masks, "occluder": x.masks,
                              "plate": x.images},
    ),
    "Scene Separator, depth": (
        "MIMO_SeparateScene", lambda x: SEPARATE | {"clip": x.video, "motion": x.motion, "depth": x.images},
    ),
    "Review Layers": ("MIMO_ReviewLayers", lambda x: {"scene": x.scene, "strokes": strokes(x)}),
    "Scene From Picture, video": (
        "MIMO_SceneFromPicture", lambda x: {"picture": x.video, "color": "white", "fit": "cover", "length": 0},
    ),
    "Identity Encoder": ("MIMO_EncodeIdentity", lambda x: {"character": x.character}),
    "Proxy Decoder": (
        "MIMO_DecodeProxy",
        lambda x: {"identity": x.identity, "motion": x.motion, "back_side": "mirror", "scene": x.scene},
    ),
    "Compositor": (
        "MIMO_Composite",
        lambda x: {"scene": x.scene, "images": x.images, "mask": x.masks, "color_match": "histogram", "feather": 4,
                   "shadow": 0.5},
    ),
    "Save Scene Template": (
        "MIMO_SaveTemplate", lambda x: {"scene": x.scene, "body_code": x.images, "folder": "template/x"},
    ),
    "Example Shot": ("MIMO_Example", lambda x: {"shot": "dance"}),
    **{
        f"Render Body Code, {style}": (
            "MIMO_RenderMotion",
            lambda x, style=style: {"motion": x.motion, "style": style, "colors": "auto", "scene": x.scene},
        )
        for style in ("body code", "openpose", "depth", "normal", "mask", "scail")
    },
    **{
        f"Save Motion, {kind}": (
            "MIMO_SaveMotion",
            lambda x, kind=kind: {"motion": x.motion, "prefix": "x", "format": kind},
        )
        for kind in ("npz", "bvh", "glb")
    },
}  # fmt: skip


def strokes(inputs) -> str:
    """One stroke on every third frame."""
    import json

    return json.dumps([["person", frame, "add", 9, [[50, 50], [60, 60]]] for frame in range(0, inputs.frames, 3)])


def watch(node_classes, monkeypatch, case, inputs, **options) -> Silence:
    name, given = CASES[case]
    given, silence = given(inputs), Silence(**options).install(monkeypatch)
    with silence:
        node_classes[name].execute(**given)
    return silence


@pytest.fixture(scope="module")
def clips(node_classes, core, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return {frames: make_inputs(core, folder, frames) for frames in (FEW, MANY)}


@pytest.fixture(scope="module")
def more(node_classes, core, tmp_path_factory):
    """Makes the clip of more frames, once, when it is needed."""
    return cache(lambda: make_inputs(core, tmp_path_factory.mktemp("more"), MORE))


def list_growth(before, after, frames) -> dict[tuple[str, str], int]:
    """Calls a frame between the same two questions, where they are too many, in clips that differ by some frames."""
    grown = {key: (calls - before[key]) // frames for key, calls in after.items() if key in before}
    return {key: calls for key, calls in grown.items() if calls > MOST_CALLS}


@pytest.mark.parametrize("case", CASES)
def test_no_loop_over_frames_forgets_to_ask(node_classes, clips, more, folders, monkeypatch, case):
    """Between the same two questions as many calls are made in a longer clip.

    One frame may take many more, another one on other processors; only a loop takes yet more in a yet longer clip.
    """
    watch(node_classes, monkeypatch, case, clips[FEW], counts_calls=False)  # what is imported and loaded only once
    few, many = (watch(node_classes, monkeypatch, case, clips[frames]).calls for frames in (FEW, MANY))
    silent = list_growth(few, many, MANY - FEW)
    if silent:
        longer = watch(node_classes, monkeypatch, case, more()).calls
        silent = {key: calls for key, calls in list_growth(many, longer, MORE - MANY).items() if key in silent}
    assert not silent, [f"{calls} calls a frame from {a} to {b}" for (a, b), calls in silent.items()]


@pytest.mark.skipif(not MEASURED, reason="set MIMO_CANCEL=WIDTHxHEIGHTxFRAMES to measure")
def test_measure(node_classes, core, folders, monkeypatch, capsys):
    import time

    width, height, frames = map(int, MEASURED.split("x"))
    inputs = make_inputs(core, folders, frames, (width, height))
    for case in CASES:
        start = time.perf_counter()
        silence = watch(node_classes, monkeypatch, case, inputs, counts_calls=False)
        taken = time.perf_counter() - start
        worst = silence.work.most_common(3)
        with capsys.disabled():
            longest = max(silence.seconds.values())
            print(f"| {case} | {taken:.1f} | {silence.asked} | {worst[0][1]:.2f} | {longest:.2f} |", flush=True)  # noqa: T201
            for places, seconds in worst:
                print(f"    {seconds:.2f} {' -> '.join(places)}", flush=True)  # noqa: T201


def test_a_figure_is_baked_in_steps_that_can_be_stopped(node_classes, clips, folders, monkeypatch):
    """It takes seconds, before there is any frame."""
    silence = watch(node_classes, monkeypatch, "Proxy Decoder", clips[FEW])
    baking = [places for places in silence.calls if any("from_identity" in place for place in places)]
    assert len(baking) >= 6, silence.calls


class TestQuestions:
    """Whatever reads frames of a clip, or makes floats of frames, is stopped by Cancel."""

    class Pressed(Exception):
        pass

    @pytest.fixture
    def pressed(self, node_classes, monkeypatch):
        """Cancel was pressed."""
        import comfy.model_management

        def stop():
            raise self.Pressed

        return lambda: monkeypatch.setattr(comfy.model_management, "throw_exception_if_processing_interrupted", stop)

    @pytest.mark.parametrize("how", ["images", "video"])
    def test_a_clip_is_not_read_on(self, media, clips, pressed, how):
        clip = media.to_clip(getattr(clips[FEW], how), progress=lambda *given: None)
        frames = iter(clip)
        next(frames)
        pressed()
        with pytest.raises(self.Pressed):
            next(frames)
        with pytest.raises(self.Pressed):
            clip[0]

    def test_masks_are_not_read_on(self, media, clips, pressed):
        masks = media.to_masks(clips[FEW].masks, FEW)
        pressed()
        with pytest.raises(self.Pressed):
            masks[0]

    def test_layers_of_a_scene_are_not_read_on(self, clips, pressed):
        pressed()
        with pytest.raises(self.Pressed):
            clips[FEW].scene.plate[0]

    def test_floats_are_not_made_on(self, node_classes, pressed):
        batches = importlib.import_module("pack_under_test.nodes.batches")
        pressed()
        with pytest.raises(self.Pressed):
            batches.make_batch(np.zeros((2, 8, 8, 3), np.uint8), 2)
