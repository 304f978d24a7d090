"""Control pictures of a motion."""

import numpy as np
import pytest
import torch

from mimo_core.body.colors import choose_colors, normalize_colors, point_colors
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.motion.motion import Motion
from mimo_core.render.openpose import COLORS, OPENPOSE_POINTS
from mimo_core.render.scail import BEHIND, SPECULAR, TUBE_RADIUS, TUBES
from mimo_core.render.styles import FARTHEST_BRIGHTNESS, STYLES, render_motion


SIZE = 96
LUMA = np.array([0.299, 0.587, 0.114])


def standing(frames=1, turn=0.0, distance=3.2, camera=None, **changes):
    """Somebody in a T pose before the camera, turned to the left by `turn` radians."""
    values = {
        "betas": torch.zeros(10),
        "global_orient": torch.tensor([[0.0, turn, 0.0]]).repeat(frames, 1),
        "body_pose": torch.zeros(frames, 69),
        "transl": torch.tensor([[0.0, 0.3, -distance]]).repeat(frames, 1),
    }
    person = Person(**{**values, **changes})
    return Motion((person,), 24.0, camera or Camera.for_size(SIZE, SIZE))


def first(motion, **options):
    return next(iter(render_motion(motion, **options)))


class TestFrames:
    @pytest.mark.parametrize("style", STYLES)
    def test_every_style_gives_a_black_ground_and_the_same_mask(self, style):
        frame, mask = first(standing(), style=style)
        assert frame.shape == (SIZE, SIZE, 3)
        assert frame.dtype == mask.dtype == np.uint8
        assert frame[mask == 255].max() > 100
        assert (mask == 255).sum() > 500
        assert not frame[:4].any()
        if style not in ("openpose", "scail"):
            assert not frame[mask == 0].any()
        np.testing.assert_array_equal(mask, first(standing(), style="mask")[1])

    def test_edges_are_mixed_with_the_ground_by_their_coverage(self):
        soft, hard = first(standing())[1], first(standing(), antialias=False)[1]
        assert set(np.unique(hard)) == {0, 255}
        assert set(np.unique(soft)) <= {0, 64, 128, 191, 255}
        assert abs(soft.mean() - hard.mean()) < 1.5

    def test_batches_do_not_show(self):
        motion = standing(6, transl=torch.tensor([[0.1 * k, 0.3, -3.2] for k in range(6)]))
        together = [frame for frame, _ in render_motion(motion)]
        alone = [first(motion[k : k + 1])[0] for k in range(6)]
        assert len(together) == 6
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a.astype(int), b, atol=1)

    def test_nobody_is_drawn_where_nobody_is_visible(self):
        motion = standing(2, visible=torch.tensor([True, False]))
        for style in STYLES:
            shown, hidden = render_motion(motion, style=style)
            assert shown[0].any()
            assert not hidden[0].any()
            assert not hidden[1].any()

    def test_another_size_shows_the_same_picture(self):
        small = first(standing(), style="mask")[0]
        large = first(standing(), style="mask", size=(2 * SIZE, 2 * SIZE))[0]
        reduced = large.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
        assert np.abs(reduced - small).mean() < 2

    def test_another_shape_of_picture_is_refused(self):
        with pytest.raises(InputError, match="96x96"):
            render_motion(standing(), size=(SIZE, SIZE // 2))

    def test_an_unknown_style_is_refused_at_once(self):
        with pytest.raises(InputError, match="body code, openpose"):
            render_motion(standing(), style="sketch")

    def test_a_moving_camera_moves_the_picture(self):
        still = torch.diag(torch.tensor([1.0, -1, -1, 1]))
        moved = still.clone()
        moved[0, 3] = 0.5  # the camera steps to its left, the person goes right
        camera = Camera(115.0, (48.0, 48.0), (SIZE, SIZE), torch.stack([still, moved]))
        masks = [mask for _, mask in render_motion(standing(2, camera=camera))]
        columns = [np.average(np.arange(SIZE), weights=mask.sum(0).astype(float)) for mask in masks]
        assert columns[1] - columns[0] == pytest.approx(0.5 / 3.2 * 115, abs=1)

    def test_somebody_behind_the_camera_is_not_seen(self):
        for style in STYLES:
            frame, mask = first(standing(distance=-3.0), style=style)
            assert not frame.any()
            assert not mask.any()

    def test_progress_is_told_and_may_cancel(self):
        class Cancelled(Exception):
            pass

        def stop_after_two(done, total, preview=None):
            assert total == 5
            if done == 2:
                raise Cancelled

        frames = render_motion(standing(5), progress=stop_after_two)
        with pytest.raises(Cancelled):
            list(frames)


class TestBodyCode:
    def test_a_body_point_keeps_its_colour_in_every_pose_and_shape(self):
        body = free_body()
        colors = (point_colors(body) * 255).numpy()
        nose = body.landmarks["nose"]
        for motion in (standing(turn=0.2), standing(turn=-0.4, betas=torch.tensor([1.0] + 9 * [0]))):
            frame, _ = first(motion, size=(4 * SIZE, 4 * SIZE))
            vertices = body.pose(motion.person).vertices[:, nose : nose + 1]
            x, y = (4 * motion.camera.project(vertices)[0, 0]).long().tolist()
            np.testing.assert_allclose(frame[y, x], colors[nose], atol=8)

    def test_no_colour_is_as_dark_as_the_ground(self):
        luma = (point_colors(free_body()) * 255).numpy() @ LUMA
        assert luma.min() > 30

    def test_left_and_right_differ_away_from_the_middle(self):
        body = free_body()
        colors = point_colors(body) * 255
        aside = body.template[:, 0].abs() > 0.08
        difference = (colors - colors[body.mirrored]).abs().amax(1)
        assert difference[aside].min() > 50

    def test_it_changes_by_less_than_two_levels_a_millimetre_of_skin(self):
        body = free_body()
        colors = point_colors(body) * 255
        steps = (colors[body.faces] - colors[body.faces.roll(1, 1)]).abs().amax(-1)
        millimetres = 1000 * (body.template[body.faces] - body.template[body.faces.roll(1, 1)]).norm(dim=-1)
        assert (steps / millimetres).max() < 2


class TestOfficialColors:
    def test_bytes_and_floats_with_and_without_alpha_are_the_same_colours(self):
        table = torch.randint(0, 256, (20, 4), dtype=torch.uint8)
        table[0, 0] = 255
        for given in (table, table[:, :3], table / 255, table.float(), (table[:, :3].double())):
            torch.testing.assert_close(normalize_colors(given), table[:, :3] / 255)

    def test_they_are_refused_on_the_free_body(self):
        with pytest.raises(InputError, match="SMPL or SMPL-H"):
            render_motion(standing(), colors=torch.rand(6890, 3))

    def test_they_are_refused_with_another_number_of_rows(self):
        body = free_body()
        alike = type(body)(**{**{name: getattr(body, name) for name in body.__dataclass_fields__}, "name": "smpl"})
        with pytest.raises(InputError, match="10475 rows"):
            choose_colors(alike, torch.rand(10475, 3))

    @pytest.mark.parametrize("table", [torch.rand(10, 2), torch.full((10, 3), float("nan")), torch.full((9, 3), 300.0)])
    def test_a_table_that_is_no_table_of_colours_is_refused(self, table):
        with pytest.raises(InputError):
            normalize_colors(table)


class TestDepth:
    def test_brightness_belongs_to_the_whole_clip(self):
        motion = standing(2, transl=torch.tensor([[0.0, 0.3, -2.5], [0.0, 0.3, -5.0]]))
        near, far = (frame for frame, _ in render_motion(motion, style="depth", antialias=False))
        assert near.max() == 255
        assert abs(int(far[far > 0].min()) - 255 * FARTHEST_BRIGHTNESS) < 3
        assert near[near > 0].min() > far.max()

    def test_what_is_nearer_is_brighter(self):
        frame, _ = first(standing(turn=np.pi / 2), style="depth", antialias=False)
        # Turned to its left, the right arm points to the camera.
        body = free_body()
        joints = body.pose(standing(turn=np.pi / 2).person).joints
        assert joints[0, JOINT["right_wrist"], 2] > joints[0, JOINT["left_wrist"], 2]
        x, y = standing().camera.project(joints)[0, JOINT["right_wrist"]].long().tolist()
        knee_x, knee_y = standing().camera.project(joints)[0, JOINT["left_knee"]].long().tolist()
        assert frame[y, x, 0] > frame[knee_y, knee_x, 0] > 0


class TestNormals:
    def test_blue_is_front_red_is_left_green_is_up(self):
        frame, mask = first(standing(), style="normal", size=(256, 256), antialias=False)
        body = free_body()
        joints = body.pose(standing().person).joints
        pixels = (standing().camera.project(joints)[0] * 256 / SIZE).long()
        chest_x, chest_y = pixels[JOINT["spine3"]].tolist()
        assert frame[chest_y, chest_x, 2] > 200
        row = frame[chest_y]
        seen = np.flatnonzero(mask[pixels[JOINT["left_knee"], 1]])
        leg = frame[pixels[JOINT["left_knee"], 1]]
        assert leg[seen[0], 0] > 200
        assert leg[seen[-1], 0] < 60
        assert row.any()
        forearm = (pixels[JOINT["left_elbow"]] + pixels[JOINT["left_wrist"]]) // 2
        column = np.flatnonzero(mask[:, forearm[0]])
        assert frame[column[0], forearm[0], 1] > 180
        assert frame[column[-1], forearm[0], 1] < 80


class TestOpenPose:
    def test_points_lie_on_the_joints_in_their_colours(self):
        motion = standing()
        frame, _ = first(motion, style="openpose", size=(512, 512))
        joints = motion.camera.resize(512, 512).project(free_body().pose(motion.person).joints)[0]
        for name in ("left_elbow", "right_wrist", "left_ankle", "right_knee"):
            x, y = joints[JOINT[name]].long().tolist()
            assert tuple(frame[y, x]) == COLORS[OPENPOSE_POINTS.index(name)], name

    def test_the_face_is_not_drawn_from_behind(self):
        nose = COLORS[0]
        facing = first(standing(), style="openpose", size=(512, 512))[0]
        away = first(standing(turn=np.pi), style="openpose", size=(512, 512))[0]
        assert (facing == nose).all(-1).any()
        assert not (away == nose).all(-1).any()
        assert (away == COLORS[4]).all(-1).any()


class TestScail:
    def place(self, motion, body, name):
        joint = body.pose(motion.person).joints[:, JOINT[name]]
        x, y = motion.camera.project(joint[:, None])[0, 0].tolist()
        return int(x), int(y)

    @pytest.mark.parametrize("limb", range(len(TUBES)))
    def test_every_limb_lies_between_its_joints_in_its_colour(self, limb):
        start, end, color = TUBES[limb]
        motion = standing(camera=Camera.for_size(8 * SIZE, 8 * SIZE))
        frame, _ = first(motion, style="scail")
        (x0, y0), (x1, y1) = (self.place(motion, free_body(), name) for name in (start, end))
        seen = frame[(y0 + y1) // 2, (x0 + x1) // 2].astype(float)
        # What the light adds is white: the colour's direction remains, and the three channels keep their order.
        base = np.array(color) / 300 + 0.15
        lit = seen - seen.min()
        wanted = base - base.min()
        if wanted.any():
            assert lit @ wanted / (np.linalg.norm(lit) * np.linalg.norm(wanted)) > 0.99
        else:
            assert np.ptp(seen) <= 1

    def test_the_brightest_line_is_lit_as_by_the_formula(self):
        """In the middle of a limb that faces the camera the light is head-on."""
        motion = standing(camera=Camera.for_size(8 * SIZE, 8 * SIZE))
        frame, _ = first(motion, style="scail")
        body = free_body()
        (x0, y0), (x1, y1) = (self.place(motion, body, name) for name in ("right_hip", "right_knee"))
        seen = frame[(y0 + y1) // 2, (x0 + x1) // 2 - 6 : (x0 + x1) // 2 + 7].astype(float).max(0) / 255
        far = float(motion.camera.view(body.pose(motion.person).vertices)[..., 2].max())
        fade = 1 - (3.2 - TUBE_RADIUS) / (far + BEHIND)
        wanted = (np.array([0, 255, 0]) / 300 + 0.15 + SPECULAR) * fade
        np.testing.assert_allclose(seen, wanted.clip(0, 1), atol=0.05)

    def test_a_tube_is_as_wide_as_said(self):
        motion = standing(camera=Camera.for_size(8 * SIZE, 8 * SIZE))
        frame, _ = first(motion, style="scail")
        (x0, y0), (x1, y1) = (self.place(motion, free_body(), name) for name in ("left_shoulder", "left_wrist"))
        column = frame[:, (x0 + x1) // 2].any(-1)
        assert column.sum() == pytest.approx(2 * TUBE_RADIUS / 3.2 * motion.camera.focal, rel=0.12)

    @pytest.mark.parametrize(("turn", "near"), [(np.pi / 2, "right_wrist"), (-np.pi / 2, "left_wrist")])
    def test_what_is_nearer_hides_what_is_behind(self, turn, near):
        """From the side, one arm points at the camera and hides the other."""
        motion = standing(turn=turn, camera=Camera.for_size(4 * SIZE, 4 * SIZE))
        frame, _ = first(motion, style="scail")
        x, y = self.place(motion, free_body(), near)
        red, _, blue = frame[y, x].astype(int)
        assert (red > blue + 40) if near == "right_wrist" else (blue > red + 40)
