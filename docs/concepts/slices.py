"""Draw the two pictures of `slices.md` from a phantom, by the rule itself: `python docs/concepts/slices.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from gliocast.imaging.lesion import area_profile, cut_out, largest_section_mm  # noqa: E402
from gliocast.imaging.planes import slice_positions_mm  # noqa: E402
from imaging_phantoms import a_grid, ellipsoid, slice_parameters  # noqa: E402

SCALE = 5  # pixels a millimetre


def picture(centre_mm: float, title: str) -> str:
    """A coronal sketch: the volume, a lesion, and the nine slices; beside it the lesion's area on each slice."""
    grid = a_grid("LPS", (60, 60, 60), centre_mm=(0.0, 0.0, 0.0))
    voxels = ellipsoid(grid, (8.0, 0.0, centre_mm), (13.0, 10.0, 9.0))
    lesion = cut_out(voxels, grid, (), "the phantom")
    low, high = grid.span_mm(2)
    centre, _ = largest_section_mm(lesion, 2, grid)
    kept = slice_positions_mm(centre, (low, high), slice_parameters())
    positions, areas = area_profile(lesion, 2)
    shapes = [f'<rect x="10" y="30" width="{60 * SCALE}" height="{60 * SCALE}" fill="#1f2937" rx="6"/>']
    for column, height in zip(*np.nonzero(voxels.any(axis=1)), strict=True):
        shapes.append(dot(column, height))
    shapes += [line(height, high, centre) for height in kept]
    shapes += [
        bar(height, area / areas.max(), high, height in kept) for height, area in zip(positions, areas, strict=True)
    ]
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 345" font-family="sans-serif" font-size="13">\n'
        f'<text x="10" y="20" fill="#374151">{title}</text>\n{body}\n'
        f'<text x="330" y="20" fill="#374151">lesion area on each slice</text>\n</svg>\n'
    )


def dot(column: int, height: int) -> str:
    """One lesion voxel, seen from the front."""
    left, top = 10 + (59 - column) * SCALE, 30 + (59 - height) * SCALE
    return f'<rect x="{left}" y="{top}" width="{SCALE}" height="{SCALE}" fill="#f59e0b"/>'


def line(height_mm: float, high_mm: float, centre_mm: float) -> str:
    """One kept slice; the central one is white."""
    top = 30 + (high_mm - height_mm + 0.5) * SCALE
    colour, width = ("#ffffff", 2.5) if height_mm == centre_mm else ("#38bdf8", 1.3)
    return f'<line x1="10" x2="310" y1="{top:.1f}" y2="{top:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def bar(height_mm: float, share: float, high_mm: float, kept: bool) -> str:
    """The lesion's area on one slice."""
    top = 30 + (high_mm - height_mm) * SCALE
    colour = "#0284c7" if kept else "#cbd5e1"
    return f'<rect x="330" y="{top:.1f}" width="{170 * share:.1f}" height="{SCALE - 1}" fill="{colour}"/>'


if __name__ == "__main__":
    folder = Path(__file__).parent
    sentence = "nine slices around the largest cross-section (white)"
    (folder / "slices-rule.svg").write_text(picture(2.0, sentence), encoding="utf-8")
    (folder / "slices-shifted.svg").write_text(
        picture(28.0, "at the volume's end the block is shifted"), encoding="utf-8"
    )
