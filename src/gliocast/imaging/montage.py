"""One page that a person looks at before anything is trained: nine slices a patient, the most doubtful first.

It shows axial slices alone and never a head in three dimensions, for a head is a face.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float16, UInt8

from gliocast.imaging.storage import SliceStackStore
from gliocast.types import Figure

MOST_PATIENTS = 500  # a page of more could no longer be opened
PICTURE_PX = 112
OUTLINE = (255, 96, 64)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Slices of the cohort</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline';
 script-src 'unsafe-inline'">
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1080px; padding: 1.5rem; color: #1b1f24;
  background: #fff }}
h1 {{ font-size: 1.4rem; margin: 0 0 .3rem }} p {{ margin: .3rem 0; color: #4b5560 }}
label {{ margin-right: 1rem }} select {{ font: inherit; padding: .15rem .4rem }}
article {{ border-top: 1px solid #d9dee4; padding: .7rem 0 }} h2 {{ font-size: 1rem; margin: 0; display: inline }}
.facts {{ color: #4b5560; margin-left: .7rem }} .doubt {{ color: #9a3412; font-weight: 600; margin: .15rem 0 }}
img {{ width: 100%; image-rendering: auto; background: #000; display: block; margin-top: .35rem; border-radius: 4px }}
table {{ border-collapse: collapse; margin: .4rem 0 }} td, th {{ text-align: left; padding: .15rem .9rem .15rem 0 }}
</style></head><body>
<h1>Slices of the cohort</h1>
<p>{summary}</p>
<p>Each strip runs from the lowest slice to the highest; the front of the head is above, the patient's right is
on the left. The line is the lesion mask, or what the localiser took for the lesion.</p>
<p><label>Order <select id="order"><option value="doubt">most doubtful first</option>
<option value="confidence">least confidence first</option><option value="patient">by patient</option></select>
</label></p>
<main id="patients">
{patients}
</main>
{excluded}
<script>
const main = document.getElementById("patients"), order = document.getElementById("order");
const rank = {{ doubt: (a, b) => b.dataset.doubt - a.dataset.doubt,
  confidence: (a, b) => a.dataset.confidence - b.dataset.confidence, patient: () => 0 }};
const sort = () => [...main.children].sort((a, b) => rank[order.value](a, b)
  || a.dataset.patient.localeCompare(b.dataset.patient)).forEach(card => main.append(card));
order.addEventListener("change", sort); sort();
</script></body></html>
"""


def montage_page(store: SliceStackStore, exclusions: pd.DataFrame, named: Callable[[str], str]) -> str:
    """The page: a strip of slices for each patient, and the table of those who have none.

    Args:
        store: the slice stacks.
        exclusions: `patient_id`, `code`, `reason` of everyone without a stack.
        named: the pseudonym of a patient, the only name that the page shows.

    Returns:
        Self-contained HTML. Beyond `MOST_PATIENTS` the least doubtful are left out, and the page says so.
    """
    manifest = store.manifest.assign(doubt=doubt_of(store.manifest))
    shown = manifest.sort_values(["doubt", "patient_id"], ascending=[False, True]).head(MOST_PATIENTS)
    summary = f"{len(manifest)} patients with nine slices each, {exclusions['patient_id'].nunique()} without an image."
    if len(shown) < len(manifest):
        summary += f" Shown are the {len(shown)} most doubtful."
    patients = "\n".join(_card(row, store, named) for row in shown.to_dict("records"))
    return PAGE.format(summary=summary, patients=patients, excluded=_excluded(exclusions, named))


def doubt_of(manifest: pd.DataFrame) -> pd.Series:
    """How much a patient deserves a look: 1 - confidence, and 1 for each finding and for a shifted block of slices."""
    if manifest.empty:
        return pd.Series(dtype=float)
    n_findings = manifest["doubts"].map(lambda doubts: doubts.count("\n") + 1 if doubts else 0)
    return (1 - manifest["confidence"] + n_findings + manifest["shifted"].astype(int)).astype(float)


def slice_quality(manifest: pd.DataFrame, exclusions: pd.DataFrame) -> Figure:
    """How many patients were cut by what, how sure it was, and how many have no slices: counts alone."""
    groups = {
        "mask": (manifest["source"] == "mask"),
        "chosen by hand": (manifest["source"] == "column"),
        "localiser, sure": (manifest["source"] == "localiser") & (manifest["confidence"] >= 0.5),
        "localiser, unsure": (manifest["source"] == "localiser") & (manifest["confidence"] < 0.5),
    }
    counts = {name: int(members.sum()) for name, members in groups.items()}
    counts |= {f"none: {code}": int(count) for code, count in exclusions["code"].value_counts().sort_index().items()}
    names, values = list(counts)[::-1], list(counts.values())[::-1]
    bars = {"type": "bar", "orientation": "h", "x": values, "y": names, "text": [str(value) for value in values]}
    layout = {"title": {"text": "Where the slices come from"}, "xaxis": {"title": {"text": "patients"}}}
    return {"data": [bars], "layout": {**layout, "yaxis": {"automargin": True}, "template": "plotly_white"}}


def _card(row: Mapping[Any, Any], store: SliceStackStore, named: Callable[[str], str]) -> str:
    who = str(row["patient_id"])
    strip = _strip(store.load([who])[0], store.load_lesions([who])[0])
    facts = (
        f"{row['source']}, confidence {row['confidence']:.2f}, centre {row['center_slice_mm']:.1f} mm, {row['series']}"
    )
    findings = [
        *(row["doubts"].split("\n") if row["doubts"] else []),
        *(["shifted at the end"] if row["shifted"] else []),
    ]
    name = html.escape(named(who), quote=True)
    doubts = "".join(f'<p class="doubt">{html.escape(_renamed(finding, who, name))}</p>' for finding in findings)
    return (
        f'<article data-patient="{name}" data-doubt="{row["doubt"]:.4f}" data-confidence="{row["confidence"]:.4f}">'
        f'<h2>{name}</h2><span class="facts">{html.escape(facts)}</span>{doubts}'
        f'<img alt="Nine slices of patient {name}" src="data:image/jpeg;base64,{strip}"></article>'
    )


def _renamed(text: str, who: str, name: str) -> str:
    """A file may be named after its patient, and a finding after the file."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(who)}(?![A-Za-z0-9])", name, text)


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


def _excluded(exclusions: pd.DataFrame, named: Callable[[str], str]) -> str:
    if exclusions.empty:
        return ""
    people = [
        (who, named(who), reason) for who, reason in zip(exclusions["patient_id"], exclusions["reason"], strict=True)
    ]
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(_renamed(reason, who, name))}</td></tr>"
        for who, name, reason in people
    )
    return f"<h1>Without slices</h1><table><tr><th>patient</th><th>reason</th></tr>{rows}</table>"
