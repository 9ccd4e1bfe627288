"""`python -m benchmarks`: every benchmark in turn, its peers in the same run, one JSON line a figure."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PEERS = ("torch", "SimpleITK", "monai", "torchio", "lightning", "scikit-learn", "xgboost", "optuna")


def main() -> int:
    """Run all benchmarks, or those named on the command line; returns the number that failed."""
    folder = Path(__file__).parent
    wanted = sys.argv[1:] or [path.stem.removeprefix("bench_") for path in sorted(folder.glob("bench_*.py"))]
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    print(json.dumps({"machine": machine, "versions": {name: installed(name) for name in PEERS}}), flush=True)
    return sum(
        subprocess.run([sys.executable, "-m", f"{folder.name}.bench_{name}"], check=False).returncode != 0
        for name in wanted
    )


def installed(name: str) -> str | None:
    """The installed version; None where a peer is absent, which the benchmarks that need it say themselves."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
