"""A character picture of any kind becomes an identity: matte, crop, body."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.identity import encode
from mimo_core.identity.encode import encode_identity
from mimo_core.identity.joints import PICTURE_JOINTS, PictureJoints, joints_from_landmarks
from mimo_core.identity.matte import cut_object, refine_matte
from mimo_core.identity.picture import read_mask, split_alpha
from mimo_core.identity.preview import LEFT, RIGHT, draw_identity
from mimo_core.identity.push_pull import push_pull
from mimo_core.pose.estimate import estimate_picture
from mimo_lab.synthetic.shot import make_character_picture


@pytest.fixture(scope="module")
def photograph():
    """A synthetic person in A-pose before a plain wall, with its true mask and body."""
    return make_character_picture(3, size=320)


@pytest.fixture(scope="module")
def identity(photograph):
    return encode_identity(photograph.image)


def vase(height=120, width=90) -> np.ndarray:
    picture = np.full((height, width, 3), 235, np.uint8)
    picture[30:110, 30:60] = (40, 90, 160)
    return picture


def overlap(a, b) -> float:
    a, b = a > 127, b > 127
    return (a & b).sum() / (a | b).sum()


class TestColorsAndAlpha:
    @pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (1, 6, 5, 1), (6, 5, 3), (1, 6, 5, 3)])
    def test_pictures_without_alpha_become_rgb(self, shape):
        colors, alpha = split_alpha(np.full(shape, 77, np.uint8))
        assert colors.shape == (6, 5, 3) and (colors == 77).all() and alpha is None

    @pytest.mark.parametrize("channels", [2, 4])
    def test_an_alpha_channel_is_taken_apart(self, channels):
        picture = np.full((6, 5, channels), 50, np.uint8)
        picture[:3, :, -1] = 200
        colors, alpha = split_alpha(picture)
        assert colors.shape == (6, 5, 3) and (colors == 50).all()
        assert (alpha[:3] == 200).all() and (alpha[3:] == 50).all()

    def test_an_opaque_alpha_channel_says_nothing(self):
        assert split_alpha(np.full((6, 5, 4), 255, np.uint8))[1] is None

    @pytest.mark.parametrize(("most", "clear"), [(254, 0), (255, 1)])
    def test_an_alpha_channel_that_leaves_nearly_all_opaque_says_nothing(self, most, clear):
        picture = np.full((60, 50, 4), most, np.uint8)
        picture[0, :clear, 3] = 0
        assert split_alpha(picture)[1] is None

    def test_a_card_with_a_clear_rim_and_round_corners_is_no_matte_and_its_rim_is_filled(self):
        picture = np.full((100, 120, 4), (0, 0, 0, 0), np.uint8)
        picture[4:96, 5:115] = (90, 120, 150, 255)
        picture[4:8, 5:9, 3] = 0
        colors, alpha = split_alpha(picture)
        assert alpha is None
        assert (colors == (90, 120, 150)).all()

    def test_a_box_of_a_figure_in_a_clear_picture_keeps_its_alpha(self):
        picture = np.full((100, 120, 4), (0, 0, 0, 0), np.uint8)
        picture[20:80, 40:80] = (90, 120, 150, 255)
        assert (split_alpha(picture)[1] > 0).sum() == 60 * 40

    def test_floats_and_tensors_mean_the_same_as_bytes(self):
        picture = torch.rand(1, 6, 5, 3)
        expected = (picture[0].numpy() * 255 + 0.5).astype(np.uint8)
        np.testing.assert_array_equal(split_alpha(picture)[0], expected)
        np.testing.assert_array_equal(split_alpha(expected)[0], expected)

    def test_what_is_not_a_number_becomes_black(self):
        assert split_alpha(np.full((2, 2, 3), np.nan, np.float32))[0].max() == 0

    @pytest.mark.parametrize("shape", [(4,), (2, 6, 5, 3), (6, 5, 7), (0, 5, 3)])
    def test_other_shapes_are_refused(self, shape):
        with pytest.raises(InputError, match="1 to 4 channels"):
            split_alpha(np.zeros(shape, np.uint8))

    def test_a_mask_of_another_size_is_brought_to_the_pictures(self):
        mask = read_mask(np.pad(np.ones((2, 2), np.float32), ((0, 2), (0, 0))), 40, 20)
        assert mask.shape == (40, 20) and mask[:15].min() == 255 and mask[25:].max() == 0


class TestContinued:
    def test_known_values_stay_and_the_rest_lies_between_them(self):
        values, known = np.zeros((40, 30, 1), np.float32), np.zeros((40, 30), bool)
        known[:, 0] = known[:, -1] = True
        values[:, -1] = 10
        filled = push_pull(values, known)[..., 0]
        np.testing.assert_allclose(filled[known], values[known][:, 0], atol=1e-4)
        assert filled.min() >= -1e-4 and filled.max() <= 10.001
        assert filled[:, 3].mean() < filled[:, 15].mean() < filled[:, 26].mean()

    def test_one_known_pixel_fills_everything(self):
        known = np.zeros((17, 5), bool)
        known[4, 2] = True
        np.testing.assert_allclose(push_pull(np.full((17, 5, 3), 7.0), known), 7, atol=1e-4)


class TestMatte:
    def test_a_coarse_mask_is_refined_along_the_edges(self, photograph):
        small = cv2.resize(photograph.mask, (32, 32), interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(small, (320, 320), interpolation=cv2.INTER_LINEAR)
        refined = refine_matte(photograph.image, coarse)
        assert overlap(coarse, photograph.mask) < 0.93
        assert overlap(refined, photograph.mask) > 0.97

    def test_a_garment_that_the_network_missed_comes_back_before_a_plain_wall(self, photograph):
        cut = photograph.mask.copy()
        rows = np.flatnonzero(cut.any(1))
        cut[int(rows[0] * 0.35 + rows[-1] * 0.65) :] = 0
        assert overlap(refine_matte(photograph.image, cut), photograph.mask) > 0.95

    def test_a_sea_and_a_beach_in_plain_colors_are_no_part_of_the_person(self, photograph):
        share = photograph.mask[..., None] / 255
        beach = np.full(photograph.image.shape, (110, 170, 240), np.uint8)
        beach[200:206], beach[206:] = (250, 250, 250), (225, 215, 190)
        beach[296:308, 60:260] = (60, 70, 90)
        picture = (photograph.image * share + beach * (1 - share)).astype(np.uint8)
        matte = refine_matte(picture, photograph.mask)
        assert overlap(matte, photograph.mask) > 0.93

    def test_a_tail_stays_before_a_ground_of_one_color_though_a_signature_is_on_it(self, photograph):
        picture = np.where(photograph.mask[..., None] > 127, photograph.image, 255).astype(np.uint8)
        rows, columns = np.nonzero(photograph.mask > 127)
        root = (int(columns.mean()), int(np.quantile(rows, 0.55)))
        cv2.line(picture, (12, root[1] + 40), root, (60, 110, 140), 6)
        cv2.rectangle(picture, (250, 312), (319, 319), (90, 90, 90), -1)
        picture[photograph.mask > 127] = photograph.image[photograph.mask > 127]
        matte = refine_matte(picture, photograph.mask)
        assert (matte[root[1] + 20 : root[1] + 60, 12:24] > 127).any()

    def test_before_a_busy_wall_the_network_decides(self, photograph):
        noise = np.random.default_rng(0).integers(0, 255, photograph.image.shape, np.uint8)
        inside = photograph.mask[..., None] > 127
        matte = refine_matte(np.where(inside, photograph.image, noise), photograph.mask)
        assert overlap(matte, photograph.mask) > 0.9

    def test_an_object_before_a_plain_wall_is_found(self):
        asked = []
        matte = cut_object(vase(), ask=lambda: asked.append(True))
        assert overlap(matte, (vase()[..., 0] < 100) * np.uint8(255)) > 0.97
        assert len(asked) == 3

    def test_a_drawing_of_lines_is_a_filled_figure(self):
        drawing = np.full((200, 160, 3), 180, np.uint8)
        cv2.circle(drawing, (80, 45), 25, (60, 40, 140), 4)
        cv2.ellipse(drawing, (80, 125), (45, 52), 0, 0, 360, (60, 40, 140), 4)
        matte = cut_object(drawing)
        assert matte[45, 80] > 250 and matte[125, 80] > 250
        assert matte[5, 5] == 0 and matte[76, 20] == 0

    def test_a_drawing_of_thick_lines_around_small_areas_is_filled_too(self):
        drawing = np.full((240, 200, 3), 255, np.uint8)
        for center, axes in (
            ((100, 60), (27, 22)),
            ((100, 150), (18, 58)),
            ((50, 120), (36, 13)),
            ((150, 120), (36, 13)),
        ):
            cv2.ellipse(drawing, center, axes, 0, 0, 360, (0, 0, 0), 8)
        assert cut_object(drawing)[60, 100] > 250 and cut_object(drawing)[120, 40] > 250

    def test_a_toy_in_a_soft_light_is_not_taken_for_the_ground_beside_its_blurred_edge(self):
        toy = np.full((300, 300, 3), (247, 244, 240), np.uint8)
        cv2.rectangle(toy, (75, 100), (225, 215), (235, 190, 40), -1)
        toy = cv2.GaussianBlur(toy, (0, 0), 30)
        cv2.circle(toy, (150, 160), 25, (170, 40, 40), -1)
        matte = cut_object(toy)
        assert matte[130, 115] > 250 and matte[195, 200] > 250
        assert matte[20, 20] == 0

    def test_a_pale_face_before_paper_is_no_hole(self):
        drawing = np.full((300, 240, 3), 255, np.uint8)
        cv2.ellipse(drawing, (120, 150), (70, 110), 0, 0, 360, (230, 120, 150), -1)
        cv2.ellipse(drawing, (120, 90), (40, 30), 0, 0, 360, (255, 249, 247), -1)
        cv2.ellipse(drawing, (120, 190), (40, 30), 0, 0, 360, (255, 255, 255), -1)
        matte = cut_object(drawing)
        assert matte[90, 120] > 250 and matte[190, 120] == 0

    def test_a_ring_keeps_its_hole(self):
        ring = np.full((160, 160, 3), 230, np.uint8)
        cv2.circle(ring, (80, 80), 50, (160, 60, 40), 30)
        assert cut_object(ring)[80, 80] == 0

    def test_what_stands_beside_somebody_before_a_wall_is_not_theirs(self, photograph):
        street = photograph.image.copy()
        street[:, 300:] = (90, 40, 20)
        street[290:, 240:300] = (70, 75, 80)
        inside = photograph.mask > 127
        street[inside] = photograph.image[inside]
        assert overlap(refine_matte(street, photograph.mask), photograph.mask) > 0.95

    def test_what_the_network_leaves_open_between_arm_and_body_is_open(self, photograph):
        image, mask = photograph.image.copy(), photograph.mask.copy()
        noise = np.random.default_rng(0).integers(90, 130, image.shape, np.uint8)
        image = np.where(mask[..., None] > 127, image, noise)
        rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
        y, x = rows[len(rows) // 3], columns[len(columns) // 2]
        hole = np.s_[y - 8 : y + 8, x - 8 : x + 8]
        mask[hole] = 0
        assert (refine_matte(image, mask)[y - 4 : y + 4, x - 4 : x + 4] < 20).all()

    def test_noise_holds_no_object(self):
        noise = np.random.default_rng(0).integers(0, 255, (80, 60, 3), np.uint8)
        assert cut_object(noise) is None

    def test_a_crown_that_the_network_leaves_out_is_found_before_a_street(self, photograph):
        noise = np.random.default_rng(0).integers(0, 70, photograph.image.shape)
        street = np.where(photograph.mask[..., None] > 127, photograph.image, noise + [40, 90, 160]).astype(np.uint8)
        rows = np.flatnonzero((photograph.mask > 127).any(1))
        cut, crown = photograph.mask.copy(), np.s_[rows[0] : rows[0] + round(0.07 * len(rows))]
        cut[crown] = 0
        found = refine_matte(street, cut)
        assert (found[crown][photograph.mask[crown] > 200] > 127).mean() > 0.8
        assert ((found > 127) & (photograph.mask < 50)).sum() < 0.02 * (photograph.mask > 127).sum()


class TestPlainGround:
    """Patches of a plain background that touch the figure where the network sees nobody."""

    @pytest.fixture(scope="class")
    @staticmethod
    def figure():
        return make_character_picture(60, size=448)

    @staticmethod
    def stand_on(figure, ground: np.ndarray) -> np.ndarray:
        share = figure.mask[..., None] / 255
        return (figure.image * share + ground * (1 - share)).astype(np.uint8)

    @staticmethod
    def outside(matte: np.ndarray, truth: np.ndarray) -> float:
        return float(((matte > 127) & (cv2.dilate(truth, np.ones((9, 9))) < 128)).sum() / (truth > 127).sum())

    @staticmethod
    def cut(picture: np.ndarray) -> np.ndarray:
        return refine_matte(picture, estimate_picture(picture).masks[0])

    def test_a_shadow_between_the_feet_is_not_the_figure_s(self, figure):
        height, width = figure.mask.shape
        y, x = np.mgrid[:height, :width]
        feet = np.flatnonzero((figure.mask > 127).any(1))[-1]
        shadow = np.exp(-(((x - width / 2) / 90) ** 2) - ((y - feet) / 16.0) ** 2)
        matte = self.cut(self.stand_on(figure, 255 - 130 * shadow[..., None]))
        assert self.outside(matte, figure.mask) < 0.02

    def test_dots_that_touch_the_figure_are_those_that_stand_apart(self, figure):
        ground = np.full((*figure.mask.shape, 3), (250, 225, 230), np.uint8)
        rows, columns = np.nonzero(figure.mask > 127)
        middle, side = int(rows.mean()), int(columns.max() - 12)
        for number, (x, y) in enumerate(((side, middle), (40, 60), (60, 380), (400, 40), (columns.min() + 10, middle))):
            cv2.circle(ground, (int(x), int(y)), 34, ((255, 200, 120), (180, 220, 255))[number % 2], -1)
        matte = self.cut(self.stand_on(figure, ground))
        assert self.outside(matte, figure.mask) < 0.02
        assert ((matte > 127) & (figure.mask > 127)).sum() > 0.97 * (figure.mask > 127).sum()


class TestEncodeIdentity:
    def test_the_person_is_found_and_cut_out(self, photograph, identity):
        rows = np.flatnonzero((photograph.mask > 127).any(1))
        shown = np.flatnonzero((identity.matte > 127).any(1))
        assert abs(len(shown) - len(rows)) <= 4
        assert identity.side % 16 == 0
        assert (identity.picture[identity.matte == 0] == 255).all()

    def test_the_fitted_body_lies_on_the_crop(self, photograph, identity):
        posed = free_body().pose(identity.motion.person)
        pixels = identity.motion.camera.project(posed.vertices)[0].round().long().clamp(0, identity.side - 1)
        assert (identity.matte[pixels[:, 1], pixels[:, 0]] > 127).mean() > 0.8

    def test_the_fitted_body_is_as_tall_as_the_one_under_the_hair(self):
        shown = make_character_picture(502, size=512)
        heights = []
        for motion in (encode_identity(shown.image).motion, shown.motion):
            rows = motion.camera.project(free_body().pose(motion.person).vertices)[0, :, 1]
            heights.append(float(rows.max() - rows.min()))
        assert heights[0] == pytest.approx(heights[1], rel=0.02)

    def test_joints_that_leave_the_figure_are_looked_for_without_the_background(self, photograph):
        seen = estimate_picture(photograph.image)
        assert joints_from_landmarks(seen.landmarks.pixels[0].numpy()).measure_inside(photograph.mask) > 0.95
        moved = seen.landmarks.pixels.clone()
        moved[:, list(encode.HIPS)] += moved.new_tensor([60.0, 0.0])
        lost = replace(seen, landmarks=replace(seen.landmarks, pixels=moved))
        assert joints_from_landmarks(moved[0].numpy()).measure_inside(photograph.mask) < 0.9

        def settle(first, second):
            person = encode.Character(photograph.mask, first)
            return encode.settle_person(person, lambda: second).seen

        assert settle(lost, seen) is seen
        assert settle(seen, lost) is seen
        elsewhere = replace(seen, landmarks=replace(seen.landmarks, pixels=seen.landmarks.pixels - 60))
        assert settle(lost, elsewhere) is lost

    def test_what_is_a_part_of_an_object_is_nobody(self):
        toy, lens, beside = np.zeros((3, 100, 100), np.uint8)
        toy[20:80, 20:80], lens[40:60, 40:60], beside[:15, :15] = 255, 255, 255
        assert encode.is_part(lens, toy)
        assert not encode.is_part(toy, toy) and not encode.is_part(beside, toy)

    def test_a_given_mask_wins(self, photograph):
        half = photograph.mask.copy()
        half[:, 160:] = 0
        assert abs(int((encode_identity(photograph.image, mask=half).matte > 127).sum()) - int((half > 127).sum())) < 10

    def test_an_alpha_channel_wins_over_the_network(self, photograph):
        alpha = photograph.mask.copy()
        alpha[:100] = 0
        matte = encode_identity(np.dstack([photograph.image, alpha])).matte
        assert abs(int((matte > 127).sum()) - int((alpha > 127).sum())) < 10

    def test_an_alpha_channel_of_single_clear_pixels_does_not_make_a_cape_of_the_background(self, photograph):
        alpha = np.full_like(photograph.mask, 255)
        alpha[0, :20] = 0
        matte = encode_identity(np.dstack([photograph.image, alpha])).matte
        assert (matte > 127).mean() < 0.6

    def test_an_object_becomes_a_card_and_says_so(self):
        identity = encode_identity(vase())
        assert identity.motion is None
        assert "flat" in identity.notes[0]
        assert 70 < (identity.matte > 127).any(1).sum() < 90

    def test_noise_is_used_whole_and_says_so(self):
        identity = encode_identity(np.random.default_rng(0).random((64, 64)).astype(np.float32))
        assert (identity.matte == 255).all() and "mask" in identity.notes[-1]

    def test_a_picture_of_one_color_is_not_said_to_have_a_busy_background(self):
        identity = encode_identity(np.full((64, 48, 3), 255, np.uint8))
        assert (identity.matte[:, 32] == 255).any() and "not plain" not in " ".join(identity.notes)
        assert "Nothing stands out" in identity.notes[-1]

    def test_a_head_and_shoulders_say_what_is_assumed(self, photograph):
        top = int(np.flatnonzero(photograph.mask.any(1))[0])
        identity = encode_identity(make_character_picture(3, size=900).image[top:380, 250:650])
        assert identity.motion is not None
        assert "legs" in identity.notes[0]

    def test_a_mask_of_the_background_is_inverted_and_said(self, photograph):
        """Load Image's mask selects what is transparent."""
        right = encode_identity(photograph.image, mask=photograph.mask)
        wrong = encode_identity(photograph.image, mask=255 - photograph.mask)
        assert (right.matte == wrong.matte).all()
        assert any("inverted" in note for note in wrong.notes) and not any("inverted" in note for note in right.notes)

    def test_a_mask_of_nearly_everything_stays(self, photograph):
        mask = np.full(photograph.mask.shape, 255, np.uint8)
        mask[140:150, 150:160] = 0
        identity = encode_identity(photograph.image, mask=mask)
        assert not any("inverted" in note for note in identity.notes) and identity.matte.mean() > 200

    def test_a_mask_around_an_object_is_inverted_too(self):
        shape = (vase() < 230).any(-1)
        identity = encode_identity(vase(), mask=np.where(shape, 0, 255).astype(np.uint8))
        assert (identity.matte > 127).sum() == shape.sum()

    def test_who_stops_it_is_heard_between_any_two_steps(self, photograph):
        """Between the looks of the network before a busy wall, too, of which each takes a while."""
        picture, asked = photograph.image.copy(), []
        noise = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)
        picture[photograph.mask == 0] = noise[photograph.mask == 0]
        encode_identity(picture, progress=lambda *given: asked.append(given))
        assert len(asked) > 45 and set(asked[:-1]) == {(0, 1)} and asked[-1] == (1, 1)

        class Stop(Exception):
            pass

        def stop(done, total, preview=None):
            raise Stop

        with pytest.raises(Stop):
            encode_identity(picture, progress=stop)

    def test_an_empty_mask_is_refused(self, photograph):
        with pytest.raises(InputError, match="empty"):
            encode_identity(photograph.image, mask=np.zeros((10, 10), np.uint8))

    def test_huge_pictures_are_worked_at_a_moderate_size(self):
        assert encode_identity(np.kron(vase(), np.ones((30, 30, 1), np.uint8))).side <= 2048


class TestPreview:
    def test_it_shows_the_cut_out_on_gray_and_beside_it_the_bones_of_the_body(self, identity):
        shown = draw_identity(identity)
        cut_out, lines = np.split(shown, 2, axis=1)
        assert abs(len(shown) - np.ptp(np.flatnonzero((identity.matte > 127).any(1)))) < 0.1 * identity.side
        assert cut_out[0, 0].max() < 150  # white clothes show
        for color, half in ((LEFT, np.s_[:, lines.shape[1] // 2 :]), (RIGHT, np.s_[:, : lines.shape[1] // 2])):
            assert (lines[half] == color).all(2).any() and not (cut_out == color).all(2).any()

    def test_the_bones_of_a_card_are_shown_and_what_cannot_bend_is_shown_once(self, identity):
        posed = free_body().pose(identity.motion.person)
        places = identity.motion.camera.project(posed.joints)[0].numpy()
        joints = PictureJoints(np.stack([places[JOINT[name]] for name in PICTURE_JOINTS]))
        card = draw_identity(replace(identity, motion=None, joints=joints))
        stiff = draw_identity(replace(identity, motion=None))
        assert (card == LEFT).all(2).any() and not (stiff == LEFT).all(2).any()
        assert card.shape[1] == 2 * stiff.shape[1]
