"""The estimator from frames to motion, on synthetic people with known truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks
from mimo_core.pose.darkness import lift_dark
from mimo_core.pose.estimate import draw_overlay, estimate_motion, estimate_picture, find_people
from mimo_core.pose.follow import count_found
from mimo_core.replace import find_everybody, find_person
from mimo_lab.bench.pose import measure_joint_error
from mimo_lab.synthetic import make_shot


@pytest.fixture(scope="module")
def made():
    return make_shot(11, size=256, frames=6, occluders="none", camera="fixed")


@pytest.fixture(scope="module")
def clip(made):
    return Clip.from_array(made.frames, 12)


@pytest.fixture(scope="module")
def found(made, clip):
    return estimate_motion(clip, focal=made.motion.camera.focal)


def assembled(made, layers):
    """A clip of person frames ("p") and empty ones ("-")."""
    frames = [made.frames[i % 6] if kind == "p" else made.plate[i % 6] for i, kind in enumerate(layers)]
    return Clip.from_array(np.stack(frames), 12)


class TestEstimate:
    def test_the_pose_is_close_to_the_truth(self, made, found):
        assert found.is_found
        assert measure_joint_error(found.motion, made.motion, torch.ones(6, dtype=torch.bool)).position < 100

    def test_the_masks_are_the_person(self, made, found):
        assert (len(found.masks), found.masks.width, found.masks.height) == (6, 256, 256)
        for mask, truth in zip(found.masks, made.visible, strict=True):
            seen, wanted = mask > 127, truth > 127
            assert (seen & wanted).sum() / (seen | wanted).sum() > 0.85

    def test_length_rate_and_camera_are_those_of_the_clip(self, made, found):
        assert (found.motion.frames, found.motion.fps) == (6, 12.0)
        assert found.motion.camera.size == (256, 256)
        assert found.motion.camera.focal == pytest.approx(made.motion.camera.focal)

    def test_an_assumed_focal_length_is_stated(self, clip, found):
        assert not any("Focal" in note for note in found.notes)
        assert any("Focal length assumed: 307 px" in note for note in estimate_motion(clip).notes)

    def test_nobody_is_a_note_and_not_an_invention(self, made):
        empty = estimate_motion(assembled(made, "----"))
        assert not empty.is_found and not empty.motion.person.visible.any()
        assert empty.notes == ("Nobody was found in 4 frames.",)
        assert max(int(mask.max()) for mask in empty.masks) == 0

    def test_a_person_who_leaves_for_a_moment_is_bridged(self, made):
        seen = estimate_motion(assembled(made, "ppp--ppp"))
        assert seen.motion.person.bridged.nonzero()[:, 0].tolist() == [3, 4]
        assert seen.motion.person.visible.all()
        assert any("Frames 3-4 are bridged" in note for note in seen.notes)

    def test_a_person_who_leaves_for_long_is_invisible_until_they_return(self, made):
        seen = estimate_motion(assembled(made, "pp" + "-" * 8 + "pp"))
        assert seen.motion.person.visible.tolist() == [True] * 2 + [False] * 8 + [True] * 2
        assert any("not seen in frames 2-9" in note for note in seen.notes)

    def test_of_two_people_the_asked_one_is_followed(self, made):
        rows = np.arange(0, 256, 4 / 3).astype(int)
        small = np.full((6, 256, 192, 3), 120, np.uint8)
        small[:, 64:] = made.frames[:, rows][:, :, rows]
        both = Clip.from_array(np.concatenate([small, made.frames], 2), 12)
        large, other = estimate_motion(both), estimate_motion(both, person=1)
        assert large.landmarks.pixels[:, 23:25, 0].mean() > 192 > other.landmarks.pixels[:, 23:25, 0].mean()
        assert any("2 people were found; number 1 is followed" in note for note in other.notes)
        with pytest.raises(InputError, match="no person 3: 2 people were found.* set person to 1 or lower"):
            find_person(both, person=3)

    def test_one_person_is_counted_in_the_singular(self):
        assert count_found(1) == "1 person was found" and count_found(2) == "2 people were found"

    def test_a_half_body_is_fitted_and_flagged(self, made):
        thighs = 165
        half = estimate_motion(Clip.from_array(made.frames[:, :thighs].copy(), 12))
        assert half.is_found
        joints = half.motion.person.joint_confidence
        assert (joints[:, [7, 8, 10, 11]] == 0).all() and (joints[:, 16:20] > 0).all()
        assert any("follow the prior" in note for note in half.notes)

    def test_odd_sizes_work(self, made):
        odd = estimate_motion(Clip.from_array(made.frames[:2, :251, :247].copy(), 12))
        assert odd.is_found and (odd.masks.width, odd.masks.height) == (247, 251)

    def test_progress_ends_complete_and_never_goes_back(self, clip):
        calls = []
        estimate_motion(clip, progress=lambda done, total, preview=None: calls.append((done, total)))
        steps = [done for done, _ in calls]
        assert steps == sorted(steps) and steps[-1] == calls[-1][1] and len({total for _, total in calls}) == 1

    @pytest.mark.parametrize("find", [find_person, find_everybody])
    def test_progress_goes_on_while_somebody_is_looked_for_again(self, find):
        calls = []
        empty = Clip.from_array(np.zeros((12, 64, 64, 3), np.uint8), 24)
        with pytest.raises(InputError, match=r"^Nobody was found in 12 frames\. Crop [^,]*$"):
            find(empty, progress=lambda done, total, preview=None: calls.append((done / total, 1)))
        steps = [done for done, _ in calls]
        assert steps == sorted(steps) and steps[-1] == calls[-1][1]
        assert max(steps.count(step) for step in set(steps) - {0}) < 8

    def test_cancelling_gets_through(self, clip):
        def cancel(done, total, preview=None):
            raise InterruptedError

        with pytest.raises(InterruptedError):
            estimate_motion(clip, progress=cancel)


class TestGuides:
    def test_a_mask_of_the_clip_is_accepted(self, made, clip):
        assert estimate_motion(clip, person_mask=Masks.from_array(made.visible)).is_found

    @pytest.mark.parametrize(("frames", "size"), [(6, (128, 256)), (3, (256, 256))])
    def test_a_mask_of_another_shape_or_length_is_refused(self, clip, frames, size):
        with pytest.raises(InputError, match="shape differs|has .* frames but the clip"):
            estimate_motion(clip, person_mask=Masks.constant(255, frames, *size))

    def test_a_mask_of_another_size_is_resized_and_said(self, made, clip):
        half = Masks.from_array(np.ascontiguousarray(made.visible[:, ::2, ::2]))
        found = estimate_motion(clip, person_mask=half)
        assert found.is_found and any("person mask was resized from 128x128" in note for note in found.notes)

    def test_boxes_of_another_number_are_refused(self, clip):
        with pytest.raises(InputError, match="6 frames but 2 boxes"):
            estimate_motion(clip, boxes=[(0, 0, 10, 10)] * 2)

    def test_boxes_and_mask_together_are_refused(self, clip):
        with pytest.raises(InputError, match="not both"):
            estimate_motion(clip, boxes=[(0, 0, 9, 9)] * 6, person_mask=Masks.constant(255, 6, 256, 256))

    @pytest.mark.parametrize("wrong", [{"smoothing": -1.0}, {"focal": -5.0}])
    def test_negative_values_are_refused(self, clip, wrong):
        with pytest.raises(InputError, match="cannot be negative"):
            estimate_motion(clip, **wrong)


class TestPicture:
    def test_it_is_a_motion_of_one_frame(self, made):
        seen = estimate_picture(made.frames[0])
        assert seen.motion.frames == 1 and len(seen.masks) == 1 and seen.is_found
        assert not seen.motion.person.contacts.any()

    def test_a_picture_without_a_person_says_so(self, made):
        seen = estimate_picture(made.plate[0])
        assert not seen.is_found and seen.notes == ("Nobody was found in 1 frame.",)


class TestOverlay:
    def test_it_draws_over_the_person_and_nowhere_else(self, made, found):
        drawn = draw_overlay(made.frames[0], found.motion, 0)
        changed = (drawn != made.frames[0]).any(-1)
        truth = made.visible[0] > 127
        assert (changed & truth).sum() / truth.sum() > 0.6
        assert (changed & ~truth).mean() < 0.05

    def test_a_limb_that_was_not_seen_is_gray(self, made, found):
        person = found.motion.person
        confidence = person.joint_confidence.clone()
        confidence[:, [joint for name, joint in JOINT.items() if name.startswith("left_")]] = 0
        half = found.motion.with_person(replace(person, joint_confidence=confidence))
        black = np.zeros_like(made.frames[0])
        plain, marked = (draw_overlay(black, motion, 0).astype(int) for motion in (found.motion, half))
        gray = (np.ptp(marked, 2) < 4) & (marked.max(2) > 20)
        assert 0.2 < gray.sum() / (plain.max(2) > 20).sum() < 0.6

    def test_an_invisible_person_is_not_drawn(self, made):
        empty = estimate_motion(assembled(made, "--")).motion
        assert np.array_equal(draw_overlay(made.plate[0], empty, 0), made.plate[0])

    def test_the_frame_itself_is_not_written_to(self, made, found):
        before = made.frames[0].copy()
        draw_overlay(made.frames[0], found.motion, 0)
        assert np.array_equal(before, made.frames[0])


def test_somebody_in_the_dark_is_found_and_nobody_is_where_nobody_is(made):
    noise = np.random.default_rng(0).normal(0, 2, made.frames[0].shape)
    day, plate = made.frames[0], made.plate[0]
    person, nobody = ((0.1 * frame + noise).clip(0, 255).astype(np.uint8) for frame in (day, plate))
    assert find_people(person) and not find_people(nobody)
    assert lift_dark(day) is day and lift_dark(person).mean() > 4 * person.mean()


def test_find_people_gives_scores(made):
    assert all(person.score >= 0.5 for person in find_people(made.frames[0]))
    assert find_people(made.plate[0]) == []
