"""How long does a new patient's image score take, warm, beside the mere decoding of the study and the mere forward?

One DICOM study of the paper's size (208 files of 512×512, central slice named), the five networks of a split in memory.
The limit decodes what is needed and no more, with pydicom (chosen tags of all files, pixels of eleven), and lets plain
PyTorch run the five networks on nine slices; it resamples, checks and pools nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from model_fakes import tiny

from benchmarks.bench_imaging import LESION_MM, make_studies, parameters, timed
from gliocast.imaging.source import ImageSource
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from gliocast.model.backbone import build_network
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.parameters import ModelParameters
from gliocast.model.scoring import scorer_of

FOLDS, DECODED = 5, 11
TAGS = ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "SeriesInstanceUID"]


def main() -> None:
    """Print one JSON line a network."""
    warnings.simplefilter("ignore")
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--backbones", nargs="+", default=["test_byobnet", "resnet10t", "resnet51q"])
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_studies(Path(folder))
        root = Path(folder) / "dicom"
        (root / "P1/lesion_mask.nii.gz").unlink()
        for backbone in options.backbones:
            compare(root, tiny(backbone=backbone, threads=None, devices=("auto",)))


def compare(root: Path, params: ModelParameters) -> None:
    """Our way from the files to the score, and the limit."""
    networks = [build_network(params, params.dropout) for _ in range(FOLDS)]
    members = [Member(f"fold{n}", "holdout", network.state_dict(), (), 0.0) for n, network in enumerate(networks)]
    scorer = scorer_of(Ensemble(params, tuple(members)), "holdout")
    plain = [network.to(scorer.device).eval() for network in networks]
    slices = torch.rand(9, 1, parameters().size_px, parameters().size_px, device=scorer.device)

    def ours() -> None:
        stack = extract_stack(ImageSource(root), "P1", LESION_MM[2], parameters())
        assert isinstance(stack, SliceStack)
        scorer.score(stack.pixels[None], ("P1",))

    def forward() -> None:
        with torch.inference_mode():
            np.mean([network(slices).cpu().numpy() for network in plain])

    decoded, ran, taken = (timed(work) for work in (lambda: decode(root / "P1/t1gd"), forward, ours))
    figure = {"decode_s": decoded, "forward_s": ran, "gliocast_s": taken}
    said = {name: round(seconds, 3) for name, seconds in figure.items()}
    ratio = {"ratio": round(taken / (decoded + ran), 2), "target": "at most 1.5"}
    about = {"benchmark": "inference", "backbone": params.backbone, "networks": FOLDS}
    print(json.dumps(about | said | ratio), flush=True)


def decode(folder: Path) -> Any:
    """Chosen tags of all files, and the pixels of the eleven in the middle."""
    import pydicom

    files = sorted(folder.iterdir())
    headers = [pydicom.dcmread(file, stop_before_pixels=True, specific_tags=TAGS) for file in files]
    middle = len(files) // 2
    return headers, [pydicom.dcmread(file).pixel_array for file in files[middle - 5 : middle - 5 + DECODED]]


if __name__ == "__main__":
    main()
