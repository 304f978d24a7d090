"""Of several figures on one picture the one that faces the camera is taken."""

import numpy as np
import pytest

from mimo_core.identity.figures import choose_person, find_views, take_view
from mimo_core.pose.blazepose import ANKLES, HIPS, SHOULDERS, CropRegion, FramePose
from mimo_core.pose.tracks import PersonTrack
from mimo_lab.synthetic.shot import make_character_picture


@pytest.fixture(scope="module")
def photograph():
    return make_character_picture(3, size=320)


def stand(*boxes) -> np.ndarray:
    """What stands out on a sheet of 200 x 300 pixels: boxes of left, top, right, bottom."""
    sheet = np.zeros((200, 300), bool)
    for left, top, right, bottom in boxes:
        sheet[top:bottom, left:right] = True
    return sheet


class TestViews:
    def test_figures_side_by_side_are_views_from_left_to_right(self):
        views = find_views(stand((210, 20, 270, 180), (20, 25, 80, 180), (120, 20, 160, 175)))
        assert [int(np.flatnonzero(view.any(0))[0]) for view in views] == [20, 120, 210]

    def test_pale_legs_that_stand_apart_below_a_skirt_are_their_view_s(self):
        upper = [(20, 20, 90, 120), (160, 20, 230, 120)]
        legs = [(30, 130, 45, 180), (60, 130, 75, 180), (170, 130, 185, 180), (200, 130, 215, 180)]
        assert [int(view.sum()) for view in find_views(stand(*upper, *legs))] == [70 * 100 + 2 * 15 * 50] * 2

    @pytest.mark.parametrize(
        "boxes",
        [
            [],
            [(100, 20, 160, 180)],
            [(100, 20, 160, 180), (200, 20, 206, 180)],  # somebody with a staff
            [(100, 20, 160, 90), (90, 110, 120, 180), (140, 110, 170, 180)],  # shirt and legs of somebody in white
            [(50, 20, 250, 60), (60, 70, 120, 180), (180, 70, 240, 180)],
        ],
    )
    def test_one_figure_in_pieces_is_no_sheet(self, boxes):
        assert len(find_views(stand(*boxes))) < 2


class TestSheet:
    @pytest.fixture(scope="class")
    @staticmethod
    def sheet(photograph):
        """A tall vase beside somebody on white, with the mask of both."""
        mask = np.zeros((320, 520), np.uint8)
        mask[:, 200:] = photograph.mask
        rows = np.flatnonzero(photograph.mask.any(1))
        mask[rows[0] : rows[-1], 40:140] = 255
        picture = np.full((320, 520, 3), (40, 90, 160), np.uint8)
        picture[:, 200:] = photograph.image
        picture[mask < 128] = 255
        return picture, mask

    def test_who_faces_the_camera_is_cut_out_of_a_sheet_with_a_plain_ground(self, sheet):
        picture, mask = sheet
        taken, alpha, note = take_view(picture, None)
        assert alpha is None and "shows 2 figures" in note and "number 2 from the left" in note
        assert abs(int((taken < 250).any(2).sum()) - int((picture[:, 200:] < 250).any(2).sum())) < 200
        assert not ((taken == (40, 90, 160)).all(2)).any()

    def test_a_transparent_sheet_keeps_the_alpha_of_the_one_taken(self, sheet):
        picture, mask = sheet
        taken, alpha, note = take_view(picture, mask)
        assert "number 2" in note and taken.shape[:2] == alpha.shape
        assert abs(int((alpha > 127).sum()) - int((mask[:, 200:] > 127).sum())) < 50

    def test_a_picture_of_one_figure_stays_as_it_is(self, photograph):
        assert take_view(photograph.image, None) == (photograph.image, None, None)


class TestPeople:
    @staticmethod
    def somebody(*, left=0.0, height=100.0, is_back=False) -> PersonTrack:
        points = np.tile(np.float32([left + 20, height / 2]), (33, 1))
        points[0], points[list(ANKLES)] = (left + 20, 0), (left + 20, height)
        points[list(HIPS)] = (left + 28, 0.6 * height), (left + 12, 0.6 * height)
        points[list(SHOULDERS)] = (left + 40, 0.2 * height), (left, 0.2 * height)
        if is_back:
            points[list(SHOULDERS)] = points[list(SHOULDERS[::-1])]
        region = CropRegion((left + 20, height / 2), height)
        pose = FramePose(1.0, points, np.zeros((33, 3)), np.ones(33), None, region, region)
        return PersonTrack({0: pose}, np.zeros((2, 1)))

    def test_somebody_alone_needs_no_note(self):
        front, far = self.somebody(), self.somebody(left=80, height=40)
        assert choose_person([]) == choose_person([front]) == choose_person([front, far]) == (0, None)

    def test_the_largest_is_taken_unless_another_one_faces_the_camera(self):
        smaller = self.somebody(left=-100, height=90)
        chosen, note = choose_person([self.somebody(), smaller])
        assert chosen == 0 and "2 figures" in note and "number 2" in note
        chosen, note = choose_person([self.somebody(is_back=True), smaller])
        assert chosen == 1 and "number 1" in note
