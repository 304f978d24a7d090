"""The rasteriser against a ray caster, and its own laws."""

import math

import pytest
import torch

from mimo_core.body import raster as raster_module
from mimo_core.body.model import free_body
from mimo_core.body.raster import interpolate, rasterize, sample_vertices


SIZE = (48, 40)
FOCAL, CENTER = 50.0, (23.3, 20.9)
CAMERA = {"focal": FOCAL, "center": CENTER, "size": SIZE}
EDGE = 1e-4  # pixels; nearer to an edge, float32 may decide either way


def rays(size=SIZE):
    """Directions (H * W, 3) of depth 1 through the pixel centres."""
    width, height = size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    plane = torch.stack([(x - CENTER[0]) / FOCAL, (y - CENTER[1]) / FOCAL, torch.ones_like(x)], -1)
    return plane.reshape(-1, 3).double()


def cast(vertices, faces, *, cull, near=0.01, size=SIZE):
    """Moeller and Trumbore (1997) in float64, for every pixel and face: depth (N, T), barycentrics (N, T, 3), hit."""
    corners = vertices.double()[faces]
    a, b, c = corners.unbind(1)
    direction = rays(size)
    along_b, along_c = b - a, c - a
    p = torch.cross(direction[:, None], along_c[None], dim=-1)
    determinant = (along_b * p).sum(-1)
    v = (-a * p).sum(-1) / determinant
    q = torch.cross(-a, along_b, dim=-1)
    w = (direction[:, None] * q).sum(-1) / determinant
    depth = (along_c * q).sum(-1) / determinant
    bary = torch.stack([1 - v - w, v, w], -1)
    # In camera space, with y down and z forward, a face seen from its front has a positive determinant.
    front = determinant > 0 if cull else determinant != 0
    return depth, bary, (bary >= 0).all(-1) & front & (depth > near)


def nearest(vertices, faces, **options):
    """What the ray caster sees: face, depth and barycentrics of every pixel."""
    depth, bary, hit = cast(vertices, faces, **options)
    depth = depth.where(hit, depth.new_tensor(math.inf))
    first, face = depth.min(1)
    return face.where(first < math.inf, torch.tensor(-1)), first, bary[torch.arange(len(face)), face]


def near_an_edge(vertices, faces, size=SIZE):
    """Pixels (H * W) whose centre lies within EDGE of the projection of any edge in front of the camera."""
    points = vertices.double()
    pixels = points[:, :2] / points[:, 2:] * FOCAL + torch.tensor(CENTER).double()
    start = pixels[faces].flatten(0, 1)
    along = pixels[faces.roll(-1, 1)].flatten(0, 1) - start
    centers = rays(size)[:, :2] * FOCAL + torch.tensor(CENTER)
    offset = centers[:, None] - start
    share = ((offset * along).sum(-1) / (along * along).sum(-1)).clamp(0, 1)
    return ((offset - share[..., None] * along).norm(dim=-1) < EDGE).any(1)


def random_mesh(seed, faces=40, spread=0.7):
    generator = torch.Generator().manual_seed(seed)
    middle = (torch.rand(faces, 1, 3, generator=generator) - 0.5) * torch.tensor([3.0, 2.4, 2.0])
    corners = middle + spread * torch.randn(faces, 3, 3, generator=generator) + torch.tensor([0, 0, 3.5])
    return corners.reshape(-1, 3), torch.arange(3 * faces).view(-1, 3)


def ball(rings=12, sectors=16, center=(0.0, 0.0, 3.0)):
    """A closed surface: vertices and faces that turn outwards."""
    theta = torch.linspace(0, math.pi, rings + 1)[1:-1]
    phi = 2 * math.pi * torch.arange(sectors) / sectors
    t, p = torch.meshgrid(theta, phi, indexing="ij")
    around = torch.stack([t.sin() * p.cos(), t.cos(), t.sin() * p.sin()], -1).reshape(-1, 3)
    poles = torch.tensor([[0.0, 1, 0], [0, -1, 0]])
    number = torch.arange((rings - 1) * sectors).view(rings - 1, sectors)
    here, aside = number, number.roll(-1, 1)
    sides = torch.cat(
        [
            torch.stack([here[:-1], aside[:-1], here[1:]], -1).reshape(-1, 3),
            torch.stack([aside[:-1], aside[1:], here[1:]], -1).reshape(-1, 3),
        ]
    )
    top, bottom = torch.full((sectors,), len(around)), torch.full((sectors,), len(around) + 1)
    caps = [torch.stack([top, aside[0], here[0]], -1), torch.stack([bottom, here[-1], aside[-1]], -1)]
    return torch.cat([around, poles]) + torch.tensor(center), torch.cat([sides, *caps])


class TestAgainstRays:
    @pytest.mark.parametrize("cull", [True, False])
    @pytest.mark.parametrize("seed", range(6))
    def test_random_faces_cover_what_rays_hit(self, seed, cull):
        vertices, faces = random_mesh(seed)
        vertices[:, 2].clamp_(min=0.3)
        self.compare(vertices, faces, cull)

    @pytest.mark.parametrize("cull", [True, False])
    def test_a_closed_surface_is_seen_as_by_rays(self, cull):
        self.compare(*ball(), cull)

    def test_large_and_tiny_faces_together(self):
        vertices, faces = random_mesh(3, faces=60, spread=0.02)
        wall = torch.tensor([[-40.0, -30, 6], [40, -30, 9], [0, 50, 7]])
        faces = torch.cat([faces, torch.tensor([[0, 1, 2]]) + len(vertices)])
        self.compare(torch.cat([vertices, wall]), faces, cull=False)

    @staticmethod
    def compare(vertices, faces, cull):
        """Equal everywhere but within 1e-4 pixels of an edge."""
        result = rasterize(vertices[None], faces, cull=cull, **CAMERA)
        face, depth, bary = nearest(vertices, faces, cull=cull)
        clear = ~near_an_edge(vertices, faces)
        assert clear.float().mean() > 0.99
        hit = clear & (face >= 0)
        assert hit.sum() > 100
        assert torch.equal(result.face.view(-1)[clear], face[clear])
        torch.testing.assert_close(result.depth.view(-1)[hit].double(), depth[hit], rtol=1e-4, atol=0)
        torch.testing.assert_close(result.bary.view(-1, 3)[hit].double(), bary[hit], rtol=0, atol=1e-3)
        assert not result.depth.view(-1)[clear & (face < 0)].any()


class TestNearPlane:
    @pytest.mark.parametrize("cull", [True, False])
    @pytest.mark.parametrize("seed", range(4))
    def test_faces_through_the_camera_plane_cover_what_rays_hit(self, seed, cull):
        vertices, faces = random_mesh(seed, faces=20, spread=1.5)
        vertices = vertices - torch.tensor([0, 0, 3.0])
        near = 0.1
        result = rasterize(vertices[None], faces, cull=cull, near=near, **CAMERA)
        assert ((vertices[faces][..., 2] < near).any(1) & (vertices[faces][..., 2] > near).any(1)).sum() > 5
        face, depth, bary = nearest(vertices, faces, cull=cull, near=near)
        # Cutting makes new edges, which float32 places to within a few hundredths of a pixel so close to the camera.
        agree = result.face.view(-1) == face
        assert agree.float().mean() > 0.999
        hit = agree & (face >= 0)
        assert hit.sum() > 100
        torch.testing.assert_close(result.depth.view(-1)[hit].double(), depth[hit], rtol=2e-3, atol=1e-3)
        torch.testing.assert_close(result.bary.view(-1, 3)[hit].double(), bary[hit], rtol=0, atol=5e-3)

    def test_nothing_behind_the_camera_is_seen(self):
        vertices, faces = ball(center=(0, 0, -3))
        assert not rasterize(vertices[None], faces, cull=False, **CAMERA).mask.any()

    def test_inside_a_ball_the_whole_picture_is_its_inside(self):
        vertices, faces = ball(center=(0, 0, 0.2))
        inside = rasterize(vertices[None], faces, cull=False, **CAMERA)
        assert inside.mask.all()
        assert not rasterize(vertices[None], faces, cull=True, **CAMERA).mask.any()
        assert torch.isfinite(inside.depth).all()


class TestLaws:
    def test_barycentrics_sum_to_one_where_something_is_seen(self):
        vertices, faces = random_mesh(0)
        result = rasterize(vertices[None], faces, cull=False, **CAMERA)
        total = result.bary.sum(-1)
        torch.testing.assert_close(total[result.mask], torch.ones_like(total[result.mask]), atol=1e-6, rtol=0)
        assert not total[~result.mask].any()

    def test_a_batch_equals_its_frames_one_by_one(self, monkeypatch):
        frames = torch.stack([random_mesh(seed)[0] for seed in range(5)])
        faces = random_mesh(0)[1]
        together = rasterize(frames, faces, **CAMERA)
        monkeypatch.setattr(raster_module, "PIXELS_AT_ONCE", 2 * SIZE[0] * SIZE[1])
        monkeypatch.setattr(raster_module, "FRAGMENTS_AT_ONCE", 1 << 10)
        chunked = rasterize(frames, faces, **CAMERA)
        for name in ("face", "bary", "depth"):
            alone = torch.cat([getattr(rasterize(frame[None], faces, **CAMERA), name) for frame in frames])
            assert torch.equal(getattr(together, name), alone)
            assert torch.equal(getattr(chunked, name), alone)

    def test_a_closed_surface_has_no_holes_along_its_edges(self):
        # Vertices in the middle of pixels, so that edges run exactly through pixel centres.
        x, y = torch.meshgrid(torch.arange(9) * 4 + 2.5, torch.arange(9) * 4 + 2.5, indexing="xy")
        pixels = torch.stack([x, y], -1).reshape(-1, 2)
        vertices = torch.cat([(pixels - 20) / 32, torch.ones(81, 1)], 1)
        corner = (torch.arange(8)[:, None] * 9 + torch.arange(8)).reshape(-1, 1)
        faces = torch.cat([corner + torch.tensor([0, 1, 9]), corner + torch.tensor([1, 10, 9])])
        result = rasterize(vertices[None], faces, focal=32, center=(20, 20), size=(40, 40), cull=False)
        assert result.mask[0, 3:34, 3:34].all()

    def test_no_pixel_falls_between_two_faces_whose_edge_runs_through_it(self):
        generator = torch.Generator().manual_seed(0)
        offset = torch.rand(5000, 2, generator=generator) * 13 - 6.5
        aside = offset.flip(1) * torch.tensor([-1.0, 1.0])
        pixels = 20.5 + torch.stack([offset, -0.37 * offset, aside, -aside], 1)  # (5000, 4, 2)
        vertices = torch.cat([pixels, torch.ones(5000, 4, 1)], -1)
        faces = torch.tensor([[0, 1, 2], [1, 0, 3]])
        result = rasterize(vertices, faces, focal=1.0, center=(0.0, 0.0), size=(40, 40), cull=False)
        assert result.mask[:, 20, 20].all()

    def test_of_equal_faces_the_first_is_seen(self):
        vertices, _ = random_mesh(1)
        faces = torch.tensor([[3, 4, 5], [0, 1, 2], [3, 4, 5], [0, 1, 2]])
        result = rasterize(vertices[None], faces, cull=False, **CAMERA)
        assert set(result.face.unique().tolist()) == {-1, 0, 1}

    def test_where_the_mesh_lies_in_the_picture_does_not_matter(self):
        vertices, faces = ball(center=(0, 0, 4))
        options = {"focal": 50.0, "size": (64, 48)}
        middle = rasterize(vertices[None], faces, center=(32, 24), **options)
        for shift_x, shift_y in ((0, 0), (28, 20), (-30, -22), (40, 0)):
            moved = rasterize(vertices[None], faces, center=(32 + shift_x, 24 + shift_y), **options)
            expected = torch.full_like(middle.face, -1)
            rows = slice(max(shift_y, 0), min(48 + shift_y, 48))
            columns = slice(max(shift_x, 0), min(64 + shift_x, 64))
            back_rows = slice(rows.start - shift_y, rows.stop - shift_y)
            back_columns = slice(columns.start - shift_x, columns.stop - shift_x)
            expected[:, rows, columns] = middle.face[:, back_rows, back_columns]
            assert torch.equal(moved.face, expected)

    def test_culling_drops_exactly_the_faces_seen_from_behind(self):
        vertices, faces = random_mesh(2)
        front = rasterize(vertices[None], faces, **CAMERA)
        back = rasterize(vertices[None], faces.flip(1), **CAMERA)
        assert not set(front.face.unique().tolist()) & set(back.face.unique().tolist()) - {-1}

    def test_no_faces_and_faces_of_no_area_give_an_empty_picture(self):
        vertices = torch.tensor([[[0.0, 0, 2], [0.1, 0, 2], [0.2, 0, 2]]])
        for faces in (torch.zeros(0, 3, dtype=torch.long), torch.tensor([[0, 1, 2], [1, 1, 1]])):
            result = rasterize(vertices, faces, cull=False, **CAMERA)
            assert result.face.shape == (1, SIZE[1], SIZE[0])
            assert not result.mask.any()

    @pytest.mark.gpu
    def test_a_gpu_sees_the_same(self):
        body = free_body()
        vertices = (body.template * torch.tensor([1.0, -1, -1]) + torch.tensor([0, -0.3, 3]))[None]
        options = {"focal": 340.0, "center": (128.0, 128.0), "size": (256, 256)}
        here = rasterize(vertices, body.faces, **options)
        there = rasterize(vertices.cuda(), body.faces.cuda(), **options)
        assert (here.face == there.face.cpu()).float().mean() > 0.9999
        torch.testing.assert_close(there.depth.cpu(), here.depth, rtol=1e-3, atol=1e-3)


class TestInterpolation:
    def test_linear_functions_of_space_are_kept_in_perspective(self):
        vertices, faces = random_mesh(4)
        result = rasterize(vertices[None], faces, cull=False, **CAMERA)
        places = interpolate(result, faces, vertices)
        expected = (rays().view(*SIZE[::-1], 3) * result.depth[0, ..., None]).float()
        torch.testing.assert_close(places[0], expected, atol=1e-3, rtol=1e-3)

    def test_each_frame_may_have_its_own_values(self):
        frames = torch.stack([random_mesh(seed)[0] for seed in range(2)])
        faces = random_mesh(0)[1]
        result = rasterize(frames, faces, cull=False, **CAMERA)
        both = interpolate(result, faces, frames)
        for frame in range(2):
            torch.testing.assert_close(both[frame], interpolate(result, faces, frames[frame])[frame])

    def test_samples_are_the_seen_pixels_in_order(self):
        vertices, faces = random_mesh(5)
        result = rasterize(vertices[None], faces, **CAMERA)
        picture = interpolate(result, faces, vertices).view(-1, 3)
        assert torch.equal(picture[result.hits], sample_vertices(result, faces, vertices))
        assert len(result.hits) == result.mask.sum()

    def test_frames_can_be_emptied(self):
        frames = torch.stack([random_mesh(seed)[0] for seed in range(3)])
        kept = torch.tensor([True, False, True])
        result = rasterize(frames, random_mesh(0)[1], **CAMERA)
        some = result.only(kept)
        assert torch.equal(some.face[kept], result.face[kept])
        assert not some.mask[1].any()
        assert not some.depth[1].any()
