"""What happens around a run: parameters are typed and slips refused before it, the results are shown after it."""

from __future__ import annotations

import shutil
from functools import partial
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from gliocast.errors import ConfigurationError, raise_if_any, refuse_together

# What a run without a report was for, and so what it says at its end: the first of these that it makes.
RESULTS = {"table_audit": "Claimed and true", "hyperparameters": "Hyperparameters", "slice_montage": "Slices"}


class ProjectHooks:
    """Refuse what can be seen to be wrong before anything runs, and show what a run has come to."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the whole tree of parameters, and hand each node its own typed section."""
        from gliocast.conf_files import located, refuse_faulty_files
        from gliocast.parameters import load_parameters, typed_parameters

        loader = context.config_loader
        refuse_faulty_files(loader)
        parameters = load_parameters(loader)
        try:
            # Kedro types only the sections of the pipeline asked for; the simulation may run before it, unasked.
            loader["parameters"] = typed_parameters(parameters)
        except ConfigurationError as error:
            raise ConfigurationError(located(error.problems, loader)) from None

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: Any) -> None:
        """Make every entry of the pipeline, and read none; look at network, search and grids where they are new."""
        from gliocast.refusals import faulty_entries

        read = pipeline.datasets() | {"stage_records"}  # which the runner itself reads
        raise_if_any(faulty_entries(read, catalog), ConfigurationError)
        # Records name the weights that were pinned, so these come first.
        looks = (pin_weights, refuse_unusable_study, refuse_unsearchable_grids)
        refuse_together(*(partial(look, pipeline, catalog) for look in looks))

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: Any) -> None:
        """Print what a check has found, or the table of results beside the paper's and the place of the report."""
        outputs = pipeline.all_outputs()
        if "image_check" in outputs and catalog.load("params:check_only"):
            from gliocast.pipelines.preprocessing.check_nodes import in_words

            click.echo(in_words(catalog.load("image_check")))
        elif "report" in outputs:
            from gliocast.reporting.terminal import WIDTH, result_table

            width = shutil.get_terminal_size((WIDTH, 0)).columns
            simulated = catalog.load("provenance")["simulated"]
            click.echo(result_table(catalog.load("metrics"), catalog.load("params:paper"), simulated, width))
            click.echo(f"Report: {catalog['report'].filepath}")
        elif made := [name for name in RESULTS if name in outputs]:
            click.echo(f"{RESULTS[made[0]]}: {catalog[made[0]].filepath}")


def refuse_unsearchable_grids(pipeline: Pipeline, catalog: Any) -> None:
    """Refuse grids that no classifier can be searched by, before the network is trained for them.

    It takes seconds, so they are not looked at where a run has searched them.
    """
    from gliocast.runner import have_run_so

    if not have_run_so(["fitted_models"], pipeline, catalog):
        from gliocast.hybrid.classifiers import check_grids
        from gliocast.hybrid.selection import check_candidates

        hybrid = catalog.load("params:hybrid")
        check_grids(hybrid)
        check_candidates(hybrid)


def pin_weights(pipeline: Pipeline, catalog: Any) -> None:
    """Pin the weights that a run trains from; refuse a network that cannot be trained here."""
    if "params:model" not in pipeline.inputs() or catalog.load("params:image_score") != "cnn":
        return
    from gliocast.model.weights import pinned, weights_file
    from gliocast.runner import have_run_so

    known = pinned(catalog.load("params:model"))
    catalog["params:model"].save(known)
    catalog["parameters"].save(catalog.load("parameters") | {"model": known})
    trained = {"hyperparameters", "cnn_ensemble"} & pipeline.all_outputs()
    if trained and have_run_so(["slice_stacks", *trained], pipeline, catalog):
        weights_file(known)  # looking at the rest takes torch, and seconds
    elif trained:
        from gliocast.model.readiness import refuse_untrainable_network

        refuse_untrainable_network(known, catalog.load("params:slices").size_px)


def refuse_unusable_study(pipeline: Pipeline, catalog: Any) -> None:
    """Refuse a storage of the search that cannot be used, before slices are cut for it."""
    if "tuning_study" not in pipeline.inputs() or catalog.load("params:image_score") != "cnn":
        return
    from gliocast.runner import have_run_so

    searches = catalog.load("params:tuning").trials > 0
    if searches and not have_run_so(["slice_stacks", "hyperparameters"], pipeline, catalog):
        catalog.load("tuning_study").try_to_open()
