"""The engine: one image, one layer and one specification go in, one frozen result comes out.

direct      R(o, y, x) = bias(o) + Σc Σi Σj k(o, c, i, j) · I(c, s·y + d·i - top, s·x + d·j - left)
transposed  its adjoint: every input pixel adds k(c, o, i, j) · I(c, y, x) to R(o, s·y + d·i - top, s·x + d·j - left)
"""

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from convcli import backends, dispatch
from convcli.backends import Computed, Considered, Task, Watch
from convcli.convspec import ConvSpec
from convcli.errors import BackendError, GeometryError, ImageError, param
from convcli.geometry import Geometry
from convcli.layer import Layer, native
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift
from convcli.pointwise.ranges import Clipped
from convcli.records import NamedTuple
from convcli.system.context import entered
from convcli.windows import Array, Held, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convcli.backends.numpy.blocks import Blockwise


class Compute(NamedTuple):
    """How to compute an operation."""

    backend: str = "auto"  # one of `convcli.vocabulary.BACKENDS`, or ``auto``
    device: str = "cpu"  # ``cpu``, ``cuda`` or ``cuda:N``
    dtype: str | None = None  # of the computation; None: chosen by the input's dtype
    threads: int | None = None  # the most threads to use; None: all
    plan: str | None = None  # the plan of the numpy backend; None: the planner's choice


class ConvResult(NamedTuple):
    """The result of an operation, and how it was computed."""

    # ``(C_out, H_out, W_out)``, or ``(N, C_out, H_out, W_out)`` for a batch, in the input's units. Floating point,
    # unless the finish made integers.
    array: Array
    # of the image, and of the whole result
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    geometry: Geometry  # all sizes, strides and paddings, as resolved
    backend: str
    device: str
    dtype: str  # of the computation
    plan: str  # in words
    reason: str  # why ``auto`` chose the backend; empty if the user chose it
    import_seconds: float  # time to choose the backend and to import it
    seconds: float  # wall time of the computation, without the import
    clipped: Clipped = Clipped()  # counts of the values that the finish clipped
    considered: tuple[Considered, ...] = ()  # the plans that the numpy backend compared, the chosen one first
    mixes: bool = False  # see `convcli.backends.Computed`


def run(
    image: "NDArray[np.generic] | Source",
    layer: Layer,
    spec: ConvSpec,
    compute: Compute = Compute(),
    finish: Finish = Finish(),
    lift: Lift | None = None,
    begin: Callable[[Task], Watch | None] | None = None,
) -> ConvResult:
    """Compute an operation, as `torch.nn.Conv2d` does or, if `spec` is transposed, as `torch.nn.ConvTranspose2d` does.

    Parameters
    ----------
    image : ndarray or Source
        ``(C_in, H, W)`` or ``(N, C_in, H, W)``, any real dtype, pixel values as stored. N may be 0. A source is always
        a batch.
    layer : Layer
        The weights, made for `spec` by `Layer.of`.
    spec : ConvSpec
        Stride, padding and dilation. Its operation and its groups must be those of the layer.
    compute : Compute
        Backend, device, dtype, threads and plan.
    finish : Finish
        What happens to the results while they are still in the cache; by default nothing.
    lift : Lift, optional
        What happens to the pixels before the kernel reads them. C_in is then the number of channels after the lift.
    begin : callable, optional
        Gives for the task what is to be told of rows that are finished while others are computed. Only the numpy backend tells.

    Raises
    ------
    GeometryError
        Shapes, groups, sizes or paddings do not fit together, or the layer and the specification contradict each other.
    ImageError
        The image holds complex numbers, or no numbers.
    KernelError
        A weight is NaN or infinite.
    BackendError
        The backend, device or dtype is not available, or a weight is too large for the dtype.
    """
    with entered():  # what choosing a backend has planned is not planned again
        call = prepare(image, layer, spec, compute, finish, lift)
        if begin is not None and call.backend == "numpy":
            call = call._replace(task=call.task._replace(watch=begin(call.task)))
        return call.run()


class Call(NamedTuple):
    """An operation that is checked and resolved: it can be run once or many times."""

    task: Task  # the input of the backend
    # the name of the backend, and why ``auto`` chose it
    backend: str
    reason: str
    act: Callable[[Task], Computed]  # the backend
    batched: bool  # whether the image was given as a batch
    import_seconds: float  # time to choose the backend and to import it

    def run(self) -> ConvResult:
        """Compute."""
        start = perf_counter()
        computed = self.act(self.task)
        return self.result(computed, perf_counter() - start)

    def result(self, computed: Computed, seconds: float) -> ConvResult:
        """The result made of a backend's output; `seconds` is the wall time of the computation."""
        task, (array, plan, clipped, considered, mixes) = self.task, computed
        return ConvResult(
            array if self.batched else array[0], task.source.shape[not self.batched :], array.shape[not self.batched :],
            task.geometry, self.backend, task.device, task.dtype, plan, self.reason, self.import_seconds, seconds,
            clipped, considered, mixes,
        )  # fmt: skip


def prepare(
    image: "NDArray[np.generic] | Source",
    layer: Layer,
    spec: ConvSpec,
    compute: Compute = Compute(),
    finish: Finish = Finish(),
    lift: Lift | None = None,
) -> Call:
    """Check an operation and resolve its sizes, backend and dtype. Parameters and errors are those of `run`."""
    batched = True
    if isinstance(image, np.ndarray):
        image = native(image, "an image", ImageError)
        batched = image.ndim == 4
        image = Held(image if batched else image[np.newaxis])
    likely = "torch" if compute.backend == "auto" else compute.backend  # torch has all dtypes
    task = _task(image, layer, spec, compute, finish, lift, likely)
    dispatch.check_memory(task, compute.backend)
    start = perf_counter()
    name, reason = dispatch.choose_backend(task, compute.backend, compute.dtype)
    act = backends.load(name)
    imported = perf_counter() - start
    if name != likely:
        task = task._replace(dtype=dispatch.choose_dtype(compute.dtype, name, task.pixels, finish.dtype))
    if name not in (compute.backend, "numpy"):
        dispatch.check_memory(task, name)
    dispatch.check_range(task)
    return Call(task, name, reason, act, batched, imported)


def in_blocks(
    source: Source,
    layer: Layer,
    spec: ConvSpec,
    compute: Compute = Compute(),
    finish: Finish = Finish(),
    lift: Lift | None = None,
) -> "Blockwise":
    """The same operation for a picture that is larger than memory: the result is computed block by block.

    Every value is the same, to the bit, as that of `run` with the numpy backend. Parameters and errors are those of `run`; the
    result is not checked against the memory.

    Raises
    ------
    BackendError
        Also if another backend is asked for: it needs the whole picture.
    """
    from convcli.backends.numpy.blocks import Blockwise

    if compute.backend not in ("auto", "numpy") or compute.device != "cpu":
        what = f"backend '{compute.backend}'" if compute.device == "cpu" else f"device '{compute.device}'"
        remedy = f"use {param('backend', 'numpy')} on the CPU"
        raise BackendError(what, "needs the whole picture in memory, and this one is computed in blocks", remedy)
    task = _task(source, layer, spec, compute, finish, lift, "numpy")
    dispatch.choose_backend(task, "numpy", compute.dtype)
    dispatch.check_range(task)
    return Blockwise(task)


def _task(
    source: Source, layer: Layer, spec: ConvSpec, compute: Compute, finish: Finish, lift: Lift | None, backend: str
) -> Task:
    """The task for a backend, with channels and sizes that fit."""
    layers, asked = (layer.transpose, layer.groups, layer.flipped), (spec.transpose, spec.groups, spec.op == "conv")
    if layers != asked:
        rule = f"contradicts a specification that is {_said(*asked)}"
        raise GeometryError(f"a layer that is {_said(*layers)}", rule, "make it with Layer.of")
    _, channels, height, width = source.shape
    layer.check(channels if lift is None else lift.outputs(channels))
    geometry = spec.resolve((height, width), layer.kernel)
    pixels = np.dtype(lift.dtype) if lift else source.dtype
    return Task(
        source, layer, geometry, dispatch.choose_dtype(compute.dtype, backend, pixels, finish.dtype), compute.device,
        compute.threads, compute.plan, finish, lift, None,
    )  # fmt: skip


def _said(transpose: bool, groups: int, flipped: bool) -> str:
    return f"{'transposed' if transpose else 'direct'} with groups {groups}{', flipped' if flipped else ''}"
