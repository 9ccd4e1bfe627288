"""What trains and judges, on a device that is not the processor. `test_model_card.py` runs these in another process."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model_fakes import MemoryCheckpoints, OneCheckpoint, a_cohort, names, tiny
from pretended_card import CARD, CROSSINGS, CardTensor

from gliocast.model import saliency, scoring
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.material import FoldIndices
from gliocast.model.training import train_fold
from gliocast.types import Split

STACKS, CLASSES = a_cohort(18)
FOLD = FoldIndices(np.arange(12), np.arange(12, 18))
MOVED = {"flip": True, "rotation_degrees": 20, "shift_fraction": 0.1, "intensity_fraction": 0.1}
TRAININGS = {
    "plain": {},
    "moved": {"augmentation": MOVED},
    "attention": {"pooling": "attention"},
    "cosine": {"scheduler": {"kind": "cosine", "factor": 0.1, "patience": 1}, "stop_by": "nothing"},
}


@pytest.fixture(autouse=True)
def no_inference_mode(monkeypatch):
    """The pretended device's tensors know none."""
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)


def settings(**changes):
    """The pretended device computes with channels first, so that only then the bits can be compared."""
    return tiny(epochs=2, channels_last=False, **changes)


def train(params, device, checkpoints=None):
    return train_fold(STACKS, CLASSES, FOLD, params.hyperparameters, params, 1, device=device, checkpoints=checkpoints)


def same_bits(one, other):
    return one.curve.equals(other.curve) and all(
        torch.equal(one.weights[name], other.weights[name]) for name in one.weights
    )


def test_what_mixes_both_devices_fails():
    with pytest.raises(RuntimeError, match="on the card and on the processor"):
        torch.ones(2, device=CARD) + torch.ones(2)
    with pytest.raises(RuntimeError):
        torch.ones(2, device=CARD).numpy()


@pytest.mark.parametrize("changes", TRAININGS.values(), ids=TRAININGS)
def test_a_training_comes_to_the_same_bits(changes):
    params = settings(**changes)
    there = train(params, CARD)
    assert same_bits(there, train(params, torch.device("cpu")))
    assert not any(isinstance(weight, CardTensor) for weight in there.weights.values())


def test_more_steps_of_an_epoch_wait_for_the_card_no_oftener():
    waited = {}
    for batch_size in (2, 6):
        CROSSINGS.clear()
        train(settings(batch_size=batch_size, augmentation=MOVED), CARD)
        waited[batch_size] = list(CROSSINGS)
    assert waited[2] == waited[6] != []


def test_a_training_goes_on_from_a_checkpoint():
    params, way = settings(), MemoryCheckpoints()
    whole = train(params, CARD, way)
    _, in_the_second_epoch = way.kept[2]
    assert same_bits(train(params, CARD, OneCheckpoint(in_the_second_epoch)), whole)


@pytest.mark.parametrize("pooling", ["mean_logit", "attention"])
def test_scores_and_maps_are_the_same(pooling, monkeypatch):
    params, patients = settings(pooling=pooling), names(18)
    trained = train(params, torch.device("cpu"))
    member = Member("holdout/fold0", "holdout", trained.weights, patients, params.dropout)
    ensemble = Ensemble(params, (member,))
    here = judged(ensemble)
    for room in (scoring, saliency):
        monkeypatch.setattr(room, "device_to_score_on", lambda _names: CARD)
    there = judged(ensemble)
    assert there[0].equals(here[0])
    assert np.array_equal(there[1], here[1]) and here[1].max() == 1


def judged(ensemble):
    new, _ = a_cohort(2, seed=1)
    scores = scoring.score_patients(ensemble, new, ("X1", "X2"), Split("holdout", ("X1", "X2"), ()))
    return scores.table, saliency.ensemble_saliency(ensemble, new, "holdout")
