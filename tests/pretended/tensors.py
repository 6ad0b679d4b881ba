"""Tensors of the pretended GPU, and the checks and records of every operation on them."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from tests.pretended.nested import leaves_of, mapped
from tests.pretended.order import changes, refuse
from tests.pretended.record import DeviceFaultError, Record

GPU = torch.device("cuda:0")
RealGenerator = torch.Generator
MARK = 2**63
"""Added to the seed of a generator of the GPU: only the seed of a generator reaches the operations."""

WAITS = {
    "nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "bincount", "_local_scalar_dense",
    "equal", "is_nonzero", "_coalesce", "linalg_cholesky", "linalg_inv", "linalg_solve", "linalg_eigh",
    "_linalg_eigh", "_linalg_svd", "_linalg_solve_ex", "linalg_eigvalsh",
}  # fmt: skip
"""Operations whose result, or the size of it, the CPU has to know."""
DRAWS = ("rand", "bernoulli", "uniform_", "normal_", "exponential_", "multinomial", "native_dropout", "random_")
FOR_BOTH = {"copy_", "_to_copy", "_pack_padded_sequence", "index", "index_put", "index_put_", "_index_put_impl_"}
"""Operations on tensors of both devices."""
PACKED = {"lstm", "gru", "_pad_packed_sequence", "_pack_padded_sequence_backward"}
"""Operations on packed sequences, whose batch sizes lie on the CPU."""
OF_AUTOGRAD = {
    "zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_strided", "new_zeros", "new_empty", "arange",
    "scalar_tensor", "new_empty_strided",
}  # fmt: skip
"""What autograd makes itself, on the device that C++ knows, which is the CPU."""

WITHOUT_KERNEL = {"detach", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view"}
"""Operations that launch no kernel, besides views."""


def is_gpu(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


class OnGpu(torch.Tensor):
    """A tensor that holds its numbers in ``numbers``, a tensor on the CPU."""

    numbers: torch.Tensor
    record: Record

    @staticmethod
    def __new__(cls, real: torch.Tensor, record: Record) -> "OnGpu":
        dense = real.layout is torch.strided
        strides = real.stride() if dense else torch.empty(real.shape, device="meta").stride()
        made = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, real.shape, strides=strides, storage_offset=real.storage_offset() if dense else 0, dtype=real.dtype,
            device="cpu", requires_grad=False,
        )  # fmt: skip
        made.numbers, made.record = real, record
        return made  # type: ignore[no-any-return]

    device = property(lambda self: GPU)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]
    is_sparse = property(lambda self: self.numbers.is_sparse)  # type: ignore[assignment]
    layout = property(lambda self: self.numbers.layout)  # type: ignore[assignment]

    @property  # type: ignore[misc]
    def data(self) -> torch.Tensor:  # type: ignore[override]
        return self.detach()

    @data.setter
    def data(self, new: "OnGpu") -> None:
        self.numbers = new.numbers

    def __repr__(self, **_: Any) -> str:
        return f"OnGpu({self.numbers!r})"

    def data_ptr(self) -> int:
        return self.numbers.data_ptr()

    def fetched(self, how: str) -> torch.Tensor:
        self.record.note("wait", how)
        return self.numbers.detach().clone()

    def cpu(self, *_: Any, **__: Any) -> torch.Tensor:
        return self.fetched("cpu")

    def tolist(self) -> Any:
        return self.fetched("tolist").tolist()

    def numpy(self, **_: Any) -> Any:
        raise DeviceFaultError("can't convert cuda:0 device type tensor to numpy; use Tensor.cpu() first")

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()

    def to(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """C++ would see no change of the device."""
        named = [one for one in (*args, kwargs.pop("device", None)) if isinstance(one, str | torch.device)]
        dtypes = [one for one in (*args, kwargs.pop("dtype", None)) if isinstance(one, torch.dtype)]
        assert not any(isinstance(one, torch.Tensor) for one in args), "to(tensor) is not pretended"
        dtype = dtypes[0] if dtypes else self.dtype
        if named and not is_gpu(named[0]):
            return self.fetched("to cpu").to(dtype)
        if dtype == self.dtype and not kwargs.get("copy"):
            return self
        return torch.ops.aten._to_copy(self, dtype=dtype)  # type: ignore[no-any-return]

    def coalesce(self) -> "OnGpu":
        self.record.note("wait", "coalesce")
        with _disable_current_modes():
            return OnGpu(self.numbers.coalesce(), self.record)

    def __deepcopy__(self, memo: dict[int, Any]) -> "OnGpu":
        copied = OnGpu(self.numbers.detach().clone(), self.record).requires_grad_(self.requires_grad)
        if getattr(self, "_is_param", False):
            copied._is_param = True
        memo[id(self)] = copied
        return copied  # type: ignore[return-value]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        record = next(leaf.record for leaf in leaves_of([args, kwargs], []) if isinstance(leaf, OnGpu))
        return operate(record, func, args, kwargs or {})


class Gpu(TorchDispatchMode):
    """Mode in which tensors made for ``cuda`` are those of the pretended GPU."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return operate(self.record, func, args, kwargs or {})


def operate(record: Record, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Carry out an operation of PyTorch on the real tensors; check and record what a GPU would do."""
    name = func._schema.name.removeprefix("aten::")
    leaves = leaves_of(args, [])
    leaves_of(kwargs, leaves)
    theirs = [leaf for leaf in leaves if isinstance(leaf, OnGpu)]
    ours = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and not isinstance(leaf, OnGpu)]
    target = kwargs.get("device")
    on_gpu = bool(theirs) if target is None else is_gpu(target)
    if record.backward and (name in OF_AUTOGRAD or (theirs and name == "_to_copy")):
        on_gpu = True
    if theirs and name.startswith("_sparse_coo_tensor"):
        on_gpu = True
    if theirs and name == "is_coalesced":
        return False  # autograd drops the flag
    if theirs:
        _check(name, args, theirs, ours)
        _note_waits(record, name, args, kwargs)
    _check_generator(record, name, leaves, on_gpu)
    if theirs and torch.are_deterministic_algorithms_enabled():
        refuse(name, args, kwargs)
    elif theirs and changes(name, args):
        record.note("order", name)
    _note_copies(record, name, args, theirs, on_gpu)
    if on_gpu and name not in WITHOUT_KERNEL and not _is_view(func):
        record.launched()
    return _computed(record, func, args, kwargs, on_gpu)


def _check(name: str, args: Any, theirs: list[OnGpu], ours: list[torch.Tensor]) -> None:
    if name not in FOR_BOTH | PACKED:
        mixed = [tensor for tensor in ours if tensor.dim() > 0 or ("foreach" in name and "_amp" not in name)]
        if mixed:
            shapes = [tuple(tensor.shape) for tensor in mixed]
            raise DeviceFaultError(f"{name}: tensors on cuda:0 and on cpu, the latter of shapes {shapes}")
    if name in ("index", "index_put", "index_put_", "_index_put_impl_") and not isinstance(args[0], OnGpu):
        raise DeviceFaultError(f"{name}: indices or values on cuda:0 for a tensor on the CPU")
    if name == "_fused_adam_":
        for tensors in zip(*args[:4], strict=True):
            if len({(one.numbers.stride(), one.dtype, one.shape) for one in tensors}) > 1:
                raise DeviceFaultError("fused Adam: weights, gradients and moments differ in strides or dtype")


def _is_view(func: Any) -> bool:
    results = [result.alias_info for result in func._schema.returns]
    return bool(results) and results[0] is not None and not results[0].is_write


def _check_generator(record: Record, name: str, leaves: list[Any], on_gpu: bool) -> None:
    generator = next((leaf for leaf in leaves if isinstance(leaf, RealGenerator)), None)
    if generator is not None:
        if (generator.initial_seed() >= MARK) != on_gpu:
            raise DeviceFaultError(f"{name}: a generator of the other device")
    elif on_gpu and name.startswith(DRAWS) and not record.seeded:
        record.note("draw", name)


def _note_waits(record: Record, name: str, args: Any, kwargs: dict[str, Any]) -> None:
    if name in WAITS:
        record.note("wait", name)
    if name == "repeat_interleave" and kwargs.get("output_size") is None:
        record.note("wait", "repeat_interleave without output_size")
    if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
        indices = [index for index in args[1] if index is not None]
        if any(index.dtype in (torch.bool, torch.uint8) for index in indices):
            record.note("wait", f"{name} by a mask")
        if any(not isinstance(index, OnGpu) for index in indices):
            record.note("copy", f"{name} with indices on the CPU")
    if name == "copy_" and not isinstance(args[0], OnGpu):
        record.note("wait", "copy_ to the CPU")


def _note_copies(record: Record, name: str, args: Any, theirs: list[OnGpu], on_gpu: bool) -> None:
    to_gpu = name == "_to_copy" and on_gpu and not theirs and not record.backward
    if to_gpu or (name == "copy_" and isinstance(args[0], OnGpu) and not isinstance(args[1], OnGpu)):
        record.note("copy", name)


def _computed(record: Record, func: Any, args: Any, kwargs: dict[str, Any], on_gpu: bool) -> Any:
    known: dict[int, OnGpu] = {}

    def real(leaf: Any) -> Any:
        if not isinstance(leaf, OnGpu):
            return leaf
        known[id(leaf.numbers)] = leaf
        return leaf.numbers

    real_args, real_kwargs = mapped(real, args), mapped(real, kwargs)
    if is_gpu(real_kwargs.get("device")):
        real_kwargs["device"] = torch.device("cpu")
    with _disable_current_modes():
        result = func(*real_args, **real_kwargs)
        if func._schema.name == "aten::_to_copy" and any(result is arg for arg in real_args):
            result = result.clone()

    def pretended(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor) or isinstance(leaf, OnGpu):
            return leaf
        if record.largest is not None and leaf.nbytes > record.largest:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        own = known.get(id(leaf))
        if own is not None and own.shape == leaf.shape:
            return own  # changed in place
        return OnGpu(leaf, record) if on_gpu else leaf

    results = mapped(pretended, result)
    if func._schema.name == "aten::_pack_padded_sequence":
        return results[0], result[1]  # the batch sizes stay on the CPU
    return results
