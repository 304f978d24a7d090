"""Whole shots taken apart, with exact truth."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mimo_core.body.skeleton import JOINTS
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.media.clip import Clip, Masks
from mimo_core.scene.filters import dilate_mask
from mimo_core.scene.first_guess import working_scale
from mimo_core.scene.scene import Doubt, SceneReport
from mimo_core.scene.separate import separate_scene
from mimo_lab.synthetic import make_shot as synthetic_shot


FRAMES, HEIGHT, WIDTH = 12, 96, 128
DATA = Path(__file__).parent / "data"


def shot(*, ball: bool = False):
    """A red person who walks over a textured ground, and a ball that flies past in front: frames, plate, masks."""
    import cv2

    coarse = np.random.default_rng(0).integers(60, 190, (HEIGHT // 4, WIDTH // 4, 3)).astype(np.uint8)
    plate = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frames, people, balls = [], [], []
    for frame in range(FRAMES):
        person = (np.abs(x - 34 - 5 * frame) < 7) & (y > 20) & (y < 84)
        round_thing = ((x - 118 + 8 * frame) ** 2 + (y - 50) ** 2 < 49) & ball
        picture = plate.copy()
        picture[person] = (200, 30, 40)
        picture[round_thing] = (20, 220, 240)
        frames.append(picture)
        people.append((person & ~round_thing).astype(np.uint8) * 255)
        balls.append(round_thing)
    return np.stack(frames), plate, np.stack(people), np.stack(balls)


def iou(found, truth):
    return (found & truth).sum() / (found | truth).sum()


def sloppy(people):
    """A first guess such as a network gives: blurred and too wide."""
    import cv2

    return np.stack([cv2.GaussianBlur(dilate_mask(mask > 0, 2).astype(np.uint8) * 255, (0, 0), 2) for mask in people])


@pytest.fixture(scope="module")
def taken():
    frames, plate, people, balls = shot(ball=True)
    scene = separate_scene(Clip.from_array(frames), coarse=Masks.from_array(sloppy(people)))
    return scene, frames, plate, people, balls


class TestASimpleShot:
    def test_the_person_is_outlined(self, taken):
        scene, _, _, people, _ = taken
        assert np.mean([iou(found > 127, truth > 127) for found, truth in zip(scene.person, people, strict=True)]) > 0.9

    def test_outside_the_dilated_person_the_plate_is_the_source_exactly(self, taken):
        scene, frames, _, _, _ = taken
        for plate, source, person in zip(scene.plate, frames, scene.person, strict=True):
            reach = dilate_mask(person > 0, 0.02 * 70 + 1)
            np.testing.assert_array_equal(plate[~reach], source[~reach])

    def test_the_plate_shows_what_other_frames_saw(self, taken):
        scene, _, truth, people, balls = taken
        hidden = (people > 127) & ~balls
        error = np.stack(list(scene.plate)).astype(float) - truth
        assert 10 * np.log10(255**2 / np.square(error)[hidden].mean()) > 28
        assert scene.report.camera == "none" and scene.report.seen > 0.95

    def test_the_ball_is_in_front_where_it_crosses_the_person(self, taken):
        scene, _, _, _, balls = taken
        crossing = [frame for frame in range(FRAMES) if abs(118 - 8 * frame - 34 - 5 * frame) < 10]
        occluder = np.stack(list(scene.occluder)) > 127
        assert crossing and min(iou(occluder[frame], balls[frame]) for frame in crossing) > 0.75


class TestGivenLayers:
    @pytest.fixture()
    def clip(self):
        return Clip.from_array(shot()[0])

    def test_a_given_mask_is_taken_as_it_is(self, clip):
        people = shot()[2]
        scene = separate_scene(clip, person=Masks.from_array(people))
        np.testing.assert_array_equal(np.stack(list(scene.person)), people)

    def test_one_mask_stands_for_all_frames(self, clip):
        mask = np.zeros((1, HEIGHT, WIDTH), np.uint8)
        mask[:, 20:80, 20:110] = 255
        scene = separate_scene(clip, person=Masks.from_array(mask), occluder=Masks.from_array(mask // 2))
        np.testing.assert_array_equal(scene.person[7], mask[0])
        np.testing.assert_array_equal(scene.occluder[7], mask[0] // 2)

    def test_a_given_plate_fills_the_hole_and_only_the_hole(self, clip):
        people = shot()[2]
        blue = Clip.still(np.full((HEIGHT, WIDTH, 3), (0, 0, 255), np.uint8), 1)
        scene = separate_scene(clip, person=Masks.from_array(people), plate=blue)
        plate, source = scene.plate[5], clip[5]
        assert (plate[people[5] > 0] == (0, 0, 255)).all()
        far = ~dilate_mask(people[5] > 0, 4)
        np.testing.assert_array_equal(plate[far], source[far])

    def test_another_size_of_one_shape_is_resized_and_noted(self, clip):
        small = shot()[2][:, ::2, ::2]
        scene = separate_scene(clip, person=Masks.from_array(small))
        assert (scene.person.width, scene.person.height) == (WIDTH, HEIGHT)
        assert scene.report.notes == ("The person mask was resized from 64x48 to 128x96.",)

    def test_another_shape_is_refused_with_both_sizes(self, clip):
        with pytest.raises(InputError, match="64x96 but the clip 128x96"):
            separate_scene(clip, person=Masks.from_array(np.zeros((1, HEIGHT, 64), np.uint8)))

    def test_another_length_is_refused_with_both_counts(self, clip):
        with pytest.raises(InputError, match="occluder mask has 5 frames but the clip has 12"):
            separate_scene(clip, occluder=Masks.from_array(np.zeros((5, HEIGHT, WIDTH), np.uint8)))

    def test_an_unknown_camera_is_refused(self, clip):
        with pytest.raises(InputError, match="auto, none, pan, homography"):
            separate_scene(clip, camera="drone")


class TestAGapInTheFirstGuess:
    def test_the_body_that_bridges_it_shows_where_the_person_is(self):
        made = synthetic_shot(0, size=128, frames=8)
        coarse = made.visible.copy()
        coarse[4] = 0
        scene = separate_scene(Clip.from_array(made.frames), motion=made.motion, coarse=Masks.from_array(coarse))
        assert iou(scene.person[4] > 127, made.visible[4] > 127) > 0.85


class TestEverySizeOfAVideo:
    def test_the_fitted_body_is_drawn_at_the_working_size_of_every_frame_size(self):
        random = np.random.default_rng(0)
        for width, height in random.integers(1, 4097, (2000, 2)).tolist():
            stature = float(random.uniform(0, 3 * height))
            scale = working_scale(width, height, stature)
            size = round(width * scale), round(height * scale)
            assert min(size) >= min(8, width, height)
            assert Camera.for_size(width, height).resize(*size).size == size

    def test_a_wide_clip_whose_working_height_is_rounded_is_taken_apart(self):
        made = synthetic_shot(0, size=128, frames=2)
        frames = np.stack([np.pad(frame, ((0, 0), (0, 180), (0, 0)), mode="edge") for frame in made.frames])[:, 1:]
        coarse = np.pad(made.visible, ((0, 0), (0, 0), (0, 180)))[:, 1:]
        near = replace(made.motion, camera=replace(made.motion.camera, focal=560.0, size=(308, 127)))
        scene = separate_scene(Clip.from_array(frames), motion=near, coarse=Masks.from_array(coarse))
        assert scene.frames == 2


class TestNobody:
    def test_somebody_who_was_overlooked_for_a_while_does_not_become_scenery(self):
        """Who is found from some frame on stood there before, and hides the scene there."""
        frames, plate, people, _ = shot()
        order = [0] * 9 + [2, 3, 4]
        frames, people, guess = frames[order], people[order], sloppy(people)[order]
        guess[:8] = 0
        scene = separate_scene(Clip.from_array(frames), coarse=Masks.from_array(guess), camera="none")
        hidden = people[0] > 127
        shown = np.abs(scene.plate[8].astype(float) - plate)[hidden].mean()
        assert np.abs(frames[0].astype(float) - plate)[hidden].mean() > 60
        assert shown < 12

    def test_a_given_mask_that_shows_nobody_is_believed(self):
        """Frames just after the person has gone are the only ones that show what they hid."""
        frames, plate, people, _ = shot()
        frames = np.concatenate([frames[[0] * 6], np.stack([plate] * 3)])
        masks = np.concatenate([people[[0] * 6], np.zeros((3, HEIGHT, WIDTH), np.uint8)])
        scene = separate_scene(Clip.from_array(frames), person=Masks.from_array(masks), camera="none")
        hidden = people[0] > 127
        assert np.abs(scene.plate[0].astype(float) - plate)[hidden].mean() < 3

    def test_an_empty_mask_leaves_the_source_and_says_so(self):
        frames = shot()[0][:3]
        empty = Masks.constant(0, 3, HEIGHT, WIDTH)
        scene = separate_scene(Clip.from_array(frames), person=empty)
        np.testing.assert_array_equal(np.stack(list(scene.plate)), frames)
        assert "frames 0 to 2: nobody was found" in scene.report.text()

    def test_one_frame_is_painted_and_doubted(self):
        frames, _, people, _ = shot()
        scene = separate_scene(Clip.from_array(frames[5:6]), person=Masks.from_array(people[5:6]))
        assert scene.report.filled == 1
        assert "seen in no frame" in scene.report.text()

    @pytest.mark.parametrize("lone", [0, 3])
    def test_who_is_seen_in_one_frame_alone_is_taken_out_by_their_motion(self, lone):
        made = synthetic_shot(0, size=128, frames=4)
        person = made.motion.people[0]
        only = replace(person, visible=torch.arange(4) == lone)
        motion = replace(made.motion, people=(only, *made.motion.people[1:]))
        coarse = made.visible * (np.arange(4) == lone)[:, None, None].astype(np.uint8)
        whole = separate_scene(Clip.from_array(made.frames), motion=motion, coarse=Masks.from_array(coarse))
        single = separate_scene(
            Clip.from_array(made.frames[lone : lone + 1]),
            motion=made.motion[lone : lone + 1],
            coarse=Masks.from_array(made.visible[lone : lone + 1]),
        )
        for scene, frame in (whole, lone), (single, 0):
            assert iou(scene.person[frame] > 127, made.visible[lone] > 127) > 0.6


class TestProgress:
    def test_it_rises_to_the_end_and_can_stop_the_work(self):
        frames, _, people, _ = shot()
        steps = []
        separate_scene(
            Clip.from_array(frames),
            person=Masks.from_array(people),
            progress=lambda done, total, preview=None: steps.append((done, total)),
        )
        # A step may be reported again, so that its caller can cancel in the midst of it.
        done = [done for done, _ in steps]
        assert done == sorted(done) and {0, *done} == set(range(steps[-1][1] + 1))  # 0 while bars are looked for

        class Stop(Exception):
            pass

        def stop(done, total, preview=None):
            if done == 20:
                raise Stop

        with pytest.raises(Stop):
            separate_scene(Clip.from_array(frames), person=Masks.from_array(people), progress=stop)


def test_neighbouring_doubts_of_one_reason_are_one_line():
    report = SceneReport(doubts=(Doubt(1, "dark"), Doubt(2, "dark"), Doubt(5, "dark")))
    assert report.text().splitlines()[-3:] == ["3 frames in doubt:", "  frames 1 to 2: dark", "  frame 5: dark"]
    assert "\n1 frame in doubt:" in SceneReport(doubts=(Doubt(0, "dark"),)).text()


@pytest.mark.skipif(
    "MIMO_JUGGLE" not in os.environ or not (DATA / "juggle_ball.json").exists(), reason="MIMO_JUGGLE names no clip"
)
def test_the_ball_of_the_juggling_clip_stays_whole_over_another_character():
    from mimo_core.compositing.composite import composite
    from mimo_core.pose.estimate import estimate_motion

    clip = Clip.from_file(os.environ["MIMO_JUGGLE"])
    found = estimate_motion(clip)
    scene = separate_scene(clip, motion=found.motion, coarse=found.masks)
    outlines = {ball["frame"]: ball for ball in json.loads((DATA / "juggle_ball.json").read_text())["balls"]}
    body = Masks.from_frames(dilate_mask(mask > 0, 6) * np.uint8(255) for mask in found.masks)
    green = Clip.still(np.full((clip.height, clip.width, 3), (0, 200, 0), np.uint8), len(clip))
    y, x = np.mgrid[: clip.height, : clip.width]
    for frame, (made, source) in enumerate(zip(composite(scene, green, body), clip, strict=True)):
        if frame in outlines:
            ball = outlines[frame]
            inside = (x + 0.5 - ball["x"]) ** 2 + (y + 0.5 - ball["y"]) ** 2 < ball["radius"] ** 2
            close = np.abs(made[inside].astype(int) - source[inside]).max(-1) <= 12
            assert close.mean() >= 0.9, f"frame {frame}: {close.mean():.1%}"


class TestHeldThings:
    """The red person, who carries a yellow disc in front of them in all frames or in some."""

    def separate(self, shown, held_things):
        frames, _, people, _ = shot()
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        discs = np.stack([(x - 46 - 5 * frame) ** 2 + (y - 50) ** 2 < 64 for frame in range(FRAMES)])
        discs &= np.isin(np.arange(FRAMES), shown)[:, None, None]
        frames[discs], people[discs] = (240, 220, 20), 0
        clip, coarse = Clip.from_array(frames), Masks.from_array(sloppy(people))
        scene = separate_scene(clip, coarse=coarse, held_things=held_things)
        layers = (np.stack([layer[frame] > 127 for frame in range(FRAMES)]) for layer in (scene.person, scene.occluder))
        shares = [(layer & discs).sum() / discs.sum() for layer in layers]
        return *shares, scene.report.text()

    def test_kept_they_are_in_front(self):
        person, occluder, report = self.separate(range(FRAMES), "keep")
        assert occluder > 0.8 and person < 0.2 and "could not be told" not in report

    def test_removed_they_are_the_persons(self):
        person, occluder, report = self.separate(range(FRAMES), "remove")
        assert person > 0.8 and occluder < 0.1 and "could not be told" not in report

    def test_what_is_told_apart_in_half_of_the_clip_goes_with_the_person_and_is_noted(self):
        person, occluder, report = self.separate(range(7), "keep")
        assert person > 0.8 and occluder < 0.1 and "could not be told" in report

    def test_another_choice_is_refused(self):
        with pytest.raises(InputError, match="keep, remove"):
            self.separate(range(FRAMES), "throw")


@pytest.fixture(scope="module")
def dance_behind_a_post():
    return synthetic_shot(1015, size=128, frames=12)


@pytest.mark.parametrize(("aside", "turn"), [(0.0, 0), (0.03, 0), (-0.03, 0), (0.0, 10)])
def test_a_post_in_front_is_as_whole_if_the_fit_lies_a_little_beside_the_dancer(dance_behind_a_post, aside, turn):
    """By 3 % of the body's height, or with both arms 10 degrees too low."""
    shot, motion = dance_behind_a_post, dance_behind_a_post.motion
    tall = max(np.ptp(np.flatnonzero((mask > 0).any(1))) for mask in shot.person)
    x, y = motion.camera.center
    pose = motion.person.body_pose.clone()
    left, right = (3 * JOINTS.index(name) - 1 for name in ("left_shoulder", "right_shoulder"))  # Z, without the root
    pose[:, left] -= np.deg2rad(turn)
    pose[:, right] += np.deg2rad(turn)
    people = (replace(motion.person, body_pose=pose),)
    motion = replace(motion, camera=replace(motion.camera, center=(x + aside * tall, y)), people=people)
    scene = separate_scene(Clip.from_array(shot.frames), motion=motion, coarse=Masks.from_array(shot.visible))
    overlaps = []
    for found, truth, body in zip(scene.occluder, shot.occluder, shot.person, strict=True):
        near = dilate_mask(body > 127, 0.04 * tall)
        if (near & (truth > 127)).any():
            overlaps.append(iou((found > 127) & near, (truth > 127) & near))
    assert np.mean(overlaps) > 0.89
