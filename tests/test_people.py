"""Everybody in a clip is followed before anybody is chosen."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip
from mimo_core.media.cuts import find_cuts
from mimo_core.pose.appearance import compare_appearance
from mimo_core.pose.backwards import extend_backwards
from mimo_core.pose.blazepose import CropRegion, load_blazepose
from mimo_core.pose.estimate import estimate_motion
from mimo_core.pose.estimate_people import estimate_people
from mimo_core.pose.people import covers_detection, track_people
from mimo_core.pose.shots import join_shots
from mimo_core.pose.tracking import follow_person, start_track
from mimo_core.pose.tracklets import Tracklet, join_crossings, merge_alternating
from mimo_core.pose.tracks import PersonTrack, choose_track, drop_unsure, measure_seen_size
from mimo_lab.synthetic import make_shot


FRAMES = 6


@pytest.fixture(scope="module")
def made():
    return make_shot(11, size=256, frames=FRAMES, occluders="none", camera="fixed")


@pytest.fixture(scope="module")
def other():
    return make_shot(3, size=256, frames=FRAMES, occluders="none", camera="fixed")


def shrink(frames, share):
    """Frames (F, H, W, 3) smaller by `share`, in the lower left of gray ones."""
    import cv2

    side = round(256 * share)
    small = np.full_like(frames, 120)
    for frame, source in zip(small, frames, strict=True):
        frame[-side:, :side] = cv2.resize(source, (side, side), interpolation=cv2.INTER_AREA)
    return small


def side_by_side(left, right):
    return Clip.from_array(np.concatenate([left, right], 2), 12)


def hip(pose):
    return pose.pixels[23:25, 0].mean()


class TestTracks:
    def test_every_frame_of_a_shot_is_followed(self, made):
        (track,) = track_people(Clip.from_array(made.frames, 12))
        assert sorted(track.poses) == list(range(FRAMES))

    def test_who_is_seen_in_light_that_flashes_is_one_person(self):
        flashing = make_shot(8, size=256, frames=FRAMES, occluders="none", camera="fixed").frames.copy()
        flashing[1::2] //= 3
        (track,) = track_people(Clip.from_array(flashing, 12), cuts=set())
        assert sorted(track.poses) == list(range(FRAMES))

    def test_people_are_counted_by_how_long_and_large_they_are_seen(self, made, other):
        tracks = track_people(side_by_side(shrink(other.frames, 0.7), made.frames))
        assert [hip(track.poses[2]) > 256 for track in tracks[:2]] == [True, False]

    def test_who_is_largest_in_the_first_frame_alone_is_not_the_first(self, made, other):
        left = np.where(np.arange(FRAMES)[:, None, None, None] < 2, other.frames, other.plate)
        tracks = track_people(side_by_side(left, shrink(made.frames, 0.8)))
        assert hip(tracks[0].poses[5]) > 256

    def test_somebody_who_leaves_and_returns_is_one_person(self, made):
        layers = [made.frames[0], made.frames[1], made.plate[2], made.plate[3], made.frames[4], made.frames[5]]
        (track,) = track_people(Clip.from_array(np.stack(layers), 12))
        assert sorted(track.poses) == [0, 1, 4, 5]

    def test_somebody_else_in_the_same_place_is_another_person(self, made, other):
        clip = Clip.from_array(np.concatenate([made.frames[:3], other.frames[:3]]), 12)
        assert sorted(len(track.poses) for track in track_people(clip)) == [3, 3]

    def test_nobody_is_invented(self, made):
        assert track_people(Clip.from_array(made.plate, 12), scale="fine") == []

    @pytest.mark.parametrize(("seed", "center", "size"), [(11, (256, 128), 700), (3, (256, 256), 500)])
    def test_a_score_without_a_landmark_in_the_picture_is_nobody(self, seed, center, size):
        plate = make_shot(seed, size=256, frames=2, occluders="none", camera="fixed").plate[0]
        region = CropRegion(center, size)
        assert load_blazepose().find_landmarks(plate, region).score > 0.5
        assert start_track(load_blazepose(), plate, region) is None

    @pytest.mark.parametrize(("sure", "moved", "is_found"), [(0.9, 2, True), (0.7, 2, False), (0.9, 60, False)])
    def test_who_is_hardly_seen_is_believed_if_a_wider_look_is_sure_of_the_same_body(self, made, sure, moved, is_found):
        pose = start_track(load_blazepose(), made.frames[0], load_blazepose().detect(made.frames[0])[0].region)

        def look(frame, region):
            if region.size > pose.next_region.size:
                return replace(pose, score=sure, pixels=pose.pixels + np.float32([moved, 0]))
            return replace(pose, score=0.4)

        networks = SimpleNamespace(find_landmarks=look, seen_confidence=0.5)
        assert (follow_person(networks, made.frames[1], pose) is not None) == is_found

    def test_a_detection_half_as_large_as_somebody_is_somebody_else(self, made):
        (track,) = track_people(Clip.from_array(made.frames[:1], 12))
        pose, (detection, *_) = track.poses[0], load_blazepose().detect(made.frames[0])
        assert covers_detection(pose, detection)
        huge = replace(pose, region=CropRegion(pose.region.center, 3 * pose.region.size))
        assert not covers_detection(huge, detection)

    def test_who_is_cut_off_counts_by_what_is_seen(self, made):
        (track,) = track_people(Clip.from_array(made.frames[:1], 12))
        pose = track.poses[0]
        legless = pose.confidence.copy()
        legless[25:] = 0
        assert measure_seen_size(replace(pose, confidence=legless)) < 0.8 * measure_seen_size(pose)

    @pytest.mark.parametrize("shared", [False, True])
    def test_two_parts_that_take_turns_in_one_place_are_one_person(self, made, shared):
        (track,) = track_people(Clip.from_array(made.frames, 12))
        parts = []
        for frames in ((0, 2, 4), (1, 3, 5)):
            poses = {frame: track.poses[frame] for frame in (range(FRAMES) if shared else frames)}
            parts.append(Tracklet(poses, track.appearance, max(poses)))
        merged = merge_alternating(parts, set(), 12)
        assert [sorted(part.poses) for part in merged] == [list(range(FRAMES))] * (1 + shared)

    def test_small_people_are_found_by_a_close_look(self, made):
        small = Clip.from_array(
            np.pad(shrink(made.frames, 0.35), ((0, 0), (300, 0), (0, 400), (0, 0)), mode="edge"), 12
        )
        assert track_people(small, scale="coarse") == []
        (track, *_) = track_people(small, scale="fine")
        assert len(track.poses) == FRAMES

    def test_frames_before_somebody_was_found_are_filled_backwards(self, made, monkeypatch):
        networks, clip = load_blazepose(), Clip.from_array(made.frames, 12)
        found = {0: [], 1: []}
        real = networks.detect_in_tiles

        def is_first(frame):
            return any(np.array_equal(frame, made.frames[at]) for at in found)

        monkeypatch.setattr(
            networks, "detect_in_tiles", lambda frame, **how: [] if is_first(frame) else real(frame, **how)
        )
        (track,) = track_people(clip, networks=networks)
        assert min(track.poses) == 2
        assert min(extend_backwards(clip, track, [track], set()).poses) == 0

    @pytest.mark.parametrize("cuts", [set(), {2}])
    def test_a_first_frame_that_was_read_badly_is_read_again_from_the_next(self, made, cuts):
        clip = Clip.from_array(made.frames, 12)
        (track,) = track_people(clip, cuts=set())
        begun = min(cuts, default=0)
        seen = track.poses[begun]
        badly = replace(seen, pixels=seen.pixels + np.float32([40, 0]), score=0.9 * seen.score)
        doubtful = replace(track, poses={**track.poses, begun: badly})
        again = extend_backwards(clip, doubtful, [doubtful], cuts)
        assert np.linalg.norm(again.poses[begun].pixels - seen.pixels, axis=1).mean() < 0.03 * seen.region.size
        others = set(track.poses) - {begun}
        assert all(again.poses[frame] is track.poses[frame] for frame in others)

    def test_a_part_of_a_track_that_was_read_badly_is_read_again_too(self, made):
        clip = Clip.from_array(made.frames, 12)
        (track,) = track_people(clip, cuts=set())
        seen = track.poses[0]
        badly = replace(seen, pixels=seen.pixels + np.float32([0.05 * seen.region.size, 0]), score=0.9 * seen.score)
        whole = replace(track, poses={**track.poses, 0: badly})
        again = extend_backwards(clip, replace(whole), [whole], set())
        assert np.linalg.norm(again.poses[0].pixels - seen.pixels, axis=1).mean() < 0.03 * seen.region.size


class TestChoice:
    @pytest.fixture(scope="class")
    def tracks(self, made, other):
        return track_people(side_by_side(shrink(other.frames, 0.7), made.frames))

    def test_a_point_on_somebody_chooses_them(self, tracks):
        x, y = tracks[1].poses[2].pixels[23:25].mean(0)
        assert choose_track(tracks, point=(2, x, y)) is tracks[1]

    def test_a_point_on_nobody_says_where_people_are(self, tracks):
        with pytest.raises(InputError, match="People are at"):
            choose_track(tracks, point=(2, 250, 3))

    def test_a_person_who_is_not_there_is_not_replaced(self, tracks):
        assert choose_track(tracks, 9) is None

    def test_a_negative_person_is_refused(self, tracks):
        with pytest.raises(InputError, match="counted from 0"):
            choose_track(tracks, -1)


@pytest.fixture(scope="module")
def broken(made, other):
    wide = side_by_side(made.frames, other.frames)
    first, second = sorted(track_people(wide), key=lambda track: hip(track.poses[0]))
    before = PersonTrack({frame: first.poses[frame] for frame in range(3)} | {4: second.poses[4]}, first.appearance)
    after = PersonTrack({frame: first.poses[frame] for frame in (4, 5)}, first.appearance)
    return first, second, before, after


class TestCrossings:
    """Another one is taken for somebody who is lost, and then they are found again."""

    def test_the_parts_are_one_person_without_the_wrong_frames(self, broken):
        first, second, before, after = broken
        joined = min(join_crossings([second, before, after], set(), 12), key=lambda track: hip(track.poses[0]))
        assert sorted(joined.poses) == [0, 1, 2, 4, 5]
        assert all(joined.poses[frame] is first.poses[frame] for frame in joined.poses)

    def test_a_cut_between_them_keeps_them_apart(self, broken):
        _, second, before, after = broken
        assert len(join_crossings([second, before, after], {4}, 12)) == 3

    def test_another_person_does_not_go_on_as_somebody(self, broken):
        _, second, before, _ = broken
        later = PersonTrack({frame: second.poses[frame] for frame in (4, 5)}, second.appearance)
        assert len(join_crossings([before, later], set(), 12)) == 2


class TestCuts:
    def test_a_change_of_picture_between_two_frames_is_a_cut(self, made, other):
        clip = Clip.from_array(np.concatenate([made.frames, 255 - other.frames]), 12)
        assert find_cuts(clip) == {FRAMES}

    def test_a_dissolve_is_one_in_its_middle(self, made, other):
        from_, to = (each.frames[np.arange(30) % FRAMES].astype(np.float32) for each in (made, other))
        share = np.clip((np.arange(30) - 9) / 12, 0, 1)[:, None, None, None]
        clip = Clip.from_array((from_ * (1 - share) + (255 - to) * share).astype(np.uint8), 24)
        (cut,) = find_cuts(clip)
        assert 12 <= cut <= 18

    def test_light_that_changes_slowly_is_none(self, made):
        """Red light turns into blue light over the same scene."""
        share = np.clip((np.arange(30) - 9) / 12, 0, 1)[:, None, None, None]
        light = (1 - share) * np.float32([1.0, 0.3, 0.2]) + share * np.float32([0.2, 0.3, 1.0])
        lit = (made.frames[np.arange(30) % FRAMES] * light).astype(np.uint8)
        assert find_cuts(Clip.from_array(lit, 24)) == set()

    @pytest.mark.parametrize("estimate", [estimate_motion, estimate_people])
    def test_a_job_can_be_stopped_while_they_are_looked_for(self, made, estimate):
        read = []

        def frame_at(index):
            read.append(index)
            return made.frames[index]

        def stop(done, total, preview=None):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            estimate(Clip.from_array(made.frames, 12).derive(frame_at), progress=stop)
        assert read == [0]

    def test_a_shot_has_none(self):
        assert find_cuts(Clip.from_array(make_shot(1, size=128, frames=8).frames, 12)) == set()

    def test_who_is_seen_in_both_shots_comes_before_who_is_larger_in_one(self, made, other):
        smaller = shrink(other.frames, 0.9)
        first = np.concatenate([made.frames, smaller], 2)
        second = np.concatenate([np.full_like(made.frames, (250, 20, 160)), smaller], 2)
        found = estimate_motion(Clip.from_array(np.concatenate([first, second]), 12), fingers=False)
        assert found.motion.person.visible.all()
        assert sorted(found.people[0].poses) == list(range(2 * FRAMES))

    def test_a_stranger_between_two_shots_of_somebody_is_somebody_else(self, made, other):
        (mine,) = track_people(Clip.from_array(made.frames[:2], 12))
        (stranger,) = track_people(Clip.from_array(other.frames[:2], 12))

        def shift(track, frames, share):
            """The track that many frames later, its colors by some share those of the first person."""
            looks = share * mine.appearance + (1 - share) * track.appearance
            return PersonTrack({frame + frames: pose for frame, pose in track.poses.items()}, looks)

        alike, twin = shift(stranger, 2, 0.5), shift(mine, 4, 0.9)
        assert 0.42 < compare_appearance(mine.appearance, alike.appearance) < 0.6
        whole = join_shots([mine, alike, twin], {2, 4})
        assert sorted(sorted(person.poses) for person in whole) == [[0, 1, 4, 5], [2, 3]]

    def test_what_the_network_is_never_sure_of_is_nobody_beside_others(self, made, monkeypatch):
        sure = track_people(Clip.from_array(made.frames, 12))
        networks = load_blazepose()
        real = networks.find_landmarks
        monkeypatch.setattr(networks, "find_landmarks", lambda *given: replace(real(*given), score=0.6))
        [unsure] = track_people(Clip.from_array(made.frames, 12), networks=networks)
        assert drop_unsure([unsure]) == [unsure]
        assert drop_unsure([unsure, *sure]) == sure

    def test_no_track_goes_on_past_a_cut(self, made):
        clip = Clip.from_array(np.concatenate([made.frames, made.frames]), 12)
        tracks = track_people(clip, cuts={FRAMES})
        assert sorted(min(track.poses) for track in tracks) == [0, FRAMES]
