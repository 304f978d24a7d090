"""Prompts of our nodes, wired at random: sockets by their types, widgets by their limits, both bad now and then."""

import random
from itertools import count


PICTURES = ("somebody.png", "clip.png", "lawn.png", "tiny.png")  # in ComfyUI's input folder
LARGEST = {  # keeps a prompt short: what would only take longer
    "size": 64, "length": 3, "steps": 1, "loop": 2, "seconds": 1, "batch_size": 3, "width": 96, "height": 96,
}  # fmt: skip
LEAVES = {"IMAGE": 0.5, "MASK": 0.5}  # how often one of ComfyUI's own nodes is taken, though there is depth left
STRINGS = ("", "white", "#12345", "../../x", "[[", "a" * 300, "[]", "mimo/x", "\u00e4\u0000")
CHANCE_OF_OPTIONAL, CHANCE_OF_BAD = 0.45, 0.12
SKIPPED_INPUTS = {"vae", "clip_vision"}  # of MIMO Identity: only official checkpoints want them


class GraphMaker:
    """Makes prompts from the node descriptions of a server."""

    def __init__(self, described: dict, seed: int):
        self.nodes = {name: about for name, about in described.items() if name.startswith("MIMO_")}
        self.source = random.Random(seed)
        self.makers = {}
        for name, about in self.nodes.items():
            for slot, kind in enumerate(about["output"]):
                self.makers.setdefault(kind, []).append((name, slot))

    def make(self) -> dict:
        """One prompt that ends in one of our nodes, picked at random."""
        self.prompt, self.numbers = {}, count(1)
        name = self.source.choice(sorted(self.nodes))
        number = self._add(name, depth=self.source.randint(1, 4))
        for slot in range(len(self.nodes[name]["output"])):
            self._put("PreviewAny", source=[number, slot])
        return self.prompt

    def _put(self, name: str, **inputs) -> str:
        number = str(next(self.numbers))
        self.prompt[number] = {"class_type": name, "inputs": inputs}
        return number

    def _add(self, name: str, depth: int) -> str:
        inputs = {}
        for group in ("required", "optional"):
            for key, (kind, *options) in self.nodes[name]["input"].get(group, {}).items():
                options = options[0] if options else {}
                if isinstance(kind, list) or kind in ("COMBO", "INT", "FLOAT", "BOOLEAN", "STRING"):
                    inputs[key] = self._pick_value(key, kind, options)
                elif key in SKIPPED_INPUTS and name == "MIMO_EncodeIdentity":
                    continue
                elif group == "required" or self.source.random() < CHANCE_OF_OPTIONAL:
                    made = self._make_value(kind, depth - 1)
                    if made is not None:
                        inputs[key] = made
        return self._put(name, **inputs)

    def _pick_value(self, key: str, kind, options: dict):
        if isinstance(kind, list) or kind == "COMBO":
            choices = options.get("options") or kind
            bad = self.source.random() < CHANCE_OF_BAD / 4
            return "no such choice" if bad else self.source.choice(choices)
        if kind == "BOOLEAN":
            return self.source.random() < 0.5
        if kind == "STRING":
            return self.source.choice(STRINGS) if self.source.random() < 0.4 else options.get("default", "")
        low, high = options.get("min", 0), options.get("max", 100)
        if key in LARGEST:
            low, high = min(max(low, 1), LARGEST[key]), LARGEST[key]
            return self.source.choice([low, high])
        if self.source.random() < CHANCE_OF_BAD:
            return self.source.choice([low, high, options.get("default", low)])
        if self.source.random() < 0.5:
            return options.get("default", low)
        value = self.source.uniform(max(low, -20), min(high, 20))
        return int(value) if kind == "INT" else value

    def _make_value(self, kinds: str, depth: int):
        """A link to something of one of these types, None where nobody makes it."""
        kind = self.source.choice(kinds.split(","))
        makers = self.makers.get(kind, [])
        own = {
            "IMAGE": self._make_image, "MASK": self._make_mask, "VIDEO": self._make_video, "LATENT": self._make_latent,
            "MIMO_MOTION": self._make_motion,
        }.get(kind)  # fmt: skip
        if own and (depth < 1 or self.source.random() < LEAVES.get(kind, 0.3)):
            return own()
        if depth < -2 or not makers:
            return None
        name, slot = self.source.choice(makers)
        return [self._add(name, depth), slot]

    def _make_image(self) -> list:
        if self.source.random() < 0.6:
            return [self._put("LoadImage", image=self.source.choice(PICTURES)), 0]
        size = {side: self.source.choice([1, 16, 48, 97]) for side in ("width", "height")}
        return [self._put("EmptyImage", **size, batch_size=self.source.randint(1, 3), color=0), 0]

    def _make_mask(self) -> list:
        if self.source.random() < 0.4:
            return [self._put("LoadImage", image=self.source.choice(PICTURES)), 1]
        size = {side: self.source.choice([1, 16, 48, 97]) for side in ("width", "height")}
        return [self._put("SolidMask", value=self.source.choice([0.0, 0.5, 1.0]), **size), 0]

    def _make_video(self) -> list:
        return [self._put("CreateVideo", images=self._make_image(), fps=self.source.choice([1.0, 24.0, 60.0])), 0]

    def _make_latent(self) -> list:
        return [self._put("EmptyLatentImage", width=64, height=64, batch_size=2), 0]

    def _make_motion(self) -> list:
        """A few frames of a motion that ships."""
        files = self.nodes["MIMO_LoadMotion"]["input"]["required"]["file"]
        choices = files[1]["options"] if isinstance(files[0], str) else files[0]
        defaults = {
            key: options[0]["default"]
            for key, (_, *options) in self.nodes["MIMO_LoadMotion"]["input"].get("optional", {}).items()
            if options and "default" in options[0]
        }
        number = self._put("MIMO_LoadMotion", file=self.source.choice(choices[:12]), **defaults)
        edit = {
            key: options[0]["default"]
            for group in ("required", "optional")
            for key, (_, *options) in self.nodes["MIMO_EditMotion"]["input"].get(group, {}).items()
            if options and "default" in options[0]
        }
        length = self.source.randint(1, 3)
        return [self._put("MIMO_EditMotion", **edit | {"motion": [number, 0], "length": length}), 0]
