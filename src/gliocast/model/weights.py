"""Where the backbone's first weights come from: fetched once and verified each time; never a silent random start."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from pathlib import Path
from urllib.error import URLError

from gliocast.errors import UNWRITABLE, ConfigurationError, Problem
from gliocast.model.backbone import import_timm
from gliocast.model.parameters import ModelParameters
from gliocast.model.tensors import Tensor
from gliocast.persistence.atomic import atomic_write
from gliocast.persistence.disk import told_where_unwritable
from gliocast.persistence.fingerprints import sha256_of_bytes, sha256_of_file

log = logging.getLogger(__name__)
DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")  # timm publishes the digest in the name of a release's file


def pretrained_weights(params: ModelParameters) -> dict[str, Tensor] | None:
    """The state to start from, or None where `params.weights` is `none`.

    Raises:
        ConfigurationError: the weights are not on this machine, the file is not the one that was pinned, or it is no
            safetensors file.
    """
    known = pinned(params)
    path = weights_file(known)
    return None if path is None else _verified(path, str(known.weights_sha256))


def weights_file(params: ModelParameters) -> Path | None:
    """Where the weights lie; None where the start is random.

    Raises:
        ConfigurationError: they are not on this machine; says how to get them.
    """
    if params.weights == "none":
        return None
    path = _place(params)
    if not path.is_file() or pinned(params).weights_sha256 is None:
        raise ConfigurationError(_absent(path, params))
    return path


def pinned(params: ModelParameters) -> ModelParameters:
    """The parameters with the digest of what training starts from: the configured one, or of what lies there now.

    With it another file is another parameter: what was made from the old file is stale. A random start has none.

    Raises:
        ConfigurationError: the record beside fetched weights is damaged.
    """
    if params.weights == "none":
        return params.model_copy(update={"weights_sha256": None})
    if params.weights_sha256 is not None or not (path := _place(params)).is_file():
        return params
    digest = _record(path).get("sha256") if params.weights == "imagenet" else sha256_of_file(path)
    return params.model_copy(update={"weights_sha256": digest})


def fetch_weights(backbone: str, folder: Path, sha256: str | None = None) -> Path:
    """Fetch the ImageNet weights of a timm backbone once; afterwards no run needs the network.

    The first time the published file is known by little: a release's by the digits that timm gives in its name, a
    hub's by the digest that the hub gives. Its full SHA-256 is recorded, and whoever fetches again is given the same
    file or none; `sha256` knows it from the first time on. The stored file has a digest of its own, checked at each
    use.

    Args:
        backbone: timm's name, `resnet51q` in Moreau et al., section 2.3.
        folder: where `<backbone>.safetensors` and `<backbone>.json` are written.
        sha256: of the file as it is published; None takes the one recorded, where there is one.

    Raises:
        ConfigurationError: timm has no weights for this backbone, the source cannot be reached, or the published file
            is another one.
        ArtefactError: the disk is full or cannot be written; what was stored before is still there.
    """
    path = folder / f"{backbone}.safetensors"
    with told_where_unwritable(path, "fetch the weights again"), tempfile.TemporaryDirectory() as downloads:
        source, published = _download(backbone, Path(downloads))
        digest = sha256_of_file(published)
        _refuse_other(path, digest, sha256 or _record(path).get("source_sha256"))
        content = _as_safetensors(published)
        record = {"backbone": backbone, "source": source, "source_sha256": digest, "sha256": sha256_of_bytes(content)}
        with atomic_write(path.with_suffix(".json")) as new_record, atomic_write(path) as new:  # where both have room
            new_record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            new.write_bytes(content)
    log.info("Weights of %s stored; SHA-256 as published %s", backbone, digest)
    return path


def _place(params: ModelParameters) -> Path:
    if params.weights == "imagenet":
        return Path(params.weights_folder) / f"{params.backbone}.safetensors"
    return Path(params.weights)


def _record(path: Path) -> dict[str, str]:
    """What was recorded when the weights in `path` were fetched; empty where they never were."""
    record = path.with_suffix(".json")
    try:
        return dict(json.loads(record.read_text(encoding="utf-8"))) if record.is_file() else {}
    except (ValueError, TypeError):
        raise ConfigurationError(
            Problem("–", record.name, "no record of fetched weights", "JSON", "Remove it, and fetch the weights again.")
        ) from None


def _download(backbone: str, folder: Path) -> tuple[str, Path]:
    timm = import_timm()
    config = timm.get_pretrained_cfg(backbone) if timm.is_model(backbone) else None
    if config is None or not (config.url or config.hf_hub_id):
        raise ConfigurationError(
            Problem("–", "model.backbone", backbone, "a timm model with published weights", "Choose another backbone.")
        )
    try:
        if config.url and DIGEST_IN_NAME.search(config.url):
            return config.url, _from_release(config.url, folder)
        return config.hf_hub_id, _from_hub(config.hf_hub_id)
    except (URLError, OSError, RuntimeError, ValueError) as error:
        if getattr(error, "errno", None) in UNWRITABLE:
            raise
        raise ConfigurationError(_unreachable(backbone, error)) from None


def _from_release(url: str, folder: Path) -> Path:
    import torch

    path, match = folder / "weights.pth", DIGEST_IN_NAME.search(url)
    torch.hub.download_url_to_file(url, str(path), hash_prefix=match[1] if match else None, progress=False)
    return path


def _from_hub(repository: str) -> Path:
    from huggingface_hub import hf_hub_download

    path = Path(hf_hub_download(repository, "model.safetensors"))
    published = path.resolve().name  # the hub's cache names a large file by the digest that the hub gives
    if sha256_of_file(path) != published:
        raise ValueError("the file's SHA-256 is not the published one")
    return path


def _as_safetensors(published: Path) -> bytes:
    import torch
    from safetensors.torch import load_file, save

    try:
        is_release = published.suffix == ".pth"
        state = torch.load(published, map_location="cpu", weights_only=True) if is_release else load_file(published)
        return save({name: tensor.contiguous() for name, tensor in state.items()})
    except Exception:  # a file that came from elsewhere may provoke any of torch's errors
        raise ConfigurationError(
            Problem("–", "the published file", "no weights", "tensors by name, and nothing else", "Nothing was stored.")
        ) from None


def _refuse_other(path: Path, found: str, known: str | None) -> None:
    """Refuse a published file that is not the one it is known to be."""
    if known is None or found == known.lower():
        return
    remedy = (
        f"Nothing was stored. To take this file on purpose, give its digest by --sha256, or remove {path.stem}.json."
    )
    where = f"SHA-256 of the published weights of {path.stem}"
    raise ConfigurationError(Problem("–", where, found, known, remedy))


def _verified(path: Path, expected: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    found = sha256_of_file(path)
    if not found.startswith(expected):
        remedy = "Fetch the file again, or correct model.weights_sha256."
        raise ConfigurationError(Problem("–", f"SHA-256 of {path.name}", found[:16] + "…", expected[:16] + "…", remedy))
    try:
        state: dict[str, Tensor] = load_file(path)
    except SafetensorError:
        raise ConfigurationError(
            Problem("–", path.name, "no safetensors file", "weights as safetensors", "Convert or fetch the file again.")
        ) from None
    log.info("Backbone starts from %s; SHA-256 %s", path.name, found)
    return state


def _absent(path: Path, params: ModelParameters) -> Problem:
    remedy = "Correct model.weights: imagenet, none, or the path of a safetensors file."
    if params.weights == "imagenet":
        remedy = (
            f"Run `kedro fetch-weights --backbone {params.backbone} --folder {params.weights_folder}` where there is a "
            "network, and copy the folder here; or set model.weights to a safetensors file, or to none for a random "
            "start."
        )
    found = f"{path.parent.name}/{path.name}, absent or without its record"
    return Problem("–", "model.weights", found, "a file on this machine", remedy)


def _unreachable(backbone: str, error: Exception) -> Problem:
    is_another = not isinstance(error, OSError)  # it came, and its digest is not the published one
    return Problem(
        "–",
        f"the weights of {backbone}",
        "cut off on its way, or another file" if is_another else f"not fetched ({type(error).__name__})",
        "a reachable source that gives the published file",
        "Fetch them on a machine with a network and copy the folder, or set model.weights to a local file or to none.",
    )
