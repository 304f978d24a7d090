"""The Space on Hugging Face or ModelScope: the page of `mimo web`, open to the network."""

import os

import torch

from mimo_core.cli import run_command


if __name__ == "__main__":
    decoder = "mimo" if torch.cuda.is_available() else "proxy"
    port = os.environ.get("PORT", "7860")
    raise SystemExit(run_command(["web", "--host", "0.0.0.0", "--port", port, "--decoder", decoder]))
