"""A machine with the pretended GPU: what PyTorch says of CUDA, generators, autocast, sparse products, files."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.utils._python_dispatch import _disable_current_modes

from recsys_ae.nn import runtime
from recsys_ae.nn.training import graphs, loop, updates
from tests.pretended.graphs import graphed
from tests.pretended.record import DeviceFaultError, Record
from tests.pretended.tensors import GPU, MARK, Gpu, OnGpu, RealGenerator, is_gpu

FREE = 139 * 2**30


class Generator(RealGenerator):
    """A generator of the CPU or of the pretended GPU."""

    def __new__(cls, device: Any = "cpu") -> "Generator":
        made = RealGenerator.__new__(GpuGenerator if is_gpu(device) else Generator)
        return made.manual_seed(0) if isinstance(made, GpuGenerator) else made  # type: ignore[return-value]


class GpuGenerator(Generator):
    device = property(lambda self: GPU)  # type: ignore[assignment]

    def manual_seed(self, seed: int) -> "GpuGenerator":
        super().manual_seed(seed + MARK)
        return self


class Csr:
    """A sparse pattern on the pretended GPU."""

    def __init__(self, indptr: OnGpu, indices: OnGpu, entries: OnGpu, size: Any) -> None:
        self.indptr, self.indices, self.entries, self.size = indptr, indices, entries, size

    def values(self) -> OnGpu:
        return self.entries


@contextlib.contextmanager
def pretended_gpu() -> Iterator[Record]:
    """Use the pretended GPU inside the context; return the record of what is asked of it."""
    record = Record()
    with pytest.MonkeyPatch.context() as patch:
        _patch_cuda(patch, record)
        _patch_autograd(patch, record)
        _patch_products(patch)
        _patch_recurrent(patch)
        _patch_package(patch, record)
        before = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            with Gpu(record):
                yield record
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(before)


def _patch_cuda(patch: pytest.MonkeyPatch, record: Record) -> None:
    states = [torch.zeros(16, dtype=torch.uint8)]

    def set_rng_state(state: torch.Tensor, device: Any = None) -> None:
        # A fresh generator has the state of its seed; the state before any seed is the first one.
        record.seeded = int(not torch.equal(state, states[0]))
        states.append(state)

    answers: dict[str, Callable[..., Any]] = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "is_initialized": lambda: False,
        "device_count": lambda: 1,
        "is_bf16_supported": lambda *_: True,
        "mem_get_info": lambda *_: (FREE, FREE),
        "memory_reserved": lambda *_: 0,
        "memory_allocated": lambda *_: 0,
        "empty_cache": lambda: None,
        "current_device": lambda: 0,
        "get_rng_state": lambda *_: states[-1].clone(),
        "set_rng_state": set_rng_state,
        "make_graphed_callables": graphed(record),
    }
    for name, answer in answers.items():
        patch.setattr(torch.cuda, name, answer)
    patch.setattr(torch, "Generator", Generator)
    # These tensors cannot be inference tensors.
    patch.setattr(torch.inference_mode, "__enter__", torch.no_grad.__enter__)
    patch.setattr(torch.inference_mode, "__exit__", torch.no_grad.__exit__)
    patch.setattr(torch, "autocast", _autocast(torch.autocast))
    enabled, dtype = torch.is_autocast_enabled, torch.get_autocast_dtype
    patch.setattr(torch, "is_autocast_enabled", lambda *_: enabled("cpu"))
    patch.setattr(torch, "get_autocast_dtype", lambda *_: dtype("cpu"))


def _autocast(real: Any) -> Any:
    class Autocast(real):  # type: ignore[misc]
        """That of the CPU; its lists of operations stand in for those of CUDA."""

        def __init__(self, device_type: str, **how: Any) -> None:
            super().__init__("cpu", **how)

    return Autocast


def _patch_autograd(patch: pytest.MonkeyPatch, record: Record) -> None:
    def watched(real: Any) -> Any:
        def backward(*args: Any, **how: Any) -> Any:
            record.backward += 1
            try:
                return real(*args, **how)
            finally:
                record.backward -= 1

        return backward

    for name in ("backward", "grad"):
        patch.setattr(torch.autograd, name, watched(getattr(torch.autograd, name)))


def _patch_products(patch: pytest.MonkeyPatch) -> None:
    csr, sampled, factorise = torch.sparse_csr_tensor, torch.sparse.sampled_addmm, torch.linalg.cholesky_ex
    plain_addmm = torch.addmm

    def sparse_csr_tensor(indptr: Any, indices: Any, values: Any, size: Any = None, **how: Any) -> Any:
        parts = indptr, indices, values
        if not any(isinstance(part, OnGpu) for part in parts):
            return csr(*parts, size=size, **how)
        if not all(isinstance(part, OnGpu) for part in parts):
            raise DeviceFaultError("sparse_csr_tensor: tensors on both devices")
        return Csr(*parts, size)

    def sampled_addmm(pattern: Any, left: Any, right: Any, **how: Any) -> Any:
        if not isinstance(pattern, Csr):
            return sampled(pattern, left, right, **how)
        if not isinstance(left, OnGpu) or not isinstance(right, OnGpu) or left.dtype != right.dtype:
            raise DeviceFaultError("sampled_addmm: tensors on both devices, or of different dtypes")
        with _disable_current_modes():
            parts = pattern.indptr.numbers, pattern.indices.numbers, pattern.entries.numbers
            real = csr(*parts, size=pattern.size, check_invariants=False)
            entries = sampled(real, left.numbers.detach(), right.numbers.detach(), **how).values().clone()
        return Csr(pattern.indptr, pattern.indices, OnGpu(entries, left.record), pattern.size)

    def addmm(result: Any, matrix: Any, dense: Any, **how: Any) -> Any:
        if not isinstance(matrix, Csr):
            return plain_addmm(result, matrix, dense, **how)
        if not isinstance(dense, OnGpu) or dense.dtype != matrix.entries.dtype:
            raise DeviceFaultError("addmm: tensors on both devices, or of different dtypes")
        dense.record.note("order", "addmm of a sparse matrix")
        added_in = torch.promote_types(dense.dtype, torch.float32)
        with _disable_current_modes(), torch.autocast("cpu", enabled=False):  # which leaves out= alone
            parts = matrix.indptr.numbers, matrix.indices.numbers, matrix.entries.numbers.to(added_in)
            product = csr(*parts, size=matrix.size, check_invariants=False) @ dense.numbers.to(added_in)
            how["out"].numbers.copy_(product)
        return how["out"]

    def cholesky_ex(matrix: Any, **how: Any) -> Any:
        if not isinstance(matrix, OnGpu) or "out" not in how:
            return factorise(matrix, **how)
        with _disable_current_modes():
            real = tuple(out.numbers for out in how.pop("out"))
            failed = factorise(matrix.numbers, out=real, **how)[1]
        return matrix, OnGpu(failed, matrix.record)

    patch.setattr(torch, "sparse_csr_tensor", sparse_csr_tensor)
    patch.setattr(torch.sparse, "sampled_addmm", sampled_addmm)
    patch.setattr(torch.linalg, "cholesky_ex", cholesky_ex)
    patch.setattr(torch, "addmm", addmm)


def _patch_recurrent(patch: pytest.MonkeyPatch) -> None:
    """Check what cuDNN refuses or warns of, and where autocast would compute in fp16 unasked."""

    def places(layer: nn.RNNBase) -> list[int]:
        return [weight.numbers.data_ptr() for weight in layer.parameters() if isinstance(weight, OnGpu)]

    def flatten(layer: nn.RNNBase) -> None:
        layer.flat_places = places(layer)

    def checked(real: Any) -> Any:
        def forward(layer: nn.RNNBase, *args: Any) -> Any:
            if places(layer):
                if places(layer) != layer.flat_places:
                    raise DeviceFaultError("the weights of a recurrent layer are not side by side in memory")
                if torch.is_grad_enabled() and not layer.training:
                    raise DeviceFaultError("cuDNN computes gradients of a recurrent layer in training mode only")
                if torch.is_autocast_enabled("cuda") and torch.get_autocast_dtype("cuda") is not torch.float16:
                    raise DeviceFaultError("autocast computes recurrent layers in fp16, whatever was asked for")
            if not isinstance(args[0], OnGpu) or not layer.batch_first:
                return real(layer, *args)
            # PyTorch transposes the output in place, which these tensors cannot follow.
            layer.batch_first = False
            try:
                output, state = real(layer, args[0].transpose(0, 1), *args[1:])
            finally:
                layer.batch_first = True
            return output.transpose(0, 1), state

        return forward

    patch.setattr(nn.RNNBase, "flatten_parameters", flatten)
    for cell in (nn.LSTM, nn.GRU):
        patch.setattr(cell, "forward", checked(cell.forward))


def _patch_package(patch: pytest.MonkeyPatch, record: Record) -> None:
    resolve, load = runtime.resolve, safetensors.torch.load_file
    patch.setattr(runtime, "resolve", lambda device: GPU if is_gpu(resolve(device)) else resolve(device))
    for module in _modules_with("resolve", resolve):
        patch.setattr(module, "resolve", runtime.resolve)

    def load_file(path: Any, device: Any = "cpu") -> dict[str, torch.Tensor]:
        return {name: tensor.to(device) for name, tensor in load(path).items()}

    patch.setattr(safetensors.torch, "load_file", load_file)
    step, epoch, make = updates.Updates.step, loop._Training._pass_over_rows, graphs.Graphs._made

    def stepped(self: Any, batch: Any) -> Any:
        with record.phase("update") if record.phases[-1] != "update" else contextlib.nullcontext():
            return step(self, batch)

    def passed(self: Any) -> None:
        with record.phase("epoch"):
            epoch(self)

    def made(self: Any, part: Any, inputs: Any) -> Any:
        with record.phase("capture"):
            return make(self, part, inputs)

    patch.setattr(graphs.Graphs, "_made", made)
    patch.setattr(updates.Updates, "step", stepped)
    patch.setattr(loop._Training, "_pass_over_rows", passed)


def _modules_with(name: str, value: Any) -> list[Any]:
    import sys

    return [
        module
        for key, module in list(sys.modules.items())
        if key.startswith("recsys_ae.") and getattr(module, name, None) is value
    ]
