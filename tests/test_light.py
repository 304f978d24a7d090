"""The light on a person is told from their shading, and falls on the character."""

from functools import cache

import numpy as np
import pytest
import torch

from mimo_core.body.model import free_body, vertex_normals
from mimo_core.body.person import Person
from mimo_core.body.raster import interpolate, rasterize
from mimo_core.geometry.camera import Camera
from mimo_core.identity.identity import Identity
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.motion import Motion
from mimo_core.proxy.light import SurfaceLight, estimate_scene_light
from mimo_core.proxy.proxy import Proxy
from mimo_core.scene.scene import Scene


SIDE = 160
CAMERA = Camera(2.4 * SIDE, (SIDE / 2, SIDE / 2), (SIDE, SIDE))
LIGHTS = {"left": (-0.5, 0.2, 0.2), "right": (0.5, 0.2, 0.2), "above": (0.0, 0.6, 0.1)}


def standing(*turns: float, side: float = 0.0) -> Motion:
    """A person who turns about the upright axis, by radians in every frame."""
    count = len(turns)
    orient, transl = torch.zeros(count, 3), torch.tensor([[side, 0.28, -4.9]]).repeat(count, 1)
    orient[:, 1] = torch.tensor(turns)
    return Motion((Person(torch.zeros(10), orient, torch.zeros(count, 69), transl),), 24.0, CAMERA)


def filmed(motion: Motion, light: SurfaceLight, colors: torch.Tensor | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Frames (F, H, W, 3) and masks (F, H, W) of the body in a light, its parts in many grays or in `colors` (V,)."""
    body = free_body()
    posed = body.pose(motion.person).vertices
    raster = rasterize(
        CAMERA.view(posed), body.faces, focal=CAMERA.focal, center=CAMERA.center, size=CAMERA.size, cull=True
    )
    colors = 90 + 15 * (body.parts.float() % 7) if colors is None else colors
    lit = colors * light.on(vertex_normals(posed, body.faces))
    rgb = interpolate(raster, body.faces, lit[..., None].expand(-1, -1, 3).contiguous()).numpy()
    return rgb.astype(np.uint8), raster.mask.numpy().astype(np.uint8) * 255


@cache
def bake_under(*slope: float) -> tuple[Proxy, np.ndarray]:
    """The body as it stands photographed under a light, and the mask of that picture."""
    still = standing(0.0)
    (picture,), (mask,) = filmed(still, SurfaceLight(torch.tensor(slope)))
    white = np.where(mask[..., None] > 0, picture, 255).astype(np.uint8)
    return Proxy.from_identity(Identity(white, mask, still), texture=512), mask


def scene_of(frames: np.ndarray, masks: np.ndarray) -> Scene:
    clip = Clip.from_array(frames)
    return Scene(clip, clip, Masks.from_array(masks), Masks.constant(0, len(frames), SIDE, SIDE))


@pytest.fixture(scope="module", params=LIGHTS)
def light(request) -> SurfaceLight:
    return SurfaceLight(torch.tensor(LIGHTS[request.param]))


class TestLightOfScene:
    def test_its_direction_and_strength_are_found_whatever_the_clothes(self, light):
        motion = standing(-0.4, 0.2, 0.8)
        found = estimate_scene_light(scene_of(*filmed(motion, light)), motion)
        assert (found.slope - light.slope).norm() < 0.25
        assert found.slope @ light.slope / found.slope.norm() / light.slope.norm() > 0.9

    def test_a_coat_of_two_colors_is_no_light(self):
        motion, (x, y, _) = standing(-0.4, 0.2, 0.8), free_body().template.T
        for is_bright in (x > 0, (x > 0) ^ ((y * 6).floor() % 2 > 0)):
            colors = torch.where(is_bright, 210.0, 25.0)
            found = estimate_scene_light(scene_of(*filmed(motion, SurfaceLight(torch.zeros(3)), colors)), motion)
            assert found.slope.norm() < 0.45

    def test_where_nobody_is_seen_there_is_none(self):
        motion = standing(0.0, 0.1)
        frames, masks = filmed(motion, SurfaceLight(torch.zeros(3)))
        assert estimate_scene_light(scene_of(frames, 0 * masks), motion) is None

    def test_somebody_elsewhere_tells_nothing_about_it(self):
        frames, masks = filmed(standing(0.0, 0.1, side=0.6), SurfaceLight(torch.tensor([0.5, 0.0, 0.0])))
        assert estimate_scene_light(scene_of(frames, masks), standing(0.0, 0.1, side=-0.6)) is None

    def test_a_scene_of_another_length_tells_nothing_about_it(self):
        motion = standing(0.0, 0.1)
        assert estimate_scene_light(scene_of(*filmed(motion, SurfaceLight(torch.zeros(3)))), motion[:1]) is None


class TestRelighting:
    def test_the_character_looks_as_if_it_had_been_filmed_in_that_light(self, light):
        turned = standing(0.5)
        proxy, _ = bake_under(0.0, 0.35, 0.15)
        (wanted,), (seen,) = filmed(turned, light)
        errors = {}
        for name, value in (("as photographed", None), ("relit", light)):
            rgb, alpha = next(iter(proxy.render(turned, light=value)))
            both = (alpha > 250) & (seen > 0)
            errors[name] = np.abs(rgb[both].astype(float) - wanted[both]).mean()
        assert errors["relit"] < 0.6 * errors["as photographed"]

    def test_a_face_is_neither_bleached_nor_patched_by_the_light(self, light):
        still, (proxy, _) = standing(0.0), bake_under(0.0, 0.6, -0.4)
        plain, relit = (next(iter(proxy.render(still, light=value)))[0].astype(float) for value in (None, light))
        x, y = CAMERA.project(free_body().pose(still.person).joints)[0, 15].round().int().tolist()
        change = (relit / plain.clip(1))[y - 5 : y + 1, x - 3 : x + 4]
        assert change.min() > 0.7 and change.max() < 1.13  # 1.08, and half a level of dark gray

    def test_the_pictures_own_light_changes_nothing_much(self):
        still, own = standing(0.0), SurfaceLight(torch.tensor([0.0, 0.35, 0.15]))
        proxy, mask = bake_under(0.0, 0.35, 0.15)
        plain, relit = (next(iter(proxy.render(still, light=value)))[0].astype(float) for value in (None, own))
        assert np.abs(relit - plain)[mask > 250].mean() < 8

    def test_light_from_above_does_not_darken_what_faces_us(self):
        front = torch.tensor([0.0, 0.05, 0.99])
        steep, soft = (SurfaceLight(torch.tensor(slope)) for slope in ((0.1, 0.6, 0.15), (0.0, 0.15, 0.1)))
        assert steep.on(front) / soft.on(front) > 0.85

    def test_exposure_keeps_the_brightest_and_the_front_around_one(self):
        normals = torch.nn.functional.normalize(torch.randn(500, 3, generator=torch.manual_seed(0)), dim=1)
        steep = SurfaceLight(torch.tensor([0.9, 0.9, 0.0]))
        assert 1 < steep.on(steep.slope / steep.slope.norm()) < 1.5
        assert 0.5 < steep.on(torch.tensor([0.0, 0.0, 1.0])) < 1
        assert steep.on(normals).min() > 0.05
