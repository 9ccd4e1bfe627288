"""Where the backbone's first weights come from: fetched once and verified each time; never a silent random start."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import tempfile
from pathlib import Path
from urllib.error import URLError

from gliocast.errors import ConfigurationError, Problem, TrainingError
from gliocast.model.backbone import import_timm
from gliocast.model.parameters import ModelParameters
from gliocast.model.tensors import Tensor

log = logging.getLogger(__name__)
DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")  # timm publishes the digest in the name of a release's file


def pretrained_weights(params: ModelParameters) -> dict[str, Tensor] | None:
    """The state to start from, or None where `params.weights` is `none`.

    Raises:
        TrainingError: the weights are not on this machine; says how to get them.
        ConfigurationError: the file is not the one that was pinned, or is no safetensors file.
    """
    if params.weights == "none":
        return None
    if params.weights == "imagenet":
        return _fetched(params.backbone, Path(params.weights_folder), params.weights_sha256)
    path = Path(params.weights)
    if not path.is_file():
        raise TrainingError(_absent(path, "Correct model.weights: imagenet, none, or the path of a safetensors file."))
    return _verified(path, params.weights_sha256)


def fetch_weights(backbone: str, folder: Path) -> Path:
    """Fetch the ImageNet weights of a timm backbone once; afterwards no run needs the network.

    A release's file is checked against the digest that timm publishes in its name; a hub's file against the digest
    that the hub gives. The full SHA-256 is then pinned beside the file and checked at every use.

    Args:
        backbone: timm's name, `resnet51q` in Moreau et al., section 2.3.
        folder: where `<backbone>.safetensors` and `<backbone>.json` are written.

    Raises:
        ConfigurationError: timm has no weights for this backbone.
        TrainingError: the source cannot be reached, or gave another file.
    """
    from safetensors.torch import save_file

    source, state = _download(backbone)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{backbone}.safetensors"
    temporary = path.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, temporary)
    pin = {"backbone": backbone, "source": source, "sha256": _sha256(temporary)}
    path.with_suffix(".json").write_text(json.dumps(pin, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
    log.info("Weights of %s stored; SHA-256 %s", backbone, pin["sha256"])
    return path


def _download(backbone: str) -> tuple[str, dict[str, Tensor]]:
    timm = import_timm()
    config = timm.get_pretrained_cfg(backbone) if timm.is_model(backbone) else None
    if config is None or not (config.url or config.hf_hub_id):
        raise ConfigurationError(
            Problem("–", "model.backbone", backbone, "a timm model with published weights", "Choose another backbone.")
        )
    try:
        if config.url and DIGEST_IN_NAME.search(config.url):
            return config.url, _from_release(config.url)
        return config.hf_hub_id, _from_hub(config.hf_hub_id)
    except (URLError, OSError, RuntimeError, ValueError) as error:
        raise TrainingError(_unreachable(backbone, error)) from None


def _from_release(url: str) -> dict[str, Tensor]:
    import torch

    match = DIGEST_IN_NAME.search(url)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.hub.download_url_to_file(url, str(path), hash_prefix=match[1] if match else None, progress=False)
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _from_hub(repository: str) -> dict[str, Tensor]:
    from huggingface_hub import hf_hub_download
    from safetensors.torch import load_file

    path = Path(hf_hub_download(repository, "model.safetensors"))
    published = path.resolve().name  # the hub's cache names a large file by the digest that the hub gives
    if _sha256(path) != published:
        raise ValueError("the file's SHA-256 is not the published one")
    state: dict[str, Tensor] = load_file(path)
    return state


def _fetched(backbone: str, folder: Path, pinned: str | None) -> dict[str, Tensor]:
    path = folder / f"{backbone}.safetensors"
    record = path.with_suffix(".json")
    if not (path.is_file() and record.is_file()):
        raise TrainingError(
            _absent(
                path,
                f"Run `kedro fetch-weights --backbone {backbone}` where there is a network, and copy the folder here; "
                "or set model.weights to a safetensors file, or to none for a random start.",
            )
        )
    known = json.loads(record.read_text(encoding="utf-8"))["sha256"]
    return _verified(path, pinned if pinned is not None else known)


def _verified(path: Path, pinned: str | None) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    found = _sha256(path)
    if pinned is not None and not found.startswith(pinned):
        remedy = "Fetch the file again, or correct model.weights_sha256."
        raise ConfigurationError(Problem("–", f"SHA-256 of {path.name}", found[:16] + "…", pinned[:16] + "…", remedy))
    try:
        state: dict[str, Tensor] = load_file(path)
    except SafetensorError:
        raise ConfigurationError(
            Problem("–", path.name, "no safetensors file", "weights as safetensors", "Convert or fetch the file again.")
        ) from None
    log.info("Backbone starts from %s; SHA-256 %s", path.name, found)
    return state


def _absent(path: Path, remedy: str) -> Problem:
    return Problem("–", "model.weights", f"{path.parent.name}/{path.name}, absent", "a file on this machine", remedy)


def _unreachable(backbone: str, error: Exception) -> Problem:
    return Problem(
        "–",
        f"the weights of {backbone}",
        f"not fetched ({type(error).__name__})",
        "a reachable source that gives the published file",
        "Fetch them on a machine with a network and copy the folder, or set model.weights to a local file or to none.",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
