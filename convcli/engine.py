"""The engine: one image, one weight array, one specification in; one frozen result out.

convolve    R(o, y, x) = bias(o) + Σc Σi Σj k(o, c, i, j) · I(c, s·y + d·i - top, s·x + d·j - left)
transpose   its adjoint: every input pixel adds k · I to the outputs that the direct operation would read it for
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from math import prod
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli import backends
from convcli.backends import Considered
from convcli.errors import BackendError, GeometryError
from convcli.finish import Finish
from convcli.geometry import ConvSpec, Geometry, Pads
from convcli.ranges import Clipped


@dataclass(frozen=True, slots=True)
class Compute:
    """How to compute: backend, device, dtype (None: by the input), threads (None: all), plan (None: the planner's choice)."""

    backend: str = "auto"
    device: str = "cpu"
    dtype: str | None = None
    threads: int | None = None
    plan: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ConvResult:
    """What an operation returned and how it was computed.

    Attributes
    ----------
    array : ndarray
        ``(C_out, H_out, W_out)``, or ``(N, C_out, H_out, W_out)`` for a batch, in the input's units; floating point unless
        a finish made integers of it.
    geometry : Geometry
        Every size, stride and padding as resolved.
    backend, device, dtype, plan : str
        What did the work; `reason` says why `auto` chose it ("" when the user chose).
    seconds : float
        Wall time of the computation; importing the backend is not counted.
    clipped : Clipped
        What the finish clipped.
    considered : tuple of Considered
        The plans that the numpy backend weighed, the cheapest first.
    """

    array: NDArray[Any]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    geometry: Geometry
    backend: str
    device: str
    dtype: str
    plan: str
    reason: str
    seconds: float
    clipped: Clipped = Clipped()
    considered: tuple[Considered, ...] = ()


def convolve(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    spec: ConvSpec,
    compute: Compute = Compute(),
    bias: NDArray[np.floating] | None = None,
    finish: Finish = Finish(),
) -> ConvResult:
    """Convolve or correlate an image, as `torch.nn.Conv2d` computes it.

    Parameters
    ----------
    image : ndarray
        ``(C_in, H, W)`` or ``(N, C_in, H, W)``, any real dtype, pixel values as stored.
    weight : ndarray
        ``(C_out, C_in/groups, kh, kw)``.
    spec : ConvSpec
        Operation, stride, padding, dilation, groups.
    compute : Compute
        Backend, device, dtype and threads.
    bias : ndarray, optional
        ``(C_out,)``, in the image's units.
    finish : Finish
        What is done to results while they are in the cache: nothing by default.

    Raises
    ------
    GeometryError
        Shapes, groups, sizes or paddings that do not fit together.
    BackendError
        A backend, device or dtype that is not available.
    """
    return prepare(image, weight, replace(spec, transpose=False), compute, bias, finish).run()


def transpose(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    spec: ConvSpec,
    compute: Compute = Compute(),
    bias: NDArray[np.floating] | None = None,
    finish: Finish = Finish(),
) -> ConvResult:
    """Transposed convolution, as `torch.nn.ConvTranspose2d` computes it.

    As `convolve`, with ``weight (C_in, C_out/groups, kh, kw)``.
    """
    return prepare(image, weight, replace(spec, transpose=True), compute, bias, finish).run()


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An operation checked and resolved: ready to run, once or many times.

    Attributes
    ----------
    batch : ndarray
        ``(N, C_in, H, W)``.
    weight : ndarray
        As the backend takes it: already flipped where the operation flips it.
    """

    batch: NDArray[np.generic]
    weight: NDArray[np.floating]
    bias: NDArray[np.floating] | None
    geometry: Geometry
    groups: int
    backend: str
    compute: Compute
    dtype: str
    reason: str
    batched: bool
    finish: Finish

    def run(self) -> ConvResult:
        """Compute."""
        module = backends.load(self.backend)
        operation = module.correlate_transpose if self.geometry.transpose else module.correlate
        compute = self.compute
        native = {"plan": compute.plan, "finish": self.finish} if self.backend == "numpy" else {}
        start = perf_counter()
        computed = operation(
            self.batch, self.weight, self.bias, self.geometry, self.groups,
            dtype=self.dtype, device=compute.device, threads=compute.threads, **native,
        )  # fmt: skip
        if not native:
            computed = computed.finished(self.finish)
        return self.result(computed, perf_counter() - start)

    def result(self, computed: backends.Computed, seconds: float) -> ConvResult:
        """The result around what a backend has computed."""
        array, image = (computed.array, self.batch) if self.batched else (computed.array[0], self.batch[0])
        return ConvResult(
            array=array,
            input_shape=image.shape,
            output_shape=array.shape,
            geometry=self.geometry,
            backend=self.backend,
            device=self.compute.device,
            dtype=self.dtype,
            plan=computed.plan,
            reason=self.reason,
            seconds=seconds,
            clipped=computed.clipped,
            considered=computed.considered,
        )


def prepare(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    spec: ConvSpec,
    compute: Compute = Compute(),
    bias: NDArray[np.floating] | None = None,
    finish: Finish = Finish(),
) -> Call:
    """Check an operation and resolve its sizes, backend and dtype, as `convolve` and `transpose` do."""
    batch = image if image.ndim == 4 else image[np.newaxis]
    filters = check_channels(batch.shape[1], weight.shape, spec)
    if bias is not None and bias.shape != (filters,):
        raise GeometryError(
            f"bias has {bias.size} values for {filters} output channels: give one value, or one per output channel"
        )
    geometry = spec.resolve((batch.shape[2], batch.shape[3]), (weight.shape[2], weight.shape[3]))
    compute = spare_phases(compute, geometry)
    name, reason = choose_backend(
        compute, count_macs(batch.shape, weight.shape, geometry), batch.shape[1] // spec.groups
    )
    dtype = choose_dtype(compute.dtype, name, image.dtype)
    check_memory(geometry, batch.shape, filters, dtype)
    if spec.op == "conv":
        weight = weight[:, :, ::-1, ::-1]
    return Call(batch, weight, bias, geometry, spec.groups, name, compute, dtype, reason, image.ndim == 4, finish)


def check_channels(channels: int, weight: tuple[int, ...], spec: ConvSpec) -> int:
    """Check that image channels, weight shape and groups fit together; return the number of output channels."""
    groups = spec.groups
    if len(weight) != 4:
        raise GeometryError(f"weights of shape {weight} are not 4-D: (C_out, C_in/groups, kh, kw) is wanted")
    if channels % groups:
        raise GeometryError(f"groups {groups} does not divide the {channels} input channels: {_divisors(channels)}")
    if spec.transpose:
        if weight[0] != channels:
            raise GeometryError(
                f"weights of shape {weight} take {weight[0]} input channels, the image has {channels}: "
                "transposed weights are (C_in, C_out/groups, kh, kw)"
            )
        return weight[1] * groups
    if weight[0] % groups:
        raise GeometryError(f"groups {groups} does not divide the {weight[0]} output channels: {_divisors(weight[0])}")
    if weight[1] * groups != channels:
        raise GeometryError(
            f"weights of shape {weight} with groups {groups} take {weight[1] * groups} input channels, the image has "
            f"{channels}: weights are (C_out, C_in/groups, kh, kw)"
        )
    return weight[0]


def _divisors(n: int) -> str:
    return "use one of " + ", ".join(str(g) for g in range(1, n + 1) if n % g == 0)


def count_macs(batch: tuple[int, ...], weight: tuple[int, ...], geometry: Geometry) -> int:
    """Multiply-accumulates: every weight meets every output pixel, or, transposed, every input pixel."""
    return batch[0] * prod(weight) * prod(geometry.input if geometry.transpose else geometry.output)


TORCH_IMPORT_SECONDS = 2.0
NUMPY_MACS_PER_SECOND = 0.5e9
TORCH_MACS_PER_SECOND = {"dense": 50e9, "per channel": 0.5e9}
"""Rounded down from `convcli compare` on a 2-core machine: torch has fast code for layers of many channels only."""


def choose_backend(compute: Compute, macs: int, channels_per_group: int) -> tuple[str, str]:
    """Resolve ``auto`` to the backend that should finish first, torch's import counted in; also say why."""
    if compute.plan is not None and (compute.backend not in ("auto", "numpy") or compute.device != "cpu"):
        raise BackendError(
            f"plan '{compute.plan}' is the numpy backend's: use --backend numpy on the CPU, or leave --plan out"
        )
    if compute.plan is not None:
        return "numpy", "" if compute.backend == "numpy" else "a plan is asked for"
    if compute.backend != "auto":
        if compute.device != "cpu" and compute.backend != "torch":
            raise BackendError(
                f"backend '{compute.backend}' runs on the CPU only, not on '{compute.device}': use --backend torch or auto"
            )
        return compute.backend, ""
    if compute.device != "cpu":
        return "torch", f"only torch runs on {compute.device}"
    if compute.dtype in ("float16", "bfloat16"):
        return "torch", f"only torch computes in {compute.dtype}"
    rate = TORCH_MACS_PER_SECOND["dense" if channels_per_group >= 8 else "per channel"]
    numpy_seconds = macs / NUMPY_MACS_PER_SECOND
    torch_seconds = macs / rate + (0 if "torch" in sys.modules else TORCH_IMPORT_SECONDS)
    if torch_seconds < numpy_seconds:
        return "torch", f"{macs / 1e9:.2g} GMAC over {channels_per_group} channels per group pay for torch's import"
    return "numpy", f"{macs / 1e9:.2g} GMAC: done before torch would be imported" if macs else "no work"


MAX_PHASES = 1024
"""Strides beyond which the numpy backend's transposed operation, phase by phase, is the wrong tool."""


def spare_phases(compute: Compute, geometry: Geometry) -> Compute:
    """Send a transposed operation of very many phases to torch, or refuse it."""
    phases = geometry.stride.rows * geometry.stride.columns
    if not geometry.transpose or phases <= MAX_PHASES or compute.backend not in ("auto", "numpy"):
        return compute
    if compute.backend == "numpy":
        raise BackendError(
            f"stride {geometry.stride.rows},{geometry.stride.columns} means {phases} phases, more than the "
            f"numpy backend's {MAX_PHASES}: use --backend torch or auto"
        )
    return replace(compute, backend="torch")


def choose_dtype(wanted: str | None, backend: str, image: np.dtype[np.generic]) -> str:
    """The dtype of the computation: as asked for, else float32, or float64 for a float64 image."""
    if wanted is None:
        if backend == "reference" or image == np.float64:
            return "float64"
        return "float32"
    if wanted not in backends.DTYPES[backend]:
        raise BackendError(
            f"backend '{backend}' does not compute in {wanted}: use --dtype {' or '.join(backends.DTYPES[backend])}"
            + (", or --backend torch" if wanted in backends.DTYPES["torch"] and backend != "torch" else "")
        )
    return wanted


def check_memory(geometry: Geometry, batch: tuple[int, ...], filters: int, dtype: str) -> None:
    """Refuse, before anything is allocated, what cannot fit into this machine's memory."""
    pads = Pads(0, 0, 0, 0) if geometry.transpose else geometry.pads
    padded = (batch[2] + pads.top + pads.bottom) * (batch[3] + pads.left + pads.right)
    output = (batch[0], filters, *geometry.output)
    need = (batch[0] * batch[1] * padded + prod(output)) * (8 if dtype == "float64" else 4)
    try:
        have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on every platform
        return
    if need > have:
        raise GeometryError(
            f"an output of shape {output} from {padded} padded pixels needs {need / 2**30:.1f} GiB, this machine has "
            f"{have / 2**30:.1f}: use a larger --stride, less --padding or fewer kernels"
        )
