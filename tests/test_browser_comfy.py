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
