"""The page itself, made of gradio's components: upload, run, look, download."""

from __future__ import annotations

import inspect
import os
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..example import example_shots
from ..motion.builtin import builtin_names
from ..output import make_temporary_folder
from ..progress import Progress
from .job import (
    CLIP,
    COLOR,
    MOTION_FILE,
    MOTION_KINDS,
    OWN_SCENE,
    PICTURE,
    SCENE_KINDS,
    SHIPPED,
    PageRequest,
    run_page_job,
)
from .uploads import MOTION_SUFFIXES, USUAL_LIMITS, Limits


TITLE = "MIMO: any character, any motion, any scene"
WAITING = 8  # jobs that may wait
KEPT_SECONDS = 3600  # that files of a visitor stay
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}  # none from the network
SAID = (
    "One picture of a character, a clip or a motion: the character takes the place of the person, behind whatever "
    "passes in front. At most {seconds:g} seconds and {side} pixels; more is cut or scaled down. Files of up to "
    "{megabytes} MB. They are deleted within an hour, and nobody else sees them."
)


class Cancelled(Exception):
    """The visitor pressed Stop."""


@dataclass(eq=False)
class Demo:
    """What all visitors share: the folder of uploads, the limits, and who has asked to stop."""

    folder: Path
    limits: Limits
    make_decoder: Callable[[], object] = lambda: None  # None draws by the proxy
    stops: dict[str, threading.Event] = field(default_factory=dict)

    def run(self, visitor: str, request: PageRequest, show: Callable[[str, int, int], None]):
        """Do one job in a folder of its own. Raises InputError, or Cancelled when the visitor stops it."""
        stop = self.stops[visitor] = threading.Event()
        folder = self.folder / "results" / uuid.uuid4().hex
        folder.mkdir(parents=True)

        def progress_of(stage: str) -> Progress:
            def progress(done: int, total: int, preview=None) -> None:
                if stop.is_set():
                    raise Cancelled
                show(stage, done, total)

            return progress

        try:
            decoder = self.make_decoder()
            return run_page_job(
                request, self.folder, folder, limits=self.limits, decoder=decoder, progress_of=progress_of
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self.stops.pop(visitor, None)

    def stop(self, visitor: str) -> None:
        """Ask a visitor's job to stop at its next frame."""
        if visitor in self.stops:
            self.stops[visitor].set()


def make_demo(limits: Limits = USUAL_LIMITS, make_decoder: Callable[[], object] = lambda: None) -> Demo:
    """A demo with a temporary folder of its own, where gradio puts uploads. Raises InputError without gradio."""
    folder = make_temporary_folder("web")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio  # noqa: F401 - it reads the variables when it is imported
    except ImportError:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError("The page needs gradio: pip install 'mimo-character[demo]'") from None
    return Demo(folder, limits, make_decoder)


def build_page(demo: Demo):
    """The page as gradio Blocks, with its queue."""
    import gradio

    look = {"theme": gradio.themes.Soft(**FONTS)}
    here = look if "theme" in inspect.signature(gradio.Blocks.__init__).parameters else {}
    with gradio.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, KEPT_SECONDS), **here) as page:
        said = SAID.format(**vars(demo.limits))
        gradio.Markdown(f"# {TITLE}\n\n{said}")
        with gradio.Row():
            with gradio.Column():
                inputs = _lay_out_inputs(gradio)
                with gradio.Row():
                    run = gradio.Button("Run", variant="primary", elem_id="run")
                    stop = gradio.Button("Stop", elem_id="stop")
            with gradio.Column():
                outputs = _lay_out_outputs(gradio)
        _connect(gradio, demo, inputs, outputs, run, stop)
    page.queue(max_size=WAITING, default_concurrency_limit=1)
    page.look = {} if here else look
    return page


def serve_page(demo: Demo, *, host: str, port: int, block: bool = True) -> str:
    """Serve the page until Ctrl-C and remove the files of all visitors; with `block` False, until the process ends.

    Raises InputError for a port that is taken.
    """
    page = build_page(demo)
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port,
            share=False,
            prevent_thread_lock=not block,
            max_file_size=f"{demo.limits.megabytes}mb",
            allowed_paths=[],
            enable_monitoring=False,
            show_error=True,
            **page.look,
        )
    except OSError as error:
        raise InputError(f"Port {port} is taken: {error}. Give another one by --port.") from error
    finally:
        if block:
            shutil.rmtree(demo.folder, ignore_errors=True)
    return url


def _lay_out_inputs(gradio) -> list:
    """The components of PageRequest, in the order of its fields."""
    gradio.Markdown("### 1. Character")
    character = gradio.Image(label="A picture of the character", type="filepath", sources=["upload"], height=260)
    gradio.Markdown("### 2. Motion")
    motion_kind = gradio.Radio(MOTION_KINDS, value=CLIP, label="The character does what is shown by")
    video = gradio.Video(label="A clip with one person", sources=["upload"], height=260)
    shipped = gradio.Dropdown(list(builtin_names()), value="walk", label="A motion that ships", visible=False)
    motion_file = gradio.File(
        label=f"A motion file ({', '.join(MOTION_SUFFIXES)})",
        type="filepath",
        file_types=list(MOTION_SUFFIXES),
        visible=False,
    )
    gradio.Markdown("### 3. Scene")
    scene_kind = gradio.Radio(SCENE_KINDS, value=OWN_SCENE, label="Where it happens")
    picture = gradio.Image(
        label="A picture of the scene", type="filepath", sources=["upload"], height=200, visible=False
    )
    color = gradio.ColorPicker(value="#ffffff", label="A color", visible=False)

    def show_motion(kind: str):
        scenes = SCENE_KINDS if kind == CLIP else (PICTURE, COLOR)  # a motion brings no scene
        shown = [gradio.update(visible=kind == name) for name in (CLIP, SHIPPED, MOTION_FILE)]
        return [*shown, gradio.update(choices=list(scenes), value=scenes[0] if kind == CLIP else COLOR)]

    def show_scene(kind: str):
        return [gradio.update(visible=kind == name) for name in (PICTURE, COLOR)]

    motion_kind.change(
        show_motion, motion_kind, [video, shipped, motion_file, scene_kind], queue=False, show_progress="hidden"
    )
    scene_kind.change(show_scene, scene_kind, [picture, color], queue=False, show_progress="hidden")
    return [character, motion_kind, video, shipped, motion_file, scene_kind, picture, color]


def _lay_out_outputs(gradio) -> list:
    """The components of a result: video, notes, layers, workflow."""
    video = gradio.Video(label="Result", interactive=False, elem_id="result", height=360)
    notes = gradio.Markdown("", elem_id="notes")
    layers = gradio.Gallery(label="Layers of the middle frame", columns=3, height=440, elem_id="layers")
    workflow = gradio.DownloadButton("ComfyUI workflow with these inputs", visible=False, elem_id="workflow")
    return [video, notes, layers, workflow]


def _connect(gradio, demo: Demo, inputs: list, outputs: list, run, stop) -> None:
    """What the buttons and the examples do."""

    def run_job(
        character,
        motion_kind,
        video,
        shipped,
        motion_file,
        scene_kind,
        picture,
        color,
        request,
        progress=gradio.Progress(),  # noqa: B008 - gradio knows it by its default
    ):
        asked = PageRequest(character, motion_kind, video, shipped, motion_file, scene_kind, picture, color)

        def show(stage: str, done: int, total: int) -> None:
            progress((done, total), desc=stage, unit="frames")

        try:
            result = demo.run(request.session_hash, asked, show)
        except InputError as error:
            raise gradio.Error(str(error), duration=None, print_exception=False) from None
        except Cancelled:
            return None, "Stopped.", None, gradio.update(visible=False)
        layers = [(str(path), name) for path, name in result.layers]
        notes = "\n".join(f"- {line}" for note in result.notes for line in note.splitlines())
        return str(result.video), notes, layers, gradio.update(value=str(result.workflow), visible=True)

    def stop_job(request) -> None:
        demo.stop(request.session_hash)

    for function in (run_job, stop_job):  # gradio finds the request by its annotation, and takes no *values
        function.__annotations__ = {"request": gradio.Request}
    run.click(run_job, inputs, outputs, concurrency_limit=1, api_name="run")
    stop.click(stop_job, None, None, queue=False, api_name=False)
    gradio.Examples(
        _copy_examples(demo.folder),
        inputs,
        label="Examples: choose one, then Run",
        example_labels=["The person of a clip replaced", "A wave on a plain color", "A motion file before a picture"],
        cache_examples=False,
    )


def _copy_examples(folder: Path) -> list[list]:
    """Rows of inputs from the example that ships, copied to where visitors' files lie."""
    example, place = example_shots()[0], folder / "examples"
    place.mkdir(exist_ok=True)
    files = {}
    for name in ("character", "video", "motion_file", "scene"):
        source = getattr(example, name)
        files[name] = str(shutil.copy(source, place / source.name))
    character, video = files["character"], files["video"]
    return [
        [character, CLIP, video, "walk", None, OWN_SCENE, None, "#ffffff"],
        [character, SHIPPED, None, "wave", None, COLOR, None, "#8fb0c8"],
        [character, MOTION_FILE, None, "walk", files["motion_file"], PICTURE, files["scene"], "#ffffff"],
    ]
