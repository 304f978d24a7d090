"""The wardrobe, body: tops, coats, trousers, skirts, dresses, shoes. Heights are in `down`, see regions.py.

One row is one garment; rows of a slot differ in cut, not in cloth: any of them comes in any fabric.
"""

from __future__ import annotations

from .item import Cover, Item, piece


WAIST, HIP, KNEE, ANKLE = -0.33, 0.0, 0.47, 0.97


def _top(name, hem=-0.08, sleeve=None, neckline="crew", thick=0.008, details=(), **more) -> Item:
    arms = None if sleeve is None else (-1.0, sleeve)
    return Item(name, "top", Cover((-1.2, hem), arms, neckline), thick, details=details, **more)


def _coat(name, hem=-0.05, sleeve=0.95, opening=0.03, thick=0.02, details=(), neckline="crew", **more) -> Item:
    arms = None if sleeve is None else (-1.0, sleeve)
    return Item(name, "coat", Cover((-1.2, hem), arms, neckline, opening), thick, details=details, **more)


def _trousers(name, hem=ANKLE, thick=0.008, loose=0.0, details=(), waist=WAIST, **more) -> Item:
    return Item(name, "trousers", Cover((waist, hem)), thick, loose, details, **more)


def _lining(hem: float, flare: float, shape: dict) -> float:
    """How far down the legs have a skirt's color, where tight cloth might show them."""
    return hem - 0.05 if flare < 0.06 and "gap" not in shape else min(hem, 0.2)


def _skirt(name, hem, *, flare=0.05, details=(), more=(), top=WAIST, pattern=None, gloss=0.03, **shape):
    hang = piece("hanging", top, hem, flare=flare, **shape)
    zone = Cover((top, _lining(hem, flare, shape)))
    return Item(name, "skirt", zone, 0.006, 0.0, details, (hang, *more), pattern, gloss=gloss)


def _dress(name, hem, sleeve=None, neckline="crew", *, flare=0.06, details=(), top=-0.3, more=(), opening=0.0,
           gloss=0.03, pattern=None, thick=0.007, **shape):  # fmt: skip
    arms = None if sleeve is None else (-1.0, sleeve)
    zone = Cover((-1.2, _lining(hem, flare, shape)), arms, neckline, opening)
    hang = piece("hanging", top, hem, flare=flare, **shape)
    return Item(name, "dress", zone, thick, 0.0, details, (hang, *more), pattern, gloss=gloss)


def _suit(name, hem=ANKLE, sleeve=None, neckline="crew", thick=0.01, loose=0.0, details=(), **more) -> Item:
    arms = None if sleeve is None else (-1.0, sleeve)
    return Item(name, "suit", Cover((-1.2, hem), arms, neckline), thick, loose, details, **more)


def _shoe(name, top, thick=0.008, details=("sole",), start=None, **more) -> Item:
    return Item(name, "shoes", Cover((top, 2.0)), thick, details=details, **more)


def _sock(name, top, bottom=2.0, details=(), **more) -> Item:
    return Item(name, "socks", Cover((top, bottom)), 0.003, details=details, **more)


TOPS = (
    _top("t-shirt", sleeve=0.3, details=("logo",)),
    _top("plain t-shirt", sleeve=0.36, hem=-0.02),
    _top("ringer t-shirt", sleeve=0.3, details=("collar", "cuffs")),
    _top("raglan shirt", sleeve=0.62, details=("raglan", "logo")),
    _top("long-sleeved shirt", sleeve=0.94),
    _top("breton shirt", sleeve=0.9, neckline="boat", hem=-0.04, pattern="breton"),
    _top("polo shirt", sleeve=0.3, details=("collar", "placket")),
    _top("rugby shirt", sleeve=0.94, hem=0.02, thick=0.012, details=("collar", "placket", "chest band")),
    _top("tank top", neckline="straps"),
    _top("camisole", neckline="thin straps", hem=-0.12),
    _top("racer-back", neckline="racer", hem=-0.15),
    _top("halter top", neckline="halter", hem=-0.3),
    _top("crop top", sleeve=0.18, hem=-0.52),
    _top("crop jumper", sleeve=0.95, hem=-0.45, thick=0.018, details=("ribs",)),
    _top("bandeau", neckline="bare shoulders", hem=-0.55),
    _top("off-shoulder top", sleeve=0.5, neckline="bare shoulders", hem=-0.1),
    _top("one-shoulder top", sleeve=0.3, neckline="one shoulder", hem=-0.15),
    _top("v-neck", sleeve=0.36, neckline="v"),
    _top("deep v-neck", sleeve=0.94, neckline="deep v"),
    _top("scoop-neck", sleeve=0.2, neckline="scoop"),
    _top("square-neck", sleeve=0.15, neckline="square"),
    _top("turtleneck", sleeve=0.95, neckline="high", thick=0.012),
    _top("sleeveless turtleneck", neckline="high", hem=-0.1, details=("ribs",)),
    _top("shirt", sleeve=0.95, neckline="open", hem=0.0, thick=0.01, details=("collar", "buttons", "chest pocket")),
    _top("rolled-up shirt", sleeve=0.48, neckline="open", hem=0.05, details=("buttons", "cuffs", "collar")),
    _top("short-sleeved shirt", sleeve=0.36, neckline="open", hem=0.04, thick=0.014, details=("buttons", "collar")),
    _top("blouse", sleeve=0.55, neckline="half", details=("frill",), pieces=(piece("sleeves", 0.5, 0.88, flare=0.05),)),
    _top("bell-sleeved blouse", sleeve=0.45, neckline="scoop",
         pieces=(piece("sleeves", 0.4, 0.97, flare=0.085, bell=1.8),)),
    _top("puff-sleeved top", sleeve=0.2, neckline="square", pieces=(piece("sleeves", -0.05, 0.3, flare=0.045,
         bell=0.4),)),
    _top("peplum top", sleeve=0.36, hem=-0.3, pieces=(piece("hanging", -0.36, 0.06, flare=0.06, folds=7),)),
    _top("tunic", sleeve=0.6, hem=0.0, neckline="v", pieces=(piece("hanging", -0.25, 0.24, flare=0.03, folds=6),)),
    _top("jumper", sleeve=0.95, thick=0.02, hem=0.0, details=("ribs", "hem", "cuffs")),
    _top("oversized jumper", sleeve=0.99, thick=0.032, hem=0.1, details=("hem",)),
    _top("sweatshirt", sleeve=0.95, thick=0.018, details=("hem", "cuffs", "number")),
    _top("hoodie", sleeve=0.95, neckline="half", thick=0.022, hem=0.02, details=("kangaroo pocket", "strings", "hem"),
         pieces=(piece("ring", -0.96, thick=0.05, slack=0.02, tilt=0.03),)),
    _top("sleeveless hoodie", neckline="half", thick=0.018, hem=0.02, details=("kangaroo pocket", "strings"),
         pieces=(piece("ring", -0.96, thick=0.05, slack=0.02, tilt=0.03),)),
    _top("football shirt", sleeve=0.42, thick=0.012, hem=0.05, details=("number", "side panels", "collar")),
    _top("basketball shirt", neckline="straps", thick=0.014, hem=0.08, details=("number", "collar", "hem")),
    _top("diagonal shirt", sleeve=0.4, details=("sash stripe",)),
    _top("yoke shirt", sleeve=0.95, neckline="open", details=("yoke", "buttons", "cuffs")),
    _top("sports bra", neckline="racer", hem=-0.58, gloss=0.1),
    _top("rash guard", sleeve=0.95, neckline="half", hem=0.0, thick=0.004, gloss=0.15, details=("raglan",
         "side panels")),
)  # fmt: skip

COATS = (
    _coat("blazer", opening=0.025, neckline="deep v", details=("lapels", "buttons", "hip pockets")),
    _coat("dinner jacket", opening=0.045, hem=-0.02, neckline="deep v", gloss=0.12, details=("lapels",)),
    _coat("denim jacket", opening=0.02, hem=-0.22, details=("collar", "chest pockets", "seams", "cuffs")),
    _coat("bomber jacket", opening=0.02, hem=-0.2, thick=0.028, details=("hem", "cuffs", "zip"), gloss=0.12),
    _coat("college jacket", opening=0.015, hem=-0.15, thick=0.025, details=("raglan", "hem", "cuffs", "emblem left")),
    _coat("biker jacket", opening=0.03, hem=-0.25, gloss=0.3, pattern="plain", details=("lapels", "zip", "seams")),
    _coat("track jacket", opening=0.0, neckline="half", hem=-0.1, thick=0.014, details=("zip", "arm stripes",
         "collar")),
    _coat("fleece", opening=0.0, neckline="half", thick=0.026, details=("zip", "yoke")),
    _coat("puffer jacket", opening=0.01, neckline="half", thick=0.045, details=("quilted", "zip"), gloss=0.12),
    _coat("puffer waistcoat", opening=0.012, sleeve=None, neckline="half", thick=0.04, details=("quilted", "zip")),
    _coat("waistcoat", opening=0.0, sleeve=None, neckline="deep v", hem=-0.15, thick=0.014, details=("buttons",)),
    _coat("fishing waistcoat", opening=0.04, sleeve=None, hem=-0.15, details=("chest pockets", "hip pockets")),
    _coat("hi-vis waistcoat", opening=0.008, sleeve=None, neckline="v", details=("reflective",), tone=(0.95, 0.85,
         0.1)),
    _coat("cardigan", opening=0.03, neckline="deep v", thick=0.016, details=("ribs", "buttons")),
    _coat("long cardigan", opening=0.05, neckline="deep v", thick=0.016, details=("hip pockets",),
          pieces=(piece("hanging", -0.25, 0.42, flare=0.03, gap=0.13, folds=5),)),
    _coat("bolero", opening=0.07, hem=-0.55, sleeve=0.6, thick=0.014),
    _coat("parka", opening=0.012, hem=0.0, thick=0.034, neckline="half", details=("hip pockets", "zip"),
          pieces=(piece("hanging", -0.2, 0.26, flare=0.035, gap=0.03, folds=4),
                  piece("ring", -0.97, thick=0.075, slack=0.025, tilt=0.03))),
    _coat("trench coat", opening=0.02, neckline="open", thick=0.022, details=("lapels", "belt", "double buttons"),
          pieces=(piece("hanging", -0.3, 0.5, flare=0.07, gap=0.05, folds=7),)),
    _coat("overcoat", opening=0.025, neckline="deep v", thick=0.028, details=("lapels", "double buttons"),
          pieces=(piece("hanging", -0.25, 0.66, flare=0.05, gap=0.06, folds=5),)),
    _coat("swing coat", opening=0.012, neckline="half", sleeve=0.8, thick=0.022, details=("buttons",),
          pieces=(piece("hanging", -0.4, 0.4, flare=0.15, gap=0.03, folds=6),)),
    _coat("lab coat", opening=0.03, neckline="open", thick=0.016, tone=(0.94, 0.95, 0.95), pattern="plain",
          details=("chest pocket", "hip pockets"), pieces=(piece("hanging", -0.25, 0.45, flare=0.04, gap=0.07,
          folds=4),)),
    _coat("duster", opening=0.06, neckline="deep v", thick=0.018,
          pieces=(piece("hanging", -0.25, 0.88, flare=0.09, gap=0.14, folds=7),)),
    _coat("dressing gown", opening=0.012, neckline="deep v", sleeve=0.7, thick=0.022, details=("lapels", "belt"),
          pieces=(piece("hanging", -0.3, 0.6, flare=0.05, gap=0.04, folds=5), piece("sleeves", 0.55, 0.92,
          flare=0.05))),
    _coat("kimono", opening=0.02, neckline="deep v", sleeve=0.5, thick=0.014, details=("lapels", "wide belt"),
          pieces=(piece("hanging", -0.3, 0.85, flare=0.02, gap=0.03, folds=3),
                  piece("sleeves", 0.3, 0.85, flare=0.03, drop=0.22))),
    _coat("haori", opening=0.06, neckline="deep v", sleeve=0.45, thick=0.014, details=("lapels",),
          pieces=(piece("hanging", -0.2, 0.22, flare=0.03, gap=0.12, folds=3),
                  piece("sleeves", 0.25, 0.8, flare=0.04, drop=0.16))),
    _coat("tailcoat", opening=0.05, hem=-0.25, neckline="deep v", details=("lapels", "double buttons"),
          pieces=(piece("hanging", -0.25, 0.45, flare=0.03, gap=0.56, folds=3),)),
    _coat("military coat", opening=0.0, neckline="half", thick=0.02, details=("double buttons", "epaulettes",
         "cuffs", "belt"),
          pieces=(piece("hanging", -0.28, 0.2, flare=0.07, gap=0.02, folds=8),)),
    _coat("poncho", opening=0.0, sleeve=0.3, neckline="v", thick=0.03, details=("hem",),
          pieces=(piece("sleeves", -0.1, 0.55, flare=0.06, drop=0.3), piece("hanging", -0.6, 0.1, flare=0.1, folds=5))),
    Item("cape", "coat", Cover((-1.0, -0.86)), 0.02, pieces=(piece("cape", 0.35),), details=("clasp",)),
    Item("long cape", "coat", Cover((-1.0, -0.84)), 0.02, pieces=(piece("cape", 0.88, flare=0.2),), details=("clasp",)),
    Item("short cape", "coat", Cover((-1.05, -0.8), (-1, 0.12)), 0.02, pieces=(piece("cape", -0.25, flare=0.06),)),
)  # fmt: skip

TROUSERS = (
    _trousers("jeans", details=("seams", "hip pockets"), thick=0.01),
    _trousers("cropped jeans", hem=0.82, details=("seams", "turn-up"), thick=0.01),
    _trousers("ripped jeans", details=("seams", "ripped knees"), thick=0.01),
    _trousers("patched jeans", details=("knee patches", "turn-up"), thick=0.01),
    _trousers("suit trousers", details=("crease",), thick=0.014, loose=0.006),
    _trousers("leggings", thick=0.003, gloss=0.1),
    _trousers("capri leggings", hem=0.68, thick=0.003, gloss=0.1, details=("side stripes",)),
    _trousers("joggers", thick=0.022, details=("ankle cuffs", "strings")),
    _trousers("track trousers", thick=0.014, loose=0.006, details=("side stripes", "ankle cuffs")),
    _trousers("tuxedo trousers", thick=0.013, gloss=0.1, details=("satin stripe",)),
    _trousers("cargo trousers", thick=0.02, loose=0.008, details=("thigh pockets",)),
    _trousers("cargo shorts", hem=0.48, thick=0.02, loose=0.01, details=("thigh pockets",)),
    _trousers("shorts", hem=0.3, thick=0.014, loose=0.01),
    _trousers("hot pants", hem=0.13, thick=0.006, details=("belt",)),
    _trousers("bermudas", hem=0.45, thick=0.014, details=("turn-up",)),
    _trousers("basketball shorts", hem=0.3, details=("side stripes",), pieces=(piece("legs", 0.12, 0.44, flare=0.04),)),
    _trousers("swimming trunks", hem=0.22, thick=0.012, details=("strings", "side panels")),
    _trousers("cycling shorts", hem=0.36, thick=0.003, gloss=0.15, details=("side panels",)),
    _trousers("bell-bottoms", hem=0.5, thick=0.006, pieces=(piece("legs", 0.4, 1.02, flare=0.075, bell=2.0),)),
    _trousers("boot-cut jeans", hem=0.6, thick=0.008, details=("seams",), pieces=(piece("legs", 0.5, 1.02,
         flare=0.035),)),
    _trousers("wide-leg trousers", hem=0.2, thick=0.01, details=("crease",), pieces=(piece("legs", 0.12, 1.0,
         flare=0.055),)),
    _trousers("palazzo trousers", hem=0.15, waist=-0.45, pieces=(piece("legs", 0.1, 1.0, flare=0.1, bell=0.8),)),
    _trousers("culottes", hem=0.15, thick=0.01, pieces=(piece("legs", 0.1, 0.66, flare=0.08),)),
    _trousers("harem trousers", hem=0.9, thick=0.03, loose=0.02, details=("ankle cuffs",),
              pieces=(piece("hanging", -0.2, 0.42, flare=0.03, folds=4),)),
    _trousers("breeches", hem=0.52, thick=0.024, details=("turn-up",)),
    _trousers("high-waisted trousers", waist=-0.52, thick=0.012, details=("crease", "double buttons")),
    _trousers("low-rise flares", waist=-0.2, hem=0.5, pieces=(piece("legs", 0.42, 1.0, flare=0.06, bell=1.6),)),
    _trousers("knee-pad trousers", thick=0.02, details=("knee patches", "thigh pockets", "reflective")),
)  # fmt: skip

SKIRTS = (
    _skirt("mini skirt", 0.16, flare=0.03),
    _skirt("pleated mini skirt", 0.2, flare=0.08, folds=18, fold=0.9),
    _skirt("denim skirt", 0.24, flare=0.01, folds=2, details=("seams", "hip pockets")),
    _skirt("pencil skirt", 0.5, flare=-0.01, folds=2),
    _skirt("a-line skirt", 0.45, flare=0.09, folds=5),
    _skirt("circle skirt", 0.42, flare=0.22, folds=8),
    _skirt("pleated skirt", 0.6, flare=0.1, folds=20, fold=0.9),
    _skirt("tiered skirt", 0.75, flare=0.14, folds=14, tiers=4),
    _skirt("midi skirt", 0.68, flare=0.06, folds=7),
    _skirt("maxi skirt", 0.95, flare=0.1, folds=9),
    _skirt("gypsy skirt", 0.92, flare=0.2, folds=16, tiers=3),
    _skirt("wrap skirt", 0.55, flare=0.05, gap=0.05, slant=0.05),
    _skirt("slit skirt", 0.88, flare=0.05, gap=0.1, folds=4),
    _skirt("asymmetric skirt", 0.5, flare=0.07, slant=0.12),
    _skirt("balloon skirt", 0.36, flare=0.0, puff=0.09, folds=12),
    _skirt("tutu", 0.02, flare=0.24, folds=24, fold=0.25, top=-0.25),
    _skirt("kilt", 0.46, flare=0.05, folds=22, fold=0.8, pattern="tartan"),
    _skirt("sarong", 0.8, flare=0.02, gap=0.12, slant=0.08, folds=3, top=-0.2),
)

DRESSES = (
    _dress("shift dress", 0.32, 0.25, flare=0.03, folds=3),
    _dress("sheath dress", 0.48, None, "scoop", flare=0.0, folds=2, details=("belt",)),
    _dress("little dress", 0.26, None, "thin straps", flare=0.04),
    _dress("sun dress", 0.4, None, "straps", flare=0.13, folds=8),
    _dress("summer dress", 0.52, 0.18, "v", flare=0.11, folds=9),
    _dress("tea dress", 0.62, 0.36, "v", flare=0.08, details=("belt", "buttons")),
    _dress("shirt dress", 0.42, 0.5, "open", flare=0.05, details=("collar", "buttons", "belt", "cuffs"), thick=0.01),
    _dress("jumper dress", 0.3, 0.95, "high", flare=0.01, folds=2, details=("ribs",), thick=0.018),
    _dress("wrap dress", 0.5, 0.62, "deep v", flare=0.07, gap=0.04, slant=0.04, details=("belt",)),
    _dress("pinafore dress", 0.35, None, "bib", flare=0.08, folds=6),
    _dress("maxi dress", 0.96, None, "halter", flare=0.1),
    _dress("boho dress", 0.9, 0.5, "v", flare=0.14, tiers=3, folds=14, more=(piece("sleeves", 0.4, 0.9, flare=0.06),)),
    _dress("evening gown", 1.0, None, "bare shoulders", flare=0.16, folds=7, gloss=0.25),
    _dress("ball gown", 0.98, None, "bare shoulders", flare=0.36, folds=12, gloss=0.2, details=("belt",)),
    _dress("column gown", 1.0, None, "one shoulder", flare=0.02, folds=3, gloss=0.25),
    _dress("slit gown", 0.98, None, "deep v", flare=0.06, gap=0.12, gloss=0.2),
    _dress("cocktail dress", 0.3, None, "bare shoulders", flare=0.16, folds=12),
    _dress("ballet dress", 0.06, None, "thin straps", flare=0.22, folds=24, fold=0.25, top=-0.22),
    _dress("drop-waist dress", 0.4, 0.2, "square", flare=0.08, top=0.0, folds=16, details=("belt low",)),
    _dress("empire dress", 0.9, 0.15, "scoop", flare=0.08, top=-0.55, folds=8),
    _dress("balloon dress", 0.36, 0.2, "crew", flare=0.0, puff=0.1, folds=10),
    _dress("cheongsam", 0.6, 0.15, "high", flare=0.0, folds=2, gap=0.03, details=("sash stripe",), gloss=0.2),
    _dress("apron dress", 0.6, 0.3, "square", flare=0.12, details=("apron",)),
    _dress("robe", 0.95, 0.5, "v", flare=0.07, more=(piece("sleeves", 0.35, 0.9, flare=0.07, drop=0.12),),
           details=("belt",), thick=0.016),
    _dress("kaftan", 0.8, 0.4, "deep v", flare=0.09, top=-0.5, more=(piece("sleeves", 0.2, 0.7, flare=0.07,
         drop=0.1),)),
    _dress("hoop dress", 0.95, 0.8, "square", flare=0.3, puff=0.06, tiers=4, folds=10, details=("frill",)),
)  # fmt: skip

SUITS = (
    _suit("dungarees", neckline="bib", thick=0.016, details=("chest pocket", "seams"), weight=2),
    _suit("short dungarees", hem=0.3, neckline="bib", thick=0.016, details=("chest pocket", "turn-up")),
    _suit("jumpsuit", sleeve=0.2, neckline="v", thick=0.014, loose=0.01, details=("belt", "buttons")),
    _suit("boiler suit", sleeve=0.95, neckline="open", thick=0.022, details=("zip", "chest pockets", "collar", "belt")),
    _suit("racing suit", sleeve=0.96, neckline="half", thick=0.014, details=("side panels", "arm stripes", "number",
         "zip")),
    _suit("playsuit", hem=0.2, neckline="thin straps", thick=0.012, details=("belt",)),
    _suit("wetsuit", sleeve=0.96, neckline="high", thick=0.005, gloss=0.3, details=("side panels", "zip")),
    _suit("shorty wetsuit", hem=0.3, sleeve=0.4, neckline="half", thick=0.005, gloss=0.3, details=("side panels",)),
    _suit("leotard", hem=0.06, sleeve=0.95, neckline="scoop", thick=0.003, gloss=0.15),
    _suit("unitard", sleeve=0.3, neckline="scoop", thick=0.003, details=("sash stripe",)),
    _suit("swimsuit", hem=0.05, neckline="straps", thick=0.003, gloss=0.2),
    _suit("hero suit", sleeve=1.0, neckline="high", thick=0.004, gloss=0.2, details=("emblem", "belt", "trunks")),
    _suit("space suit", sleeve=1.0, neckline="half", thick=0.045, details=("quilted", "emblem left", "belt", "cuffs"),
          tone=(0.9, 0.9, 0.88), pattern="plain"),
    _suit("pyjamas", sleeve=0.92, neckline="open", thick=0.024, loose=0.008, details=("buttons", "chest pocket",
         "collar")),
    _suit("onesie", sleeve=0.98, neckline="half", thick=0.032, details=("zip", "belly"),
          pieces=(piece("ring", -0.96, thick=0.05, slack=0.02),)),
    _suit("skeleton suit", sleeve=0.98, neckline="high", thick=0.004, details=("bones",)),
)  # fmt: skip

SHOES = (
    _shoe("trainers", 0.95, 0.012, ("sole", "toe cap")),
    _shoe("plain trainers", 0.94, 0.01),
    _shoe("high-tops", 0.88, 0.014, ("sole", "toe cap", "laces")),
    _shoe("plimsolls", 0.98, 0.006),
    _shoe("loafers", 0.985, 0.008, (), gloss=0.25),
    _shoe("dress shoes", 0.97, 0.009, ("thin sole",), gloss=0.35),
    _shoe("ballet flats", 1.02, 0.004, (), gloss=0.15),
    _shoe("sandals", 1.0, 0.005, ("sole", "sandal straps")),
    _shoe("flip-flops", 1.03, 0.004, ("sole", "toe strap")),
    _shoe("ankle boots", 0.86, 0.012, ("thin sole",), gloss=0.2),
    _shoe("work boots", 0.8, 0.018, ("sole", "laces", "boot top")),
    _shoe("hiking boots", 0.84, 0.018, ("sole", "toe cap", "boot top", "laces")),
    _shoe("wellingtons", 0.62, 0.02, ("sole", "boot top"), gloss=0.3),
    _shoe("cowboy boots", 0.68, 0.016, ("thin sole", "zigzag"), gloss=0.2),
    _shoe("knee boots", 0.52, 0.012, ("thin sole",), gloss=0.3),
    _shoe("thigh boots", 0.3, 0.008, ("thin sole",), gloss=0.3),
    _shoe("fur boots", 0.72, 0.03, ("sole", "fur top")),
    _shoe("slippers", 0.99, 0.018, ("fur top",)),
    _shoe("platform shoes", 0.97, 0.014, ("thick sole",), gloss=0.2),
    Item("bare feet", "shoes", None, details=("nails",)),
)

SOCKS = (
    _sock("ankle socks", 0.9),
    _sock("crew socks", 0.78, details=("sock bands",)),
    _sock("football socks", 0.52, details=("sock top",)),
    _sock("knee socks", 0.5),
    _sock("over-knee socks", 0.32),
    _sock("hooped socks", 0.54, details=("sock hoops",)),
    _sock("leg warmers", 0.58, 0.96, details=("ribs",), pieces=(piece("legs", 0.58, 0.96, flare=0.02),)),
    _sock("tights", -0.2, gloss=0.1),
    _sock("fishnets", -0.2, details=("net",)),
    _sock("shin guards", 0.58, 0.88, details=("guard",)),
)
