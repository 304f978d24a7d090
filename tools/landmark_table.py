"""Freeze the table of BlazePose's landmarks on the free body. Run again whenever the body asset is baked anew."""

import json

from mimo_core.body.landmarks import TABLE, derive_landmark_weights
from mimo_core.body.model import free_body


def main():
    rows = [f'  "{name}": {json.dumps(carriers)}' for name, carriers in derive_landmark_weights(free_body()).items()]
    TABLE.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"Wrote {TABLE}")


if __name__ == "__main__":
    main()
