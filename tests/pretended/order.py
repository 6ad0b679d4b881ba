"""Which sums of a GPU depend on an order that changes from run to run, and which operations have no other form."""

from typing import Any

import torch
from torch import Tensor

EXACT = 2**24
"""Whole numbers below are exact in single precision, in whatever order they are added."""

SUMS = {
    "index_add": (2, 3), "index_add_": (2, 3), "scatter_add": (2, 3), "scatter_add_": (2, 3),
    "embedding_dense_backward": (1, 0),
}  # fmt: skip
"""Sums by atomic additions, with the places of their arguments: where to add, and what."""

OF_LIBRARIES = {"convolution_backward", "mkldnn_rnn_layer_backward", "cumsum"}
"""Operations whose order the libraries of CUDA choose; that of recurrent layers has another name on a CPU."""
ATTENTION = ("_scaled_dot_product", "_backward")

REFUSED = {
    "avg_pool3d_backward", "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward",
    "adaptive_max_pool2d_backward", "fractional_max_pool2d_backward", "fractional_max_pool3d_backward", "max_unpool2d",
    "max_unpool3d", "upsample_linear1d_backward", "upsample_bilinear2d_backward", "upsample_bicubic2d_backward",
    "upsample_trilinear3d_backward", "reflection_pad1d_backward", "reflection_pad2d_backward",
    "reflection_pad3d_backward", "nll_loss2d_forward", "_ctc_loss", "put_", "histc", "median", "nanmedian",
    "grid_sampler_2d_backward", "grid_sampler_3d_backward",
}  # fmt: skip
"""Operations that have no deterministic form: the list of `torch.use_deterministic_algorithms`."""


def changes(name: str, args: Any) -> bool:
    """Return True if the last digits of an operation's result can differ from run to run on a GPU."""
    if name in SUMS:
        where, what = (args[place].numbers.detach() for place in SUMS[name])
        dim = 0 if name == "embedding_dense_backward" else args[1]
        return what.dtype.is_floating_point and _matters(where.long(), what.double(), dim)
    if name.startswith(ATTENTION[0]) and name.endswith(ATTENTION[1]):
        return True
    return name in OF_LIBRARIES and (name != "cumsum" or args[0].dtype.is_floating_point)


def refuse(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    """Raise PyTorch's error if the operation is to be deterministic, and cannot."""
    of_floats = name == "cumsum" and (kwargs.get("dtype") or args[0].dtype).is_floating_point
    weighted = name == "bincount" and ((len(args) > 1 and args[1] is not None) or kwargs.get("weights") is not None)
    if name in REFUSED or of_floats or weighted:
        raise RuntimeError(
            f"{name}_cuda does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'."
        )


def _matters(where: Tensor, what: Tensor, dim: int) -> bool:
    """Return True unless all numbers that are added to one place are equal, or whole and small."""
    if bool((what == what.round()).all()) and float(what.abs().sum()) < EXACT:
        return False
    if where.shape == what.shape:
        where, what = where.movedim(dim, 0), what.movedim(dim, 0)
    else:
        what = what.movedim(dim, 0).reshape(where.numel(), -1)
        where = where.reshape(-1, 1).expand_as(what)
    size = (int(where.max()) + 1 if where.numel() else 1, *what.shape[1:])
    ends = [
        torch.full(size, start, dtype=what.dtype).scatter_reduce(0, where, what, how)
        for how, start in (("amin", torch.inf), ("amax", -torch.inf))
    ]
    return bool((ends[0] < ends[1]).any())
