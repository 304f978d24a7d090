"""Rows of a bench: a value, what it should reach, and what it should be compared with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mimo_core.errors import InputError


@dataclass(frozen=True)
class BenchRow:
    """One measure. `at_most` turns the target round; NaN, nothing to measure, misses no target."""

    value: float
    target: float | None
    baseline: float | None = None
    at_most: bool = False
    unit: str = ""

    @property
    def ok(self) -> bool:
        if self.target is None or math.isnan(self.value):
            return True
        return self.value <= self.target if self.at_most else self.value >= self.target


def report_rows(rows: Mapping[str, BenchRow], seeds: Sequence[int], size: int, *, as_json: bool) -> int:
    """Print the rows, as a table or as JSON on stdout; the exit code is 1 if a target is missed."""
    if as_json:
        named = {name: _as_json(row) for name, row in rows.items()}
        span = f"{seeds[0]}-{seeds[-1]}"
        print(json.dumps({"seeds": span, "size": size, "rows": named}))
    else:
        width = max(len(name) for name in rows)
        for name, row in rows.items():
            print(f"{name:{width}}  {_format_row(row)}")
    return 0 if all(row.ok for row in rows.values()) else 1


def _as_json(row: BenchRow) -> dict:
    numbers = {name: getattr(row, name) for name in ("value", "target", "baseline")}
    kept = {name: None if x is None or math.isnan(x) else round(x, 4) for name, x in numbers.items()}
    return {"value": kept["value"], "target": kept["target"], "ok": row.ok, "baseline": kept["baseline"]}


def _format_row(row: BenchRow) -> str:
    if math.isnan(row.value):
        return "   -      nothing to measure"
    target = "" if row.target is None else f"{'<=' if row.at_most else '>='} {row.target:g}"
    baseline = "" if row.baseline is None else f"  baseline {row.baseline:.3f}"
    mark = "" if row.target is None else "ok" if row.ok else "MISSED"
    return f"{row.value:8.3f} {row.unit:3} {target:9} {mark:6}{baseline}"


def parse_seeds(text: str) -> range:
    """Seeds from "A-B", both included, or from one number."""
    first, _, last = text.partition("-")
    try:
        seeds = range(int(first), int(last or first) + 1)
    except ValueError:
        raise InputError(f"--seeds wants two numbers like 1000-1019, got {text!r}.") from None
    if not seeds:
        raise InputError(f"--seeds counts upwards, got {text!r}.")
    return seeds
