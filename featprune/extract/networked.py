"""What embedders that run an ONNX model share: its parameters, loading it, pooling its outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from featprune.extract.base import Embedder
from featprune.extract.graph import channels_are_last
from featprune.extract.network import Network, Port, load_network, parse
from featprune.extract.pool import POOLS, pool
from featprune.parameters import check_choice, check_count


class Networked(Embedder):
    """An embedder with the parameters `model`, `output`, `pool`, `batch_size` and so on."""

    model: Any
    output: Any

    def _check_network(self) -> None:
        """Raise if a parameter of the model can't be used; not yet the model itself."""
        owner = type(self).__name__
        check_choice(self.pool, "pool", owner, POOLS)
        check_count(self.batch_size, "batch_size", owner)
        if self.n_jobs is not None:
            check_count(self.n_jobs, "n_jobs", owner)
        listed = [] if self.output is None else self._listed()
        if any(not isinstance(name, str) for name in listed) or len(set(listed)) < len(listed):
            raise ValueError(
                f"The 'output' parameter of {owner} must be None, the name of a tensor, or a list "
                f"of different names. Got {self.output!r} instead."
            )

    def _listed(self) -> list[Any]:
        if isinstance(self.output, str) or not isinstance(self.output, Sequence):
            return [self.output]
        return list(self.output) or [None]

    def _network(self) -> Network:
        """The model, loaded once for the parameters that it depends on."""
        model, outputs = self.model, None if self.output is None else self._listed()
        stamp = None if isinstance(model, bytes) else os.stat(model).st_mtime_ns
        key = (model, stamp, outputs, self.providers, self.n_jobs)
        owner = type(self).__name__

        def make() -> Network:
            return load_network(
                model, owner, outputs=outputs, providers=self.providers, n_jobs=self.n_jobs
            )

        return self._kept("network", key, make)

    def _names_of_outputs(self, name: str | None) -> list[str]:
        """Names of the columns that the model's outputs become."""
        network = self._network()
        outputs = [port.name for port in network.outputs]
        outputs = outputs if self.output is not None else outputs[:1]
        if name is None:
            return outputs
        return [name] if len(outputs) == 1 else [f"{name}_{output}" for output in outputs]

    def _embed(self, network: Network, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Vectors of some rows, one matrix for each output."""
        n_rows = len(next(iter(feeds.values())))
        for name, port in zip(feeds, network.inputs, strict=True):
            self._check_shape(port, feeds[name].shape[1:])
        ports = network.outputs if self.output is not None else network.outputs[:1]
        made = network.run(feeds)[: len(ports)]
        for port, values in zip(ports, made, strict=True):
            if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
                raise ValueError(
                    f"Output {port.name!r} of the model {network.name} is no tensor of numbers. "
                    f"Pass another as 'output' of {type(self).__name__}."
                )
            if not values.ndim or len(values) != n_rows:
                raise ValueError(
                    f"Output {port.name!r} of the model {network.name} is of shape {values.shape} "
                    f"for {n_rows} rows, and needs one part a row. Pass another as 'output' of "
                    f"{type(self).__name__}, or batch_size=1."
                )
        return [
            self._pooled(network, port.name, values, feeds)
            for port, values in zip(ports, made, strict=True)
        ]

    def _pooled(
        self, network: Network, name: str, values: np.ndarray, feeds: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        last = self._channels_last(name) if values.ndim > 2 else None
        return pool(values, self.pool, channels_last=last)

    def _channels_last(self, name: str) -> bool | None:
        def look() -> bool | None:
            return channels_are_last(parse(self.model, type(self).__name__), name)

        return self._kept(f"channels of {name}", (self.model,), look)

    def _only_input(self, network: Network) -> Port:
        if len(network.inputs) != 1:
            inputs = ", ".join(map(str, network.inputs))
            raise ValueError(
                f"The model {network.name} takes {len(network.inputs)} inputs: {inputs}. Pass a "
                f"callable 'preprocess' of {type(self).__name__} that returns a dict of them."
            )
        return network.inputs[0]

    def _check_shape(self, port: Port, shape: tuple[int, ...]) -> None:
        if not port.takes(shape):
            raise ValueError(
                f"The model of {type(self).__name__} takes {port}, the rows first. Got rows of "
                f"shape {tuple(shape)}."
            )
