"""Values looked up on a coarse atlas of the body and enlarged."""

import numpy as np

from mimo_core.proxy.coarse import ask_coarsely, measure_distances
from mimo_core.proxy.surface import load_surface


class TestCoarse:
    def test_a_smooth_value_comes_back_from_a_sixteenth_of_the_look_ups(self):
        surface, asked = load_surface(1024), []

        def ask(of, texels):
            asked.append(len(texels))
            return of.place[texels]

        target = np.flatnonzero(surface.arms)
        away = np.linalg.norm(ask_coarsely(surface, target, ask) - surface.place[target], axis=1)
        assert away.max() < 0.006 and sum(asked) < len(target) / 8

    def test_a_coarse_surface_is_asked_itself(self):
        surface = load_surface(256)
        target = np.flatnonzero(surface.face)
        np.testing.assert_array_equal(
            ask_coarsely(surface, target, lambda of, texels: of.place[texels]), surface.place[target]
        )

    def test_distances_are_those_between_places(self):
        surface = load_surface(512)
        source, target = np.flatnonzero(surface.hands[0]), np.flatnonzero(surface.face)
        expected = np.linalg.norm(surface.place[target[::50], None] - surface.place[source], axis=2).min(1)
        np.testing.assert_allclose(measure_distances(surface, source, target)[::50], expected, atol=0.006)
