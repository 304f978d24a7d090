"""The example that ships: present, small, and what the nodes and commands expect."""

import numpy as np

from mimo_core.example import FOLDER, example_shots
from mimo_core.media.clip import Clip
from mimo_core.media.picture import read_picture


def test_the_example_ships_whole_and_is_smaller_than_2_mb():
    example = example_shots()[0]
    assert all(
        path.is_file()
        for path in (example.video, example.character, example.motion_file, example.scene, example.foreground)
    )
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2e6


def test_the_clip_lasts_two_seconds_and_moves():
    clip = Clip.from_file(example_shots()[0].video)
    assert len(clip) == 48 and clip.fps == 24
    assert np.abs(clip[0].astype(int) - clip[30]).mean() > 5


def test_the_character_stands_on_a_neutral_ground():
    picture = read_picture(example_shots()[0].character)
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]).astype(int)
    assert np.ptp(border[:, :3], axis=1).max() < 12
    assert picture[..., :3].std() > 20


def test_the_motion_fits_the_clip_s_frame_and_moves_every_limb():
    motion = example_shots()[0].motion()
    assert motion.frames == 72 and motion.fps == 24
    spread = motion.person.pose().std(0).norm(dim=1)
    assert (spread[[1, 2, 16, 17, 18, 19]] > 0.1).all()  # hips, shoulders, elbows


def test_the_place_fits_the_motions_camera_and_something_stands_in_front_of_it():
    example = example_shots()[0]
    place, thing = read_picture(example.scene), read_picture(example.foreground)
    assert (place.shape[1], place.shape[0]) == (thing.shape[1], thing.shape[0]) == example.motion().camera.size
    assert 0.01 < (thing[..., 3] > 127).mean() < 0.3
