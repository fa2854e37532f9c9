"""In how many draws does SVM-RFE find both columns of an XOR among 50 columns of noise?

    python benchmarks/xor.py [--write]

About 20 seconds; --write puts the table into its section of RESULTS.md. The label is the sign of
the product of the first two columns, so neither says anything alone. They are -1 or +1
("corners") among noise from a standard normal, or all columns are uniform on [-1, 1] ("square").
C = 10; gamma is 1 / n_columns of all 52 columns, or scikit-learn's "scale" anew as columns go.
"""

import sys
import time

import numpy as np
import report
from clock import say

from featprune.importance.svm.kernel import trace_kernel

N_DRAWS = 30
N_NOISE = 50
SIZES = (30, 40, 80)
KERNELS = {
    "poly, degree 2": dict(kernel="poly", degree=2, coef0=1.0),
    "rbf": dict(kernel="rbf", degree=3, coef0=0.0),
}
WAYS = {
    "delta_j": dict(),
    "delta_j, gamma rescaled": dict(rescale_gamma=True),
    "pseudo_samples": dict(criterion="pseudo_samples"),
}


def draw(layout: str, seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and labels."""
    rng = np.random.default_rng(seed)
    if layout == "corners":
        X = rng.normal(size=(n, 2 + N_NOISE))
        X[:, :2] = rng.choice([-1.0, 1.0], size=(n, 2))
    else:
        X = rng.uniform(-1.0, 1.0, size=(n, 2 + N_NOISE))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def finds_both(X: np.ndarray, y: np.ndarray, **parameters: object) -> bool:
    """Tell whether the last two columns that are left are the true ones."""
    n, p = X.shape
    gamma = 1.0 / (p * X.var()) if parameters.get("rescale_gamma") else 1.0 / p
    trace = trace_kernel(
        X,
        y,
        box=np.full(n, 10.0),
        gamma=gamma,
        unit=np.arange(p),
        protected=np.zeros(p, dtype=bool),
        floor=2,
        step=1,
        **parameters,
    )
    return not np.isin([0, 1], trace.order).any()


def main() -> None:
    """Print the table, and write it if told to."""
    started = time.process_time()
    rows = []
    for layout in ("corners", "square"):
        for kernel, parameters in KERNELS.items():
            for way, more in WAYS.items():
                row = [layout, kernel, way]
                for n in SIZES:
                    draws = (draw(layout, seed, n) for seed in range(N_DRAWS))
                    found = sum(finds_both(X, y, **parameters, **more) for X, y in draws)
                    row.append(str(found))
                rows.append(row)
                say(f"    {' | '.join(row)}")
    found = report.table(["layout", "kernel", "way", *(f"n = {n}" for n in SIZES)], rows)
    text = (
        f"Draws of {N_DRAWS} in which both columns of an XOR are found among {N_NOISE} of noise, "
        f"by the number of rows.\n\n{found}"
    )
    print(f"{text}\n\n{time.process_time() - started:.0f} CPU s")
    if "--write" in sys.argv[1:]:
        head = "## Columns that matter only together\n\n`python benchmarks/xor.py --write`, what "
        head += f"is drawn stands at the top of that file; {report.machine()}; {report.stamp()}."
        report.write("xor", f"{head}\n\n{text}")


if __name__ == "__main__":
    main()
