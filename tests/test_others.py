"""Who stands beside the person that is replaced stays whole."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from mimo_core.body.person import Person
from mimo_core.geometry.box import Box
from mimo_core.geometry.camera import Camera
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.left_out import choose_people_among
from mimo_core.motion.motion import Motion
from mimo_core.motion.seen import BEHIND, BESIDE, IN_FRONT, SeenMasks
from mimo_core.pose import companions
from mimo_core.pose.blazepose import find_people, load_blazepose
from mimo_core.pose.companions import fill_gaps
from mimo_core.pose.estimate import Estimate, estimate_motion
from mimo_core.pose.estimate_people import estimate_people
from mimo_core.pose.landmarks import Landmarks
from mimo_core.pose.letterbox import pad_estimate
from mimo_core.pose.others import SeenPerson, find_others
from mimo_core.pose.tracks import PersonTrack
from mimo_core.scene.separate import separate_scene
from mimo_lab.synthetic import make_people_shot, make_shot


FRAMES, HEIGHT, WIDTH = 12, 96, 128
RED = (200, 30, 40)


def couple():
    """Two people in red: one walks, the other stands where the first one passes. Frames, masks of both, the ground."""
    ground = np.random.default_rng(0).integers(60, 190, (HEIGHT // 4, WIDTH // 4, 3)).repeat(4, 0).repeat(4, 1)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    walks = np.stack([(np.abs(x - 26 - 4 * frame) < 7) & (y > 20) & (y < 84) for frame in range(FRAMES)])
    stands = np.broadcast_to((np.abs(x - 76) < 7) & (y > 16) & (y < 80), walks.shape)
    frames = np.where((walks | stands)[..., None], np.uint8(RED), ground.astype(np.uint8))
    return frames, walks, stands, ground.astype(np.uint8)


def make_motion(others):
    """A motion of somebody who is in no frame, with a layer (F, H, W) of others, if any."""
    still = [torch.zeros(FRAMES, size) for size in (3, 69, 3)]
    person = Person(torch.zeros(10), *still, visible=torch.zeros(FRAMES, dtype=torch.bool))
    layer = None if others is None else SeenMasks.from_masks(Masks.from_array(others.astype(np.uint8)))
    return Motion((person,), 24.0, Camera.for_size(WIDTH, HEIGHT), others=layer)


def separate(place):
    """The couple taken apart by a guess that holds both; `place` says where the other one is, if known."""
    frames, walks, stands, _ = couple()
    motion = make_motion(None if place is None else (stands & ~walks) * place)
    guess = Masks.from_array((walks | stands).astype(np.uint8) * 255)
    return separate_scene(Clip.from_array(frames), motion=motion, coarse=guess)


@pytest.mark.parametrize("place", [BESIDE, BEHIND])
def test_somebody_beside_stays_whole_in_the_plate(place):
    frames, walks, stands, _ = couple()
    scene = separate(place)
    for frame in range(FRAMES):
        alone = stands[frame] & ~walks[frame]
        assert np.array_equal(scene.plate[frame][alone], frames[frame][alone])
        assert not (scene.person[frame][alone] > 127).any()
        assert (scene.occluder[frame][alone] > 0).mean() < 0.02


def test_somebody_whom_nobody_knows_of_is_taken_out_with_the_person():
    frames, walks, stands, _ = couple()
    alone = stands[0] & ~walks[0]
    assert (separate(None).person[0][alone] > 127).mean() > 0.9


def test_somebody_in_front_is_in_front_as_a_whole():
    _, walks, stands, _ = couple()
    scene = separate(IN_FRONT)
    for frame in range(FRAMES):
        inside = stands[frame] & ~walks[frame]
        if frame >= 9:  # near enough to the person to be looked at
            assert (scene.occluder[frame][inside] > 127).mean() > 0.95
        assert not (scene.person[frame][inside] > 127).any()


def test_a_person_that_is_given_wins():
    frames, walks, stands, _ = couple()
    clip, person = Clip.from_array(frames), Masks.from_array((walks | stands).astype(np.uint8) * 255)
    motions = [make_motion(layer) for layer in ((stands & ~walks) * BESIDE, None)]
    scenes = [separate_scene(clip, motion=motion, person=person) for motion in motions]
    for one, other in zip(*(scene.plate for scene in scenes), strict=True):
        assert np.array_equal(one, other)


def test_the_person_is_found_as_before():
    _, walks, _, _ = couple()
    scene = separate(BESIDE)
    assert np.mean([((scene.person[at] > 127) & walks[at]).sum() / walks[at].sum() for at in range(4)]) > 0.9


def test_who_is_alone_has_nobody_beside_them():
    shot = make_shot(5, size=160, frames=6)
    assert estimate_motion(Clip.from_array(shot.frames, 12), fingers=False, with_others=True).motion.others is None


@pytest.fixture(scope="module")
def walk():
    shot = make_people_shot(3, size=(256, 192), frames=12, fps=6, samples=1)
    return shot, estimate_motion(Clip.from_array(shot.frames, 6), fingers=False, with_others=True)


def test_who_walks_beside_the_person_is_told_from_them(walk):
    """In every frame by itself: where two people cross, the track may go on with the other one."""
    shot, found = walk
    seen, frames = shot.visible > 127, 0
    for frame, (claimed, mask) in enumerate(zip(found.motion.others.masks(), found.masks, strict=True)):
        claimed, mine = claimed > 0, [int((mask[each[frame]] > 127).sum()) for each in seen]
        if claimed.any():
            frames += 1
            assert (claimed & seen[int(np.argmin(mine))][frame]).sum() > 0.9 * claimed.sum()
    assert frames >= 3


@pytest.fixture(scope="module")
def frame():
    """Somebody in a frame of 160 pixels."""
    return make_shot(3, size=160, frames=1, samples=1).frames[0]


@pytest.fixture(scope="module")
def pose(frame):
    """They as the network sees them."""
    found = load_blazepose().find_landmarks(frame, find_people(frame)[0].region)
    return replace(found, score=1.0)


def show(frame, shifts):
    """A clip of somebody who is seen so many pixels further right and down, frame by frame."""
    return Clip.from_array(np.stack([np.roll(frame, tuple(map(round, shift[::-1])), (0, 1)) for shift in shifts]), 12)


def find_beside(frame, pose, lower, **options):
    """The layer of somebody who is so many sizes of the region `lower` than the person, who is not shown, by frame."""
    poses, size = [pose] * len(lower), pose.region.size
    shifts = [(0.2 * size, down * size) for down in lower]
    beside = {at: pose.move(shift) for at, shift in enumerate(shifts)}
    tracks = [PersonTrack(track, np.zeros((2, 1))) for track in (dict(enumerate(poses)), beside)]
    clip = options.pop("clip", None) or show(frame, shifts)
    person = SeenPerson(poses, options.pop("masks", Masks.constant(0, len(lower), 160, 160)))
    return find_others(clip, tracks, [person], **options)


def test_who_is_beside_both_of_two_is_in_front_where_they_are_in_front_of_one(frame, pose):
    size, frames = pose.region.size, range(3)
    mine, other, far = (pose.move((right * size, down * size)) for right, down in ((0, 0), (0.2, 0.1), (0.3, 0.2)))
    clip = show(frame, [(0.2 * size, 0.1 * size)] * 3)
    tracks = [PersonTrack(dict.fromkeys(frames, each), np.zeros((2, 1))) for each in (mine, other, far)]
    nobody = Masks.constant(0, 3, 160, 160)
    found = find_others(clip, tracks, [SeenPerson([each] * 3, nobody) for each in (mine, far)])
    assert found.most == 1
    assert set(np.unique(found.layer.mask(1))) == {0, IN_FRONT}
    mask = Masks.from_array(np.stack([far.warp_mask(160, 160)] * 3))
    without = find_others(clip, tracks, [SeenPerson([mine] * 3, nobody), SeenPerson([far] * 3, mask)])
    assert np.count_nonzero(without.layer.mask(1)) < np.count_nonzero(found.layer.mask(1))


def test_who_stands_in_front_is_told_in_every_shot_by_itself(frame, pose):
    found = find_beside(frame, pose, [0.1, 0.1, -0.1, -0.1], cuts={2})
    assert [set(np.unique(each)) for each in found.layer.masks()] == [{0, IN_FRONT}] * 2 + [{0, BEHIND}] * 2


def test_who_comes_out_otherwise_at_every_look_is_nobody(frame, pose):
    """The network is as sure of a body in a wall."""
    empty = Clip.from_array(np.full((4, 160, 160, 3), 90, np.uint8), 12)
    assert find_beside(frame, pose, [0.1] * 4) is not None
    assert find_beside(frame, pose, [0.1] * 4, clip=empty) is None


@pytest.fixture()
def headless(frame, pose, monkeypatch):
    """As in a wrestle, where the other one's head is behind the person: the detector, which looks for faces, fails."""
    picture = np.full((160, 256, 3), 120, np.uint8)
    picture[:, 50:210] = frame
    picture[: int(pose.pixels[[11, 12], 1].min())] = 120
    monkeypatch.setattr(load_blazepose(), "detect", lambda part: [])
    return Clip.from_array(np.stack([picture] * 8), 12)


def test_who_is_seen_without_a_head_is_found_beside_the_person(headless, pose):
    found = find_others(headless, [], [SeenPerson([pose] * 8, Masks.constant(0, 8, 160, 256))])
    assert found.most == 1
    seen = found.layer.mask(4) > 0
    assert seen[:, 100:160].sum() > 0.9 * seen.sum() > 500


def test_who_is_lost_in_every_frame_is_found_again_where_they_were(headless, pose, monkeypatch):
    monkeypatch.setattr(companions, "follow_person", lambda *_: None)
    found = find_others(headless, [], [SeenPerson([pose] * 8, Masks.constant(0, 8, 160, 256))])
    assert found.most == 1
    assert all(np.count_nonzero(found.layer.mask(at)) > 500 for at in range(8))


def test_a_short_gap_is_filled_on_the_way_and_a_cut_or_a_long_gap_stays(pose):
    def fill(frames, cuts=()):
        return fill_gaps(PersonTrack({at: pose.move((3 * at, 0)) for at in frames}, np.zeros((2, 1))), cuts).poses

    filled = fill([0, 4])
    assert sorted(filled) == [0, 1, 2, 3, 4]
    for at, found in filled.items():
        assert np.allclose(found.pixels, pose.pixels + np.float32([3 * at, 0]), atol=1e-3)
        assert found.region.center[0] == pytest.approx(pose.region.center[0] + 3 * at)
    assert sorted(fill([0, 4], {2})) == [0, 4]
    assert sorted(fill([0, 9])) == [0, 9]


def test_who_lies_on_the_person_is_the_person_followed_twice(frame, pose):
    assert find_beside(frame, pose, [0.1] * 4, masks=Masks.constant(255, 4, 160, 160)) is None


def test_a_job_can_be_stopped_at_every_frame_while_others_are_looked_for_and_drawn(frame, pose):
    asked, read = [], []
    masks = Masks.constant(0, 4, 160, 160).derive(
        lambda frame: (read.append(len(asked)), np.zeros((160, 160), np.uint8))[1]
    )
    find_beside(frame, pose, [0.1] * 4, masks=masks, tick=lambda: asked.append(1))
    assert len(read) >= 8 and all(before < after for before, after in pairwise(read))


def test_others_travel_with_the_motion_of_people_by_their_numbers(walk):
    shot, alone = walk
    clip = Clip.from_array(shot.frames, 6)
    one = estimate_people(clip, numbers=[0], fingers=False, with_others=True)
    assert one.motion.others is not None and any("near who is followed" in note for note in one.notes)
    assert any("near who is followed" in note for note in alone.notes)


def test_who_is_left_out_of_a_motion_of_several_is_one_of_the_others():
    _, walks, stands, _ = couple()
    seen = SeenMasks.join([SeenMasks.from_masks(Masks.from_array(each * np.uint8(255))) for each in (walks, stands)])
    motion, depth = replace(make_motion(None), seen=None), torch.tensor([0.0, 0.0, 1.0])
    person = replace(motion.person, visible=torch.ones(FRAMES, dtype=torch.bool))
    for closer, order in ((-1, BEHIND), (0, BESIDE), (1, IN_FRONT)):
        people = person, replace(person, transl=person.transl + closer * depth)
        chosen = choose_people_among(replace(motion, people=people, seen=seen), [0])
        layer = np.stack(list(chosen.others.masks()))
        assert np.array_equal(layer, (stands & ~walks).astype(np.uint8) * order)
        assert choose_people_among(replace(motion, people=people, seen=seen), [0, 1]).others is None


def test_others_between_black_bars_are_where_they_were_and_the_job_can_be_stopped():
    _, _, stands, _ = couple()
    landmarks = Landmarks(*(torch.zeros(FRAMES, *shape) for shape in ((33, 2), (33, 3), (33,), ())))
    found = Estimate(make_motion(stands * BEHIND), Masks.constant(0, FRAMES, HEIGHT, WIDTH), landmarks, ())
    clip, asked = Clip.from_array(np.zeros((FRAMES, HEIGHT + 20, WIDTH, 3), np.uint8)), []
    picture = Box(0, 10, WIDTH, HEIGHT + 10)
    padded = pad_estimate(found, picture, clip, lambda done, total: asked.append(done == total))
    layer = np.stack(list(padded.motion.others.masks()))
    assert np.array_equal(layer[:, 10:-10], stands * np.uint8(BEHIND)) and not layer[:, :10].any()
    assert asked == [True] * FRAMES


def test_the_choice_among_several_can_be_stopped():
    _, walks, stands, _ = couple()
    seen = SeenMasks.join([SeenMasks.from_masks(Masks.from_array(each * np.uint8(255))) for each in (walks, stands)])
    motion, asked = make_motion(None), []
    several = replace(motion, people=motion.people * 2, seen=seen)
    choose_people_among(several, [0], lambda done, total: asked.append((done, total)))
    assert asked == [(frame, FRAMES) for frame in range(FRAMES)]


def test_the_layer_needs_little_memory(walk):
    """Bytes a frame, of pictures of 256 x 192."""
    content, _ = walk[1].motion.others.arrays()
    assert len(content) / 12 < 1000


def test_nobody_is_looked_for_unless_it_is_asked_for(walk):
    shot, _ = walk
    assert estimate_motion(Clip.from_array(shot.frames[:4], 6), fingers=False).motion.others is None
