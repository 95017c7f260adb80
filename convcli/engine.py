"""The engine: one image, one weight array, one specification in; one frozen result out.

convolve    R(o, y, x) = bias(o) + Σc Σi Σj k(o, c, i, j) · I(c, s·y + d·i - top, s·x + d·j - left)
transpose   its adjoint: every input pixel adds k · I to the outputs that the direct operation would read it for
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli import backends, dispatch
from convcli.backends import Computed, Considered, Task
from convcli.convspec import ConvSpec
from convcli.errors import ConvError, GeometryError, ImageError, KernelError
from convcli.geometry import Geometry
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift
from convcli.pointwise.ranges import Clipped


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
    import_seconds : float
        What choosing the backend and importing it took.
    seconds : float
        Wall time of the computation; importing the backend is not counted.
    clipped : Clipped
        What the finish clipped.
    considered : tuple of Considered
        The plans that the numpy backend weighed, the chosen one first.
    mixes : bool
        Whether rounding is relative to more than the terms of each sum: see `convcli.backends.Computed`.
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
    import_seconds: float
    seconds: float
    clipped: Clipped = Clipped()
    considered: tuple[Considered, ...] = ()
    mixes: bool = False


def convolve(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    spec: ConvSpec,
    compute: Compute = Compute(),
    bias: NDArray[np.floating] | None = None,
    finish: Finish = Finish(),
    lift: Lift | None = None,
) -> ConvResult:
    """Convolve or correlate an image, as `torch.nn.Conv2d` computes it.

    Parameters
    ----------
    image : ndarray
        ``(C_in, H, W)`` or ``(N, C_in, H, W)``, any real dtype, pixel values as stored; N may be 0.
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
    lift : Lift, optional
        What is done to pixels before the kernel reads them; C_in is then what it makes of the image's channels.

    Raises
    ------
    GeometryError
        Shapes, groups, sizes or paddings that do not fit together.
    ImageError, KernelError
        An image, or weights, of complex numbers or of none.
    BackendError
        A backend, device or dtype that is not available.
    """
    return prepare(image, weight, _turned(spec, False), compute, bias, finish, lift).run()


def transpose(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    spec: ConvSpec,
    compute: Compute = Compute(),
    bias: NDArray[np.floating] | None = None,
    finish: Finish = Finish(),
    lift: Lift | None = None,
) -> ConvResult:
    """Transposed convolution, as `torch.nn.ConvTranspose2d` computes it.

    As `convolve`, with ``weight (C_in, C_out/groups, kh, kw)``.
    """
    return prepare(image, weight, _turned(spec, True), compute, bias, finish, lift).run()


def _turned(spec: ConvSpec, transposed: bool) -> ConvSpec:
    return spec if spec.transpose == transposed else replace(spec, transpose=transposed)


class Call(NamedTuple):
    """An operation checked and resolved: ready to run, once or many times.

    Attributes
    ----------
    task : Task
        What the backend is called with.
    backend, reason : str
        Which one, and why `auto` chose it.
    batched : bool
        Whether the image came as a batch.
    import_seconds : float
        What importing the backend took.
    """

    task: Task
    backend: str
    reason: str
    batched: bool
    import_seconds: float

    def run(self) -> ConvResult:
        """Compute."""
        module = backends.load(self.backend)
        operation = module.correlate_transpose if self.task.geometry.transpose else module.correlate
        start = perf_counter()
        computed = operation(self.task)
        return self.result(computed, perf_counter() - start)

    def result(self, computed: Computed, seconds: float) -> ConvResult:
        """The result around what a backend has computed."""
        array, image = (computed.array, self.task.x) if self.batched else (computed.array[0], self.task.x[0])
        return ConvResult(
            array=array,
            input_shape=image.shape,
            output_shape=array.shape,
            geometry=self.task.geometry,
            backend=self.backend,
            device=self.task.device,
            dtype=self.task.dtype,
            plan=computed.plan,
            reason=self.reason,
            import_seconds=self.import_seconds,
            seconds=seconds,
            clipped=computed.clipped,
            considered=computed.considered,
            mixes=computed.mixes,
        )


def prepare(
    image: NDArray[np.generic],
    weight: NDArray[np.floating],
    spec: ConvSpec,
    compute: Compute = Compute(),
    bias: NDArray[np.floating] | None = None,
    finish: Finish = Finish(),
    lift: Lift | None = None,
) -> Call:
    """Check an operation and resolve its sizes, backend and dtype, as `convolve` and `transpose` do."""
    image, weight = _native(image, "an image", ImageError), _native(weight, "weights", KernelError)
    bias = None if bias is None else _native(bias, "a bias", KernelError)
    batch = image if image.ndim == 4 else image[np.newaxis]
    channels = batch.shape[1] if lift is None else lift.outputs(batch.shape[1])
    filters = check_channels(channels, weight.shape, spec)
    if bias is not None and bias.shape != (filters,):
        raise GeometryError(
            f"bias has {bias.size} values for {filters} output channels: give one value, or one per output channel"
        )
    geometry = spec.resolve((batch.shape[2], batch.shape[3]), (weight.shape[2], weight.shape[3]))
    if spec.op == "conv":
        weight = weight[:, :, ::-1, ::-1]
    likely = "torch" if compute.backend == "auto" else compute.backend  # torch has every dtype
    task = Task(
        x=batch,
        weight=weight,
        bias=bias,
        geometry=geometry,
        groups=spec.groups,
        dtype=dispatch.choose_dtype(compute.dtype, likely, np.dtype(lift.dtype) if lift else batch.dtype, finish.dtype),
        device=compute.device,
        threads=compute.threads,
        plan=compute.plan,
        finish=finish,
        lift=lift,
    )
    dispatch.check_memory(task, compute.backend)
    start = perf_counter()
    name, reason = dispatch.choose_backend(task, compute.backend, compute.dtype)
    backends.load(name)
    imported = perf_counter() - start
    if name != likely:
        task = replace(task, dtype=dispatch.choose_dtype(compute.dtype, name, task.source, finish.dtype))
    if name != compute.backend:
        dispatch.check_memory(task, name)
    dispatch.check_range(task)
    return Call(task, name, reason, image.ndim == 4, imported)


def _native(array: NDArray[Any], what: str, error: type[ConvError]) -> NDArray[Any]:
    """An array of real numbers in a dtype that every backend takes: of this machine's byte order, no wider than float64."""
    if array.dtype.kind not in "buif":
        raise error(f"{what} of dtype {array.dtype} cannot be convolved: give real numbers, complex ones part by part")
    if array.dtype.char == "g":  # long double, which torch does not know even where it is float64 by another name
        return array.astype(np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def check_channels(channels: int, weight: tuple[int, ...], spec: ConvSpec) -> int:
    """Check that image channels, weight shape and groups fit together; return the number of output channels."""
    if len(weight) != 4:
        raise GeometryError(f"weights of shape {weight} are not 4-D: (C_out, C_in/groups, kh, kw) is wanted")
    misfit, rule = _misfit(channels, weight, spec)
    if misfit:
        raise GeometryError(f"{misfit}: {_remedy(channels, weight, spec)}{rule}")
    return weight[1] * spec.groups if spec.transpose else weight[0]


def _misfit(channels: int, weight: tuple[int, ...], spec: ConvSpec) -> tuple[str, str]:
    """What does not fit, and the rule of the weights' shape if that is it; empty if all fits."""
    groups = spec.groups
    if channels % groups:
        return f"groups {groups} does not divide the {channels} input channels", ""
    taken = weight[0] if spec.transpose else weight[1] * groups
    if not spec.transpose and weight[0] % groups:
        return f"groups {groups} does not divide the {weight[0]} output channels", ""
    said = f"{taken} input channel{'s' * (taken != 1)}"
    if taken != channels and spec.transpose:
        return (
            f"weights of shape {weight} take {said}, the image has {channels}",
            " (transposed weights are (C_in, C_out/groups, kh, kw))",
        )
    if taken != channels:
        return (
            f"weights of shape {weight} with groups {groups} take {said}, the image has {channels}",
            " (weights are (C_out, C_in/groups, kh, kw))",
        )
    return "", ""


def _remedy(channels: int, weight: tuple[int, ...], spec: ConvSpec) -> str:
    """What makes an image's channels and weights fit: other groups, or else another image."""
    if spec.transpose:
        fitting = [g for g in range(1, channels + 1) if weight[0] == channels and channels % g == 0]
    else:
        fitting = [g for g in range(1, channels + 1) if weight[1] * g == channels and weight[0] % g == 0]
    if fitting:
        return "use --groups " + " or ".join(map(str, fitting))
    taken = weight[0] if spec.transpose else weight[1] * spec.groups
    return "use --channels gray" if taken == 1 else f"use an image of {taken} channels"
