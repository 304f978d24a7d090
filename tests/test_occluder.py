"""What passes in front: things that move, tracks, depth."""

from dataclasses import replace

import numpy as np
import pytest

from mimo_core.scene.appearance import LogRatios
from mimo_core.scene.depth import find_nearer
from mimo_core.scene.filters import dilate_mask
from mimo_core.scene.fitted_body import BODY_PATCHES, FEET, HANDS, FittedBody, measure_stir
from mimo_core.scene.fixed_occluders import BodyCoverage, find_fixed_occluders
from mimo_core.scene.frame_masks import keep_beside, keep_covering
from mimo_core.scene.frame_views import FrameView, measure_lag
from mimo_core.scene.labels import find_ends_beyond
from mimo_core.scene.moving_objects import detect_moving_objects, remove_small
from mimo_core.scene.object_tracks import ObjectTracks, Sighting
from mimo_core.scene.sprites import ColorEvidence, Sprite, SpritePose, TrackedSprite, track_object
from mimo_core.scene.still_scenery import trim_still


STATURE = 100.0


def seen(frame, x, *, touches, own=0.0, area=80, number=1):
    return Sighting(frame, number, np.array([x, 50.0]), area, touches, own)


class TestTracks:
    def test_a_thing_that_flies_past_is_kept_while_it_is_off_the_person(self):
        tracks = ObjectTracks(STATURE)
        for frame in range(8):
            tracks.add(frame, [seen(frame, 10.0 * frame, touches=frame in (3, 4))])
        assert tracks.labels_in_front() == {frame: [1] for frame in range(8)}

    def test_a_thing_that_never_touches_is_not_in_front(self):
        tracks = ObjectTracks(STATURE)
        for frame in range(8):
            tracks.add(frame, [seen(frame, 10.0 * frame, touches=False)])
        assert tracks.labels_in_front() == {}

    def test_a_piece_of_the_person_in_their_own_colours_is_not_a_thing(self):
        tracks = ObjectTracks(STATURE)
        for frame in range(4):
            tracks.add(frame, [seen(frame, 50.0, touches=True, own=0.9)])
        assert tracks.labels_in_front() == {}

    def test_a_strange_colour_on_the_person_is_a_thing_also_if_never_seen_apart(self):
        tracks = ObjectTracks(STATURE)
        tracks.add(0, [seen(0, 50.0, touches=True, own=0.1)])
        assert tracks.labels_in_front() == {0: [1]}

    def shoe_beside_a_ball(self, shoe):
        """A white ball that drops on the person, with a piece of a white shoe below it in the frames `shoe` of 20."""
        tracks = ObjectTracks(STATURE)
        for frame in range(20):
            ball = seen(frame, 30.0 + frame, touches=frame > 4, number=1)
            sole = seen(frame, 52.0, touches=True, own=0.3, number=2, area=30)
            tracks.add(frame, [ball, sole] if frame in shoe else [ball])
        return tracks

    def test_a_shoe_in_the_colour_of_the_ball_that_a_step_shows_is_the_persons(self):
        tracks = self.shoe_beside_a_ball(range(8, 13))
        assert tracks.labels_in_front() == {frame: [1] for frame in range(20)}
        assert tracks.labels_of_person() == {frame: [2] for frame in range(8, 13)}
        assert [sighting.number for sighting, _, _ in tracks.seeds()] == [1]

    @pytest.mark.parametrize(
        ("contrast", "guessed", "own", "is_persons"),
        [(25, 0, 0.1, False), (25, 0.9, 0.1, True), (25, 0, 0.8, True), (90, 0, 0.1, True)],
    )
    def test_light_on_a_wall_and_folds_of_a_sheet_beside_the_person_are_not_theirs(
        self, contrast, guessed, own, is_persons
    ):
        """What is faint, of no color of theirs and not in the first guess; in one frame of it the sole of a shoe."""
        tracks = ObjectTracks(STATURE)
        for frame in range(20):
            stir = replace(seen(frame, 50.0, touches=True, own=own), contrast=contrast, guessed=guessed)
            if frame == 10:
                stir = replace(stir, contrast=180.0)
            tracks.add(frame, [stir] if 8 <= frame < 13 else [])
        theirs = range(8, 13) if is_persons else [10]
        assert sorted(tracks.labels_of_person()) == list(theirs) and not tracks.labels_in_front()

    @pytest.mark.parametrize("there", [range(5), range(15, 20), range(2, 19)])
    def test_what_lies_on_the_person_for_long_or_at_an_end_of_the_clip_is_a_thing(self, there):
        tracks = self.shoe_beside_a_ball(there)
        assert tracks.labels_of_person() == {}
        assert all(2 in tracks.labels_in_front()[frame] for frame in there)

    @pytest.mark.parametrize(
        ("covers", "is_in_front"),
        [
            ((0.0, 0.0, 0.05), False),
            ((0.0, 0.4, 0.0), False),
            ((0.3, 0.4, 0.0), True),
            ((None, None, None), True),
        ],
    )
    def test_what_touches_the_person_is_in_front_only_where_it_hides_the_body_in_two_frames(self, covers, is_in_front):
        tracks = ObjectTracks(STATURE)
        for frame, share in enumerate(covers):
            tracks.add(frame, [replace(seen(frame, 50.0, touches=True), covers=share)])
        assert bool(tracks.labels_in_front()) == is_in_front

    @pytest.mark.parametrize(("covering", "is_in_front"), [(2, False), (6, True)])
    def test_a_bystander_beside_the_body_for_long_is_not_in_front_for_two_frames_of_a_loose_fit(
        self, covering, is_in_front
    ):
        tracks = ObjectTracks(STATURE)
        for frame in range(20):
            share = 0.2 if frame < covering else 0.0
            tracks.add(frame, [replace(seen(frame, 50.0, touches=True, area=2000), covers=share)])
        assert bool(tracks.labels_in_front()) == is_in_front

    def test_what_crosses_the_scene_needs_to_hide_less_of_the_body(self):
        still, crossing = ObjectTracks(STATURE), ObjectTracks(STATURE)
        for frame in range(4):
            there = replace(seen(frame, 10.0 * frame, touches=True), covers=0.06)
            still.add(frame, [replace(there, place=np.zeros(2))])
            crossing.add(frame, [replace(there, place=np.array([0.3 * STATURE * frame, 0.0]))])
        assert crossing.labels_in_front() and not still.labels_in_front()

    def test_what_crosses_the_scene_and_touches_for_long_needs_to_hide_the_body_in_two_frames_only(self):
        tracks = ObjectTracks(STATURE)
        for frame in range(15):
            place, share = np.array([0.1 * STATURE * frame, 0.0]), 0.06 if frame in (7, 8) else 0.0
            there = seen(frame, 5.0 * frame, touches=True, area=900)
            tracks.add(frame, [replace(there, covers=share, place=place, contrast=30.0)])
        assert tracks.labels_in_front()

    def test_what_is_held_beside_the_body_is_kept_and_a_shadow_beside_it_is_not(self):
        racket, shadow = ObjectTracks(STATURE), ObjectTracks(STATURE)
        for frame in range(6):
            place = np.array([0.1 * STATURE * frame, 0.0])
            there = replace(seen(frame, 2.0 * frame, touches=True), covers=0.0, place=place)
            racket.add(frame, [replace(there, contrast=120.0)])
            shadow.add(frame, [replace(there, contrast=25.0)])
        assert racket.labels_in_front() and not shadow.labels_in_front()

    def test_two_things_that_meet_keep_their_tracks(self):
        tracks = ObjectTracks(STATURE)
        for frame in range(6):
            ball = seen(frame, 10.0 * frame, touches=frame == 3, number=1)
            foot = seen(frame, 34.0, touches=True, own=1.0, number=2, area=30)
            tracks.add(frame, [ball, foot] if frame in (3, 4) else [ball])
        assert tracks.labels_in_front() == {frame: [1] for frame in range(6)}

    def test_a_jump_across_the_picture_begins_another_track(self):
        tracks = ObjectTracks(STATURE)
        tracks.add(0, [seen(0, 0.0, touches=True)])
        tracks.add(1, [seen(1, 90.0, touches=False)])
        assert tracks.labels_in_front() == {0: [1]}


class TestFollowing:
    """A ball with exact truth over a dark person with white shoes before a noisy wall that is surely known."""

    SIZE = (120, 100)

    def disc(self, x, y, radius=9):
        rows, columns = np.mgrid[: self.SIZE[1], : self.SIZE[0]]
        return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2

    def frame(self, ball, colour):
        picture = np.random.default_rng(0).integers(118, 130, (*self.SIZE[::-1], 3)).astype(np.uint8)
        picture[15:90, 50:75] = (30, 30, 60)
        picture[80:90, 48:78] = 240
        behind = picture.copy()
        picture[ball] = colour
        alike = np.square((picture.astype(np.float32) - behind) / 6).sum(-1) < 9
        return ColorEvidence(picture, np.where(alike, -10.0, -20.0).astype(np.float32))

    def overlaps(self, places, colour, *, start=0, piece=None):
        """IoU with the truth in every frame, from what is seen of the ball in frame `start`."""
        truth = [self.disc(*place) for place in places]
        seen = [self.frame(ball, colour) for ball in truth]
        mask = truth[start] if piece is None else truth[start] & piece
        speed = np.subtract(places[1], places[0])
        thing = track_object(mask, start, speed, range(len(places)), lambda frame: seen[frame], STATURE)
        masks = thing.draw_masks(self.SIZE)
        return {frame: (mask & truth[frame]).sum() / (mask | truth[frame]).sum() for frame, mask in masks}

    def test_a_ball_that_crosses_the_torso_stays_whole(self):
        overlaps = self.overlaps([(20 + 6 * k, 40) for k in range(14)], (200, 30, 30))
        assert len(overlaps) == 14 and min(overlaps.values()) > 0.9

    def test_a_piece_of_a_ball_grows_to_the_whole_ball(self):
        left = np.arange(self.SIZE[0])[None] < 62
        overlaps = self.overlaps([(20 + 6 * k, 40) for k in range(14)], (200, 30, 30), start=7, piece=left)
        assert len(overlaps) == 14 and min(overlaps.values()) > 0.9

    def test_a_ball_of_the_colour_of_the_shoe_it_rests_on_stays_whole(self):
        fall = [(92 - 3 * min(k, 8), 50 + 3 * min(k, 8)) for k in range(14)]
        overlaps = self.overlaps(fall, (240, 240, 240))
        assert len(overlaps) == 14 and min(overlaps.values()) > 0.8

    def test_a_ball_that_passes_behind_is_lost(self):
        places = [(20 + 6 * k, 40) for k in range(14)]
        seen = []
        for place in places:
            ball = self.disc(*place)
            ball[15:90, 50:75] = False
            seen.append(self.frame(ball, (200, 30, 30)))
        first = self.disc(*places[0])
        thing = track_object(first, 0, np.array([6.0, 0.0]), range(14), lambda frame: seen[frame], STATURE)
        assert not any(self.disc(62, 40, 4)[mask].any() for _, mask in thing.draw_masks(self.SIZE))

    def test_what_the_scene_explains_is_no_thing(self):
        seen = self.frame(self.disc(20, 40), (200, 30, 30))
        still = ColorEvidence(seen.picture, np.full_like(seen.density, -10.0))
        assert track_object(self.disc(20, 40), 0, np.zeros(2), range(6), lambda frame: still, STATURE) is None


class TestFixedThings:
    @pytest.fixture()
    def post(self):
        """A grey wall with a green post; the person walked behind the post, left and right of it."""
        plate = np.random.default_rng(0).integers(120, 140, (100, 80, 3)).astype(np.uint8)
        truth = np.zeros((100, 80), bool)
        truth[:, 36:46] = True
        plate[truth] = (20, 110, 30)
        sightings = BodyCoverage.empty((80, 100))
        sightings.over[20:90, 37:45] = 4
        sightings.person[20:90, 20:35] = sightings.person[20:90, 47:62] = 4
        return plate, truth, sightings

    def test_a_post_is_outlined_beyond_where_the_body_was(self, post):
        plate, truth, sightings = post
        found = find_fixed_occluders(plate, np.ones(truth.shape, bool), sightings, STATURE) > 0.5
        near = np.s_[10:95]
        assert (found & truth)[near].sum() / (found | truth)[near].sum() > 0.9

    def test_a_misplaced_limb_over_an_even_wall_is_no_thing(self, post):
        plate, truth, sightings = post
        plate[truth] = plate[:, 0:10].reshape(-1, 3)
        assert not find_fixed_occluders(plate, np.ones(truth.shape, bool), sightings, STATURE).any()

    @pytest.mark.parametrize("places", [(), (2,), (2, 66), (66,)])
    def test_limbs_beside_which_the_fit_lies_do_not_change_how_far_it_goes(self, post, places):
        """Seen where they should be are parts of the wall: a third of all seeds."""
        plate, truth, sightings = post
        clear = find_fixed_occluders(plate, np.ones(truth.shape, bool), sightings, STATURE) > 0.5
        for left in places:
            sightings.over[30:75, left : left + 7] = 3
        found = find_fixed_occluders(plate, np.ones(truth.shape, bool), sightings, STATURE) > 0.5
        assert clear.any()
        np.testing.assert_array_equal(found, clear)

    def test_a_chest_is_whole_before_a_leg_that_was_behind_its_corner(self):
        """A striped chest with a frame before a wall; a leg was behind its corner, few frames at each place."""
        plate = np.random.default_rng(0).integers(120, 140, (100, 120, 3)).astype(np.uint8)
        truth = np.zeros((100, 120), bool)
        truth[60:, 30:80] = True
        plate[truth] = (20, 60, 60)
        plate[64:, 34:76] = np.where(np.arange(36) % 12 < 6, 200, 160)[:, None, None]
        sightings = BodyCoverage.empty((120, 100))
        sightings.over[60:84, 50:66] = 1
        sightings.over[60:84, 60:66] = sightings.over[60:72, 66:74] = 2
        sightings.person[10:60, 40:90] = 8
        sightings.person[60:90, 82:92] = 4
        found = find_fixed_occluders(plate, np.ones(truth.shape, bool), sightings, STATURE) > 0.5
        covered = np.s_[60:75, 40:80]
        assert found[covered].mean() > 0.95 and not (found & ~truth).sum() > 0.05 * truth.sum()

    def test_ground_on_which_a_foot_is_misplaced_is_no_thing(self, post):
        plate, truth, sightings = post
        sightings.over[25:] = 0
        sightings.beside[18:28, 30:37] = 4
        assert not find_fixed_occluders(plate, np.ones(truth.shape, bool), sightings, STATURE).any()

    def test_a_wide_bush_hides_shins_of_which_nothing_is_seen_beside_it(self):
        plate = np.random.default_rng(0).integers(190, 220, (140, 180, 3)).astype(np.uint8)
        truth = np.zeros((140, 180), bool)
        truth[80:, 20:160] = True
        plate[truth] = np.random.default_rng(1).integers((30, 70, 10), (80, 150, 40), (truth.sum(), 3))
        sightings = BodyCoverage.empty((180, 140))
        sightings.over[84:96, 76:84] = sightings.over[84:96, 98:106] = 9
        sightings.person[10:80, 70:110] = 9
        found = find_fixed_occluders(plate, np.ones(truth.shape, bool), sightings, 1.5 * STATURE) > 0.5
        covered = np.s_[82:110, 60:120]
        assert found[covered].mean() > 0.95 and not (found & ~truth).any()

    def test_a_rail_does_not_take_the_floor_behind_it_along(self):
        """A wall over a floor of grainy tiles, and a rail that is a little greener; the floor is seen between legs."""
        random = np.random.default_rng(0)
        plate = np.full((130, 180, 3), (120, 95, 85)) + random.integers(-15, 16, (1, 20, 1)).repeat(9, 1)
        plate[10:50, 40:60], plate[20:60, 100:125], plate[52:60] = (60, 70, 80), (130, 140, 90), (95, 75, 120)
        tiles = random.integers(-45, 46, (10, 20)).repeat(7, 0).repeat(9, 1)[..., None]
        plate[60:] = (95, 105, 104) + tiles + random.integers(-35, 36, (70, 180, 1))
        truth = np.zeros((130, 180), bool)
        truth[70:75] = truth[70:115, 130:134] = True
        plate[truth] = (84, 132, 120) + random.integers(-8, 9, (truth.sum(), 1))
        sightings = BodyCoverage.empty((180, 130))
        sightings.person[5:62, 30:150] = 6
        for left in (50, 75, 100, 125):
            leg = np.s_[left : left + 9]
            sightings.person[62:70, leg] = sightings.person[75:95, leg] = sightings.over[70:75, leg] = 4
        known = np.ones(truth.shape, bool)
        found = find_fixed_occluders(plate.clip(0, 255).astype(np.uint8), known, sightings, 1.5 * STATURE) > 0.5
        covered = np.s_[62:95, 40:140]
        assert (found & truth)[covered].sum() / (found | truth)[covered].sum() > 0.8

    def test_scenery_of_the_colors_behind_the_person_is_no_thing_for_a_hand_that_is_misplaced_again_and_again(
        self, post
    ):
        """A picture on the wall: some of its colors are rare behind the person, most are not."""
        plate, truth, sightings = post
        plate[:] = np.random.default_rng(0).choice([60, 90, 120], (100, 80), p=[0.3, 0.4, 0.3])[..., None]
        plate[truth] = np.random.default_rng(1).choice([60, 90, 120], truth.sum(), p=[0.6, 0.3, 0.1])[:, None]
        plate[:, [35, 46]] = 200
        assert not find_fixed_occluders(plate, np.ones(truth.shape, bool), sightings, STATURE).any()


def leg_before_a_plant(middle):
    """A body (60, 80) whose patch 1 is a leg 8 pixels wide that reaches to the left, with its middle at `middle`."""
    silhouette, patch = np.zeros((60, 80), bool), np.zeros((60, 80), np.int32)
    silhouette[5:55, 50:70] = silhouette[26:34, 10:50] = True
    patch[26:34, 10:50] = 1
    centers = np.full((BODY_PATCHES, 2), 30.0, np.float32)
    centers[:, 0], centers[1] = 60, middle
    return FittedBody(silhouette, patch, centers)


@pytest.mark.parametrize(("before", "counts"), [((30.0, 30.0), True), ((45.0, 52.0), False)])
def test_scenery_where_a_kicking_leg_should_be_tells_of_nothing_in_front(before, counts):
    body, nothing = leg_before_a_plant((30.0, 30.0)), np.zeros((60, 80), bool)
    stir = measure_stir(body, (leg_before_a_plant(before), None))
    lag = measure_lag(stir[body.patch], STATURE)
    plate, even = np.full((60, 80, 3), 90, np.uint8), nothing.astype(np.float32)
    view = FrameView(plate, even.astype(np.uint8), plate, ~nothing, nothing, even, body, STATURE, lag)
    ratios = LogRatios(even - 5, even - 5, even, nothing, even)
    over, *_ = BodyCoverage.empty((80, 60)).observe(view, ratios, nothing)
    assert over[26:34, 12:48].any() == counts
    assert over[10:50, 54:66].all()
    over, *_ = BodyCoverage.empty((80, 60)).observe(replace(view, others=~nothing), ratios, nothing)
    assert not over.any()  # somebody else stands there


def test_who_is_alone_in_time_does_not_stir_and_who_is_there_on_one_side_only_stirs_against_that():
    body, other, lost = leg_before_a_plant((30.0, 30.0)), leg_before_a_plant((45.0, 52.0)), leg_before_a_plant((0, 0))
    lost.centers[:] = np.nan
    alone = measure_stir(body, (None, None))
    assert alone.shape == (BODY_PATCHES,) and not alone[body.patch].any()
    np.testing.assert_array_equal(measure_stir(body, (other, lost)), measure_stir(body, (other, None)))
    assert measure_stir(body, (lost, other))[1] > 20


class TestFurniture:
    def test_it_is_in_front_only_where_it_covers_the_body_in_that_frame(self):
        fixed, body = np.zeros((60, 90), np.float32), np.zeros((60, 90), bool)
        fixed[30:, 5:20] = fixed[30:, 50:60] = 1.0
        body[10:55, 45:70] = True
        kept = keep_covering(fixed, body, 5) > 0
        assert kept[30:, 50:60].all() and not kept[:, :45].any()


class TestDepth:
    def test_what_is_nearer_than_the_body_and_touches_it_is_in_front(self):
        person = np.zeros((80, 80), np.uint8)
        person[10:70, 30:40] = person[10:70, 48:55] = 255
        depth = np.full((80, 80, 3), 60, np.uint8)
        depth[10:70, 30:55] = 120
        depth[:, 40:48] = 200
        depth[20:40, 70:78] = 220
        truth = np.zeros((80, 80), bool)
        truth[:, 40:48] = True
        np.testing.assert_array_equal(find_nearer(depth, person, 60.0), truth)

    @pytest.mark.parametrize("slope", [0.0, 1.2])
    def test_a_counter_or_a_table_before_somebody_is_in_front_and_no_floor(self, slope):
        person, random = np.zeros((200, 160), np.uint8), np.random.default_rng(2)
        person[30:120, 60:100] = 255
        level = np.where(person > 0, 100.0, 40.0)
        level[120:] = 130 + slope * np.arange(80)[:, None]
        level = (level + random.normal(0, 1, level.shape)).round().clip(0, 255).astype(np.uint8)
        found = find_nearer(np.repeat(level[..., None], 3, -1), person, 180.0)
        assert found[122:].mean() > 0.95
        assert not found[:118].any()

    def test_the_floor_on_which_somebody_stands_is_not_in_front(self):
        person, random = np.zeros((200, 160), np.uint8), np.random.default_rng(2)
        person[30:120, 60:100] = 255
        level = np.maximum(40, 100 + 1.2 * (np.arange(200) - 118))[:, None].repeat(160, 1)
        level[person > 0] = 100
        level = (level + random.normal(0, 1, level.shape)).round().clip(0, 255).astype(np.uint8)
        assert not find_nearer(np.repeat(level[..., None], 3, -1), person, 90.0).any()

    def test_nobody_has_nothing_in_front(self):
        assert not find_nearer(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8), 8.0).any()


def test_small_components_are_dropped_and_large_ones_kept():
    mask = np.zeros((20, 20), bool)
    mask[2:4, 2:4] = mask[10:16, 10:16] = True
    kept = remove_small(mask, 10)
    assert kept.sum() == 36 and kept[12, 12]


def seen_at_foot(frame, x, *, foot, **there):
    """A sighting at `x` in the scene beside a foot at `foot`."""
    return replace(seen(frame, x, **there), place=np.array([x, 50.0]), limb=0, end=np.array([foot, 50.0]))


def test_a_shoe_at_the_end_of_a_leg_is_the_persons_and_a_ball_that_was_seen_apart_is_not():
    shoe, ball = ObjectTracks(STATURE), ObjectTracks(STATURE)
    for frame in range(16):
        x = 3.0 * frame
        shoe.add(frame, [seen_at_foot(frame, x, foot=x + 2 * (frame % 3), touches=True)])
        ball.add(frame, [seen_at_foot(frame, x, foot=x, touches=frame > 3)])
    assert sorted(shoe.labels_of_person()) == list(range(16)) and not shoe.labels_in_front()
    assert not ball.labels_of_person() and sorted(ball.labels_in_front()) == list(range(16))


@pytest.mark.parametrize("travel", [0.0, 4.0])
def test_a_letter_that_stands_still_while_the_foot_moves_or_does_not_is_no_shoe(travel):
    tracks = ObjectTracks(STATURE)
    for frame in range(16):
        tracks.add(frame, [seen_at_foot(frame, 50.0 + frame % 2, foot=50 + travel * abs(frame - 8), touches=True)])
    assert not tracks.labels_of_person()


def test_what_jumps_from_a_hand_to_a_foot_that_both_stand_still_is_neither():
    tracks = ObjectTracks(STATURE)
    for frame in range(16):
        x = 40.0 + 15 * (frame > 7)
        tracks.add(frame, [replace(seen_at_foot(frame, x, foot=x, touches=True), limb=int(frame > 7))])
    assert not tracks.labels_of_person()


@pytest.mark.parametrize(("ends", "is_persons"), [(FEET, False), (HANDS, True)])
def test_what_goes_from_foot_to_foot_is_a_ball_and_no_shoe_but_hands_lie_side_by_side(ends, is_persons):
    tracks = ObjectTracks(STATURE)
    for frame in range(16):
        sighting = seen_at_foot(frame, 3.0 * frame, foot=3.0 * frame, touches=True)
        tracks.add(frame, [replace(sighting, limb=ends[5 < frame < 10])])
    theirs, things = (list(range(16)), []) if is_persons else ([], list(range(16)))
    assert sorted(tracks.labels_of_person()) == theirs and sorted(tracks.labels_in_front()) == things


def test_a_racket_is_larger_than_a_hand_and_stays_a_thing():
    tracks = ObjectTracks(STATURE)
    for frame in range(16):
        x = 3.0 * frame
        tracks.add(frame, [seen_at_foot(frame, x, foot=x, touches=True, area=STATURE**2 // 50)])
    assert not tracks.labels_of_person()


def test_somebody_else_far_from_the_body_is_no_piece_of_the_person():
    mask, body = np.zeros((40, 60), np.uint8), np.zeros((40, 60), bool)
    body[5:35, 10:20] = True
    mask[5:35, 8:22], mask[5:35, 22:45], mask[10:30, 45:55] = 255, 20, 255
    kept = keep_beside(mask, body, 5)
    assert (kept[:, :40] == mask[:, :40]).all() and not kept[:, 45:].any()


def test_a_hand_that_the_first_guess_lost_is_kept_and_somebody_elses_leg_there_is_not():
    body, mask = np.zeros((100, 100), bool), np.zeros((100, 100), np.uint8)
    body[20:80, 20:40] = True
    mask[body] = 255
    mask[30:36, 48:53] = 255  # ends 13 pixels from the body
    mask[50:90, 48:60] = 255  # goes on to 20 pixels from it
    kept = keep_beside(mask, body, 6, 15) > 0
    assert kept[30:36, 48:53].all() and not kept[50:90, 48:60].any() and kept[body].all()
    assert not (keep_beside(mask, body, 6) > 0)[30:36, 48:53].any()


def test_a_hand_beyond_the_first_guess_is_the_persons_and_a_bystander_who_goes_on_there_is_not():
    soft, looks_so, nothing = np.zeros((100, 100), np.uint8), np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    soft[20:80, 40:60] = 255
    looks_so[20:80, 40:60] = looks_so[30:36, 60:74] = looks_so[50:90, 60:90] = True
    picture = np.zeros((100, 100, 3), np.uint8)
    view = FrameView(picture, soft, picture, ~nothing, nothing, nothing.astype(np.float32), None, STATURE)
    found = find_ends_beyond(view, looks_so, looks_so & view.near_person)
    assert found[30:36, 67:74].all() and not found[50:].any()


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(40, 42), slice(60, 90)),  # as thin as a pole, but it goes on
        (slice(20, 80), slice(60, 73)),  # goes no further, but is larger than a hand
        (slice(40, 44), slice(67, 72)),  # as small as a hand, but apart from the person
    ],
)
def test_what_looks_like_the_person_beyond_the_first_guess_and_is_no_end_of_a_limb_is_not_theirs(rows, columns):
    soft, looks_so, nothing = np.zeros((100, 100), np.uint8), np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    soft[20:80, 40:60] = 255
    looks_so[20:80, 40:60] = looks_so[rows, columns] = True
    picture = np.zeros((100, 100, 3), np.uint8)
    view = FrameView(picture, soft, picture, ~nothing, nothing, nothing.astype(np.float32), None, STATURE)
    assert (looks_so & ~view.near_person).any()
    assert not find_ends_beyond(view, looks_so, looks_so & view.near_person).any()


def test_an_arm_that_rushes_through_the_scene_with_the_body_is_the_persons_after_three_sightings():
    tracks = ObjectTracks(STATURE)
    for frame in range(20):
        there = replace(carried(frame, slip=0.2), place=np.array([40.0 * frame, 40.0]), area=60, covers=0.0)
        there = replace(there, body=np.array([32.0 * frame, 50.0]), contrast=25.0)
        tracks.add(frame, [there] if frame in (15, 17, 19) else [])
    assert sorted(tracks.labels_of_person()) == [15, 17, 19] and not tracks.labels_in_front()


@pytest.mark.parametrize(
    ("count", "slip", "at_hand", "is_persons"),
    [(3, 1.0, True, True), (3, 1.0, False, False), (8, 0.2, False, True), (8, 1.0, True, False)],
)
def test_a_small_piece_that_moves_with_the_body_or_is_hardly_seen_is_the_persons_also_at_the_end(
    count, slip, at_hand, is_persons
):
    tracks = ObjectTracks(STATURE)
    for frame in range(20):
        there = replace(carried(frame, slip=slip), area=60, covers=0.0, contrast=30.0, at_hand=at_hand)
        tracks.add(frame, [there] if frame >= 20 - count else [])
    assert bool(tracks.labels_of_person()) == is_persons and not tracks.labels_in_front()


def carried(frame, *, slip, own=0.4):
    """A racket that a runner carries across the scene, in colors that the person was seen to have."""
    x = 20.0 * frame
    near = Sighting(frame, 1, np.array([50.0, 50.0]), 200, True, own, place=np.array([x, 40.0]), contrast=100.0)
    return replace(near, covers=0.3, body=np.array([(1 - slip) * x, 50.0]))


@pytest.mark.parametrize(("slip", "is_held"), [(0.1, True), (0.9, False)])
def test_what_moves_with_the_body_across_the_scene_is_held_and_what_passes_is_not(slip, is_held):
    tracks = ObjectTracks(STATURE)
    for frame in range(16):
        tracks.add(frame, [carried(frame, slip=slip)])
    assert tracks.labels_in_front() == {frame: [1] for frame in range(16)}
    assert tracks.labels_held() == ({frame: [1] for frame in range(16)} if is_held else {})


@pytest.mark.parametrize(("area", "is_persons"), [(200, False), (60, True)])
def test_what_is_larger_than_a_shoe_and_travels_is_a_thing_though_it_comes_and_goes_on_the_person(area, is_persons):
    tracks = ObjectTracks(STATURE)
    for frame in range(20):
        piece = replace(carried(frame, slip=0.9, own=0.1), area=area)
        tracks.add(frame, [piece] if 6 <= frame < 14 else [])
    labels = {frame: [1] for frame in range(6, 14)}
    assert tracks.labels_in_front() == ({} if is_persons else labels)
    assert tracks.labels_of_person() == (labels if is_persons else {})


@pytest.mark.parametrize(("area", "own", "is_persons"), [(200, 0.1, True), (800, 0.1, False), (800, 0.9, True)])
def test_what_is_seen_briefly_at_the_person_is_theirs_unless_it_is_as_large_as_a_crowd(area, own, is_persons):
    tracks = ObjectTracks(STATURE)
    for frame in range(20):
        there = replace(seen(frame, 50.0, touches=True, own=own, area=area), covers=0.0)
        tracks.add(frame, [there] if 8 <= frame < 13 else [])
    assert bool(tracks.labels_of_person()) == is_persons


@pytest.mark.parametrize(
    ("at_hand", "slip", "contrast", "speed", "is_held"),
    [
        (True, 0.5, 80.0, 1.8, True),
        (False, 0.5, 80.0, 1.8, False),
        (True, 0.9, 80.0, 1.8, False),
        (True, 0.5, 5.0, 1.8, False),  # a shadow
        (True, 0.5, 80.0, 1.0, False),  # hardly moves
    ],
)
def test_a_bag_that_hangs_on_a_hand_is_held_though_nothing_joins_it_to_the_person(
    at_hand, slip, contrast, speed, is_held
):
    tracks = ObjectTracks(STATURE)
    for frame in range(20):
        place = np.array([speed * frame, 60.0])
        bag = Sighting(frame, 1, np.array([50.0, 60.0]), 120, frame % 3 == 0, 0.1, place=place, contrast=contrast)
        bag = replace(bag, covers=0.0, at_hand=at_hand, body=np.array([(1 - slip) * place[0], 50.0]))
        tracks.add(frame, [bag])
    assert bool(tracks.labels_held()) == is_held


@pytest.mark.parametrize(("guessed", "is_scenery"), [((0.0, 0.8), True), ((0.8, 0.8), False)])
def test_a_thing_that_the_first_guess_has_for_a_moment_is_the_scenes_in_all_frames(guessed, is_scenery):
    tracks = ObjectTracks(STATURE)
    for frame in range(10):
        there = replace(seen(frame, 50.0, touches=frame > 4, area=400), covers=0.0, guessed=guessed[frame > 7])
        tracks.add(frame, [there])
    assert tracks.labels_of_scenery() == ({frame: [1] for frame in range(10)} if is_scenery else {})


def test_a_small_piece_beside_a_hand_is_known_and_one_far_from_it_or_dim_is_not():
    for at_hand, contrast, expected in ((True, 90.0, {0: [1]}), (False, 90.0, {}), (True, 20.0, {})):
        tracks = ObjectTracks(STATURE)
        piece = replace(seen(0, 10.0, touches=False), at_hand=at_hand, contrast=contrast)
        tracks.add(0, [piece])
        assert tracks.labels_at_hand() == expected


@pytest.mark.parametrize(
    ("touching", "at_hand", "is_theirs"), [(8, 8, True), (2, 8, False), (8, 2, False), (1, 1, False)]
)
def test_a_piece_that_is_followed_and_seldom_at_the_hand_or_the_person_is_no_part_of_what_they_hold(
    touching, at_hand, is_theirs
):
    tracks = ObjectTracks(STATURE)
    for frame in range(9):
        piece = seen(frame, 10.0, touches=frame < touching)
        tracks.add(frame, [replace(piece, at_hand=frame < at_hand, contrast=90.0, covers=0.0)])
    assert bool(tracks.labels_at_hand()) == is_theirs


class TestHoles:
    """A wall in front of a person, 80 pixels tall, and a hole in what was found of the wall."""

    def found(self, *, body_at, person_in_hole=False, others=False):
        shape, hole = (100, 100), (slice(60, 72), slice(40, 52))
        wall = np.zeros(shape, bool)
        wall[50:90, 20:80] = True
        wall[hole] = False
        body = np.zeros(shape, bool)
        body[10:75, body_at : body_at + 10] = True
        soft = np.where(body, 255, 0).astype(np.uint8)
        soft[45:] = 0
        nothing = np.zeros(shape, bool)
        person = np.where(nothing, 1.0, -1.0)
        if person_in_hole:
            person[hole], soft[hole] = 1.0, 255
        picture = np.full((*shape, 3), 100, np.uint8)
        fitted = FittedBody(body, np.zeros(shape, np.int32), np.zeros((BODY_PATCHES, 2)))
        view = FrameView(picture, soft, picture, ~nothing, nothing, nothing.astype(np.float32), fitted, 80.0)
        ratios = LogRatios(person, np.where(wall, 1.0, -1.0), np.where(wall, 60.0, 0.0), nothing, np.zeros(shape))
        if others:
            return detect_moving_objects(replace(view, others=dilate_mask(wall, 12)), ratios)
        return detect_moving_objects(view, ratios)[hole][3:-3, 3:-3]  # corners are rounded

    def test_what_somebody_else_is_seen_to_be_is_no_object(self):
        assert not self.found(body_at=2, others=True).any()

    def test_where_the_body_should_be_seen_the_object_has_no_hole(self):
        assert self.found(body_at=42).all()

    def test_beside_the_body_the_scene_is_seen_through_the_object(self):
        assert not self.found(body_at=2).any()

    def test_a_hole_through_which_the_person_is_seen_stays(self):
        assert not self.found(body_at=42, person_in_hole=True).any()


@pytest.mark.parametrize(("speed", "slip"), [(2.0, 0.0), (5.0, 27.0)])
def test_the_slip_of_an_object_is_its_way_against_the_body(speed, slip):
    sprite = Sprite(np.zeros((9, 9, 3), np.float32), np.ones((9, 9), bool))
    poses = {frame: SpritePose(20 + int(speed * frame), 40, 0.0) for frame in range(10)}
    body = {frame: np.array([[30.0 + 2 * frame, 50.0], [30.0 - 9 * frame, 50.0], [np.nan] * 2]) for frame in range(20)}
    assert TrackedSprite(sprite, poses).slip(body) == slip
    assert TrackedSprite(sprite, poses).slip({}) == np.inf


def test_what_hides_all_of_the_person_is_in_front_in_those_frames_too():
    from mimo_core.pose.estimate import estimate_motion
    from mimo_core.scene.separate import separate_scene
    from mimo_lab.bench.measures import iou
    from mimo_lab.bench.quality import make_true_clip
    from mimo_lab.synthetic import make_shot

    shot = make_shot(1002, size=128, frames=24)
    clip = make_true_clip(shot)
    found = estimate_motion(clip)
    scene = separate_scene(clip, motion=found.motion, coarse=found.masks)
    hidden = 1 - shot.visible.sum((1, 2)) / shot.person.sum((1, 2))
    frame = int(hidden.argmax())
    assert hidden[frame] > 0.4
    assert iou(scene.occluder[frame] > 127, shot.occluder[frame] > 127) > 0.8


def test_scenery_at_the_rim_of_what_passes_is_trimmed_and_an_even_part_inside_is_not():
    passes, still = np.zeros((2, 40, 60), bool)
    passes[10:30, 10:40] = still[10:30, 30:50] = still[15:20, 15:20] = True
    left = trim_still(passes, still)
    assert not left[:, 30:].any() and left[10:30, 10:30].all()
    assert np.array_equal(trim_still(passes, still, 201), passes)  # an even rim of what passes, no ground
