"""A picture baked onto its fitted body, against bodies whose colours are known everywhere."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
import torch

from mimo_core.body.head import grow_head
from mimo_core.body.height import measure_height
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.raster import interpolate, rasterize
from mimo_core.body.skeleton import JOINT
from mimo_core.denoise.concat_sources import draw_proxy_in_scene
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.identity.identity import Identity
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.motion import Motion
from mimo_core.motion.retarget import retarget_motion
from mimo_core.proxy.billboard import place_billboard
from mimo_core.proxy.cloth_layer import find_fingers
from mimo_core.proxy.coarse import measure_distances
from mimo_core.proxy.hair import comb_hair, find_hair, find_hair_end
from mimo_core.proxy.hands import clean_hands
from mimo_core.proxy.hidden import fill_hidden
from mimo_core.proxy.outline import FittedPicture, move_onto_contour
from mimo_core.proxy.prints import PlainFront, find_stray_skin
from mimo_core.proxy.proxy import Proxy
from mimo_core.proxy.scalp import find_locks
from mimo_core.proxy.scalp import grow_head as grow_scalp
from mimo_core.proxy.surface import BodySurface, load_surface
from mimo_core.proxy.sway import trace_back
from mimo_core.proxy.texture import BakedTexture, unmix_colors
from mimo_core.scene.scene import Scene


SIDE = 256
BODY = free_body()
CAMERA = Camera(2.4 * SIDE, (SIDE / 2, SIDE / 2), (SIDE, SIDE))


def person(*, turn=0.0, betas=None, depth=-4.9, **angles) -> Person:
    """One frame of a standing body; angles in degrees by joint name, arms lowered by 55 unless said otherwise."""
    pose = torch.zeros(1, 24, 3)
    angles = {"left_shoulder": (0, 0, -55), "right_shoulder": (0, 0, 55), **angles}
    for name, angle in angles.items():
        pose[0, JOINT[name]] = torch.deg2rad(torch.tensor(angle, dtype=torch.float32))
    pose[0, 0, 1] = np.deg2rad(turn)
    betas = torch.zeros(10) if betas is None else betas
    return Person(betas, pose[:, 0], pose[:, 1:].flatten(1), torch.tensor([[0.0, 0.28, depth]]))


def motion_of(someone: Person, camera=CAMERA) -> Motion:
    return Motion((someone,), 24.0, camera)


def surface_colors() -> torch.Tensor:
    """Striped trunk, plain legs of another colour, skin on arms and face, dark hair: (V, 3) 0..255."""
    place, parts = BODY.template, BODY.parts
    stripe = (torch.sin(place[:, 1:2] * 60) > 0).float()
    colors = stripe * torch.tensor([200.0, 60.0, 60.0]) + (1 - stripe) * torch.tensor([230.0, 220.0, 90.0])
    legs = torch.isin(parts, torch.tensor([JOINT[f"{s}_{n}"] for s in ("left", "right") for n in ("hip", "knee")]))
    feet = torch.isin(parts, torch.tensor([JOINT[f"{s}_{n}"] for s in ("left", "right") for n in ("ankle", "foot")]))
    colors[legs] = torch.tensor([40.0, 60.0, 150.0])
    colors[feet] = torch.tensor([60.0, 60.0, 60.0])
    arms = [JOINT[f"{s}_{n}"] for s in ("left", "right") for n in ("elbow", "wrist", "hand")]
    head = parts == JOINT["head"]
    colors[torch.isin(parts, torch.tensor(arms)) | head] = torch.tensor([220.0, 170.0, 140.0])
    ear, eye = (BODY.template[BODY.landmarks[name]] for name in ("left_ear", "left_eye"))
    hair = head & ((place[:, 2] < ear[2]) | (place[:, 1] > eye[1] + 0.06))
    colors[hair] = torch.tensor([50.0, 35.0, 25.0])
    return colors


COLORS = surface_colors()


def photograph(motion: Motion, colors=COLORS, samples=3, head=1.0) -> tuple[np.ndarray, np.ndarray]:
    """The painted body as a picture on white (H, W, 3) and its soft mask (H, W), uint8; `head` times its head."""
    camera = motion.camera.resize(motion.camera.size[0] * samples, motion.camera.size[1] * samples)
    vertices = grow_head(BODY, BODY.pose(motion.person).vertices[0], head)[None]
    seen = camera.view(vertices)
    raster = rasterize(seen, BODY.faces, focal=camera.focal, center=camera.center, size=camera.size)
    rgb = interpolate(raster, BODY.faces, colors)[0].numpy()
    mask = raster.mask[0].numpy().astype(np.float32)
    rgb, mask = (cv2.resize(image, motion.camera.size, interpolation=cv2.INTER_AREA) for image in (rgb, mask))
    return np.clip(rgb + 255 * (1 - mask[..., None]) + 0.5, 0, 255).astype(np.uint8), (mask * 255 + 0.5).astype(
        np.uint8
    )


def identity_of(someone: Person, **fields) -> Identity:
    motion = motion_of(someone)
    return Identity(*photograph(motion, **fields), motion)


def on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return rgb * share + 255 * (1 - share)


def psnr(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((a.astype(float) - b)[where] ** 2).mean()))


def overlap(a, b) -> float:
    a, b = a > 127, b > 127
    return (a & b).sum() / (a | b).sum()


@cache
def bake(identity: Identity, back_side: str = "mirror") -> Proxy:
    """The proxy of an identity, with the texture that suits small frames; each is baked once."""
    return Proxy.from_identity(identity, back_side, texture=512)


def rendered(proxy: Proxy, motion: Motion, **options) -> tuple[np.ndarray, np.ndarray]:
    return next(iter(proxy.render(motion, **options)))


@pytest.fixture(scope="module")
def proxy() -> Proxy:
    return bake(identity_of(person()))


WALK = {"turn": 25, "left_hip": (-30, 0, 0), "right_hip": (22, 0, 0), "right_knee": (30, 0, 0)}
POSES = {
    "walk": WALK,
    "arms up": {"left_shoulder": (0, 0, 60), "right_shoulder": (0, 0, -60)},
    "side": {"turn": 90},
    "back": {"turn": 180},
}


class TestColors:
    def test_a_matte_a_little_below_full_all_over_keeps_them(self):
        whole = identity_of(person())
        shown = whole.matte > 250
        soft = np.where(whole.matte > 0, 246, 0).astype(np.uint8)
        inside = cv2.erode(shown.astype(np.uint8), np.ones((9, 9))) > 0
        assert np.abs(unmix_colors(whole.picture, soft)[inside] - whole.picture[inside]).mean() < 10


class TestFront:
    def test_the_picture_comes_back_in_its_own_pose(self, proxy):
        motion = motion_of(person())
        picture, mask = photograph(motion)
        rgb, alpha = rendered(proxy, motion)
        assert overlap(alpha, mask) > 0.97
        assert psnr(rgb, picture, cv2.erode(mask, np.ones((3, 3))) == 255) > 24
        assert psnr(on_white(rgb, alpha), picture, cv2.dilate(mask, np.ones((9, 9))) > 0) > 21

    @pytest.mark.parametrize("name", POSES)
    def test_other_poses_look_like_the_painted_body(self, proxy, name):
        motion = motion_of(person(**POSES[name]))
        picture, mask = photograph(motion)
        rgb, alpha = rendered(proxy, motion)
        assert overlap(alpha, mask) > 0.93
        assert psnr(on_white(rgb, alpha), picture, cv2.dilate(mask, np.ones((9, 9))) > 0) > 16

    @pytest.mark.parametrize("name", POSES)
    def test_there_is_no_hole_in_the_silhouette(self, proxy, name):
        motion = motion_of(person(**POSES[name]))
        alpha = rendered(proxy, motion)[1]
        inside = cv2.erode((photograph(motion)[1] > 127).astype(np.uint8), np.ones((5, 5))) > 0
        assert (alpha[inside] == 255).mean() > 0.999


def _paint_shirt(width: float) -> torch.Tensor:
    """Colors (V, 3) of a blue shirt with something white in the middle of its front, `width` meters to each side."""
    place, shirt = BODY.template, COLORS.clone()
    trunk = torch.isin(BODY.parts, torch.tensor([JOINT[f"spine{number}"] for number in (1, 2, 3)]))
    shirt[trunk] = torch.tensor([60.0, 90.0, 190.0])
    shirt[trunk & (place[:, 0].abs() < width) & (place[:, 2] > 0)] = torch.tensor([240.0, 240.0, 240.0])
    return shirt


def _render_back(colors: torch.Tensor) -> tuple[np.ndarray, tuple[slice, slice]]:
    """The character in these colors from behind, and where the middle of the back is seen."""
    motion = motion_of(person(turn=180))
    rgb, alpha = rendered(bake(identity_of(person(), colors=colors)), motion)
    rows = np.flatnonzero((alpha == 255).any(1))
    return rgb, np.s_[rows[0] + len(rows) // 4 : rows[0] + len(rows) // 3, SIDE // 2 - 4 : SIDE // 2 + 4]


class TestHiddenSide:
    @pytest.fixture
    @staticmethod
    def head() -> tuple[BodySurface, np.ndarray, np.ndarray]:
        """The surface, which of its texels are seen from in front of the head, and the face's color for all (N, 3)."""
        surface = load_surface(512)
        seen = (surface.head > 0.5) & (surface.place[:, 2] > np.median(surface.place[surface.hair, 2]))
        return surface, seen, np.tile(np.float32([220, 170, 140]), (len(seen), 1))

    def test_the_back_of_the_head_is_hair_and_not_a_face(self, proxy):
        motion = motion_of(person(turn=180))
        rgb, _ = rendered(proxy, motion)
        joints = CAMERA.project(BODY.pose(motion.person).joints)[0]
        x, y = (joints[JOINT["head"]] + torch.tensor([0.0, -12.0])).round().int().tolist()
        assert np.abs(rgb[y - 4 : y + 4, x - 4 : x + 4].astype(float) - COLORS.amin(0).numpy()).mean() < 40

    def test_an_arm_in_front_of_the_trunk_does_not_stick_to_it(self):
        hides = {"left_shoulder": (0, -30, -70), "left_elbow": (0, -100, 0)}
        proxy = bake(identity_of(person(**hides)))
        motion = motion_of(person())
        rgb, alpha = rendered(proxy, motion)
        picture, mask = photograph(motion)
        joints = CAMERA.project(BODY.pose(motion.person).joints)[0]
        x, top, bottom = (int(v) for v in (joints[9, 0], joints[9, 1], joints[0, 1]))
        trunk = np.s_[top:bottom, x - 12 : x + 12]
        skin = np.abs(rgb[trunk].astype(float) - (220, 170, 140)).max(2) < 25
        assert skin.mean() < 0.03

    def test_a_thumb_beside_the_fitted_hand_does_not_stick_to_the_thigh(self):
        hanging = person(left_shoulder=(0, 0, -84), right_shoulder=(0, 0, 84))
        identity = identity_of(hanging)
        joints = CAMERA.project(BODY.pose(hanging).joints)[0]
        (x, y), inwards = joints[JOINT["left_hand"]].tolist(), joints[JOINT["left_hip"]] - joints[JOINT["left_hand"]]
        thumb = (round(x + 7 * float(torch.sign(inwards[0]))), round(y))
        cv2.circle(identity.picture, thumb, 3, (220, 170, 140), -1)
        rgb, alpha = rendered(bake(identity), motion_of(person()))
        thigh = np.s_[thumb[1] - 6 : thumb[1] + 6, thumb[0] - 8 : thumb[0] + 8]
        skin = (np.abs(rgb[thigh].astype(float) - (220, 170, 140)).max(2) < 60) & (alpha[thigh] > 0)
        assert identity.matte[thumb[::-1]] == 255 and (alpha[thigh] > 0).any()
        assert skin.sum() < 3

    def test_hands_held_behind_the_back_have_the_color_of_the_face(self):
        dressed = COLORS.clone()
        sleeves = [JOINT["left_elbow"], JOINT["right_elbow"]]
        dressed[torch.isin(BODY.parts, torch.tensor(sleeves))] = torch.tensor([40.0, 60.0, 150.0])
        away = {"left_shoulder": (0, 30, -70), "left_elbow": (0, 80, 0)}
        away |= {"right_shoulder": (0, -30, 70), "right_elbow": (0, -80, 0)}
        proxy = bake(identity_of(person(**away), colors=dressed))
        motion = motion_of(person())
        rgb, _ = rendered(proxy, motion)
        joints = CAMERA.project(BODY.pose(motion.person).joints)[0]
        for side in ("left", "right"):
            x, y = joints[JOINT[f"{side}_hand"]].round().int().tolist()
            assert np.abs(rgb[y - 1 : y + 2, x - 1 : x + 2].astype(float) - (220, 170, 140)).max() < 30

    def test_diffusing_paints_no_pattern_on_the_back(self):
        identity = identity_of(person())
        chest = np.s_[95:125, 118:138]
        contrast = []
        for back_side in ("mirror", "diffuse"):
            rgb, _ = rendered(bake(identity, back_side), motion_of(person(turn=180)))
            contrast.append(rgb[chest].astype(float).std(axis=0).mean())
        assert contrast[1] < 0.6 * contrast[0]

    @pytest.mark.parametrize("width", [0.03, 0.09])
    def test_a_tie_or_print_on_the_chest_is_not_on_the_back(self, width):
        rgb, chest = _render_back(_paint_shirt(width))
        assert np.abs(rgb[chest].astype(float) - (60, 90, 190)).max(-1).mean() < 30

    def test_bare_skin_in_an_open_jacket_is_not_on_the_back(self):
        colors, place = COLORS.clone(), BODY.template
        trunk = torch.isin(BODY.parts, torch.tensor([JOINT[f"spine{number}"] for number in (1, 2, 3)]))
        colors[trunk] = torch.tensor([60.0, 90.0, 190.0])
        armholes = (place[:, 0].abs() > 0.11) & (torch.sin(place[:, 1] * 90) > 0.6)
        colors[trunk & ((place[:, 0].abs() < 0.07) & (place[:, 2] > 0) | armholes)] = torch.tensor(
            [220.0, 170.0, 140.0]
        )
        rgb, middle = _render_back(colors)
        assert np.abs(rgb[middle].astype(float) - (60, 90, 190)).mean() < 35

    def test_a_trunk_of_which_the_front_is_hidden_has_no_prints(self):
        surface = load_surface(256)
        colors = np.full((len(surface.place), 3), 120, np.float32)
        front = PlainFront.of(surface, colors, np.flatnonzero(surface.arms), np.float32([220, 170, 140]))
        assert not front.is_print.any() and not len(front.cloth)

    @pytest.mark.parametrize("contrast", [0.0, 0.2])
    def test_hair_behind_has_strands_as_strong_as_those_in_front(self, head, contrast):
        surface, seen, colors = head
        hair = np.flatnonzero(surface.hair & seen)
        strands = 1 + contrast * np.sin(surface.place[hair, 0] * 2 * np.pi / 0.01)
        colors[hair] = np.float32([150, 110, 70]) * strands[:, None]
        behind = np.flatnonzero(surface.hair & (surface.place[:, 2] < np.quantile(surface.place[hair, 2], 0.05) - 0.03))
        combed = comb_hair(surface, colors, hair, behind)
        varied = combed.mean(1).std() / combed.mean()
        assert varied < 0.01 if contrast == 0 else 0.05 < varied < 0.25
        hue = combed / combed.mean(1, keepdims=True)
        assert hue.std(0).max() < 0.01

    def test_hair_on_the_chest_may_be_brighter_than_most_of_it(self):
        surface = load_surface(512)
        colors = np.tile(np.float32([240, 190, 170]), (len(surface.place), 1))
        seen = surface.place[:, 2] > surface.axis[:, 2]
        hair = np.flatnonzero(surface.hair & seen)
        colors[hair] = (70, 45, 25)
        colors[hair[::3]] = (150, 95, 50)
        chin = surface.place[surface.head > 0.5, 1].min()
        beside = (np.abs(surface.place[:, 0]) > 0.05) & (surface.place[:, 1] > chin - 0.12) & (surface.head < 0.5)
        colors[beside & seen] = (150, 95, 50)
        end = find_hair_end(surface, colors, seen, find_locks(surface, colors, seen, hair))
        assert end is not None and abs(chin - 0.12 - end) < 0.06

    def test_the_tone_of_bright_locks_goes_on_behind_them(self, head):
        """Only the darkest hair counted, so that a dark cap had an edge where front and back meet."""
        surface, seen, colors = head
        rows = surface.hair & seen
        colors[rows] = (80, 55, 35)
        bright = rows & (surface.place[:, 0] > 0.03)
        colors[bright] = (160, 110, 70)
        hair = np.flatnonzero(rows & ~bright)
        locks = find_locks(surface, colors, seen, hair)
        beside = np.flatnonzero(surface.hair & ~seen & (surface.place[:, 0] > 0.06))
        near = measure_distances(surface, np.flatnonzero(bright), beside) < 0.01
        painted = colors.copy()
        grow_scalp(surface, colors, seen, hair, locks, painted, is_long=False)
        assert near.sum() > 20 and np.median(painted[beside[near]].mean(1)) > 90

    def test_hair_is_combed_over_nothing_where_all_is_seen(self):
        surface = load_surface(256)
        colors = np.full((len(surface.place), 3), 120, np.float32)
        assert comb_hair(surface, colors, np.flatnonzero(surface.hair), np.zeros(0, int)).shape == (0, 3)

    def test_a_print_whose_color_is_a_little_at_the_sides_is_one(self):
        surface = load_surface(512)
        aside, is_front = np.abs(surface.place[:, 0]), surface.place[:, 2] > surface.axis[:, 2]
        colors = np.tile(np.float32([60, 90, 190]), (len(aside), 1))
        colors[(aside < 0.07) | (np.random.default_rng(0).random(len(aside)) < 0.03)] = 240
        front = PlainFront.of(surface, colors, np.flatnonzero(is_front))
        assert front.is_print[(aside < 0.06) & (surface.trunk > 0.9) & is_front].mean() > 0.5

    def test_stripes_around_the_trunk_are_on_the_back_too(self):
        rgb, chest = _render_back(COLORS)
        assert rgb[chest].astype(float).std(axis=0).mean() > 25

    def test_a_back_view_lands_on_the_back_and_only_there(self):
        back = COLORS.clone()
        back[:] = torch.tensor([20.0, 160.0, 60.0])
        behind = photograph(motion_of(person(turn=180)), back)
        proxy = bake(replace(identity_of(person()), back=behind))
        rgb, alpha = rendered(proxy, motion_of(person(turn=180)))
        inside = cv2.erode(alpha, np.ones((7, 7))) == 255
        assert (np.abs(rgb[inside].astype(float) - (20, 160, 60)).max(1) < 12).mean() > 0.95
        front, mask = photograph(motion_of(person()))
        rgb, _ = rendered(proxy, motion_of(person()))
        assert psnr(rgb, front, cv2.erode(mask, np.ones((5, 5))) == 255) > 22

    def test_an_unknown_back_side_is_refused(self):
        with pytest.raises(InputError, match="mirror, diffuse"):
            Proxy.from_identity(identity_of(person()), "sideways")

    def test_a_half_body_goes_on_in_the_colours_that_are_seen(self):
        whole = identity_of(person())
        cut = int(CAMERA.project(BODY.pose(person()).joints)[0, 4, 1])
        lens = replace(CAMERA, size=(SIDE, SIDE), center=(SIDE / 2, SIDE / 2 + SIDE - cut))
        picture, matte = (np.full_like(image, fill) for image, fill in ((whole.picture, 255), (whole.matte, 0)))
        picture[SIDE - cut :], matte[SIDE - cut :] = whole.picture[:cut], whole.matte[:cut]
        rgb, alpha = rendered(bake(Identity(picture, matte, motion_of(person(), lens))), motion_of(person()))
        shin = CAMERA.project(BODY.pose(person()).joints)[0, [4, 7]].mean(0).round().int().tolist()
        assert alpha[shin[1], shin[0]] == 255
        assert np.abs(rgb[shin[1], shin[0]].astype(float) - (40, 60, 150)).max() < 40

    @pytest.mark.parametrize(("shirt", "hangs"), [((200, 60, 60), True), ((50, 35, 25), False)])
    def test_hair_on_the_shoulders_hangs_down_the_back_unless_the_shirt_has_its_color(self, shirt, hangs):
        dressed, place = COLORS.clone(), BODY.template
        trunk = torch.isin(
            BODY.parts, torch.tensor([JOINT[f"spine{number}"] for number in (1, 2, 3)] + [JOINT["neck"]])
        )
        trunk |= torch.isin(BODY.parts, torch.tensor([JOINT["left_collar"], JOINT["right_collar"]]))
        dressed[trunk] = torch.tensor(shirt, dtype=torch.float32)
        neck = BODY.joint_regressor[JOINT["neck"]] @ place
        dressed[torch.isin(BODY.parts, torch.tensor([JOINT["neck"]]))] = torch.tensor([220.0, 170.0, 140.0])
        on_shoulders = trunk & (place[:, 1] > neck[1] - 0.14) & (place[:, 0].abs() > 0.04)
        dressed[on_shoulders] = torch.tensor([50.0, 35.0, 25.0])
        whole = identity_of(person(), colors=dressed)
        picture, matte = whole.picture.copy(), whole.matte.copy()
        x, y = CAMERA.project(BODY.pose(person()).joints)[0, JOINT["neck"]].round().int().tolist()
        beside_neck = np.zeros_like(matte)
        cv2.rectangle(beside_neck, (x - 10, y - 16), (x + 10, y + 4), 255, -1)
        picture[(matte == 0) & (beside_neck > 0)] = (50, 35, 25)
        behind = motion_of(person(turn=180))
        rgb, _ = rendered(bake(Identity(picture, matte | beside_neck, whole.motion)), behind)
        x, y = CAMERA.project(BODY.pose(behind.person).joints)[0, JOINT["neck"]].round().int().tolist()
        is_hair = np.abs(rgb[y - 3 : y + 2, x - 3 : x + 4].astype(float) - (50, 35, 25)).max() < 40
        assert is_hair == hangs

    def test_the_ear_is_skin_between_short_hair_and_cheek(self, head):
        """Hair ended in a straight line through the ear, from the chin to the crown."""
        surface, seen, colors = head
        colors[surface.scalp > 0.5] = (50, 35, 25)
        filled = fill_hidden(
            surface, BakedTexture(colors, seen.astype(np.float32), surface.place[:, :2]), back_side="mirror"
        )
        ear = BODY.template[BODY.landmarks["left_ear"]].numpy()
        away = np.linalg.norm(surface.place - ear, axis=1)
        behind = np.linalg.norm(surface.place - ear - [0, 0.02, -0.045], axis=1)
        assert np.abs(filled[away < 0.012] - (220, 170, 140)).mean() < 20
        assert np.abs(filled[(behind < 0.02) & (surface.head > 0.9)] - (50, 35, 25)).mean() < 20

    def test_hair_in_the_shade_that_hangs_over_one_ear_covers_it(self, head):
        """It was neither hair, for it is too dark, nor skin: a patch of skin was drawn amid it."""
        surface, seen, colors = head
        colors[surface.scalp > 0.5] = (110, 75, 50)
        ear = BODY.template[BODY.landmarks["left_ear"]].numpy()
        seen = seen & (surface.place[:, 2] > ear[2] + 0.01)
        beside = (surface.place[:, 2] < ear[2] + 0.04) & (surface.place[:, 0] > 0)
        colors[beside & (surface.head > 0.5)] = (44, 30, 20)
        colors[surface.hair] = (110, 75, 50)
        filled = fill_hidden(
            surface, BakedTexture(colors, seen.astype(np.float32), surface.place[:, :2]), back_side="mirror"
        )
        left, right = (np.linalg.norm(surface.place - ear * [side, 1, 1], axis=1) < 0.012 for side in (1, -1))
        assert filled[left].mean(0)[0] < 125 < 200 < filled[right].mean(0)[0]

    def test_a_yellow_hat_in_the_shade_is_no_dark_skin(self, head):
        surface, seen, colors = head
        colors[:] = (96, 67, 51)
        colors[surface.hair] = (130, 120, 43)
        ear = BODY.template[BODY.landmarks["left_ear"]].numpy()
        seen = seen & (surface.place[:, 2] > ear[2] + 0.01)
        brim = (np.linalg.norm(surface.place * [0, 1, 1] - ear * [0, 1, 1], axis=1) < 0.04) & ~surface.face
        colors[brim & seen] = (46, 42, 15)
        filled = fill_hidden(
            surface, BakedTexture(colors, seen.astype(np.float32), surface.place[:, :2]), back_side="mirror"
        )
        at_ear = (np.linalg.norm(surface.place - ear, axis=1) < 0.012) & ~seen
        assert at_ear.any() and (np.abs(filled[at_ear] - (46, 42, 15)).mean(1) > 12).mean() > 0.9

    def test_hair_behind_has_no_steps_along_its_strands(self, head):
        """Each hidden texel took the mean of its nearest dozen, which made a mosaic of the back of the head."""
        surface, seen, colors = head
        rng = np.random.default_rng(0)
        cells = (surface.place[:, :2] * 150).astype(int) % 40
        blobs = rng.integers(0, 2, (40, 40))[cells[:, 0], cells[:, 1]]
        hair = np.flatnonzero(surface.hair & seen)
        colors[hair] = np.where(blobs[hair, None] > 0, 60.0, 100.0)
        behind = np.flatnonzero(surface.hair & (surface.place[:, 2] < -0.01))
        combed = np.full(len(colors), np.nan)
        combed[behind] = comb_hair(surface, colors, hair, behind)[:, 0]
        near = np.linalg.norm(surface.place[behind[::7], None] - surface.place[None, behind[::5]], axis=2) < 0.003
        turn = np.arctan2(surface.place[:, 0], surface.place[surface.hair, 2].mean() - surface.place[:, 2])
        near &= np.abs(turn[behind[::7], None] - turn[None, behind[::5]]) < 0.004
        steps = np.abs(combed[behind[::7], None] - combed[None, behind[::5]])[near]
        assert len(steps) > 100 and np.quantile(steps, 0.99) < 9

    def test_a_flower_is_no_hair_of_another_shade(self, head):
        surface, seen, colors = head
        shade = np.random.default_rng(0).uniform(0.85, 1.1, (len(colors), 1))
        colors[surface.hair] = (np.float32([200, 190, 140]) * shade)[surface.hair]
        flower = surface.hair & seen & (surface.place[:, 0] > 0.045)
        colors[flower] = (180, 188, 195)
        assert not np.intersect1d(find_hair(surface, colors, seen), np.flatnonzero(flower)).size

    def test_hair_in_front_of_a_shoulder_is_on_neither_its_back_nor_the_arm(self):
        """What lies on the chest was copied to the back, and colored the arm wherever it went."""
        surface = load_surface(512)
        place, seen = surface.place, (surface.place[:, 2] > surface.axis[:, 2]).astype(np.float32)
        colors = np.tile(np.float32([60, 90, 190]), (len(place), 1))
        colors[surface.head > 0.5] = (220, 170, 140)
        chin = place[surface.head > 0.5, 1].min()
        lock = (place[:, 0] > 0.05) & (place[:, 0] < 0.19) & (place[:, 1] > chin - 0.22) & (surface.head < 0.5)
        colors[surface.hair | lock | ((surface.head > 0.5) & (np.abs(place[:, 0]) > 0.06))] = (50, 35, 25)
        filled = fill_hidden(surface, BakedTexture(colors, seen, place[:, :2]), back_side="mirror")
        back = (surface.trunk > 0.9) & (place[:, 2] < surface.axis[:, 2] - 0.02) & (place[:, 0] > 0.13)
        dark = np.abs(filled - (50, 35, 25)).mean(1) < 30
        assert dark[back & (place[:, 1] < chin)].mean() < 0.05
        ear = np.linalg.norm(place - BODY.template[BODY.landmarks["left_ear"]].numpy(), axis=1) < 0.026
        assert dark[ear & (seen == 0)].mean() > 0.8  # such hair covers the ears
        assert dark[surface.arms & lock].mean() < 0.1 < dark[lock & ~surface.arms & (seen > 0)].mean()

    def test_skin_and_necklace_in_an_open_vest_are_on_the_front_only_where_arms_hide_its_sides(self):
        surface = load_surface(512)
        place, aside = surface.place, np.abs(surface.place[:, 0])
        is_front = (surface.trunk > 0.5) & (place[:, 2] > surface.axis[:, 2])
        middle = np.median(place[is_front, 1])
        colors = np.tile(np.float32([190, 40, 50]), (len(place), 1))
        colors[aside < 0.06] = (220, 170, 140)
        colors[(aside < 0.05) & (np.abs(place[:, 1] - middle - 0.05) < 0.01)] = (210, 170, 60)
        hidden = (np.abs(place[:, 1] - middle) < 0.04) & (aside > 0.06)
        front = PlainFront.of(surface, colors, np.flatnonzero(is_front & ~hidden), np.float32([220, 170, 140]))
        assert front.is_print[is_front & (aside < 0.04) & (np.abs(place[:, 1] - middle) < 0.07)].mean() > 0.95

    def test_what_is_printed_is_woven_from_both_sides(self):
        """A jacket of which one half is in the shade had a seam down the middle of its back."""
        surface = load_surface(512)
        place, is_front = surface.place, surface.place[:, 2] > surface.axis[:, 2]
        colors = np.where(place[:, :1] < 0, np.float32([120, 20, 20]), np.float32([240, 60, 50]))
        colors[np.abs(place[:, 0]) < 0.07] = (240, 240, 240)
        source = np.flatnonzero(is_front & (surface.trunk > 0.5))
        front = PlainFront.of(surface, colors, source)
        mid = np.abs(place[:, 1] - np.median(place[source, 1])) < 0.05
        back = np.flatnonzero(~is_front & (surface.trunk > 0.9) & mid & (np.abs(place[:, 0]) < 0.05))
        printed = np.flatnonzero(front.is_print & is_front)
        chosen = printed[np.linalg.norm(place[printed, None, :2] - place[None, back, :2], axis=2).argmin(0)]
        red, across = front.copy_onto(back, chosen)[:, 0], place[back, 0]
        left, right = (np.median(red[(across > low) & (across < low + 0.01)]) for low in (-0.01, 0.0))
        assert abs(left - right) < 20 and red[across < -0.04].mean() < 160 < 200 < red[across > 0.04].mean()

    def test_a_string_at_the_rim_of_the_trunk_is_not_drawn_out_over_its_side(self):
        surface = load_surface(512)
        place = surface.place
        seen = (surface.sideways < 0.75) & (place[:, 2] > surface.axis[:, 2])
        colors = np.tile(np.float32([200, 40, 40]), (len(place), 1))
        height = np.abs(place[:, 1] - np.median(place[surface.trunk > 0.5, 1])) < 0.06
        rim = np.quantile(np.abs(place[seen & (surface.trunk > 0.9) & height, 0]), 0.97)
        colors[(np.abs(place[:, 0]) > rim) & height & (surface.trunk > 0.5)] = 255
        filled = fill_hidden(surface, BakedTexture(colors, seen.astype(np.float32), place[:, :2]), back_side="mirror")
        side = (surface.trunk > 0.9) & (surface.sideways > 0.95) & height & ~seen
        assert (filled[side, 1] > 150).mean() < 0.1

    @pytest.mark.parametrize("is_dressed", [True, False])
    def test_skin_at_one_side_of_a_dressed_trunk_is_an_arm_s(self, is_dressed):
        surface = load_surface(256)
        place, seen = surface.place, np.ones(len(surface.place), np.float32)
        colors = np.tile(np.float32([220, 170, 140]), (len(place), 1))
        if is_dressed:
            colors[surface.trunk > 0.5] = (80, 140, 90)
        beside = (surface.trunk > 0.9) & (place[:, 0] > 0.12) & (surface.sideways > 0.5)
        colors[beside] = (220, 170, 140)
        stray = find_stray_skin(surface, BakedTexture(colors, seen, place[:, :2], beside), seen > 0)
        assert stray[beside].all() == is_dressed and not stray[~beside].any()

    def test_a_bare_shoulder_beside_one_that_is_covered_stays_bare(self):
        surface = load_surface(256)
        place, seen = surface.place, np.ones(len(surface.place), np.float32)
        colors = np.tile(np.float32([220, 170, 140]), (len(place), 1))
        top = np.quantile(place[surface.trunk > 0.9, 1], 0.8)
        bare = (surface.trunk > 0.5) & (place[:, 1] > top) & (place[:, 0] > 0)
        colors[(surface.trunk > 0.5) & ~bare] = (80, 140, 90)
        beside = (surface.trunk > 0.9) & (place[:, 1] < top) & (surface.sideways > 0.5)
        stray = find_stray_skin(surface, BakedTexture(colors, seen, place[:, :2], beside), seen > 0)
        assert not stray[bare].any()

    def test_soles_have_one_color_and_no_laces(self):
        surface = load_surface(512)
        place = surface.place
        colors = np.tile(np.float32([60, 60, 60]), (len(place), 1))
        low, high = (place[surface.feet, 1].min(), place[surface.feet, 1].max())
        upper = surface.feet & (place[:, 1] > low + 0.5 * (high - low))
        colors[upper] = np.where(np.sin(place[upper, 2:] * 300) > 0, 250.0, 90.0)
        colors[surface.feet & ~upper] = (230, 230, 235)
        seen = (surface.sole == 0) & (place[:, 2] > surface.axis[:, 2])
        filled = fill_hidden(surface, BakedTexture(colors, seen.astype(np.float32), place[:, :2]), back_side="mirror")
        assert np.abs(filled[surface.sole == 1] - (230, 230, 235)).max() < 8

    def test_fingers_beside_the_fitted_hand_do_not_float(self):
        hands, missing = np.zeros((64, 64), bool), np.zeros((64, 64), bool)
        hands[20:32, 20:28], missing[22:30, 30:33], missing[10:60, 50:56] = True, True, True
        colors = np.full((64, 64, 3), 90.0)
        colors[hands | missing] = (220, 170, 140)
        found = find_fingers(missing, hands, colors)
        assert found[22:30, 30:33].all() and not found[:, 50:].any()
        colors[missing] = (60, 60, 200)  # what the hand holds
        assert not find_fingers(missing, hands, colors).any()

    def test_fair_hair_like_the_face_is_not_its_dark_strands(self, head):
        surface, seen, colors = head
        colors[surface.hair] = (230, 190, 150)
        colors[surface.hair & (np.abs(surface.place[:, 0]) > 0.05)] = (95, 100, 105)
        assert np.median(colors[find_hair(surface, colors, seen)], 0).tolist() == [230, 190, 150]

    def test_a_glow_around_the_head_is_not_its_hair(self, head):
        surface, seen, colors = head
        colors[surface.hair] = (240, 180, 110)
        crown = surface.place[surface.hair, 1].max()
        glows = (surface.place[:, 1] > crown - 0.02) | (np.abs(surface.place[:, 0]) > 0.06)
        colors[surface.hair & glows] = (255, 248, 225)
        assert np.median(colors[find_hair(surface, colors, seen)], 0).tolist() == [240, 180, 110]

    @pytest.mark.parametrize("falls", [False, True])
    def test_hair_that_falls_beside_the_neck_covers_the_nape(self, falls):
        picture, matte = photograph(motion_of(person()))
        joints = CAMERA.project(BODY.pose(person()).joints)[0]
        x, y = (int(value) for value in joints[JOINT["neck"]])
        for side in (-1, 1):
            lock = np.s_[y - 12 : y, min(x + side * 9, x + side * 16) : max(x + side * 9, x + side * 16)]
            if falls:
                picture[lock], matte[lock] = (50, 35, 25), 255
        behind = motion_of(person(turn=180))
        rgb, _ = rendered(bake(Identity(picture, matte, motion_of(person()))), behind)
        x, y = (int(value) for value in CAMERA.project(BODY.pose(behind.person).joints)[0, JOINT["head"]])
        is_hair = np.abs(rgb[y + 1 : y + 5, x - 2 : x + 3].astype(float) - (50, 35, 25)).mean() < 40
        assert is_hair == falls

    def test_a_hand_beside_the_head_takes_no_cheek(self):
        painted, place = COLORS.clone(), BODY.template
        ear = place[BODY.landmarks["left_ear"]]
        cheek = (BODY.parts == JOINT["head"]) & (place[:, 0] > 0.6 * ear[0]) & ((place[:, 1] - ear[1]).abs() < 0.05)
        painted[cheek] = torch.tensor([20.0, 40.0, 230.0])
        raised = {"left_shoulder": (0, 0, 0), "left_elbow": (0, 0, 160)}
        counts = []
        for angles in ({}, raised):
            proxy = bake(identity_of(person(**angles), colors=painted))
            rgb, alpha = rendered(proxy, motion_of(person(turn=-25)))
            counts.append(((rgb[..., 2] > 180) & (rgb[..., 0] < 80) & (alpha > 200)).sum())
        assert counts[0] > 20 and counts[1] > 0.7 * counts[0]

    def test_hands_fitted_onto_the_trousers_are_no_gloves(self):
        spread = person(left_shoulder=(0, 0, -76), right_shoulder=(0, 0, 76))
        picture, matte = photograph(motion_of(spread))
        joints = CAMERA.project(BODY.pose(spread).joints)[0]
        for side in ("left", "right"):  # what the fit takes for a hand shows the trousers
            x, y = joints[JOINT[f"{side}_hand"]].round().int().tolist()
            picture[y - 13 : y + 13, x - 9 : x + 9][matte[y - 13 : y + 13, x - 9 : x + 9] > 0] = (40, 60, 150)
        rgb, _ = rendered(bake(Identity(picture, matte, motion_of(spread))), motion_of(person()))
        joints = CAMERA.project(BODY.pose(person()).joints)[0]
        for side in ("left", "right"):
            x, y = joints[JOINT[f"{side}_hand"]].round().int().tolist()
            assert np.abs(rgb[y - 1 : y + 2, x - 1 : x + 2].astype(float) - (220, 170, 140)).max() < 45

    def test_stains_on_fingers_are_hardly_trusted(self):
        surface = load_surface(256)
        colors = np.tile(np.float32([220, 170, 140]), (len(surface.place), 1))
        fingers = surface.hands[0] & (
            np.abs(surface.place[:, 0]) > np.median(np.abs(surface.place[surface.hands[0], 0]))
        )
        colors[fingers] = (195, 170, 122)
        baked = BakedTexture(colors, np.ones(len(colors), np.float32), surface.place[:, :2])
        seen = clean_hands(surface, baked).seen
        assert seen[fingers].max() < 0.3 and seen[surface.hands[0] & ~fingers].min() == 1


class TestLargeHead:
    """A cartoon's head, twice that of the body fitted to it."""

    @pytest.fixture(scope="class")
    @staticmethod
    def cartoon() -> Identity:
        motion = motion_of(person(depth=-5.6))
        return Identity(*photograph(motion, head=2.0), motion)

    def test_it_is_measured(self, cartoon):
        assert cartoon.head_growth == pytest.approx(2.0, rel=0.12)

    @pytest.mark.parametrize("angles", [{}, {"left_shoulder": (0, 0, 80), "right_shoulder": (0, 0, -80)}])
    def test_a_head_like_the_body_s_is_none_with_arms_down_or_up(self, angles):
        assert identity_of(person(**angles)).head_growth == 1.0

    def test_a_tall_hat_is_no_large_head(self):
        picture, matte = photograph(motion_of(person()))
        top = int(np.flatnonzero(matte.any(1))[0])
        matte[top - 16 : top + 4, SIDE // 2 - 8 : SIDE // 2 + 8] = 255
        assert Identity(picture, matte, motion_of(person())).head_growth == 1.0

    def test_its_back_is_hair_and_not_the_face_again(self, cartoon):
        motion = motion_of(person(turn=180, depth=-5.6))
        rgb, alpha = rendered(bake(cartoon), motion)
        truth, matte = photograph(motion, head=2.0)
        assert overlap(alpha, matte) > 0.93
        rows = np.flatnonzero((matte == 255).any(1))[4:20]
        middle = np.s_[rows[0] : rows[-1], SIDE // 2 - 8 : SIDE // 2 + 8]
        assert np.abs(rgb[middle].astype(float) - truth[middle]).mean() < 20

    def test_it_is_as_deep_as_wide(self, cartoon):
        motion = motion_of(person(turn=90, depth=-5.6))
        assert overlap(rendered(bake(cartoon), motion)[1], photograph(motion, head=2.0)[1]) > 0.9

    def test_the_character_is_as_tall_as_the_driver_with_its_head(self, cartoon):
        driver = motion_of(person(betas=torch.tensor([0.5, 0.3] + [0.0] * 8)))
        moved = retarget_motion(driver, cartoon).person
        crown = grow_head(BODY, BODY.shape(moved.betas)[0], cartoon.head_growth)[:, 1].max()
        height = float(crown - BODY.shape(moved.betas)[0][:, 1].min())
        assert height == pytest.approx(measure_height(BODY, driver.person.betas), abs=0.02)

    def test_retargeting_twice_shrinks_nobody_twice(self, cartoon):
        driver = motion_of(person(betas=torch.tensor([0.5, 0.3] + [0.0] * 8)))
        once = retarget_motion(driver, cartoon)
        assert torch.equal(retarget_motion(once, cartoon).person.betas, once.person.betas)


class TestOutline:
    def test_a_misplaced_fit_is_pulled_onto_the_matte(self):
        motion = motion_of(person())
        _, mask = photograph(motion)
        off = motion.camera.view(BODY.pose(person(left_hip=(0, 0, 4), right_shoulder=(0, 0, 50))).vertices)[0]
        picture = FittedPicture(mask, CAMERA)
        before, after = (
            overlap(picture.raster(vertices, BODY.faces).mask[0].numpy() * 255, mask)
            for vertices in (
                off + torch.tensor([0.02, 0, 0]),
                move_onto_contour(off + torch.tensor([0.02, 0, 0]), picture),
            )
        )
        assert before < 0.85 and after > 0.95

    def test_an_exact_fit_stays_where_it_is(self):
        seen = CAMERA.view(BODY.pose(person()).vertices)[0]
        moved = move_onto_contour(seen, FittedPicture(photograph(motion_of(person()))[1], CAMERA))
        assert (moved - seen).norm(dim=1).mean() < 0.004

    def test_wide_clothes_widen_the_silhouette(self):
        motion = motion_of(person())
        _, mask = photograph(motion)
        wide = cv2.dilate(mask, np.ones((9, 9)))
        seen = CAMERA.view(BODY.pose(person()).vertices)[0]
        picture = FittedPicture(wide, CAMERA)
        drawn = picture.raster(move_onto_contour(seen, picture), BODY.faces).mask[0].numpy() * 255
        assert overlap(drawn, wide) > 0.93 > overlap(mask, wide)

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_ears_keep_their_form_under_wide_hair(self, side):
        _, mask = photograph(motion_of(person()))
        seen = CAMERA.view(BODY.pose(person()).vertices)[0]
        head = CAMERA.pixels(seen)[BODY.weights[:, JOINT["head"]] > 0.5].mean(0).round().int().tolist()
        hairy = cv2.ellipse(mask.copy(), head, (22, 26), 0, 0, 360, 255, -1)
        moved = move_onto_contour(seen, FittedPicture(hairy, CAMERA))
        ear = (BODY.template - BODY.template[BODY.landmarks[f"{side}_ear"]]).norm(dim=1) < 0.025
        shape = [points[ear] - points[ear].mean(0) for points in (seen, moved)]
        assert (shape[1] - shape[0]).norm(dim=1).max() < 0.01

    def test_a_face_keeps_its_form_where_hair_falls_beside_it(self):
        motion = motion_of(person())
        _, mask = photograph(motion)
        seen = CAMERA.view(BODY.pose(person()).vertices)[0]
        head = CAMERA.pixels(seen)[BODY.weights[:, JOINT["head"]] > 0.5].mean(0).round().int().tolist()
        hairy = cv2.ellipse(mask.copy(), head, (22, 26), 0, 0, 360, 255, -1)
        moved = move_onto_contour(seen, FittedPicture(hairy, CAMERA))
        place, nose = BODY.template, BODY.template[BODY.landmarks["nose"]]
        lips = (
            (place[:, 0].abs() < 0.025)
            & (place[:, 1] - nose[1] + 0.035).abs().lt(0.02)
            & (place[:, 2] > nose[2] - 0.05)
        )
        shape = [points[lips] - points[lips].mean(0) for points in (seen, moved)]
        assert (shape[1] - shape[0]).norm(dim=1).max() < 0.003
        grown = move_onto_contour(seen, FittedPicture(hairy, CAMERA), keep_face=False)[lips]
        assert (grown - grown.mean(0) - shape[0]).norm(dim=1).max() > 0.02


class TestShell:
    @pytest.fixture(scope="class")
    @staticmethod
    def skirted() -> Identity:
        """The painted body with a green skirt drawn over its legs on the picture."""
        whole = identity_of(person())
        picture, matte = whole.picture.copy(), whole.matte.copy()
        joints = CAMERA.project(BODY.pose(person()).joints)[0]
        hips, knees = (joints[[left, left + 1]] for left in (1, 4))
        corners = torch.stack([hips[0], hips[1], knees[1], knees[0]])
        corners[:, 0] += torch.tensor([8.0, -8, -12, 12])
        for image, value in ((picture, (30, 140, 50)), (matte, 255)):
            cv2.fillConvexPoly(image, corners.round().int().numpy(), value)
        return Identity(picture, matte, whole.motion)

    def test_a_skirt_fills_the_gap_between_the_legs(self, skirted):
        proxy = bake(skirted)
        rgb, alpha = rendered(proxy, motion_of(person()))
        assert overlap(alpha, skirted.matte) > 0.96
        knees = CAMERA.project(BODY.pose(person()).joints)[0, [4, 5]].mean(0).round().int().tolist()
        gap = np.s_[knees[1] - 12 : knees[1] - 4, knees[0] - 2 : knees[0] + 2]
        assert alpha[gap].min() == 255
        assert np.abs(rgb[gap].astype(float) - (30, 140, 50)).max() < 12

    def test_it_swings_with_both_legs_and_does_not_tear(self, skirted):
        proxy = bake(skirted)
        stride = motion_of(person(turn=60, left_hip=(-30, 0, 0), right_hip=(25, 0, 0)))
        alpha = rendered(proxy, stride)[1]
        joints = CAMERA.project(BODY.pose(stride.person).joints)[0]
        middle = (joints[[1, 2]].mean(0) * 0.4 + joints[[4, 5]].mean(0) * 0.6).round().int().tolist()
        assert alpha[middle[1] - 3 : middle[1] + 3, middle[0] - 3 : middle[0] + 3].min() == 255

    def test_it_lies_behind_the_body_where_that_covers_it(self):
        whole = identity_of(person())
        picture, matte = whole.picture.copy(), whole.matte.copy()
        hip, knee = CAMERA.project(BODY.pose(person()).joints)[0, [1, 4]]
        tails = torch.stack([hip, knee, knee + torch.tensor([24.0, 0]), hip + torch.tensor([14.0, 0])])
        for image, value in ((picture, (30, 140, 50)), (matte, 255)):
            cv2.fillConvexPoly(image, tails.round().int().numpy(), value)
        tailed, motion = Identity(picture, matte, whole.motion), whole.motion
        body, sheet = bake(tailed)._posed_on_skins(motion.person, motion.fps)(0)
        depth = FittedPicture(tailed.matte, CAMERA).raster(CAMERA.view(body[None])[0], BODY.faces).depth[0].numpy()
        seen = CAMERA.view(sheet[None])[0]
        x, y = CAMERA.pixels(seen).long().T.numpy()
        covered = cv2.erode((depth > 0).astype(np.uint8), np.ones((5, 5)))[y, x] > 0
        assert covered.sum() > 20
        assert (seen[covered, 2].numpy() > depth[y, x][covered] - 0.002).mean() > 0.97

    def test_it_lags_behind_whatever_frames_are_drawn_and_comes_to_rest(self, skirted):
        proxy = bake(skirted)
        loose = proxy.skins[1].sway.clone()
        loose[:] = torch.linspace(0, 0.8, len(loose))
        proxy = replace(proxy, skins=(proxy.skins[0], replace(proxy.skins[1], sway=loose)))
        one = person()
        steps = torch.tensor([0.0, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
        repeated = {name: getattr(one, name).repeat(len(steps), 1) for name in ("global_orient", "body_pose", "transl")}
        repeated["transl"][:, 0] += steps
        moving = Person(one.betas, **repeated)
        place = proxy._posed_on_skins(moving, 24.0)
        resting = proxy._posed_on_skins(one, 24.0)(0)[1]
        behind = [steps[at] - (place(at)[1] - resting)[:, 0] for at in range(len(steps))]
        assert float(behind[0].abs().max()) < 1e-5 and float(behind[-1].abs().max()) < 0.01
        assert float(behind[2][0].abs()) < 1e-5 < 0.04 < float(behind[2][-1]) < 0.2
        again = proxy._posed_on_skins(moving, 24.0)(2)[1]
        assert torch.equal(again, place(2)[1])
        ground = Clip.still(np.full((SIDE, SIDE, 3), 90, np.uint8), len(steps), 24)
        nothing = Masks.constant(0, len(steps), SIDE, SIDE)
        layer = draw_proxy_in_scene(proxy, Motion((moving,), 24.0, CAMERA), Scene(ground, ground, nothing, nothing))
        assert np.array_equal(layer[2], list(layer.read(0, 4))[2])

    def test_it_is_not_drawn_out_over_a_cut(self, skirted):
        one = person()
        repeated = {name: getattr(one, name).repeat(3, 1) for name in ("global_orient", "body_pose", "transl")}
        repeated["transl"][2, 0] += 1.5
        moving = Person(one.betas, **repeated)
        assert trace_back(moving, 2, 24) == [] and trace_back(moving, 1, 24) == [0]

    @pytest.mark.parametrize("speed", [0.8, 4.5])
    def test_it_lags_alike_at_every_frame_rate(self, skirted, speed):
        """The longest step was one a frame, so that who runs at 12 frames a second jumped all the time."""
        proxy, one, lags = bake(skirted), person(), []
        for fps in (12, 24, 60):
            count = fps + 1
            repeated = {n: getattr(one, n).repeat(count, 1) for n in ("global_orient", "body_pose", "transl")}
            repeated["transl"][:, 0] += torch.arange(count) * speed / fps
            moving = Person(one.betas, **repeated)
            behind = moving.transl[-1, 0] - one.transl[0, 0] - proxy._posed_on_skins(moving, fps)(fps)[1][:, 0]
            lags.append((behind + proxy._posed_on_skins(one, fps)(0)[1][:, 0]).max())
        assert min(lags) > 0.01 * speed and max(lags) - min(lags) < 0.002 * speed

    def test_tight_clothes_need_no_sheet(self, proxy):
        assert len(proxy.skins) == 1


class TestRender:
    def test_colours_reach_beyond_the_alpha(self, proxy):
        rgb, alpha = rendered(proxy, motion_of(person()))
        rim = (cv2.dilate(alpha, np.ones((7, 7))) > 0) & (alpha == 0)
        assert (rgb[rim].max(1) > 20).mean() > 0.99

    def test_edges_are_soft(self, proxy):
        alpha = rendered(proxy, motion_of(person(turn=10)))[1]
        assert 0.01 < ((alpha > 0) & (alpha < 255)).sum() / (alpha > 0).sum() < 0.3

    def test_fine_stripes_on_a_small_figure_are_their_mean(self):
        """Only every third texel was asked, so that patterns flickered as the figure moved."""
        proxy = bake(identity_of(person()))
        body = proxy.skins[0]
        side = body.sheet.texture.shape[0]
        lines = np.where(np.arange(side)[:, None] % 2 > 0, 255, 0).astype(np.uint8)
        striped = np.dstack([np.broadcast_to(lines, (side, side))] * 3 + [body.sheet.texture[..., 3]])
        sheet = replace(body.sheet, texture=np.ascontiguousarray(striped))
        small = replace(proxy, skins=(replace(body, sheet=sheet),))
        rgb, alpha = rendered(small, motion_of(person()), size=(SIDE // 2, SIDE // 2))
        assert rgb[cv2.erode(alpha, np.ones((3, 3))) == 255].std() < 30

    def test_the_size_can_be_chosen(self, proxy):
        rgb, alpha = rendered(proxy, motion_of(person()), size=(96, 96))
        assert rgb.shape == (96, 96, 3) and alpha.shape == (96, 96)
        whole = cv2.resize(rendered(proxy, motion_of(person()))[1], (96, 96), interpolation=cv2.INTER_AREA)
        assert overlap(alpha, whole) > 0.9

    def test_nobody_is_drawn_where_nobody_is_visible(self, proxy):
        motion = motion_of(replace(person(), visible=torch.zeros(1, dtype=torch.bool)))
        rgb, alpha = rendered(proxy, motion)
        assert not rgb.any() and not alpha.any()

    def test_somebody_outside_the_picture_is_no_error(self, proxy):
        beside = replace(person(), transl=torch.tensor([[9.0, 0.28, -4.9]]))
        behind = replace(person(), transl=torch.tensor([[0.0, 0.28, 4.9]]))
        assert not rendered(proxy, motion_of(beside))[1].any() and not rendered(proxy, motion_of(behind))[1].any()

    def test_a_moving_camera_sees_the_character_move(self, proxy):
        two = person().index(torch.tensor([0, 0]))
        matrix = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).repeat(2, 1, 1)
        matrix[1, 0, 3] = 0.4
        frames = list(proxy.render(motion_of(two, replace(CAMERA, camera_from_world=matrix))))
        shift = [np.nonzero(alpha)[1].mean() for _, alpha in frames]
        assert shift[1] - shift[0] == pytest.approx(0.4 / 4.9 * CAMERA.focal, abs=2)

    def test_cancelling_stops_between_frames(self, proxy):
        class Cancel(Exception):
            pass

        def cancel(done, total, preview=None):
            raise Cancel

        frames = proxy.render(motion_of(person().index(torch.tensor([0, 0]))), progress=cancel)
        next(frames)
        with pytest.raises(Cancel):
            next(frames)


class TestCard:
    @pytest.fixture
    def card(self) -> Proxy:
        picture = np.full((64, 64, 3), 255, np.uint8)
        matte = np.zeros((64, 64), np.uint8)
        picture[8:56, 24:40], matte[8:56, 24:40] = (30, 90, 160), 255
        return bake(Identity(picture, matte))

    @pytest.mark.parametrize("name", POSES)
    def test_it_stands_upright_on_the_drivers_soles(self, card, name):
        motion = motion_of(person(**POSES[name]))
        _, alpha = rendered(card, motion)
        rows, columns = np.flatnonzero((alpha > 127).any(1)), np.flatnonzero((alpha > 127).any(0))
        posed = BODY.pose(motion.person)
        foot = posed.joints[:, :1].clone()
        foot[..., 1] = posed.vertices[..., 1].min()
        assert rows[-1] == pytest.approx(float(CAMERA.project(foot)[0, 0, 1]), abs=2)
        assert len(rows) / len(columns) == pytest.approx(3, rel=0.1)

    def test_it_keeps_the_pictures_colours(self, card):
        rgb, alpha = rendered(card, motion_of(person()))
        assert np.abs(rgb[alpha == 255].astype(float) - (30, 90, 160)).max() < 3

    def test_it_is_as_tall_as_the_driver(self):
        corners = place_billboard(motion_of(person()), 0.5)[0]
        body = BODY.pose(person()).vertices[0, :, 1]
        assert corners[0, 1] - corners[2, 1] == pytest.approx(float(body.max() - body.min()), rel=0.03)

    def test_it_shrinks_when_the_driver_crouches(self):
        crouch = person(left_hip=(-90, 0, 0), right_hip=(-90, 0, 0), left_knee=(100, 0, 0), right_knee=(100, 0, 0))
        tall, short = (place_billboard(motion_of(someone), 0.5)[0] for someone in (person(), crouch))
        assert 0.45 < (short[0, 1] - short[2, 1]) / (tall[0, 1] - tall[2, 1]) < 0.8
