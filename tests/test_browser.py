"""The viewers and the templates in ComfyUI's own page, drawn by a real browser.

The page is the static front end (FRONT_END, else the installed comfyui-frontend-package) with recorded node
descriptions; results are given to nodes as a server would. Screenshots go to SCREENSHOTS.
"""

import base64
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mimo_core.media.clip import Clip, Masks
from mimo_core.pose.blazepose import CropRegion, FramePose
from mimo_core.pose.tracks import PersonTrack
from mimo_core.scene.review import ReviewedScene, review_scene
from mimo_core.scene.scene import Doubt, Scene, SceneReport
from mimo_core.scene.strokes import read_strokes
from mimo_core.view.layers import write_layers_view
from mimo_core.view.motion import write_motion_view
from mimo_lab.synthetic.shot import make_shot
from tests import browser
from tests.front_end import ROOT, FrontEnd, static_folder
from tests.template_prompts import MANIFEST, MUTED


pytestmark = pytest.mark.browser
TEMPLATES = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
FRAMES, WIDTH, HEIGHT = 24, 320, 240
DOUBT = "the person's mask changes its size at once"
# The time and the frame shown at every animation frame, until eight other frames have been shown.
WATCHED = """new Promise((done) => {
  const seen = [], count = root.querySelector(".count");
  const look = (now) => {
    seen.push([now, Number(count.textContent.split(" ")[1])]);
    if (seen.filter(([, frame], k) => k && frame !== seen[k - 1][1]).length < 8) requestAnimationFrame(look);
    else done(seen);
  };
  requestAnimationFrame(look);
})"""


@pytest.fixture(scope="module")
def film():
    return make_shot(7, size=(WIDTH, HEIGHT), frames=FRAMES, fps=24)


@pytest.fixture(scope="module")
def scene(film):
    layers = Clip.from_array(film.plate, 24), Masks.from_array(film.visible), Masks.from_array(film.occluder)
    return Scene(Clip.from_array(film.frames, 24), *layers, SceneReport(doubts=(Doubt(10, DOUBT), Doubt(11, DOUBT))))


def stand_at(x, frames):
    """The track of somebody in a box of 40x100 pixels around x, 90."""
    pixels = np.array([[x - 20, 40], [x + 20, 140]] + 31 * [[x, 90]], np.float32)
    unknown = np.zeros((33, 3), np.float32), np.ones(33, np.float32), None, *2 * [CropRegion((x, 90), 120)]
    return PersonTrack({frame: FramePose(1.0, pixels, *unknown) for frame in frames}, np.ones((2, 256)))


@pytest.fixture(scope="module")
def results(film, scene, tmp_path_factory):
    """What the nodes would hand to the page, and the folder in which its files lie."""
    temp = tmp_path_factory.mktemp("temp")
    for name in ("motion", "layers"):
        (temp / name).mkdir()
    confidence, bridged = film.motion.person.confidence.clone(), film.motion.person.bridged.clone()
    confidence[4:6], bridged[12:15] = 0.2, True
    motion = film.motion.with_person(replace(film.motion.person, confidence=confidence, bridged=bridged))
    people = [stand_at(60, range(24)), stand_at(120, range(6, 10))]
    shown = write_motion_view(motion, temp / "motion", clip=scene.source, people=people) | {"subfolder": "motion"}
    layers = write_layers_view(ReviewedScene(scene), temp / "layers") | {"subfolder": "layers"}
    return {"temp": temp, "motion": {"mimo_motion": [shown]}, "layers": {"mimo_layers": [layers]}}


@pytest.fixture(scope="module")
def site(results):
    served = FrontEnd(static_folder(), results["temp"])
    yield served
    served.stop()


@pytest.fixture(scope="module")
def chrome():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=browser.chromium(), args=browser.OPTIONS)
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=browser.renderers())
def opened(request, chrome, site):
    found = browser.Tab(chrome, site.url, renderer=request.param)
    found.renderer = request.param
    yield found
    found.page.close()


@pytest.fixture
def tab(opened):
    """The page with an empty graph. No error of ours may be heard while a test uses it."""
    opened.clear()
    opened.errors.clear()
    yield opened
    assert opened.ours() == []


class View:
    """A viewer on a node, as a person sees and uses it."""

    def __init__(self, tab, node):
        self.tab, self.node = tab, node
        self.find = (
            f"(app.graph.nodes ?? app.graph._nodes).find((n) => String(n.id) === '{node}')"
            ".widgets.find((w) => w.type === 'MIMO_VIEW').element"
        )
        tab.wait(
            f"() => {{ const app = window.app; return {self.find}.shadowRoot?.querySelector('.count')?.textContent }}"
        )

    def read(self, script):
        """An expression of `root`, the viewer's shadow root."""
        return self.tab.run(f"((root) => {script})({self.find}.shadowRoot)")

    @property
    def frame(self):
        return int(self.read("root.querySelector('.count').textContent").split()[1])

    @property
    def note(self):
        return self.read("root.querySelector('.note').textContent")

    def key(self, *keys):
        self.tab.run(f"({self.find}.focus(), null)")
        for key in keys:
            self.tab.page.keyboard.press(key)
        self.settle()

    def settle(self):
        """Let the view draw what was asked for."""
        self.tab.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))")

    def press(self, text):
        self.read(
            f"([...root.querySelectorAll('button')].find((b) => b.textContent === {json.dumps(text)}).click(), null)"
        )
        self.settle()

    def box(self, selector):
        """x, y, width and height of a part of the view on the screen."""
        script = "((b) => [b.x, b.y, b.width, b.height])(root.querySelector(%s).getBoundingClientRect())"
        return self.read(script % json.dumps(selector))

    def pixels(self, selector="canvas:not(.line)"):
        """(H, W, 3) of a canvas."""
        address = self.read(f"root.querySelector({json.dumps(selector)}).toDataURL()")
        picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
        return np.array(picture.convert("RGB")).astype(int)

    def drawn(self, selector="canvas:not(.line)", colors=50):
        """The pixels, once something has been drawn."""
        for _ in range(100):
            found = self.pixels(selector)
            if len(np.unique(found.reshape(-1, 3), axis=0)) > colors:
                return found
            self.tab.page.wait_for_timeout(200)
        raise AssertionError(f"{selector} stays empty")


class TestMotionViewer:
    @pytest.fixture
    def view(self, tab, results):
        found = View(tab, tab.add("MIMO_EstimatePose", results["motion"]))
        found.drawn()
        return found

    def test_a_body_is_drawn_and_its_planted_feet_are_lit(self, view, film):
        contacts = film.motion.person.contacts.any(1)
        planted = int(contacts.nonzero()[0, 0])
        view.key("v", "Home", *["ArrowRight"] * planted)
        assert view.frame == planted
        red, green, blue = np.moveaxis(view.pixels(), -1, 0)
        assert ((red > 150) & (red > 2 * blue)).sum() > 10
        assert "foot planted" in view.note

    def test_the_driving_camera_sees_the_body_where_the_person_is(self, view, film):
        """The body is naked and bald, the person dressed, so the outlines differ; but not by much."""
        view.key("v", "Home")
        picture = view.pixels()
        body = np.abs(picture - picture[2, 2]).sum(-1) > 60
        height, width = body.shape
        scale = min(width / WIDTH, height / HEIGHT)
        y, x = np.mgrid[:height, :width] + 0.5
        column = ((x - (width - scale * WIDTH) / 2) / scale).astype(int).clip(0, WIDTH - 1)
        row = ((y - (height - scale * HEIGHT) / 2) / scale).astype(int).clip(0, HEIGHT - 1)
        person = film.person[0][row, column] > 127
        assert (body & person).sum() / (body | person).sum() > 0.6

    def test_a_click_on_a_numbered_person_is_written_into_the_node(self, view):
        node = f"(app.graph.nodes ?? app.graph._nodes).find((n) => String(n.id) === '{view.node}')"
        at = f"{node}.widgets.find((w) => w.name === 'at')"
        view.key("Home", *["ArrowRight"] * 7)
        view.press("People")
        picture, (left, top, width, height) = view.pixels(), view.box("canvas:not(.line)")
        scale = min(width / WIDTH, height / HEIGHT)
        corner = left + (width - scale * WIDTH) / 2, top + (height - scale * HEIGHT) / 2
        for color in ((255, 96, 96), (88, 196, 255)):
            assert (np.abs(picture - color).sum(-1) < 30).sum() > 50, color
        view.tab.page.mouse.click(corner[0] + 120 * scale, corner[1] + 90 * scale)
        frame, x, y = map(int, view.tab.run(f"{at}.value").split(","))
        assert frame == 7 and abs(x - 120) < 4 and abs(y - 90) < 4
        view.tab.page.mouse.click(corner[0] + 10 * scale, corner[1] + 10 * scale)
        assert view.tab.run(f"{at}.value") == f"{frame},{x},{y}", "nobody is there"
        view.tab.shoot(f"people_{view.tab.renderer}")

    def test_the_driving_frames_hang_behind_the_body(self, view, film):
        view.key("Home")
        view.tab.page.wait_for_timeout(500)
        picture, (height, width) = view.drawn(), view.pixels().shape[:2]
        scale = min(width / WIDTH, height / HEIGHT)
        left, top = round((width - scale * WIDTH) / 2), round((height - scale * HEIGHT) / 2)
        corner = picture[top + 8 : top + 30, left + 8 : left + 30].mean((0, 1))
        size = int(30 / scale)
        np.testing.assert_allclose(corner, film.frames[0][:size, :size].mean((0, 1)), atol=25)

    def test_keys_go_through_the_frames(self, view):
        view.key("Home", "ArrowRight", "ArrowRight")
        assert view.frame == 2
        view.key("ArrowLeft", "ArrowLeft", "ArrowLeft")
        assert view.frame == FRAMES - 1
        view.key("Home", "Shift+ArrowRight")
        assert (view.frame, "low confidence" in view.note) == (4, True)
        view.key("Shift+ArrowRight")
        assert (view.frame, "bridged" in view.note) == (12, True)

    def test_it_plays_at_its_frame_rate(self, view):
        """However seldom a busy machine draws: the frame that is drawn belongs to the time at which it is drawn."""
        view.key("Home", "Space")
        drawn = np.array(view.read(WATCHED))
        view.key("Space")
        changed = np.flatnonzero(np.diff(drawn[:, 1])) + 1
        phase = drawn[changed, 0] * 24 / 1000 - drawn[changed, 1]
        around = np.exp(2j * np.pi * phase / FRAMES)
        off = np.angle(around / around.mean()) * FRAMES / (2 * np.pi)
        assert np.ptp(off) < 1.5

    def test_the_time_line_can_be_scrubbed(self, view):
        x, y, width, height = view.box(".line")
        mouse = view.tab.page.mouse
        mouse.move(x + width * 0.1, y + height / 2)
        mouse.down()
        mouse.move(x + width * 0.501, y + height / 2, steps=3)
        mouse.up()
        view.settle()
        assert view.frame == FRAMES // 2

    def test_dragging_turns_the_view_and_not_the_node(self, view):
        place = f"(app.graph.nodes ?? app.graph._nodes).find((n) => String(n.id) === '{view.node}').pos"
        before, at = view.pixels(), view.tab.run(f"[...{place}]")
        x, y, width, height = view.box("canvas:not(.line)")
        mouse = view.tab.page.mouse
        mouse.move(x + width / 2, y + height / 2)
        mouse.down()
        mouse.move(x + width * 0.8, y + height / 2, steps=4)
        mouse.up()
        view.settle()
        assert np.abs(view.pixels() - before).max() > 60
        assert view.tab.run(f"[...{place}]") == at

    def test_its_tools_lie_inside_the_viewer_and_beside_each_other(self, view):
        view.key("Home", "ArrowRight")
        view.tab.page.wait_for_timeout(500)
        view.tab.shoot(f"motion_viewer_{view.tab.renderer}")
        frame = view.tab.run(f"((b) => [b.x, b.y, b.right, b.bottom])({view.find}.getBoundingClientRect())")
        parts = view.read("""[...root.querySelectorAll('button, .line, .count')]
            .map((part) => part.getBoundingClientRect()).map((b) => [b.x, b.y, b.right, b.bottom])""")
        assert len(parts) >= 4
        for left, top, right, bottom in parts:
            assert frame[0] - 1 <= left < right <= frame[2] + 1 and frame[1] - 1 <= top < bottom <= frame[3] + 1
        for number, a in enumerate(parts):
            for b in parts[number + 1 :]:
                assert min(a[2], b[2]) - max(a[0], b[0]) <= 1 or min(a[3], b[3]) - max(a[1], b[1]) <= 1

    def test_files_that_are_gone_are_said_to_be(self, tab, results):
        gone = {"mimo_motion": [results["motion"]["mimo_motion"][0] | {"subfolder": "gone"}]}
        view = View(tab, tab.add("MIMO_LoadMotion", gone))
        tab.page.wait_for_timeout(1000)
        assert view.read("root.querySelector('.message').textContent") == "The files of this view are gone. Run again."
        tab.errors.clear()  # the browser itself reports the 404

    def test_it_goes_with_its_node(self, tab, results):
        """The only WebGL context of the page is given back with the last viewer, once no new node took it over."""
        view = View(tab, tab.add("MIMO_LoadMotion", results["motion"]))
        view.drawn()
        tab.run(
            "(async () => { const { borrow, release } = await import('/extensions/mimo/lib/renderer.mjs');"
            " window.watched = borrow().gl; release(); })()"
        )
        tab.run(f"(window.host = {view.find}, null)")
        tab.run("app.graph.clear()")
        tab.wait("() => window.watched.isContextLost()")
        assert tab.run("window.host.shadowRoot.childElementCount") == 0

    def test_many_viewers_share_one_context(self, tab, results):
        views = [View(tab, tab.add("MIMO_LoadMotion", results["motion"], (20 + 340 * k, 40))) for k in range(3)]
        assert all(view.drawn().std() > 5 for view in views)


class TestReviewLayers:
    @pytest.fixture
    def view(self, tab, results):
        found = View(tab, tab.add("MIMO_ReviewLayers", results["layers"]))
        for number in range(1, 5):
            found.drawn(self.panel(number))
        return found

    @staticmethod
    def panel(number):
        return f"figure:nth-child({number}) canvas"

    def paint(self, view, number, start, stop, key=None):
        """Draw a line on a panel between two places in pixels of the scene."""
        x, y, width, height = view.box(self.panel(number))
        scale = min(width / WIDTH, height / HEIGHT)
        left, top = x + (width - scale * WIDTH) / 2, y + (height - scale * HEIGHT) / 2
        page = view.tab.page
        if key:
            page.keyboard.down(key)
        page.mouse.move(left + start[0] * scale, top + start[1] * scale)
        page.mouse.down()
        page.mouse.move(left + stop[0] * scale, top + stop[1] * scale, steps=6)
        page.mouse.up()
        if key:
            page.keyboard.up(key)
        view.settle()

    def strokes(self, view):
        node = f"(app.graph.nodes ?? app.graph._nodes).find((n) => String(n.id) === '{view.node}')"
        return view.tab.run(f"{node}.widgets.find((w) => w.name === 'strokes').value")

    def test_a_line_drawn_on_the_person_is_a_stroke_in_pixels_of_the_scene(self, view):
        view.key("Home", "ArrowRight")
        self.paint(view, 2, (40, 60), (120, 60))
        ((layer, frame, mode, radius, points),) = json.loads(self.strokes(view))
        assert (layer, frame, mode, radius) == ("person", 1, "add", 24)
        np.testing.assert_allclose(points, [[40, 60], [120, 60]], atol=3)

    def test_the_library_takes_what_the_page_wrote(self, view, scene):
        view.key("Home")
        self.paint(view, 3, (40, 60), (120, 90))
        reviewed = review_scene(scene, read_strokes(self.strokes(view), scene.frames))
        assert reviewed.scene.occluder[0][75, 80] == 255

    def test_alt_and_the_other_tool_remove(self, view):
        self.paint(view, 2, (40, 60), (60, 60), key="Alt")
        view.press("Remove")
        self.paint(view, 2, (40, 60), (60, 60))
        assert [stroke[2] for stroke in json.loads(self.strokes(view))] == ["remove", "remove"]

    def test_what_is_painted_is_seen_at_once(self, view):
        before = view.pixels(self.panel(4))
        self.paint(view, 2, (40, 40), (40, 90))
        after = view.pixels(self.panel(4))
        grey = np.abs(after - (150, 154, 162)).max(-1) < 6
        changed = np.abs(after - before).max(-1) > 30
        assert (grey & changed).sum() > 1000
        view.tab.shoot(f"review_layers_{view.tab.renderer}")

    def test_the_plate_and_the_composite_take_no_paint(self, view):
        self.paint(view, 1, (40, 60), (120, 60))
        self.paint(view, 4, (40, 60), (120, 60))
        assert json.loads(self.strokes(view)) == []

    def test_strokes_can_be_taken_back_and_painted_again(self, view):
        self.paint(view, 2, (40, 60), (60, 60))
        painted = self.strokes(view)
        view.key("Control+z")
        assert json.loads(self.strokes(view)) == []
        view.key("Control+y")
        assert self.strokes(view) == painted
        view.press("Clear frame")
        assert json.loads(self.strokes(view)) == []

    def test_strokes_travel_with_the_workflow_and_the_prompt(self, view):
        tab = view.tab
        self.paint(view, 2, (40, 60), (60, 60))
        painted = self.strokes(view)
        workflow, prompt = tab.run("app.graphToPrompt().then(({ workflow, output }) => [workflow, output])")
        assert prompt[view.node]["inputs"]["strokes"] == painted
        (node,) = workflow["nodes"]
        assert node["widgets_values"] == [painted]
        tab.clear()
        tab.open(workflow)
        again = View(tab, tab.run("String((app.graph.nodes ?? app.graph._nodes)[0].id)"))
        assert self.strokes(again) == painted

    def test_no_more_is_painted_than_a_workflow_takes(self, view):
        node = f"(app.graph.nodes ?? app.graph._nodes).find((n) => String(n.id) === '{view.node}')"
        full = json.dumps([["person", 0, "add", 5, [[k % 300, k % 200] for k in range(2150)]]], separators=(",", ":"))
        full = full[:-2] + "," + ",".join("[1,1]" for _ in range((19_990 - len(full)) // 6)) + "]]]"
        assert 19_950 < len(full) < 20_000
        view.tab.run(f"({node}.widgets.find((w) => w.name === 'strokes').value = given, null)", full)
        view.tab.run(f"({node}.onConfigure?.({{}}), null)")
        view.settle()
        self.paint(view, 2, (40, 60), (60, 62))
        assert self.strokes(view) == full

    def test_frames_in_doubt_say_why(self, view):
        view.key("Home", "Shift+ArrowRight")
        assert view.frame == 10
        assert DOUBT in view.note

    def test_a_panel_can_be_made_large(self, view):
        width = view.box(self.panel(2))[2]
        x, y, w, h = view.box(self.panel(2))
        view.tab.page.mouse.dblclick(x + w / 2, y + h / 2)
        view.settle()
        assert view.box(self.panel(2))[2] > 1.5 * width


class TestSetUpAnew:
    """Ctrl+Z, a change of tabs and a reload make new nodes with the same ids."""

    EXECUTED = """(() => { const detail = { node: given.node, display_node: given.node, output: given.output };
        window.comfyAPI.api.api.dispatchEvent(new CustomEvent('executed', { detail })); })()"""
    CAPTURE = "(({ changeTracker: t }) => (t.captureCanvasState ?? t.checkState).call(t))(app.extensionManager.workflow"
    CAPTURE += ".activeWorkflow)"

    def run(self, tab, kind, output):
        """A node that a server has sent a result for."""
        node = tab.add(kind)
        tab.run(self.CAPTURE)
        tab.run(self.EXECUTED, {"node": node, "output": output})
        return View(tab, node)

    def undo_a_move(self, tab):
        tab.run("((app.graph.nodes ?? app.graph._nodes)[0].pos[0] += 50, null)")
        tab.run(self.CAPTURE)
        tab.run("app.extensionManager.workflow.activeWorkflow.changeTracker.undo()")
        tab.page.wait_for_timeout(800)

    @pytest.mark.parametrize("kind", ["motion", "layers"])
    def test_ctrl_z_leaves_the_viewer_at_its_frame(self, tab, results, kind):
        name = {"motion": "MIMO_LoadMotion", "layers": "MIMO_ReviewLayers"}[kind]
        view = self.run(tab, name, results[kind])
        view.key("Home", "ArrowRight", "ArrowRight")
        self.undo_a_move(tab)
        again = View(tab, view.node)
        assert again.frame == 2
        assert tab.run(f"{again.find}.isConnected")
        again.drawn("canvas:not(.line)")

    def test_ctrl_z_keeps_the_strokes_and_goes_on_writing_them(self, tab, results):
        view = self.run(tab, "MIMO_ReviewLayers", results["layers"])
        strokes = json.dumps([["person", 0, "add", 5, [[10, 10]]]])
        node = f"(app.graph.nodes ?? app.graph._nodes).find((n) => String(n.id) === '{view.node}')"
        widget = f"{node}.widgets.find((w) => w.name === 'strokes')"
        tab.run(f"({widget}.value = given, {node}.onConfigure?.({{}}), null)", strokes)
        tab.run(self.CAPTURE)
        self.undo_a_move(tab)
        assert json.loads(tab.run(f"{widget}.value")) == json.loads(strokes)
        View(tab, view.node).press("Clear all")
        assert tab.run(f"{widget}.value") == "[]"

    def test_a_new_node_begins_anew_where_another_one_was(self, tab, results):
        view = self.run(tab, "MIMO_ReviewLayers", results["layers"])
        view.key("Home", "ArrowRight")
        tab.run("(app.graph.clear(), app.graph.last_node_id = Number(given) - 1, null)", view.node)
        node = tab.add("MIMO_ReviewLayers")
        assert node == view.node
        again = View(tab, node)
        assert again.frame == 0
        assert again.read("root.querySelector('.message').textContent") == "Run to see the layers."

    def test_another_workflow_does_not_get_the_layers_of_this_one(self, tab, results):
        view = self.run(tab, "MIMO_ReviewLayers", results["layers"])
        workflow = tab.run("app.graph.serialize()")
        tab.clear()
        tab.run("(app.nodeOutputs = {}, null)")
        tab.open(workflow)
        again = View(tab, view.node)
        assert again.read("root.querySelector('.message').textContent") == "Run to see the layers."
        assert again.read("root.querySelector('.count').textContent") == "Frame 0 / 0"


class TestNotes:
    OUTPUT = {
        "mimo_notes": [
            {"kind": "warning", "text": "2 people were found."},
            {"kind": "detail", "text": "Lens assumed."},
        ],
        "mimo_files": [{"filename": "a b.npz", "subfolder": "motion", "type": "output"}],
    }
    FIND = "(app.graph.nodes ?? app.graph._nodes)[0].widgets.find((w) => w.name === 'mimo_notes').element.shadowRoot"

    def test_warnings_details_and_saved_files_are_on_the_node(self, tab):
        tab.add("MIMO_SaveMotion", self.OUTPUT)
        tab.page.wait_for_timeout(500)
        read = lambda name: tab.run(f"{self.FIND}.querySelector('{name}').textContent")  # noqa: E731
        assert (read(".warning"), read(".detail"), read("a")) == (
            "2 people were found.",
            "Lens assumed.",
            "output/motion/a b.npz",
        )
        link = tab.run(f"{self.FIND}.querySelector('a').href")
        assert link.endswith("/view?filename=a+b.npz&subfolder=motion&type=output")
        tab.shoot(f"notes_{tab.renderer}")

    def test_the_node_has_room_for_them(self, tab):
        tab.add("MIMO_SaveMotion", self.OUTPUT)
        tab.page.wait_for_timeout(800)
        box = tab.run(f"((b) => [b.top, b.bottom])({self.FIND}.querySelector('.detail').getBoundingClientRect())")
        scale = tab.run("app.canvas.ds.scale")
        node = tab.run("((n) => [n.pos[1], n.size[1]])((app.graph.nodes ?? app.graph._nodes)[0])")
        assert box[1] - box[0] > 5
        if tab.renderer == "canvas":
            assert box[1] / scale - tab.run("app.canvas.ds.offset[1]") <= node[0] + node[1] + 60 / scale

    def test_text_that_is_not_laid_out_yet_does_not_make_the_node_high(self, tab):
        """The page gives an element its width only when it draws the node."""
        tab.add("MIMO_SaveMotion", self.OUTPUT)
        tab.page.wait_for_timeout(500)
        before = tab.run("(app.graph.nodes ?? app.graph._nodes)[0].size[1]")
        tab.run(f"({self.FIND}.host.style.width = '2px', null)")
        tab.page.wait_for_timeout(1000)
        assert tab.run("(app.graph.nodes ?? app.graph._nodes)[0].size[1]") <= before + 1


@pytest.mark.skipif(
    browser.front_end_version() < browser.APPS_SINCE, reason="this front end says itself why a node failed"
)
class TestMessages:
    """Why a node failed, and in an app, which shows no nodes, what they warn of."""

    WARNING = "The clip is one picture."
    SHOW = "app.extensionManager.workflow.activeWorkflow.activeMode = given"
    SETTING = "app.ui.settings.setSettingValueAsync('Comfy.RightSidePanel.ShowErrorsTab', given)"
    TOLD = (
        "[...document.querySelectorAll('.p-toast-message-text')].filter((each) => each.textContent.includes('(MIMO)'))"
        ".map((each) => each.querySelector('.p-toast-detail').textContent)"
    )

    @pytest.fixture
    def nodes(self, tab):
        yield [tab.add("MIMO_EstimatePose"), tab.add("MIMO_SeparateScene", at=(500, 40))]
        self.send(tab, "execution_start")
        assert self.told(tab, 0) == []
        tab.run(self.SHOW, "graph")

    def send(self, tab, event, **detail):
        script = "(app.api.dispatchEvent(new CustomEvent(given.event, { detail: given.detail })), null)"
        tab.run(script, {"event": event, "detail": {"prompt_id": "1", **detail}})
        tab.page.wait_for_timeout(500)

    def told(self, tab, count):
        """What is told, once it is so much: a message comes and goes slowly."""
        tab.wait(f"(count) => {self.TOLD}.length === count", count)
        return tab.run(self.TOLD)

    def warn(self, tab, node, **detail):
        said = [{"kind": "warning", "text": self.WARNING}, {"kind": "detail", "text": "8 frames a second."}]
        self.send(tab, "executed", node=node, display_node=node, output={"mimo_notes": said}, **detail)

    def fail(self, tab, node):
        error = {"node_type": "MIMO_EstimatePose", "exception_type": "InputError", "traceback": []}
        self.send(tab, "execution_error", node_id=node, exception_message="Nobody was found.\n", **error)

    def test_an_app_tells_a_warning_once_and_until_the_next_run(self, tab, nodes):
        tab.run(self.SHOW, "app")
        for node in nodes:
            self.warn(tab, node)
        assert self.told(tab, 1) == [self.WARNING]
        self.send(tab, "execution_start")
        assert self.told(tab, 0) == []

    def test_neither_a_graph_nor_an_earlier_result_tells_a_warning(self, tab, nodes):
        self.warn(tab, nodes[0])
        tab.run(self.SHOW, "app")
        self.warn(tab, nodes[0], prompt_id="")
        assert tab.run(self.TOLD) == []

    def test_a_graph_tells_why_a_node_failed(self, tab, nodes):
        self.fail(tab, nodes[0])
        assert self.told(tab, 1) == ["Nobody was found."]

    def test_where_a_dialog_says_why_nothing_is_told(self, tab, nodes):
        tab.run(self.SETTING, False)
        self.fail(tab, nodes[0])
        assert tab.run(self.TOLD) == []
        tab.page.keyboard.press("Escape")
        tab.run(self.SETTING, True)


class TestAnimations:
    """Load Motion offers the animations that the chosen file has."""

    FIND = "(app.graph.nodes ?? app.graph._nodes)[0].widgets.find((w) => w.name === 'animation')"

    SHOWN = "((node) => node.isWidgetVisible?.(node.widgets.find((w) => w.name === 'animation')))"
    SHOWN += "((app.graph.nodes ?? app.graph._nodes)[0])"  # null where the front end does not tell

    @pytest.fixture(autouse=True)
    def answer(self, site):
        site.answers["mimo/animations"] = ["walk", "run"]

    def test_those_of_the_file_can_be_chosen_and_reach_the_prompt(self, tab):
        tab.add("MIMO_LoadMotion")
        tab.wait(f"() => ((app) => {self.FIND})(window.app).options.values.length > 1")
        assert tab.run(f"{self.FIND}.options.values") == ["", "walk", "run"]
        assert tab.run(f"{self.FIND}.type") == "combo"
        assert tab.run(self.SHOWN) in (True, None)
        tab.run(f"({self.FIND}.value = 'run', null)")
        prompt = tab.run("app.graphToPrompt().then(({ output }) => output)")
        (inputs,) = [node["inputs"] for node in prompt.values()]
        assert inputs["animation"] == "run" and list(inputs) == ["file", "names", "up", "animation"]
        tab.page.wait_for_timeout(500)
        tab.shoot(f"animations_{tab.renderer}")

    def test_another_file_offers_its_own(self, tab, site):
        tab.add("MIMO_LoadMotion")
        tab.wait(f"() => ((app) => {self.FIND})(window.app).options.values.length === 3")
        site.answers["mimo/animations"] = ["jump"]
        tab.run(
            "((node) => { const file = node.widgets.find((w) => w.name === 'file'); file.value = 'other.glb';"
            " file.callback?.('other.glb'); })((app.graph.nodes ?? app.graph._nodes)[0])"
        )
        tab.wait(f"() => ((app) => {self.FIND})(window.app).options.values.length === 2")

    def test_a_file_without_any_shows_no_choice(self, tab, site):
        site.answers["mimo/animations"] = []
        tab.add("MIMO_LoadMotion")
        tab.page.wait_for_timeout(1000)
        assert tab.run(f"{self.FIND}.hidden") is True and tab.run(self.SHOWN) in (False, None)

    def test_bone_names_take_little_room(self, tab):
        if tab.renderer == "nodes2":
            pytest.skip("there the page alone decides")
        tab.add("MIMO_LoadMotion")
        tab.run(
            "((app.graph.nodes ?? app.graph._nodes)[0].setSize([340, 420]), app.graph.setDirtyCanvas(true, true), null)"
        )
        height = "(app.graph.nodes ?? app.graph._nodes)[0].widgets.find((w) => w.name === 'names').element.offsetHeight"
        tab.wait(f"() => ((app) => {height} >= 20)(window.app)")
        tab.page.wait_for_timeout(1500)
        assert tab.run(height) <= 60

    def test_a_name_that_was_typed_before_stays(self, tab):
        values = ["walk [built in]", "", "auto", "sprint"]
        node = {
            "id": 1,
            "type": "MIMO_LoadMotion",
            "pos": [20, 40],
            "size": [300, 200],
            "flags": {},
            "order": 0,
            "mode": 0,
        }
        node |= {"properties": {}, "inputs": [], "outputs": [], "widgets_values": values}
        tab.open({"version": 0.4, "last_node_id": 1, "last_link_id": 0, "nodes": [node], "groups": [], "extra": {},
                  "links": []})  # fmt: skip
        tab.page.wait_for_timeout(500)
        prompt = tab.run("app.graphToPrompt().then(({ output }) => output)")
        assert list(prompt["1"]["inputs"].values()) == values


@pytest.mark.skipif(browser.front_end_version() < (1, 49), reason="this front end keeps no list of missing files")
class TestMissingFiles:
    """What "Download all" of the page offers for the official weights."""

    MISSING = """(document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s.get('missingModel')
      .missingModelCandidates ?? []).filter(({ isMissing }) => isMissing).map(({ name, url }) => [name, url])"""

    @pytest.fixture
    def open(self, tab, site):
        def open(name, held=()):
            site.answers["models/mimo"] = list(held)
            workflow, _ = browser.template(name)
            tab.open(workflow)
            tab.page.wait_for_timeout(2000)
            return dict(tab.run(self.MISSING))

        yield open
        del site.answers["models/mimo"]

    @pytest.mark.parametrize("name", ["4_controlnet_and_lora_needs_files", "6_official_weights_needs_files"])
    def test_every_file_that_the_page_can_fetch_is_offered_with_its_address(self, open, name):
        (entry,) = [entry for entry in MANIFEST if entry["file"] == f"{name}.json"]
        files = {file["file"]: file["url"] for file in entry["files"]}
        wanted = {file: url for file, url in files.items() if url and file.endswith((".pth", ".safetensors", ".bin"))}
        assert len(wanted) >= 6
        assert wanted.items() <= open(name).items()

    def test_what_is_there_is_not_offered(self, open):
        missing = open("6_official_weights_needs_files", ["motion_module.pth", "pose_guider.pth"])
        assert "reference_unet.pth" in missing
        assert not {"motion_module.pth", "pose_guider.pth"} & set(missing)

    def test_the_names_are_neither_saved_nor_sent(self, tab, open):
        open("6_official_weights_needs_files")
        workflow, prompt = tab.run("app.graphToPrompt().then(({ workflow, output }) => [workflow, output])")
        (load,) = [node for node in workflow["nodes"] if node["type"] == "MIMO_LoadModel"]
        assert [value for value in load["widgets_values"] if value is not None] == ["denoising_unet.pth", "auto"]
        assert set(prompt[str(load["id"])]["inputs"]) == {"checkpoint", "precision"}


class TestColors:
    @pytest.mark.skipif(browser.front_end_version() < (1, 40), reason="this front end has no color picker")
    def test_a_color_by_name_becomes_the_number_that_the_picker_takes(self, chrome, results):
        served = FrontEnd(static_folder(), results["temp"])
        served.answers["object_info"]["MIMO_SceneFromPicture"]["input"]["required"]["color"] = [
            "COLOR", {"default": "#ffffff", "socketless": False},
        ]  # fmt: skip
        try:
            tab = browser.Tab(chrome, served.url)
            node = {
                "id": 1,
                "type": "MIMO_SceneFromPicture",
                "pos": [20, 40],
                "size": [300, 200],
                "flags": {},
                "order": 0,
            }
            node |= {"mode": 0, "properties": {}, "inputs": [], "outputs": []}
            for given, wanted in (("white", "#ffffff"), ("rgb(1, 2, 3)", "#010203"), ("#204060", "#204060")):
                filled = node | {"widgets_values": [given, "cover", 0]}
                tab.open({"version": 0.4, "last_node_id": 1, "last_link_id": 0, "nodes": [filled], "groups": [],
                          "extra": {}, "links": []})  # fmt: skip
                prompt = tab.run("app.graphToPrompt().then(({ output }) => output)")
                assert prompt["1"]["inputs"]["color"] == wanted
            tab.shoot("color")
            assert tab.ours() == []
            tab.page.close()
        finally:
            served.stop()


class TestRenamedWidgets:
    def test_a_workflow_of_old_names_keeps_its_values_and_its_links(self, tab):
        """In it `colour` of Scene From Picture is fed by a link, as a widget that was made a socket."""
        socket = {"name": "colour", "type": "STRING", "widget": {"name": "colour"}, "link": 1}
        nodes = [
            {"id": 1, "type": "PrimitiveNode", "outputs": [{"name": "STRING", "type": "STRING", "links": [1]}]},
            {"id": 2, "type": "MIMO_SceneFromPicture", "inputs": [socket], "widgets_values": ["#204060", "contain", 7]},
            {"id": 3, "type": "MIMO_Composite", "inputs": [], "widgets_values": ["histogram", 2, 0.25, "official"]},
        ]
        nodes[0]["widgets_values"] = ["#204060", "fixed"]
        shared = {"pos": [0, 0], "size": [300, 200], "flags": {}, "order": 0, "mode": 0, "properties": {}}
        nodes = [shared | node for node in nodes]
        tab.open({"version": 0.4, "last_node_id": 3, "last_link_id": 1, "nodes": nodes, "groups": [], "extra": {},
                  "links": [[1, 1, 0, 2, 0, "STRING"]]})  # fmt: skip
        prompt = tab.run("app.graphToPrompt().then(({ output }) => output)")
        assert prompt["2"]["inputs"] == {"color": "#204060", "fit": "contain", "length": 7}
        wanted = {"color_match": "histogram", "feather": 2, "shadow": 0.25, "behavior": "official"}
        assert prompt["3"]["inputs"] == wanted
        names = tab.run("(app.graph.nodes ?? app.graph._nodes).flatMap((n) => (n.inputs ?? []).map((i) => i.name))")
        assert not {"colour", "colour_match", "behaviour"} & set(names)


def as_graph(workflow):
    """A template that shows its graph also where it opens as an app."""
    return workflow | {"extra": {name: value for name, value in workflow["extra"].items() if name != "linearMode"}}


class TestLanguage:
    OPENED = """(() => { const graph = app.rootGraph ?? app.graph;
      return [(graph.groups ?? graph._groups).map((group) => group.title),
        (graph.nodes ?? graph._nodes).find((node) => node.type === 'MarkdownNote')?.widgets[0].value]; })()"""

    def test_in_chinese_a_template_has_chinese_titles_and_note_once(self, tab):
        workflow, _ = browser.template(TEMPLATES[0])
        tab.run("app.ui.settings.setSettingValueAsync('Comfy.Locale', 'zh')")
        try:
            tab.open(workflow)
            known = json.loads((ROOT / "web" / "notes" / "zh.json").read_text(encoding="utf-8"))
            note = known["notes"][TEMPLATES[0]]
            tab.wait(f"(note) => ((app) => {self.OPENED})(window.app)[1] === note", note)
            titles, _ = tab.run(self.OPENED)
            tab.shoot(f"chinese_{tab.renderer}")
            assert titles == [known["groups"][group["title"]] for group in workflow["groups"]]
            saved = tab.run("(app.rootGraph ?? app.graph).serialize()")
            mine = saved["groups"][0]["title"] = "mine"
            tab.open(saved)
            tab.page.wait_for_timeout(500)
            assert tab.run(self.OPENED) == [[mine, *titles[1:]], note]
        finally:
            tab.run("app.ui.settings.setSettingValueAsync('Comfy.Locale', 'en')")

    def test_in_english_it_stays_as_it_is(self, tab):
        workflow, _ = browser.template(TEMPLATES[0])
        tab.open(workflow)
        tab.page.wait_for_timeout(500)
        assert tab.run(self.OPENED)[0] == [group["title"] for group in workflow["groups"]]


def luminance(color):
    """The relative luminance of sRGB in 0..255."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in color)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


class TestTemplates:
    # In units of the graph: what each node covers, title and all, and the groups.
    BOXES = """(() => { const graph = app.canvas.graph ?? app.graph;
      const boxes = (graph.nodes ?? graph._nodes).map((node) => {
        const drawn = document.querySelector(`[data-node-id="${node.id}"]`);
        const [x, y] = [node.pos[0], node.pos[1] - 30];
        const [width, height] = drawn ? [drawn.offsetWidth, drawn.offsetHeight] : [node.size[0], node.size[1] + 30];
        return [`${node.id} ${node.type}`, x, y, x + width, y + height];
      });
      const groups = (graph.groups ?? graph._groups).map((g) => [g.title, ...g.pos, g.pos[0] + g.size[0],
        g.pos[1] + g.size[1]]);
      return [boxes, groups];
    })()"""

    @pytest.mark.parametrize("name", TEMPLATES)
    def test_no_node_lies_on_another_or_sticks_out_of_its_group(self, tab, name):
        workflow, _ = browser.template(name)
        tab.open(as_graph(workflow))
        tab.fit()
        assert self.find_faults(tab) == []

    # What the save nodes say after a run, by the folder they write to.
    SAVED = {
        "MIMO_SaveMotion": ("motion", ["mimo_00001_.npz"]),
        "MIMO_SaveTemplate": ("template/mimo_00001_", ["bk.mp4", "occ.mp4", "sdc.mp4", "vid.mp4"]),
    }
    PLAYING = ["EstimatePose", "SeparateScene", "DecodeProxy", "RenderMotion", "Composite", "Sampler"]
    PICTURED = ["EncodeIdentity", "SceneFromPicture", "FrameCharacter"]
    MOVING = ["EstimatePose", "Example", "LoadMotion", "EditMotion", "RetargetMotion", "PlaceMotion", "ChoosePeople"]
    WARNINGS = (
        "3 people were found; 2 are followed.",
        "Person 0: Frames 44-45 are bridged: the person was lost there for a moment.",
        "Person 1: Frames 14-16 are bridged: the person was lost there for a moment.",
    )
    DETAIL = "Focal length assumed: 614 px, 1.2 times the longer side. Distances are those of a person of average size."

    def results_of(self, kind, results, clip):
        """What a node would send after a run on a clip in portrait format, or nothing."""
        name, output = kind.removeprefix("MIMO_"), {}
        if name in self.MOVING:
            output |= results["motion"]
        if name in self.PLAYING or kind == "SaveVideo":
            output |= {"images": [{"filename": clip, "subfolder": "", "type": "temp"}], "animated": [True]}
        if name in self.PICTURED:
            output |= {"images": [{"filename": "character.png", "subfolder": "", "type": "temp"}]}
        if name == "EstimatePose":
            notes = [{"kind": "warning", "text": text} for text in self.WARNINGS]
            output |= {"mimo_notes": [*notes, {"kind": "detail", "text": self.DETAIL}]}
        if kind in self.SAVED:
            folder, files = self.SAVED[kind]
            output |= {"mimo_files": [{"filename": file, "subfolder": folder, "type": "output"} for file in files]}
        return output

    @pytest.mark.parametrize("name", TEMPLATES)
    def test_after_a_run_there_is_still_room_for_everything(self, tab, results, name):
        shipped, clip = ROOT / "mimo_core" / "assets" / "example", f"{name}.mp4"  # the page loads no file twice
        shutil.copy(shipped / "shot.mp4", results["temp"] / clip)
        shutil.copy(shipped / "character.png", results["temp"])
        workflow, _ = browser.template(name)
        tab.open(as_graph(workflow))
        tab.fit()
        sent = {}
        for node in workflow["nodes"]:
            if node["mode"] != MUTED and (output := self.results_of(node["type"], results, clip)):
                sent[str(node["id"])] = output
                tab.run(TestSetUpAnew.EXECUTED, {"node": str(node["id"]), "output": output})
        playing = sum("animated" in output for output in sent.values())
        count = "[...document.querySelectorAll('video')].filter((video) => video.videoWidth).length"
        for _ in range(20):
            tab.run("(app.graph.setDirtyCanvas(true, true), null)")
            tab.page.wait_for_timeout(1000)
            if tab.run(count) >= playing:
                break
        tab.page.wait_for_timeout(1500)
        tab.shoot(f"after_{name}_{tab.renderer}")
        assert tab.run(count) >= playing
        assert self.find_faults(tab) == []

    @pytest.mark.parametrize("name", ["3_new_scene", "8_wan_animate_needs_files"])
    def test_there_is_room_for_the_preview_of_a_sampler(self, tab, name):
        workflow, _ = browser.template(name)
        tab.open(workflow)
        tab.fit()
        (sampler,) = [node for node in workflow["nodes"] if node["type"] == "KSampler"]
        picture = io.BytesIO()
        Image.new("RGB", (512, 512), "teal").save(picture, "PNG")
        tab.run(self.PREVIEW, {"node": str(sampler["id"]), "picture": base64.b64encode(picture.getvalue()).decode()})
        tab.page.wait_for_timeout(2000)
        tab.shoot(f"sampling_{name}_{tab.renderer}")
        assert self.find_faults(tab) == []

    # What the server sends while a sampler works.
    PREVIEW = """(() => { const bytes = Uint8Array.from(atob(given.picture), (letter) => letter.charCodeAt(0));
      const blob = new Blob([bytes], { type: 'image/png' });
      const detail = { blob, nodeId: given.node, displayNodeId: given.node, parentNodeId: given.node,
        realNodeId: given.node, promptId: 'test', jobId: 'test' };
      window.comfyAPI.api.api.dispatchEvent(new CustomEvent('b_preview_with_metadata', { detail })); })()"""

    def test_a_clip_in_portrait_format_stays_in_its_group(self, tab, results):
        shutil.copy(ROOT / "mimo_core" / "assets" / "example" / "shot.mp4", results["temp"])
        workflow, _ = browser.template("replace_a_character.app")
        (clip,) = [node for node in workflow["nodes"] if node["type"] == "LoadVideo"]
        clip["widgets_values"][0] = "shot.mp4"
        tab.open(as_graph(workflow))
        tab.fit()
        tab.wait("() => [...document.querySelectorAll('video')].some((video) => video.videoWidth)")
        tab.page.wait_for_timeout(2000)
        tab.shoot(f"own_clip_{tab.renderer}")
        assert self.find_faults(tab) == []

    def find_faults(self, tab):
        """What lies on another node or sticks out of its group by more than two pixels."""
        boxes, groups = tab.run(self.BOXES)
        faults = []
        for number, (one, left, top, right, bottom) in enumerate(boxes):
            for other, x0, y0, x1, y1 in boxes[number + 1 :]:
                if min(right, x1) - max(left, x0) > 2 and min(bottom, y1) - max(top, y0) > 2:
                    faults.append(f"{one} lies on {other}")
            around = [box for _, *box in groups if box[0] <= left + 2 and box[1] <= top + 2]
            if not any(right <= box[2] + 2 and bottom <= box[3] + 2 for box in around):
                faults.append(f"{one} sticks out of its group")
        return faults

    def test_it_opens_with_text_that_can_be_read_and_its_first_group_in_sight(self, tab):
        """The page's bar is 56 pixels wide, its menus end at 86."""
        workflow, _ = browser.template(TEMPLATES[0])
        tab.page.set_viewport_size({"width": 1680, "height": 1000})
        tab.open(workflow)
        tab.page.wait_for_timeout(1000)
        scale = tab.run("app.canvas.ds.scale")
        left, top = (scale * offset for offset in tab.run("[...app.canvas.ds.offset]"))
        tab.shoot(f"opened_{tab.renderer}")
        tab.page.set_viewport_size({"width": 1400, "height": 900})
        assert scale * 12 >= 9
        assert left >= 56 and top >= 86

    @pytest.mark.skipif(browser.front_end_version() < browser.APPS_SINCE, reason="this front end shows no apps")
    def test_a_page_that_shows_it_whole_late_is_brought_back(self, tab):
        """Where an app was open before, the page does so when the canvas is drawn again."""
        workflow, _ = browser.template(TEMPLATES[0])
        tab.open(workflow)
        wanted = workflow["extra"]["ds"]["scale"]
        assert tab.run("app.canvas.ds.scale") == wanted
        tab.run("app.canvas.ds.scale = 0.25")
        tab.wait("(scale) => app.canvas.ds.scale === scale", wanted)

    def test_who_zooms_out_of_it_right_away_stays_there(self, tab):
        workflow, _ = browser.template(TEMPLATES[0])
        tab.open(workflow)
        turned = "new WheelEvent('wheel', { deltaY: 300, clientX: 640, clientY: 400, bubbles: true, cancelable: true })"
        tab.run(f"(app.canvas.canvas.dispatchEvent({turned}), null)")
        tab.page.wait_for_timeout(1500)
        assert tab.run("app.canvas.ds.scale") < workflow["extra"]["ds"]["scale"]

    INK = """(() => { const text = [...document.querySelectorAll('p')].find((p) => p.textContent.startsWith('Press'));
      return getComputedStyle(text).color.match(/[\\d.]+/g).slice(0, 3).map(Number); })()"""

    def test_its_note_can_be_read(self, tab):
        """The contrast of text and paper that WCAG 2.1 asks for."""
        workflow, _ = browser.template(TEMPLATES[0])
        tab.open(workflow)
        tab.page.wait_for_timeout(1000)
        paper = tab.run("(app.graph.nodes ?? app.graph._nodes).find((n) => n.type === 'MarkdownNote').bgcolor")
        digits = paper[1:] if len(paper) == 7 else "".join(2 * digit for digit in paper[1:])
        paper = [int(digits[k : k + 2], 16) for k in (0, 2, 4)]
        light, dark = (luminance(color) + 0.05 for color in (tab.run(self.INK), paper))
        assert light / dark >= 4.5

    @pytest.mark.parametrize("name", TEMPLATES)
    def test_it_opens_whole_and_becomes_its_prompt(self, tab, name):
        workflow, api = browser.template(name)
        tab.open(as_graph(workflow))
        tab.fit()
        tab.shoot(f"template_{name}_{tab.renderer}")
        types = "(app.graph.nodes ?? app.graph._nodes).map((n) => n.type)"
        missing = f"{types}.filter((type) => !LiteGraph.registered_node_types[type])"
        assert tab.run(missing) == []
        prompt = tab.run("app.graphToPrompt().then(({ output }) => output)")
        sent = {number: (node["class_type"], node["inputs"]) for number, node in prompt.items()}
        assert sent == {number: (node["class_type"], node["inputs"]) for number, node in api.items()}
