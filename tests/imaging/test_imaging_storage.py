from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from kedro.io import DatasetError
from safetensors import SafetensorError

from gliocast.datasets import slice_shelf
from gliocast.datasets.slice_stacks import SliceStacksDataset
from gliocast.errors import ArtefactError, ImagingError, LeakageError
from gliocast.imaging import pipeline, study
from gliocast.imaging.findings import Finding, RefusedPatient
from gliocast.imaging.pipeline import Extraction
from gliocast.imaging.workers import worker_pool
from gliocast.pipelines.preprocessing import imaging_nodes
from gliocast.pipelines.preprocessing.imaging_nodes import extract_slices, summarise_slices
from gliocast.refusals import input_error
from imaging_phantoms import Site, a_grid, a_site, add_patient, grey_voxels, slice_parameters


def extraction(site: Site, *patient_ids: str) -> Extraction:
    cohort = pd.DataFrame({"patient_id": patient_ids or site.source.patient_ids()})
    return extract_slices(site.source, cohort, site.parameters, "cnn", "exclude")


@pytest.fixture
def dataset(tmp_path) -> SliceStacksDataset:
    return SliceStacksDataset(str(tmp_path / "slice_stacks"))


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """The patients whose stacks are made, in order."""
    made: list[str] = []
    extract = pipeline.extract_stack

    def noted(source, patient_id, *others):
        made.append(patient_id)
        return extract(source, patient_id, *others)

    monkeypatch.setattr(pipeline, "extract_stack", noted)
    return made


def test_stacks_come_back_in_the_order_asked_for(tmp_path, dataset):
    dataset.save(extraction(a_site(tmp_path / "site")))
    store = dataset.load()
    assert store.patient_ids == ("P1", "P2", "P3", "P4", "P5")
    stacks = store.load(["P4", "P1"])
    assert stacks.shape == (2, 9, 16, 16)
    assert np.array_equal(stacks[1], store.load(["P1"])[0])
    assert store.load_lesions(["P4"])[0, 4].any()
    assert dict(zip(store.manifest["patient_id"], store.manifest["center_slice_mm"], strict=True))["P4"] == 21.5


def test_the_manifest_begins_with_the_promised_columns(tmp_path, dataset):
    dataset.save(extraction(a_site(tmp_path / "site")))
    manifest, exclusions = summarise_slices(dataset.load(), "exclude")
    promised = ["patient_id", "center_slice_mm", "first_slice_mm", "last_slice_mm", "source", "confidence", "sha256"]
    assert list(manifest.columns[:7]) == promised
    assert manifest.loc[0, ["first_slice_mm", "last_slice_mm", "source"]].to_list() == [14.5, 22.5, "mask"]
    assert exclusions.empty


def test_finished_patients_are_not_made_again(tmp_path, dataset, made):
    site = a_site(tmp_path / "site")
    dataset.save(extraction(site))
    before = dataset.fingerprint()
    dataset.save(extraction(site))
    assert made == ["P1", "P2", "P3", "P4", "P5"]
    assert dataset.fingerprint() == before


def test_a_changed_file_is_made_again_and_the_others_are_not(tmp_path, dataset, made):
    site = a_site(tmp_path / "site")
    dataset.save(extraction(site))
    add_patient(site, "P2", at_mm=25.5)
    dataset.save(extraction(site))
    assert made[5:] == ["P2"]
    assert dataset.load().manifest["center_slice_mm"][1] == 25.5


def test_volume_and_mask_that_were_taken_for_each_other_are_made_again_where_the_patterns_are_corrected(
    tmp_path, dataset, made
):
    site = a_site(tmp_path / "site", 2)
    taken_for_each_other = replace(site.source, volumes=site.source.lesion_masks, lesion_masks=site.source.volumes)
    dataset.save(replace(extraction(site), source=taken_for_each_other))
    dataset.save(extraction(site))
    assert made == ["P1", "P2"] * 2


def test_changed_code_makes_everything_again(tmp_path, dataset, made, monkeypatch):
    site = a_site(tmp_path / "site", 2)
    dataset.save(extraction(site))
    monkeypatch.setattr(imaging_nodes, "module_fingerprint", lambda module: f"{module}, edited")
    dataset.save(extraction(site))
    assert made == ["P1", "P2"] * 2


def test_changed_parameters_make_everything_again(tmp_path, dataset, made):
    site = a_site(tmp_path / "site", 2)
    dataset.save(extraction(site))
    site.parameters = slice_parameters(size_px=8)
    dataset.save(extraction(site))
    assert made == ["P1", "P2"] * 2
    assert dataset.load().load(["P2"]).shape == (1, 9, 8, 8)


@pytest.mark.parametrize("damage", ["deleted", "cut short"])
def test_stacks_whose_shard_is_not_whole_do_not_exist_and_are_made_again(tmp_path, dataset, made, damage):
    site = a_site(tmp_path / "site", 2)
    dataset.save(extraction(site))
    before = dataset.fingerprint()
    (shard,) = (tmp_path / "slice_stacks" / "shards").iterdir()
    shard.unlink() if damage == "deleted" else os.truncate(shard, shard.stat().st_size - 1)
    assert not dataset.exists()
    assert dataset.fingerprint() != before
    dataset.save(extraction(site))
    assert made == ["P1", "P2"] * 2
    assert dataset.load().load(["P1", "P2"]).shape == (2, 9, 16, 16)
    assert dataset.fingerprint() == before


@pytest.mark.parametrize("name", ["complete.json", "manifest.parquet", "refused.parquet"])
def test_stacks_without_one_of_their_tables_do_not_exist_and_the_table_alone_is_made_again(
    tmp_path, dataset, made, name
):
    site = a_site(tmp_path / "site", 2)
    dataset.save(extraction(site))
    before = dataset.fingerprint()
    (tmp_path / "slice_stacks" / name).unlink()
    assert not dataset.exists()
    dataset.save(extraction(site))
    assert made == ["P1", "P2"]
    assert dataset.fingerprint() == before


@pytest.mark.parametrize("content", ["", "[]", "{}", "null"])
def test_stacks_whose_last_file_is_damaged_do_not_exist(tmp_path, dataset, content):
    dataset.save(extraction(a_site(tmp_path / "site", 1)))
    (tmp_path / "slice_stacks" / "complete.json").write_text(content)
    assert not dataset.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", "null"])
def test_a_patient_whose_refusal_is_damaged_is_tried_again(tmp_path, dataset, made, content):
    site = a_site(tmp_path / "site", 1)
    (tmp_path / "site" / "P1" / "t1gd.nii.gz").write_bytes(b"")
    dataset.save(extraction(site))
    (refusal,) = (tmp_path / "slice_stacks" / "refusals").iterdir()
    refusal.write_text(content)
    dataset.save(extraction(site))
    assert made == ["P1", "P1"]
    assert list(dataset.load().refused["patient_id"]) == ["P1"]


def test_a_killed_run_resumes_with_the_patient_it_was_working_on(tmp_path, dataset, made, monkeypatch):
    site = a_site(tmp_path / "site")
    extract = pipeline.extract_stack

    def killed_at_the_fourth(source, patient_id, *others):
        if patient_id == "P4":
            raise KeyboardInterrupt
        return extract(source, patient_id, *others)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "extract_stack", killed_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            dataset.save(extraction(site))
    assert not dataset.exists()
    dataset.save(extraction(site))
    assert made == ["P1", "P2", "P3", "P4", "P5"]
    resumed = dataset.load().load(["P1", "P5"])
    whole = SliceStacksDataset(str(tmp_path / "whole"))
    whole.save(extraction(site))
    assert np.array_equal(resumed, whole.load().load(["P1", "P5"]))
    assert dataset.fingerprint() == whole.fingerprint()


PASSING_FAULTS = {
    "out_of_memory": MemoryError(),
    "inaccessible": OSError(errno.EIO, "Input/output error"),
}


@pytest.mark.parametrize("code", PASSING_FAULTS)
def test_a_refusal_that_may_be_over_is_tried_again_and_forgotten(tmp_path, dataset, made, monkeypatch, caplog, code):
    site = a_site(tmp_path / "site", 2)
    extracted = study._extracted

    def failing(files, patient_id, *others):
        if patient_id == "P2":
            raise PASSING_FAULTS[code]
        return extracted(files, patient_id, *others)

    with monkeypatch.context() as patch:
        patch.setattr(study, "_extracted", failing)
        dataset.save(extraction(site))
    assert dataset.load().refused["code"].to_list() == [code]
    assert dataset.is_unsettled()
    assert "1; the next run tries again" in caplog.text
    dataset.save(extraction(site))
    assert made == ["P1", "P2", "P2"]
    assert dataset.load().patient_ids == ("P1", "P2")
    assert dataset.load().refused.empty
    assert not dataset.is_unsettled()


def test_a_doubt_stands_in_the_manifest_with_its_code(tmp_path):
    site = a_site(tmp_path / "site", 1)
    doubt = Finding("contrast_unknown", "ContrastBolusAgent of series 5", "not recorded", "a contrast agent")
    stack = replace(study.extract_stack(site.source, "P1", None, site.parameters), doubts=(doubt,))
    shelf = slice_shelf.SliceShelf(tmp_path / "shelf")
    shelf.add(stack, "key")
    assert shelf.manifest().loc[0, "doubts"] == f"contrast_unknown: {doubt}"


def test_a_refusal_of_which_one_reason_may_be_over_is_tried_again(tmp_path):
    """The other reasons may have come of it."""
    shelf = slice_shelf.SliceShelf(tmp_path)
    findings = [Finding(code, "the mask", "found", "expected") for code in ("inaccessible", "empty_lesion_mask")]
    for patient_id, told in (("P1", findings), ("P2", findings[1:])):
        shelf.add(RefusedPatient(patient_id, tuple(told)), "key")
    assert shelf.absent({"P1": "key", "P2": "key"}) == ["P1"]


def test_a_refusal_that_lies_in_the_image_is_not_tried_again(tmp_path, dataset, made):
    site = a_site(tmp_path / "site", 2)
    (site.root / "P2/t1gd.nii.gz").write_bytes(b"no image")
    dataset.save(extraction(site))
    dataset.save(extraction(site))
    assert not dataset.is_unsettled()
    assert made == ["P1", "P2"]


def test_a_full_disk_is_told_in_our_words_and_keeps_the_finished_patients(tmp_path, dataset, made, monkeypatch):
    site = a_site(tmp_path / "site", 3)
    save_file = safetensors.numpy.save_file

    def full_after_two(*arguments):
        if len(made) > 2:
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save_file(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.numpy, "save_file", full_after_two)
        with pytest.raises(DatasetError) as raised:
            dataset.save(extraction(site))
    assert "No space left on device; expected a writable disk" in str(input_error(raised.value))
    dataset.save(extraction(site))
    assert made == ["P1", "P2", "P3", "P3"]


def test_removed_patients_disappear_from_the_disk(tmp_path, dataset, made):
    site = a_site(tmp_path / "site")
    dataset.save(extraction(site))
    for patient_id in ("P2", "P4", "P5"):
        shutil.rmtree(site.root / patient_id)
    dataset.save(extraction(site))
    assert made == ["P1", "P2", "P3", "P4", "P5"]
    assert dataset.load().patient_ids == ("P1", "P3")
    stored = b"".join(path.read_bytes() for path in dataset.filepath.rglob("*") if path.is_file())
    assert b"P1" in stored
    assert b"P2" not in stored
    with pytest.raises(ArtefactError, match="P2"):
        dataset.load().load(["P1", "P2"])


@pytest.mark.parametrize("folder", ["shards", "refusals"])
def test_what_a_killed_run_was_writing_goes_with_the_next_run(tmp_path, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / ".0a1b-x1y2z3w4").write_text("half of a patient")
    slice_shelf.SliceShelf(tmp_path)
    assert list((tmp_path / folder).iterdir()) == []


def test_the_refusal_of_a_removed_patient_disappears_from_the_disk_too(tmp_path):
    shelf = slice_shelf.SliceShelf(tmp_path)
    shelf.add(RefusedPatient("P1", (Finding("empty_lesion_mask", "the mask", "no lesion voxel", "one"),)), "key")
    shelf.settle({})
    assert list((tmp_path / "refusals").iterdir()) == []


def test_small_shards_are_packed_into_full_ones(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(slice_shelf, "SHARD_PATIENTS", 2)
    site = a_site(tmp_path / "site")
    dataset.save(extraction(site))
    assert len(list((dataset.filepath / "shards").iterdir())) == 3
    before = dataset.load().load(["P1", "P4", "P5"])
    dataset.save(extraction(site, "P1", "P4", "P5"))
    assert len(list((dataset.filepath / "shards").iterdir())) == 2
    assert np.array_equal(dataset.load().load(["P1", "P4", "P5"]), before)


def test_one_flipped_byte_in_a_shard_is_noticed(tmp_path, dataset):
    dataset.save(extraction(a_site(tmp_path / "site")))
    (shard,) = (dataset.filepath / "shards").iterdir()
    content = bytearray(shard.read_bytes())
    content[-2000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ArtefactError, match="changed or damaged"):
        dataset.load().load(dataset.load().patient_ids)


def test_patients_without_image_and_images_without_patient_are_both_listed(tmp_path, dataset):
    dataset.save(extraction(a_site(tmp_path / "site", 2), "P1", "P9"))
    manifest, exclusions = summarise_slices(dataset.load(), "exclude")
    assert manifest["patient_id"].to_list() == ["P1"]
    assert exclusions[["patient_id", "code"]].to_numpy().tolist() == [
        ["P2", "patient_missing"],
        ["P9", "image_missing"],
    ]
    with pytest.raises(ImagingError, match="P9"):
        summarise_slices(dataset.load(), "stop")


def test_who_has_no_stack_is_told_where_what_was_found_what_was_expected_and_what_to_do(tmp_path, dataset):
    dataset.save(extraction(a_site(tmp_path / "site", 1), "P1", "P9"))
    _, exclusions = summarise_slices(dataset.load(), "exclude")
    files = " or ".join(f"<patient_id>/t1gd{ending}" for ending in (".nii.gz", ".nii", ".nrrd", ".mha", ""))
    remedy = "Add the image, or say where it lies: `volumes` of the catalog entry imaging."
    assert exclusions["reason"].to_list() == [f"imaging: no volume; expected {files}. {remedy}"]


def test_the_same_image_under_two_patients_is_a_leak(tmp_path, dataset):
    site = a_site(tmp_path / "site", 2)
    (tmp_path / "site/P2/t1gd.nii.gz").write_bytes((tmp_path / "site/P1/t1gd.nii.gz").read_bytes())
    dataset.save(extraction(site))
    with pytest.raises(LeakageError, match="P1 = P2"):
        summarise_slices(dataset.load(), "exclude")


def test_a_copy_with_other_grey_values_under_a_second_patient_is_a_leak(tmp_path, dataset):
    site, generator = a_site(tmp_path / "site"), np.random.default_rng(1)
    grid = a_grid(shape=(24, 24, 30), spacing_mm=(2.0, 2.0, 1.0))
    heads = [grey_voxels(grid) + 300 * generator.random((24, 24, 30)) for _ in range(5)]
    heads[1] = 2 * heads[0] + 1
    for number, head in enumerate(heads, start=1):
        site.add(f"P{number}", grid, head)
    shutil.copy(tmp_path / "site/P1/lesion_mask.nii.gz", tmp_path / "site/P2/lesion_mask.nii.gz")
    dataset.save(extraction(site))
    assert dataset.load().manifest["image_sha256"].is_unique
    with pytest.raises(LeakageError, match=r"P1 = P2: imaging: nearly the same image"):
        summarise_slices(dataset.load(), "exclude")


def test_without_the_network_no_image_is_touched(tmp_path, dataset):
    site = Site(tmp_path / "absent", slice_parameters(size_px=16))
    cohort = pd.DataFrame({"patient_id": ["P1"]})
    dataset.save(extract_slices(site.source, cohort, site.parameters, "features", "exclude"))
    manifest, exclusions = summarise_slices(dataset.load(), "exclude")
    assert manifest.empty
    assert exclusions.empty
    assert dataset.load().load([]).shape == (0, 9, 16, 16)


def test_workers_give_the_same_stacks_as_one_after_the_other(tmp_path):
    site = a_site(tmp_path / "site", 3)
    chosen: dict[str, float | None] = dict.fromkeys(site.source.patient_ids())

    def hashes(results: Iterator[pipeline.Result]) -> list[str]:
        return [result.sha256 for result in results]

    serial = hashes(pipeline.extract_slices(site.source, chosen, site.parameters))
    assert hashes(pipeline._in_parallel(site.source, chosen, site.parameters, 2)) == serial


def test_workers_do_not_read_the_script_that_was_started(tmp_path):
    lines = [
        "import os",
        "from gliocast.imaging.workers import worker_pool",
        "print('read')",
        "if __name__ == '__main__':",
        "    with worker_pool(2) as pool:",
        "        pool.submit(os.getpid).result()",
    ]
    (tmp_path / "script.py").write_text("\n".join(lines), encoding="utf-8")
    ended = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "read\n"), ended.stderr


def extract_or_die(source, patient_id, centre_mm, parameters, everyone) -> pipeline.Result:
    if patient_id == "P2":
        os._exit(9)
    return study.extract_stack(source, patient_id, centre_mm, parameters, everyone)


def test_a_worker_that_dies_costs_nobody_but_its_patient(tmp_path, monkeypatch):
    site = a_site(tmp_path / "site", 3)
    monkeypatch.setattr(pipeline, "extract_stack", extract_or_die)
    chosen: dict[str, float | None] = dict.fromkeys(site.source.patient_ids())
    results = list(pipeline._in_parallel(site.source, chosen, site.parameters, 2))
    assert [result.patient_id for result in results] == ["P1", "P2", "P3"]
    assert [isinstance(result, RefusedPatient) for result in results] == [False, True, False]


def test_ctrl_c_is_for_the_run_and_not_for_its_workers():
    with worker_pool(1) as pool:
        deaf_to = pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
    assert deaf_to == {signal.SIGINT}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()
