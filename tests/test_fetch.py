"""Downloads against a real HTTP server on this machine: resume, verify, refuse."""

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mimo_core.errors import InputError
from mimo_core.weights.fetch import fetch, install
from mimo_core.weights.files import FILES, WeightFile, locate, models_folder, table


CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT under /file, half of it under /short, and redirects under /elsewhere."""

    def do_GET(self):
        self.server.requests.append(dict(self.headers))
        if self.path in ("/file", "/short"):
            self.send_content(len(CONTENT) // 2 if self.path == "/short" else len(CONTENT))
        elif self.path == "/elsewhere":
            self.answer(302, Location=f"http://localhost:{self.server.server_port}/file")
        elif self.path == "/here":
            self.answer(302, Location="/file")
        else:
            self.answer(404)

    def send_content(self, end):
        start, etag = 0, self.server.etag
        if (wanted := self.headers.get("Range")) and self.headers.get("If-Range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(CONTENT):
            self.answer(416, **{"Content-Range": f"bytes */{len(CONTENT)}"})
            return
        self.answer(206 if start else 200, ETag=etag, **{"Content-Length": str(len(CONTENT) - start)})
        self.wfile.write(CONTENT[start:end])

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.etag = [], '"first"'
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def entry():
    return WeightFile(
        "net.pth", "mimo/net.pth", "all else", "MIT", source="a page", group="mimo", sha256=SHA256, hosts=()
    )


def address(server, path="/file"):
    return f"http://127.0.0.1:{server.server_port}{path}"


class TestFetch:
    def test_a_file_arrives_whole_verified_and_under_its_name_alone(self, server, entry, tmp_path):
        fetched = fetch(entry, tmp_path, url=address(server))
        assert fetched.path.read_bytes() == CONTENT
        assert fetched.verified
        assert [path.name for path in (tmp_path / "mimo").iterdir()] == ["net.pth"]

    def test_progress_counts_bytes(self, server, entry, tmp_path):
        seen = []
        fetch(entry, tmp_path, url=address(server), progress=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (len(CONTENT), len(CONTENT))

    def test_a_short_answer_is_kept_and_resumed_from_where_it_ended(self, server, entry, tmp_path):
        with pytest.raises(InputError, match=f"after {len(CONTENT) // 2} of {len(CONTENT)} bytes.*resume"):
            fetch(entry, tmp_path, url=address(server, "/short"))
        assert not (tmp_path / "mimo" / "net.pth").exists()
        assert fetch(entry, tmp_path, url=address(server)).path.read_bytes() == CONTENT
        assert server.requests[-1]["Range"] == f"bytes={len(CONTENT) // 2}-"

    def test_a_file_that_changed_on_the_server_is_fetched_anew(self, server, entry, tmp_path):
        with pytest.raises(InputError):
            fetch(entry, tmp_path, url=address(server, "/short"))
        server.etag = '"second"'
        assert fetch(entry, tmp_path, url=address(server)).path.read_bytes() == CONTENT

    def test_a_stop_before_the_last_rename_needs_no_second_download(self, server, entry, tmp_path):
        (tmp_path / "mimo").mkdir()
        (tmp_path / "mimo" / "net.pth.part").write_bytes(CONTENT)
        assert fetch(entry, tmp_path, url=address(server)).verified

    def test_cancelling_leaves_only_what_can_be_resumed(self, server, entry, tmp_path):
        def stop(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fetch(entry, tmp_path, url=address(server), progress=stop)
        assert sorted(path.name for path in (tmp_path / "mimo").iterdir()) == ["net.pth.part", "net.pth.part.etag"]

    def test_a_wrong_hash_is_named_and_the_file_not_kept(self, server, entry, tmp_path):
        with pytest.raises(InputError, match=f"SHA-256 {SHA256}, expected 00"):
            fetch(replace(entry, sha256="00"), tmp_path, url=address(server))
        assert not list((tmp_path / "mimo").glob("net.pth*[!g]"))

    def test_without_a_known_hash_it_says_so_and_tells_the_hash(self, server, entry, tmp_path):
        fetched = fetch(replace(entry, sha256=""), tmp_path, url=address(server))
        assert not fetched.verified
        assert fetched.sha256 == SHA256

    def test_a_redirect_to_another_host_is_refused(self, server, entry, tmp_path):
        with pytest.raises(InputError, match="another host, localhost.*--from"):
            fetch(entry, tmp_path, url=address(server, "/elsewhere"))
        assert len(server.requests) == 1

    def test_a_redirect_on_the_same_host_is_followed(self, server, entry, tmp_path):
        assert fetch(entry, tmp_path, url=address(server, "/here")).verified

    def test_a_plain_http_address_of_another_machine_is_refused(self, entry, tmp_path):
        with pytest.raises(InputError, match="not an https address"):
            fetch(entry, tmp_path, url="http://example.invalid/net.pth")

    def test_a_missing_page_is_named(self, server, entry, tmp_path):
        with pytest.raises(InputError, match="404"):
            fetch(entry, tmp_path, url=address(server, "/nothing"))

    def test_no_server_is_one_line(self, server, entry, tmp_path):
        port = server.server_port
        server.shutdown()
        server.server_close()
        with pytest.raises(InputError, match=f"connection to 127.0.0.1:{port} failed"):
            fetch(entry, tmp_path, url=f"http://127.0.0.1:{port}/file")

    def test_a_file_that_lies_there_is_not_fetched_again(self, server, entry, tmp_path):
        (tmp_path / "mimo").mkdir()
        (tmp_path / "mimo" / "net.pth").write_bytes(CONTENT)
        assert fetch(entry, tmp_path, url=address(server)).verified
        assert server.requests == []

    def test_what_needs_a_registration_is_named_with_its_page(self, entry, tmp_path):
        with pytest.raises(InputError, match="Get it at a page"):
            fetch(replace(entry, url=""), tmp_path)


class TestInstall:
    def test_a_file_from_elsewhere_is_copied_and_verified(self, entry, tmp_path):
        (tmp_path / "download").write_bytes(CONTENT)
        assert install(entry, tmp_path / "download", tmp_path).path.read_bytes() == CONTENT

    def test_a_wrong_file_is_refused_and_kept_where_it_was(self, entry, tmp_path):
        (tmp_path / "download").write_bytes(b"something else")
        with pytest.raises(InputError, match="damaged or another"):
            install(entry, tmp_path / "download", tmp_path)
        assert (tmp_path / "download").exists()


class TestTable:
    def test_what_ships_is_found(self):
        assert all(locate(entry) for entry in FILES if entry.ships)

    def test_weights_lie_in_the_named_folder(self, monkeypatch, tmp_path):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path))
        entry = next(entry for entry in FILES if entry.name == "pose_guider.pth")
        assert models_folder() == tmp_path
        assert locate(entry) is None
        (tmp_path / "mimo").mkdir()
        (tmp_path / "mimo" / "pose_guider.pth").write_bytes(b"weights")
        assert locate(entry) == tmp_path / "mimo" / "pose_guider.pth"

    def test_every_file_has_a_licence_a_source_and_what_works_without_it(self):
        assert all(entry.licence and entry.source and entry.without for entry in FILES)
        assert all(entry.name in table() for entry in FILES)

    def test_no_hash_is_invented(self):
        assert {entry.pinned for entry in FILES} == {"not pinned"}
