"""Rich synthetic shots: everything differs from shot to shot, and their truth is as exact as that of plain ones."""

import numpy as np
import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.media.picture import write_picture
from mimo_core.motion.choreography import LIMITS
from mimo_core.motion.files import save_motion
from mimo_lab.synthetic import Variety, make_character_picture, make_shot
from mimo_lab.synthetic.actor import dress_actor
from mimo_lab.synthetic.optics import Optics, smear_along_flow
from mimo_lab.synthetic.randomized_appearance import (
    WARDROBE,
    make_mannequin,
    sample_randomized_appearance,
    sample_randomized_shape,
)
from mimo_lab.synthetic.randomized_cameras import RANDOMIZED_CAMERAS, place_randomized_camera
from mimo_lab.synthetic.randomized_motions import RANDOMIZED_MOTIONS, perform_randomized_motion
from mimo_lab.synthetic.shot import draw_character_picture
from mimo_lab.synthetic.streams import random_stream


CLEAN = Variety(optics=False)
JPEG_BLOCK = 16  # pixels of its largest unit
SIZE, FRAMES = 80, 6
LARGE = ("shoes", "hands", "beard", "glasses", "neck", "hat")  # slots whose rows are small
UNDER = {"hat": ("short",), "coat": ("plain t-shirt",), "bag": ("plain t-shirt",)}
NEW_KINDS = [kind for kind in RANDOMIZED_MOTIONS if kind not in ("idle", "walk", "run", "dance", "turn")]


@pytest.fixture(scope="module")
def hand_held():
    return make_shot(4, size=SIZE, frames=FRAMES, variety=CLEAN, camera="hand-held", occluders="fixed")


@pytest.fixture(scope="module")
def crowded():
    """Several things in front of somebody."""
    many = (make_shot(seed, size=SIZE, frames=FRAMES, samples=1, variety=CLEAN) for seed in range(100))
    return next(made for made in many if made.occluders.count("and") and (made.occluder > 250)[made.person > 250].any())


def drawn(*items, back=False, size=88) -> np.ndarray:
    made = draw_character_picture(make_mannequin(*items), random_stream(0, "picture"), size=size, samples=1, back=back)
    return made.image.astype(np.int16)[:, size // 7 : -size // 7]


def carried(made) -> tuple[float, float]:
    """How far each frame is from the next one: carried along the flow, and as it is. Medians of grey levels."""
    import cv2

    y, x = np.mgrid[: made.frames.shape[1], : made.frames.shape[2]].astype(np.float32)
    moved, still = [], []
    for now, then, flow in zip(made.frames, made.frames[1:], made.flow, strict=False):
        u, v = x + flow[..., 0], y + flow[..., 1]
        there = cv2.remap(then, u, v, cv2.INTER_LINEAR).astype(int)
        inside = (u > 1) & (u < x.max() - 1) & (v > 1) & (v < y.max() - 1)
        moved.append(np.abs(there - now)[inside].mean())
        still.append(np.abs(then.astype(int) - now)[inside].mean())
    return float(np.mean(moved)), float(np.mean(still))


class TestWardrobe:
    def test_more_than_two_hundred_rows_have_names_of_their_own(self):
        names = [item.name for rows in WARDROBE.values() for item in rows]
        assert len(names) > 300 and len(set(names)) == len(names)
        assert all(item.slot == slot for slot, rows in WARDROBE.items() for item in rows)

    @pytest.mark.parametrize("slot", WARDROBE)
    def test_every_row_draws_what_no_other_row_of_its_slot_draws(self, slot):
        under, size = UNDER.get(slot, ()), 240 if slot in LARGE else 88
        sides = (False, True) if slot in ("bag", "hair") else (False,)
        pictures = {"nothing": np.concatenate([drawn(*under, back=back, size=size) for back in sides])}
        for item in WARDROBE[slot]:
            if item.name != "bald":
                pictures[item.name] = np.concatenate([drawn(*under, item, back=back, size=size) for back in sides])
        names, stack = list(pictures), np.stack(list(pictures.values()))
        for number, name in enumerate(names):
            differs = (np.abs(stack - stack[number]).max(-1) > 20).sum((1, 2))
            differs[number] = 9999
            assert differs.min() >= 4, (name, names[int(differs.argmin())], int(differs.min()))

    def test_the_whole_shape_space_is_used(self):
        betas = torch.stack([sample_randomized_shape(seed) for seed in range(300)])
        assert (betas[:, 1:].amin(0) < -2).all() and (betas[:, 1:].amax(0) > 2).all()
        assert betas[:, 0].min() < -0.7 and betas[:, 0].max() > 0.7
        assert (np.corrcoef(betas.T.numpy()) - np.eye(10)).max() < 0.25

    def test_two_characters_are_never_dressed_alike(self):
        worn = [sample_randomized_appearance(seed).names for seed in range(200)]
        assert len(set(worn)) == len(worn)
        assert len({name for names in worn for name in names}) > 200

    def test_a_picture_shows_the_character_of_the_shot(self):
        made = make_shot(12, size=SIZE, frames=1, variety=CLEAN, performance="idle", occluders="none")
        own, other = (make_character_picture(seed, size=SIZE, variety=CLEAN) for seed in (12, 13))
        inside = made.frames[0][made.visible[0] > 250].mean(0)
        means = [picture.image[picture.mask > 250].mean(0) for picture in (own, other)]
        assert np.abs(means[0] - inside).mean() < np.abs(means[1] - inside).mean()


class TestPerformances:
    @pytest.mark.parametrize("kind", RANDOMIZED_MOTIONS)
    def test_every_kind_keeps_to_the_joint_limits(self, kind):
        performance = perform_randomized_motion(random_stream(1, "motion"), np.arange(24) / 12, kind=kind)
        for joint, limits in LIMITS.items():
            name = f"left_{joint}" if f"left_{joint}" in JOINT else joint
            low, high = np.array(limits).T
            angles = performance.angles[:, JOINT[name]]
            assert (angles >= low - 1e-6).all() and (angles <= high + 1e-6).all()

    @pytest.mark.parametrize("kind", NEW_KINDS)
    def test_nobody_sinks_below_the_floor(self, kind):
        performance = perform_randomized_motion(random_stream(3, "motion"), np.arange(8) / 8, kind=kind)
        body = free_body().pose(dress_actor(sample_randomized_appearance(0), performance, 8).person).vertices
        lowest = body[..., 1].amin(1)
        assert lowest.min() > -0.06, kind  # the undressed sole lies a little above the shoe's; a toe may dip
        if not performance.lift.any():
            assert lowest.max() < 0.06, kind

    def test_who_sits_on_the_floor_is_lower_than_who_sits_on_a_seat(self):
        heights = {}
        for kind in ("idle", "sit", "sit on the floor"):
            made = dress_actor(
                sample_randomized_appearance(1),
                perform_randomized_motion(random_stream(2, "motion"), np.zeros(1), kind=kind),
                12,
            )
            heights[kind] = float(free_body().pose(made.person).joints[0, JOINT["pelvis"], 1])
        assert heights["idle"] > heights["sit"] + 0.3 > heights["sit on the floor"] + 0.45

    def test_a_motion_file_is_performed_from_anywhere_in_it(self, tmp_path):
        walked = make_shot(5, size=32, frames=24, fps=24, performance="walk", samples=1)
        save_motion(tmp_path / "walk.npz", walked.motion)
        given = Variety.of_folders(motions=tmp_path, motions_share=1.0)
        made = make_shot(7, size=32, frames=8, fps=24, samples=1, variety=given)
        assert made.kind == "walk"
        wanted, found = walked.motion.person.body_pose, made.motion.person.body_pose
        start = int((wanted - found[0]).norm(dim=1).argmin())
        torch.testing.assert_close(found, wanted[start : start + 8], atol=1e-4, rtol=0)
        lowest = free_body().pose(made.motion.person).vertices[..., 1].amin(1)
        assert lowest.min() > -0.06 and lowest.max() < 0.1
        steps = (made.motion.person.transl[1:] - made.motion.person.transl[:-1])[:, [0, 2]].norm(dim=1)
        assert steps.mean() > 0.01

    def test_a_folder_without_motions_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="no motion files"):
            Variety.of_folders(motions=tmp_path)


class TestCameras:
    @pytest.mark.parametrize("kind", RANDOMIZED_CAMERAS)
    def test_its_matrices_are_rotations_and_only_a_fixed_camera_stays(self, kind):
        points = make_shot(0, size=32, frames=1, samples=1).motion.person.transl.numpy()[None] + np.random.default_rng(
            0
        ).uniform(-0.4, 0.4, (12, 50, 3)) * (1, 2, 1)
        camera = place_randomized_camera(random_stream(1, "camera"), points, (64, 64), np.arange(12) / 12, kind=kind)
        rotations = camera.camera_from_world[:, :3, :3]
        torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand(12, 3, 3), atol=1e-5, rtol=0)
        assert (torch.linalg.det(rotations) > 0.99).all()
        moves = float((camera.camera_from_world[1:] - camera.camera_from_world[:-1]).abs().max())
        assert (moves < 1e-5) == (kind == "fixed")

    def test_a_hand_held_camera_is_in_the_true_matrices(self, hand_held):
        """What stands still, lifted by the depth of one frame, lands where the flow says in the next one."""
        camera = hand_held.motion.camera
        x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
        free = (hand_held.person[2] == 0) & (hand_held.occluder[2] == 0)
        depth = hand_held.depth[2]
        seen = np.stack([(x - SIZE / 2) / camera.focal * depth, (y - SIZE / 2) / camera.focal * depth, depth], -1)
        matrices = camera.camera_from_world.double().numpy()
        world = (seen[free] - matrices[2, :3, 3]) @ matrices[2, :3, :3]
        there = world @ matrices[3, :3, :3].T + matrices[3, :3, 3]
        pixels = there[:, :2] / there[:, 2:] * camera.focal + SIZE / 2
        flow = pixels - np.stack([x, y], -1)[free]
        np.testing.assert_allclose(flow, hand_held.flow[2][free], atol=2e-2)
        assert np.abs(flow).max() > 0.3

    @pytest.mark.parametrize("kind", ["hand-held", "dolly", "orbit"])
    def test_flow_carries_each_frame_onto_the_next(self, kind):
        made = make_shot(2, size=SIZE, frames=FRAMES, variety=CLEAN, camera=kind, place="room", performance="walk")
        moved, still = carried(made)
        assert moved < 0.6 * still


class TestLayers:
    def test_what_is_in_front_is_nearer_than_the_person(self, crowded):
        hidden = (crowded.occluder > 250) & (crowded.person > 250)
        before = crowded.depth[hidden]
        bare = crowded.motion.camera.view(free_body().pose(crowded.motion.person).vertices)[..., 2]
        assert before.max() < float(bare.min())
        seen = crowded.visible > 250
        assert abs(np.median(crowded.depth[seen]) - float(bare.mean())) < 0.4

    def test_the_person_is_nearer_than_what_is_behind(self, hand_held):
        import cv2

        frame = 2
        edge = cv2.dilate(hand_held.person[frame], np.ones((5, 5))) > 0
        around = edge & (hand_held.person[frame] == 0) & (hand_held.occluder[frame] == 0)
        inside = hand_held.visible[frame] > 250
        assert np.percentile(hand_held.depth[frame][inside], 95) < np.percentile(hand_held.depth[frame][around], 90)

    def test_the_plate_equals_the_frames_where_neither_person_nor_shadow_comes(self, crowded):
        free = (crowded.person == 0) & (crowded.shadow == 0)
        # behind something that is nearly opaque a shadow may be there without a trace in its mask
        differs = np.abs(crowded.frames[free].astype(int) - crowded.plate[free])
        assert differs.max() <= 1 and (differs > 0).mean() < 1e-3

    def test_with_optics_too_but_for_what_blur_and_blocks_reach(self):
        import cv2

        variety = Variety()
        made = next(
            made
            for made in (make_shot(seed, size=SIZE, frames=2, samples=1, variety=variety) for seed in range(60))
            if (made.frames != make_shot(made.seed, size=SIZE, frames=2, samples=1, variety=CLEAN).frames).mean() > 0.9
        )
        reach = 2 * (JPEG_BLOCK + 6) + 1
        for frame in range(2):
            touched = (made.person[frame] > 0) | (made.shadow[frame] > 0)
            free = cv2.dilate(touched.astype(np.uint8), np.ones((reach, reach))) == 0
            np.testing.assert_array_equal(made.frames[frame][free], made.plate[frame][free])

    def test_nothing_passes_in_front_where_nothing_may(self):
        for seed in range(6):
            made = make_shot(seed, size=32, frames=2, samples=1, variety=Variety(most_in_front=0))
            assert made.occluders == "none" and not made.occluder.any()

    def test_a_seat_stands_under_who_sits(self):
        made = make_shot(1, size=SIZE, frames=2, variety=CLEAN, performance="sit", camera="fixed", occluders="none")
        bare = make_shot(1, size=SIZE, frames=2, variety=CLEAN, performance="idle", camera="fixed", occluders="none")
        assert made.plate.shape == bare.plate.shape
        pelvis = free_body().pose(made.motion.person).joints[0, JOINT["pelvis"]]
        x, y = made.motion.camera.project((pelvis - torch.tensor([0, 0.25, 0]))[None, None])[0, 0].int().tolist()
        near = float(made.motion.camera.view(pelvis[None, None])[0, 0, 2])
        only = made.plate[0, y, x].astype(int)
        assert made.person[0, max(y - 12, 0) : y, x].max() > 200
        assert np.abs(made.depth[0] - near).min() < 0.5 and only.sum() > 0


class TestOptics:
    def test_they_change_the_pictures_but_no_truth(self):
        made, clean = (make_shot(3, size=SIZE, frames=3, samples=1, variety=v) for v in (Variety(), CLEAN))
        assert (made.frames != clean.frames).mean() > 0.5
        for name in ("person", "visible", "occluder", "mover", "shadow", "depth", "parts", "flow"):
            np.testing.assert_array_equal(getattr(made, name), getattr(clean, name))

    def test_a_smear_keeps_what_there_is_and_goes_both_ways(self):
        picture = np.zeros((20, 40, 4), np.float32)
        picture[8:12, 18:22] = 1
        flow = np.zeros((20, 40, 2), np.float32)
        flow[..., 0] = 8
        smeared = smear_along_flow(picture, flow, 0.5)
        assert smeared.sum() == pytest.approx(picture.sum(), rel=0.02)
        columns = np.flatnonzero(smeared[..., 3].max(0) > 0.01)
        assert columns[0] in (15, 16) and columns[-1] in (23, 24)

    def test_worse_compression_is_farther_from_the_picture(self):
        rng = np.random.default_rng(0)
        picture = rng.random((32, 32, 3)).astype(np.float32)
        noise = np.zeros((32, 32, 3), np.float32)
        best = Optics().expose(picture, noise).astype(int)
        errors = [np.abs(Optics(quality=q).expose(picture, noise) - best).mean() for q in (95, 70, 35)]
        assert 0 < errors[0] < errors[1] < errors[2]


class TestPictures:
    def test_a_picture_of_the_user_s_is_what_the_camera_sees_behind(self, tmp_path):
        write_picture(tmp_path / "wall.png", np.full((40, 60, 3), (20, 160, 90), np.uint8))
        given = Variety.of_folders(pictures=tmp_path, pictures_share=1.0, optics=False)
        made = make_shot(3, size=48, frames=2, samples=1, occluders="none", variety=given)
        assert np.abs(made.background.astype(int) - (20, 160, 90)).mean() < 4

    def test_it_moves_as_the_flow_says(self, tmp_path):
        rng = np.random.default_rng(0)
        noise = np.kron(rng.integers(0, 255, (24, 36, 3)), np.ones((6, 6, 1))).astype(np.uint8)
        write_picture(tmp_path / "noise.png", noise)
        given = Variety.of_folders(pictures=tmp_path, pictures_share=1.0, optics=False)
        made = make_shot(5, size=SIZE, frames=FRAMES, camera="orbit", occluders="none", variety=given)
        moved, still = carried(made)
        assert moved < 0.5 * still

    def test_a_folder_without_pictures_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="no pictures"):
            Variety.of_folders(pictures=tmp_path)


class TestSeeds:
    def test_a_seed_always_gives_the_same_shot(self):
        one, two = (make_shot(21, size=48, frames=3, samples=1, variety=Variety()) for _ in range(2))
        for name in ("frames", "plate", "person", "occluder", "depth", "flow", "parts"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert one.wearing == two.wearing

    def test_another_size_shows_the_same_shot(self):
        small, large = (make_shot(22, size=size, frames=2, variety=CLEAN) for size in (48, 96))
        assert small.wearing == large.wearing and small.kind == large.kind and small.occluders == large.occluders
        torch.testing.assert_close(small.motion.person.transl, large.motion.person.transl)
        half = large.person.reshape(2, 48, 2, 48, 2).mean((2, 4))
        assert np.abs(half - small.person).mean() < 3

    def test_shots_in_a_row_differ_in_everything(self):
        made = [make_shot(seed, size=32, frames=2, samples=1, variety=Variety()) for seed in range(40)]
        assert len({m.kind for m in made}) > 12
        assert {m.camera for m in made} == set(RANDOMIZED_CAMERAS)
        assert len({m.occluders for m in made}) > 4

    def test_an_unknown_word_is_refused_with_those_that_are_known(self):
        with pytest.raises(InputError, match="hand-held.*got zoom"):
            make_shot(0, size=32, camera="zoom", variety=Variety())
        with pytest.raises(InputError, match="got yoga"):
            make_shot(0, size=32, performance="yoga")
