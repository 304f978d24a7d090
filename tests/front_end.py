"""ComfyUI's page without ComfyUI: its static files, recorded node descriptions, our extension, and files to view.

It answers what the page asks at start-up and nothing more: enough to open graphs, look at widgets and feed results to
nodes by hand. What a server does is tested on a real one.
"""

import base64
import hashlib
import importlib.util
import json
import mimetypes
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {
    # What a second visit would have: no tutorial, and what front end 1.27 trips over on a virgin profile.
    "Comfy.TutorialCompleted": True,
    "Comfy.Notification.ShowVersionUpdates": False,
    "Comfy.Canvas.LeftMouseClickBehavior": "panning",
    "Comfy.Canvas.MouseWheelScroll": "zoom",
    "Comfy.Minimap.Visible": False,
}
SYSTEM = {"os": "posix", "python_version": "3", "embedded_python": False, "comfyui_version": "0.3.64", "argv": []}
WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
# Front end 1.27 asks these for the names of model files, and gives up where one is not there.
LOADERS = (
    "CheckpointLoaderSimple",
    "CLIPLoader",
    "CLIPVisionLoader",
    "ControlNetLoader",
    "GLIGENLoader",
    "ImageOnlyCheckpointLoader",
    "LoraLoader",
    "LoraLoaderModelOnly",
    "StyleModelLoader",
    "UNETLoader",
    "UpscaleModelLoader",
    "VAELoader",
)
NOTHING = {"input": {}, "output": [], "output_name": [], "output_node": False, "python_module": "nodes"}


def static_folder() -> Path | None:
    """The page's files: FRONT_END, else those of comfyui-frontend-package, else None."""
    if named := os.environ.get("FRONT_END"):
        return Path(named)
    found = importlib.util.find_spec("comfyui_frontend_package")
    return Path(found.origin).parent / "static" if found else None


class FrontEnd:
    """The page on a port of its own; `temp` holds what /view gives out."""

    def __init__(self, static: Path, temp: Path, settings: dict | None = None):
        known = dict.fromkeys(LOADERS, NOTHING)
        known |= json.loads((ROOT / "tests" / "data" / "object_info.json").read_text())
        self.answers = {
            "object_info": {name: whole(name, node) for name, node in known.items()},
            "settings": SETTINGS | (settings or {}),
            "users": {"storage": "server", "migrated": True},
            "extensions": ["/extensions/mimo/mimo.js"],
            "system_stats": {"system": SYSTEM, "devices": []},
            "queue": {"queue_running": [], "queue_pending": []},
            "history": {},
            "jobs": {"jobs": [], "pagination": {"offset": 0, "limit": 200, "total": 0, "has_more": False}},
            "embeddings": [],
            "features": {},
            "i18n": {},
            "userdata": [],
            "workflow_templates": {},
            "experiment/models": [],
            "global_subgraphs": {},
        }
        self.folders = {"extensions/mimo": ROOT / "web", "": static}
        self.temp = temp
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"page": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def file(self, path: str, query: dict) -> Path | None:
        """The file that a request means, or None."""
        if path == "view":
            return self.temp / query.get("subfolder", [""])[0] / query["filename"][0]
        for prefix, folder in self.folders.items():
            if path.startswith(prefix):
                file = folder / (path.removeprefix(prefix).strip("/") or "index.html")
                if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
                    return file
        return None


def whole(name: str, node: dict) -> dict:
    """A recorded description with what the page insists on; the texts of stock nodes are not recorded."""
    lists = [False] * len(node["output"])
    texts = {"name": name, "display_name": name, "description": "", "category": "stock", "output_is_list": lists}
    return texts | node


class _Handler(BaseHTTPRequestHandler):
    page: FrontEnd
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urlsplit(self.path)
        path = address.path.strip("/").removeprefix("api/")
        if path == "ws":
            return self._greet()
        if path in self.page.answers:
            return self._send(json.dumps(self.page.answers[path]).encode(), "application/json")
        file = self.page.file(path, parse_qs(address.query))
        if file is None or not file.is_file():
            return self._send(b"{}", "application/json", 404)
        kind = "text/javascript" if file.suffix == ".mjs" else mimetypes.guess_type(file.name)[0]
        return self._send(file.read_bytes(), kind or "application/octet-stream")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._send(b"{}", "application/json")

    do_PUT = do_DELETE = do_POST

    def _send(self, content: bytes, kind: str, status: int = 200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _greet(self):
        """Open the page's socket, say that nothing runs, and keep it open until the page leaves."""
        key = self.headers["Sec-WebSocket-Key"] + WEBSOCKET
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)):
            self.send_header(name, value)
        self.end_headers()
        status = {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "test"}}
        text = json.dumps(status).encode()
        self.wfile.write(bytes([0x81, len(text)]) + text)
        self.wfile.flush()
        while self.rfile.read(1):
            pass
        self.close_connection = True

    def log_message(self, *_):
        pass
