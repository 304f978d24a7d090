"""`mimo bench real DIR`: the whole job on real clips, as sheets to look at and a table.

Real clips have no exact truth. The sheets are the measure: one a clip, eight frames from source to result, with crops
of hands, feet and face at full size. The numbers guard them. Outlines drawn by hand give the masks a truth in a few
frames, see `real_outlines`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from mimo_core.cli.terminal import print_lines
from mimo_core.errors import InputError

from .real_job import RealJob, run_job
from .real_measures import UNITS, measure_result


CLIP_SUFFIXES = (".mp4", ".mov", ".webm", ".mkv", ".gif")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
OUTLINES = Path(__file__).parents[2] / "tests" / "data" / "real_outlines.json"


def add_real_options(parser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="with videos in it or in clips/, pictures likewise or "
        "in characters/")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="draw one sheet a clip into this folder")
    parser.add_argument("--clips", metavar="A,B", help="names of the clips, without suffix; default all")
    parser.add_argument(
        "--pair", action="append", default=[], metavar="CLIP=CHARACTER", help="names without suffix; else in order"
    )
    parser.add_argument("--step", type=int, default=1, help="measure every n-th frame, default all")
    parser.add_argument("--frames", type=int, default=120, help="frames of a clip at most, default %(default)s")
    parser.add_argument("--side", type=int, default=640, help="pixels of the longer side at most, default %(default)s")
    parser.add_argument("--outlines", type=Path, default=OUTLINES, metavar="JSON", help="outlines drawn by hand")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run_real(arguments) -> int:
    rows = {}
    for job in plan_jobs(arguments):
        rows[job.clip.stem] = _measure_apart(job)
        shown = ", ".join(f"{name} {_format(value)}" for name, value in rows[job.clip.stem].items())
        print_lines(f"{job.clip.stem}, {job.character.stem}: {shown}")
    if arguments.json:
        known = {
            clip: {k: None if math.isnan(v) else round(v, 4) for k, v in row.items()} for clip, row in rows.items()
        }
        print(json.dumps({"clips": known}))
    else:
        print("\n".join(format_table(rows)))
    return 0


def plan_jobs(arguments) -> list[RealJob]:
    """The jobs of a folder of clips and characters, which are paired in order. InputError where there are none."""
    clips = _list_files(arguments.folder, "clips", CLIP_SUFFIXES)
    characters = _list_files(arguments.folder, "characters", PICTURE_SUFFIXES)
    wanted = {} if not arguments.clips else dict.fromkeys(arguments.clips.split(","))
    unknown = [name for name in wanted if name not in clips]
    if unknown:
        raise InputError(f"{arguments.folder} has no clip {unknown[0]!r}. Clips: {', '.join(clips)}.")
    pairs = dict(zip(clips, [name for _ in clips for name in characters], strict=False))
    pairs |= dict(_parse_pair(text, clips, characters) for text in arguments.pair)
    outlines = arguments.outlines if arguments.outlines.is_file() else None
    return [
        RealJob(
            path,
            characters[pairs[name]],
            None if arguments.out is None else arguments.out / f"{name}.png",
            max(1, arguments.step),
            arguments.frames,
            arguments.side,
            outlines,
        )
        for name, path in clips.items()
        if not wanted or name in wanted
    ]


def format_table(rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A markdown table, one row a measure and one column a clip, and the mean of what is known."""
    names = list(rows)
    lines = [f"| | {' | '.join(names)} | mean |", "| --- |" + " --- |" * (len(names) + 1)]
    for measure in UNITS:
        values = [rows[name][measure] for name in names]
        known = [value for value in values if not math.isnan(value)]
        mean = sum(known) / len(known) if known else math.nan
        lines.append(f"| {measure} | {' | '.join(map(_format, [*values, mean]))} |")
    lines += [f"{measure}: {unit}" for measure, unit in UNITS.items() if unit]
    return lines


def _format(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def _list_files(folder: Path, inner: str, suffixes: Sequence[str]) -> dict[str, Path]:
    """Files of a folder, or of the folder in it that is named `inner`, by their names without suffix."""
    place = folder / inner if (folder / inner).is_dir() else folder
    files = sorted(path for path in place.glob("*") if path.suffix.lower() in suffixes)
    if not files:
        raise InputError(f"{place} has no files that end in {', '.join(suffixes)}. Put the {inner} there.")
    return {path.stem: path for path in files}


def _parse_pair(text: str, clips: Mapping, characters: Mapping) -> tuple[str, str]:
    clip, _, character = text.partition("=")
    if clip not in clips or character not in characters:
        raise InputError(
            f"--pair wants CLIP=CHARACTER, got {text!r}. Clips: {', '.join(clips)}; characters: "
            f"{', '.join(characters)}."
        )
    return clip, character


def _measure_apart(job: RealJob) -> dict[str, float]:
    """The row of a job, all lost if refused, from a process of its own, so that the peak of memory is the job's."""
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(measure_job, job).result()
    except InputError as refused:
        print_lines(f"{job.clip.stem}: {refused}")
        return dict.fromkeys(UNITS, math.nan) | {"lost": 100.0}


def measure_job(job: RealJob) -> dict[str, float]:
    """Do one job, draw its sheet, and measure it: the rows of `UNITS`."""
    from .real_sheet import write_sheet

    result = run_job(job)
    row = measure_result(result)
    if job.sheet is not None:
        write_sheet(job.sheet, result)
    return row
