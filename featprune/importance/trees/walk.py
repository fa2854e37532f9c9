"""Walks down flattened trees: where rows stand, and where they go with some features permuted."""

from __future__ import annotations

import numpy as np

from featprune.importance.jit import inner, jit


@inner
def goes_left(x, node, threshold, missing_left, first_word, n_words, words):
    """Whether a value goes to the left at a node; of categories, those listed go to the right."""
    if x <= threshold[node]:
        return True
    if x != x:
        return missing_left[node]
    if n_words[node] == 0:
        return False
    level = np.int64(x)
    if level < 0 or level >= 32 * n_words[node]:
        return True
    return (words[first_word[node] + level // 32] >> np.uint32(level % 32)) & np.uint32(1) == 0


@jit
def settle(
    X,
    feature,
    threshold,
    left,
    right,
    missing_left,
    first_word,
    n_words,
    words,
    first_node,
    rows,
    leaf,
    start,
    stop,
):
    """Sort rows so that those that pass a node stand side by side; the last four are outputs.

    Parameters
    ----------
    X : ndarray of shape (n, k)
    feature, ..., first_node
        As in :class:`~featprune.importance.trees.flat.Flat`.
    rows : ndarray of shape (n_trees, n), int
        Rows in the order of the tree's leaves.
    leaf : ndarray of shape (n_trees, n), int
        The leaf of each of `rows`.
    start, stop : ndarray of shape (n_nodes,), int
        The rows that pass a node are ``rows[tree, start:stop]``; those that go to its left come
        first.

    Notes
    -----
    A step for each row and node on its path, as a prediction.
    """
    n = X.shape[0]
    others = np.empty(n, dtype=np.int32)
    for tree in range(rows.shape[0]):
        for i in range(n):
            rows[tree, i] = i
        start[first_node[tree]], stop[first_node[tree]] = 0, n
        for node in range(first_node[tree], first_node[tree + 1]):
            if feature[node] < 0:
                for place in range(start[node], stop[node]):
                    leaf[tree, place] = node
                continue
            to, n_others = start[node], 0
            for place in range(start[node], stop[node]):
                row = rows[tree, place]
                x = X[row, feature[node]]
                if goes_left(x, node, threshold, missing_left, first_word, n_words, words):
                    rows[tree, to] = row
                    to += 1
                else:
                    others[n_others] = row
                    n_others += 1
            for i in range(n_others):
                rows[tree, to + i] = others[i]
            start[left[node]], stop[left[node]] = start[node], to
            start[right[node]], stop[right[node]] = to, stop[node]


@jit
def divert(
    X,
    mixed,
    slot,
    nodes,
    tree_of,
    feature,
    threshold,
    left,
    right,
    missing_left,
    first_word,
    n_words,
    words,
    value,
    column,
    rows,
    leaf,
    start,
    stop,
    sums,
):
    """Correct sums over trees for permuted features.

    Parameters
    ----------
    X : ndarray of shape (n, k)
        Not permuted.
    mixed : ndarray of shape (n_permuted, n, n_repeats)
        The permuted features.
    slot : ndarray of shape (k,), int
        Which of `mixed` a feature is; -1 for those that stay as they are.
    nodes : ndarray, int
        All nodes that split by a permuted feature, ascending.
    tree_of : ndarray of shape (len(nodes),), int
    feature, ..., column
        As in :class:`~featprune.importance.trees.flat.Flat`.
    rows, leaf, start, stop
        From `settle`.
    sums : ndarray of shape (n_repeats, n, n_outputs), float64
        Sums of leaf values, in place: before, of X; after, of X with its features permuted.

    Notes
    -----
    A look for each row, repeat, and node of `nodes` on its path; and for rows that turn off
    there, a walk from there to a leaf, which repeats share unless they turn off again.
    """
    n_repeats = mixed.shape[2]
    # the last tree in which a repeat's row has left its old path
    left_in = np.full((X.shape[0], n_repeats), -1, dtype=np.int32)
    for i in range(len(nodes)):
        node, tree = nodes[i], tree_of[i]
        own = slot[feature[node]]
        middle = stop[left[node]]
        for place in range(start[node], stop[node]):
            row = rows[tree, place]
            was_left = place < middle
            known = -1
            for repeat in range(n_repeats):
                if left_in[row, repeat] == tree:
                    continue
                x = mixed[own, row, repeat]
                if was_left == goes_left(
                    x, node, threshold, missing_left, first_word, n_words, words
                ):
                    continue
                left_in[row, repeat] = tree
                new = known
                if new < 0:
                    turns = False
                    new = right[node] if was_left else left[node]
                    while feature[new] >= 0:
                        if slot[feature[new]] >= 0:
                            turns = True
                            x = mixed[slot[feature[new]], row, repeat]
                        else:
                            x = X[row, feature[new]]
                        if goes_left(x, new, threshold, missing_left, first_word, n_words, words):
                            new = left[new]
                        else:
                            new = right[new]
                    if not turns:
                        known = new
                old = leaf[tree, place]
                for j in range(value.shape[1]):
                    sums[repeat, row, column[tree] + j] += value[new, j] - value[old, j]
