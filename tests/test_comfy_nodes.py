"""Every node of the core that takes our MODEL and gives a MODEL: what it does to what is sampled.

The list is the core's own registry, so a newer core brings its newer nodes. `docs/model-nodes.md` has the table;
`WRITE_TABLE=1` writes it again from ComfyUI 0.33.
"""

import asyncio
import importlib
import inspect
import os
from pathlib import Path

import pytest
import torch

from tests import tiny_comfy


pytestmark = pytest.mark.comfy
PAGE = Path(__file__).resolve().parents[1] / "docs" / "model-nodes.md"
MARK = "<!-- From here on written by tests/test_comfy_nodes.py -->"
SIZE, FRAMES = 128, 2  # at 64 pixels the deepest level is one pixel, which some nodes divide by
SLOW = {"TorchCompileModel": "compiles, which needs a compiler"}
PLAIN = {"INT", "FLOAT", "STRING", "BOOLEAN"}


def gather_nodes():
    """Classes by id, of the core alone."""
    import nodes

    if "RescaleCFG" not in nodes.NODE_CLASS_MAPPINGS:
        asyncio.run(nodes.init_builtin_extra_nodes())
    return {name: kind for name, kind in nodes.NODE_CLASS_MAPPINGS.items() if not name.startswith("MIMO_")}


def takes_and_gives_model(kind):
    required = kind.INPUT_TYPES().get("required", {})
    models = [name for name, entry in required.items() if entry[0] == "MODEL"]
    return len(models) == 1 and tuple(kind.RETURN_TYPES)[:1] == ("MODEL",)


def default_of(entry):
    """A widget's value, or KeyError where a socket would have to be connected."""
    kind, options = entry[0], entry[1] if len(entry) > 1 else {}
    if isinstance(kind, (list, tuple)):
        return options.get("default", kind[0])
    if kind == "COMBO":
        return options.get("default", options["options"][0])
    if kind in PLAIN:
        return options.get("default", {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}[kind])
    raise KeyError(kind)


def apply(kind, model, widgets):
    """The MODEL that a node makes of ours."""
    (socket,) = [name for name, entry in kind.INPUT_TYPES()["required"].items() if entry[0] == "MODEL"]
    given = widgets | {socket: model}
    if hasattr(kind, "define_schema"):
        made = kind.execute(**given)
        return (made.args if hasattr(made, "args") else made)[0]
    made = getattr(kind(), kind.FUNCTION)(**given)
    return made[0]


def outcome(kind, model, draw, plain):
    """(what, why) of one node with its defaults."""
    required = kind.INPUT_TYPES()["required"]
    try:
        widgets = {name: default_of(entry) for name, entry in required.items() if entry[0] != "MODEL"}
    except KeyError as socket:
        return "not tried", f"needs {socket.args[0]}"
    except IndexError:  # its list is empty
        return "not tried", "needs a file"
    try:
        changed = draw(apply(kind, model, widgets))
    except Exception as error:  # noqa: BLE001 - whatever a user would read is what the table says
        return "refuses", f"{type(error).__name__}: {str(error).splitlines()[0][:90] if str(error) else ''}"
    if not torch.isfinite(changed).all():
        return "not finite", ""
    return ("same", "") if torch.equal(changed, plain) else ("changes", "")


@pytest.fixture(scope="module")
def table(pack):
    native = importlib.import_module(f"{pack.__name__}.nodes.comfy_model")
    model = native.build_model(tiny_comfy.checkpoint())
    conds = tiny_comfy.conditions(native, model, FRAMES, size=SIZE)

    def draw(patched):
        return tiny_comfy.sample(patched, *conds, latent=tiny_comfy.empty_latent(FRAMES, SIZE))

    plain = draw(model)
    rows = {}
    for name, kind in sorted(gather_nodes().items()):
        if not takes_and_gives_model(kind):
            continue
        rows[name] = ("not tried", SLOW[name]) if name in SLOW else outcome(kind, model, draw, plain)
    assert torch.equal(draw(model), plain), "a node changed the model that it was given"
    return rows


def write_page(rows):
    text = PAGE.read_text()
    lines = ["| node | what is sampled | why |", "| --- | --- | --- |"]
    lines += [f"| {name} | {what} | {why.replace('|', '/')} |" for name, (what, why) in rows.items()]
    PAGE.write_text(text[: text.index(MARK)] + MARK + "\n\n" + "\n".join(lines) + "\n")


def read_page():
    rows = PAGE.read_text().partition(MARK)[2].strip().splitlines()[2:]
    return {cells[0]: cells[1] for cells in ([c.strip() for c in row.strip("|").split("|")] for row in rows)}


def test_every_stock_model_node_does_what_the_table_says(table):
    if os.environ.get("WRITE_TABLE"):
        write_page(table)
    said = read_page()
    known = {name: what for name, (what, _) in table.items() if name in said}
    assert known == {name: said[name] for name in known}
    assert len(known) >= 20


def test_none_gives_numbers_that_are_not_finite(table):
    assert [name for name, (what, _) in table.items() if what == "not finite"] == []


def test_guidance_nodes_of_stable_diffusion_change_the_picture(table):
    for name in ("RescaleCFG", "PerturbedAttentionGuidance", "FreSca", "TCFG", "FreeU_V2"):
        if name in table:
            assert table[name][0] == "changes", f"{name}: {table[name]}"


def test_the_registry_is_the_cores(pack):
    assert inspect.getfile(gather_nodes()["KSampler"]).endswith("nodes.py")
