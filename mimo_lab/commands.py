"""The commands of the laboratory: `mimo shots`, `mimo train` and `mimo bench`."""

from __future__ import annotations

import os
from pathlib import Path

from mimo_core.cli.terminal import declare_command, print_lines, start_bar


def add_shots(commands) -> None:
    summary = "Make synthetic shots with exact truth as WebDataset shards, for training. A stopped run goes on."
    command = declare_command(
        commands, "shots", run_shots, summary, "mimo shots --out shots --seeds 100000-100999 --size 128"
    )
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder of the shards")
    command.add_argument(
        "--seeds", default="100000-100999", help="first and last seed, one a shot; default %(default)s"
    )
    command.add_argument("--size", type=int, default=256, help="pixels of the square shots, default %(default)s")
    command.add_argument("--frames", type=int, default=16, help="frames of a shot, default %(default)s")
    command.add_argument("--fps", type=float, default=12, help="frames a second, default %(default)s")
    command.add_argument("--pictures", type=Path, metavar="DIR", help="your backgrounds, in half of the shots")
    command.add_argument("--motions", type=Path, metavar="DIR", help="your motion files, in half of the shots")
    command.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes that draw; default: all cores"
    )
    command.add_argument("--benchmark", "--plain", action="store_true", help="the shots that the benches measure with")


def add_train(commands) -> None:
    summary = "Train a MIMO on synthetic shots or real clips, or train one further. Goes on where it was stopped."
    example = "mimo train --config configs/mimo-tiny.yaml --out runs/mimo-tiny --minutes 60"
    command = declare_command(commands, "train", run_train, summary, example)
    command.add_argument("--config", required=True, type=Path, metavar="YAML", help="what to train; see configs/")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="samples, states, logs, checkpoint")
    command.add_argument("--samples", type=Path, metavar="DIR", help="where samples lie; default: inside DIR")
    command.add_argument("--minutes", type=float, default=0, help="stop cleanly after so many; 0 = when it is done")
    command.add_argument("--smoke", action="store_true", help="30 steps of every stage on 8 clips")
    command.add_argument("--precision", choices=["no", "bf16", "fp16"], default="no", help="mixed precision")
    command.add_argument("--cpu", action="store_true", help="leave GPUs alone")


def run_shots(options) -> None:
    from .bench.table import parse_seeds
    from .synthetic import Variety
    from .synthetic.shards import Recipe, write_shot_shards

    seeds = parse_seeds(options.seeds)
    variety = None if options.benchmark else Variety.of_folders(pictures=options.pictures, motions=options.motions)
    recipe = Recipe(seeds[0], seeds[-1], options.size, options.frames, options.fps, variety=variety)
    files = write_shot_shards(options.out, recipe, workers=options.workers, progress=start_bar("shots", unit="shot"))
    print_lines(f"wrote {len(files)} shards of {recipe.each} shots in {options.out}")


def run_train(options) -> None:
    from .training.processes import end_process
    from .training.run import train_run
    from .training.settings import read_run

    run = read_run(options.config)
    done = train_run(
        run.smoke() if options.smoke else run,
        options.out,
        samples=options.samples,
        minutes=options.minutes,
        precision=options.precision,
        on_cpu=options.cpu,
        progress_of=start_bar,
    )
    reached = "done" if done else "stopped after its minutes; the same command goes on"
    print_lines(f"{run.name}: {reached}; its checkpoint is {options.out / run.name}.safetensors")
    end_process()


def add_bench(commands) -> None:
    command = commands.add_parser("bench", help="Measure quality, parity and speed.", add_help=False)
    command.set_defaults(command=run_bench_command, name="bench", takes_rest=True)


def run_bench_command(options) -> int:
    from .bench import run_bench as run_bench

    return run_bench(options.rest)


ADD_COMMANDS = (add_shots, add_train, add_bench)
