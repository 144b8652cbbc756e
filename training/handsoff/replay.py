"""Recorded steps: a GPU makes a step of a small network faster than the processor asks for it, so it is asked once.

Belongs here: recording one step as a CUDA graph and replaying it. Not here: the step (loop.py).

A recorded step reads its inputs from fixed places and leaves its values in fixed places. The first calls of each kind
run as they are, which also lets cuDNN choose its algorithms; then one is recorded. On a CPU every step runs as it is.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

Inputs = Mapping[str, Tensor]
Values = dict[str, Tensor]
WARM_UP = 3  # calls of each kind that are not recorded; PyTorch's own advice


class Replayed:
    """A step that is recorded where it pays.

    Args:
        step: called with inputs on the device, and a kind; must make its whole effect with device operations, and the
            same ones for every call of a kind.
        enabled: whether to record; only with a CUDA device.
    """

    def __init__(self, step: Callable[[Inputs, Hashable], Values], device: torch.device, enabled: bool) -> None:
        self.step, self.device = step, device
        self.enabled = enabled and device.type == "cuda"
        self.inputs: dict[str, Tensor] = {}
        self.calls: dict[Hashable, int] = {}
        self.recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, Values]] = {}

    def __call__(self, inputs: Inputs, kind: Hashable) -> Values:
        """The values of a step; a later call overwrites them."""
        if not self.enabled:
            return self.step({name: value.to(self.device) for name, value in inputs.items()}, kind)
        for name, value in inputs.items():
            if name not in self.inputs:
                self.inputs[name] = torch.empty_like(value, device=self.device)
            self.inputs[name].copy_(value)
        if kind not in self.recorded:
            self.calls[kind] = self.calls.get(kind, 0) + 1
            if self.calls[kind] <= WARM_UP:
                return self.step(self.inputs, kind)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(self.device)):
                values = self.step(self.inputs, kind)
            self.recorded[kind] = graph, values
        graph, values = self.recorded[kind]
        graph.replay()
        return values


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """All of a run on one stream that is not the default one, which cannot be recorded; nothing on a CPU.

    Gradients are accumulated on the stream that first made them, so the warm-up must run where the recording does.
    """
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)
