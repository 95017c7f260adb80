"""The engine: one image, one layer, one specification in; one frozen result out.

direct      R(o, y, x) = bias(o) + Σc Σi Σj k(o, c, i, j) · I(c, s·y + d·i - top, s·x + d·j - left)
transposed  its adjoint: every input pixel adds k · I to the outputs that the direct operation would read it for
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
from convcli.errors import GeometryError, ImageError
from convcli.geometry import Geometry, Size
from convcli.layer import Layer, native
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift
from convcli.pointwise.ranges import Clipped
from convcli.windows import Held, Source, Target


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


def run(
    image: NDArray[np.generic] | Source,
    layer: Layer,
    spec: ConvSpec,
    compute: Compute = Compute(),
    finish: Finish = Finish(),
    lift: Lift | None = None,
    target: Target | None = None,
    block: Size | None = None,
) -> ConvResult:
    """Do an operation, as `torch.nn.Conv2d` or, where `spec` says transposed, `torch.nn.ConvTranspose2d` computes it.

    Parameters
    ----------
    image : ndarray or Source
        ``(C_in, H, W)`` or ``(N, C_in, H, W)``, any real dtype, pixel values as stored; N may be 0. A source is a batch.
    layer : Layer
        The weights, as `Layer.of` makes them for `spec`.
    spec : ConvSpec
        Stride, padding, dilation. Operation and groups are the layer's already.
    compute : Compute
        Backend, device, dtype and threads.
    finish : Finish
        What is done to results while they are in the cache: nothing by default.
    lift : Lift, optional
        What is done to pixels before the kernel reads them; C_in is then what it makes of the image's channels.
    target : Target, optional
        What takes the result block by block; the result's array is then empty.
    block : Size, optional
        Rows and columns of a block, at least; None: the whole result is one.

    Raises
    ------
    GeometryError
        Shapes, groups, sizes or paddings that do not fit together; a layer and a specification that contradict each other.
    ImageError
        An image of complex numbers, or of no numbers.
    BackendError
        A backend, device or dtype that is not available.
    """
    return prepare(image, layer, spec, compute, finish, lift, target, block).run()


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
        start = perf_counter()
        computed = module.run(self.task)
        return self.result(computed, perf_counter() - start)

    def result(self, computed: Computed, seconds: float) -> ConvResult:
        """The result around what a backend has computed."""
        array = computed.array
        shape = array.shape if self.task.target is None else (*array.shape[:2], *self.task.geometry.output)
        return ConvResult(
            array=array if self.batched else array[0],
            input_shape=self.task.source.shape[not self.batched :],
            output_shape=shape[not self.batched :],
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
    image: NDArray[np.generic] | Source,
    layer: Layer,
    spec: ConvSpec,
    compute: Compute = Compute(),
    finish: Finish = Finish(),
    lift: Lift | None = None,
    target: Target | None = None,
    block: Size | None = None,
) -> Call:
    """Check an operation and resolve its sizes, backend and dtype, as `run` does."""
    if (layer.transpose, layer.groups) != (spec.transpose, spec.groups):
        raise GeometryError(
            f"a layer that is {_said(layer)}",
            f"contradicts a specification that is {_said(spec)}",
            "make it by Layer.of",
        )
    if isinstance(image, np.ndarray):
        image = native(image, "an image", ImageError)
        batched = image.ndim == 4
        image = Held(image if batched else image[np.newaxis])
    else:
        batched = True
    source: Source = image
    _, channels, height, width = source.shape
    layer.check(channels if lift is None else lift.outputs(channels))
    geometry = spec.resolve((height, width), layer.kernel)
    likely = "torch" if compute.backend == "auto" else compute.backend  # torch has every dtype
    pixels = np.dtype(lift.dtype) if lift else source.dtype
    task = Task(
        source=source,
        layer=layer,
        geometry=geometry,
        dtype=dispatch.choose_dtype(compute.dtype, likely, pixels, finish.dtype),
        device=compute.device,
        threads=compute.threads,
        plan=compute.plan,
        finish=finish,
        lift=lift,
        target=target,
        block=block,
    )
    dispatch.check_memory(task, compute.backend)
    start = perf_counter()
    name, reason = dispatch.choose_backend(task, compute.backend, compute.dtype)
    backends.load(name)
    imported = perf_counter() - start
    if name != likely:
        task = replace(task, dtype=dispatch.choose_dtype(compute.dtype, name, pixels, finish.dtype))
    if name != compute.backend:
        dispatch.check_memory(task, name)
    dispatch.check_range(task)
    return Call(task, name, reason, batched, imported)


def _said(of: Layer | ConvSpec) -> str:
    return f"{'transposed' if of.transpose else 'direct'} with groups {of.groups}"
