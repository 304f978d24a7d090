"""Downloads by huggingface_hub from a server on this machine that answers as the hub does: compare, place, refuse."""

import hashlib
import io
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mimo_core.errors import InputError
from mimo_core.weights.fetch import fetch_weights, install_weights
from mimo_core.weights.files import WEIGHT_FILES, WeightFile, get_models_folder, locate_weights


CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GIT_SHA1 = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Serves CONTENT as `someone/weights/parts/net.pth`, with the headers that the hub's client reads."""

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        self.answer(self.server.content)

    def answer(self, content):
        self.server.requests.append((self.command, self.path))
        wanted = [f"/someone/weights/resolve/{revision}/parts/net.pth" for revision in ("main", COMMIT)]
        if self.path not in wanted:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{self.server.etag}"')
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.requests, server.etag, server.content = [], SHA256, CONTENT
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def models(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


ENTRY = WeightFile(
    "net.pth",
    "mimo/net.pth",
    "all else",
    "MIT",
    source="a page",
    group="mimo",
    repository="someone/weights",
    remote_path="parts/net.pth",
)


def list_files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


class TestFetch:
    def test_a_file_arrives_whole_compared_and_under_its_name_alone(self, hub, models):
        fetched = fetch_weights(ENTRY, models, endpoint=hub.address)
        assert fetched.path.read_bytes() == CONTENT
        assert fetched.verified and fetched.sha256 == SHA256
        assert list_files(models) == ["mimo/net.pth"]

    def test_the_revision_that_was_asked_about_is_the_one_that_is_fetched(self, hub, models):
        fetch_weights(ENTRY, models, endpoint=hub.address)
        assert hub.requests[-1] == ("GET", f"/someone/weights/resolve/{COMMIT}/parts/net.pth")

    def test_progress_counts_bytes(self, hub, models):
        seen = []
        fetch_weights(ENTRY, models, endpoint=hub.address, progress=lambda done, total: seen.append((done, total)))
        assert seen[-1] == (len(CONTENT), len(CONTENT))

    def test_a_small_file_is_compared_by_the_hash_of_its_git_blob(self, hub, models):
        hub.etag = GIT_SHA1
        assert fetch_weights(ENTRY, models, endpoint=hub.address).verified

    @pytest.mark.parametrize("etag", ["0" * 64, "0" * 40])
    def test_another_hash_than_the_hub_states_is_named_and_the_file_not_kept(self, hub, models, etag):
        hub.etag = etag
        with pytest.raises(InputError, match=f"the hub states {etag}: damaged or another file. It was not kept"):
            fetch_weights(ENTRY, models, endpoint=hub.address)
        assert not [name for name in list_files(models) if name.endswith("net.pth")]

    def test_a_file_that_lies_there_is_compared_and_not_fetched_again(self, hub, models):
        (models / "mimo").mkdir()
        (models / "mimo" / "net.pth").write_bytes(CONTENT)
        assert fetch_weights(ENTRY, models, endpoint=hub.address).verified
        assert {method for method, _ in hub.requests} == {"HEAD"}

    def test_a_damaged_file_that_lies_there_is_named_and_left(self, hub, models):
        (models / "mimo").mkdir()
        (models / "mimo" / "net.pth").write_bytes(CONTENT[:-1])
        with pytest.raises(InputError, match="damaged or another file. Remove .*net.pth and fetch it again"):
            fetch_weights(ENTRY, models, endpoint=hub.address)
        assert (models / "mimo" / "net.pth").exists()

    def test_cancelling_leaves_nothing_that_looks_complete(self, hub, models):
        def stop(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fetch_weights(ENTRY, models, endpoint=hub.address, progress=stop)
        assert not [name for name in list_files(models) if name.endswith("net.pth")]

    def test_a_missing_page_is_named_with_the_way_round(self, hub, models):
        with pytest.raises(InputError, match="net.pth could not be fetched.*404.*--from"):
            fetch_weights(replace(ENTRY, remote_path="parts/other.pth"), models, endpoint=hub.address)

    def test_without_a_connection_a_file_that_lies_there_counts_but_is_not_verified(self, models):
        nobody = "http://127.0.0.1:9"
        with pytest.raises(InputError, match="net.pth could not be fetched from http://127.0.0.1:9"):
            fetch_weights(ENTRY, models, endpoint=nobody)
        (models / "mimo").mkdir(exist_ok=True)
        (models / "mimo" / "net.pth").write_bytes(CONTENT)
        fetched = fetch_weights(ENTRY, models, endpoint=nobody)
        assert fetched.sha256 == SHA256 and not fetched.verified

    def test_what_needs_a_registration_is_named_with_its_page(self, models):
        with pytest.raises(InputError, match="Get it at a page"):
            fetch_weights(replace(ENTRY, repository=""), models)


class TestInstall:
    def test_a_file_from_elsewhere_is_copied_and_its_hash_told(self, models, tmp_path):
        (tmp_path / "download").write_bytes(CONTENT)
        installed = install_weights(ENTRY, tmp_path / "download", models)
        assert installed.path.read_bytes() == CONTENT and installed.sha256 == SHA256
        assert list_files(models) == ["mimo/net.pth"]

    def test_a_file_that_is_not_there_is_named(self, models, tmp_path):
        with pytest.raises(InputError, match="There is no file .*download"):
            install_weights(ENTRY, tmp_path / "download", models)


class TestTable:
    def test_what_ships_is_found(self):
        assert all(locate_weights(entry) for entry in WEIGHT_FILES if entry.ships)

    def test_weights_lie_in_the_named_folder(self, monkeypatch, tmp_path):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path))
        entry = next(entry for entry in WEIGHT_FILES if entry.name == "pose_guider.pth")
        assert get_models_folder() == tmp_path
        assert locate_weights(entry) is None
        (tmp_path / "mimo").mkdir()
        (tmp_path / "mimo" / "pose_guider.pth").write_bytes(b"weights")
        assert locate_weights(entry) == tmp_path / "mimo" / "pose_guider.pth"

    def test_every_file_has_a_licence_a_source_and_what_works_without_it(self):
        assert all(entry.licence and entry.source and entry.without for entry in WEIGHT_FILES)
        assert all(part.remote_path for entry in WEIGHT_FILES if entry.repository for part in entry.list_parts())


class TestFolders:
    """A network of several files, of one commit of a repository."""

    FOLDER = replace(
        ENTRY, path="mimo/net", remote_path="", revision=COMMIT, files=(("parts/net.pth", SHA256),), size="1 MB"
    )

    def test_all_its_files_are_fetched_from_the_pinned_commit(self, hub, models):
        fetched = fetch_weights(self.FOLDER, models, endpoint=hub.address)
        assert fetched.verified
        assert fetched.path == models / "mimo" / "net" / "parts" / "net.pth"
        assert all(COMMIT in path for _, path in hub.requests)

    def test_a_file_with_another_hash_than_the_pinned_one_is_refused(self, hub, models):
        other = replace(self.FOLDER, files=(("parts/net.pth", "0" * 64),))
        with pytest.raises(InputError, match="the table of this pack states 0000"):
            fetch_weights(other, models, endpoint=hub.address)
        assert not (models / "mimo").exists()

    def test_a_folder_that_was_downloaded_by_other_means_is_copied(self, models, tmp_path):
        (tmp_path / "got" / "parts").mkdir(parents=True)
        (tmp_path / "got" / "parts" / "net.pth").write_bytes(CONTENT)
        installed = install_weights(self.FOLDER, tmp_path / "got", models)
        assert installed.path.read_bytes() == CONTENT
        assert installed.sha256 == SHA256

    def test_of_a_folder_that_lacks_a_file_nothing_is_copied(self, models, tmp_path):
        folder = replace(self.FOLDER, files=(("config.json", ""), *self.FOLDER.files))
        (tmp_path / "got").mkdir()
        (tmp_path / "got" / "config.json").write_text("{}")
        with pytest.raises(InputError, match=r"got lacks parts/net\.pth of .*whole folder"):
            install_weights(folder, tmp_path / "got", models)
        assert not (models / "mimo" / "net").exists()

    def test_it_is_there_when_all_its_files_are(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path))
        (tmp_path / "mimo" / "net").mkdir(parents=True)
        (tmp_path / "mimo" / "net" / "config.json").write_text("{}")
        assert locate_weights(self.FOLDER) is None
        (tmp_path / "mimo" / "net" / "parts").mkdir()
        (tmp_path / "mimo" / "net" / "parts" / "net.pth").write_bytes(CONTENT)
        assert locate_weights(self.FOLDER) == tmp_path / "mimo" / "net"


class TestArchives:
    """A file out of a package, whose hash our table knows. The address may be that of a file."""

    @pytest.fixture
    def entry(self, tmp_path):
        with tarfile.open(tmp_path / "pack.tgz", "w:gz") as archive:
            member = tarfile.TarInfo("package/net.tflite")
            member.size = len(CONTENT)
            archive.addfile(member, io.BytesIO(CONTENT))
        return WeightFile(
            "net.tflite", "mimo/net.tflite", "", "Apache-2.0", "https://example.com", "net",
            remote_path="package/net.tflite", archive=(tmp_path / "pack.tgz").as_uri(), sha256=SHA256,
        )  # fmt: skip

    def test_the_file_is_taken_out_and_nothing_else_is_left(self, entry, models):
        counts = []
        fetched = fetch_weights(entry, models, progress=lambda *count: counts.append(count))
        assert fetched.path.read_bytes() == CONTENT and fetched.verified
        assert [path.name for path in models.rglob("*") if path.is_file()] == ["net.tflite"]
        assert counts[-1][0] == counts[-1][1] > 0

    def test_what_lies_there_is_not_fetched_again(self, entry, models, tmp_path):
        fetch_weights(entry, models)
        (tmp_path / "pack.tgz").unlink()
        assert fetch_weights(entry, models).verified

    def test_another_hash_leaves_nothing(self, entry, models):
        with pytest.raises(InputError, match="expected is 0000"):
            fetch_weights(replace(entry, sha256="0" * 64), models)
        assert not any(path.is_file() for path in models.rglob("*"))

    @pytest.mark.parametrize("what", ["missing", "cut off", "damaged", "without the file"])
    def test_an_archive_that_cannot_be_read_is_named(self, entry, models, tmp_path, what):
        pack = tmp_path / "pack.tgz"
        if what == "missing":
            pack.unlink()
        elif what == "cut off":
            pack.write_bytes(pack.read_bytes()[:100])
        elif what == "damaged":
            content = bytearray(pack.read_bytes())
            content[40:80] = b"\xff" * 40
            pack.write_bytes(content)
        else:
            entry = replace(entry, remote_path="package/other.tflite")
        with pytest.raises(InputError, match=r"net\.tflite could not be fetched from file:"):
            fetch_weights(entry, models)
        assert not any(path.is_file() for path in models.rglob("*"))
