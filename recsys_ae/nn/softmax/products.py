"""Products of matrices in half precision with a result in single precision."""

import functools

import torch
from torch import Tensor


def wide_product(left: Tensor, right: Tensor, *, rounded: bool = False) -> Tensor:
    """Return the product of two matrices in float32.

    PyTorch offers it from version 2.8 on, and on a GPU only. Elsewhere the product is rounded to half precision first;
    with ``rounded`` it then keeps that dtype.
    """
    if left.dtype is torch.float32:
        return left @ right
    # Tensors of other classes need not have memory on the device that they name.
    if type(left) is Tensor and _is_offered(left.device, left.dtype):
        return torch.mm(left, right, out_dtype=torch.float32)
    product = left @ right
    return product if rounded else product.float()


@functools.cache
def _is_offered(device: torch.device, dtype: torch.dtype) -> bool:
    if device.type != "cuda" or not hasattr(torch.ops.aten.mm, "dtype"):
        return False
    tile = torch.ones(16, 16, dtype=dtype, device=device)
    try:
        return torch.mm(tile, tile, out_dtype=torch.float32).dtype is torch.float32
    except RuntimeError:
        return False
