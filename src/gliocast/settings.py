"""Kedro's settings: what the command line and every session start from."""

from __future__ import annotations

import os

from gliocast.hooks import ProjectHooks


def data_root(default: str = "../shared/data") -> str:
    """The folder of the public data sets: the environment variable GLIOCAST_DATA, or a sibling folder."""
    return os.environ.get("GLIOCAST_DATA", default)


HOOKS = (ProjectHooks(),)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz")  # nothing is sent anywhere; nothing is written unasked

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft"},  # an environment changes one leaf without repeating its section
    "custom_resolvers": {"data_root": data_root},
}
