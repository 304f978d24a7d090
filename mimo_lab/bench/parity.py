"""`mimo bench parity`: our networks, windows, regions and pictures against samples of the official release.

A folder of samples (section 11 of the specification) may lack files: what needs them is skipped, and said.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mimo_core.errors import InputError

from . import parity_clips, parity_networks


@dataclass(frozen=True)
class Row:
    """One comparison. `error` is None if the samples for it are absent; then `note` says which."""

    case: str
    error: float | None
    tolerance: float
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.error is None or self.error <= self.tolerance


# What is compared, the files it needs, and the function that yields (case, error, tolerance).
GROUPS: dict[str, tuple[tuple[str, ...], Callable[[Path], Iterator[tuple[str, float, float]]]]] = {
    "scheduler": (("scheduler.safetensors",), parity_networks.scheduler),
    "timesteps": (("fixtures.json",), parity_networks.timesteps),
    "manifest": (("checkpoint_manifest.json",), parity_networks.manifest),
    "pose_guider": (("fixtures.json", "forward.safetensors", "pose_guider.safetensors"), parity_networks.pose_guider),
    "sub": (
        ("fixtures.json", "forward.safetensors", "denoising_unet.safetensors", "motion_module.safetensors"),
        parity_networks.parts,
    ),
    "fwd": (
        ("fixtures.json", "forward.safetensors", "denoising_unet.safetensors", "motion_module.safetensors"),
        parity_networks.forwards,
    ),
    "bank": (("fixtures.json", "forward.safetensors", "reference_unet.safetensors"), parity_networks.banks),
    "run": (
        (
            "fixtures.json",
            "sampling.safetensors",
            "denoising_unet.safetensors",
            "motion_module.safetensors",
            "reference_unet.safetensors",
        ),
        parity_networks.runs,
    ),
    "windows": (("context_windows.json",), parity_clips.windows),
    "roi": (("roi.json",), parity_clips.regions),
    "clean_mask": (("roi.json", "roi_images.npz"), parity_clips.clean_mask_picture),
    "driver": (("roi.json", "roi_images.npz"), parity_clips.driver_runs),
    "prep": (("roi.json", "roi_images.npz"), parity_clips.preparation),
    "decomp": (("decomp.json",), parity_clips.decomposition),
}
NOT_IN_THIS_VERSION = (
    "decomp.full_body_test",
    "decomp.track_points",
    "decomp.occlusion_key_frames",
    "decomp.object_reject",
    "decomp.occluder_selection",
    "decomp.mask_nms",
)


def compare(folder: str | Path) -> list[Row]:
    """Every comparison for which `folder` holds the samples, and a row that says so for every group it does not."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Give the folder that holds fixtures.json.")
    rows = []
    for group, (files, comparisons) in GROUPS.items():
        if absent := [name for name in files if not (folder / name).is_file()]:
            rows.append(Row(group, None, 0.0, f"skipped: {', '.join(absent)} absent"))
        else:
            rows += [Row(case, error, tolerance) for case, error, tolerance in comparisons(folder)]
    rows += [Row(case, None, 0.0, "not in this version") for case in NOT_IN_THIS_VERSION]
    return rows


def add_parity_options(parser) -> None:
    """The options of `mimo bench parity`."""
    parser.add_argument("--fixtures", required=True, metavar="DIR", help="folder of samples of the official release")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run_parity(arguments) -> int:
    """Print one line per case, or one JSON object; 1 if a case is over its tolerance or nothing was compared."""
    rows = compare(arguments.fixtures)
    if arguments.json:
        print(json.dumps({"seeds": None, "size": None, "rows": {row.case: _entry(row) for row in rows}}))
    else:
        for row in rows:
            print(_line(row))
    compared = [row for row in rows if row.error is not None]
    failed = [row for row in compared if not row.ok]
    print(f"{len(compared)} cases compared, {len(failed)} over their tolerance", file=sys.stderr)
    return 1 if failed or not compared else 0


def _entry(row: Row) -> dict:
    value = row.error if row.error is not None and math.isfinite(row.error) else None
    return {"value": value, "target": row.tolerance, "ok": row.ok, "baseline": None, "note": row.note}


def _line(row: Row) -> str:
    if row.error is None:
        return f"{row.case:65} {'-':>9} {'-':>9}  {row.note}"
    return f"{row.case:65} {row.error:9.2g} {row.tolerance:9.2g}  {'ok' if row.ok else 'OVER'}"
