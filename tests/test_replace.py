"""The main job, end to end on a synthetic shot and on the example that ships."""

import gc
import itertools
import threading
import time
import tracemalloc
import weakref

import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.example import example_shots
from mimo_core.identity.encode import encode_identity
from mimo_core.media.clip import Clip
from mimo_core.media.picture import read_picture
from mimo_core.motion.motion import Motion
from mimo_core.proxy.bake_ahead import BakeAhead
from mimo_core.proxy.proxy import Proxy
from mimo_core.proxy.surface import load_surface
from mimo_core.replace import ProxyDecoder, animate_character, replace_character
from mimo_core.scene.picture import scene_from_picture
from mimo_core.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def example():
    return example_shots()[0]


@pytest.fixture(scope="module")
def character(example):
    return read_picture(example.character)


@pytest.fixture(scope="module")
def square():
    """A picture that is shown as a card, which takes no time to bake."""
    return np.full((64, 48, 3), (200, 40, 40), np.uint8)


@pytest.fixture(scope="module")
def identity(square):
    return encode_identity(square)


@pytest.fixture(scope="module")
def clip(example):
    return Clip.from_file(example.video).select(range(12))


@pytest.fixture(scope="module")
def job(clip, character):
    return replace_character(clip, character)


@pytest.fixture(scope="module")
def replaced(clip, job):
    """The first 12 frames of the example, their result, the masks of the character, and the scene."""
    frames, masks = (np.stack(layer) for layer in zip(*job.drawn, strict=True))
    return np.stack(list(clip)), frames, masks, job.scene


class TestReplace:
    def test_length_and_size_are_the_clips(self, replaced):
        source, result, _, _ = replaced
        assert result.shape == source.shape

    def test_the_character_is_drawn_where_the_person_was(self, replaced):
        _, _, masks, scene = replaced
        for mask, person in zip(masks, scene.person, strict=True):
            assert (person[mask > 127] > 127).mean() > 0.6

    def test_far_from_person_and_character_the_source_is_untouched(self, replaced):
        import cv2

        source, result, masks, scene = replaced
        reach = np.ones((49, 49), np.uint8)  # 2 % of the body, the feather and the shadow at the feet
        for before, after, mask, person in zip(source, result, masks, scene.person, strict=True):
            far = cv2.dilate(np.maximum(mask, person), reach) == 0
            far[int(np.nonzero(mask.any(1))[0].max()) - 60 :] = False  # shadows of the old feet go too
            assert far.mean() > 0.2
            np.testing.assert_array_equal(after[far], before[far])

    def test_nobody_in_the_clip_is_an_error(self, character):
        lawn = Clip.from_array(np.full((3, 96, 128, 3), 90, np.uint8))
        with pytest.raises(InputError, match="Nobody was found in 3 frames"):
            replace_character(lawn, character)


class TestAnimate:
    def test_the_character_moves_before_the_colour_that_was_asked_for(self, example, character):
        motion = example.motion()[:4]
        scene = scene_from_picture(None, color=(10, 200, 30), width=120, height=160, fps=24)
        motion = Motion(motion.people, motion.fps, motion.camera.reframe(120, 160))
        frames, masks = (
            np.stack(layer) for layer in zip(*animate_character(character, motion, scene).drawn, strict=True)
        )
        assert len(frames) == 4
        assert (masks.reshape(4, -1) > 127).any(1).all()
        assert (frames[:, 0, 0] == (10, 200, 30)).all()
        assert np.abs(masks[0].astype(int) - masks[3]).max() > 127

    @pytest.mark.parametrize(("color_match", "first"), [("none", [1]), ("mean", [1, 2, 3, 4])])
    def test_what_is_drawn_before_the_first_finished_frame_is_reported(self, example, square, color_match, first):
        motion, heard = example.motion()[:4], []
        scene = scene_from_picture(None, color=(0, 0, 0), width=60, height=80, fps=24)
        motion = Motion(motion.people, motion.fps, motion.camera.reframe(60, 80))
        job = animate_character(
            square,
            motion,
            scene,
            color_match=color_match,
            progress_of=lambda stage: lambda *at: heard.append((stage, *at)),
        )
        next(job.drawn)
        told = [done for stage, done, total in heard if stage == "character" and done]
        assert told == first and ("character", 0, 1) in heard

    def test_frames_do_not_wait_in_memory(self, example, square):
        motion = example.motion()[:36]
        width, height = motion.camera.size
        scene = scene_from_picture(None, color=(0, 0, 0), width=width, height=height, fps=24)
        job = animate_character(square, motion, scene)
        for _ in itertools.islice(job.drawn, 2):  # caches are filled
            pass
        tracemalloc.start()
        held = [tracemalloc.get_traced_memory()[0] for _ in job.drawn]
        tracemalloc.stop()
        assert max(held) - held[0] < 24 * width * height * 3  # one is composed while the next is drawn


class TestBakeAhead:
    def test_what_is_baked_in_a_thread_is_drawn_as_what_is_baked_here(self, replaced, job):
        _, result, _, _ = replaced
        settings = {"color_match": "mean", "watch": Stopwatch()}
        drawn = ProxyDecoder().draw_part(job.identity, job.motion, job.scene, range(2), **settings)
        for (frame, _), expected in zip(drawn, result[:2], strict=True):
            np.testing.assert_array_equal(frame, expected)

    def test_each_character_is_baked_once(self, identity, monkeypatch):
        bake, baked = Proxy.from_identity, []
        monkeypatch.setattr(Proxy, "from_identity", lambda one, progress: baked.append(one) or bake(one))
        ahead = BakeAhead([identity, identity])
        assert ahead.take(identity) is ahead.take(identity)
        assert baked == [identity]

    def test_an_error_is_raised_where_the_figure_is_taken(self, identity, monkeypatch):
        bake = Proxy.from_identity
        monkeypatch.setattr(Proxy, "from_identity", lambda identity, progress: bake(identity, "sideways"))
        with pytest.raises(InputError, match="sideways"):
            BakeAhead([identity]).take(identity)

    def test_who_waits_for_a_figure_is_asked_whether_to_go_on(self, identity, monkeypatch):
        go_on, bake = threading.Event(), Proxy.from_identity

        def bake_when_asked(identity, progress):
            assert go_on.wait(20)
            return bake(identity)

        monkeypatch.setattr(Proxy, "from_identity", bake_when_asked)
        assert BakeAhead([identity]).take(identity, go_on.set) is not None

    def test_a_job_that_fails_does_not_go_on_baking(self, square, monkeypatch):
        steps, bake = [], Proxy.from_identity

        def bake_slowly(identity, progress):
            for _ in range(1000):
                time.sleep(0.01)
                progress(0, 1)
                steps.append(identity)
            return bake(identity)

        monkeypatch.setattr(Proxy, "from_identity", bake_slowly)
        lawn = Clip.from_array(np.full((3, 96, 128, 3), 90, np.uint8))
        with pytest.raises(InputError, match="Nobody was found"):
            replace_character(lawn, square)
        wait_for_bakers()
        assert len(steps) < 1000

    def test_what_only_baking_needs_does_not_stay(self, identity):
        surface = weakref.ref(load_surface(32))
        assert surface() is not None
        BakeAhead([identity]).take(identity)
        wait_for_bakers()
        gc.collect()
        assert surface() is None


def wait_for_bakers():
    for thread in threading.enumerate():
        if thread.name.startswith("bake"):
            thread.join(5)
            assert not thread.is_alive()
