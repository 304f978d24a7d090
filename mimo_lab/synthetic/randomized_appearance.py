"""A character dressed from the wardrobe, by a seed: what is worn, how far it stands off, and its colors."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch

from .benchmark_appearance import HAIRS, SKINS
from .canvas import DARK, GarmentCanvas
from .details import DETAILS
from .fabrics import EMBLEMS, Fabric, sample_dye, sample_fabric
from .faces import BEARD_SHAPES as BEARD_SHAPES
from .faces import GLASSES_SHAPES as GLASSES_SHAPES
from .faces import Face, paint_face, shade_creases, shade_strands
from .garments import ClothSheet, anatomy
from .item import Item
from .regions import BodyPoints
from .streams import pick_weighted, random_stream
from .textures import color_of_hsv
from .wardrobe import COATS, DRESSES, SHOES, SKIRTS, SOCKS, SUITS, TOPS, TROUSERS
from .wardrobe_extra import BAGS, HANDWEAR, NECK, WAIST
from .wardrobe_head import BEARDS, GLASSES, HAIR, HATS


WARDROBE: dict[str, tuple[Item, ...]] = {
    "socks": SOCKS, "trousers": TROUSERS, "top": TOPS, "suit": SUITS, "skirt": SKIRTS, "dress": DRESSES, "coat": COATS,
    "waist": WAIST, "shoes": SHOES, "hands": HANDWEAR, "beard": BEARDS, "hair": HAIR, "glasses": GLASSES, "neck": NECK,
    "hat": HATS, "bag": BAGS,
}  # fmt: skip
HEAD_SLOTS = ("beard", "hair", "glasses", "hat")
CHANCES = {"coat": 0.35, "waist": 0.25, "hands": 0.15, "glasses": 0.22, "neck": 0.22, "hat": 0.4, "bag": 0.16}
EYES = ((0.25, 0.16, 0.10), (0.16, 0.10, 0.07), (0.25, 0.40, 0.55), (0.30, 0.42, 0.25), (0.42, 0.44, 0.46))


@dataclass(frozen=True, eq=False)
class WornItem:
    """One item in its cloth."""

    item: Item
    cloth: Fabric
    emblem: str = "disc"


@dataclass(frozen=True, eq=False)
class Features:
    """What paint_face needs; beards and glasses come from the wardrobe."""

    skin: np.ndarray
    eye: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    beard: float = 0.0
    glasses: bool = False


@dataclass(frozen=True, eq=False)
class RandomizedAppearance:
    """A character: body shape, face, and what is worn from the inside out. Made by `outfit`."""

    betas: torch.Tensor  # (10,)
    features: Features
    worn: tuple[WornItem, ...]
    folds: np.ndarray  # (3, 4) directions and phases of creases

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(worn.item.name for worn in self.worn)

    def volume(self) -> np.ndarray:
        """Metres by which hair and clothes stand off the body, (V,)."""
        return self._layers[0]

    def sheets(self) -> list[ClothSheet]:
        """The separate pieces; the layer of each is the number of what is worn, from 1."""
        return self._layers[1]

    @functools.cached_property
    def _layers(self) -> tuple[np.ndarray, list[ClothSheet]]:
        place = BodyPoints.of_body()
        off, sheets = np.zeros(len(place.points)), []
        for number, worn in enumerate(self.worn, 1):
            item = worn.item
            if item.zone is not None:
                zone = item.zone(place)
                low = place.down[zone].max(initial=-9.0)
                end = np.clip(1 - (low - place.down) / 0.4, 0, 1) if item.loose else 0.0
                thick = item.thick + item.loose * end
                if item.slot == "hair":
                    thick = thick * np.clip((place.y - anatomy().ear[1] + 0.06) / 0.1, 0.2, 1)
                off = np.where(zone, np.maximum(off + 0.003, thick), off)
            for make in item.pieces:
                room = float(off[_mark_touched(place, make.func.__name__, item.slot)].max(initial=0.0))
                sheets += [replace(sheet, layer=number) for sheet in make(room=room)]
        return off, sheets

    def paint(self, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours (N, 3) in 0..1 and gloss (N,) at surface points given by their marks (N, 7), see garments.MARKS."""
        rgb = np.empty((len(marks), 3), np.float32)
        gloss = np.full(len(marks), 0.03, np.float32)
        layer = np.round(marks[:, 6]).astype(int)
        body = np.flatnonzero(layer == 0)
        rgb[body], gloss[body] = self._paint_body(marks[body])
        for number in np.unique(layer[layer > 0]):
            rows = np.flatnonzero(layer == number)
            rgb[rows] = self._paint_piece(self.worn[number - 1], marks[rows, :3])
            gloss[rows] = self.worn[number - 1].item.gloss
        return rgb, gloss

    def _paint_body(self, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = BodyPoints(marks[:, :3], *marks[:, 3:6].T)
        rgb = np.empty((len(marks), 3), np.float32)
        rgb[:] = self.features.skin
        gloss = np.full(len(marks), 0.12, np.float32)
        face = np.flatnonzero(place.head > 0.5)
        paint_face(self.features, anatomy(), rgb, gloss, place.points[face], face)
        shade = shade_creases(self, place.points)
        for worn in self.worn:
            if worn.item.slot in ("beard", "glasses"):
                self._paint_on_face(worn, Face.of(place), rgb, gloss)
            else:
                self._paint_cloth(worn, place, shade, rgb, gloss)
        return rgb, gloss

    def _paint_cloth(self, worn: WornItem, place: BodyPoints, shade, rgb, gloss) -> None:
        item = worn.item
        zone = np.zeros(len(place.points), bool) if item.zone is None else item.zone(place)
        if zone.any():
            rows = np.flatnonzero(zone)
            points = np.empty((len(rows), 3), place.points.dtype)
            for axis in range(3):  # an axis at a time: numpy is slow where the last one is short
                points[:, axis] = place.points[:, axis][rows]
            if item.slot == "hair":
                colors, factor = self.features.hair[None], shade_strands(self, points)
            else:
                colors, factor = worn.cloth.paint(points), shade[rows]
            for channel in range(3):
                rgb[rows, channel] = colors[:, channel] * factor
            gloss[rows] = item.gloss
        neckline = getattr(item.zone, "neckline", "crew")
        canvas = GarmentCanvas(
            place, zone, worn.cloth, worn.emblem, self.features.skin, self.features.hair, neckline, rgb, gloss
        )
        for name in item.details:
            DETAILS[name](canvas)

    def _paint_on_face(self, worn: WornItem, face: Face, rgb, gloss) -> None:
        for name in worn.item.details:
            if worn.item.slot == "beard":
                where, amount = BEARD_SHAPES[name]
                where = where(face)
                rgb[where] += amount * (0.85 * self.features.hair - rgb[where])
                continue
            dark, tinted = GLASSES_SHAPES[name](face)
            rgb[dark], gloss[dark] = DARK, 0.5
            rgb[tinted] = worn.cloth.colors[0]

    def _paint_piece(self, worn: WornItem, points: np.ndarray) -> np.ndarray:
        if worn.item.slot in ("hair", "beard"):
            return self.features.hair * shade_strands(self, points)[:, None]
        return worn.cloth.paint(points) * shade_creases(self, points)[:, None]


def _mark_touched(place: BodyPoints, kind: str, slot: str) -> np.ndarray:
    """The vertices that a piece must clear."""
    if slot in HEAD_SLOTS:
        return place.head > 0.6
    trunk = (place.arm < 0.5) & (place.head < 0.5)
    return {
        "hanging": trunk & (place.down > -0.4) & (place.down < 0.3),
        "legs": trunk & (place.down > 0.3),
        "sleeves": (place.arm > 0.5) & (place.along > 0.2),
    }.get(kind, trunk & (place.down < -0.2))


def sample_randomized_appearance(seed: int) -> RandomizedAppearance:
    """The character of a randomized shot."""
    rng = random_stream(seed, "outfit")
    skin = _sample_tone(rng, SKINS) * rng.uniform(0.92, 1.05)
    hair = np.array(HAIRS[rng.integers(len(HAIRS))], np.float32) * rng.uniform(0.75, 1.2)
    if rng.random() < 0.12:
        hair = color_of_hsv(rng.random(), rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.9))
    lips = np.clip(skin * (0.92, 0.66, 0.66) + (0.05, 0, 0), 0, 1)
    if rng.random() < 0.15:
        lips = color_of_hsv(rng.uniform(0.92, 1.0), rng.uniform(0.5, 0.9), rng.uniform(0.35, 0.8))
    features = Features(
        np.clip(skin, 0, 1).astype(np.float32), np.array(EYES[rng.integers(len(EYES))], np.float32), lips, hair
    )
    worn = tuple(_sample_worn_item(rng, item) for item in _choose_items(rng))
    return RandomizedAppearance(
        sample_randomized_shape(seed), features, worn, rng.normal(0, 1, (3, 4)).astype(np.float32)
    )


def sample_randomized_shape(seed: int) -> torch.Tensor:
    """The body shape (10) of a randomized shot: up to two and a half standard deviations, 1.45 to 2.0 m tall."""
    rng = random_stream(seed, "rich body shape")
    betas = np.clip(rng.normal(0, 1.1, 10), -2.5, 2.5)
    betas[0] = np.clip(rng.normal(0, 0.4), -0.9, 1.0)  # one unit is 25 cm of height
    return torch.from_numpy(betas.astype(np.float32))


def make_mannequin(*items: Item | str, seed: int = 0) -> RandomizedAppearance:
    """Only these items, by row or by name, on the average body; bald and barefoot otherwise. For looking at them."""
    order = list(WARDROBE)
    rows = [item if isinstance(item, Item) else find_item(item) for item in items]
    rows.sort(key=lambda row: order.index(row.slot))
    rng = random_stream(seed, "mannequin")
    colors = np.array([(0.2, 0.35, 0.75), (0.95, 0.85, 0.2), (0.85, 0.2, 0.2)], np.float32)
    worn = tuple(WornItem(row, Fabric(colors, row.pattern or "plain"), "star") for row in rows)
    skin = np.array(SKINS[2], np.float32)
    features = Features(skin, np.array(EYES[0], np.float32), skin * 0.75, np.array(HAIRS[2], np.float32))
    return RandomizedAppearance(torch.zeros(10), features, worn, 0.3 * rng.normal(0, 1, (3, 4)).astype(np.float32))


def find_item(name: str) -> Item:
    """The row of the wardrobe called `name`."""
    return next(item for rows in WARDROBE.values() for item in rows if item.name == name)


def _sample_tone(rng, tones) -> np.ndarray:
    """A tone between two neighbours of a scale."""
    place = rng.uniform(0, len(tones) - 1)
    first = int(place)
    return np.array(tones[first]) + (place - first) * (np.array(tones[first + 1]) - np.array(tones[first]))


def _choose_items(rng: np.random.Generator) -> list[Item]:
    """What to put on, from the inside out."""
    base = pick_weighted(rng, {"trousers": 5, "skirt": 2, "dress": 2.4, "suit": 1.2})
    slots = ["socks"] if rng.random() < 0.55 else []
    slots += {"trousers": ["trousers", "top"], "skirt": ["top", "skirt"]}.get(base, [base])
    if base == "trousers" and rng.random() < 0.35:
        slots[-2:] = ["top", "trousers"]  # tucked in
    if base == "dress" and rng.random() < 0.15:
        slots.insert(0, "trousers")
    slots += ["shoes", "hair"]
    if base in ("trousers", "suit") and rng.random() < 0.35:
        slots.insert(-1, "beard")
    slots += [slot for slot, chance in CHANCES.items() if rng.random() < chance]
    chosen = {slot: pick_weighted(rng, {item: item.weight for item in WARDROBE[slot]}) for slot in slots}
    if "hat" in chosen and "flat" not in chosen["hair"].fits:
        flat = {item: item.weight for item in HAIR if "flat" in item.fits}
        chosen["hair"] = pick_weighted(rng, flat)
    if "coat" in chosen and "bag" in chosen and chosen["coat"].pieces and base != "trousers":
        del chosen["bag"]
    return list(chosen.values())


def _sample_worn_item(rng: np.random.Generator, item: Item) -> WornItem:
    plain = item.slot in ("shoes", "glasses", "bag", "waist") and rng.random() < 0.75
    cloth = sample_fabric(rng, pattern=item.pattern or ("plain" if plain else None))
    if item.slot == "glasses" and rng.random() < 0.6:
        cloth = replace(cloth, colors=np.stack([np.array(DARK, np.float32), sample_dye(rng), sample_dye(rng)]))
    if item.slot == "shoes":
        cloth = replace(cloth, colors=cloth.colors * np.float32(rng.uniform(0.5, 1.0)))
    if item.tone is not None:
        tint = np.clip(np.array(item.tone, np.float32) * rng.uniform(0.9, 1.05), 0, 1).astype(np.float32)
        cloth = replace(cloth, colors=np.stack([tint, *cloth.colors[1:]]))
    return WornItem(item, cloth, list(EMBLEMS)[rng.integers(len(EMBLEMS))])
