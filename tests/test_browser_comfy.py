"""The first minutes of a new user, on a real ComfyUI with empty folders, in a real browser.

Needs COMFYUI_PATH and an installed Chromium. FRONT_END names the static files of another front end.
"""

import os
import re
import time

import pytest

from tests import browser
from tests.test_comfy import TWINS, Server, changing_frames


pytestmark = [pytest.mark.browser, pytest.mark.comfy]
MINUTE = 60  # seconds that the first result may take on two cores that do nothing else


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("comfyui"))
    try:
        server.wait()
        server.post("/settings", {"Comfy.TutorialCompleted": True})  # else the page opens Templates by itself
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def tab(server):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=browser.chromium(), args=browser.OPTIONS)
        yield browser.Tab(opened, server.url)
        opened.close()


def results(server):
    return sorted((server.base / "output").rglob("*.mp4"))


class TestFirstMinutes:
    def test_templates_then_the_first_of_ours_then_run(self, server, tab):
        """The dialog keeps the templates of each pack apart: ours are chosen there, else three clicks are all."""
        idle = os.getloadavg()[0] < (os.cpu_count() or 1)
        page, dialog = tab.page, tab.page.get_by_role("dialog")
        page.get_by_role("button", name="Templates").first.click()
        dialog.get_by_text("mimo", exact=True).first.click()
        dialog.get_by_text(re.compile(f"{TWINS[0].stem}|Replace a character", re.I)).first.click()
        tab.wait("() => (app.graph.nodes ?? app.graph._nodes).some((node) => node.type === 'MIMO_Composite')")
        start = time.monotonic()
        page.get_by_role("button", name="Run", exact=True).first.click()
        while not results(server):
            assert time.monotonic() - start < 20 * MINUTE, (server.base / "log").read_text()[-3000:]
            page.wait_for_timeout(250)
        seconds = time.monotonic() - start
        page.wait_for_timeout(3000)
        tab.fit()
        tab.shoot("first_result")
        assert changing_frames(results(server)[0]) >= 8
        assert tab.ours() == []
        (browser.SHOTS / "first_result.txt").write_text(f"Run to a moving result: {seconds:.0f} s, idle: {idle}\n")
        if idle:
            assert seconds <= MINUTE

    def test_the_run_left_a_body_and_layers_to_look_at(self, tab):
        views = "(app.graph.nodes ?? app.graph._nodes).filter((n) => n.widgets?.some((w) => w.type === 'MIMO_VIEW'))"
        assert {"MIMO_EstimatePose", "MIMO_ReviewLayers"} <= set(tab.run(f"{views}.map((n) => n.type)"))
        counts = (
            f"{views}.map((n) => n.widgets.find((w) => w.type === 'MIMO_VIEW').element.shadowRoot"
            ".querySelector('.count').textContent)"
        )
        assert all(re.fullmatch(r"Frame 0 / [1-9]\d*", count) for count in tab.run(counts))


APP_MODE_SINCE = (1, 41)
SHIPPED = browser.ROOT / "mimo_core" / "assets" / "example"


@pytest.mark.skipif(browser.front_end_version() < APP_MODE_SINCE, reason="this front end shows no apps")
class TestApps:
    """A user who never sees the graph: Templates, files, Run, the video; then the same on a telephone."""

    @pytest.mark.parametrize(
        "name, files", [("replace_a_character", ["character.png", "shot.mp4"]),
                        ("animate_a_picture", ["character.png", "scene.jpg"])]
    )  # fmt: skip
    def test_from_templates_to_the_video_without_the_graph(self, server, tab, name, files):
        page = tab.page
        page.get_by_role("button", name="Templates").first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("mimo", exact=True).first.click()
        dialog.get_by_text(f"{name}.app", exact=True).first.click()
        panel = page.get_by_test_id("linear-widgets")
        panel.wait_for()
        page.wait_for_timeout(1500)
        page.keyboard.press("Escape")  # the tour of a first visit
        drops = page.get_by_test_id("drop-zone-indicator")
        for number, file in enumerate(files):
            with page.expect_file_chooser() as chooser:
                drops.nth(number).click()
            chooser.value.set_files(str(SHIPPED / file))
            page.wait_for_timeout(1500)
        before = set(results(server))
        page.get_by_test_id("linear-run-button").get_by_role("button", name="Run").click()
        start = time.monotonic()
        while not set(results(server)) - before:
            assert time.monotonic() - start < 20 * MINUTE, (server.base / "log").read_text()[-3000:]
            page.wait_for_timeout(250)
        (made,) = set(results(server)) - before
        assert changing_frames(made) >= 8
        page.get_by_test_id("linear-outputs").locator("video").first.wait_for()
        tab.shoot(f"app_{name}")
        assert tab.ours() == []

    def test_on_a_narrow_window_nothing_sticks_out(self, tab):
        page = tab.page
        page.set_viewport_size({"width": 420, "height": 900})
        page.get_by_text("Edit & Run").click()
        panel = page.get_by_test_id("linear-widgets")
        panel.wait_for()
        tab.shoot("app_narrow")
        items = page.get_by_test_id("app-mode-widget-item").all()
        boxes = [item.bounding_box() for item in items]
        assert len(boxes) == 3
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= 420 for box in boxes)
        page.set_viewport_size({"width": 1400, "height": 900})
