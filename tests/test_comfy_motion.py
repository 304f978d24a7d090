"""Motion without a video, on a real ComfyUI server: files in and out, edits, cameras, and what is refused."""

import pickle
import urllib.request

import pytest

from tests.skeletons import MIXAMO, bvh_text, key_poses
from tests.test_comfy import Server, error_of, graph


pytestmark = pytest.mark.comfy
EDIT = {
    "start": 0, "length": 0, "speed": 1.0, "loop": 1, "mirror": False, "floor_contact": False, "reverse": False,
    "in_place": False, "smoothing": 0.0, "blend": 0.3,
}  # fmt: skip
PLACE = {
    "x": 0.0, "y": 0.0, "z": 0.0, "turn": 0.0, "scale": 1.0, "camera": "keep", "azimuth": 0.0, "elevation": 0.0,
    "distance": 0.0, "orbit_speed": 45.0, "field_of_view": 0.0, "width": 96, "height": 96,
}  # fmt: skip
DRAW = {"style": "mask", "colors": "auto"}


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("comfyui"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def upload(server, name, content):
    """As the page does when a file is dropped on Load Motion."""
    boundary = "motion"
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode()
    request = urllib.request.Request(
        f"{server.url}/upload/image",
        body + content + f"\r\n--{boundary}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request) as reply:
        assert reply.status == 200


def load(name):
    return ("MIMO_LoadMotion", {"file": name})


def save(source, kind, prefix):
    return ("MIMO_SaveMotion", {"motion": [source, 0], "prefix": prefix, "format": kind})


def shown(server, source, **before):
    """How many pictures a graph that ends in `source` draws."""
    prompt = graph(
        **before,
        place=("MIMO_PlaceMotion", {"motion": [source, 0]} | PLACE | {"camera": "orbit"}),
        draw=("MIMO_RenderMotion", {"motion": ["place", 0]} | DRAW),
        show=("PreviewImage", {"images": ["draw", 0]}),
    )
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    return len(entry["outputs"]["show"]["images"])


class TestMotionFiles:
    @pytest.mark.parametrize("kind", ["npz", "bvh", "glb"])
    def test_a_built_in_motion_is_written_and_read_again(self, server, kind):
        edit = ("MIMO_EditMotion", {"motion": ["load", 0]} | EDIT | {"length": 8})
        prompt = graph(load=load("wave [built in]"), edit=edit, save=save("edit", kind, f"motion/{kind}"))
        assert server.run(prompt)["status"]["status_str"] == "success"
        assert shown(server, "load", load=load(f"motion/{kind}_00001_.{kind} [output]")) == 8

    def test_a_dropped_bvh_file_is_offered_and_moves_the_body(self, server):
        upload(server, "fight.bvh", bvh_text(MIXAMO, *key_poses(MIXAMO)).encode())
        offered = server.get("/object_info/MIMO_LoadMotion")["MIMO_LoadMotion"]["input"]["required"]["file"]
        assert "fight.bvh" in str(offered)
        assert shown(server, "load", load=load("fight.bvh")) == 6

    def test_two_motions_follow_each_other(self, server):
        join = (
            "MIMO_EditMotion",
            {"motion": ["one", 0], "then": ["two", 0]} | EDIT | {"length": 10, "loop": 2, "blend": 0.0},
        )
        edited = ("MIMO_EditMotion", {"motion": ["join", 0]} | EDIT | {"start": 15, "length": 10})
        frames = shown(server, "edit", one=load("walk [built in]"), two=load("bow [built in]"), join=join, edit=edited)
        assert frames == 10


class TestBadFiles:
    def test_a_pickle_with_code_is_refused_and_not_run(self, server):
        upload(server, "bad.pkl", pickle.dumps({"a": Bomb(server.base / "ran")}))
        assert "Nothing of it was run" in error_of(server, graph(load=load("bad.pkl"), save=save("load", "npz", "bad")))
        assert not (server.base / "ran").exists()

    def test_a_truncated_bvh_says_how_much_is_there(self, server):
        text = bvh_text(MIXAMO, *key_poses(MIXAMO))
        upload(server, "cut.bvh", text[:-200].encode())
        message = error_of(server, graph(load=load("cut.bvh"), save=save("load", "npz", "cut")))
        assert "5 whole frames" in message
        assert not list((server.base / "output").glob("cut*"))
