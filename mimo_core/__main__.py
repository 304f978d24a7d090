"""`python -m mimo_core` and `mimo`."""

import os
import sys


def main() -> int:
    """Run the command line. Threads must not spin while they wait: on shared cores 10 ms become 1000."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its banded solver gains nothing from more
    from .cli import run_command

    return run_command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
