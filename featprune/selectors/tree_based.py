"""What selectors by tree ensembles share: the estimator, its encoding, the target."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from featprune.importance.trees.family import Family, family_of
from featprune.selectors.base import BaseSelector
from featprune.selectors.target import check_tree_target, is_regression
from featprune.table.encode import TableEncoder


class TreeBased(BaseSelector):
    """A selector whose `estimator` is a tree ensemble, chosen by the target if it is None."""

    @abstractmethod
    def _default_estimator(self, *, regresses: bool) -> Any:
        """Return the estimator where the caller passed none."""

    @abstractmethod
    def _check_trees(self, estimator: Any) -> tuple[Family, str]:
        """Return the estimator's family and the importance to ask for, or raise."""

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.estimator is not None:
            self._check_trees(self.estimator)

    def _check_target(self, y: Any) -> np.ndarray:
        self._estimator = self.estimator
        if self.estimator is None:
            self._estimator = self._default_estimator(regresses=is_regression(y))
            self._check_trees(self._estimator)
        return check_tree_target(y, bool(is_classifier(self._estimator)), type(self).__name__)

    def _encoder(self, seed: int) -> TableEncoder:
        family = family_of(self._estimator, type(self).__name__)
        return TableEncoder(
            self.encoder,
            standardize=False,
            random_state=seed,
            flag_vectors=self.embeddings == "whole",
            most_levels=family.most_levels,
            keep_missing=family.takes_missing,
        )

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: a target is needed, sparse matrices are taken."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags
