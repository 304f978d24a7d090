"""The wardrobe, head: hair, beards, hats, glasses. Metres; see item.py for what a row is."""

from __future__ import annotations

from .item import Hat, Item, Scalp, piece


LINE = 0.048  # of a hat: metres over the eyes


def _hair(name, hairline="full", nape=0.02, thick=0.014, *, bangs=0.0, pieces=(), details=(), flat=True, weight=1.0):
    zone = Scalp(hairline, nape, bangs) if hairline else None
    fits = ("flat",) if flat else ()
    return Item(
        name, "hair", zone, thick, details=("strands", *details), pieces=pieces, gloss=0.22, weight=weight, fits=fits
    )


def _hat(name, *, line=LINE, tilt=0.0, thick=0.014, top=1.0, hood=False, pieces=(), details=(), **more) -> Item:
    return Item(name, "hat", Hat(line, tilt, top, hood), thick, details=details, pieces=pieces, **more)


def _dome(high: float, wide: float = 1.0, steps: int = 7) -> tuple[tuple[float, float], ...]:
    """The profile of a round crown `high` metres above the hat line."""
    return tuple(
        (high * part, wide * max(1 - part**2.6, 0) ** 0.5) for part in [step / (steps - 1) for step in range(steps)]
    )


HAIR = (
    _hair("bald", None, weight=0.6),
    _hair("buzz cut", nape=0.015, thick=0.003, details=("stubble",)),
    _hair("crew cut", nape=0.02, thick=0.01),
    _hair("short", nape=0.03, thick=0.018, weight=1.5),
    _hair("thick short", nape=0.04, thick=0.03, weight=1.5),
    _hair("fringe", nape=0.04, thick=0.016, bangs=0.03),
    _hair("bowl cut", nape=0.05, thick=0.024, bangs=0.035),
    _hair("receding", "receding", nape=0.03, thick=0.01),
    _hair("wreath", "crown", nape=0.03, thick=0.012),
    _hair("undercut", "top", thick=0.028),
    _hair("quiff", "top", thick=0.02, flat=False, pieces=(piece("ball", (0, 0.118, 0.06), (0.055, 0.03, 0.045)),)),
    _hair("mohawk", "strip", thick=0.05, flat=False),
    _hair("shaved top", "sides", nape=0.04, thick=0.016),
    _hair("crop of curls", nape=0.03, thick=0.03, flat=False,
          pieces=(piece("lathe", _dome(0.1, 1.12), line=0.02, shift=0.012),), details=("curls",)),
    _hair("afro", nape=0.03, thick=0.03, flat=False, details=("curls",),
          pieces=(piece("ball", (0, 0.085, -0.055), (0.145, 0.13, 0.125)),)),
    _hair("huge afro", nape=0.03, thick=0.03, flat=False, details=("curls",),
          pieces=(piece("ball", (0, 0.1, -0.085), (0.2, 0.175, 0.16)),)),
    _hair("bob", nape=0.05, thick=0.018, pieces=(piece("fall", 0.08, width=0.03),)),
    _hair("fringed bob", nape=0.05, thick=0.018, bangs=0.034, pieces=(piece("fall", 0.07, width=0.03, span=0.36),)),
    _hair("wavy bob", nape=0.05, thick=0.022, pieces=(piece("fall", 0.12, width=0.05, wave=0.09, span=0.36),)),
    _hair("long", nape=0.06, thick=0.014, pieces=(piece("fall", 0.26, width=0.04),), weight=1.5),
    _hair("long behind", nape=0.06, thick=0.012, pieces=(piece("fall", 0.3, width=0.02, span=0.2),)),
    _hair("long fringed", nape=0.06, thick=0.016, bangs=0.034, pieces=(piece("fall", 0.28, width=0.045, span=0.35),)),
    _hair("very long", nape=0.06, thick=0.014, pieces=(piece("fall", 0.55, width=0.07),)),
    _hair("long waves", nape=0.06, thick=0.02, pieces=(piece("fall", 0.36, width=0.09, wave=0.1),)),
    _hair("mane", nape=0.06, thick=0.03, pieces=(piece("fall", 0.3, width=0.14, wave=0.12, span=0.38, back=0.05),),
          flat=False, details=("curls",)),
    _hair("mullet", nape=0.04, thick=0.022, pieces=(piece("fall", 0.15, width=0.02, span=0.17),)),
    _hair("ponytail", nape=0.06, thick=0.01, pieces=(piece("tail", (0, 0.02, -0.1), (0, -0.2, -0.13), thick=0.034),)),
    _hair("high ponytail", nape=0.05, thick=0.01, flat=False,
          pieces=(piece("tail", (0, 0.12, -0.07), (0, -0.16, -0.17), thick=0.04, lift=0.08),)),
    _hair("side tail", nape=0.06, thick=0.01, pieces=(piece("tail", (0.07, -0.02, -0.05), (0.13, -0.26, 0.03),
         thick=0.03),)),
    _hair("pigtails", nape=0.05, thick=0.01, pieces=(
        piece("tail", (0.085, 0.02, -0.03), (0.17, -0.16, -0.03), thick=0.03, lift=0.0),
        piece("tail", (-0.085, 0.02, -0.03), (-0.17, -0.16, -0.03), thick=0.03, lift=0.0))),
    _hair("high pigtails", nape=0.05, thick=0.01, bangs=0.03, flat=False, pieces=(
        piece("tail", (0.07, 0.09, -0.03), (0.21, -0.08, -0.03), thick=0.038, lift=0.0),
        piece("tail", (-0.07, 0.09, -0.03), (-0.21, -0.08, -0.03), thick=0.038, lift=0.0))),
    _hair("braid", nape=0.06, thick=0.012, pieces=(piece("tail", (0, -0.02, -0.09), (0, -0.48, -0.13), thick=0.032,
         knots=9),)),
    _hair("two braids", nape=0.06, thick=0.012, pieces=(
        piece("tail", (0.075, -0.03, -0.01), (0.1, -0.36, 0.06), thick=0.022, knots=8, lift=0.0),
        piece("tail", (-0.075, -0.03, -0.01), (-0.1, -0.36, 0.06), thick=0.022, knots=8, lift=0.0))),
    _hair("bun", nape=0.06, thick=0.01, pieces=(piece("ball", (0, 0.02, -0.125), (0.05, 0.05, 0.045)),)),
    _hair("top knot", nape=0.05, thick=0.009, flat=False, pieces=(piece("ball", (0, 0.145, -0.02), (0.045, 0.045,
         0.045)),)),
    _hair("two buns", nape=0.05, thick=0.01, bangs=0.026, flat=False, pieces=(
        piece("ball", (0.075, 0.11, -0.01), (0.045, 0.045, 0.045)),
        piece("ball", (-0.075, 0.11, -0.01), (0.045, 0.045, 0.045)))),
    _hair("beehive", nape=0.06, thick=0.014, flat=False, pieces=(piece("lathe", _dome(0.19, 1.05), line=0.02,
         shift=0.015),)),
    _hair("pompadour", nape=0.04, thick=0.014, flat=False, pieces=(piece("ball", (0, 0.115, 0.05), (0.08, 0.05,
         0.06)),)),
    _hair("dreadlocks", nape=0.06, thick=0.026, details=("locks",), pieces=(piece("fall", 0.34, width=0.06,
         wave=0.04, span=0.36),)),
    _hair("cornrows", nape=0.05, thick=0.007, details=("locks",)),
)  # fmt: skip

BEARDS = (
    Item("stubble", "beard", details=("stubble beard",), weight=2),
    Item("short beard", "beard", details=("full beard",), weight=2),
    Item(
        "long beard", "beard", details=("full beard",), pieces=(piece("ball", (0, -0.115, 0.085), (0.05, 0.075, 0.03)),)
    ),
    Item("goatee", "beard", details=("goatee",)),
    Item("moustache", "beard", details=("moustache",)),
    Item("handlebar", "beard", details=("handlebar",)),
    Item("sideburns", "beard", details=("sideburns",)),
    Item("chin strap", "beard", details=("chin strap",)),
)

BRIMLESS = ((0.0, 1.02), (0.05, 1.0), (0.085, 0.85), (0.1, 0.5), (0.102, 0.0))
HATS = (
    _hat("cap", pieces=(piece("brim", 0.085, span=0.2),), details=("badge",), weight=2),
    _hat("backward cap", pieces=(piece("brim", 0.08, span=0.18, turn=0.5),), details=("badge",)),
    _hat("trucker cap", pieces=(piece("brim", 0.09, span=0.2), piece("lathe", BRIMLESS)), details=("front panel",)),
    _hat("visor", top=0.075, pieces=(piece("brim", 0.09, span=0.2),)),
    _hat("beanie", line=0.035, tilt=0.06, thick=0.016, weight=2),
    _hat("bobble hat", line=0.035, tilt=0.06, thick=0.018, details=("hat band",),
         pieces=(piece("ball", (0, 0.16, 0.0), (0.042, 0.042, 0.042)),)),
    _hat("slouchy beanie", line=0.04, tilt=0.06, pieces=(piece("ball", (0, 0.1, -0.06), (0.09, 0.06, 0.085)),)),
    _hat("sun hat", pieces=(piece("brim", 0.15, sag=0.2), piece("lathe", _dome(0.1))), details=("hat ribbon",)),
    _hat("bucket hat", pieces=(piece("brim", 0.06, sag=0.9), piece("lathe", ((0, 1.03), (0.08, 0.92), (0.09, 0.0))))),
    _hat("fedora", pieces=(piece("brim", 0.065, sag=0.1),
                           piece("lathe", ((0, 1.02), (0.08, 0.92), (0.115, 0.78), (0.1, 0.0)))),
                           details=("hat ribbon",)),
    _hat("boater", pieces=(piece("brim", 0.07, sag=0.0), piece("lathe", ((0, 1.02), (0.09, 1.0), (0.092, 0.0)))),
         details=("hat ribbon",), tone=(0.88, 0.78, 0.52), pattern="plain"),
    _hat("bowler", pieces=(piece("brim", 0.04, sag=0.0, curl=0.025), piece("lathe", _dome(0.115)))),
    _hat("top hat", pieces=(piece("brim", 0.055, sag=0.0, curl=0.02),
                            piece("lathe", ((0, 1.0), (0.1, 0.97), (0.19, 1.06), (0.192, 0.0)))),
         details=("hat ribbon",), gloss=0.2),
    _hat("cowboy hat", pieces=(piece("brim", 0.1, sag=0.1, curl=0.06),
                               piece("lathe", ((0, 1.0), (0.1, 0.95), (0.13, 0.75), (0.115, 0.0))))),
    _hat("sombrero", pieces=(piece("brim", 0.22, sag=-0.12), piece("lathe", ((0, 1.0), (0.12, 0.75), (0.2, 0.3),
         (0.21, 0.0)))),
         details=("hat ribbon",)),
    _hat("rice hat", pieces=(piece("lathe", ((-0.03, 2.4), (0.06, 1.0), (0.13, 0.0))),), tone=(0.82, 0.7, 0.45)),
    _hat("beret", pieces=(piece("ball", (0.025, 0.105, -0.02), (0.13, 0.035, 0.125)),)),
    _hat("flat cap", pieces=(piece("brim", 0.055, span=0.17), piece("ball", (0, 0.09, 0.01), (0.1, 0.032, 0.115)))),
    _hat("sailor hat", pieces=(piece("lathe", ((0, 1.08), (0.05, 1.16), (0.06, 1.0), (0.075, 0.0))),),
         tone=(0.93, 0.93, 0.92)),
    _hat("police cap", pieces=(piece("brim", 0.06, span=0.18),
                               piece("lathe", ((0, 1.02), (0.04, 1.06), (0.075, 1.35), (0.09, 1.2), (0.1, 0.0)))),
         details=("hat ribbon", "badge")),
    _hat("chef's hat", tone=(0.95, 0.95, 0.94), pattern="plain",
         pieces=(piece("lathe", ((0, 1.03), (0.09, 1.03), (0.13, 1.4), (0.19, 1.35), (0.21, 0.0))),)),
    _hat("fez", pieces=(piece("lathe", ((0.0, 1.02), (0.12, 0.8), (0.122, 0.0))),)),
    _hat("party hat", pieces=(piece("lathe", ((0.02, 0.75), (0.22, 0.02)),),)),
    _hat("witch's hat", pieces=(piece("brim", 0.13, sag=0.05), piece("lathe", ((0, 1.0), (0.1, 0.6), (0.22, 0.2),
         (0.3, 0.0)), tilt=0.15)),
         details=("hat ribbon",)),
    _hat("wizard's hat", pieces=(piece("lathe", ((0, 1.04), (0.15, 0.6), (0.36, 0.02)), tilt=0.1),),
         details=("stars",)),
    _hat("santa hat", tone=(0.75, 0.06, 0.08), pattern="plain", details=("fur band",), pieces=(
        piece("tail", (0, 0.11, -0.02), (0.16, 0.0, -0.1), thick=0.1, lift=0.05),
        piece("ball", (0.16, -0.01, -0.11), (0.035, 0.035, 0.035)))),
    _hat("crown", top=0.06, tone=(0.9, 0.72, 0.2), gloss=0.5, pattern="plain",
         pieces=(piece("lathe", ((0.0, 1.0), (0.04, 1.04), (0.075, 1.14))),)),
    _hat("tiara", top=0.056, line=0.05, thick=0.012, tone=(0.85, 0.86, 0.9), gloss=0.6, pattern="plain",
         pieces=(piece("ball", (0, 0.105, 0.075), (0.035, 0.028, 0.01)),)),
    _hat("headband", top=0.075, line=0.045, thick=0.013),
    _hat("hair band", line=0.085, tilt=1.2, top=0.115, thick=0.018),
    _hat("bandana", line=0.04, tilt=0.1, thick=0.012, pieces=(piece("tail", (0, 0.02, -0.1), (0.05, -0.1, -0.14),
         thick=0.025),)),
    _hat("head scarf", hood=True, thick=0.014, pieces=(piece("ring", -1.0, thick=0.04, slack=0.005),)),
    _hat("hood", hood=True, thick=0.03, pieces=(piece("ring", -0.97, thick=0.055, slack=0.01),)),
    _hat("veil", line=0.06, thick=0.01, pieces=(piece("fall", 0.4, width=0.09, back=0.05),)),
    _hat("turban", line=0.03, tilt=0.1, thick=0.03, details=("wraps",), pieces=(
        piece("lathe", ((0.0, 1.15), (0.04, 1.32), (0.09, 1.1), (0.11, 0.0)), line=0.03),)),
    _hat("bicycle helmet", line=0.04, thick=0.03, gloss=0.3, details=("vents",)),
    _hat("hard hat", pieces=(piece("brim", 0.03, sag=0.0), piece("lathe", _dome(0.11, 1.12))), gloss=0.35,
         details=("ridge",)),
    _hat("motorcycle helmet", hood=True, thick=0.04, gloss=0.5, details=("visor glass",)),
    _hat("headphones", line=0.085, tilt=1.4, top=0.1, thick=0.018, pattern="plain", pieces=(
        piece("ball", (0.095, -0.005, 0.0), (0.025, 0.04, 0.035)), piece("ball", (-0.095, -0.005, 0.0), (0.025, 0.04,
        0.035)))),
    _hat("cat ears", line=0.085, tilt=1.3, top=0.1, thick=0.016, pattern="plain", pieces=(
        piece("tail", (0.06, 0.1, -0.01), (0.08, 0.18, -0.01), thick=0.032, lift=0),
        piece("tail", (-0.06, 0.1, -0.01), (-0.08, 0.18, -0.01), thick=0.032, lift=0))),
    _hat("rabbit ears", line=0.085, tilt=1.3, top=0.1, thick=0.016, pattern="plain", pieces=(
        piece("tail", (0.045, 0.1, -0.01), (0.07, 0.32, -0.02), thick=0.03, lift=0),
        piece("tail", (-0.045, 0.1, -0.01), (-0.07, 0.32, -0.02), thick=0.03, lift=0))),
    _hat("bow", line=0.085, tilt=1.3, top=0.1, thick=0.012, pieces=(
        piece("ball", (0.055, 0.125, 0.0), (0.035, 0.025, 0.015)), piece("ball", (0.0, 0.125, 0.0), (0.014, 0.016,
        0.015)),
        piece("ball", (-0.015, 0.125, 0.0), (0.035, 0.025, 0.015)))),
    _hat("flower wreath", line=0.05, top=0.07, thick=0.02, pattern="mosaic"),
)  # fmt: skip

GLASSES = (
    Item("glasses", "glasses", details=("oval frames",), weight=2),
    Item("square glasses", "glasses", details=("square frames",)),
    Item("round glasses", "glasses", details=("round frames",)),
    Item("sunglasses", "glasses", details=("dark lenses",), weight=2),
    Item("big sunglasses", "glasses", details=("big dark lenses",)),
    Item("goggles", "glasses", details=("goggles",)),
    Item("eye mask", "glasses", details=("eye mask",)),
    Item("eye patch", "glasses", details=("eye patch",)),
    Item("surgical mask", "glasses", details=("face mask",)),
    Item("half-moon glasses", "glasses", details=("half frames",)),
)
