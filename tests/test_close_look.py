"""The close look at a person: in a mirror, and what two looks say together."""

import functools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mimo_core.pose import close_look
from mimo_core.pose.blazepose import (
    ANKLES,
    ELBOWS,
    HIPS,
    INDICES,
    KNEES,
    PINKIES,
    SHOULDERS,
    WRISTS,
    find_people,
    load_blazepose,
)
from mimo_core.pose.close_look import ARMS, LEGS, CloseLook, find_mirrored, merge_looks
from mimo_core.pose.hands import HandPose, find_hands_elsewhere, plan_region
from mimo_core.pose.sides import MIRRORED_LANDMARKS
from mimo_core.pose.unseen import LARGE_REGION, doubt_faces, doubt_wrists
from mimo_lab.bench.pose import project_true_landmarks
from mimo_lab.synthetic import make_shot


FRAMES, FPS = 24, 12.0


@pytest.fixture(scope="module")
def walking():
    """The exact landmarks of somebody who walks."""
    return project_true_landmarks(make_shot(7, size=64, frames=FRAMES, fps=FPS, samples=1, performance="walk").motion)


def exchange(seen, frame, limbs):
    """The landmarks with left and right of some limbs exchanged in a frame."""
    pixels, world = seen.pixels.clone(), seen.world.clone()
    for values in (pixels, world):
        values[frame, limbs] = values[frame][[MIRRORED_LANDMARKS[limb] for limb in limbs]]
    return replace(seen, pixels=pixels, world=world)


def move(seen, frame, limbs, meters, pixels):
    """The landmarks with some limbs elsewhere in a frame."""
    moved = replace(seen, pixels=seen.pixels.clone(), world=seen.world.clone())
    moved.pixels[frame, limbs] += torch.tensor([pixels, 0.0])
    moved.world[frame, limbs] += torch.tensor([meters, 0.0, 0.0])
    return moved


def pixels_of_a_meter(seen, frame):
    return float((seen.pixels[frame].std(0) / seen.world[frame, :, :2].std(0)).mean())


class TestTheMirror:
    @functools.cached_property
    def frame(self):
        return make_shot(3, size=256, frames=1, samples=1).frames[0]

    def test_who_is_seen_in_it_keeps_their_place_and_their_sides(self):
        frame = self.frame
        networks = load_blazepose()
        straight = networks.find_landmarks(frame, find_people(frame)[0].region)
        mirrored = find_mirrored(networks, frame, straight.region)
        tall = np.ptp(straight.pixels[:, 1])
        sure = np.minimum(straight.confidence, mirrored.confidence) > 0.9
        assert sure.sum() > 10
        away = np.linalg.norm(straight.pixels - mirrored.pixels, axis=1)
        assert np.median(away[sure]) < 0.03 * tall
        assert np.median(np.linalg.norm(straight.world - mirrored.world, axis=1)[sure]) < 0.08

    def test_a_turned_region_is_turned_the_other_way(self):
        frame = self.frame
        networks = load_blazepose()
        region = replace(find_people(frame)[0].region, angle=0.4)
        straight, mirrored = networks.find_landmarks(frame, region), find_mirrored(networks, frame, region)
        away = np.linalg.norm(straight.pixels - mirrored.pixels, axis=1)
        assert np.median(away) < 0.03 * np.ptp(straight.pixels[:, 1])


class TestTwoLooks:
    def test_looks_that_agree_change_nothing(self, walking):
        merged = merge_looks(walking, walking, FPS)
        for name in ("pixels", "world", "confidence"):
            assert torch.allclose(getattr(merged, name), getattr(walking, name), atol=1e-5)

    @pytest.mark.parametrize("limbs", [LEGS, ARMS], ids=["legs", "arms"])
    def test_limbs_that_one_look_exchanges_in_a_frame_are_put_right(self, walking, limbs):
        wrong = exchange(walking, 9, limbs)
        for looks in ((wrong, walking), (walking, wrong)):
            merged = merge_looks(*looks, FPS)
            assert torch.allclose(merged.pixels, walking.pixels, atol=1e-3)
            assert torch.allclose(merged.world, walking.world, atol=1e-5)

    def test_legs_that_both_looks_exchange_in_a_frame_are_put_right(self, walking):
        apart = int((walking.world[:, ANKLES[0]] - walking.world[:, ANKLES[1]]).norm(dim=1)[1:-1].argmax()) + 1
        wrong = exchange(walking, apart, LEGS)
        assert torch.allclose(merge_looks(wrong, wrong, FPS).world, walking.world, atol=1e-5)

    def test_a_leg_that_is_elsewhere_for_a_frame_is_taken_from_the_other_look(self, walking):
        leg = [point for point in LEGS if point % 2]
        wrong = move(walking, 9, leg, 0.8, 0.8 * pixels_of_a_meter(walking, 9))
        for looks in ((wrong, walking), (walking, wrong)):
            merged = merge_looks(*looks, FPS)
            assert float((merged.world[9] - walking.world[9]).norm(dim=1).max()) < 0.02

    def test_what_they_disagree_on_loses_confidence_and_nothing_else_does(self, walking):
        wrist = [WRISTS[0]]
        merged = merge_looks(walking, move(walking, 9, wrist, 0.5, 0.5 * pixels_of_a_meter(walking, 9)), FPS)
        assert float(merged.confidence[9, wrist]) < 0.75
        others = torch.ones(FRAMES, 33, dtype=torch.bool)
        others[9, wrist] = False
        assert float((merged.confidence - walking.confidence)[others].abs().max()) < 0.05

    def test_frames_without_a_person_stay_as_they_are(self, walking):
        score = walking.score.clone()
        score[5:8] = 0
        gone = replace(walking, score=score)
        merged = merge_looks(gone, exchange(gone, 12, LEGS), FPS)
        assert torch.equal(merged.found, gone.found)
        assert torch.allclose(merged.world, walking.world, atol=1e-5)

    def test_a_long_clip_is_compared_in_parts_as_at_once(self, walking, monkeypatch):
        other = exchange(exchange(walking, 4, LEGS), 5, ARMS)
        whole = merge_looks(walking, other, FPS)
        for frames in (1, 5, FRAMES - 1):
            monkeypatch.setattr(close_look, "FRAMES_AT_ONCE", frames)
            parts = merge_looks(walking, other, FPS)
            assert all(torch.equal(getattr(parts, name), getattr(whole, name)) for name in ("pixels", "world"))

    def test_nobody_at_all_is_no_error(self, walking):
        nobody = replace(walking, score=torch.zeros(FRAMES))
        assert not merge_looks(nobody, nobody, FPS).found.any()


class TestHands:
    @pytest.fixture()
    def looked(self, walking):
        """A close look with a hand of presence 0.9 at every left wrist and 0.8 at every right one."""
        close = CloseLook(fingers=True)
        for _ in range(FRAMES):
            close.hands.append(
                tuple(
                    HandPose(value, np.zeros((21, 2), np.float32), np.zeros((21, 3), np.float32))
                    for value in (0.9, 0.8)
                )
            )
            close.mirrored.append(None)
            close.mirrored_hands.append((None, None))
        return close

    def presences(self, pairs, frame):
        return [None if hand is None else round(hand.presence, 3) for hand in pairs[frame]]

    def test_hands_go_with_their_wrists_where_arms_were_exchanged(self, looked, walking):
        matched = looked.match_hands(walking, exchange(walking, 4, ARMS))
        assert [self.presences(matched, frame) for frame in (3, 4, 5)] == [[0.9, 0.8], [0.8, 0.9], [0.9, 0.8]]

    def test_a_hand_that_was_looked_for_elsewhere_is_dropped(self, looked, walking):
        away = move(walking, 4, [WRISTS[1]], 0.6, 0.6 * pixels_of_a_meter(walking, 4))
        assert self.presences(looked.match_hands(walking, away), 4) == [0.9, None]

    def test_a_wrist_that_only_the_mirror_shows_has_the_hand_that_was_looked_for_there(self, looked, walking):
        away = move(walking, 4, [WRISTS[1]], 0.6, 0.6 * pixels_of_a_meter(walking, 4))
        blank = np.zeros((21, 2), np.float32), np.zeros((21, 3), np.float32)
        looked.mirrored = [SimpleNamespace(pixels=pixels) for pixels in away.pixels.numpy()]
        looked.mirrored_hands = [(None, HandPose(0.1, *blank) if frame == 4 else None) for frame in range(FRAMES)]
        assert self.presences(looked.match_hands(walking, away), 4) == [0.9, pytest.approx(0.1)]
        assert self.presences(looked.match_hands(walking, walking), 4) == [0.9, 0.8]

    def test_a_hand_is_not_looked_for_twice_in_one_place(self, walking):
        frame, grown = np.zeros((256, 256, 3), np.uint8), SimpleNamespace(pixels=4 * walking.pixels[0].numpy())
        away = SimpleNamespace(pixels=grown.pixels + np.float32([0, 60]))
        assert find_hands_elsewhere(frame, grown, grown) == (None, None)
        assert find_hands_elsewhere(frame, away, grown) != (None, None)


class TestWristsWithoutAHand:
    """Landmarks of a picture so close that a hand would be seen."""

    def doubted(self, walking, presences, zoom=1.0):
        hands = [
            (HandPose(value, np.zeros((21, 2), np.float32), np.zeros((21, 3), np.float32)), None) for value in presences
        ]
        close = replace(walking, pixels=walking.pixels * zoom * self.enlarge(walking))
        return doubt_wrists(close, hands, FPS).confidence

    def enlarge(self, walking):
        """By how much a hand's square grows to twice what is large enough."""
        sizes = [plan_region(pixels, 0).size for pixels in walking.pixels.numpy()]
        return 2 * LARGE_REGION / min(sizes)

    def hide_elbow(self, walking):
        confidence = walking.confidence.clone()
        confidence[:, ELBOWS[0]] = 0.1
        return replace(walking, confidence=confidence)

    def test_they_are_not_believed_where_the_elbow_is_hidden(self, walking):
        confidence = self.doubted(self.hide_elbow(walking), [0.03] * FRAMES)
        assert float(confidence[:, [WRISTS[0], INDICES[0]]].max()) == 0
        assert torch.equal(confidence[:, WRISTS[1]], walking.confidence[:, WRISTS[1]])

    def test_the_wrist_of_an_arm_that_is_seen_is_believed_as_in_a_glove(self, walking):
        confidence = self.doubted(walking, [0.03] * FRAMES)
        assert torch.equal(confidence[:, WRISTS[0]], walking.confidence[:, WRISTS[0]])
        assert float(confidence[:, INDICES[0]].max()) == 0

    def test_a_glove_is_one_in_frames_in_which_the_elbow_is_hidden(self, walking):
        hidden = self.hide_elbow(walking)
        hidden.confidence[: FRAMES // 2] = walking.confidence[: FRAMES // 2]
        confidence = self.doubted(hidden, [0.03] * FRAMES)
        assert torch.equal(confidence[:, WRISTS[0]], walking.confidence[:, WRISTS[0]])

    def test_nor_are_those_that_are_far_too_small_for_the_body(self, walking):
        """What was taken for knuckles lies on the wrist, as where there is no hand at all."""
        points = [PINKIES[0], INDICES[0]]
        pixels = walking.pixels.clone()
        pixels[:, points] = pixels[:, [WRISTS[0]]] + 0.01
        hidden = self.hide_elbow(walking)
        confidence = self.doubted(replace(hidden, pixels=pixels), [0.03] * FRAMES, zoom=2.0)
        assert float(confidence[:, WRISTS[0]].max()) == 0

    def test_a_hand_along_the_line_of_sight_is_looked_for_as_large_as_a_hand_can_be(self, walking):
        pixels = walking.pixels[0].numpy().copy()
        trunk = np.linalg.norm(pixels[list(SHOULDERS)].mean(0) - pixels[list(HIPS)].mean(0))
        pixels[[PINKIES[0], INDICES[0]]] = pixels[WRISTS[0]] + 0.01
        assert plan_region(pixels, 0).size == pytest.approx(0.4 * trunk, rel=1e-3)

    def test_a_hand_that_is_blurred_for_a_frame_stays(self, walking):
        presences = [0.9] * 10 + [0.03] + [0.9] * (FRAMES - 11)
        assert torch.equal(self.doubted(walking, presences), walking.confidence)

    def test_small_hands_are_seldom_seen_and_stay(self, walking):
        assert torch.equal(self.doubted(walking, [0.03] * FRAMES, zoom=0.1), walking.confidence)


class TestFacesWithoutAHead:
    """Somebody who stands, with a face on their chest."""

    SIZE = (64, 64)

    def faceless(self, walking, top):
        """Their shoulders are `top` pixels below the edge of the picture, the face lies below these."""
        pixels = walking.pixels.clone()
        shoulders, hips = (pixels[:, list(pair)].mean(1) for pair in (SHOULDERS, HIPS))
        pixels[:, :11] = (shoulders + 0.2 * (hips - shoulders))[:, None]
        pixels[..., 1] += top - shoulders[:, None, 1]
        return replace(walking, pixels=pixels)

    def test_it_is_not_believed_where_the_head_is_cut_off(self, walking):
        doubted = doubt_faces(self.faceless(walking, 1.0), self.SIZE)
        assert float(doubted.confidence[:, :11].max()) == 0
        assert torch.equal(doubted.confidence[:, 11:], walking.confidence[:, 11:])

    def test_a_bowed_head_in_the_picture_is_believed(self, walking):
        bowed = self.faceless(walking, 40.0)
        assert torch.equal(doubt_faces(bowed, self.SIZE).confidence, walking.confidence)

    def test_who_shows_their_face_in_another_frame_may_bow(self, walking):
        bowed = self.faceless(walking, 1.0)
        bowed.pixels[3] = walking.pixels[3]
        assert torch.equal(doubt_faces(bowed, self.SIZE).confidence, walking.confidence)


def test_knees_are_legs_and_wrists_are_arms():
    assert set(KNEES) < set(LEGS)
    assert set(WRISTS) < set(ARMS)
