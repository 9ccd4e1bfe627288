from __future__ import annotations

import pytest
from report_samples import a_flow, a_provenance, all_exhibits, all_figures, all_metrics, the_paper

from gliocast.reporting.page import build_report
from gliocast.types import Figure


@pytest.fixture
def page() -> str:
    return build_report(all_metrics(), a_flow(), a_provenance(), all_exhibits(), the_paper())


@pytest.fixture
def drawn() -> dict[str, Figure]:
    return all_figures()
