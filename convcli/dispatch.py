"""Choose the backend and the dtype of a task, and check that this machine has the memory for it."""

from __future__ import annotations

from math import prod

import numpy as np

from convcli import backends
from convcli.backends import Task
from convcli.errors import BackendError, GeometryError, KernelError, param
from convcli.system import memory
from convcli.system.context import torch_was_imported
from convcli.system.parallel import workers
from convcli.vocabulary import DTYPES

TORCH_IMPORT_SECONDS = 2.0

TORCH_MACS_PER_SECOND = {"dense": 40e9, "per channel": 2e9}
"""Of one thread, as `convcli compare` measures them. torch has fast code only for layers of many channels ("dense").
For large kernels on few channels it uses transforms and is faster than this. But numpy's transforms, tile by tile,
take a tenth of that time."""

TORCH_VALUES_PER_SECOND = 1e9
"""Values of input and output that one thread converts, reads and writes, in addition to the computation."""

FAST_CHANNELS = 8
"""torch's fast code is used from this number of channels in a group."""

ALWAYS_NUMPY_MACS = 1e7
"""With less work than this, numpy is done before torch could begin."""


def choose_backend(task: Task, wanted: str, dtype: str | None) -> tuple[str, str]:
    """The backend for a task, and why it was chosen: ``auto`` is the one with the shortest predicted time, including its import.

    `wanted` and `dtype` are the user's choices; the task's dtype is ignored. The reason is empty if the user chose.

    Raises
    ------
    BackendError
        The backend does not have this plan or device, or it cannot do the operation.
    """
    device, on_cpu = task.device, task.device == "cpu"
    if task.plan is not None and (wanted not in ("auto", "numpy") or not on_cpu):
        raise BackendError(
            f"plan '{task.plan}'",
            "belongs to the numpy backend",
            f"use {param('backend', 'numpy')} on the CPU, or leave {param('plan')} out",
        )
    if (task.plan is not None or wanted == "numpy") and on_cpu and (reason := _gaps(task)):
        raise _too_sparse(reason)
    if task.plan is not None:
        return "numpy", "" if wanted == "numpy" else "a plan was asked for"
    if wanted not in ("auto", "torch"):
        if not on_cpu:
            remedy = f"use {param('backend', 'torch')} or auto"
            raise BackendError(f"backend '{wanted}'", f"runs on the CPU only, not on '{device}'", remedy)
        return wanted, ""
    if not on_cpu:
        asked, other, reason = f"device '{device}'", param("device", "cpu"), f"only torch runs on {device}"
    elif wanted == "torch":
        asked, other, reason = "backend 'torch'", param("backend", "numpy"), ""
    elif dtype in ("float16", "bfloat16"):
        asked, other, reason = f"dtype '{dtype}'", param("dtype", "float32"), f"only torch computes in {dtype}"
    else:
        return _faster(task, dtype)
    if not _has_torch():
        raise BackendError(asked, "needs torch, which is not installed", f"{_how_to_get_torch()}, or use {other}")
    return "torch", "" if wanted == "torch" else reason


def _has_torch() -> bool:
    from convcli.extras import is_installed  # only large work needs to know

    return is_installed("torch")


def _how_to_get_torch() -> str:
    from convcli.extras import how_to_get

    return how_to_get("torch")


def _too_sparse(reason: str) -> BackendError:
    """The error of what only torch can do."""
    torch = param("backend", "torch") + ("" if _has_torch() else f" ({_how_to_get_torch()})")
    remedy = f"{reason}; use {torch}, or another dilation or stride"
    return BackendError("backend 'numpy'", "cannot do this", remedy)


def _gaps(task: Task) -> str:
    """Why numpy cannot do a task; empty if it can."""
    if not task.geometry.transpose:
        return ""
    from convcli.backends.numpy.phases import sparse

    return sparse(task.layer.weight, task.geometry)


def _faster(task: Task, dtype: str | None) -> tuple[str, str]:
    """The faster of numpy and torch by their predicted times, and the reason in words."""
    if reason := _gaps(task):
        if not _has_torch():
            raise _too_sparse(reason)
        return "torch", reason
    geometry = task.geometry
    # each weight is used once for every output pixel (transposed: every input pixel)
    macs = task.images * task.layer.weight.size * prod(geometry.input if geometry.transpose else geometry.output)
    channels = task.layer.inputs // task.layer.groups
    torch_import = 0 if torch_was_imported() else TORCH_IMPORT_SECONDS
    rate = TORCH_MACS_PER_SECOND["dense" if channels >= FAST_CHANNELS else "per channel"]
    values = prod(task.source.shape) + task.images * task.layer.outputs * prod(geometry.output)
    if macs < ALWAYS_NUMPY_MACS:
        return "numpy", "too little work for another backend to be faster"
    if not _has_torch():
        return "numpy", "the fastest that is installed"
    from convcli.backends.numpy import USUAL, predicted_seconds

    torch_seconds = (macs / rate + values / TORCH_VALUES_PER_SECOND) / USUAL + torch_import

    numpy_seconds = predicted_seconds(task._replace(dtype=choose_dtype(dtype, "numpy", task.pixels, task.finish.dtype)))
    name = "torch" if torch_seconds < numpy_seconds else "numpy"
    with_import = ", including its import" if torch_import else ""
    if workers(task.threads) != USUAL:
        with_import += f", on {USUAL} threads"
    return name, (
        f"{macs / 1e9:.2g} GMAC: {numpy_seconds:.2g} s predicted for numpy, {torch_seconds:.2g} s for torch{with_import}"
    )


def choose_dtype(wanted: str | None, backend: str, image: np.dtype[np.generic], kept: str | None = None) -> str:
    """The dtype of the computation: the wanted one, else float32, or float64 if float32 is not accurate enough.

    `image` is the dtype of the pixels that the kernel reads, and results are rounded to the dtype `kept`. float32 rounds
    sums of 16-bit values by up to a hundredth of a level, so that about one result in a few hundred gets a different level.
    numpy therefore computes these in float64. With torch the user has to ask for it, because many of its devices are
    very slow in float64.

    Raises
    ------
    BackendError
        The backend does not compute in the wanted dtype.
    """
    if wanted is None:
        deep = backend == "numpy" and kept == "uint16"
        return "float64" if deep or backend == "reference" or image == np.float64 else "float32"
    if wanted not in DTYPES[backend]:
        other = f", or {param('backend', 'torch')}" if wanted in DTYPES["torch"] and backend != "torch" else ""
        remedy = f"use {param('dtype', ' or '.join(DTYPES[backend]))}{other}"
        raise BackendError(f"backend '{backend}'", f"does not compute in {wanted}", remedy)
    return wanted


def check_memory(task: Task, backend: str) -> None:
    """Refuse a task that needs more memory than this machine has, before anything is allocated.

    It needs memory for the input, its copies and the output. The memory of devices other than the CPU is not checked
    here: torch raises an error when it runs out.

    Raises
    ------
    GeometryError
        The task needs more memory.
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
            less = f"{param('backend', 'numpy')}, which does not copy a padded image, {less}"
        rule = f"needs {need / 2**30:.1f} GiB, {memory.share()}"
        remedy = f"use {less} or fewer kernels"
        raise GeometryError(f"an output of shape {output}{origin}, with its input,", rule, remedy)


def _copies(task: Task, backend: str) -> tuple[int, str]:
    """Bytes of the copies of the image on the host, and words that say from what the output is made.

    ``numpy`` (and ``auto``, which may become numpy) never copies a whole image. Other backends lift the image, and pad
    it in the dtype of the computation. On the CPU, torch also uses transforms for large kernels.
    """
    if backend in ("numpy", "auto"):
        return 0, ""
    geometry, weight, (count, _, height, width) = task.geometry, task.layer.weight, task.source.shape
    planes, real = count * task.layer.inputs, _itemsize(task)
    if task.device != "cpu":
        return 0 if task.lift is None else planes * height * width * task.pixels.itemsize, ""
    pads = geometry.reach
    padded = (height + pads.top + pads.bottom) * (width + pads.left + pads.right)
    widened = height * width if padded != height * width else 0  # converted before it is padded
    lifted = 0 if task.lift is None else height * width
    work = 0
    if backend == "torch":
        from convcli.backends import spectra

        if task.dtype in spectra.DTYPES and spectra.suits(weight.shape, task.layer.groups, geometry):
            narrow = task.pixels.kind in "uib" and task.pixels.itemsize <= 2
            itemsize = real if narrow else 8  # values with a wide range are transformed in float64
            work = spectra.working_bytes((count, task.layer.inputs, height, width), weight.shape, geometry, itemsize)
    return planes * (padded + widened + lifted) * real + work, f" from {padded} padded pixels"


def _results(task: Task, backend: str) -> int:
    """Bytes of the results on the host: as computed and as kept. Only as kept if they are finished tile by tile or on a device."""
    finish, real = task.finish, _itemsize(task)
    values = task.images * prod(task.geometry.output)
    kept = real if finish.dtype is None else np.dtype(finish.dtype).itemsize
    finished = values * finish.outputs(task.layer.outputs) * kept
    if backend in ("numpy", "auto") or (task.device != "cpu" and backends.only_stores(finish)):
        return finished
    return values * task.layer.outputs * real + finished * (kept != real)


def _itemsize(task: Task) -> int:
    """Bytes of a computed value on the host, where float16 and bfloat16 become float32."""
    return 8 if task.dtype == "float64" else 4


def check_range(task: Task) -> None:
    """Refuse weights that the dtype of the computation cannot hold.

    Raises
    ------
    BackendError
        A weight would become infinite.
    KernelError
        A weight is NaN or infinite.
    """
    limit = float(np.finfo("float32" if task.dtype == "bfloat16" else task.dtype).max)
    largest = task.layer.largest_weight
    if not np.isfinite(largest):
        rule = "contain NaN or infinity, and then so do the results"
        raise KernelError("the weights", rule, "use finite ones")
    if largest > limit:
        rule = f"is larger than {task.dtype} can hold, which is {limit:.3g} at most"
        raise BackendError(f"a weight of {largest:.3g}", rule, f"use {param('dtype', 'float64')}")
