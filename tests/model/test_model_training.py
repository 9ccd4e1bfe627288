"""The loop: it learns, repeats itself, goes on to the bit, and ends clearly."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch
from model_fakes import SIDE_PX, MemoryCheckpoints, OneCheckpoint, a_cohort, a_full_disk, tiny
from safetensors.torch import save_file

from gliocast.datasets.checkpoints import CheckpointFolder
from gliocast.errors import ConfigurationError, TrainingError
from gliocast.model import endings, precision, resume, training
from gliocast.model.backbone import import_timm
from gliocast.model.device import processor_threads
from gliocast.model.material import FoldIndices
from gliocast.model.parameters import Hyperparameters
from gliocast.model.pooling import stack_logits
from gliocast.model.precision import arithmetic
from gliocast.model.training import scheduled, start, train_fold

FOLD = FoldIndices(np.arange(12), np.arange(12, 18))


def train(params=None, classes=None, seed=1, fold=FOLD, stacks=None, **more):
    params = params or tiny()
    images, known = a_cohort(18)
    stacks, classes = images if stacks is None else stacks, known if classes is None else classes
    return train_fold(stacks, classes, fold, params.hyperparameters, params, seed, **more)


def twice_as_large(stacks):
    """Of 32 px, the least that a processor trains in bfloat16."""
    return np.kron(stacks, np.ones((2, 2)))


def same_bits(one, other):
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_the_loss_of_the_fitted_patients_falls():
    curve = train(tiny(epochs=6)).curve
    assert curve["train_loss"].iloc[-1] < 0.5 * curve["train_loss"].iloc[0]


@pytest.mark.parametrize("changes", [{"precision": "bfloat16"}, {"channels_last": False}])
def test_precision_and_memory_format_are_choices(changes):
    stacks, classes = a_cohort(18)
    params = tiny(epochs=1, **changes)
    trained = train_fold(twice_as_large(stacks), classes, FOLD, params.hyperparameters, params, 1)
    assert np.isfinite(trained.curve["train_loss"]).all()
    assert {tensor.dtype for tensor in trained.weights.values()} == {torch.float32, torch.int64}


def test_a_compiled_network_trains_to_the_same_bits(monkeypatch):
    compiled_by(monkeypatch, "eager")  # the default compiler works for minutes
    assert same_bits(train(tiny(epochs=1, compile=True)), train(tiny(epochs=1)))


def test_trainings_with_another_dropout_each_are_all_compiled(monkeypatch):
    made = []

    def counting(graph, _inputs):
        made.append(graph)
        return graph.forward

    compiled_by(monkeypatch, counting)
    with torch._dynamo.config.patch(recompile_limit=1):  # values after which the compiler gives up
        for number in range(3):
            params = tiny(epochs=1, compile=True, dropout=0.05 * number)
            train(params, fold=FoldIndices(np.arange(6), np.arange(12, 18)))
            assert made, f"training {number} was left as it is"
            made.clear()


def test_each_size_of_batch_is_compiled_for_itself_in_whatever_order_they_come(monkeypatch):
    seen = []

    def noting(graph, inputs):
        seen.extend(given.shape for given in inputs if given.shape[1:] == (1, SIDE_PX, SIDE_PX))
        return graph.forward

    compiled_by(monkeypatch, noting)
    train(tiny(epochs=1, compile=True, batch_size=20))
    assert sorted(int(shape[0]) for shape in seen) == [16, 20]
    assert all(type(side) is int for shape in seen for side in shape)


def test_a_network_that_cannot_be_compiled_ends_in_a_sentence(monkeypatch):
    compiled_by(monkeypatch, lambda *_: 1 / 0)
    with pytest.raises(ConfigurationError, match=r"model.compile: true.*set model.compile to false"):
        train(tiny(epochs=1, compile=True))


def compiled_by(monkeypatch, backend):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))


@pytest.mark.parametrize(
    ("features", "side_px", "expected"),
    [
        ({"avx512_bf16": True}, 32, "bfloat16"),
        ({"amx_bf16": True}, 32, "bfloat16"),
        ({"amx_bf16": True}, 31, "float32"),
        ({"avx512_f": True}, 32, "float32"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_has_it_and_slices_are_not_tiny(monkeypatch, features, side_px, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert arithmetic(tiny(precision="auto"), torch.device("cpu"), side_px) == expected
    assert arithmetic(tiny(precision="float32"), torch.device("cpu"), side_px) == "float32"


@pytest.mark.parametrize(
    ("backbone", "expected"), [("resnet51q", "bfloat16"), ("resnet10t", "bfloat16"), ("efficientnet_b0", "float32")]
)
def test_auto_is_float32_where_bfloat16_would_be_the_slower_one_on_a_processor(monkeypatch, backbone, expected):
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: True)
    params = tiny(backbone=backbone, precision="auto")
    assert arithmetic(params, torch.device("cpu"), 64) == expected
    assert arithmetic(params, torch.device("cuda"), 64) == "bfloat16"


def test_bfloat16_is_refused_where_a_processor_would_leave_a_gradient_unset():
    with pytest.raises(ConfigurationError, match=r"bfloat16 on a processor, for slices of 16 px.*at least 32 px"):
        train(tiny(epochs=1, precision="bfloat16"))
    assert arithmetic(tiny(precision="bfloat16"), torch.device("cpu"), 32) == "bfloat16"
    assert arithmetic(tiny(precision="bfloat16"), torch.device("cuda"), 16) == "bfloat16"


def test_a_network_trained_in_bfloat16_scores_in_float32():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1))
    stacks = torch.rand(2, 3, 2, 2)
    scored, _ = stack_logits(network, stacks, tiny(precision="bfloat16"))
    expected = network(stacks.flatten(0, 1)[:, None]).unflatten(0, (2, 3))  # at once: the last digit hangs on that
    assert torch.equal(scored, expected.detach())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_gpu_trains_as_the_processor_does():
    curve = train(tiny(epochs=6, devices=("cuda:0",))).curve
    assert curve["train_loss"].iloc[-1] < 0.5 * curve["train_loss"].iloc[0]


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    assert same_bits(train(seed=1), train(seed=1))
    assert not same_bits(train(seed=1), train(seed=2))


def test_training_leaves_the_callers_random_state_and_threads_alone():
    torch.manual_seed(5)
    expected, threads = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(5)
    train()
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


MOVING = {"flip": True, "rotation_degrees": 20, "shift_fraction": 0.05, "intensity_fraction": 0.1}
COSINE = {"kind": "cosine", "factor": 0.1, "patience": 1}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "changes",
    [{}, {"pooling": "attention"}, {"scheduler": COSINE}, {"augmentation": MOVING}, {"precision": "bfloat16"}],
)
def test_a_training_goes_on_to_the_same_bits_from_every_step_it_ever_stored(changes):
    params = tiny(epochs=2, batch_size=12, **changes)
    every = MemoryCheckpoints()
    stacks, classes = a_cohort(18)
    given = (twice_as_large(stacks), classes, FOLD, params.hyperparameters, params, 1)
    whole = train_fold(*given, checkpoints=every)
    assert len(every.kept) > 4
    for _, moment in every.kept:
        assert same_bits(whole, train_fold(*given, checkpoints=OneCheckpoint(moment)))


def test_resumed_curve_and_epoch_are_those_of_the_whole_training():
    every = MemoryCheckpoints()
    whole = train(checkpoints=every)
    resumed = train(checkpoints=OneCheckpoint(every.kept[len(every.kept) // 2][1]))
    assert resumed.curve.equals(whole.curve)
    assert resumed.best_epoch == whole.best_epoch


def test_a_resumed_training_knows_since_when_it_has_not_got_better(monkeypatch):
    """With a patience of one, two epochs in which the loss is no lower than in the first let the learning rate fall."""

    def rates(losses, checkpoints):
        remaining, reports = iter(losses), []
        monkeypatch.setattr(training, "judge", lambda *_: (next(remaining), np.linspace(0, 1, 6)))
        train(tiny(epochs=4), checkpoints=checkpoints, on_epoch=reports.append)
        return [report.learning_rate for report in reports]

    every = MemoryCheckpoints()
    assert rates([0.5, 0.6, 0.6, 0.6], every) == pytest.approx([0.003, 0.003, 0.003, 0.0003])
    after_two = next(moment for _, moment in every.kept if moment.record["epoch"] == 2)
    assert rates([0.6, 0.6], OneCheckpoint(after_two)) == pytest.approx([0.003, 0.0003])


def test_a_finished_training_is_not_trained_again(monkeypatch):
    every = MemoryCheckpoints()
    whole = train(checkpoints=every)
    monkeypatch.setattr(training, "train_epoch", lambda *_: pytest.fail("trained again"))
    assert same_bits(whole, train(checkpoints=every))


def test_a_finished_training_needs_no_room_and_stores_nothing_more():
    every = MemoryCheckpoints()
    train(checkpoints=every)
    stored = len(every.kept)
    every.free_bytes = lambda: 0
    train(checkpoints=every)
    assert len(every.kept) == stored


def test_a_training_goes_on_with_as_many_threads_as_it_began_with():
    every, used = MemoryCheckpoints(), []
    with processor_threads(1):
        train(tiny(threads=None), checkpoints=every)
    half_way = OneCheckpoint(every.kept[len(every.kept) // 2][1])
    with processor_threads(2):
        train(tiny(threads=None), checkpoints=half_way, on_epoch=lambda _: used.append(torch.get_num_threads()))
        assert torch.get_num_threads() == 2
    assert set(used) == {1}


def test_the_seed_decides_the_first_weights_where_dropout_draws_elsewhere(monkeypatch):
    """As on a GPU, whose own generator dropout draws from, while timm draws the weights on the processor."""
    elsewhere = torch.Generator()

    @contextmanager
    def on_a_gpu(_device):
        with torch.random.fork_rng([]):
            yield elsewhere

    monkeypatch.setattr(training, "private_randomness", on_a_gpu)
    first = train(tiny(dropout=0.0), seed=1)
    torch.rand(1)  # the caller's own numbers have no part in it
    assert same_bits(first, train(tiny(dropout=0.0), seed=1))
    assert not same_bits(first, train(tiny(dropout=0.0), seed=2))


@pytest.mark.parametrize("changed", ["seed", "classes", "params"])
def test_a_checkpoint_of_another_training_is_not_gone_on_from(changed):
    every = MemoryCheckpoints()
    train(checkpoints=every)
    other = {
        "seed": {"seed": 2},
        "classes": {"classes": 1 - a_cohort(18)[1]},
        "params": {"params": tiny(weight_decay=0.1)},
    }[changed]
    assert same_bits(train(**other), train(**other, checkpoints=every))


def test_a_checkpoint_of_another_timm_is_not_gone_on_from(monkeypatch):
    every = MemoryCheckpoints()
    train(checkpoints=every)
    monkeypatch.setattr(import_timm(), "__version__", "another")
    reports = []
    train(checkpoints=every, on_epoch=reports.append)
    assert len(reports) == 3


def test_a_checkpoint_of_a_machine_with_other_arithmetic_is_not_gone_on_from(monkeypatch):
    every, stacks = MemoryCheckpoints(), twice_as_large(a_cohort(18)[0])
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: True)
    train(tiny(precision="auto"), stacks=stacks, checkpoints=every)
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: False)
    resumed = train(tiny(precision="auto"), stacks=stacks, checkpoints=every)
    assert same_bits(resumed, train(tiny(precision="float32"), stacks=stacks))


def test_training_stops_when_the_stopping_patients_gain_nothing_more():
    mislabelled = a_cohort(18)[1].copy()
    mislabelled[FOLD.stop] = 1 - mislabelled[FOLD.stop]  # the better it fits, the worse they are
    curve = train(tiny(epochs=30, patience=2), classes=mislabelled).curve
    assert len(curve) == curve["stop_loss"].idxmin() + 1 + 2


def test_the_learning_rate_falls_tenfold_on_a_plateau():
    mislabelled = a_cohort(18)[1].copy()
    mislabelled[FOLD.stop] = 1 - mislabelled[FOLD.stop]
    rates = train(tiny(epochs=12), classes=mislabelled).curve["learning_rate"].unique()
    assert rates[1] == pytest.approx(rates[0] / 10)


def test_the_rate_falls_by_its_factor_once_the_loss_has_not_fallen_for_more_epochs_than_patience():
    params = tiny(scheduler={"kind": "plateau", "factor": 0.5, "patience": 2})
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.8)
    scheduler, rates = scheduled(optimizer, params), []
    for loss in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0):
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2]


def test_a_step_takes_the_learning_rate_weight_decay_and_dropout_it_was_given():
    given = Hyperparameters(learning_rate=0.1, weight_decay=0.5, dropout=0.4)
    started = start(given, tiny(learning_rate=9, weight_decay=9, dropout=0.9), torch.device("cpu"))
    weights = list(started.network.parameters())
    before = [weight.detach().clone() for weight in weights]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    started.optimizer.step()  # AdamW's first: each weight decays by 0.1 · 0.5, and moves by 0.1 against its gradient
    assert all(torch.allclose(now, 0.95 * then - 0.1, atol=1e-6) for now, then in zip(weights, before, strict=True))
    assert [part.p for part in started.network.modules() if isinstance(part, torch.nn.Dropout)] == [0.4]


def test_the_learning_rate_falls_along_a_cosine_to_zero_after_the_last_epoch():
    rates = train(tiny(epochs=4, learning_rate=0.008, scheduler=COSINE)).curve["learning_rate"]
    assert rates.tolist() == pytest.approx([0.008, 0.006828, 0.004, 0.001172], abs=1e-6)  # 0.004 (1 + cos 45° k)


def test_the_weights_are_those_of_the_epoch_with_the_lowest_loss_of_the_stopping_patients():
    trained = train(tiny(epochs=5))
    assert trained.best_epoch == trained.curve.set_index("epoch")["stop_loss"].idxmin()
    assert trained.stop_loss == trained.curve["stop_loss"].min()


def test_later_steps_do_not_change_the_weights_that_were_kept(monkeypatch):
    losses = iter([0.7, 0.5, 0.6, 0.65, 0.7, 0.5])
    monkeypatch.setattr(training, "judge", lambda *_: (next(losses), np.linspace(0, 1, 6)))
    kept = train(tiny(epochs=4))
    assert kept.best_epoch == 2
    assert same_bits(kept, train(tiny(epochs=2)))


def test_epochs_may_be_judged_by_the_auc_of_the_stopping_patients_instead_of_their_loss(monkeypatch):
    aucs = iter([0.5, 0.9, 0.7])
    monkeypatch.setattr(training, "auc", lambda *_: next(aucs))
    assert train(tiny(stop_by="auc")).best_epoch == 2


def test_a_fold_whose_stopping_patients_have_one_outcome_is_stopped_by_loss_and_says_so(caplog):
    classes = a_cohort(18)[1].copy()
    classes[FOLD.stop] = 0
    trained = train(tiny(epochs=3, stop_by="auc"), classes=classes)
    assert trained.best_epoch == trained.curve.set_index("epoch")["stop_loss"].idxmin()
    assert "fold is stopped by loss: its 6 stopping patients have one outcome" in caplog.text


def test_where_nothing_stops_the_training_the_last_epoch_is_the_best():
    mislabelled = a_cohort(18)[1].copy()
    mislabelled[FOLD.stop] = 1 - mislabelled[FOLD.stop]  # every epoch is judged worse than the one before
    trained = train(tiny(epochs=6, patience=2, stop_by="nothing"), classes=mislabelled)
    assert trained.best_epoch == len(trained.curve) == 6


def test_whatever_is_trained_and_judged_multiplies_float32_whole(monkeypatch):
    seen = []
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(training, "loss_of", noting(training.loss_of, seen))
    train(tiny(epochs=1))
    assert seen and not any(seen)
    assert torch.backends.cudnn.allow_tf32, "the caller's setting comes back"


def noting(loss_of, seen):
    def noted(*arguments):
        seen.append(torch.backends.cudnn.allow_tf32)
        return loss_of(*arguments)

    return noted


def test_a_finished_fold_is_not_trained_again_for_a_patient_outside_it():
    (stacks, classes), params, kept = a_cohort(18), tiny(epochs=1), MemoryCheckpoints()
    fold = FoldIndices(np.arange(8), np.arange(8, 12))
    once = train(params, fold=fold, checkpoints=kept)
    stacks[17], classes[17] = 0, -1
    again = train(
        params, classes, fold=fold, stacks=stacks, checkpoints=kept, on_epoch=lambda _: pytest.fail("trained")
    )
    assert same_bits(once, again)
    stacks[9] = 0  # one who stops it
    reports = []
    train(params, classes, fold=fold, stacks=stacks, checkpoints=kept, on_epoch=reports.append)
    assert len(reports) == 1


def test_a_fold_is_trained_anew_where_another_file_of_weights_has_taken_the_place_of_the_old_one(tmp_path):
    params, kept, reports = tiny(epochs=1, weights=str(tmp_path / "weights.safetensors")), MemoryCheckpoints(), []
    for seed in (1, 2):
        save_file(train(tiny(epochs=1), seed=seed).weights, params.weights)
        train(params, checkpoints=kept, on_epoch=reports.append)
    assert len(reports) == 2


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered", 700),
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    ],
)
def test_a_fault_of_the_card_is_not_blamed_on_the_size_of_the_slices(monkeypatch, error):
    def faulty(*_):
        raise error

    monkeypatch.setattr(torch.nn.Conv2d, "forward", faulty)
    with pytest.raises(type(error), match=re.escape(str(error))):
        train()


def test_patients_outside_the_fold_change_nothing():
    stacks, classes = a_cohort(18)
    fold, params = FoldIndices(np.arange(8), np.arange(8, 12)), tiny(epochs=1)
    poisoned = stacks.copy()
    poisoned[12:] = np.nan
    unknown = np.r_[classes[:12], np.zeros(6, dtype=np.int64)]
    one = train_fold(stacks, classes, fold, params.hyperparameters, params, 1)
    other = train_fold(poisoned, unknown, fold, params.hyperparameters, params, 1)
    assert same_bits(one, other)


def test_a_loss_that_is_no_number_ends_in_a_sentence_and_keeps_what_was_stored():
    stacks, classes = a_cohort(18)
    stacks[3] = np.nan
    kept, params = MemoryCheckpoints(), tiny()
    with pytest.raises(TrainingError, match=r"the loss of fold in epoch 1: nan.*Lower the learning rate"):
        train_fold(stacks, classes, FOLD, params.hyperparameters, params, 1, checkpoints=kept)
    assert kept.kept
    assert all(np.isfinite(moment.record["loss_sum"]) for _, moment in kept.kept)


@pytest.mark.parametrize(
    "said",
    [
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 9 GB)",
    ],
)
def test_full_memory_ends_in_a_sentence(monkeypatch, said):
    def full(*_):
        raise RuntimeError(said)

    monkeypatch.setattr(training, "train_step", full)
    with pytest.raises(TrainingError, match=r"the memory for fold: full.*smaller model\.batch_size"):
        train()


def test_full_disk_ends_in_a_sentence():
    class FullDisk(MemoryCheckpoints):
        def save(self, name, checkpoint):
            raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match=r"the disk on which fold is stored: No space left on device.*goes on from"):
        train(checkpoints=FullDisk())


def test_a_disk_that_fills_up_while_training_loses_nothing_that_was_stored(tmp_path):
    folder, params = CheckpointFolder(tmp_path), tiny()
    whole = train(params)

    with (
        a_full_disk() as fill,
        pytest.raises(TrainingError, match=r"the disk on which fold is stored: .*What was stored is kept"),
    ):
        train(params, checkpoints=folder, on_epoch=lambda report: report.epoch == 2 and fill())
    assert folder.load("fold").record["epoch"] == 2
    assert same_bits(train(params, checkpoints=folder), whole)


def test_a_disk_too_small_for_the_checkpoints_is_refused_before_training(monkeypatch):
    class SmallDisk(MemoryCheckpoints):
        def free_bytes(self):
            return 1 << 20

    monkeypatch.setattr(training, "train_epoch", lambda *_: pytest.fail("trained"))
    with pytest.raises(TrainingError, match=r"checkpoints of fold: 1 MB free; expected at least \d+ MB"):
        train(checkpoints=SmallDisk())


def test_a_disk_has_room_where_three_checkpoints_of_four_networks_fit():
    """Weights, best weights and two moments; the last, the one before, and the one that is being written."""

    class Room(MemoryCheckpoints):
        def free_bytes(self):
            return self.room

    network, checkpoints = torch.nn.Linear(256, 1024, bias=False), Room()  # 1 MiB
    checkpoints.room = 12 << 20
    endings.refuse_full_disk("fold", network, checkpoints)
    checkpoints.room -= 1
    with pytest.raises(TrainingError, match="11 MB free; expected at least 12 MB"):
        endings.refuse_full_disk("fold", network, checkpoints)


@pytest.mark.parametrize("backbone", ["vit_tiny_patch16_224", "test_convnext"])
def test_a_backbone_that_takes_no_slices_of_this_size_is_refused_before_training(monkeypatch, backbone):
    monkeypatch.setattr(training, "train_epoch", lambda *_: pytest.fail("trained"))
    with pytest.raises(ConfigurationError, match=rf"model\.backbone: {backbone}; .* slices of 16 px.*slices\.size_px"):
        train(tiny(backbone=backbone))


def test_another_error_of_the_machine_is_not_disguised(monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(training, "train_step", broken)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        train()


def test_a_fold_without_a_class_is_refused_before_any_work():
    with pytest.raises(TrainingError, match="0, 12 patients by class to fit on"):
        train(classes=np.ones(18, dtype=np.int64))


def test_undetermined_patients_teach_nothing():
    undetermined = a_cohort(18)[1].copy()
    undetermined[[3, 15]] = -1
    without = FoldIndices(np.delete(np.arange(12), 3), np.delete(np.arange(12, 18), 3))
    assert same_bits(train(classes=undetermined), train(classes=undetermined, fold=without))


def test_an_unknown_device_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"model\.devices: cuda:7; expected auto, cpu"):
        train(tiny(devices=("cuda:7",)))


def test_a_last_single_example_joins_the_batch_before_it():
    batches = training.batches_of(torch.arange(17), tiny(batch_size=8), slices=3)
    assert [len(batch) for batch in batches] == [8, 9]


def test_a_batch_of_whole_patients_holds_as_many_as_its_slices_make_and_never_one():
    def sizes(batch_size):
        params = tiny(batch_size=batch_size, pooling="attention")
        return [len(batch) for batch in training.batches_of(torch.arange(6), params, slices=3)]

    assert sizes(9) == [3, 3]
    assert sizes(4) == [2, 2, 2]


@pytest.mark.parametrize("pooling", ["mean_logit", "attention"])
def test_each_slice_is_learnt_with_the_class_of_its_patient_and_with_attention_each_stack(pooling):
    stacks = torch.arange(4.0)[:, None, None, None].expand(4, 3, 2, 2)  # patient n has the value n everywhere
    fold = FoldIndices(np.array([2, 0]), np.array([3, 1]))
    material = training.prepare(stacks, np.array([0, 1, 1, 0]), fold, tiny(pooling=pooling))
    values = material.fit_examples[:, 0, 0, 0].tolist()
    assert values == ([2, 2, 2, 0, 0, 0] if pooling == "mean_logit" else [2, 0])
    assert material.fit_classes.tolist() == [[0, 1, 1, 0][int(value)] for value in values]
    assert material.stop_stacks[:, 0, 0, 0].tolist() == [3, 1]
    assert material.stop_classes.tolist() == [0, 1]
    assert material.stop_long_term.tolist() == [False, True]


def test_the_stopping_patients_are_judged_slice_by_slice_against_their_own_class(monkeypatch):
    logits = torch.tensor([[5.0] * 3, [-5.0] * 3])[..., None]  # three slices of a long- and of a short-term survivor
    monkeypatch.setattr(training, "stack_logits", lambda *_: (logits, None))
    fold = FoldIndices(np.array([0, 1]), np.array([1, 0]))
    network, stacks = torch.nn.Identity(), torch.zeros(2, 3, 2, 2)
    material = training.prepare(stacks, np.array([0, 1]), fold, tiny())
    loss, long_term = training.judge(network, material, tiny())
    assert loss == pytest.approx(np.log(1 + np.exp(-5)), rel=1e-5)
    assert long_term == pytest.approx([1 / (1 + np.exp(-5)), 1 / (1 + np.exp(5))], rel=1e-5)


def test_of_two_epochs_of_one_auc_the_one_with_the_lower_loss_is_kept(monkeypatch):
    losses = iter([0.7, 0.6, 0.65])
    monkeypatch.setattr(training, "judge", lambda *_: (next(losses), np.linspace(0, 1, 6)))
    kept = train(tiny(stop_by="auc"))
    assert (kept.best_epoch, kept.stop_loss) == (2, 0.6)


def test_the_loss_of_an_epoch_is_the_mean_over_its_examples_also_where_batches_differ(monkeypatch):
    """12 patients of 3 slices in batches of 8: four of 8 and one of 4, whose losses are as many as they are."""
    monkeypatch.setattr(training, "train_step", lambda _, __, chosen, *___: torch.tensor(float(len(chosen))))
    assert train(tiny(epochs=1)).curve["train_loss"].tolist() == [pytest.approx((4 * 8 * 8 + 4 * 4) / 36)]


def test_every_step_of_every_epoch_draws_numbers_of_its_own(monkeypatch):
    drawn = []

    def augment(batch, _, generator):
        drawn.append(float(torch.rand(1, generator=generator)))
        return batch

    monkeypatch.setattr(training, "augment", augment)
    train(tiny(epochs=2))
    assert len(set(drawn)) == len(drawn) == 2 * 5  # 36 slices in batches of 8


@pytest.mark.parametrize("changed", ["a.py", "b.py"])
def test_whatever_changes_in_this_room_s_code_no_training_goes_on_with(tmp_path, monkeypatch, changed):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("one = 1")
    monkeypatch.setattr(resume, "__file__", str(tmp_path / "a.py"))
    before = resume.made_with()
    (tmp_path / changed).write_text("one = 2")
    assert resume.made_with() != before


@pytest.mark.parametrize("what", ["stacks", "classes", "fold", "hyperparameters", "params", "seed"])
def test_whatever_decides_the_weights_is_in_the_fingerprint_of_a_training(what):
    stacks, classes = a_cohort(18)
    given = {
        "stacks": stacks,
        "classes": classes,
        "fold": FOLD,
        "hyperparameters": tiny().hyperparameters,
        "params": tiny(),
        "seed": 1,
    }
    brighter = stacks.copy()
    brighter[FOLD.stop[-1]] += 1
    other = {
        "stacks": brighter,
        "classes": np.where(np.arange(18) == FOLD.stop[-1], 1 - classes, classes),
        "fold": FoldIndices(np.append(FOLD.fit, FOLD.stop[:1]), FOLD.stop[1:]),
        "hyperparameters": tiny(dropout=0.3).hyperparameters,
        "params": tiny(patience=9),
        "seed": 2,
    }
    assert resume.training_fingerprint(*given.values()) == resume.training_fingerprint(*given.values())
    changed = given | {what: other[what]}
    assert resume.training_fingerprint(*changed.values()) != resume.training_fingerprint(*given.values())


def test_a_training_goes_on_where_its_first_weights_were_moved():
    stacks, classes = a_cohort(18)
    here, there = (tiny(weights=place, weights_sha256="0" * 64) for place in ("a.safetensors", "b.safetensors"))
    rest = stacks, classes, FOLD, here.hyperparameters
    assert resume.training_fingerprint(*rest, here, 1) == resume.training_fingerprint(*rest, there, 1)


def fingerprint_of(params):
    stacks, classes = a_cohort(18)
    return resume.training_fingerprint(stacks, classes, FOLD, tiny().hyperparameters, params, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": "test_convnext"},
        {"weights_sha256": "0" * 64},
        {"pooling": "mean_probability"},
        {"batch_size": 9},
        {"epochs": 4},
        {"stop_by": "auc"},
        {"scheduler": {"factor": 0.5, "patience": 1}},
        {"augmentation": {"flip": True, "rotation_degrees": 0, "shift_fraction": 0, "intensity_fraction": 0}},
        {"precision": "bfloat16"},
        {"channels_last": False},
        {"compile": True},
        {"threads": 2},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_training_does_not_go_on_with_other_parameters(changes):
    assert fingerprint_of(tiny(**changes)) != fingerprint_of(tiny())


def test_where_a_training_runs_and_the_hyperparameters_that_it_is_not_given_leave_its_weights_as_they_are():
    elsewhere = tiny(devices=("cuda:0",), weights_folder="elsewhere", checkpoint_seconds=60.0, explained_patients=5)
    assert fingerprint_of(elsewhere) == fingerprint_of(tiny())
    assert fingerprint_of(tiny(learning_rate=0.1, weight_decay=0.1, dropout=0.1)) == fingerprint_of(tiny())


def test_the_callback_sees_every_epoch_and_may_end_the_training():
    seen = []

    def two_epochs(report):
        seen.append(report.epoch)
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(on_epoch=two_epochs)
    assert seen == [1, 2]
