"""A small stage for torchrun: python two_processes.py FOLDER RESULT [process that dies at step 6].

Every step learns eight rows, which the processes share out; each writes its losses and weights to RESULT.PROCESS.json.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from mimo_lab.training.loop import fit_stage
from mimo_lab.training.processes import end_process
from mimo_lab.training.settings import StageSettings


ROWS, WIDTH = 8, 5


class RowStage:
    """Learns a random map of rows that depend on the step alone."""

    name = "rows"

    def __init__(self, accelerator):
        torch.manual_seed(3)
        self.network = nn.Sequential(nn.Linear(WIDTH, 16), nn.Tanh(), nn.Linear(16, 1))
        self.first, self.processes = accelerator.process_index, accelerator.num_processes

    def loss(self, step):
        rows = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(step.number))
        mine = rows[self.first :: self.processes]
        return (self.network(mine)[:, 0] - mine.sin().sum(1)).square().mean(), {}

    def pictures(self):
        return None


def main(folder: str, result: str, dying: str = "-1") -> None:
    accelerator = Accelerator(cpu=True)

    def die(done, total, preview=None):
        if done == 6 and accelerator.process_index == int(dying):
            os.kill(os.getpid(), signal.SIGKILL)

    stage = RowStage(accelerator)
    settings = StageSettings(steps=12, batch=ROWS, lr=1e-2, warmup=1, save_every=4, show_every=100)
    report = fit_stage(stage, settings, Path(folder), accelerator=accelerator, progress=die)
    weights = [parameter.detach().flatten().tolist() for parameter in stage.network.parameters()]
    written = {"losses": report.losses, "weights": weights, "processes": accelerator.num_processes}
    Path(f"{result}.{accelerator.process_index}.json").write_text(json.dumps(written))
    accelerator.end_training()
    end_process()


if __name__ == "__main__":
    main(*sys.argv[1:])
