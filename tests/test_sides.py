"""Left and right over a clip: frames in which the person was taken to face the other way."""

import pytest
import torch

from mimo_core.body.landmarks import BLAZEPOSE_LANDMARKS
from mimo_core.pose.landmarks import Landmarks
from mimo_core.pose.sides import MIRRORED_LANDMARKS, settle_sides, swap_sides
from mimo_lab.bench.pose import project_true_landmarks
from mimo_lab.synthetic import make_shot


FRAMES, FPS = 24, 12.0


@pytest.fixture(scope="module", params=["walk", "turn"])
def seen(request):
    """The exact landmarks of somebody who walks, or who turns round on the spot."""
    return project_true_landmarks(
        make_shot(7, size=16, frames=FRAMES, fps=FPS, samples=1, performance=request.param).motion
    )


def with_swapped(seen, frames):
    """The landmarks with some frames read the wrong way round."""
    other, is_other = swap_sides(seen), torch.zeros(len(seen), dtype=torch.bool)
    is_other[frames] = True
    parts = [
        torch.where(is_other[:, None, None], theirs, mine)
        for theirs, mine in ((other.pixels, seen.pixels), (other.world, seen.world))
    ]
    return Landmarks(*parts, torch.where(is_other[:, None], other.confidence, seen.confidence), seen.score)


def same(a, b):
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("pixels", "world", "confidence", "score"))


def test_every_landmark_has_its_mirror_image():
    assert sorted(MIRRORED_LANDMARKS) == list(range(len(BLAZEPOSE_LANDMARKS)))
    assert all(MIRRORED_LANDMARKS[MIRRORED_LANDMARKS[number]] == number for number in MIRRORED_LANDMARKS)
    assert BLAZEPOSE_LANDMARKS[MIRRORED_LANDMARKS[0]] == "nose"
    assert BLAZEPOSE_LANDMARKS[MIRRORED_LANDMARKS[BLAZEPOSE_LANDMARKS.index("mouth_left")]] == "mouth_right"


def test_true_sides_stay_also_of_somebody_who_turns(seen):
    assert settle_sides(seen, FPS) is seen


@pytest.mark.parametrize("frames", [[9], [4, 5, 6, 13], [8, 10, 12, 14, 15]], ids=str)
def test_frames_that_were_read_the_wrong_way_round_are_put_right(frames):
    walking = project_true_landmarks(make_shot(7, size=16, frames=FRAMES, fps=FPS, samples=1).motion)
    assert same(settle_sides(with_swapped(walking, frames), FPS), walking)


def test_frames_without_a_person_are_left_out_and_a_long_gap_decides_nothing():
    walking = project_true_landmarks(make_shot(7, size=16, frames=FRAMES, fps=FPS, samples=1).motion)
    score = walking.score.clone()
    score[6:9] = 0
    gone = Landmarks(walking.pixels, walking.world, walking.confidence, score)
    assert same(settle_sides(with_swapped(gone, [9, 10]), FPS), gone)
    # After more than half a second somebody may have turned round: nothing says that either side is wrong.
    score[6:14] = 0
    turned = with_swapped(Landmarks(walking.pixels, walking.world, walking.confidence, score), slice(14, None))
    assert settle_sides(turned, FPS) is turned


def test_nobody_and_a_single_frame_stay_as_they_are(seen):
    nobody = Landmarks(seen.pixels, seen.world, seen.confidence, torch.zeros(FRAMES))
    assert settle_sides(nobody, FPS) is nobody
    one = swap_sides(seen[:1])
    assert settle_sides(one, FPS) is one
