"""Products of matrices in half precision with a result in single precision."""

import torch
from torch import Tensor

from recsys_ae.nn.arithmetic import multiplies_to_float32


def wide_product(left: Tensor, right: Tensor, *, rounded: bool = False) -> Tensor:
    """Return the product of two matrices in float32.

    PyTorch offers it from version 2.8 on, and on a GPU only. Elsewhere the product is rounded to half precision first;
    with ``rounded`` it then keeps that dtype.
    """
    if left.dtype is torch.float32:
        return left @ right
    # Tensors of other classes need not have memory on the device that they name.
    if type(left) is Tensor and multiplies_to_float32(left.device, left.dtype):
        return torch.mm(left, right, out_dtype=torch.float32)
    product = left @ right
    return product if rounded else product.float()
