"""Official template folders, there and back."""

import json

import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks, write_video
from mimo_core.scene.scene import Scene
from mimo_core.scene.template import load_template, save_template


def shot(frames, fps=30):
    """A scene whose frame k is grey 8 k, with an occluder on the right half."""
    source = Clip.from_array(np.stack([np.full((32, 48, 3), 8 * k, np.uint8) for k in range(frames)]), fps)
    half = np.zeros((frames, 32, 48), np.uint8)
    half[:, :, 24:] = 255
    nobody = Masks.constant(0, frames, 32, 48)
    return Scene(source, source, nobody, Masks.from_array(half))


class TestTemplate:
    def test_what_is_saved_is_loaded(self, tmp_path):
        scene = shot(10)
        save_template(tmp_path / "t", scene, scene.source)
        loaded, body_code = load_template(tmp_path / "t")
        assert (loaded.frames, loaded.fps, len(body_code)) == (10, 30, 10)
        for frame in (0, 4, 9):
            assert np.abs(loaded.source[frame].astype(int) - 8 * frame).max() <= 4
            assert loaded.occluder[frame][:, :20].max() < 16 and loaded.occluder[frame][:, 28:].min() > 239

    def test_another_rate_keeps_its_length(self, tmp_path):
        scene = shot(12, fps=24)
        save_template(tmp_path / "t", scene, scene.source)
        assert load_template(tmp_path / "t")[0].frames == 12

    def test_the_time_crop_counts_at_30_frames_a_second(self, tmp_path):
        """Indices 10 to 20 at 30 fps are frames 5 to 9 at 15 fps, which are every second of the file's."""
        scene = shot(30)
        save_template(tmp_path / "t", scene, scene.source)
        config = {"fps": 15, "time_crop": {"start_idx": 10, "end_idx": 20}}
        (tmp_path / "t" / "config.json").write_text(json.dumps(config))
        loaded, _ = load_template(tmp_path / "t")
        means = [round(frame.mean() / 8) for frame in loaded.source]
        assert means == [10, 12, 14, 16, 18]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("fps", v) for v in ("0", "-5", "NaN", "Infinity", "1e10", "1e999", "[]", "null")]
        + [("end_idx", v) for v in ("1e400", "NaN", "99999999999999999999", "{}")],
    )
    def test_numbers_out_of_reason_are_refused_where_they_are_read(self, tmp_path, field, value):
        scene = shot(4)
        save_template(tmp_path / "t", scene, scene.source)
        config = {"fps": "30", "end_idx": "4"} | {field: value}
        text = f'{{"fps": {config["fps"]}, "time_crop": {{"start_idx": 0, "end_idx": {config["end_idx"]}}}}}'
        (tmp_path / "t" / "config.json").write_text(text)
        with pytest.raises(InputError, match=r"config\.json of t"):
            load_template(tmp_path / "t")

    def test_a_config_of_nested_brackets_without_end_is_refused(self, tmp_path):
        save_template(tmp_path / "t", shot(4), shot(4).source)
        (tmp_path / "t" / "config.json").write_text("[" * 100000)
        with pytest.raises(InputError, match=r"config\.json of t"):
            load_template(tmp_path / "t")

    def test_without_an_occluder_nothing_hides(self, tmp_path):
        scene = shot(4)
        save_template(tmp_path / "t", scene, scene.source)
        (tmp_path / "t" / "occ.mp4").unlink()
        assert not load_template(tmp_path / "t")[0].occluder[0].any()

    def test_what_is_missing_is_named(self, tmp_path):
        (tmp_path / "t").mkdir()
        with pytest.raises(InputError, match="t lacks config.json"):
            load_template(tmp_path / "t")
        (tmp_path / "t" / "config.json").write_text('{"fps": 30, "time_crop": {"start_idx": 0, "end_idx": 3}}')
        write_video(tmp_path / "t" / "vid.mp4", shot(3).source, fps=30)
        with pytest.raises(InputError, match="lacks sdc.mp4, bk.mp4"):
            load_template(tmp_path / "t")

    def test_body_code_of_another_length_is_refused(self, tmp_path):
        scene = shot(4)
        with pytest.raises(InputError, match="body code has 3 frames, the scene 4"):
            save_template(tmp_path / "t", scene, scene.source.select(range(3)))
        assert not (tmp_path / "t").exists()

    def test_one_that_is_cancelled_leaves_no_folder(self, tmp_path):
        def cancel(done, total, preview=None):
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            save_template(tmp_path / "t", shot(4), shot(4).source, progress=cancel)
        assert list(tmp_path.iterdir()) == []
