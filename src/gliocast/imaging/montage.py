"""Pages that a person looks at before anything is trained: nine slices a patient, the most doubtful first.

They show axial slices alone and never a head in three dimensions, for a head is a face.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float16, UInt8

from gliocast.imaging import montage_html
from gliocast.imaging.findings import UNCLAIMED, renamed
from gliocast.imaging.storage import SliceStackStore
from gliocast.types import NO_FIGURE, Figure

PAGE_PATIENTS = 250  # about 10 MB, which a browser opens at once
IN_MEMORY = 16  # patients whose slices are held at a time
PICTURE_PX = 112
OUTLINE = (255, 96, 64)


@dataclass(frozen=True)
class Montage:
    """The cohort on numbered pages, described but not yet drawn: whoever stores a page takes it piece by piece.

    Attributes:
        store: the slice stacks.
        exclusions: `patient_id`, `code`, `reason` of everyone without a stack.
        named: the pseudonym of a patient, the only name that the pages show.
        page_patients: patients a page, and rows of those without a stack; those of page 1 are the most doubtful.
    """

    store: SliceStackStore
    exclusions: pd.DataFrame
    named: Callable[[str], str]
    page_patients: int = PAGE_PATIENTS

    @property
    def n_pages(self) -> int:
        """Number of pages: at least one, however few the patients."""
        return max(self._n_pages_with_slices, self._pages_for(len(self.exclusions)))

    @property
    def _n_pages_with_slices(self) -> int:
        return max(1, self._pages_for(len(self._manifest)))

    def _pages_for(self, n_rows: int) -> int:
        return -(-n_rows // self.page_patients)

    def page(self, number: int, link: montage_html.Link) -> Iterator[str]:
        """Self-contained HTML of page `number` (from 1), in pieces; `link` says where the other pages lie, from here.

        The first page has the overview of all. Those without slices are listed below the slices, as many a page.
        """
        ways = montage_html.navigation(number, self.n_pages, link)
        yield montage_html.HEAD
        yield f"<h1>Slices of the cohort</h1>\n<p>{self._summary()}</p>\n{ways}{montage_html.INTRODUCTION}"
        if number == 1:
            yield montage_html.overview([self._listed(page) for page in range(1, self._n_pages_with_slices + 1)], link)
        yield montage_html.CARDS
        yield from self._cards(number)
        yield "</main>\n" + self._excluded(number) + ways + montage_html.FOOT

    @cached_property
    def _manifest(self) -> pd.DataFrame:
        doubted = self.store.manifest.assign(doubt=doubt_of(self.store.manifest))
        return doubted.sort_values(["doubt", "patient_id"], ascending=[False, True])

    def _members(self, number: int) -> pd.DataFrame:
        return self._manifest.iloc[self._rows(number)]

    def _rows(self, number: int) -> slice:
        return slice((number - 1) * self.page_patients, number * self.page_patients)

    def _summary(self) -> str:
        unclaimed = self.exclusions["code"] == UNCLAIMED
        without = self.exclusions.loc[~unclaimed, "patient_id"].nunique()
        further = f" {_of_nobody(unclaimed)}." if unclaimed.any() else ""
        return f"{len(self._manifest)} patients with nine slices each, {without} without.{further}"

    def _listed(self, number: int) -> list[tuple[str, float, float]]:
        members = self._members(number)
        columns = zip(members["patient_id"], members["doubt"], members["confidence"], strict=True)
        return [(self.named(who), round(float(doubt), 4), float(confidence)) for who, doubt, confidence in columns]

    def _cards(self, number: int) -> Iterator[str]:
        members = self._members(number)
        for start in range(0, len(members), IN_MEMORY):
            rows = members.iloc[start : start + IN_MEMORY].to_dict("records")
            who = [str(row["patient_id"]) for row in rows]
            for row, pixels, lesion in zip(rows, self.store.load(who), self.store.load_lesions(who), strict=True):
                yield _card(row, self.named(str(row["patient_id"])), _strip(pixels, lesion))

    def _excluded(self, number: int) -> str:
        members = self.exclusions.iloc[self._rows(number)]
        people = zip(members["patient_id"], members["reason"], strict=True)
        rows = [(self.named(who), renamed(reason, who, self.named(who))) for who, reason in people]
        return montage_html.excluded_table(rows, (number - 1) * self.page_patients, len(self.exclusions))


def doubt_of(manifest: pd.DataFrame) -> pd.Series:
    """How much a patient deserves a look: 1 - confidence, and 1 for each finding and for a shifted block of slices."""
    if manifest.empty:
        return pd.Series(dtype=float)
    n_findings = manifest["doubts"].map(lambda doubts: doubts.count("\n") + 1 if doubts else 0)
    return (1 - manifest["confidence"] + n_findings + manifest["shifted"].astype(int)).astype(float)


def slice_quality(manifest: pd.DataFrame, exclusions: pd.DataFrame) -> Figure:
    """How many patients were cut by what, how sure it was, and how many have no slices: counts alone, if any.

    The title tells the images of nobody in the cohort, who count as no patients.
    """
    unclaimed = exclusions["code"] == UNCLAIMED
    localised, unsure = manifest["source"] == "localiser", _is_unsure(manifest)
    groups = {
        "mask": (manifest["source"] == "mask"),
        "chosen by hand": (manifest["source"] == "column"),
        "localiser, sure": localised & ~unsure,
        "localiser, unsure": localised & unsure,
    }
    counts = {name: int(members.sum()) for name, members in groups.items()}
    reasons = exclusions.loc[~unclaimed, "code"].value_counts().sort_index()
    counts |= {f"none: {code}": int(count) for code, count in reasons.items()}
    if not any(counts.values()):
        return NO_FIGURE
    alt = "; ".join(f"{name}: {count}" for name, count in counts.items())
    names, values = list(counts)[::-1], list(counts.values())[::-1]
    bars = {"type": "bar", "orientation": "h", "x": values, "y": names, "text": [str(value) for value in values]}
    title = "Where the slices come from" + (f"; {_of_nobody(unclaimed)}" if unclaimed.any() else "")
    layout = {"title": {"text": title}, "xaxis": {"title": {"text": "Patients"}}}
    look = {"yaxis": {"automargin": True}, "template": "plotly_white", "height": 130 + 30 * len(counts)}
    return {"data": [bars], "layout": {**layout, **look, "meta": {"alt": f"Patients by source. {alt}."}}}


def _of_nobody(unclaimed: pd.Series) -> str:
    images = int(unclaimed.sum())
    return f"{images} image{'s' if images > 1 else ''} of nobody in the cohort"


def _is_unsure(manifest: pd.DataFrame) -> pd.Series:
    """Who is doubtful by `slices.localiser.doubt_below`, or has no region that is likely the lesion."""
    if manifest.empty:
        return pd.Series(dtype=bool)
    return manifest["doubts"].map(lambda doubts: "lesion_uncertain: " in doubts).astype(bool)


def _card(row: Mapping[Any, Any], named: str, strip: str) -> str:
    facts = (
        f"{row['source']}, confidence {row['confidence']:.2f}, centre {row['center_slice_mm']:.1f} mm, {row['series']}"
    )
    findings = [
        *(row["doubts"].split("\n") if row["doubts"] else []),
        *(["shifted at the end"] if row["shifted"] else []),
    ]
    name, who = html.escape(named, quote=True), str(row["patient_id"])
    doubts = "".join(f'<p class="doubt">{html.escape(renamed(finding, who, named))}</p>' for finding in findings)
    return (
        f'<article id="{name}" data-patient="{name}" data-doubt="{row["doubt"]:.4f}"'
        f' data-confidence="{row["confidence"]:.4f}"><h2>{name}</h2>'
        f'<span class="facts">{html.escape(facts)}</span>{doubts}'
        f'<img alt="Nine slices of patient {name}" loading="lazy" src="data:image/jpeg;base64,{strip}"></article>\n'
    )


def _strip(pixels: Float16[np.ndarray, "slices height width"], lesion: Bool[np.ndarray, "slices height width"]) -> str:
    from PIL import Image

    strip = Image.fromarray(np.concatenate(list(_coloured(pixels, lesion)), axis=1))
    size = (PICTURE_PX * len(pixels), PICTURE_PX)
    buffer = io.BytesIO()
    strip.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=88)  # PNG would take ten times the time
    return base64.b64encode(buffer.getvalue()).decode()


def _coloured(
    pixels: Float16[np.ndarray, "slices height width"], lesion: Bool[np.ndarray, "slices height width"]
) -> UInt8[np.ndarray, "slices height width 3"]:
    """Grey pictures with the lesion's outline: its pixels that touch a pixel outside of it, on the same slice."""
    from scipy.ndimage import binary_erosion

    low, high = float(pixels.min()), float(np.percentile(pixels.astype(np.float32), 99.5))
    grey = ((pixels.astype(np.float32) - low) / max(high - low, 1e-6)).clip(0, 1) * 255
    coloured = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    inner = np.stack([binary_erosion(picture) for picture in lesion])
    coloured[lesion & ~inner] = OUTLINE
    return coloured
