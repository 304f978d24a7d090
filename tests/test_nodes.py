"""The nodes at work, on tiny but real data."""

import dataclasses
import importlib
import json
import types

import numpy as np
import pytest
import torch

from mimo_lab.synthetic import make_character_picture, make_shot


@pytest.fixture(scope="module")
def core(node_classes):
    """Modules of the library as the pack holds them."""
    return lambda name: importlib.import_module(f"pack_under_test.mimo_core.{name}")


@pytest.fixture
def run(node_classes, folders):
    """Run a node with its defaults and return its outputs."""

    def execute(name, **given):
        node = node_classes[name]
        defaults = {entry.id: entry.as_dict().get("default") for entry in node.GET_SCHEMA().inputs or []}
        required = {
            entry.id: defaults[entry.id]
            for entry in node.GET_SCHEMA().inputs or []
            if not entry.optional and defaults[entry.id] is not None
        }
        return node.execute(**(required | given))

    return execute


@pytest.fixture(scope="module")
def media(node_classes):
    return importlib.import_module("pack_under_test.nodes.media")


@pytest.fixture(scope="module")
def motion(core):
    """A body in the T pose, four frames, three metres away, turning its head."""
    pose = torch.zeros(4, 69)
    pose[:, 3 * 14 + 1] = torch.linspace(-0.5, 0.5, 4)
    place = torch.tensor([[0.0, 0.1, -3.0]]).repeat(4, 1)
    person = core("motion.motion").Person(torch.zeros(10), torch.zeros(4, 3), pose, place)
    camera = core("geometry.camera").Camera.for_size(96, 64, focal=60.0)
    return core("motion.motion").Motion((person,), 24.0, camera)


@pytest.fixture(scope="module")
def film(core):
    """A synthetic shot of six frames with its truth."""
    return make_shot(1, size=192, frames=6)


@pytest.fixture(scope="module")
def images(film):
    """The shot as IMAGE."""
    return torch.from_numpy(film.frames).float() / 255


class TestRenderMotion:
    @pytest.mark.parametrize("style", ["body code", "openpose", "depth", "normal", "mask", "scail"])
    def test_every_style_gives_a_picture_and_a_mask_a_frame(self, run, motion, style):
        images, mask, keypoints = run("MIMO_RenderMotion", motion=motion, style=style).args
        assert images.shape == (4, 64, 96, 3)
        assert mask.shape == (4, 64, 96)
        assert [frame["canvas_width"] for frame in keypoints] == [96] * 4
        assert images.max() > 0.2
        assert 0.02 < mask.mean() < 0.5

    def test_a_style_of_an_older_workflow_is_refused_by_name(self, run, motion):
        with pytest.raises(ValueError, match="style is 'wireframe'"):
            run("MIMO_RenderMotion", motion=motion, style="wireframe")

    def test_the_official_colours_say_which_files_they_need(self, run, motion, folders):
        with pytest.raises(ValueError, match=r"sdc_info\.npy to models/mimo and an SMPL or SMPL-H file"):
            run("MIMO_RenderMotion", motion=motion, colors="official")

    def test_the_official_colours_ask_only_for_what_is_missing(self, run, motion, folders):
        import folder_paths
        import numpy as np

        (folders / "models").mkdir()
        np.save(folders / "models" / "sdc_info.npy", np.zeros((6890, 3), np.uint8))
        folder_paths.add_model_folder_path("mimo", str(folders / "models"))
        with pytest.raises(ValueError, match=r"copy an SMPL or SMPL-H file"):
            run("MIMO_RenderMotion", motion=motion, colors="official")

    def test_with_a_plan_the_pictures_are_the_denoisers_squares(self, run, core, motion):
        """What a ControlNet is told must lie where the body code lies."""
        images, mask, _ = run("MIMO_RenderMotion", motion=motion).args
        regions = core("denoise.regions")
        plan = regions.plan_clip((255 * images.numpy()).round().astype(np.uint8))
        plan = core("denoise.segments").select_frames(plan, 1, 2)
        squares, square_masks, _ = run("MIMO_RenderMotion", motion=motion, plan=plan).args
        assert squares.shape == (2, 512, 512, 3) and square_masks.shape == (2, 512, 512)
        for (frame, region), square, square_mask in zip(plan.network_frames, squares, square_masks, strict=True):
            side = max(region.width, region.height)
            reduced = torch.nn.functional.interpolate(square.movedim(-1, 0)[None], (side, side), mode="area")[0]
            assert abs(float(reduced.sum() / region.cut(images[frame]).sum()) - 1) < 0.05
            assert abs(float(square_mask.mean() * side**2 / region.cut(mask[frame]).sum()) - 1) < 0.05

    def test_a_plan_of_another_scene_is_refused_with_both_sizes(self, run, core, motion):
        regions = core("denoise.regions")
        context = regions.Context(0, 0, 4, regions.Box(0, 0, 8, 8))
        with pytest.raises(ValueError, match="4 frames of 32x32.*4 of 96x64"):
            run("MIMO_RenderMotion", motion=motion, plan=regions.ClipPlan((context,), 32, 32))

    def test_a_handful_of_frames_is_shown(self, run, motion):
        shown = run("MIMO_RenderMotion", motion=motion).ui
        assert len(shown["images"]) == 1


class TestEstimatePose:
    def test_a_person_is_found_and_drawn_over_the_clip(self, run, film, images):
        motion, overlay = run("MIMO_EstimatePose", clip=images).args
        assert motion.frames == 6
        assert motion.person.visible.all()
        assert overlay.shape == images.shape
        changed = (overlay - images).abs().amax(-1) > 0.1
        inside = torch.from_numpy(film.person > 127)
        assert (changed & inside).sum() > 0.6 * changed.sum()

    def test_what_is_true_of_every_run_is_no_warning(self, run, images):
        notes = run("MIMO_EstimatePose", clip=images).ui["mimo_notes"]
        assert notes[0]["text"].startswith("Focal length assumed")
        assert {note["kind"] for note in notes} == {"detail"}

    def test_that_the_person_is_gone_for_a_while_is_a_warning(self, run, images):
        gone = torch.cat([images, torch.full_like(images, 0.5).repeat(4, 1, 1, 1)])
        notes = run("MIMO_EstimatePose", clip=gone).ui["mimo_notes"]
        assert [note["text"] for note in notes if note["kind"] == "warning"] == [
            "The clip is cut before frame 6.",  # to plain grey
            "The person is not seen in frames 6-29.",
        ]

    def test_fps_of_images_is_taken_as_told(self, run, images):
        motion, _ = run("MIMO_EstimatePose", clip=images[:2], fps=12.0).args
        assert motion.fps == 12

    def test_nobody_in_the_clip_is_an_error_with_a_remedy(self, run):
        with pytest.raises(ValueError, match="Nobody was found in 2 frames.*give boxes"):
            run("MIMO_EstimatePose", clip=torch.full((2, 96, 96, 3), 0.5))

    def test_a_point_says_who_and_a_point_beside_everybody_is_refused(self, run, film, images):
        y, x = (int(value.mean()) for value in np.nonzero(film.person[2] > 127))
        done = run("MIMO_EstimatePose", clip=images, at=f"2,{x},{y}")
        assert done.args[0].person.visible.all() and done.ui["mimo_motion"][0]["people"][0]["runs"][0]["first"] == 0
        with pytest.raises(ValueError, match=r"Nobody is seen at \(1, 1\) in frame 2"):
            run("MIMO_EstimatePose", clip=images, at="2, 1, 1")
        with pytest.raises(ValueError, match="FRAME,X,Y such as 12,320,180, got 'left'"):
            run("MIMO_EstimatePose", clip=images, at="left")

    def test_a_mask_of_another_shape_is_refused_with_both_sizes(self, run, images):
        with pytest.raises(ValueError, match="32x48.*192x192"):
            run("MIMO_EstimatePose", clip=images, person_mask=torch.ones(6, 48, 32))

    def test_poses_of_another_node_take_the_place_of_the_estimator(self, run, motion, images):
        keypoints = run("MIMO_RenderMotion", motion=motion).args[2]
        plain = torch.full((4, 64, 96, 3), 0.5)  # in which the estimator would find nobody
        found, overlay = run("MIMO_EstimatePose", clip=plain, poses=keypoints).args
        assert found.person.visible.all()
        assert overlay.shape == plain.shape
        with pytest.raises(ValueError, match="4 frames but the clip has 6"):
            run("MIMO_EstimatePose", clip=images, poses=keypoints)

    def test_a_box_for_all_frames_and_a_single_frame_work(self, run, images):
        motion, overlay = run("MIMO_EstimatePose", clip=images[:1], boxes=(0, 0, 192, 192)).args
        assert (motion.frames, len(overlay)) == (1, 1)


class TestSeparateScene:
    @pytest.fixture
    def given(self, film):
        """The truth as MASK, so that nothing has to be estimated."""
        return {"motion": film.motion, "person": torch.from_numpy(film.visible).float() / 255}

    def test_layers_come_out_and_far_from_the_person_the_plate_is_the_clip(self, run, images, given, close):
        scene, plate, person, occluder, report = run("MIMO_SeparateScene", clip=images, **given).args
        assert scene.frames == 6
        assert plate.shape == images.shape
        assert person.shape == occluder.shape == images.shape[:3]
        assert report.startswith("Camera: ")
        rows = (given["person"].amax((0, 2)) > 0).nonzero()
        reach = int(rows[-1] - rows[0]) // 5  # of the shadow of feet
        feet = given["person"].clone()
        feet[:, : int(rows[-1]) - reach] = 0
        near = [
            torch.nn.functional.max_pool2d(mask[:, None], 2 * far + 1, 1, far)[:, 0] > 0
            for mask, far in ((given["person"], 12), (feet, reach))
        ]
        near = near[0] | near[1]
        assert not near.all()
        close(plate[~near], images[~near])

    def test_after_the_estimator_it_works_on_the_same_masks_as_the_library(self, run, core, images, close):
        motion, _ = run("MIMO_EstimatePose", clip=images[:3]).args
        person = run("MIMO_SeparateScene", clip=images[:3], motion=motion).args[2]
        clip = core("media.clip").Clip.from_array(images[:3])
        found = core("pose.estimate").estimate_motion(clip)
        wanted = core("scene.separate").separate_scene(clip, motion=found.motion, coarse=found.masks).person
        close(person, torch.stack([torch.from_numpy(mask).float() / 255 for mask in wanted]))

    @pytest.mark.parametrize("suffix", ["npz", "safetensors"])
    def test_a_motion_that_was_saved_gives_the_scene_of_the_motion_on_the_wire(self, run, images, folders, suffix):
        clip = images[:3]
        motion, _ = run("MIMO_EstimatePose", clip=clip).args
        run("MIMO_SaveMotion", motion=motion, prefix="kept", format=suffix)
        (loaded,) = run("MIMO_LoadMotion", file=f"kept_00001_.{suffix}{' [output]'}").args
        wire, file = (run("MIMO_SeparateScene", clip=clip, motion=each).args[1:] for each in (motion, loaded))
        for on_the_wire, from_the_file in zip(wire[:3], file[:3], strict=True):
            assert torch.equal(on_the_wire, from_the_file)
        assert wire[3] == file[3]

    def test_a_given_plate_wins(self, run, images, given):
        green = torch.tensor([0.0, 1.0, 0.0]).expand(1, 192, 192, 3)
        plate = run("MIMO_SeparateScene", clip=images, plate=green, **given).args[1]
        core = given["person"] == 1
        assert (plate[core] == torch.tensor([0.0, 1.0, 0.0])).all()

    def test_a_motion_of_another_length_is_refused(self, run, images, given):
        with pytest.raises(ValueError, match="6 frames but the clip has 5"):
            run("MIMO_SeparateScene", clip=images[:5], motion=given["motion"])

    def test_masks_of_another_shape_are_refused(self, run, images, given):
        with pytest.raises(ValueError, match="32x64"):
            run("MIMO_SeparateScene", clip=images, person=torch.ones(1, 64, 32))


class TestMotionFiles:
    def test_a_glb_goes_on_to_a_3d_preview_and_other_formats_say_why_not(self, run, motion, folders):
        made = run("MIMO_SaveMotion", motion=motion, prefix="seen", format="glb")
        (file,) = made.args
        assert made.block_execution is None
        assert (folders / "output" / "seen_00001_.glb").samefile(str(getattr(file, "get_source", lambda: file)()))
        assert "Set format to glb" in run("MIMO_SaveMotion", motion=motion, prefix="seen").block_execution

    def test_a_saved_motion_is_offered_and_comes_back(self, run, node_classes, motion, folders, close):
        run("MIMO_SaveMotion", motion=motion, prefix="motion/turn")
        offered = node_classes["MIMO_LoadMotion"].GET_SCHEMA().inputs[0].as_dict()["options"]
        assert offered[:3] == ["dance [example]", "two people [example]", "walk [built in]"]
        assert offered[-1] == "motion/turn_00001_.npz [output]"
        (loaded,) = run("MIMO_LoadMotion", file=offered[-1]).args
        close(loaded.person.body_pose, motion.person.body_pose)

    def test_models_and_still_scenes_of_other_programs_are_not_offered(self, run, motion, folders, node_classes):
        from safetensors.torch import save_file

        run("MIMO_SaveMotion", motion=motion, prefix="ours", format="safetensors")
        run("MIMO_SaveMotion", motion=motion, prefix="ours", format="glb")
        save_file({"weight": torch.zeros(3)}, folders / "input" / "lora.safetensors", metadata={"format": "pt"})
        (folders / "input" / "long.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
        still = b'{"asset": {"version": "2.0"}, "nodes": [{}], "meshes": []}'
        head = b"glTF" + (2).to_bytes(4, "little") + (20 + len(still)).to_bytes(4, "little")
        (folders / "input" / "still.glb").write_bytes(head + len(still).to_bytes(4, "little") + b"JSON" + still)
        (folders / "input" / "empty.glb").write_bytes(b"")
        offered = node_classes["MIMO_LoadMotion"].GET_SCHEMA().inputs[0].as_dict()["options"]
        files = [name for name in offered if not name.endswith(("[example]", "[built in]"))]
        assert files == ["ours_00001_.safetensors [output]", "ours_00002_.glb [output]"]

    def test_the_page_is_told_where_the_file_went(self, run, motion, folders):
        (file,) = run("MIMO_SaveMotion", motion=motion, prefix="motion/turn").ui["mimo_files"]
        assert file == {"filename": "turn_00001_.npz", "subfolder": "motion", "type": "output"}
        assert (folders / "output" / file["subfolder"] / file["filename"]).is_file()

    def test_nothing_is_overwritten(self, run, motion, folders):
        for _ in range(2):
            run("MIMO_SaveMotion", motion=motion, prefix="turn", format="safetensors")
        assert sorted(path.name for path in (folders / "output").iterdir()) == [
            "turn_00001_.safetensors",
            "turn_00002_.safetensors",
        ]

    def test_a_prefix_may_not_leave_the_output_folder(self, run, motion, folders):
        with pytest.raises(Exception, match="not allowed"):
            run("MIMO_SaveMotion", motion=motion, prefix="../elsewhere/turn")
        assert not (folders / "elsewhere").exists()

    @pytest.mark.parametrize("name", ["gone.npz", "../secret.npz", "../secret.npz [output]", "", None])
    def test_only_listed_files_are_read(self, run, folders, name):
        (folders / "secret.npz").write_bytes(b"")
        with pytest.raises(ValueError, match="There is no motion"):
            run("MIMO_LoadMotion", file=name)

    def test_a_file_that_is_no_motion_says_so(self, run, folders):
        (folders / "input" / "notes.npz").write_text("hello")
        with pytest.raises(ValueError, match=r"notes\.npz is damaged or no motion"):
            run("MIMO_LoadMotion", file="notes.npz")

    def test_the_example_can_be_loaded_by_name(self, run):
        (motion,) = run("MIMO_LoadMotion", file="dance [example]").args
        assert motion.frames > 10

    def test_a_built_in_motion_can_be_loaded_by_name(self, run, node_classes):
        (motion,) = run("MIMO_LoadMotion", file="jump [built in]").args
        assert motion.frames > 60
        assert node_classes["MIMO_LoadMotion"].fingerprint_inputs(file="jump [built in]") == "jump"

    @pytest.mark.parametrize("kind", ["bvh", "glb"])
    def test_files_for_other_programs_are_written_and_come_back(self, run, motion, folders, kind, close):
        run("MIMO_SaveMotion", motion=motion, prefix="turn", format=kind)
        (loaded,) = run("MIMO_LoadMotion", file=f"turn_00001_.{kind} [output]").args
        close(loaded.person.body_pose, motion.person.body_pose, atol=1e-4, rtol=0)

    def test_a_skeleton_of_another_program_takes_a_map_of_names_and_an_axis(self, run, motion, folders):
        from scipy.spatial.transform import Rotation

        from mimo_core.motion.builtin import builtin_motion
        from tests.skeletons import MIXAMO_OF, both_sides, motion_bvh

        strange = {joint: f"part{number}" for number, joint in enumerate(both_sides(MIXAMO_OF))}
        text = motion_bvh(builtin_motion("walk")[:12], strange, world=Rotation.from_euler("x", 90, degrees=True))
        (folders / "input" / "strange.bvh").write_text(text)
        with pytest.raises(ValueError, match="known by name"):
            run("MIMO_LoadMotion", file="strange.bvh")
        names = json.dumps(strange)
        found, said = (run("MIMO_LoadMotion", file="strange.bvh", names=names, up=up).args[0] for up in ("auto", "z"))
        assert torch.equal(found.person.transl, said.person.transl)
        with pytest.raises(ValueError, match="up"):
            run("MIMO_LoadMotion", file="strange.bvh", names=names, up="w")

    def test_a_changed_file_is_read_again(self, node_classes, run, motion, folders):
        run("MIMO_SaveMotion", motion=motion, prefix="turn")
        fingerprint = node_classes["MIMO_LoadMotion"].fingerprint_inputs
        first = fingerprint(file="turn_00001_.npz [output]")
        assert fingerprint(file="turn_00001_.npz [output]") == first
        path = folders / "output" / "turn_00001_.npz"
        path.write_bytes(path.read_bytes() + b"0")
        assert fingerprint(file="turn_00001_.npz [output]") != first


class TestEditMotion:
    def test_its_defaults_change_nothing(self, run, motion):
        (edited,) = run("MIMO_EditMotion", motion=motion).args
        assert torch.equal(edited.person.body_pose, motion.person.body_pose)
        assert torch.equal(edited.person.transl, motion.person.transl)

    def test_trim_speed_loop_and_a_motion_that_follows_add_up(self, run, motion):
        how = {"start": 1, "length": 2, "speed": 0.5, "loop": 3, "blend": 0.0}
        (edited,) = run("MIMO_EditMotion", motion=motion, then=motion, **how).args
        assert edited.frames == 2 * 2 * 3 + 4

    def test_a_start_behind_the_end_is_refused_with_the_frames(self, run, motion):
        with pytest.raises(ValueError, match="frames 0 to 3; frames 9 to"):
            run("MIMO_EditMotion", motion=motion, start=9)

    def test_every_switch_does_something(self, run, motion):
        for switch in ({"mirror": True}, {"reverse": True}, {"smoothing": 3.0}):
            (edited,) = run("MIMO_EditMotion", motion=motion, **switch).args
            assert not torch.equal(edited.person.body_pose, motion.person.body_pose)

    def test_on_the_floor_and_in_place(self, run):
        (walk,) = run("MIMO_LoadMotion", file="walk [built in]").args
        (edited,) = run("MIMO_EditMotion", motion=walk, length=60, in_place=True, floor_contact=True).args
        way = edited.person.transl[:, 2]
        assert way.max() - way.min() < 0.5 < walk.person.transl[59, 2] - walk.person.transl[0, 2]


class TestRetargetMotion:
    def test_the_characters_proportions_come_in_and_the_stature_stays(self, run, core):
        (walk,) = run("MIMO_LoadMotion", file="walk [built in]").args
        betas, still = torch.tensor([0.0, 2.0, *[0.0] * 8]), torch.zeros(1, 3)
        person = core("motion.motion").Person(betas, still, torch.zeros(1, 69), still)
        fitted = core("motion.motion").Motion((person,), 24.0, core("geometry.camera").Camera.for_size(16, 16))
        square = torch.zeros(16, 16, 3, dtype=torch.uint8).numpy()
        identity = core("identity.identity").Identity(square, square[..., 0], fitted)
        (moved,) = run("MIMO_RetargetMotion", motion=walk, identity=identity).args
        assert moved.person.betas[1] == pytest.approx(2)
        stature = core("body.height").measure_height
        body = core("body.model").free_body()
        assert stature(body, moved.person.betas) == pytest.approx(stature(body, walk.person.betas), abs=2e-3)

    def test_a_character_without_a_body_leaves_the_motion_alone(self, run, core, motion):
        square = torch.zeros(16, 16, 3, dtype=torch.uint8).numpy()
        identity = core("identity.identity").Identity(square, square[..., 0])
        assert run("MIMO_RetargetMotion", motion=motion, identity=identity).args[0] is motion


class TestPlaceMotion:
    def test_its_defaults_change_nothing(self, run, motion, close):
        (placed,) = run("MIMO_PlaceMotion", motion=motion).args
        close(placed.person.transl, motion.person.transl)
        assert placed.camera.camera_from_world is None

    @pytest.mark.parametrize("camera", ["fixed", "follow", "orbit"])
    def test_every_camera_sees_the_person_in_the_size_asked_for(self, run, core, motion, camera):
        (placed,) = run("MIMO_PlaceMotion", motion=motion, camera=camera, turn=90.0, width=80, height=120).args
        assert placed.camera.size == (80, 120)
        pixels = placed.camera.project(core("body.model").free_body().pose(placed.person).vertices)
        assert pixels.amin() > 0 and (pixels.amax((0, 1)) < torch.tensor([80.0, 120.0])).all()

    def test_the_camera_of_load_3d_wins(self, run, motion):
        info = {"position": {"x": 0, "y": 3, "z": 12}, "target": {"x": 0, "y": 2.5, "z": 0}, "zoom": 1}
        (placed,) = run("MIMO_PlaceMotion", motion=motion, camera="orbit", camera_info=info).args
        matrices = placed.camera.camera_from_world
        assert torch.equal(matrices[0], matrices[-1])

    def test_a_camera_of_an_older_workflow_is_refused_by_name(self, run, motion):
        with pytest.raises(ValueError, match="camera is 'crane'"):
            run("MIMO_PlaceMotion", motion=motion, camera="crane")


@pytest.fixture(scope="module")
def figure():
    """A plain figure with arms and legs before a white wall, no person to any network."""
    picture = torch.ones(1, 160, 120, 3)
    picture[:, 20:60, 45:75] = torch.tensor([0.8, 0.6, 0.5])
    picture[:, 60:140, 40:80] = torch.tensor([0.1, 0.2, 0.7])
    return picture


class TestEncodeIdentity:
    def test_a_given_mask_decides_what_the_character_is(self, run, figure):
        mask = torch.zeros(1, 160, 120)
        mask[:, 60:140, 40:80] = 1
        identity, crop = run("MIMO_EncodeIdentity", character=figure, mask=mask).args
        assert crop.shape == (1, identity.side, identity.side, 3)
        assert (identity.matte == 255).sum() == 80 * 40

    def test_an_empty_mask_is_refused(self, run, figure):
        with pytest.raises(ValueError, match="mask is empty"):
            run("MIMO_EncodeIdentity", character=figure, mask=torch.zeros(1, 64, 96))

    def test_a_batch_is_refused(self, run, figure):
        with pytest.raises(ValueError, match="takes one picture, got 2"):
            run("MIMO_EncodeIdentity", character=figure.repeat(2, 1, 1, 1))


class TestFrameCharacter:
    @pytest.fixture
    def identity(self, run, figure):
        mask = torch.zeros(1, 160, 120)
        mask[:, 20:140, 40:80] = 1
        return run("MIMO_EncodeIdentity", character=figure, mask=mask).args[0]

    def test_picture_mask_and_numbers_fit_a_video_model(self, run, identity, motion):
        image, mask, width, height, length = run(
            "MIMO_FrameCharacter", identity=identity, motion=motion, longest_side=192, multiple=32
        ).args
        assert (width, height, length) == (192, 128, 5)
        assert image.shape == (1, 128, 192, 3) and mask.shape == (1, 128, 192)
        assert torch.equal(image[mask == 0], torch.ones_like(image[mask == 0]))
        assert 0.1 < mask.amax(2).mean() < 1

    def test_of_several_backgrounds_that_of_the_frame_counts(self, run, identity, motion):
        places = torch.linspace(0, 1, 4)[:, None, None, None].expand(4, 64, 96, 3)
        given = {"identity": identity, "motion": motion, "background": places}
        corners = [run("MIMO_FrameCharacter", **given, frame=frame).args[0][0, 0, 0, 0] for frame in (-1, 2)]
        torch.testing.assert_close(torch.stack(corners), torch.tensor([0, 170 / 255]))
        with pytest.raises(ValueError, match="the background has 4 pictures"):
            run("MIMO_FrameCharacter", **given, frame=4)


class TestExample:
    def test_it_gives_a_video_a_character_and_a_motion(self, run):
        video, character, motion, picture, foreground = run("MIMO_Example").args
        assert min(video.get_dimensions()) >= 256
        assert character.shape[0] == picture.shape[0] == 1
        assert foreground.shape == (*picture.shape[:3], 4)
        assert motion.person.visible.all()


class TestSceneFromPicture:
    def test_a_colour_takes_size_length_and_rate_of_the_motion(self, run, motion):
        (scene,) = run("MIMO_SceneFromPicture", motion=motion, color="#204060").args
        assert (scene.width, scene.height, scene.frames, scene.fps) == (96, 64, 4, 24)
        assert tuple(scene.plate[3][10, 10]) == (0x20, 0x40, 0x60)

    def test_one_picture_lasts_as_long_as_needed(self, run, figure):
        (scene,) = run("MIMO_SceneFromPicture", picture=figure).args
        assert (scene.width, scene.height, scene.is_still) == (120, 160, True)

    def test_several_pictures_are_a_clip_that_is_repeated(self, run, images, motion):
        (scene,) = run("MIMO_SceneFromPicture", picture=images[:3], motion=motion).args
        assert scene.frames == 4
        assert (scene.plate[3] == scene.plate[0]).all()

    def test_what_is_no_colour_is_refused(self, run, motion):
        with pytest.raises(ValueError, match="'whitish' is no color"):
            run("MIMO_SceneFromPicture", motion=motion, color="whitish")

    def test_a_foreground_stands_in_front(self, run, figure, motion):
        mask = torch.zeros(1, 160, 120)
        mask[:, :, :60] = 1
        (scene,) = run("MIMO_SceneFromPicture", foreground=figure, foreground_mask=mask, motion=motion).args
        assert scene.occluder[0][:, 0].min() == 255
        assert scene.occluder[0][:, -1].max() == 0


class TestLoadModel:
    def test_of_files_that_belong_together_one_is_offered(self, node_classes, folders):
        """As released, and as training scripts number them."""
        import folder_paths

        names = [
            "denoising_unet-25000.safetensors",
            "reference_unet-25000.safetensors",
            "pose_guider.pth",
            "own.safetensors",
        ]
        (folders / "models").mkdir()
        for name in names:
            (folders / "models" / name).touch()
        folder_paths.add_model_folder_path("mimo", str(folders / "models"))
        offered = node_classes["MIMO_LoadModel"].GET_SCHEMA().inputs[0].as_dict()["options"]
        assert offered[1:] == ["own.safetensors", "denoising_unet-25000.safetensors"]


class TestAnimations:
    def test_the_page_learns_the_animations_of_files_that_are_offered_and_of_no_others(self, node_classes, folders):
        from tests.skeletons import packed_glb

        routes = importlib.import_module("pack_under_test.nodes.routes")
        document = {"nodes": [{"name": "hips"}], "animations": [{"name": "walk"}, {"name": "run"}]}
        (folders / "input" / "m.glb").write_bytes(packed_glb(document))
        (folders / "hidden.glb").write_bytes(packed_glb(document))
        assert routes.name_animations("m.glb") == ["walk", "run"]
        for name in ("../hidden.glb", str(folders / "hidden.glb"), "walk [built in]", "gone.glb", ""):
            assert routes.name_animations(name) == []


class TestUnusedOutputs:
    """What nothing is connected to costs no memory: 12 bytes a pixel and frame for pictures, 4 for masks."""

    def test_a_shot_goes_through_our_nodes_without_any_floats(self, run, media, film):
        from comfy_api.latest import InputImpl, Types

        components = Types.VideoComponents(images=torch.from_numpy(film.frames).float() / 255, frame_rate=24)
        clip = InputImpl.VideoFromComponents(components)
        found, overlay = run("MIMO_EstimatePose", clip=clip).args
        scene, *layers, _ = run("MIMO_SeparateScene", clip=clip, motion=found).args
        picture = torch.from_numpy(make_character_picture(5, size=96, samples=1).image).float()[None] / 255
        identity = run("MIMO_EncodeIdentity", character=picture).args[0]
        images, mask = run("MIMO_DecodeProxy", identity=identity, motion=found, scene=scene).args
        drawn = run("MIMO_RenderMotion", motion=found, scene=scene).args[:2]
        _, frames, seen, _ = run("MIMO_Composite", scene=scene, images=images, mask=mask).args
        batches = [overlay, *layers, images, mask, *drawn, frames, seen]
        assert [batch.is_made for batch in batches] == [False] * 10
        for batch in batches:
            assert batch.shape == batch.clone().shape


class TestComposite:
    @pytest.fixture
    def scene(self, run, motion):
        return run("MIMO_SceneFromPicture", motion=motion).args[0]

    @pytest.fixture
    def drawn(self, run, motion):
        return run("MIMO_RenderMotion", motion=motion).args[:2]

    def test_the_character_lies_in_the_scene_and_the_rest_is_the_scene(self, run, scene, drawn, close):
        images, mask = drawn
        plain = {"color_match": "none", "feather": 0, "shadow": 0.0}
        video, frames, seen, _ = run("MIMO_Composite", scene=scene, images=images, mask=mask, **plain).args
        close(seen, mask)
        close(frames[mask == 0], torch.ones_like(frames[mask == 0]))
        close(frames[mask == 1], images[mask == 1])
        assert video.get_dimensions() == (96, 64)

    def test_without_a_mask_every_picture_covers_a_still_scene(self, run):
        still = run("MIMO_SceneFromPicture", picture=torch.zeros(1, 64, 96, 3)).args[0]
        _, frames, seen, drawn = run(
            "MIMO_Composite", scene=still, images=torch.ones(3, 64, 96, 3), color_match="none"
        ).args
        assert seen.shape == (3, 64, 96) and (seen.clone() == 1).all()
        assert frames.shape == (3, 64, 96, 3) and (drawn.plate[2] == 255).all()

    @pytest.mark.parametrize("slot", [1, 0, 3])
    def test_its_pictures_are_the_same_whether_something_takes_them_at_once_or_later(
        self, run, node_classes, monkeypatch, scene, drawn, slot
    ):
        """With a character that the color match changes and a shadow that remembers the ground."""

        class Prompt:
            def all_node_ids(self):
                return {"7", "8"}

            def get_node(self, name):
                return {"inputs": {"images": ["7", slot], "feather": 4} if name == "8" else {}}

        plain = run("MIMO_Composite", scene=scene, images=drawn[0], mask=drawn[1])
        hidden = types.SimpleNamespace(dynprompt=Prompt(), unique_id="7")
        monkeypatch.setattr(node_classes["MIMO_Composite"], "hidden", hidden)
        known = run("MIMO_Composite", scene=scene, images=drawn[0], mask=drawn[1])
        assert (type(known.args[1]) is torch.Tensor) == (slot == 1)
        assert not plain.args[1].is_made and not plain.args[2].is_made
        for made, later in zip(known.args[1:3], plain.args[1:3], strict=True):
            assert torch.equal(made * 1, later * 1)

    def test_the_video_has_the_scenes_length_and_rate(self, run, media, scene, drawn):
        video = run("MIMO_Composite", scene=scene, images=drawn[0], mask=drawn[1]).args[0]
        clip = media.to_clip(video, progress=lambda *_: None)
        assert (len(clip), clip.fps, clip.width, clip.height) == (4, 24, 96, 64)

    def test_alpha_counts_where_there_is_no_mask(self, run, scene, drawn, close):
        images, mask = drawn
        with_alpha = torch.cat([images, mask[..., None]], -1)
        close(run("MIMO_Composite", scene=scene, images=with_alpha).args[2], mask)

    def test_audio_is_laid_under_the_video(self, run, media, scene, drawn):
        audio = {"waveform": torch.zeros(1, 1, 8000), "sample_rate": 48000}
        video = run("MIMO_Composite", scene=scene, images=drawn[0], mask=drawn[1], audio=audio).args[0]
        assert media.to_clip(video, progress=lambda *_: None).sound is not None

    def test_frames_of_another_size_are_refused_and_leave_nothing(self, run, scene, drawn, folders):
        before = set((folders / "temp").rglob("*.mp4"))
        with pytest.raises(ValueError, match="48x32 but the scene is 96x64"):
            run("MIMO_Composite", scene=scene, images=drawn[0][:, ::2, ::2], mask=drawn[1][:, ::2, ::2])
        assert set((folders / "temp").rglob("*.mp4")) == before

    def test_frames_of_another_number_are_refused(self, run, scene, drawn):
        with pytest.raises(ValueError, match="The scene has 4 frames but there are 3"):
            run("MIMO_Composite", scene=scene, images=drawn[0][:3], mask=drawn[1][:3])


class TestSeveralPeople:
    @pytest.fixture
    def two(self, motion):
        """The body of `motion`, and another one half behind it, 20 centimeters to the side."""
        (person,) = motion.people
        behind = dataclasses.replace(person, transl=person.transl + torch.tensor([0.2, 0.0, -0.6]))
        return dataclasses.replace(motion, people=(person, behind))

    @pytest.mark.parametrize("order", [("0", "1"), ("1", "0")])
    def test_each_is_drawn_into_the_scene_of_the_one_before_and_the_nearer_is_in_front(self, run, two, order):
        scene = run("MIMO_SceneFromPicture", motion=two).args[0]
        plain = {"color_match": "none", "feather": 0, "shadow": 0.0}
        masks = {}
        for people in order:
            person, alone = run("MIMO_ChoosePeople", motion=two, scene=scene, people=people).args
            assert len(person.people) == 1
            _, masks[people], _ = run("MIMO_RenderMotion", motion=person, scene=alone, style="mask").args
            images = torch.full((*masks[people].shape, 3), 0.25 + 0.5 * int(people))
            drawn = run("MIMO_Composite", scene=alone, images=images, mask=masks[people], **plain).args
            scene = drawn[3]
        inner = {people: mask == 1 for people, mask in masks.items()}
        assert (inner["0"] & inner["1"]).any()
        frames = drawn[1].mean(-1)
        assert (frames[inner["0"]] - 0.25).abs().max() < 0.01
        assert (frames[inner["1"] & (masks["0"] == 0)] - 0.75).abs().max() < 0.01

    def test_several_of_them_are_a_motion_of_several(self, run, two):
        chosen, scene = run("MIMO_ChoosePeople", motion=two, people="1,0").args
        assert scene is None and torch.equal(chosen.people[0].transl, two.people[1].transl)

    @pytest.mark.parametrize(
        ("people", "said"), [("all", "numbers such as 0 or 0,2"), ("0,0", "twice"), ("2", "counted from 0")]
    )
    def test_a_choice_that_cannot_be_says_how_to_choose(self, run, two, people, said):
        with pytest.raises(ValueError, match=said):
            run("MIMO_ChoosePeople", motion=two, people=people)

    def test_a_scene_is_that_of_one(self, run, two):
        scene = run("MIMO_SceneFromPicture", motion=two).args[0]
        with pytest.raises(ValueError, match="A scene is that of one person"):
            run("MIMO_ChoosePeople", motion=two, scene=scene, people="0,1")

    def test_a_node_that_draws_one_says_that_there_are_others(self, run, two):
        shown = run("MIMO_RenderMotion", motion=two).ui["mimo_notes"]
        assert any("2 people; the first is drawn" in note["text"] for note in shown)

    def test_everybody_is_estimated_from_the_objects_of_a_track(self, run, film, images):
        """Two objects of SAM 3: the person, and an empty one, of whom nothing is found."""
        bits = np.zeros((len(images), 2, 192, 24), np.uint8)
        bits[:, 0] = np.packbits(film.visible > 127, axis=-1, bitorder="little")
        track = {"packed_masks": torch.from_numpy(bits), "orig_size": (192, 192), "n_frames": len(images)}
        motion, overlay = run("MIMO_EstimatePose", clip=images, person_mask=track, person=-1).args
        assert [bool(person.visible.any()) for person in motion.people] == [True, False]
        assert motion.seen.people == 2 and overlay.shape == images.shape


class TestRenamedInputs:
    @pytest.fixture
    def renamed(self, node_classes):
        return importlib.import_module("pack_under_test.nodes.renamed")

    def test_every_old_name_leads_to_an_input_that_is_there(self, renamed, node_classes):
        for kind, names in renamed.RENAMED.items():
            inputs = {entry.id for entry in node_classes[kind].GET_SCHEMA().inputs}
            assert set(names.values()) <= inputs and not names.keys() & inputs

    def test_a_prompt_of_old_names_reaches_the_nodes_of_today(self, renamed):
        inputs = {"colour_match": "none", "feather": 4, "behaviour": "official"}
        request = {"prompt": {"7": {"class_type": "MIMO_Composite", "inputs": inputs}}, "client_id": "x"}
        node = renamed.rename_inputs(request)["prompt"]["7"]
        assert node["inputs"] == {"color_match": "none", "feather": 4, "behavior": "official"}

    def test_other_nodes_and_broken_requests_pass_unchanged(self, renamed):
        for request in ({"prompt": {"1": {"class_type": "Other", "inputs": {"colour": 1}}}}, {"prompt": 3}, {}):
            assert renamed.rename_inputs(dict(request)) == request


class TestTheWholeRoad:
    def test_a_character_replaces_the_person_of_a_clip(self, run, images):
        motion, _ = run("MIMO_EstimatePose", clip=images).args
        scene = run("MIMO_SeparateScene", clip=images, motion=motion).args[0]
        character = run("MIMO_Example").args[1]
        identity, _ = run("MIMO_EncodeIdentity", character=character).args
        pictures, mask = run("MIMO_DecodeProxy", identity=identity, motion=motion, scene=scene).args
        video, frames, seen, _ = run("MIMO_Composite", scene=scene, images=pictures, mask=mask).args
        assert frames.shape == images.shape
        assert seen.mean() > 0.02
        changed = (frames - images).abs().amax(-1) > 0.1
        assert 0.01 < changed.float().mean() < 0.5
