"""The MIMO denoiser: networks, checkpoints, windows, regions, and sampling without ComfyUI."""
