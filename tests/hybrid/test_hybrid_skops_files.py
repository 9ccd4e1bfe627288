"""A fitted object on the disk: nothing in its file but what it is."""

from __future__ import annotations

import io
import pickle
from typing import get_args

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from gliocast.datasets.skops_files import _without_padding, dump_skops, load_skops
from gliocast.hybrid.classifiers import build_classifier, with_probability
from gliocast.hybrid.parameters import ClassifierName


def a_tree() -> DecisionTreeClassifier:
    features = np.random.default_rng(0).normal(size=(60, 2))
    return DecisionTreeClassifier(random_state=0).fit(features, np.arange(60) % 2)


def with_other_padding(fitted: DecisionTreeClassifier) -> DecisionTreeClassifier:
    """The same tree; the last seven bytes of a node belong to none of its fields, and are what the memory held."""
    _, arguments, state = fitted.tree_.__reduce__()
    nodes = state["nodes"].copy()
    nodes.view(np.uint8).reshape(len(nodes), -1)[:, -7:] = 255
    fitted.tree_ = Tree(*arguments)
    fitted.tree_.__setstate__({**state, "nodes": nodes})
    return fitted


def test_a_file_of_a_tree_holds_nothing_that_the_memory_held_before(tmp_path):
    dump_skops(a_tree(), tmp_path / "clean.skops")
    dump_skops(with_other_padding(a_tree()), tmp_path / "padded.skops")
    assert (tmp_path / "clean.skops").read_bytes() == (tmp_path / "padded.skops").read_bytes()


def test_rows_lose_what_stood_between_their_fields_wherever_the_memory_was_used_before():
    rows = np.dtype([("left", "i8"), ("missing_go_to_left", "u1")], align=True)
    contents = set()
    for rest in range(1, 6):
        table = np.full(9 * rows.itemsize, rest, dtype=np.uint8).view(rows)
        table["left"], table["missing_go_to_left"] = np.arange(9), 1
        file = io.BytesIO()
        np.save(file, table)
        contents.add(_without_padding("1.npy", file.getvalue()))
    assert len(contents) == 1


def test_a_tree_answers_the_same_from_its_file(tmp_path):
    fitted, features = a_tree(), np.random.default_rng(1).normal(size=(50, 2))
    dump_skops(fitted, tmp_path / "tree.skops")
    restored = load_skops(tmp_path / "tree.skops", ["sklearn.tree._tree.Tree"])
    assert restored.predict_proba(features).tolist() == fitted.predict_proba(features).tolist()


def bytes_of(fitted: object, folder) -> bytes:
    dump_skops(fitted, folder / "fitted.skops")
    return (folder / "fitted.skops").read_bytes()


def as_from_another_process(fitted: object) -> object:
    """Equal, but with its own copies of numbers and texts that the original shares with the interpreter."""
    return pickle.loads(pickle.dumps(fitted))


def test_a_preprocessor_gives_the_same_file_whichever_process_fitted_it(tmp_path, fitting):
    for model in fitting.models.models:
        if model.pair is not None:
            fitted = model.pair.preprocessor
            assert bytes_of(fitted, tmp_path) == bytes_of(as_from_another_process(fitted), tmp_path)


@pytest.mark.parametrize("name", sorted(set(get_args(ClassifierName)) - {"xgboost"}))  # it has a format of its own
def test_a_classifier_gives_the_same_file_whichever_process_fitted_it(tmp_path, name):
    rows, outcome = np.random.default_rng(3).normal(size=(60, 5)), np.arange(60) % 2
    fitted = with_probability(name, build_classifier(name, {}, seed=0), outcome).fit(rows, outcome)
    assert bytes_of(fitted, tmp_path) == bytes_of(as_from_another_process(fitted), tmp_path)
