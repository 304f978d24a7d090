"""How fast the motion viewer draws: frame times in a view of 360x240, without a graphics card.

    python tools/bench_viewer.py [--frames 300] [--json]

Needs playwright and an installed Chromium (CHROMIUM). The picture is read back after every frame, so that nothing is
left undone when the clock stops. Run it on a machine that does nothing else.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright


ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TARGET = 33.0  # milliseconds
OPTIONS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PAGE = """<!doctype html><body style="margin: 0"><div id="host" style="width: 360px; height: 290px"></div>"""
MEASURE = """async ({ described, frames }) => {
  const { MotionView } = await import("/web/lib/write_motion_view.mjs");
  const host = document.getElementById("host");
  const view = new MotionView(host, "en");
  await view.show(described, (file) => `/${described.subfolder}/${file}`);
  const canvas = view.canvas;
  canvas.style.cssText += "; width: 360px; height: 240px";
  const next = () => new Promise((done) => requestAnimationFrame(done));
  for (let warm = 0; warm < 30; warm++) { view.player.go(warm); await next(); await next(); }
  const times = [];
  for (let frame = 0; frame < frames; frame++) {
    const start = performance.now();
    view.player.frame = frame % described.frames;
    view.player.onFrame(view.player.frame);
    canvas.getContext("2d").getImageData(0, 0, 1, 1);
    times.push(performance.now() - start);
    await next();
  }
  return { times, size: [canvas.width, canvas.height] };
}"""


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def log_message(self, *_):
        pass


def measure(frames: int) -> tuple[list[float], list[int]]:
    """Milliseconds of each frame, and the size of the view."""
    from mimo_core.example import example_shots
    from mimo_core.media.clip import Clip
    from mimo_core.view.motion import write_motion_view

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "web").symlink_to(ROOT / "web")
        (base / "view").mkdir()
        (base / "index.html").write_text(PAGE)
        shot = example_shots()[0]
        described = write_motion_view(shot.motion(), base / "view", clip=Clip.from_file(shot.video)) | {
            "subfolder": "view"
        }
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as player:
            chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = player.chromium.launch(executable_path=chromium, args=OPTIONS)
            page = browser.new_page(viewport={"width": 400, "height": 320})
            page.set_default_timeout(300_000)
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            found = page.evaluate(MEASURE, {"described": described, "frames": frames})
            browser.close()
        server.shutdown()
    return found["times"], found["size"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="print one object")
    options = parser.parse_args()
    times, size = measure(options.frames)
    median, slowest = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    row = {"value": round(median, 1), "target": TARGET, "ok": median <= TARGET, "p95": round(slowest, 1), "size": size}
    if options.json:
        print(json.dumps({"rows": {"viewer frame time, ms": row}}))
    else:
        print(f"{len(times)} frames of {size[0]}x{size[1]}: median {median:.1f} ms, 95 % below {slowest:.1f} ms")
    return 0 if row["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
