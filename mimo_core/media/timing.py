"""The frames of a file on a constant grid of time."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from fractions import Fraction

import numpy as np


USUAL_RATES = tuple(
    Fraction(rate) for rate in (
        "24000/1001", 24, 25, "30000/1001", 30, 48, 50, "60000/1001", 60, 12, 15, 10, 20, 5, 8, 16, 100, 120, 240
    )
)  # fmt: skip
SLOWEST, FASTEST = Fraction(1, 10), Fraction(240)  # frames a second; a header that says something else is not believed
LATEST = 0.75  # ticks that a frame may be late at a rate that loses none
LATEST_SHOWN = 1.5  # ticks after which a frame is left out at a rate that is too slow for all
JUMP = 60.0  # seconds between two frames that are no pause but a jump of the clock, and are closed up
BACKWARDS = 8  # frames back that are another recording, not the order of decoding
USUAL = 0.0005  # of a rate that differs from a usual one by less, the usual one is meant: 24 and 23.976 differ by 0.001


def mend_times(times: Sequence[float | None], rate: Fraction) -> list[float]:
    """Ascending seconds for frames in the order in which they are shown; `times` are those of the file.

    Missing times follow the one before by a frame of `rate`. Times that go back a little belong to other frames (an
    AVI with B-frames counts in the order of decoding): they are sorted. Where the clock jumps, the frames go on.
    """
    step, mended, last = 1 / float(rate), [], None
    offset = 0.0
    for time in times:
        now = (last + step if last is not None else 0.0) if time is None else time + offset
        if last is not None and time is not None and not -BACKWARDS * step < now - last < JUMP:
            offset += last + step - now
            now = last + step
        mended.append(now)
        last = now
    return sorted(mended)


def trust_rate(*rates: Fraction | None) -> Fraction:
    """The first rate that a video can have, else 24."""
    return next((Fraction(rate) for rate in rates if rate and SLOWEST <= rate <= FASTEST), Fraction(24))


def fit_frame_rate(
    times: Sequence[float], rate: Fraction, nominal: Fraction | None = None
) -> tuple[Fraction, range | array]:
    """Frame rate, and which frame to show at each tick. `times` are seconds in ascending order.

    `rate` is the average that the header states, `nominal` what the container takes for the rate of most frames.
    A clip whose frames stray by less than half a tick from a constant rate, with none missing, keeps each frame once.
    Otherwise the ticks are those of the typical distance of two frames: every frame begins at the tick nearest to its
    time, or later where two are close, and is shown until the next. Only where a clip is faster than that are frames
    left out.
    """
    count = len(times)
    if times[-1] <= times[0]:  # one frame, or time stamps that say nothing
        return rate, range(count)
    starts = np.asarray(times, float) - times[0]
    mean = Fraction((count - 1) / starts[-1]).limit_denominator(1001)
    for candidate in (_name_rate(rate), rate, _name_rate(mean), mean):
        ticks = starts * float(candidate)
        is_steady = np.abs(ticks - np.arange(count)).max() < 0.5 and np.diff(ticks).max() < 1.5
        if is_steady and SLOWEST <= candidate <= FASTEST:
            return candidate, range(count)
    chosen = _choose_rate(starts, [known for known in (nominal, rate) if known], mean)
    return chosen, _shown_frames(starts * float(chosen))


def describe_grid(rate: Fraction, shown: range | array, count: int) -> tuple[str, ...]:
    """Notes on `count` frames that `fit_frame_rate` put on a grid."""
    if count == 1:
        return ("The clip is one picture.",)
    if isinstance(shown, range):
        return ()
    lost = count - len(set(shown))
    left_out = f"; {lost} of {count}, too close to others, are left out" if lost else ""
    return (f"The frame rate varies; frames were put on a steady {float(rate):.4g} a second{left_out}.",)


def _choose_rate(starts: np.ndarray, stated: list[Fraction], mean: Fraction) -> Fraction:
    """The first of the rates in question at which no frame is lost, else the typical one, `FASTEST` at most."""
    if mean > FASTEST:
        return FASTEST
    steps = np.diff(starts)
    usual = steps[np.abs(steps / max(np.median(steps), 1e-6) - 1) < 0.4]
    typical = _round_rate(1 / max(float(usual.mean() if len(usual) else steps.mean()), 1e-6), stated)
    fastest = _round_rate(1 / max(float(np.quantile(steps, 0.1)), 1e-6), stated)
    candidates = [rate for rate in (typical, *stated, mean, fastest) if SLOWEST <= rate <= FASTEST]
    for candidate in candidates:
        ticks = starts * float(candidate)
        if (_assign_ticks(ticks) - ticks).max() <= LATEST:
            return candidate
    return candidates[0] if candidates else Fraction(24)


def _round_rate(rate: float, stated: list[Fraction]) -> Fraction:
    """A rate that the file states, or a usual one, within 1 %; else the rate itself."""
    for known in (stated, USUAL_RATES):
        nearest = min(known, key=lambda candidate: abs(float(candidate) / rate - 1), default=Fraction(0))
        if abs(float(nearest) / rate - 1) < 0.01:
            return nearest
    return Fraction(rate).limit_denominator(1001)


def _name_rate(rate: Fraction) -> Fraction:
    """The usual rate that is meant by one that was measured, or stated in whole milliseconds."""
    usual = min(USUAL_RATES, key=lambda candidate: abs(candidate / rate - 1))
    return usual if abs(usual / rate - 1) < USUAL else rate


def _assign_ticks(ticks: np.ndarray) -> np.ndarray:
    """A tick of its own for every frame: the nearest that is later than the one before."""
    nearest, order = np.floor(ticks + 0.5), np.arange(len(ticks))
    return np.maximum.accumulate(nearest - order) + order


def _shown_frames(ticks: np.ndarray) -> array:
    """The frame shown at each tick. `ticks` are the frames' times in ticks."""
    begins, kept = array("q"), array("q")
    for frame, time in enumerate(ticks.tolist()):
        tick = max(int(time + 0.5), begins[-1] + 1 if begins else 0)
        if tick - time <= LATEST_SHOWN:
            begins.append(tick)
            kept.append(frame)
    last = np.searchsorted(begins, np.arange(begins[-1] + 1), side="right") - 1
    return array("q", np.asarray(kept)[last].tobytes())
