"""The wardrobe, the rest: what is worn at the neck, hands, waist and shoulders."""

from __future__ import annotations

from .item import Cover, Item, piece


def _neck(name, pieces=(), details=(), zone=None, thick=0.006, **more) -> Item:
    return Item(name, "neck", zone, thick, details=details, pieces=pieces, **more)


def _hand(name, start=0.97, end=9.0, thick=0.004, details=(), **more) -> Item:
    return Item(name, "hands", Cover(arms=(start, end)), thick, details=details, **more)


def _waist(name, top=-0.38, bottom=-0.31, thick=0.004, details=(), pieces=(), **more) -> Item:
    return Item(name, "waist", Cover((top, bottom)), thick, details=details, pieces=pieces, **more)


def _bag(name, *pieces, details=(), **more) -> Item:
    return Item(name, "bag", None, details=details, pieces=pieces, **more)


NECK = (
    _neck("scarf", (piece("ring", -0.99, thick=0.06, tilt=0.02), piece("strip", 0.05, -0.9, -0.4, width=0.1))),
    _neck("long scarf", (piece("ring", -0.99, thick=0.055, tilt=0.02), piece("strip", 0.06, -0.9, -0.05, width=0.09),
                         piece("strip", -0.05, -0.9, -0.1, width=0.09))),
    _neck("snood", (piece("ring", -0.98, thick=0.09, tilt=0.03),)),
    _neck("neckerchief", (piece("strip", 0.0, -0.93, -0.7, width=0.14, thick=0.012),), ("choker wide",)),
    _neck("tie", (piece("strip", 0.0, -0.93, -0.32, width=0.065, thick=0.008),), ("white collar",), weight=2),
    _neck("bow tie", (piece("ball", (0.035, -0.95, 0.115), (0.035, 0.024, 0.014), on="trunk"),
                      piece("ball", (-0.035, -0.95, 0.115), (0.035, 0.024, 0.014), on="trunk")), ("white collar",)),
    _neck("choker", details=("choker",)),
    _neck("necklace", details=("necklace",), tone=(0.85, 0.68, 0.25)),
    _neck("long beads", details=("long beads",)),
    _neck("medal", (piece("ball", (0.0, -0.58, 0.15), (0.035, 0.035, 0.008), on="trunk"),), ("ribbon v",)),
    _neck("lanyard", (piece("strip", 0.0, -0.5, -0.36, width=0.07, thick=0.008),), ("ribbon v",)),
    _neck("ruff", (piece("ring", -1.0, thick=0.05, slack=0.05), piece("ring", -1.0, thick=0.05, slack=0.02)),
          tone=(0.94, 0.94, 0.92), pattern="plain"),
    _neck("fur collar", (piece("ring", -0.95, thick=0.09, slack=0.02, tilt=0.04),), pattern="marl"),
    _neck("shawl", (piece("strip", 0.1, -0.92, -0.1, width=0.1), piece("strip", -0.1, -0.92, -0.1, width=0.1)),
          zone=Cover((-1.02, -0.84), (-1, 0.05)), thick=0.03),
    _neck("garland", (piece("ring", -0.97, thick=0.045, slack=0.03, tilt=0.06),), pattern="mosaic"),
)  # fmt: skip

HANDWEAR = (
    _hand("gloves"),
    _hand("mittens", 0.94, thick=0.012),
    _hand("long gloves", 0.55, thick=0.003, gloss=0.15),
    _hand("fingerless gloves", 0.9, 1.16),
    _hand("boxing gloves", 0.9, thick=0.035, gloss=0.3),
    _hand("wristbands", 0.88, 0.99, 0.008),
    _hand("bracelets", 0.93, 0.965, 0.007, tone=(0.85, 0.68, 0.25), gloss=0.5),
    _hand("arm warmers", 0.5, 0.98, 0.006, details=("ribs",)),
    _hand("elbow pads", 0.42, 0.62, 0.022, details=("guard",)),
    _hand("upper arm bands", 0.2, 0.27, 0.006),
    Item("watch", "hands", Cover(arms=(0.94, 0.985), neckline="one shoulder"), 0.006, details=("watch face",)),
)

WAIST = (
    _waist("belt", details=("buckle",), pattern="plain", weight=2),
    _waist("wide belt", -0.45, -0.29, 0.006, ("buckle",), pattern="plain", gloss=0.15),
    _waist("sash", -0.42, -0.28, 0.01, pieces=(piece("strip", 0.1, -0.3, 0.35, width=0.08, thick=0.012),)),
    _waist("obi", -0.62, -0.28, 0.016, ("middle band",), pieces=(piece("block", 0, -0.45, (0.2, 0.16, 0.08)),)),
    _waist("corset", -0.66, -0.18, 0.006, ("laced", "seams"), gloss=0.15),
    _waist("apron", -0.36, -0.3, 0.006, pieces=(piece("strip", 0.0, -0.33, 0.38, width=0.34, thick=0.01, stand=0.02),)),
    _waist("bib apron", -0.36, -0.3, 0.006, pieces=(piece("strip", 0.0, -0.75, 0.4, width=0.32, thick=0.01,
         stand=0.02),)),
    _waist("tool belt", -0.36, -0.26, 0.01, ("buckle",), pieces=(
        piece("block", 0.2, -0.18, (0.06, 0.14, 0.09), side=True), piece("block", -0.2, -0.18, (0.06, 0.14, 0.09),
        side=True))),
    _waist("belt bag", -0.36, -0.31, 0.006, pieces=(piece("block", 0.03, -0.28, (0.18, 0.1, 0.06), behind=False),)),
    _waist("tied jacket", -0.36, -0.26, 0.02, pieces=(
        piece("hanging", -0.3, 0.35, flare=0.04, gap=0.45, folds=5), piece("strip", 0.03, -0.3, 0.16, width=0.07),
        piece("strip", -0.04, -0.3, 0.12, width=0.07))),
    _waist("chain belt", -0.3, -0.26, 0.006, ("links",), tone=(0.8, 0.78, 0.7), gloss=0.6),
    _waist("swim ring", -0.4, -0.3, pieces=(piece("ring", -0.35, thick=0.13, slack=0.03),), gloss=0.3),
)  # fmt: skip

BAGS = (
    _bag("backpack", piece("block", 0, -0.55, (0.3, 0.4, 0.16)), details=("straps",), weight=2),
    _bag("small backpack", piece("block", 0, -0.6, (0.22, 0.26, 0.1)), details=("straps",)),
    _bag("hiking pack", piece("block", 0, -0.5, (0.34, 0.62, 0.22)), piece("ball", (0, -1.12, -0.22), (0.18, 0.06,
         0.07), on="trunk"),
         details=("straps", "chest strap")),
    _bag("shoulder bag", piece("block", 0.2, -0.05, (0.1, 0.26, 0.32), side=True), details=("cross strap",)),
    _bag("messenger bag", piece("block", 0, -0.25, (0.36, 0.26, 0.1)), details=("cross strap wide",)),
    _bag("quiver", piece("block", 0.08, -0.65, (0.1, 0.55, 0.1)), details=("cross strap",)),
    _bag("guitar case", piece("block", 0, -0.5, (0.34, 0.45, 0.12)), piece("block", 0, -1.15, (0.1, 0.5, 0.1)),
         details=("straps",)),
    _bag("baby sling", piece("ball", (0, -0.55, 0.2), (0.16, 0.2, 0.1), on="trunk"), details=("cross strap wide",)),
    _bag("shield", piece("block", 0, -0.5, (0.5, 0.55, 0.04)), details=("cross strap",), gloss=0.4),
    _bag("wings", piece("strip", 0.25, -1.05, -0.2, width=0.4, thick=0.02, behind=True, stand=0.06),
         piece("strip", -0.25, -1.05, -0.2, width=0.4, thick=0.02, behind=True, stand=0.06), details=("straps",)),
    _bag("jet pack", piece("block", 0.09, -0.5, (0.14, 0.42, 0.14)), piece("block", -0.09, -0.5, (0.14, 0.42, 0.14)),
         details=("straps", "chest strap"), gloss=0.4),
)  # fmt: skip
