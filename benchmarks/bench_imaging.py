"""How long from one study on disk to nine resampled slices, beside MONAI, TorchIO and the mere reading of the files?

The study has the size of the paper's (section 2.2): 512×512×208 voxels of 0.5×0.5×1 mm, with a lesion mask. MONAI and
TorchIO reorient and resample the whole volume, as their users do; what comes out is compared on their own grids.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.imaging.grid import Grid, region_around
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.pipeline import extract_slices
from gliocast.imaging.sampling import interpolate
from gliocast.imaging.source import ImageSource
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack, open_volume
from gliocast.processes import n_cores
from imaging_dicom import write_series
from imaging_phantoms import a_grid, ellipsoid, positions, write_file
from shipped import section

LESION_MM = (30.0, -20.0, 25.0)
REPEATS = 5
SCALED_STUDIES = (64, 256)  # workers take a second to start, which a cohort of the study's size hides
COHORTS = (16, 256)


def main() -> None:
    """Print one JSON line a figure."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        grid = make_studies(root)
        nifti(root / "nifti", grid)
        dicom(root / "dicom")
        many(root / "nifti")


@cache
def parameters(**changes: Any) -> SliceParameters:
    """The base configuration with pixels of 1 mm."""
    rule = {"size_px": 256, "field_of_view_mm": 256.0, "centre": "volume"}
    return SliceParameters(**(section("slices", profile="paper") | rule | changes))


def make_studies(root: Path) -> Grid:
    """One study as NIfTI and as DICOM: a noisy head with a lesion, about 50 MB compressed."""
    grid = a_grid("LPS", (512, 512, 208), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0))
    rng = np.random.default_rng(1)
    head = ellipsoid(grid, (0.0, 0.0, 0.0), (80.0, 95.0, 100.0))
    tissue = 500 + 4 * positions(grid).sum(axis=-1) + rng.normal(0, 20, grid.shape)
    voxels = np.where(head, tissue, rng.rayleigh(4, grid.shape)).astype(np.int16)
    lesion = ellipsoid(grid, LESION_MM, (22.0, 18.0, 15.0))
    voxels[lesion] += 400
    write_file(root / "nifti/P1/t1gd.nii.gz", voxels, grid)
    for part in ("nifti", "dicom"):
        write_file(root / part / "P1/lesion_mask.nii.gz", lesion.astype(np.uint8), grid)
    write_series(root / "dicom/P1/t1gd", grid, voxels)
    return grid


def nifti(root: Path, grid: Grid) -> None:
    """One compressed file with its mask."""
    read = timed(lambda: itk_read(root / "P1/t1gd.nii.gz"))
    ours = timed(lambda: stack_of(root))
    show("nifti", "SimpleITK reads the file", read, read)
    show("nifti", "gliocast, nine slices", ours, read, target="at most 1.6")
    for name, work, target in (("TorchIO", with_torchio, ">= 12"), ("MONAI", with_monai, ">= 25")):
        said = {"benchmark": "imaging", "case": "nifti"}
        if find_spec(name.lower()) is None:
            print(json.dumps(said | {"skipped": f"{name.lower()} is not installed; `make bench` does"}), flush=True)
            continue
        theirs = timed(partial(work, root / "P1"), 2)
        more = {"times_slower_than_ours": round(theirs / ours, 1), "target": target}
        show("nifti", f"{name}, whole volume", theirs, read, **more)
        print(json.dumps(said | {"same slices as": name} | agreement(root, *work(root / "P1"))), flush=True)


def dicom(root: Path) -> None:
    """208 files."""
    folder = root / "P1/t1gd"
    read = timed(lambda: itk_read_series(folder))
    headers = timed(lambda: open_volume(ImageSource(root).study("P1"), parameters()))
    ours = timed(lambda: stack_of(root))
    show("dicom", "SimpleITK reads the series", read, read)
    show("dicom", "gliocast, all headers", headers, read)
    show("dicom", "gliocast, nine slices with a NIfTI mask", ours, read, target="at most 0.4")
    (root / "P1/lesion_mask.nii.gz").unlink()
    without = timed(lambda: stack_of(root, LESION_MM[2]))
    show("dicom", "gliocast, nine slices", without, read, target="at most 0.4")


def many(root: Path) -> None:
    """A cohort: are all cores used, and does the memory stay flat? Each figure is of a process of its own."""
    for number in range(2, max(COHORTS) + 1):
        (root / f"P{number}").symlink_to(root / "P1")
    for n_studies in SCALED_STUDIES:
        scaling(root, n_studies)
    for n_studies in COHORTS:
        told = {"what": f"{n_studies} studies on {n_cores()} cores"} | cohort(root, n_studies, n_cores())
        target = {"target": "peak_gb below 1.5, and the same"}
        print(json.dumps({"benchmark": "imaging", "case": "cohort"} | told | target), flush=True)


def scaling(root: Path, n_studies: int) -> None:
    """All cores beside one, and beside processes that share nothing."""
    cores = n_cores()
    alone, together = (slowest([cohort_command(root, n_studies, workers)]) for workers in (1, cores))
    apart = slowest([cohort_command(root, n_studies // cores, 1)] * cores)
    for what, taken, more in (
        (f"{n_studies} studies on {cores} cores, with the start of the workers", together, {"target": ">= 0.9"}),
        (f"the same by {cores} processes that share nothing, less their start: what the machine gives", apart, {}),
    ):
        told = {"what": what, "seconds": taken, "of linear": round(alone / taken / cores, 2)} | more
        print(json.dumps({"benchmark": "imaging", "case": "cohort"} | told), flush=True)


def cohort(root: Path, n_studies: int, workers: int) -> dict[str, float]:
    """Seconds for `n_studies`, and the largest memory of all its processes together, in a process of its own."""
    import subprocess

    with subprocess.Popen(cohort_command(root, n_studies, workers), stdout=subprocess.PIPE, text=True) as process:
        peak_kb = 0
        while process.poll() is None:
            peak_kb = max(peak_kb, sum(map(proportional_kb, family(process.pid))))
            time.sleep(0.05)
        assert process.returncode == 0
        assert process.stdout is not None
        return {"seconds": float(process.stdout.read()), "peak_gb": round(peak_kb / 2**20, 2)}


def slowest(commands: list[list[str]]) -> float:
    """Seconds of the slowest of several cohorts that are cut at once; nobody looks at their memory meanwhile."""
    import subprocess

    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    return max(float(process.communicate()[0]) for process in running)


def cohort_command(root: Path, n_studies: int, workers: int) -> list[str]:
    """What `extract_cohort` is started by."""
    return [sys.executable, "-m", "benchmarks.bench_imaging", "--cohort", str(root), str(n_studies), str(workers)]


def extract_cohort(root: Path, n_studies: int, workers: int) -> None:
    """Cut a cohort, hand every stack on as it comes, and print the seconds."""
    source = ImageSource(root, ("<patient_id>/t1gd.nii.gz",), ("<patient_id>/lesion_mask.nii.gz",))
    chosen: dict[str, float | None] = {f"P{number}": None for number in range(1, n_studies + 1)}
    started = time.perf_counter()
    assert all(isinstance(result, SliceStack) for result in extract_slices(source, chosen, parameters(workers=workers)))
    print(round(time.perf_counter() - started, 2))


def family(process_id: int) -> list[int]:
    """A process and all of its descendants."""
    try:
        texts = [path.read_text() for path in Path(f"/proc/{process_id}/task").glob("*/children")]
    except OSError:  # it has just ended
        return []
    return [process_id, *(member for text in texts for child in text.split() for member in family(int(child)))]


def proportional_kb(process_id: int) -> int:
    """Memory of a process, what it shares counted in parts (PSS), kB."""
    try:
        lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def timed(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def show(case: str, what: str, seconds: float, read: float, **more: Any) -> None:
    """One figure."""
    line = {"benchmark": "imaging", "case": case, "what": what, "seconds": round(seconds, 3)}
    print(json.dumps(line | {"times the read": round(seconds / read, 2)} | more), flush=True)


def stack_of(root: Path, centre_mm: float | None = None) -> SliceStack:
    """Our nine slices."""
    stack = extract_stack(ImageSource(root), "P1", centre_mm, parameters())
    assert isinstance(stack, SliceStack), stack
    return stack


def itk_read(path: Path) -> Any:
    """The file, whole."""
    import SimpleITK

    return SimpleITK.ReadImage(str(path))


def itk_read_series(folder: Path) -> Any:
    """The series, whole."""
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def with_torchio(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reorient and resample volume and mask to 1 mm; returns voxels (i, j, k) and affine."""
    import torchio

    subject = torchio.Subject(
        t1gd=torchio.ScalarImage(folder / "t1gd.nii.gz"), lesion=torchio.LabelMap(folder / "lesion_mask.nii.gz")
    )
    resampled = torchio.Compose([torchio.ToCanonical(), torchio.Resample(1.0)])(subject)
    resampled["lesion"].data.sum(dim=(0, 1, 2)).argmax()
    return resampled["t1gd"].data[0].numpy(), np.asarray(resampled["t1gd"].affine)


def with_monai(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The same with MONAI's dictionary transforms."""
    from monai import transforms

    keys = ("t1gd", "lesion")
    pipeline = transforms.Compose(
        [
            transforms.LoadImaged(keys),
            transforms.EnsureChannelFirstd(keys),
            transforms.Orientationd(keys, axcodes="RAS"),
            transforms.Spacingd(keys, pixdim=(1.0, 1.0, 1.0), mode=("bilinear", "nearest")),
        ]
    )
    resampled = pipeline({"t1gd": str(folder / "t1gd.nii.gz"), "lesion": str(folder / "lesion_mask.nii.gz")})
    resampled["lesion"].sum(dim=(0, 1, 2)).argmax()
    return np.asarray(resampled["t1gd"][0]), np.asarray(resampled["t1gd"].affine)


def agreement(root: Path, voxels: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Our interpolation on the peer's own grid, nine slices around the lesion: differences as shares of the maximum."""
    grid = Grid(voxels.shape, affine.astype(float))
    middle = round(float(grid.to_voxels(np.array(LESION_MM))[2]))
    region = (slice(0, voxels.shape[0]), slice(0, voxels.shape[1]), slice(middle - 4, middle + 5))
    theirs, place = voxels[region].T, grid.cropped(region)
    volume = open_volume(ImageSource(root).study("P1"), parameters())
    needed = region_around(volume.grid, place.corners_mm())
    assert needed is not None
    ours = interpolate(volume.read(needed), volume.grid.cropped(needed), place)
    apart = np.abs(ours - theirs)[:, 2:-2, 2:-2] / theirs.max()
    return {
        "median difference": round(float(np.median(apart)), 6),
        "99.9 % below": round(float(np.quantile(apart, 0.999)), 6),
    }


if __name__ == "__main__":
    if "--cohort" in sys.argv:
        folder, *numbers = sys.argv[sys.argv.index("--cohort") + 1 :]
        extract_cohort(Path(folder), *map(int, numbers))
    else:
        main()
