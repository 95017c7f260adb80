"""Which backend does a task, in which dtype, and whether this machine has the memory for it."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import prod

import numpy as np

from convcli import backends
from convcli.backends import Task, spectra
from convcli.errors import BackendError, GeometryError, KernelError, param
from convcli.system import memory
from convcli.system.parallel import workers

TORCH_IMPORT_SECONDS = 2.0

TORCH_MACS_PER_SECOND = {"dense": 40e9, "per channel": 2e9}
"""Of one thread, as `convcli compare` finds: torch has fast code for layers of many channels only. Of large kernels of few
channels, which it takes through transforms, it does more; but numpy's transforms, tile by tile, take a tenth of their time."""

TORCH_VALUES_PER_SECOND = 1e9
"""Values of input and output that one thread converts, reads and writes, whatever is computed with them."""

FAST_CHANNELS = 8
"""Channels in a group from which torch's fast code is for."""

ALWAYS_NUMPY_MACS = 1e7
"""Work that numpy has done before torch could be asked for it."""


def count_macs(task: Task) -> int:
    """Multiply-accumulates: every weight meets every output pixel, or, transposed, every input pixel."""
    geometry = task.geometry
    return task.images * task.layer.weight.size * prod(geometry.input if geometry.transpose else geometry.output)


def choose_backend(task: Task, wanted: str, dtype: str | None) -> tuple[str, str]:
    """Resolve ``auto`` to the backend that should finish first, torch's import counted in; also say why.

    Parameters
    ----------
    task : Task
        Its dtype is not looked at.
    wanted : str
        As the user names it, one of `convcli.backends.BACKENDS` or ``auto``.
    dtype : str, optional
        As the user names it.

    Returns
    -------
    (str, str)
        The backend, and the reason; "" where the user chose.

    Raises
    ------
    BackendError
        A plan or a device that the backend does not have, or an operation that it cannot do.
    """
    device = task.device
    if task.plan is not None and (wanted not in ("auto", "numpy") or device != "cpu"):
        raise BackendError(
            f"plan '{task.plan}'",
            "is the numpy backend's",
            f"use {param('backend', 'numpy')} on the CPU, or leave {param('plan')} out",
        )
    numpy_asked = task.plan is not None or wanted == "numpy"
    if numpy_asked and device == "cpu" and (reason := _gaps(task)):
        raise BackendError(
            "backend 'numpy'",
            "cannot do this",
            f"{reason}; use {param('backend', 'torch')}, or another dilation or stride",
        )
    if task.plan is not None:
        return "numpy", "" if wanted == "numpy" else "a plan is asked for"
    if wanted != "auto":
        if device != "cpu" and wanted != "torch":
            raise BackendError(
                f"backend '{wanted}'",
                f"runs on the CPU only, not on '{device}'",
                f"use {param('backend', 'torch')} or auto",
            )
        return wanted, ""
    if device != "cpu":
        return "torch", f"only torch runs on {device}"
    if dtype in ("float16", "bfloat16"):
        return "torch", f"only torch computes in {dtype}"
    return _faster(task, dtype)


def _gaps(task: Task) -> str:
    """Why a task is not for numpy; empty if it is."""
    if not task.geometry.transpose:
        return ""
    from convcli.backends.numpy import sparse

    return sparse(task.layer.weight, task.geometry)


def _faster(task: Task, dtype: str | None) -> tuple[str, str]:
    """Which of numpy and torch, by what each is predicted to take, and that in words."""
    if reason := _gaps(task):
        return "torch", reason
    macs = count_macs(task)
    channels = task.layer.inputs // task.layer.groups
    torch_import = 0 if "torch" in sys.modules else TORCH_IMPORT_SECONDS
    rate = TORCH_MACS_PER_SECOND["dense" if channels >= FAST_CHANNELS else "per channel"]
    values = prod(task.source.shape) + task.images * task.layer.outputs * prod(task.geometry.output)
    if macs < ALWAYS_NUMPY_MACS:
        return "numpy", "so little work that no other would have begun"
    from convcli.backends.numpy import USUAL, predicted_seconds

    torch_seconds = (macs / rate + values / TORCH_VALUES_PER_SECOND) / USUAL + torch_import

    numpy_seconds = predicted_seconds(replace(task, dtype=choose_dtype(dtype, "numpy", task.pixels, task.finish.dtype)))
    name = "torch" if torch_seconds < numpy_seconds else "numpy"
    with_import = ", its import included" if torch_import else ""
    if workers(task.threads) != USUAL:
        with_import += f", on {USUAL} threads"
    return name, (
        f"{macs / 1e9:.2g} GMAC: {numpy_seconds:.2g} s predicted for numpy, {torch_seconds:.2g} s for torch{with_import}"
    )


def choose_dtype(wanted: str | None, backend: str, image: np.dtype[np.generic], kept: str | None = None) -> str:
    """The dtype of the computation: as asked for, else float32, or float64 where that would not do.

    Parameters
    ----------
    wanted : str, optional
        As the user names it.
    backend : str
    image : dtype
        Of what the kernel reads.
    kept : str, optional
        What results are rounded to. In float32, sums of 16-bit values are rounded by up to a hundredth of a level, and one result
        in some hundred then to another level: numpy computes those in float64. On torch, whose devices may have none to speak of,
        it has to be asked for.
    """
    if wanted is None:
        deep = backend == "numpy" and kept == "uint16"
        return "float64" if deep or backend == "reference" or image == np.float64 else "float32"
    if wanted not in backends.DTYPES[backend]:
        other = f", or {param('backend', 'torch')}" if wanted in backends.DTYPES["torch"] and backend != "torch" else ""
        raise BackendError(
            f"backend '{backend}'",
            f"does not compute in {wanted}",
            f"use {param('dtype', ' or '.join(backends.DTYPES[backend]))}{other}",
        )
    return wanted


def check_memory(task: Task, backend: str) -> None:
    """Refuse, before anything is allocated, what cannot fit into this machine's memory: input, copies and output together.

    What a device other than the CPU has no memory for, torch says when it comes to it.
    """
    geometry = task.geometry
    output = (task.images, task.layer.outputs, *geometry.output)
    copied, origin = _copies(task, backend)
    need = task.source.nbytes + copied + _results(task, backend)
    if memory.refuses(need):
        stride = param("stride")
        less = (
            f"a smaller {stride} or {param('dilation')}"
            if geometry.transpose
            else f"a larger {stride}, less {param('padding')}"
        )
        if origin:
            less = f"{param('backend', 'numpy')}, which copies no padded image, {less}"
        raise GeometryError(
            f"an output of shape {output}{origin}, with its input,",
            f"needs {need / 2**30:.1f} GiB, {memory.share()}",
            f"use {less} or fewer kernels",
        )


def _copies(task: Task, backend: str) -> tuple[int, str]:
    """Bytes of what is made of the image on the host before it meets the kernel, and where the output comes from in words.

    ``numpy`` (and ``auto``, while that may be it) makes nothing of a whole image. Others lift it, and pad it in the dtype of the
    computation; on the CPU, torch also takes large kernels through transforms.
    """
    if backend in ("numpy", "auto"):
        return 0, ""
    geometry, weight, (count, _, height, width) = task.geometry, task.layer.weight, task.source.shape
    planes, real = count * task.layer.inputs, _itemsize(task)
    if task.device != "cpu":
        return 0 if task.lift is None else planes * height * width * task.pixels.itemsize, ""
    pads = geometry.reach
    padded = (height + pads.top + pads.bottom) * (width + pads.left + pads.right)
    widened = height * width if padded != height * width else 0  # before it is padded
    lifted = 0 if task.lift is None else height * width
    work = 0
    if backend == "torch" and task.dtype in spectra.DTYPES and spectra.suits(weight.shape, task.layer.groups, geometry):
        narrow = task.pixels.kind in "uib" and task.pixels.itemsize <= 2
        itemsize = real if narrow else 8  # values that turn out to be of a wide range are done in float64
        work = spectra.working_bytes((count, task.layer.inputs, height, width), weight.shape, geometry, itemsize)
    return planes * (padded + widened + lifted) * real + work, f" from {padded} padded pixels"


def _results(task: Task, backend: str) -> int:
    """Bytes of the results on the host: as computed, unless they are finished tile by tile or on a device, and as kept."""
    finish, real = task.finish, _itemsize(task)
    values = task.images * prod(task.geometry.output)
    kept = real if finish.dtype is None else np.dtype(finish.dtype).itemsize
    finished = values * finish.outputs(task.layer.outputs) * kept
    if backend in ("numpy", "auto") or (task.device != "cpu" and backends.only_stores(finish)):
        return finished
    return values * task.layer.outputs * real + finished * (kept != real)


def _itemsize(task: Task) -> int:
    """Of a value as computed; halves become float32 on the host."""
    return 8 if task.dtype == "float64" else 4


def check_range(task: Task) -> None:
    """Refuse weights that the dtype of the computation does not hold.

    Raises
    ------
    BackendError
        They would become infinite.
    KernelError
        They are none.
    """
    limit = float(np.finfo("float32" if task.dtype == "bfloat16" else task.dtype).max)
    largest = float(np.abs(task.layer.weight).max(initial=0))
    if not np.isfinite(largest):
        raise KernelError(
            "the weights", "hold a NaN or an infinity, which every result would become", "use finite ones"
        )
    if largest > limit:
        raise BackendError(
            f"a weight of {largest:.3g}",
            f"is beyond {task.dtype}, which ends at {limit:.3g}",
            f"use {param('dtype', 'float64')}",
        )
