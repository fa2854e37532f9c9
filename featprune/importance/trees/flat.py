"""Fitted trees of all libraries in one form: arrays over nodes."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

from featprune.importance.trees.family import BOOSTING, FOREST, LIGHTGBM, TREE, XGBOOST
from featprune.importance.trees.model import Fitted

_LINKS = {
    "binary:logistic": "logistic",
    "multi:softprob": "softmax",
    "reg:squarederror": "identity",
    "binary": "logistic",
    "multiclass": "softmax",
    "regression": "identity",
}


class Flat(NamedTuple):
    """Trees, their nodes one after the other, parents before their children.

    Attributes
    ----------
    feature : ndarray of shape (n_nodes,), int32
        By which a node splits; -1 for a leaf.
    threshold : ndarray of shape (n_nodes,), float
        Values up to it, it included, go to the left; -inf for a split by categories. Its type
        is the one in which values must be compared.
    left, right : ndarray of shape (n_nodes,), int32
        The node's children.
    missing_left : ndarray of shape (n_nodes,), bool
    first_word, n_words : ndarray of shape (n_nodes,), int32
        The part of `words` whose bits are the categories that go to the right; none for a split
        by numbers.
    words : ndarray, uint32
    first_node : ndarray of shape (n_trees + 1,), int
        Of each tree.
    value : ndarray of shape (n_nodes, n_values), float64
        What a leaf adds to the outputs of its rows, to one of them or to all. Multiples of one
        power of 2, of which sums are exact: rows of the same leaves have the same sums, however
        they came about.
    column : ndarray of shape (n_trees,), int32
        The output that a tree's first value belongs to.
    n_outputs : int
    link : {"mean", "logistic", "softmax", "identity"}
        How predictions follow from the sums of leaf values: the sums divided by the number of
        trees, or the inverse link of sums plus a constant.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    first_word: np.ndarray
    n_words: np.ndarray
    words: np.ndarray
    first_node: np.ndarray
    value: np.ndarray
    column: np.ndarray
    n_outputs: int
    link: str

    @property
    def splits(self) -> tuple[np.ndarray, ...]:
        """What a kernel must know to find a row's way."""
        return self[:8]


class _Tree(NamedTuple):
    """One tree, as in `Flat`, with its own numbers of nodes; `sets` lists categories by node."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    sets: dict[int, np.ndarray]
    value: np.ndarray


def flatten(fitted: Fitted) -> Flat | None:
    """Return a model's trees, or None for a kind of model that is not known here."""
    if fitted.family is XGBOOST:
        return _of_xgboost(fitted)
    if fitted.family is LIGHTGBM:
        return _of_lightgbm(fitted)
    if fitted.family is BOOSTING:
        return _of_boosting(fitted.model)
    if fitted.family not in (FOREST, TREE) or fitted.model.n_outputs_ != 1:
        return None
    trees = [_of_sklearn(one.tree_) for one in getattr(fitted.model, "estimators_", [fitted.model])]
    return _joined(trees, np.zeros(len(trees)), trees[0].value.shape[1], "mean")


def _joined(trees: list[_Tree], column: Any, n_outputs: int, link: str) -> Flat | None:
    """Put trees one after the other."""
    if not trees:
        return None
    n_nodes = [len(tree.feature) for tree in trees]
    first_node = np.concatenate([[0], np.cumsum(n_nodes)])
    shift = np.repeat(first_node[:-1], n_nodes)
    feature = np.concatenate([tree.feature for tree in trees]).astype(np.int32)
    first_word = np.zeros(len(feature), dtype=np.int32)
    n_words = np.zeros(len(feature), dtype=np.int32)
    words: list[np.ndarray] = [np.zeros(0, dtype=np.uint32)]
    end = 0
    for first, tree in zip(first_node, trees, strict=False):
        for node, levels in tree.sets.items():
            bits = np.zeros(int(levels.max(initial=0)) // 32 + 1, dtype=np.uint32)
            np.bitwise_or.at(bits, levels // 32, np.uint32(1) << (levels % 32).astype(np.uint32))
            first_word[first + node], n_words[first + node] = end, len(bits)
            words.append(bits)
            end += len(bits)
    return Flat(
        feature,
        np.concatenate([tree.threshold for tree in trees]),
        (np.concatenate([tree.left for tree in trees]) + shift).astype(np.int32),
        (np.concatenate([tree.right for tree in trees]) + shift).astype(np.int32),
        np.concatenate([tree.missing_left for tree in trees]).astype(bool),
        first_word,
        n_words,
        np.concatenate(words),
        first_node,
        _on_grid([tree.value for tree in trees]),
        np.asarray(column, dtype=np.int32),
        n_outputs,
        link,
    )


def _on_grid(values: list[np.ndarray]) -> np.ndarray:
    """Values to the nearest multiples of a power of 2, so that no sum over trees is rounded."""
    largest = sum(float(np.abs(value).max()) for value in values)
    # 53 bits, of which one is left for the sign of a difference and one for a constant
    step = 2.0 ** (np.ceil(np.log2(largest or 1.0)) - 51)
    return np.round(np.concatenate(values).astype(np.float64) / step) * step


def _single(threshold: np.ndarray) -> np.ndarray:
    """The greatest numbers of single precision that are not above; they part such values alike."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _of_sklearn(tree: Any, factor: float = 1.0) -> _Tree:
    return _Tree(
        np.maximum(tree.feature, -1),
        _single(tree.threshold),
        tree.children_left,
        tree.children_right,
        tree.missing_go_to_left,
        {},
        factor * tree.value[:, 0, :],
    )


def _of_boosting(model: Any) -> Flat | None:
    if is_classifier(model) and model.loss != "log_loss":
        return None
    trees = [_of_sklearn(one.tree_, model.learning_rate) for one in model.estimators_.ravel()]
    n_rounds, n_outputs = model.estimators_.shape
    link = "identity"
    if is_classifier(model):
        link = "logistic" if n_outputs == 1 else "softmax"
    return _joined(trees, np.tile(np.arange(n_outputs), n_rounds), n_outputs, link)


def _of_xgboost(fitted: Fitted) -> Flat | None:
    learner = json.loads(fitted.model.get_booster().save_raw("json"))["learner"]
    link = _LINKS.get(learner["objective"]["name"])
    booster = learner["gradient_booster"]
    n_targets = int(learner["learner_model_param"].get("num_target", 1))
    if booster["name"] != "gbtree" or link is None or n_targets > 1:
        return None
    model = booster["model"]
    last = model["iteration_indptr"][fitted.n_rounds()]
    trees = [_of_json(tree) for tree in model["trees"][:last]]
    n_outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    return _joined(trees, model["tree_info"][:last], n_outputs, link)


def _of_json(tree: dict[str, Any]) -> _Tree:
    """One of xgboost's trees."""
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    # nodes that were pruned leave gaps, which others may have filled
    nodes = _parents_first(left, right)
    number = np.zeros(len(left), dtype=np.int64)
    number[nodes] = np.arange(len(nodes))
    is_leaf = left == -1
    condition = np.array(tree["split_conditions"], dtype=np.float32)
    # values below the condition go to the left
    threshold = np.nextafter(condition, np.float32(-np.inf))
    sets: dict[int, np.ndarray] = {}
    levels = np.array(tree["categories"], dtype=np.int64)
    parts = (tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"])
    for node, first, size in zip(*parts, strict=True):
        sets[int(number[node])] = levels[first : first + size]
        threshold[node] = -np.inf
    return _Tree(
        np.where(is_leaf, -1, tree["split_indices"])[nodes],
        threshold[nodes],
        number[np.where(is_leaf, 0, left)][nodes],
        number[np.where(is_leaf, 0, right)][nodes],
        np.array(tree["default_left"])[nodes],
        sets,
        np.where(is_leaf, condition, 0.0)[nodes, None],
    )


def _parents_first(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The nodes that can be reached from the first one, level by level."""
    levels = [np.zeros(1, dtype=np.int64)]
    while len(levels[-1]):
        inside = levels[-1][left[levels[-1]] != -1]
        levels.append(np.stack([left[inside], right[inside]], axis=1).ravel())
    return np.concatenate(levels)


def _of_lightgbm(fitted: Fitted) -> Flat | None:
    content = fitted.model.booster_.dump_model()
    link = _LINKS.get(content["objective"].split(" ")[0])
    sigmoid = "sigmoid:" not in content["objective"] or "sigmoid:1" in content["objective"].split()
    if link is None or content["average_output"] or not sigmoid:
        return None
    trees = [_of_nodes(one["tree_structure"]) for one in content["tree_info"]]
    known = [tree for tree in trees if tree is not None]
    n_outputs = content["num_tree_per_iteration"]
    if len(known) < len(trees):
        return None
    return _joined(known, np.arange(len(trees)) % n_outputs, n_outputs, link)


def _of_nodes(root: dict[str, Any]) -> _Tree | None:
    """One of LightGBM's trees; None if it has something in it that is not known here."""
    nodes, rows, sets = [root], [], {}
    for number, node in enumerate(nodes):
        if "leaf_value" in node and "leaf_coeff" not in node:
            rows.append((-1, 0.0, 0, 0, False, node["leaf_value"]))
            continue
        if node.get("missing_type") not in ("None", "NaN") or "leaf_coeff" in node:
            return None
        children, threshold = ["left_child", "right_child"], node["threshold"]
        missing_left = node["default_left"]
        if node["decision_type"] == "==":
            # categories that are listed go to the left there, and to the right here
            sets[number] = np.array(threshold.split("||"), dtype=np.int64)
            children, threshold, missing_left = children[::-1], -np.inf, True
        elif node["missing_type"] == "None":
            missing_left = threshold >= 0  # taken for zero
        nodes += [node[name] for name in children]
        left = len(nodes) - 2
        rows.append((node["split_feature"], threshold, left, left + 1, missing_left, 0.0))
    names = ("feature", "threshold", "left", "right", "missing_left", "value")
    arrays = {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    return _Tree(sets=sets, **arrays | {"value": arrays["value"][:, None]})
