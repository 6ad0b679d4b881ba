"""Files of named tensors, in the format safetensors."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from recsys_ae.errors import ArtefactError, MissingPackageError

if TYPE_CHECKING:
    import torch

State: TypeAlias = "dict[str, torch.Tensor]"


def save_tensors(path: Path, state: State) -> None:
    """Write tensors to a file; an `OSError` says why the file could not be written."""
    safetensors = _safetensors()
    plain: State = {}
    addresses: set[int] = set()
    for name, tensor in state.items():
        plain[name] = tensor.detach().cpu().contiguous()
        address = plain[name].untyped_storage().data_ptr()
        if address in addresses:  # safetensors refuses tensors that share memory, as tied weights do
            plain[name] = plain[name].clone()
        addresses.add(address)
    try:
        safetensors.save_file(plain, path)
    except Exception as error:
        # safetensors wraps errors of the system; unwrap them, so that a full disk is reported as one.
        if os_error := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(os_error[1]), os.strerror(int(os_error[1]))) from error
        raise


def load_tensors(path: Path, device: "torch.device", way_out: str) -> State:
    """Read tensors from a file; an `ArtefactError` says that the file is damaged, and the way out."""
    try:
        state: State = _safetensors().load_file(path, device=str(device))
    except MissingPackageError:
        raise
    except Exception as error:
        raise ArtefactError(f"{path} is damaged: {error}; {way_out}") from error
    return state


def _safetensors() -> Any:
    try:
        import safetensors.torch  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError("saving and loading models needs the package safetensors; install it") from error
    return safetensors.torch
