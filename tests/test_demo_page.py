"""`mimo web` in an installed Chromium: what a visitor does, sees and breaks."""

import json
import os
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from mimo_core.example import example_shots
from tests import browser


gradio_is_there = browser.importlib.util.find_spec("gradio") is not None
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not gradio_is_there, reason="gradio is not installed"),
    pytest.mark.skipif(browser.chromium() is None, reason="there is no Chromium; set CHROMIUM"),
]
PATIENCE = 240_000  # milliseconds of a job on a busy machine
EXAMPLE = example_shots()[0]


@pytest.fixture(scope="module")
def demo():
    from mimo_core.demo.page import make_demo, serve_page
    from mimo_core.demo.uploads import Limits

    made = make_demo(Limits(seconds=0.5, side=160))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made.url = serve_page(made, host="127.0.0.1", port=port, block=False)
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser.chromium(), args=browser.OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def page(chromium, demo):
    """A visitor's page, with what it asked of other machines."""
    made = chromium.new_page(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(PATIENCE)
    made.elsewhere, made.errors = [], []
    made.on("request", lambda asked: made.elsewhere.append(asked.url) if is_elsewhere(asked.url) else None)
    made.on("pageerror", lambda error: made.errors.append(str(error)))
    made.goto(demo.url)
    made.wait_for_selector("#run")
    yield made
    made.close()


def is_elsewhere(url: str) -> bool:
    return url.startswith("http") and "127.0.0.1" not in url


def upload(page, number: int, path) -> None:
    """Give a file to the page's upload field `number` and wait until it has arrived."""
    with page.expect_response(lambda answer: "/upload" in answer.url and answer.ok):
        page.locator("input[type=file]").nth(number).set_input_files(str(path))


def take_picture(page, name: str) -> None:
    browser.SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=browser.SHOTS / f"demo_{name}.png", full_page=True)


def test_a_picture_and_a_clip_become_a_video_that_plays(page, demo):
    upload(page, 0, EXAMPLE.character)
    page.wait_for_selector("input[type=file] >> nth=0", state="attached")
    upload(page, page.locator("input[type=file]").count() - 1, EXAMPLE.video)
    page.locator("#run").click()
    page.wait_for_selector("#result video")
    page.wait_for_function("document.querySelector('#result video').readyState >= 2")
    size = page.evaluate("(() => { const v = document.querySelector('#result video'); v.muted = true; v.play(); "
                         "return [v.videoWidth, v.videoHeight] })()")  # fmt: skip
    assert size == [120, 160]
    page.wait_for_function("document.querySelector('#result video').currentTime > 0")
    assert "was cut from 2.0 to 0.5 seconds" in page.locator("#notes").inner_text()
    assert page.locator("#layers img").count() >= 6
    with page.expect_download() as download:
        page.locator("#workflow").click()
    graph = json.loads(Path(download.value.path()).read_text())
    assert {"LoadImage", "LoadVideo", "MIMO_SeparateScene"} <= {node["class_type"] for node in graph.values()}
    take_picture(page, "result")
    assert page.elsewhere == []
    assert page.errors == []


def test_another_job_can_be_stopped(page, demo):
    upload(page, 0, EXAMPLE.character)
    page.get_by_label("a motion that ships").check()
    stopped = []
    real, slow = demo.make_decoder, threading.Event()
    demo.make_decoder = lambda: stopped.append(slow.wait(15)) or real()  # so that there is time to press Stop
    try:
        page.locator("#run").click()
        deadline = time.monotonic() + 60
        while not demo.stops and time.monotonic() < deadline:
            page.wait_for_timeout(100)
        page.locator("#stop").click()
        page.wait_for_timeout(1000)
        slow.set()
        page.wait_for_function("document.querySelector('#notes').innerText.includes('Stopped.')")
    finally:
        slow.set()
        demo.make_decoder = real
    assert page.locator("#result video").count() == 0


def test_a_broken_file_gives_a_sentence(page, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video at all" * 100)
    upload(page, 0, EXAMPLE.character)
    upload(page, page.locator("input[type=file]").count() - 1, broken)
    page.locator("#run").click()
    said = page.locator(".toast-body", has_text="broken.mp4")
    said.wait_for()
    assert said.first.inner_text().rstrip().endswith(".")
    take_picture(page, "broken")


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    take_picture(page, "phone")


@pytest.mark.parametrize("path", ["/etc/hostname", "{repository}/pyproject.toml", "{folder}/../secret.txt"])
def test_the_server_gives_nothing_that_was_not_uploaded(demo, path):
    (demo.folder.parent / "secret.txt").write_text("secret")
    path = path.format(repository=browser.ROOT, folder=demo.folder)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{demo.url}gradio_api/file={path}")
    assert refused.value.code in (403, 404)
    os.unlink(demo.folder.parent / "secret.txt")
