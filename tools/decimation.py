"""Half-edge decimation of a textured, skinned, left-right symmetric mesh (Garland and Heckbert 1997, subset placement).

Vertices are only ever removed, never moved, so whatever belongs to a vertex of the input belongs to it afterwards.
"""

from __future__ import annotations

import heapq

import numpy as np


MOST_NEIGHBOURS = 14
LEAST_NORMAL_COSINE = 0.3
LEAST_ROUNDNESS = 0.08  # twice the area over the longest edge squared


class Decimation:
    """Collapses edges in order of cost, each together with its mirror image, until `target` vertices are left."""

    def __init__(self, vertices, faces, uv_faces, weights, *, importance, hidden, mirrored):
        self.points = vertices.astype(np.float64)
        self.faces = faces.tolist()
        self.uv_faces = uv_faces.tolist()
        self.weights = weights
        self.importance = importance.astype(np.float64).copy()
        self.hidden = hidden  # (V,) bool: cavities, where shape does not matter
        self.mirrored = mirrored
        count = len(vertices)
        self.faces_of = [set() for _ in range(count)]
        for number, face in enumerate(self.faces):
            for vertex in face:
                self.faces_of[vertex].add(number)
        self.charts = [len({self._uv(face, vertex) for face in self.faces_of[vertex]}) for vertex in range(count)]
        self.quadrics, self.mean_area = self._quadrics()
        self.removed = np.zeros(count, bool)
        self.version = [0] * count
        self.heap = []

    def _quadrics(self):
        a, b, c = (self.points[np.array(self.faces)[:, corner]] for corner in range(3))
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1)
        normal /= area[:, None]
        plane = np.concatenate([normal, -(normal * a).sum(1, keepdims=True)], 1)
        quadric = area[:, None, None] * plane[:, :, None] * plane[:, None, :]
        total = np.zeros((len(self.points), 4, 4))
        for corner in range(3):
            np.add.at(total, np.array(self.faces)[:, corner], quadric)
        return total, area.mean()

    def run(self, target: int):
        """Vertices kept (N,), their faces (T, 3), and the same faces as the input's texture vertices (T, 3)."""
        left = len(self.points)
        for vertex in range(left):
            self._offer(vertex, self._neighbours(vertex))
        while left > target:
            if not self.heap:
                raise ValueError(
                    f"No edge can be collapsed any more; {left} vertices are left, {target} were asked for."
                )
            _, source, goal, *versions = heapq.heappop(self.heap)
            if self.removed[source] or self.removed[goal]:
                continue
            if versions != [self.version[source], self.version[goal]]:
                continue
            pair = [(source, goal), (self.mirrored[source], self.mirrored[goal])]
            if pair[0] == pair[1] or left == target + 1:
                pair.pop()
            if len(pair) == 2 and not self._may_mirror(*pair):
                continue
            for edge in pair:
                left -= self._collapse(*edge)
        kept = np.nonzero(~self.removed)[0]
        number = np.full(len(self.points), -1)
        number[kept] = np.arange(len(kept))
        alive = [face for face in range(len(self.faces)) if self.faces[face] is not None]
        faces = number[np.array([self.faces[face] for face in alive])]
        return kept, faces, np.array([self.uv_faces[face] for face in alive])

    def _may_mirror(self, edge, twin) -> bool:
        """A vertex of the middle stays in the middle, and nothing crosses it."""
        if edge[0] == twin[0] or edge[1] == twin[0]:
            return False
        if self.removed[twin[0]] or self.removed[twin[1]] or twin[0] in self._neighbours(edge[0]):
            return False
        return self._is_legal(*edge) and self._is_legal(*twin)

    def _offer(self, source, goals):
        for goal in goals:
            entry = (self._cost(source, goal), source, goal, self.version[source], self.version[goal])
            heapq.heappush(self.heap, entry)

    def _cost(self, source, goal) -> float:
        place = np.append(self.points[goal], 1.0)
        length = ((self.points[source] - self.points[goal]) ** 2).sum() * self.mean_area
        skin = np.abs(self.weights[source] - self.weights[goal]).sum()
        shape = place @ (self.quadrics[source] + self.quadrics[goal]) @ place
        return float(self.importance[source] * (shape + 1e-3 * length + 2 * skin * length))

    def _neighbours(self, vertex) -> set[int]:
        around = {other for face in self.faces_of[vertex] for other in self.faces[face]}
        around.discard(vertex)
        return around

    def _uv(self, face, vertex) -> int:
        return self.uv_faces[face][self.faces[face].index(vertex)]

    def _is_legal(self, source, goal) -> bool:
        shared = self.faces_of[source] & self.faces_of[goal]
        if len(shared) != 2 or not self._keeps_seams(source, goal, shared):
            return False
        around, beyond = self._neighbours(source), self._neighbours(goal)
        if len(around & beyond) != 2 or not 3 <= len(around) + len(beyond) - 4 <= MOST_NEIGHBOURS:
            return False
        return self.hidden[source] or all(
            self._stays_sound(face, source, goal) for face in self.faces_of[source] - shared
        )

    def _keeps_seams(self, source, goal, shared) -> bool:
        """A vertex on a texture seam may only slide along it."""
        moved = {self._uv(face, source) for face in shared}
        if self.charts[source] > 1 and (self.charts[source] != 2 or self.charts[goal] < 2 or len(moved) < 2):
            return False
        return all(self._uv(face, source) in moved for face in self.faces_of[source])

    def _stays_sound(self, face, source, goal) -> bool:
        """The face neither flips nor becomes a sliver."""
        before = self.points[self.faces[face]]
        after = self.points[[goal if vertex == source else vertex for vertex in self.faces[face]]]
        old, new = (np.cross(corners[1] - corners[0], corners[2] - corners[0]) for corners in (before, after))
        size = np.linalg.norm(new)
        longest = max(((after[k] - after[k - 1]) ** 2).sum() for k in range(3))
        return new @ old > LEAST_NORMAL_COSINE * size * np.linalg.norm(old) and size > LEAST_ROUNDNESS * longest

    def _collapse(self, source, goal) -> int:
        """Merge `source` into `goal` where that is still legal; how many vertices went."""
        if self.removed[source] or self.removed[goal] or not self._is_legal(source, goal):
            return 0
        shared = self.faces_of[source] & self.faces_of[goal]
        texture = {self._uv(face, source): self._uv(face, goal) for face in shared}
        around = self._neighbours(source)
        for face in self.faces_of[source] - shared:
            corner = self.faces[face].index(source)
            self.uv_faces[face][corner] = texture[self.uv_faces[face][corner]]
            self.faces[face][corner] = goal
            self.faces_of[goal].add(face)
        for face in shared:
            for vertex in self.faces[face]:
                self.faces_of[vertex].discard(face)
            self.faces[face] = None
        self.faces_of[source] = set()
        self.removed[source] = True
        self.quadrics[goal] += self.quadrics[source]
        if not self.hidden[goal]:
            self.importance[goal] = max(self.importance[goal], self.importance[source])
        for vertex in around:
            self.version[vertex] += 1
        for vertex in sorted(around):
            neighbours = sorted(self._neighbours(vertex))
            self._offer(vertex, neighbours)
            for other in neighbours:
                if other not in around:
                    self._offer(other, [vertex])
        return 1
