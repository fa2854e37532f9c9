"""A Keras model as a scikit-learn classifier or regressor.

The model is built in ``fit``, when the width of the table is known, so it fits whatever the pruning
before it left. Keras itself is imported at the first ``fit``, not here.
"""

from featprune.keras.classifier import KerasClassifier
from featprune.keras.regressor import KerasRegressor

__all__ = ["KerasClassifier", "KerasRegressor"]
