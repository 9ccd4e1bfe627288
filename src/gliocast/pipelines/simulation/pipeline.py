"""The graph: the truth first, then the images, and the clinical table last, as the sign that all is there."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from gliocast.pipelines.simulation.nodes import describe_truth, simulate_patients, tabulate_patients

REQUEST = ["params:paper", "params:simulation", "params:seed"]


def create_pipeline(**_: Any) -> Pipeline:
    """The simulation."""
    return Pipeline(
        [
            Node(describe_truth, REQUEST, "simulation_truth", name="describe_truth"),
            Node(simulate_patients, "simulation_truth", "simulated_imaging", name="simulate_patients"),
            Node(
                tabulate_patients,
                ["simulated_imaging", *REQUEST],
                "simulated_clinical_table",
                name="tabulate_patients",
            ),
        ]
    )
