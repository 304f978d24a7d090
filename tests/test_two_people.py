"""Several people in one shot: who stands before whom, one plate without any of them, one character after the other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mimo_core.body.height import measure_height, scale_to_height
from mimo_core.body.model import free_body
from mimo_core.compositing.composite import composite, compute_coverage
from mimo_core.errors import InputError
from mimo_core.identity.encode import encode_identity
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.motion import Motion
from mimo_core.motion.seen import SeenMasks
from mimo_core.pose.estimate import estimate_motion
from mimo_core.pose.estimate_people import estimate_people
from mimo_core.replace import ProxyDecoder, draw_characters
from mimo_core.scene.depth_order import find_ranks
from mimo_core.scene.people import add_character, select_person
from mimo_core.scene.picture import scene_from_picture
from mimo_core.scene.scene import Scene, ScenePeople
from mimo_core.scene.separate import separate_scene
from mimo_core.stopwatch import Stopwatch
from mimo_lab.synthetic import make_character_picture, make_people_shot


FRAMES, WIDTH, HEIGHT = 12, 160, 120


@pytest.fixture(scope="module")
def shot():
    return make_people_shot(3, size=(WIDTH, HEIGHT), frames=FRAMES, fps=6, samples=1)


@pytest.fixture(scope="module")
def scene(shot):
    """Taken apart with the true motion; the first guess is what is seen of both."""
    return separate_scene(
        Clip.from_array(shot.frames, 6), motion=shot.motion, coarse=Masks.from_array(shot.visible.max(0))
    )


def overlap(found, true):
    found, true = found > 127, true > 127
    return (found & true).sum() / (found | true).sum()


def stack(layer):
    return np.stack(list(layer))


def bring_nearer(motion, number, share):
    """A person seen at the same pixels, smaller and closer by `share`: what a fit makes of a child."""
    person = motion.people[number]
    body = free_body()
    betas = scale_to_height(body, person.betas, share * measure_height(body, person.betas))
    pelvis = body.shape(person.betas)[1][0]
    eye = torch.linalg.inv(motion.camera.camera_from_world)[:, :3, 3]
    transl = eye + share * (person.transl + pelvis - eye) - body.shape(betas)[1][0]
    people = [*motion.people]
    people[number] = replace(person, betas=betas, transl=transl)
    return replace(motion, people=tuple(people))


class TestDepthOrder:
    def test_who_is_nearer_is_in_front_and_changes_when_they_cross(self, shot):
        ranks = find_ranks(shot.motion)
        assert set(map(tuple, ranks.tolist())) == {(0, 1), (1, 0)}
        assert (ranks == shot.ranks).mean() > 0.9

    def test_where_bodies_overlap_colors_decide_against_the_fit(self, shot):
        wrong = bring_nearer(shot.motion, 1, 0.6)
        hidden = (shot.visible.max(0) > 0).sum((1, 2)) < 0.85 * (shot.visible > 127).sum((0, 2, 3)).max()
        assert (find_ranks(wrong)[hidden] != shot.ranks[hidden]).any()
        np.testing.assert_array_equal(find_ranks(wrong, Clip.from_array(shot.frames, 6))[hidden], shot.ranks[hidden])

    def test_one_person_is_first(self, shot):
        assert not find_ranks(shot.motion.choose_people([1])).any()


class TestSeparation:
    def test_nobody_is_left_in_the_plate(self, shot, scene):
        people = shot.visible.max(0) > 127
        before, after = (
            np.abs(stack(layer).astype(float) - shot.plate)[people].mean() for layer in (scene.source, scene.plate)
        )
        assert after < 0.25 * before

    def test_the_mask_covers_both_and_tells_them_apart(self, shot, scene):
        assert overlap(stack(scene.person), shot.visible.max(0)) > 0.85
        for number in range(2):
            alone = select_person(scene, shot.motion, number)
            assert overlap(stack(alone.person), shot.visible[number]) > 0.8

    def test_neither_is_taken_for_something_that_passes_in_front(self, shot, scene):
        people = shot.visible.max(0) > 127
        assert (stack(scene.occluder)[people] > 127).mean() < 0.05

    def test_outside_of_both_the_plate_is_the_source(self, shot, scene):
        import cv2

        near = [cv2.dilate(mask, np.ones((25, 25), np.uint8)) > 0 for mask in stack(scene.person)]
        changed = (stack(scene.plate) != shot.frames).any(-1)
        assert not (changed & ~np.stack(near)).any()


RED, BLUE, BAR = (200, 30, 30), (30, 60, 210), (90, 200, 90)


@pytest.fixture()
def stage(shot):
    """Three frames of a gray plate with a bar in front of the right half, and two people who change places."""
    gray = np.full((3, 40, 60, 3), 120, np.uint8)
    source, occluder, owner = gray.copy(), np.zeros((3, 40, 60), np.uint8), np.zeros((3, 40, 60), np.uint8)
    source[:, 20:24], occluder[:, 20:24] = BAR, 255
    owner[:, :, 30:] = 1
    ranks = np.array([[0, 1], [1, 0], [0, 1]])
    people = ScenePeople(ranks, Masks.from_array(owner))
    nobody = Masks.constant(0, 3, 40, 60)
    scene = Scene(Clip.from_array(source), Clip.from_array(gray), nobody, Masks.from_array(occluder), people=people)
    return scene, shot.motion[:3]


def draw(scene, motion, number, color, columns, feather=0):
    """The scene of all after a character of one color was drawn in some columns."""
    alone = select_person(scene, motion, number)
    masks = np.zeros((motion.frames, scene.height, scene.width), np.uint8)
    masks[:, 5:35, columns] = 255
    images = np.broadcast_to(np.uint8(color), (*masks.shape, 3))
    frames = composite(alone, images, masks, color_match="none", shadow=0, feather=feather)
    cover = compute_coverage(alone, masks, feather=feather)
    return add_character(alone, Clip.from_frames(frames), Masks.from_frames(cover))


class TestOneAfterTheOther:
    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_the_nearer_character_is_seen_in_every_frame_whoever_is_drawn_first(self, stage, order):
        scene, motion = stage
        columns = {0: slice(10, 35), 1: slice(25, 50)}
        for number in order:
            scene = draw(scene, motion, number, (RED, BLUE)[number], columns[number])
        both = stack(scene.plate)[:, 10, 30]
        np.testing.assert_array_equal(both, [RED, BLUE, RED])
        assert (stack(scene.plate)[:, 10, 12] == RED).all() and (stack(scene.plate)[:, 10, 48] == BLUE).all()
        assert (stack(scene.plate)[:, 38] == 120).all()

    def test_a_soft_edge_in_front_shows_the_character_behind_and_not_the_plate(self, stage):
        scene, motion = stage
        scene = draw(scene, motion, 0, RED, slice(20, 40), feather=8)
        scene = draw(scene, motion, 1, BLUE, slice(10, 50))
        rim = stack(scene.plate)[0, 10, 20:40].astype(int)
        # On the line from one color to the other: no gray of the plate in between.
        share = (rim[:, 0] - BLUE[0]) / (RED[0] - BLUE[0])
        np.testing.assert_allclose(rim[:, 2], BLUE[2] + share * (RED[2] - BLUE[2]), atol=8)
        assert share[[0, -1]].max() < 0.7

    def test_what_stands_between_two_people_hides_the_further_one_alone(self, stage):
        scene, motion = stage
        in_front = [stack(select_person(scene, motion, number).occluder)[:, 22] for number in range(2)]
        left, right = slice(0, 30), slice(30, 60)  # seen before the body of 0, and before that of 1
        assert (in_front[0][0, left] == 255).all() and (in_front[0][0, right] == 0).all()
        assert (in_front[0][1, left] == 255).all() and (in_front[0][1, right] == 255).all()
        assert (in_front[1][1, left] == 0).all() and (in_front[1][0, left] == 255).all()

    def test_light_and_color_are_still_learned_from_the_person_in_the_shot(self, stage):
        scene, motion = stage
        drawn = draw(scene, motion, 1, BLUE, slice(0, 60))
        alone = select_person(drawn, motion, 0)
        np.testing.assert_array_equal(alone.source[0], scene.source[0])  # nobody is in front in frame 0
        assert (alone.source[1][10] == BLUE).all()

    def test_a_picture_as_scene_is_ordered_by_the_motion(self, shot):
        motion = shot.motion[:4]
        scene = scene_from_picture(None, color=(120, 120, 120), width=60, height=40)
        for number, color in enumerate((RED, BLUE)):
            scene = draw(scene, motion, number, color, slice(20, 40))
        wanted = [(RED, BLUE)[int(ranks.argmin())] for ranks in find_ranks(motion)]
        np.testing.assert_array_equal(stack(scene.plate)[:, 10, 30], wanted)

    def test_the_scene_of_one_person_is_not_that_of_all(self, stage):
        scene, motion = stage
        with pytest.raises(InputError, match="that of person 1 alone"):
            select_person(select_person(scene, motion, 1), motion, 0)

    def test_another_motion_than_the_scene_s_is_refused(self, stage, shot):
        with pytest.raises(InputError, match="of 2 people over 3 frames, the motion of 2 over 12"):
            select_person(stage[0], shot.motion, 0)

    def test_a_number_that_nobody_has_is_refused(self, stage):
        with pytest.raises(InputError, match="2 people, counted from 0"):
            select_person(*stage, 2)


CLIP_FRAMES = 10


@pytest.fixture(scope="module")
def crossing():
    """Two people who change sides, large enough for BlazePose."""
    return make_people_shot(3, size=(256, 192), frames=CLIP_FRAMES, fps=8, turns=0.6, samples=1)


@pytest.fixture(scope="module")
def estimated(crossing):
    return estimate_people(Clip.from_array(crossing.frames, 8), fingers=False)


def who_is_who(motion, truth):
    """For each true person the number of the found one whose pelvis is nearest in the picture on average."""
    found, true = (
        torch.stack([each.camera.project(each_person.transl[:, None])[:, 0] for each_person in each.people])
        for each in (motion, truth)
    )
    return (found[None] - true[:, None]).norm(dim=-1).median(-1).values.argmin(1).tolist()


class TestEstimate:
    def test_everybody_is_followed_through_the_crossing(self, estimated, crossing):
        assert len(estimated.motion.people) == 2
        assert sorted(who_is_who(estimated.motion, crossing.motion)) == [0, 1]
        assert all(person.visible.float().mean() > 0.8 for person in estimated.motion.people)

    def test_each_person_is_the_one_who_is_estimated_alone(self, estimated, crossing):
        alone = estimate_motion(Clip.from_array(crossing.frames, 8), person=1, fingers=False)
        assert torch.equal(alone.motion.person.transl, estimated.motion.people[1].transl)
        assert torch.equal(alone.motion.person.body_pose, estimated.motion.people[1].body_pose)
        np.testing.assert_array_equal(stack(alone.masks), stack(estimated.masks_each[1]))

    def test_the_masks_are_those_of_all(self, estimated):
        each = [stack(masks) for masks in estimated.masks_each]
        np.testing.assert_array_equal(stack(estimated.masks), np.maximum(*each))

    def test_more_people_than_there_are_is_an_error_that_counts_them(self, crossing):
        with pytest.raises(InputError, match="3 people are asked for, but 2 people were found"):
            estimate_people(Clip.from_array(crossing.frames, 8), count=3)


@pytest.fixture(scope="module")
def job(crossing, estimated):
    """Both people are replaced by figures of one color, red and blue."""
    clip = Clip.from_array(crossing.frames, 8)
    scene = separate_scene(clip, motion=estimated.motion, coarse=estimated.masks)
    identities = [encode_identity(paint_figure(color)) for color in (RED, BLUE)]
    watch = Stopwatch()
    drawn = list(draw_characters(ProxyDecoder(), identities, estimated.motion, scene, color_match="none", watch=watch))
    return scene, *(np.stack(layer) for layer in zip(*drawn, strict=True))


class TestReplace:
    def test_who_is_in_front_in_the_shot_is_in_front_in_the_result(self, job, crossing, estimated):
        """Where the true people overlap, the color is that of the character of the nearer one."""
        _, frames, _ = job
        numbers = who_is_who(estimated.motion, crossing.motion)
        likeness = np.stack([np.abs(frames.astype(int) - color).sum(-1) for color in (RED, BLUE)])
        for frame in range(CLIP_FRAMES):
            nearer = int(crossing.ranks[frame].argmin())
            core = crossing.visible[nearer, frame] > 250
            assert (likeness[:, frame].argmin(0)[core] == numbers[nearer]).mean() > 0.8

    def test_nobody_of_the_shot_is_left(self, job, crossing):
        scene, frames, masks = job
        people = (crossing.visible.max(0) > 127) & (masks < 10)
        assert people.any()
        left = np.abs(frames.astype(float) - crossing.frames)[people].mean()
        assert left > 0.5 * np.abs(crossing.plate.astype(float) - crossing.frames)[people].mean()

    def test_characters_and_people_that_do_not_agree_are_counted(self, estimated, job):
        with pytest.raises(InputError, match="2 people to replace but 3 characters"):
            draw_characters(ProxyDecoder(), [None] * 3, estimated.motion, job[0], color_match="none", watch=Stopwatch())


def paint_figure(color):
    """An RGBA picture of a figure in the A-pose, all of one color."""
    made = make_character_picture(4, size=192, samples=1)
    picture = np.broadcast_to(np.uint8(color), made.image.shape)
    return np.dstack([picture, made.mask])


class TestMotion:
    def test_masks_of_all_people_are_kept_with_a_motion_and_chosen_with_them(self, shot, tmp_path):
        from mimo_core.motion.files import load_motion, save_motion

        seen = SeenMasks.join([SeenMasks.from_masks(Masks.from_array(masks)) for masks in shot.visible])
        save_motion(tmp_path / "two.npz", replace(shot.motion, seen=seen))
        motion = load_motion(tmp_path / "two.npz")
        np.testing.assert_array_equal(stack(motion.seen.masks()), shot.visible.max(0))
        np.testing.assert_array_equal(stack(motion[2:5].seen.masks()), shot.visible[:, 2:5].max(0))
        alone = motion.choose_people([1])
        np.testing.assert_array_equal(stack(alone.seen.masks()), shot.visible[1])
        assert torch.equal(alone.person.transl, shot.motion.people[1].transl)

    def test_a_choice_of_nobody_is_refused(self, shot):
        with pytest.raises(InputError, match="choice among them"):
            shot.motion.choose_people([])
        assert isinstance(shot.motion.choose_people([1, 0]), Motion)
