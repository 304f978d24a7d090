"""`mimo bench fuzz`: damaged and hostile files of every kind, read under limits of memory, time, files and handles.

A seed is one input: a kind, one of its whole files, and one to four mutations of it. Inputs are read in a process of
their own, so that one that crashes it is found and the others go on.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import multiprocessing
import os
import pickle
import random
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from mimo_core.errors import InputError

from .table import BenchRow, parse_seeds, report_rows


LONGEST = 20  # seconds for an input
MOST_MEMORY = 1 << 30  # bytes that an input may add to the process
MOST_HANDLES = 64  # open files above those of the process
LARGEST_WRITTEN = 256 << 20  # bytes of a file that the process may write
START_METHOD = "spawn"  # a fork of a process in which torch has threads hangs or crashes
READ, REFUSED, FAULT, HANG, CRASH, MEMORY, ESCAPE = "read", "refused", "fault", "hang", "crash", "memory", "escape"
OUTCOMES = (READ, REFUSED, FAULT, HANG, CRASH, MEMORY, ESCAPE)
EXTREMES = (0, 1, -1, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, 0x7FC00000, 0x7F800000)
WORDS = (b"NaN", b"-1", b"0", b"1e999", b"99999999999999999999", b"null", b"[]", b"{}", b'"x"', b"../../../x", b"\0")


def add_fuzz_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", default="0-999", help="first and last seed, one an input; default %(default)s")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), help="default: all")
    parser.add_argument("--guided", choices=list(KINDS), help="let atheris look for new paths in the reader of a kind")
    parser.add_argument("--minutes", type=float, default=0, help="stop after so many; 0 = when all seeds are done")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run_fuzz(options) -> int:
    """Read the inputs of all seeds; the exit code is 1 if one did anything but be read or refused."""
    if options.guided:
        return _run_guided(options.guided, options.minutes or 1.0)
    seeds = parse_seeds(options.seeds)
    end = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    found = fuzz_readers(seeds, tuple(options.kinds or KINDS), end=end)
    bad = {name: sum(counts[name] for counts in found.values()) for name in OUTCOMES[2:]}
    rows = {f"{kind} {name}": BenchRow(counts[name], None) for kind, counts in found.items() for name in OUTCOMES}
    rows |= {f"all {name}": BenchRow(number, 0, at_most=True) for name, number in bad.items()}
    rows["inputs"] = BenchRow(sum(sum(counts.values()) for counts in found.values()), None)
    return report_rows(rows, seeds, 0, as_json=options.json)


def _run_guided(kind: str, minutes: float) -> int:
    """Let atheris change inputs by the paths they take through our readers, until the time is over or one crashes.

    Raises InputError where atheris is not installed.
    """
    try:
        import atheris
    except ImportError:
        raise InputError("atheris is not installed: pip install atheris") from None
    with tempfile.TemporaryDirectory(prefix="mimo-fuzz-") as folder:
        corpus, place = _make_folder(folder, "corpus"), _make_folder(folder, "input")
        originals = KINDS[kind][0](_make_folder(folder, kind))
        files = [file for path in originals for file in (path.iterdir() if path.is_dir() else [path])]
        suffixes = sorted({file.suffix for file in files})
        for number, file in enumerate(files):  # the first byte says the suffix
            (corpus / str(number)).write_bytes(bytes([suffixes.index(file.suffix)]) + file.read_bytes())
        for name in [name for name in sys.modules if name.partition(".")[0] == "mimo_core"]:
            del sys.modules[name]  # so that it is imported anew, with marks on every path
        with atheris.instrument_imports(include=["mimo_core"]):
            refused = importlib.import_module("mimo_core.errors").InputError
            for module in ("motion.files", "media.clip", "denoise.state_files", "scene.template", "scene.strokes"):
                importlib.import_module(f"mimo_core.{module}")

        def read_one(data: bytes) -> None:
            path = place / f"input{suffixes[(data[0] if data else 0) % len(suffixes)]}"
            path.write_bytes(data[1:])
            with contextlib.suppress(refused):
                KINDS[kind][1](path)

        # libFuzzer ends the process, with 0 when the time is over and nothing was found.
        atheris.Setup(
            [sys.argv[0], f"-max_total_time={int(60 * minutes)}", "-rss_limit_mb=4096", str(corpus)], read_one
        )
        atheris.Fuzz()
    return 0


def fuzz_readers(seeds: range, kinds: tuple[str, ...], *, end: float = float("inf")) -> dict[str, Counter]:
    """How many inputs of each kind were read, refused, or worse. Faults are told on stderr with their seed."""
    found = {kind: Counter() for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="mimo-fuzz-") as folder:
        originals = {kind: KINDS[kind][0](_make_folder(folder, kind)) for kind in kinds}
        waiting = iter(seeds)
        seed = next(waiting, None)
        while seed is not None and time.monotonic() < end:
            seed = _run_worker(seed, waiting, originals, Path(folder), found, end)
    return found


def _make_folder(folder: str, name: str) -> Path:
    made = Path(folder, name)
    made.mkdir()
    return made


def _run_worker(seed: int, waiting: Iterator[int], originals, folder: Path, found: dict, end: float) -> int | None:
    """Feed seeds to one process until it dies or all are done; returns the next seed."""
    context = multiprocessing.get_context(START_METHOD)
    ours, theirs = context.Pipe()
    worker = context.Process(target=_serve_inputs, args=(theirs, originals, str(folder)))
    worker.start()
    theirs.close()
    kinds = tuple(originals)
    try:
        while seed is not None and time.monotonic() < end:
            kind = kinds[seed % len(kinds)]
            ours.send(seed)
            try:
                outcome, text = ours.recv() if ours.poll(LONGEST + 10) else (HANG, "no answer")
            except EOFError:
                worker.join()
                outcome, text = CRASH, f"the process ended with {worker.exitcode}"
            found[kind][outcome] += 1
            if outcome not in (READ, REFUSED):
                print(f"seed {seed}, {kind}: {outcome}: {text}", file=sys.stderr)
            seed = next(waiting, None)
            if outcome in (HANG, CRASH, MEMORY):
                break
    finally:
        if worker.is_alive():
            worker.kill()
        worker.join()
        ours.close()
    return seed


def _serve_inputs(pipe, originals: dict, folder: str) -> None:
    os.chdir(folder)
    with contextlib.suppress(OSError):  # FFmpeg's own messages
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _set_limits()
    while True:
        try:
            seed = pipe.recv()
        except EOFError:
            return
        pipe.send(_try_input(seed, originals, Path(folder)))


def _set_limits() -> None:
    import resource

    handles = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 256
    resource.setrlimit(resource.RLIMIT_NOFILE, (handles + MOST_HANDLES,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_WRITTEN, LARGEST_WRITTEN))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


class _TooLongError(BaseException):
    """An input took longer than it may. Nothing that catches errors may catch it."""


def _try_input(seed: int, originals: dict, folder: Path) -> tuple[str, str]:
    kinds = tuple(originals)
    kind = kinds[seed % len(kinds)]
    source = random.Random(seed)
    original = source.choice(originals[kind])
    place = folder / "input"
    target = place / original.name
    place.mkdir(exist_ok=True)
    if original.is_dir():
        mutate_folder(source, original, target)
    else:
        target.write_bytes(mutate_bytes(source, original.read_bytes()))
    _used_memory()
    before, used = _list_states(folder), _used_memory()
    outcome = _read_within_limits(KINDS[kind][1], target)
    grown = _used_memory() - used
    if grown > MOST_MEMORY:
        outcome = MEMORY, f"{grown / 2**20:.0f} MB"
    if _list_states(folder) != before:
        outcome = ESCAPE, "files were written or changed"
    _remove_entry(target)
    return outcome


def _read_within_limits(read: Callable[[Path], None], target: Path) -> tuple[str, str]:
    def stop(*_):
        raise _TooLongError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        read(target)
    except InputError as error:
        return REFUSED, str(error)
    except _TooLongError:
        return HANG, f"longer than {LONGEST} s"
    except MemoryError:
        return MEMORY, "no memory"
    except Exception as error:  # noqa: BLE001 - what is looked for
        return FAULT, f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.alarm(0)
    return READ, ""


def _used_memory() -> int:
    """Bytes that the process had resident at most since this was last called; elsewhere than on Linux, ever."""
    import resource

    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if reset.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        reset.write_text("5")
        return int(peak.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _list_states(folder: Path) -> set[tuple]:
    found = set()
    for path in (*folder.rglob("*"), *folder.parent.glob("x*")):
        state = path.lstat()
        found.add((str(path), state.st_size, state.st_mtime_ns))
    return {entry for entry in found if not Path(entry[0]).is_dir()}


def _remove_entry(path: Path) -> None:
    import shutil

    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def mutate_folder(source: random.Random, original: Path, target: Path) -> None:
    """A copy of a folder of which one or two files are mutated, absent, or links to elsewhere."""
    target.mkdir()
    files = sorted(original.iterdir())
    changed = source.sample(files, k=min(len(files), source.randint(1, 2)))
    for file in files:
        copy, content = target / file.name, file.read_bytes()
        if file not in changed:
            copy.write_bytes(content)
        elif (way := source.random()) < 0.1:
            copy.symlink_to("/dev/zero" if way < 0.05 else "/etc/passwd")
        elif way > 0.15:
            copy.write_bytes(mutate_bytes(source, content))


def mutate_bytes(source: random.Random, content: bytes) -> bytes:
    """One to four mutations of a file."""
    changed = bytearray(content)
    for _ in range(source.randint(1, 4)):
        source.choice(MUTATIONS)(source, changed)
    return bytes(changed)


def _flip_bits(source: random.Random, content: bytearray) -> None:
    for _ in range(source.choice((1, 3, 20, 200))):
        if content:
            content[_pick_place(source, content)] ^= 1 << source.randrange(8)


def _set_number(source: random.Random, content: bytearray) -> None:
    """An extreme number over four or eight bytes, little or big endian."""
    place, value = _pick_place(source, content), source.choice(EXTREMES)
    kind = source.choice(("<i", ">i", "<q", ">q"))
    size = struct.calcsize(kind)
    content[place : place + size] = (value % (1 << 8 * size)).to_bytes(size, "little" if kind[0] == "<" else "big")


def _cut_end(source: random.Random, content: bytearray) -> None:
    del content[_pick_place(source, content) :]


def _cut_middle(source: random.Random, content: bytearray) -> None:
    place = _pick_place(source, content)
    del content[place : place + source.choice((1, 4, 100, 5000))]


def _repeat_piece(source: random.Random, content: bytearray) -> None:
    place, size = _pick_place(source, content), source.choice((1, 16, 500, 4000))
    content[place:place] = content[place : place + size] * source.choice((1, 2, 20))


def _swap_pieces(source: random.Random, content: bytearray) -> None:
    size = source.choice((4, 64, 1000))
    a, b = sorted(_pick_place(source, content) for _ in range(2))
    if b - a >= size:
        content[a : a + size], content[b : b + size] = content[b : b + size], content[a : a + size]


def _blank_piece(source: random.Random, content: bytearray) -> None:
    place = _pick_place(source, content)
    size = min(source.choice((4, 64, 4000)), len(content) - place)
    content[place : place + size] = bytes([source.choice((0, 255, 32))]) * size


def _put_word(source: random.Random, content: bytearray) -> None:
    """A word where a number of a text may stand."""
    digits = [k for k in range(min(len(content), 20000)) if 48 <= content[k] <= 57]
    place = source.choice(digits) if digits else _pick_place(source, content)
    content[place : place + source.choice((0, 1))] = source.choice(WORDS)


def _nest_deeply(source: random.Random, content: bytearray) -> None:
    place = _pick_place(source, content)
    content[place:place] = source.choice((b"[", b"{", b'{"a":', b"(", b"JOINT a { ")) * source.choice((10, 2000, 50000))


def _pick_place(source: random.Random, content: bytearray) -> int:
    """A place in a file, of which the head is looked at more closely."""
    if not content:
        return 0
    return source.randrange(len(content) if source.random() < 0.5 else min(len(content), source.choice((64, 1024))))


MUTATIONS = (
    _flip_bits, _flip_bits, _set_number, _set_number, _cut_end, _cut_middle, _repeat_piece, _swap_pieces, _blank_piece,
    _put_word, _nest_deeply,
)  # fmt: skip


def _make_pictures(count: int = 10) -> list[np.ndarray]:
    frames = []
    for number in range(count):
        frame = np.full((48, 64, 3), 60, np.uint8)
        frame[16:32, 3 * number : 3 * number + 16] = (200, 180, 160)
        frames.append(frame)
    return frames


def _encode_video(path: Path, codec: str, pixels: str, sound: str = "", form: str | None = None) -> Path:
    import av

    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        track = container.add_stream(sound, rate=48000) if sound else None
        for number, picture in enumerate(_make_pictures()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if track:
            tone = np.sin(np.arange(20000) / 20).astype(np.float32)[None].repeat(2, 0)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
            container.mux(track.encode(frame))
            container.mux(track.encode())
    return path


def _make_videos(folder: Path) -> list[Path]:
    from PIL import Image

    files = [
        _encode_video(folder / "a.mp4", "libx264", "yuv420p", "aac"),
        _encode_video(folder / "b.mkv", "libx264", "yuv420p", "flac"),
        _encode_video(folder / "c.ts", "mpeg2video", "yuv420p", "mp2"),
        _encode_video(folder / "d.avi", "mpeg4", "yuv420p", "libmp3lame"),
        _encode_video(folder / "e.webm", "libvpx", "yuv420p", "libopus"),
        _encode_video(folder / "f.mov", "mjpeg", "yuvj420p", "pcm_s16le"),
        _encode_video(folder / "g.flv", "flv", "yuv420p"),
        _encode_video(folder / "h.gif", "gif", "rgb8"),
    ]
    pictures = [Image.fromarray(picture) for picture in _make_pictures()]
    pictures[0].save(folder / "i.webp", save_all=True, append_images=pictures[1:], duration=40)
    return [*files, folder / "i.webp"]


def _read_video(path: Path) -> None:
    from mimo_core.media.clip import Clip
    from mimo_core.media.sound import read_blocks

    clip = Clip.from_file(path)
    for _ in clip.read(0, min(len(clip), 200)):
        pass
    clip[len(clip) // 2]
    if clip.sound:
        for _, _ in zip(range(500), read_blocks(clip.sound, 48000, 2), strict=False):
            pass


def _make_stills(folder: Path) -> list[Path]:
    from PIL import Image

    picture = Image.fromarray(_make_pictures(1)[0])
    for suffix in ("png", "jpg", "webp", "bmp", "tif"):
        picture.save(folder / f"a.{suffix}")
    Image.fromarray(np.arange(3072, dtype=np.uint16).reshape(48, 64) * 20).save(folder / "deep.png")
    return sorted(folder.iterdir())


def _read_still(path: Path) -> None:
    from mimo_core.media.picture import read_picture

    read_picture(path)


def _make_motions(folder: Path) -> list[Path]:
    import torch

    from mimo_core.motion.files import open_motion, save_motion

    motion = open_motion("bow")
    for suffix in ("npz", "safetensors", "bvh", "glb"):
        save_motion(folder / f"a.{suffix}", motion)
    person = motion.person
    arrays = {"global_orient": person.global_orient, "body_pose": person.body_pose[:, :63], "transl": person.transl}
    arrays["betas"] = person.betas.expand(len(person.transl), -1).clone()
    tree = {"smpl_params_global": arrays, "smpl_params_incam": arrays, "K_fullimg": torch.eye(3)}
    torch.save(tree, folder / "b.pt")
    (folder / "c.pkl").write_bytes(pickle.dumps(tree))
    numbers = {name: values.numpy() for name, values in arrays.items()}
    (folder / "d.pkl").write_bytes(pickle.dumps({"smpl_params_global": numbers}, protocol=5))
    return sorted(folder.iterdir())


def _read_motion(path: Path) -> None:
    from mimo_core.motion.files import load_motion

    load_motion(path)


def _make_weights(folder: Path) -> list[Path]:
    import torch
    from safetensors.torch import save_file

    state = {f"blocks.{number}.weight": torch.randn(8, 8) for number in range(6)}
    save_file(state, folder / "a.safetensors", metadata={"mimo": "{}"})
    torch.save({"state_dict": state}, folder / "b.pth")
    torch.save(state, folder / "c.ckpt")
    return sorted(folder.iterdir())


def _read_weights(path: Path) -> None:
    from mimo_core.denoise.state_files import read_metadata, read_tensors

    for tensor in read_tensors(path).values():
        tensor.sum()
    if path.suffix == ".safetensors":
        read_metadata(path)


def _make_templates(folder: Path) -> list[Path]:
    from mimo_core.media.clip import Clip, Masks
    from mimo_core.scene.scene import Scene
    from mimo_core.scene.template import save_template

    clip = Clip.from_array(np.stack(_make_pictures()), 30)
    save_template(folder / "a", Scene(clip, clip, *(Masks.constant(0, 10, 48, 64),) * 2), clip)
    return [folder / "a"]


def _read_template(path: Path) -> None:
    from mimo_core.scene.template import load_template

    scene, _ = load_template(path)
    scene.source[0]


def _make_strokes(folder: Path) -> list[Path]:
    strokes = [["person", 1, "add", 8, [[3, 4], [10, 12]]], ["occluder", 2, "remove", 2.5, [[9, 9]]]]
    (folder / "a.json").write_text(json.dumps(strokes))
    return sorted(folder.iterdir())


def _read_strokes(path: Path) -> None:
    from mimo_core.scene.strokes import read_strokes

    read_strokes(path.read_text("utf-8", errors="replace"), 10)


KINDS: dict[str, tuple[Callable[[Path], list[Path]], Callable[[Path], None]]] = {
    "video": (_make_videos, _read_video),
    "picture": (_make_stills, _read_still),
    "motion": (_make_motions, _read_motion),
    "weights": (_make_weights, _read_weights),
    "template": (_make_templates, _read_template),
    "strokes": (_make_strokes, _read_strokes),
}
