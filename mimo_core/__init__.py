"""MIMO: controllable character video. The library; it never imports ComfyUI."""

__version__ = "0.1.0"
