"""Files that list jobs: a row holds the options of `mimo replace` or `mimo animate` by their names."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError


JOB_SUFFIXES = (".csv", ".jsonl", ".yaml", ".yml")
COMMANDS = ("replace", "animate")


@dataclass(frozen=True)
class JobRow:
    """One job as it is listed. Values are text, numbers or booleans."""

    number: int  # from 1, as a person counts them
    command: str  # one of COMMANDS
    values: dict[str, object]  # by the names of options, with underscores


def read_job_rows(path: Path) -> list[JobRow]:
    """The jobs of a CSV, YAML or JSONL file. Cells that are empty do not count.

    `command` says replace or animate; without it a row that names a motion and no video is to animate. Raises
    InputError for a file that cannot be read, holds no row, or whose rows are not names and values.
    """
    path = Path(path)
    if path.suffix.lower() not in JOB_SUFFIXES:
        raise InputError(f"{path.name} is not a list of jobs. Give a file of {', '.join(JOB_SUFFIXES)}.")
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    rows = _parse(path, text)
    if not rows:
        raise InputError(f"{path} lists no jobs. Give a row for each, with character, video and out.")
    return [_make_row(path, number, row) for number, row in enumerate(rows, 1)]


def _parse(path: Path, text: str) -> list:
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            return list(csv.DictReader(text.splitlines(), strict=True))
        if suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        import yaml

        rows = yaml.safe_load(text)
    except (csv.Error, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}.") from error
    except Exception as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    if rows is not None and not isinstance(rows, list):
        raise InputError(f"{path} must be a list of jobs: a dash before each.")
    return rows or []


def _make_row(path: Path, number: int, row: object) -> JobRow:
    if not isinstance(row, dict) or not all(isinstance(name, str) for name in row):
        raise InputError(f"Row {number} of {path.name} must hold names and values, one value for each name.")
    values = {name.strip().replace("-", "_"): value for name, value in row.items()}
    values = {
        name: value.strip() if isinstance(value, str) else value
        for name, value in values.items()
        if value is not None and value != ""
    }
    for name, value in values.items():
        if not isinstance(value, (str, int, float)):
            raise InputError(f"Row {number} of {path.name}: {name} must be one value, got {value!r}.")
    command = values.pop("command", None) or ("animate" if "motion" in values and "video" not in values else "replace")
    if command not in COMMANDS:
        raise InputError(f"Row {number} of {path.name}: command is replace or animate, got {command!r}.")
    return JobRow(number, command, values)
