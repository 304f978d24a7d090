"""The detail network: what is drawn, put right by the layers that it was drawn from.

It learns from clips that the other networks have drawn beforehand, once: drawing costs far more than a step here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mimo_core.denoise.detail import DetailNetwork
from mimo_core.output import whole_file
from mimo_core.progress import Progress, silent

from .autoencoder import normalize_pictures, psnr_of_error
from .drawing import DrawingStage, measure_unsteadiness
from .latents import read_maker
from .loop import Step
from .picture_loss import PictureLoss
from .samples import SHARD, Shards


CROP = 128  # pixels
NEIGHBORS = 2  # neighbouring frames
DETAIL_LOOKS = 3.0  # how much more looks count: sharper, and the person as near to the truth
CHANGE_WEIGHT = 0.3  # of the error of the difference between neighbouring frames
NEAR_PERSON = 0.8  # share of the crops around some of the person
GAIN, OFFSET = 0.25, 0.15  # how far the colours of a crop are changed at most, the same in all of its pictures
SWAPPED = 0.3  # share of the crops whose color channels change places
SHOWN = 6  # clips
NAMES = ("drawn", "plate", "proxy", "frames")
DRAWN_FILE = "drawn-{:05d}.safetensors"
DRAWER_KEY = "mimo_drawer"  # in the head of a file: of which networks its pictures are


def draw_shards(
    folder: Path,
    stage: DrawingStage,
    device: torch.device,
    *,
    key: str,
    part: tuple[int, int] = (0, 1),
    progress: Progress = silent,
) -> None:
    """Let the networks of a stage draw all samples of a folder, and write the pictures beside them.

    Files with the same key, a name for the networks, and as many samples are kept.
    part: (this worker, number of workers); workers share the files out among them
    """
    from safetensors.torch import save_file

    first, latents = 0, stage.data
    for number, path in enumerate(_list_shards(folder)):
        out, count = path.with_name(DRAWN_FILE.format(number)), len(Shards.of_files([path]))
        is_there = read_maker(out, DRAWER_KEY) == key and _count_drawn(out) == count
        if number % part[1] == part[0] and not is_there:
            drawn = []
            for row in range(first, first + count):
                batch = stage.make_batch([(row, list(range(latents.frames)))], device)
                drawn.append(stage.draw_batch(batch, seed=row).cpu())
                progress(row + 1, len(latents))
            with whole_file(out) as partial:
                save_file({"drawn": torch.stack(drawn).contiguous()}, partial, metadata={DRAWER_KEY: key})
        first += count


class DrawnClips:
    """The samples of a folder with what the networks drew of them, under the name `drawn`."""

    def __init__(self, folder: Path):
        from safetensors import safe_open

        paths = _list_shards(folder)
        self._shards, self._places = Shards.of_files(paths), []
        for number, path in enumerate(paths):
            out = path.with_name(DRAWN_FILE.format(number))
            file = safe_open(out, "np")
            self._places += [(file, row) for row in range(_count_drawn(out))]

    def __len__(self) -> int:
        return len(self._shards)

    def read(self, number: int, name: str, frames: slice | list[int]) -> np.ndarray:
        """Some frames of an array of a sample."""
        if name != "drawn":
            return self._shards.read(number, name, frames)
        file, row = self._places[number]
        return file.get_slice(name)[row : row + 1][0][frames]


def _count_drawn(path: Path) -> int:
    """How many samples a file of drawn pictures is of."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return file.get_slice("drawn").get_shape()[0]


def _list_shards(folder: Path) -> list[Path]:
    return sorted(Path(folder).glob(SHARD.format(0).replace("00000", "*")))


class DetailStage:
    """Teaches a `DetailNetwork` on squares of drawn clips, two neighbouring frames at a time."""

    name = "detail"

    def __init__(self, clips: DrawnClips, network: DetailNetwork, *, batch: int, picture_loss: PictureLoss):
        self.clips, self.batch, self.picture_loss = clips, batch, picture_loss
        self.network = network.requires_grad_(True)

    def loss(self, step: Step) -> tuple[Tensor, Mapping[str, Tensor]]:
        numbers = step.integers(len(self.clips), self.batch).tolist()
        crops = [self._crop(number, step) for number in numbers]
        parts = [torch.cat(part).to(step.device) for part in zip(*crops, strict=True)]
        drawn, plate, proxy, wanted, body_code, person = parts
        found = self.network(drawn, plate, proxy, body_code).float()
        steady = measure_unsteadiness(found, wanted, person, together=NEIGHBORS)
        loss = self.picture_loss(found, wanted, person) + CHANGE_WEIGHT * steady
        with torch.no_grad():
            levels = {
                name: psnr_of_error(((picture - wanted).square() * person).sum() / (3 * person.sum() + 1e-6))
                for name, picture in (("PSNR of persons", found), ("PSNR of persons as drawn", drawn))
            }
        return loss, levels | {"steady": steady.detach()}

    @torch.no_grad()
    def pictures(self) -> Tensor:
        """Of some clips: proxy, drawn, with detail, and true."""
        rows = []
        for number in np.linspace(0, len(self.clips) - 1, SHOWN).astype(int).tolist():
            names = (*NAMES, "body_code")
            drawn, plate, proxy, wanted, body_code = (
                normalize_pictures(self._read(number, name, [0])) for name in names
            )
            device = next(self.network.parameters()).device
            found = self.network(*(part.to(device) for part in (drawn, plate, proxy, body_code))).float().cpu()
            rows.append(torch.cat([proxy, drawn, found, wanted], 3)[0])
        return (torch.cat(rows, 1) / 2 + 0.5).clamp(0, 1)

    def _read(self, number: int, name: str, frames: list[int]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.clips.read(number, name, frames)))

    def _crop(self, number: int, step: Step) -> list[Tensor]:
        """Drawn, plate, proxy, true, body code (n, 3, C, C) in -1..1 and where the person is, (n, 1, C, C)."""
        count = len(self.clips.read(number, "visible", slice(None)))
        first = int(step.integers(count - NEIGHBORS + 1, 1))
        frames = list(range(first, first + NEIGHBORS))
        visible = self._read(number, "visible", frames)
        top, left = _choose_corner(visible[0].numpy(), step)
        cut = np.s_[:, top : top + CROP, left : left + CROP]
        pictures = [normalize_pictures(self._read(number, name, frames)[cut]) for name in NAMES]
        body_code = normalize_pictures(self._read(number, "body_code", frames)[cut])
        parts = [*_vary_colors(pictures, step), body_code, visible[cut][:, None].float() / 255]
        return [part.flip(-1) for part in parts] if int(step.integers(2, 1)) else parts


def _choose_corner(visible: np.ndarray, step: Step) -> tuple[int, int]:
    """Upper left corner of a crop: mostly somewhere around a pixel of the person."""
    last = max(len(visible) - CROP, 0)
    rows, columns = np.nonzero(visible > 127)
    if not len(rows) or float(step.uniform(1)) > NEAR_PERSON:
        return tuple(step.integers(last + 1, 2).tolist())
    chosen, moves = int(step.integers(len(rows), 1)), step.integers(CROP, 2).tolist()
    return tuple(min(max(int(at[chosen]) - move, 0), last) for at, move in zip((rows, columns), moves, strict=True))


def _vary_colors(pictures: list[Tensor], step: Step) -> list[Tensor]:
    """The pictures of a crop with other colors, the same in all of them."""
    gain = 1 + GAIN * (2 * step.uniform(1, 3, 1, 1).cpu() - 1)
    offset = OFFSET * (2 * step.uniform(1, 3, 1, 1).cpu() - 1)
    order = torch.randperm(3, generator=step.generator) if float(step.uniform(1)) < SWAPPED else torch.arange(3)
    return [(picture[:, order] * gain + offset).clamp(-1, 1) for picture in pictures]
