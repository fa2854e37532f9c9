"""An ONNX model as a function of arrays: loaded by onnxruntime, checked, and run batch by batch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from featprune.extract.extras import load
from featprune.extract.graph import expose, tensor_names
from featprune.table.columns import quote_some

Source = str | os.PathLike[str] | bytes

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(string)": object,
    "tensor(bool)": np.bool_,
    **{
        f"tensor({sign}int{bits})": getattr(np, f"{sign}int{bits}")
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}
# what onnxruntime logs goes to standard error; what it can't do, it raises as well
_FATAL_ONLY = 4


@dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Parameters
    ----------
    name : str
    dtype : numpy dtype class or None
        None for what is no tensor, as the list of dicts by which skl2onnx tells probabilities.
    shape : tuple of int or None
        None where a dimension is free. The first one is the batch's.
    """

    name: str
    dtype: Any
    shape: tuple[int | None, ...]

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether one row, without the batch's dimension, may have this shape."""
        mine = self.shape[1:]
        if len(shape) != len(mine):
            return False
        return all(free is None or free == is_ for free, is_ in zip(mine, shape, strict=True))

    def __str__(self) -> str:
        dimensions = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name!r} of shape ({dimensions})"


class Network:
    """A loaded model.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    name : str
        The model in messages: its file.
    outputs : sequence of str
        What `run` returns, in that order.

    Attributes
    ----------
    inputs, outputs : tuple of Port
    batch : int or None
        The number of rows that the model takes at a time, if it takes no other.
    """

    def __init__(self, session: Any, name: str, outputs: Sequence[str] | None) -> None:
        self._session = session
        self.name = name
        self.inputs = tuple(_port(node) for node in session.get_inputs())
        declared = {port.name: port for port in map(_port, session.get_outputs())}
        self.outputs = tuple(declared[name] for name in (outputs or declared))
        fixed = [port.shape[0] for port in self.inputs if port.shape and port.shape[0]]
        self.batch = fixed[0] if fixed else None

    def run(self, feeds: Mapping[str, np.ndarray]) -> list[Any]:
        """Return the outputs for some rows, however many the model takes at a time.

        Parameters
        ----------
        feeds : mapping of str to ndarray of shape (n_rows, ...)
            One for each input.

        Raises
        ------
        ValueError
            If the model fails on them.
        """
        n_rows = len(next(iter(feeds.values())))
        if self.batch is None or self.batch == n_rows:
            return self._run(feeds)
        parts = []
        for start in range(0, n_rows, self.batch):
            part = {name: rows[start : start + self.batch] for name, rows in feeds.items()}
            n_there = len(next(iter(part.values())))
            if n_there < self.batch:  # the last row again, to fill the batch up
                idx = np.minimum(np.arange(self.batch), n_there - 1)
                part = {name: rows[idx] for name, rows in part.items()}
            parts.append([output[:n_there] for output in self._run(part)])
        if len(parts) == 1:
            return parts[0]
        return [_join(outputs) for outputs in zip(*parts, strict=True)]

    def _run(self, feeds: Mapping[str, np.ndarray]) -> list[Any]:
        try:
            return self._session.run([port.name for port in self.outputs], dict(feeds))
        except Exception as error:  # onnxruntime's own classes have no other base
            shapes = ", ".join(f"{name!r} {rows.shape}" for name, rows in feeds.items())
            raise ValueError(
                f"The model {self.name} fails on a batch of shape {shapes}: {_first_line(error)} "
                "Pass rows as the model was made for, or batch_size=1 if it takes one at a time."
            ) from error


def load_network(
    model: Source,
    owner: str,
    *,
    outputs: Sequence[str] | None = None,
    providers: Sequence[Any] | None = None,
    n_jobs: int | None = None,
) -> Network:
    """Load a model.

    Parameters
    ----------
    model : str, path or bytes
        A file, or what stands in one.
    owner : str
        Who loads it, for messages.
    outputs : sequence of str, optional
        Which tensors of the graph `run` returns, inner ones among them. None: the outputs.
    providers : sequence, optional
        As in onnxruntime. None: the processor.
    n_jobs : int, optional
        Threads. None: as many as onnxruntime thinks fit.

    Returns
    -------
    Network

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, of an opset that the installed onnxruntime does not know, or has no
        such tensor.
    ImportError
        If onnxruntime is not installed, or onnx where an inner tensor is asked for.
    """
    name = check_source(model, owner)
    runtime = load("onnxruntime", "onnx", owner)
    options = runtime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    if n_jobs is not None:
        options.intra_op_num_threads = n_jobs
    source: str | bytes = model if isinstance(model, bytes) else os.fspath(model)
    if outputs is not None:
        graph = parse(model, owner)
        known = tensor_names(graph)
        unknown = [output for output in outputs if output not in known]
        if unknown:
            raise ValueError(_unknown_outputs(unknown, known, name, owner))
        declared = [output.name for output in graph.graph.output]
        if not set(outputs) <= set(declared):
            # weights beside the model are found from its folder, which bytes have not
            if not isinstance(model, bytes):
                options.add_session_config_entry(
                    "session.model_external_initializers_file_folder_path",
                    str(Path(source).resolve().parent),  # type: ignore[arg-type]
                )
            source = expose(graph, outputs).SerializeToString()
    try:
        session = runtime.InferenceSession(
            source,
            options,
            providers=list(providers or ["CPUExecutionProvider"]),
            enable_fallback=0,  # which prints
        )
    except Exception as error:  # onnxruntime's own classes have no other base
        raise ValueError(_cannot_load(error, name, owner)) from error
    network = Network(session, name, outputs)
    if not network.inputs or not network.outputs:
        raise ValueError(
            f"The model {name} of {owner} has {len(network.inputs)} inputs and "
            f"{len(network.outputs)} outputs, and needs one of each. Export it anew."
        )
    return network


def parse(model: Source, owner: str) -> Any:
    """Return the model as onnx knows it, without the weights that stand in other files.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    name = check_source(model, owner)
    onnx = load("onnx", "onnx", owner)
    try:
        if isinstance(model, bytes):
            return onnx.load_model_from_string(model)
        return onnx.load(os.fspath(model), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError, of which onnx says nothing
        raise ValueError(_cannot_load(error, name, owner)) from error


def check_source(model: Any, owner: str) -> str:
    """Return what messages call the model, or raise if it is no file and no bytes."""
    if isinstance(model, bytes):
        if not model:
            raise ValueError(f"The 'model' parameter of {owner} is of 0 bytes. Pass an ONNX file.")
        return f"of {len(model)} bytes"
    if not isinstance(model, (str, os.PathLike)):
        raise TypeError(
            f"The 'model' parameter of {owner} must be the path of an ONNX file, or its bytes. "
            f"Got {model!r} instead."
        )
    file = Path(model)
    if not file.is_file():
        there = "is a folder" if file.is_dir() else "is not there"
        raise FileNotFoundError(
            f"The 'model' parameter of {owner} must be an ONNX file, and {str(file)!r} {there}."
        )
    return repr(str(file))


def _cannot_load(error: Exception, name: str, owner: str) -> str:
    from importlib.metadata import version

    return (
        f"{owner} can't load the model {name}: {_first_line(error)} It must be a whole ONNX file, "
        f"of an opset and an IR version that onnxruntime {version('onnxruntime')} knows. Export "
        "or copy it anew, or install a newer onnxruntime."
    )


def _unknown_outputs(unknown: Sequence[str], known: Sequence[str], name: str, owner: str) -> str:
    from difflib import SequenceMatcher

    alike = SequenceMatcher(b=unknown[0])  # which keeps what it knows of b

    def distance(one: object) -> float:
        alike.set_seq1(str(one))
        return -alike.ratio()

    return (
        f"The 'output' parameter of {owner} names {quote_some(unknown)}, which the model {name} "
        f"does not have. It has, the most alike first: {quote_some(sorted(known, key=distance))}."
    )


def _port(node: Any) -> Port:
    shape = tuple(size if isinstance(size, int) else None for size in node.shape or ())
    return Port(node.name, _DTYPES.get(node.type), shape)


def _join(outputs: Sequence[Any]) -> Any:
    """The outputs of several runs as one; lists are those of one dict a row."""
    if isinstance(outputs[0], list):
        return [row for rows in outputs for row in rows]
    return np.concatenate(outputs)


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    # "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model ..." has a preface of codes
    line = line.rpartition(" : ")[2] if line.startswith("[ONNXRuntimeError]") else line
    line = re.sub(
        r"/onnxruntime_src/.*?\) ", "", line
    )  # where in its source, and in which function
    return line if line.endswith(".") else f"{line}."
