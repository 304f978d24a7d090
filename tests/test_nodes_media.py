"""ComfyUI's values on their way into the library and back."""

import importlib
import io
import os
from fractions import Fraction

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def media(node_classes):
    return importlib.import_module("pack_under_test.nodes.media")


@pytest.fixture(scope="module")
def batches(node_classes):
    return importlib.import_module("pack_under_test.nodes.batches")


@pytest.fixture(scope="module")
def boxes(node_classes):
    return importlib.import_module("pack_under_test.nodes.boxes")


@pytest.fixture(scope="module")
def writer(node_classes):
    return importlib.import_module("pack_under_test.mimo_core.media.video_writer")


@pytest.fixture
def latest(pack):
    return importlib.import_module("comfy_api.latest")


def silent(done, total, preview=None):
    pass


def ramp(frames=3, height=16, width=24, channels=3):
    """Pictures that brighten from frame to frame, exact in 8 bits."""
    steps = torch.linspace(0, 255, frames).round() / 255
    return steps[:, None, None, None].expand(frames, height, width, channels).clone()


@pytest.fixture
def video_file(tmp_path, writer):
    path = tmp_path / "clip.mp4"
    frames = (np.full((16, 24, 3), 40 * k, np.uint8) for k in range(6))
    writer.write_video(path, frames, fps=Fraction(30))
    return path


class TestImage:
    def test_a_batch_becomes_a_clip_of_24_frames_a_second(self, media):
        clip = media.to_clip(ramp(), progress=silent)
        assert (len(clip), clip.width, clip.height, clip.fps) == (3, 24, 16, 24)
        np.testing.assert_array_equal(clip[2], np.full((16, 24, 3), 255, np.uint8))

    def test_fps_says_what_the_batch_does_not(self, media):
        clip = media.to_clip(ramp(), fps=29.97, progress=silent)
        assert float(clip.fps) == pytest.approx(29.97)
        assert len(clip) == 3

    def test_alpha_is_dropped_and_grey_is_repeated(self, media):
        for channels in (1, 4):
            clip = media.to_clip(ramp(channels=channels), progress=silent)
            assert clip[0].shape == (16, 24, 3)

    def test_pictures_come_back_as_they_went_in(self, media, batches, close):
        images = ramp(frames=5)
        clip = media.to_clip(images, progress=silent)
        close(batches.make_batch(clip, len(clip)), images)

    def test_a_batch_where_one_picture_is_wanted_is_refused(self, media):
        with pytest.raises(ValueError, match="character takes one picture, got 3"):
            media.to_picture(ramp(), "character")


class TestVideo:
    def test_a_file_is_streamed_with_its_own_rate(self, media, latest, video_file):
        clip = media.to_clip(latest.InputImpl.VideoFromFile(str(video_file)), progress=silent)
        assert (len(clip), clip.width, clip.height, clip.fps) == (6, 24, 16, 30)
        assert abs(int(clip[5].mean()) - 200) <= 2

    def test_a_file_in_memory_is_read_too(self, media, latest, video_file):
        video = latest.InputImpl.VideoFromFile(io.BytesIO(video_file.read_bytes()))
        assert len(media.to_clip(video, progress=silent)) == 6

    def test_fps_resamples(self, media, latest, video_file):
        clip = media.to_clip(latest.InputImpl.VideoFromFile(str(video_file)), fps=15, progress=silent)
        assert (len(clip), clip.fps) == (3, 15)

    def test_made_of_pictures_it_keeps_them_exactly(self, media, batches, latest, close):
        parts = latest.Types.VideoComponents(images=ramp(), frame_rate=Fraction(25), audio=None)
        clip = media.to_clip(latest.InputImpl.VideoFromComponents(parts), progress=silent)
        assert clip.fps == 25
        close(batches.make_batch(clip, 3), ramp())

    def test_made_of_pictures_it_keeps_its_sound(self, media, latest):
        audio = {"waveform": torch.zeros(1, 2, 4800), "sample_rate": 48000}
        parts = latest.Types.VideoComponents(images=ramp(), frame_rate=Fraction(25), audio=audio)
        clip = media.to_clip(latest.InputImpl.VideoFromComponents(parts), progress=silent)
        assert (clip.sound.rate, clip.sound.samples.shape) == (48000, (2, 4800))

    def test_a_trimmed_one_is_taken_as_trimmed(self, media, latest, video_file):
        class Trimmed(latest.InputImpl.VideoFromFile):
            """Newer ComfyUI trims without writing a file."""

            def get_active_trim_window(self):
                return 0.1, 0.1

            def get_components(self):
                return latest.Types.VideoComponents(images=ramp(), frame_rate=Fraction(30), audio=None)

        assert len(media.to_clip(Trimmed(str(video_file)), progress=silent)) == 3

    def test_a_written_one_lies_in_the_temp_folder(self, media, folders):
        frames = (np.full((16, 24, 3), 9, np.uint8) for _ in range(4))
        video, _ = media.write_temp_video(frames, width=24, height=16, fps=Fraction(24))
        assert video.get_dimensions() == (24, 16)
        assert [path.name for path in (folders / "temp").iterdir()] == ["mimo_00001_.mp4"]


class TestMask:
    def test_one_mask_without_a_frame_axis_stands_for_all_frames(self, media):
        masks = media.to_masks(torch.ones(16, 24), 5)
        assert (len(masks), masks[4].min()) == (5, 255)

    @pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.bool])
    def test_a_channel_of_its_own_is_dropped(self, media, kind):
        mask = (torch.arange(48).reshape(3, 4, 4) % 2).to(kind)
        for shaped in (mask, mask[:, None], mask[..., None], mask[..., None].expand(-1, -1, -1, 3)):
            masks = media.to_masks(shaped, 3)
            assert (np.stack(list(masks)) == 255 * (np.arange(48).reshape(3, 4, 4) % 2)).all()

    def test_another_shape_is_refused(self, media):
        with pytest.raises(ValueError, match=r"frames, height, width\), got \(2, 3, 4, 5\)"):
            media.to_masks(torch.zeros(2, 3, 4, 5), 2)

    def test_the_empty_mask_of_load_image_is_none(self, media):
        assert media.to_masks(torch.zeros(1, 64, 64), 5) is None
        assert media.to_mask_picture(torch.zeros(1, 64, 64), "mask") is None
        assert media.to_masks(torch.zeros(1, 64, 48), 5) is not None

    def test_the_estimator_takes_a_mask_of_half_the_size(self, node_classes, media):
        from pack_under_test.mimo_core.example import example_shots
        from pack_under_test.mimo_core.media.clip import Clip

        frames = torch.from_numpy(np.stack(list(Clip.from_file(example_shots()[0].video).read(0, 3)))).float() / 255
        height, width = frames.shape[1:3]
        mask = torch.ones(1, 1, height // 2, width // 2)
        given = {"estimator": "auto", "person": 0, "smoothing": 1.0, "fps": 0.0, "focal": 0.0}
        motion = node_classes["MIMO_EstimatePose"].execute(clip=frames, person_mask=mask, **given).args[0]
        assert motion.person.visible.all()

    def test_none_stays_none(self, media):
        assert media.to_masks(None, 5) is None

    def test_masks_come_back_as_they_went_in(self, media, batches, close):
        masks = torch.arange(48.0).reshape(3, 4, 4) / 255
        close(batches.make_batch(media.to_masks(masks, 3), 3), masks)


class TestBoxes:
    @pytest.mark.parametrize(
        "value",
        [
            (1, 2, 4, 8),
            [(1, 2, 4, 8)],
            [[(1, 2, 4, 8), (5, 5, 6, 6)]],
            {"x": 1, "y": 2, "width": 3, "height": 6},
            [[{"x": 1, "y": 2, "width": 3, "height": 6}]],
            torch.tensor([[1.0, 2, 4, 8]]),
            (1, 2, 4, 8, 0.9),
            [[(1, 2, 4, 8, 0.9, 0)]],
            [torch.tensor([[1.0, 2, 4, 8, 0.9], [5, 5, 6, 6, 0.3]])],
            [np.array([[1, 2, 4, 8]])],
            {"boxes": torch.tensor([[1.0, 2, 4, 8]]), "scores": torch.tensor([0.9]), "labels": torch.tensor([1])},
            [{"bbox": [1, 2, 4, 8], "score": 0.9}],
            [[{"x1": 1, "y1": 2, "x2": 4, "y2": 8, "score": 0.9}]],
        ],
    )
    def test_every_form_in_use_gives_the_same_box_for_every_frame(self, boxes, value):
        assert boxes.parse_boxes(value, 3) == [(1, 2, 4, 8)] * 3

    def test_one_box_per_frame_is_kept(self, boxes):
        assert boxes.parse_boxes([(0, 0, 1, 1), (1, 1, 2, 2)], 2) == [(0, 0, 1, 1), (1, 1, 2, 2)]

    def test_a_frame_in_which_the_detector_found_nothing_has_no_box(self, boxes):
        assert boxes.parse_boxes([[(0, 0, 1, 1)], [], None], 3) == [(0, 0, 1, 1), None, None]

    def test_of_several_the_person_is_counted_from_the_largest_and_then_followed(self, boxes):
        small, large = {"x": 0, "y": 0, "width": 2, "height": 2}, {"x": 9, "y": 0, "width": 4, "height": 4}
        near_small, near_large = (1, 0, 9, 9), (9, 1, 12, 4)
        frames = [[small, large], [near_large, near_small]]
        assert boxes.parse_boxes(frames, 2, person=0) == [(9, 0, 13, 4), near_large]
        assert boxes.parse_boxes(frames, 2, person=1) == [(0, 0, 2, 2), near_small]
        with pytest.raises(ValueError, match="Frame 0 has 2 boxes, so there is no person 2"):
            boxes.parse_boxes(frames, 2, person=2)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ([[], []], "None of the boxes"),
            ([(0, 0, 1)], "frame 0 has 3 numbers"),
            ({"x": 0, "y": 0}, "lacks width, height"),
            (["box"], "'box' in place of a box"),
            ([(0, 0, float("nan"), 1)], "no numbers"),
            ([{"scores": [0.5]}], "lacks x, y, width, height; it has scores"),
        ],
    )
    def test_what_is_no_box_is_refused(self, boxes, value, message):
        with pytest.raises(ValueError, match=message):
            boxes.parse_boxes(value, 2)


class TestTracks:
    """Built from ComfyUI's later sources (SAM3_TRACK_DATA of comfy_extras/nodes_sam3.py): not run on a newer core."""

    @pytest.fixture
    def tracks(self, node_classes):
        return importlib.import_module("pack_under_test.nodes.tracks")

    @staticmethod
    def packed(masks, height=16, width=32):
        """Masks (F, N, h, w) bool as the nodes hand them on."""
        bits = torch.as_tensor(masks).unflatten(-1, (-1, 8)).to(torch.uint8)
        weights = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)
        found = (bits * weights).sum(-1).to(torch.uint8)
        return {"packed_masks": found, "orig_size": (height, width), "n_frames": len(found), "scores": [0.9, 0.8]}

    @pytest.fixture
    def two(self):
        """Two objects that move to the right by a pixel of their small masks, half as large as the clip."""
        masks = torch.zeros(3, 2, 8, 16, dtype=torch.bool)
        for frame in range(3):
            masks[frame, 0, :3, frame : frame + 2] = True
            masks[frame, 1, 5:, frame + 8 : frame + 13] = True
        return masks

    def test_an_object_comes_out_where_it_went_in_at_the_clips_size(self, tracks, two):
        for number in (0, 1):
            masks = tracks.select_tracked_person(self.packed(two), number)
            assert (len(masks), masks.height, masks.width) == (3, 16, 32)
            wanted = two[:, number].repeat_interleave(2, 1).repeat_interleave(2, 2)
            assert (torch.from_numpy(np.stack(list(masks))) == 255 * wanted).all()

    def test_of_things_all_count(self, tracks, two):
        masks = np.stack(list(tracks.merge_tracked_objects(self.packed(two, 8, 16))))
        assert ((masks == 255) == two.any(1).numpy()).all()

    def test_nothing_followed_is_no_thing_but_no_person_either(self, tracks):
        nothing = {"packed_masks": None, "orig_size": (4, 8), "n_frames": 2, "scores": []}
        assert not np.stack(list(tracks.merge_tracked_objects(nothing))).any()
        with pytest.raises(ValueError, match="followed nothing"):
            tracks.select_tracked_person(nothing)

    def test_several_objects_need_a_choice(self, tracks, two):
        with pytest.raises(ValueError, match="2 objects. Choose the person with SAM3 Track to Mask"):
            tracks.select_tracked_person(self.packed(two))
        with pytest.raises(ValueError, match="no person 2"):
            tracks.select_tracked_person(self.packed(two), 2)

    def test_another_dict_is_refused(self, tracks):
        with pytest.raises(ValueError, match="lack packed_masks, orig_size"):
            tracks.merge_tracked_objects({"n_frames": 2})
        with pytest.raises(ValueError, match="not bytes"):
            tracks.merge_tracked_objects({"packed_masks": torch.zeros(2, 3), "orig_size": (1, 1), "n_frames": 2})

    def test_the_separator_takes_a_track_as_it_takes_masks(self, node_classes):
        images = torch.full((2, 16, 32, 3), 0.5)
        person = torch.zeros(2, 1, 16, 32, dtype=torch.bool)
        person[..., 4:12, 10:18] = True
        given = {"camera": "none", "edge": 2, "fps": 0.0, "clip": images}
        separate = node_classes["MIMO_SeparateScene"].execute
        track = self.packed(person)
        by_track = separate(person=track, occluder=self.packed(~person), **given).args
        by_mask = separate(person=person[:, 0].float(), occluder=(~person)[:, 0].float(), **given).args
        for a, b in zip(by_track[1:4], by_mask[1:4], strict=True):
            assert torch.equal(a, b)


class TestLargeBatches:
    def test_a_batch_that_is_large_for_the_memory_is_a_file_that_goes_with_it(
        self, batches, folders, monkeypatch, close
    ):
        monkeypatch.setattr("comfy.model_management.get_free_memory", lambda device: 1000)
        frames = [np.full((16, 24, 3), 50 * k, np.uint8) for k in range(5)]
        batch = batches.make_batch(frames, 5)
        close(batch, torch.from_numpy(np.stack(frames)).float() / 255)
        assert list((folders / "temp").iterdir()) == []

    def test_what_fits_nowhere_is_refused_before_it_is_begun(self, batches, folders, monkeypatch):
        monkeypatch.setattr("comfy.model_management.get_free_memory", lambda device: 1000)
        with pytest.raises(ValueError, match="more than fits in memory"):
            batches.allocate_batch(10**6, 10**6)


class TestListing:
    @pytest.fixture
    def listing(self, node_classes):
        return importlib.import_module("pack_under_test.nodes.listing")

    @pytest.fixture
    def old(self, tmp_path):
        """A folder that changed an hour ago."""
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.npz").touch()
        (tmp_path / ".hidden").mkdir()
        (tmp_path / ".hidden" / "b.npz").touch()
        for folder in (tmp_path / "in", tmp_path):
            os.utime(folder, (1e9, 1e9))
        return tmp_path

    def test_it_is_read_again_when_something_changes(self, listing, old):
        assert listing.list_folder(old, 2) == (old / "in" / "a.npz",)
        (old / "in" / "c.npz").touch()
        assert listing.list_folder(old, 2) == (old / "in" / "a.npz", old / "in" / "c.npz")
        (old / "in" / "a.npz").unlink()
        assert listing.list_folder(old, 2) == (old / "in" / "c.npz",)

    def test_what_has_not_changed_is_not_read_again(self, listing, old, monkeypatch):
        first = listing.list_folder(old, 2)
        monkeypatch.setattr(os, "scandir", None)
        assert listing.list_folder(old, 2) == first

    def test_it_ends_at_a_number_of_entries(self, listing, old, monkeypatch):
        monkeypatch.setattr(listing, "MOST_ENTRIES", 50)
        for number in range(200):
            (old / f"{number}.npz").touch()
        assert len(listing.list_folder(old, 2)) < 50

    def test_a_missing_folder_is_empty(self, listing, tmp_path):
        assert listing.list_folder(tmp_path / "gone", 2) == ()


class TestProgress:
    def test_cancel_passes_through(self, media, monkeypatch):
        import comfy.utils

        class Cancelled(Exception):
            pass

        def cancel(*_, **__):
            raise Cancelled

        bar = comfy.utils.ProgressBar
        monkeypatch.setattr(bar, "hook", cancel, raising=False)
        monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", cancel, raising=False)
        with pytest.raises(Cancelled):
            media.make_progress()(1, 2, np.zeros((4, 4, 3), np.uint8))

    def test_a_cancelled_video_leaves_no_file(self, media, folders):
        def cancel(done, total, preview=None):
            if done == 2:
                raise KeyboardInterrupt

        frames = (np.zeros((16, 24, 3), np.uint8) for _ in range(4))
        with pytest.raises(KeyboardInterrupt):
            media.write_temp_video(frames, width=24, height=16, fps=Fraction(24), progress=cancel)
        assert not [path for path in (folders / "temp").rglob("*") if path.is_file()]


class TestPreview:
    @pytest.mark.parametrize(
        ("frames", "size", "sheet"),
        [(1, (24, 16), (24, 16)), (2, (24, 16), (48, 16)), (100, (24, 16), (48, 32)), (100, (16, 24), (64, 24))],
    )
    def test_a_handful_of_frames_is_one_picture(self, media, folders, monkeypatch, frames, size, sheet):
        width, height = size
        clip = ramp(frames, height, width)
        sheets = []
        drawn = media.ui.PreviewImage
        monkeypatch.setattr(media.ui, "PreviewImage", lambda image, cls: sheets.append(image) or drawn(image, cls=cls))
        assert len(media.show_preview(clip, None)["images"]) == 1
        (picture,) = sheets[0]
        assert picture.shape[1::-1] == sheet
        assert torch.equal(picture[:height, :width], clip[0]) and torch.equal(picture[-height:, -width:], clip[-1])


class TestFrameBatch:
    """An IMAGE or MASK that costs nothing until a node of others reads it, and then is a tensor like any other."""

    @pytest.fixture
    def clip(self, batches):
        frames = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), np.uint8)
        return batches.Clip.from_array(frames)

    @pytest.fixture
    def batch(self, batches, clip):
        return batches.FrameBatch(clip)

    @pytest.fixture
    def floats(self, batches, clip):
        return batches.make_batch(clip, len(clip))

    def test_its_shape_is_known_without_any_floats(self, batch):
        assert isinstance(batch, torch.Tensor)
        assert (batch.shape, batch.ndim, len(batch), batch.dtype) == ((5, 16, 24, 3), 4, 5, torch.float32)
        assert batch.size(0) == 5 and batch.numel() == 5 * 16 * 24 * 3 and batch.device.type == "cpu"
        assert batch.element_size() == 4 and hash(batch) == hash(batch)
        assert "FrameBatch" in repr(batch)
        assert not batch.is_made

    def test_single_frames_are_made_alone(self, batch, floats):
        for index in (2, -1, slice(1, 3), slice(None, None, 2), slice(4, 4), [0, 4]):
            assert torch.equal(batch[index], floats[index])
        assert not batch.is_made
        with pytest.raises(IndexError):
            batch[5]

    @pytest.mark.parametrize(
        "work",
        [
            lambda images: images * 1,
            lambda images: images.movedim(-1, 1),
            lambda images: images[..., :2],
            lambda images: images[:, 2:5],
            lambda images: torch.cat([images, images]),
            lambda images: torch.stack(list(images)),
            lambda images: torch.nn.functional.interpolate(images.permute(0, 3, 1, 2), size=(8, 8)),
            lambda images: torch.from_numpy(images.cpu().numpy()),
            lambda images: torch.from_numpy(np.asarray(images)),
            lambda images: images.to(torch.float16),
            lambda images: images.clone(),
            lambda images: images.detach().contiguous(),
            lambda images: torch.clamp(images, 0, 0.5),
            lambda images: 1.0 - images,
            lambda images: torch.where(images > 0.5, images, images[:1]),
            lambda images: __import__("copy").deepcopy(images),
        ],
    )
    @pytest.mark.parametrize("inference", [False, True])
    def test_every_work_on_it_gives_what_it_gives_on_floats(self, batches, clip, floats, work, inference):
        with torch.inference_mode(inference):
            made, wanted = work(batches.FrameBatch(clip)), work(floats)
        assert type(made) is torch.Tensor
        assert torch.equal(made, wanted)

    def test_compiled_code_gets_floats(self, batch, floats):
        with torch._C.DisableTorchFunctionSubclass():
            assert torch.equal(torch.mul(batch, 2), 2 * floats)

    def test_it_is_made_once(self, batch):
        assert batch.clone() is not batch.clone()
        assert batch.is_made and batch.make() is batch.make()

    def test_what_is_written_into_it_is_read_again(self, media, batch):
        batch[0] = 1.0
        assert batch[0].eq(1).all()
        assert (media.to_clip(batch, progress=silent)[0] == 255).all()

    def test_our_nodes_take_its_frames_without_floats(self, media, batch, clip):
        taken = media.to_clip(batch, fps=12.0, progress=silent)
        assert taken.fps == 12 and not batch.is_made
        for mine, given in zip(taken, clip, strict=True):
            np.testing.assert_array_equal(mine, given)

    def test_masks_too(self, batches, media):
        values = np.random.default_rng(1).integers(0, 256, (3, 16, 24), np.uint8)
        mask = batches.FrameBatch(batches.Masks.from_array(values))
        np.testing.assert_array_equal(np.stack(list(media.to_masks(mask, 3))), values)
        assert mask.shape == (3, 16, 24) and not mask.is_made

    def test_floats_and_back_are_the_same_bytes(self, batches, media):
        every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16).repeat(2, 0)
        floats = batches.make_batch(every, 2)
        np.testing.assert_array_equal(np.stack(list(media.to_masks(floats, 2))), every)

    def test_kept_pairs_come_back_as_they_were(self, batches):
        source = np.random.default_rng(2)
        pairs = [(source.integers(0, 256, (8, 9, 3), np.uint8), source.integers(0, 256, (8, 9), np.uint8))] * 3
        images, masks = batches.keep_batches(iter(pairs))
        assert torch.equal(images.make(), batches.make_batch([a for a, _ in pairs], 3))
        assert torch.equal(masks.make(), batches.make_batch([b for _, b in pairs], 3))

    def test_what_is_drawn_late_is_drawn_once_for_every_batch_of_it(self, batches, clip, floats):
        drawn = []

        def draw():
            drawn.append(1)
            return iter(clip)

        late = batches.LateFrames(draw, *floats.shape)
        one, other = (batches.FrameBatch(batches.Clip(late, clip.fps)) for _ in range(2))
        assert torch.equal(one[1], floats[1]) and torch.equal(one * 1, floats) and torch.equal(other * 1, floats)
        assert len(drawn) == 1


class TestShownClips:
    """The pictures of a clip play on the node."""

    @pytest.fixture
    def read(self, media, folders):
        def read(shown):
            (entry,) = shown["images"]
            assert shown["animated"] == (True,) and entry["type"] == "temp"
            path = folders / "temp" / entry["subfolder"] / entry["filename"]
            return media.Clip.from_file(path)

        return read

    def test_a_clip_is_a_small_video_at_its_rate(self, media, read):
        clip = read(media.show_clip(ramp(5, 720, 1280), None, Fraction(30)))
        assert (len(clip), clip.width, clip.height, clip.fps) == (5, 512, 288, 30)
        assert abs(int(clip[4].mean()) - 255) <= 2 and clip[0].mean() <= 2

    def test_odd_sizes_become_even_for_browsers(self, media, read):
        clip = read(media.show_clip(ramp(3, 51, 33), None, Fraction(24)))
        assert (clip.width, clip.height) in ((32, 50), (32, 52), (34, 52), (34, 50))

    def test_one_picture_stays_a_picture(self, media, folders):
        assert "animated" not in media.show_clip(ramp(1), None, Fraction(24))

    @pytest.mark.parametrize("width, is_own", [(24, True), (25, False)])
    def test_a_finished_video_shows_itself_where_browsers_play_it(self, media, read, width, is_own):
        frames = (np.full((16, width, 3), 40 * k, np.uint8) for k in range(4))
        video, shown = media.write_temp_video(frames, width=width, height=16, fps=Fraction(24))
        clip = read(shown)
        assert len(clip) == 4 and clip.width % 2 == 0
        assert (os.path.basename(video.get_stream_source()) == shown["images"][0]["filename"]) == is_own
