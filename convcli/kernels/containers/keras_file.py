"""Weights that Keras saves: .keras archives, .weights.h5 and .h5 files. Other HDF5 files are read, too. Nothing is executed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from convcli import extras
from convcli.errors import KernelError
from convcli.kernels.containers.archives import check_inflation, check_sizes
from convcli.kernels.containers.tensors import Tensor, invalid, not_real, source_of

MEMBER = "model.weights.h5"
"""The member of a .keras archive that has the weights."""

_KERNEL = re.compile(r"(.*/)?((depthwise_|pointwise_)?kernel(:0)?|vars/\d+)")
"""The name of a kernel of a layer: as Keras 2 has it, and as Keras 3 has it."""

MOST = 100_000
"""The most datasets that are listed."""


def read(path: Path, key: str | None = None) -> Mapping[str, Tensor]:
    """The datasets of a file by their paths. Values are read when they are needed.

    Raises `KernelError` if h5py is not installed, or if the file is not HDF5, or is damaged.
    """
    if not extras.is_installed("h5py"):
        remedy = f"{extras.how_to_get('h5py')}, or save them as .safetensors"
        raise KernelError(f"weights '{path}'", "need h5py, which is not installed", remedy)
    with _file(path) as file:
        return {
            name: Tensor(one.shape, str(one.dtype), partial(_values, path, name), _layout_of(name, one.ndim))
            for name, one in _datasets(file, "", set())
        }


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    """The HDF5 file, or the one in a .keras archive. What is wrong with it becomes a `KernelError`."""
    import h5py

    try:
        source: Any = path
        with path.open("rb") as stream:
            if stream.read(2) == b"PK":
                with ZipFile(path) as archive:
                    check_inflation(path, [archive.getinfo(MEMBER)])
                    source = io.BytesIO(archive.read(MEMBER))
        with h5py.File(source, "r") as file:
            yield file
    except KernelError:
        raise
    except OSError as error:
        if error.errno:
            raise
        raise invalid(path, "HDF5") from None
    except (BadZipFile, KeyError, ValueError, RuntimeError, TypeError, NotImplementedError, EOFError):
        raise invalid(path, "HDF5") from None


def _datasets(group: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """All datasets of a group by their paths. Links to other files are not followed, nor is a group twice."""
    import h5py

    place = int(h5py.h5o.get_info(group.id).addr)
    if place in seen or len(seen) > MOST:
        return
    seen.add(place)
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        member = group[name]
        if isinstance(member, h5py.Group):
            yield from _datasets(member, f"{prefix}{name}/", seen)
        elif isinstance(member, h5py.Dataset) and member.shape is not None:
            yield f"{prefix}{name}", member


def _layout_of(name: str, axes: int) -> str:
    """The layout of a kernel of Keras, or of a layer's kernel in another program's file: empty."""
    if axes not in (3, 4) or _KERNEL.fullmatch(name) is None:
        return ""
    layer = name.lower()
    if "pointwise" in layer or re.search(r"separable_conv\w*/vars/1", layer):
        return "hwio"
    if "depthwise" in layer or "separable_conv" in layer:
        return "hwcm"
    return "hwoi" if "transpose" in layer else "hwio"


def _values(path: Path, name: str) -> NDArray[Any]:
    source = source_of(path, name)
    with _file(path) as file:
        one = file[name]
        if one.dtype.kind not in "biuf":
            raise not_real(str(one.dtype), source)
        if one.is_virtual or one.external:
            raise KernelError(f"weights {source}", "have their values in other files", "save them in one file")
        check_sizes(path, one.nbytes, one.id.get_storage_size())
        array: NDArray[Any] = one[...]
    return (
        array.astype(np.float64)
        if array.dtype.itemsize > 8
        else array.astype(array.dtype.newbyteorder("="), copy=False)
    )
