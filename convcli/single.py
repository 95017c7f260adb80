"""One image through load, operation and save, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from convcli import images, outputs, pipeline
from convcli.engine import ConvResult
from convcli.errors import ImageError
from convcli.files import same_file
from convcli.operation import Operation
from convcli.ranges import Clipped


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """One image that was written, and how.

    `groups`, `bias` (in the input's units), `alpha` (None: it has none) and `policy` (of the range) are as resolved.
    """

    source: str
    target: str
    operation: Operation
    result: ConvResult
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    mode: str
    container: str
    groups: int
    bias: tuple[float, ...] | None
    alpha: str | None
    policy: str
    clipped: Clipped
    notes: tuple[str, ...]
    load_seconds: float
    import_seconds: float
    compute_seconds: float
    save_seconds: float

    def document(self) -> dict[str, Any]:
        """The JSON of this image."""
        spec, geometry, result = self.operation.spec, self.result.geometry, self.result
        return {
            "input": self.source,
            "output": self.target,
            "op": "transpose" if spec.transpose else spec.op,
            "flipped": spec.op == "conv",
            "kernel": self.operation.label,
            "input_shape": list(self.input_shape),
            "output_shape": list(self.output_shape),
            "kernel_size": list(geometry.kernel),
            "stride": list(geometry.stride),
            "padding": geometry.pads._asdict(),
            "padding_mode": geometry.padding_mode,
            "dilation": list(geometry.dilation),
            "output_padding": list(geometry.output_padding),
            "groups": self.groups,
            "channels": None if self.operation.bank is None else self.operation.channels,
            "combine": None if self.operation.bank is None else [rule for _, rule in self.operation.bank.parts],
            "bias": None if self.bias is None else list(self.bias),
            "linear": self.operation.linear,
            "alpha": self.alpha,
            "range": self.policy,
            "backend": result.backend,
            "device": result.device,
            "dtype": result.dtype,
            "plan": result.plan,
            "reason": result.reason,
            "clipped": {
                "below": self.clipped.below,
                "above": self.clipped.above,
                "nan": self.clipped.nan,
                "of": self.clipped.total,
            },
            "notes": [*self.operation.notes, *self.notes],
            "seconds": {
                "load": self.load_seconds,
                "import": self.import_seconds,
                "compute": self.compute_seconds,
                "save": self.save_seconds,
            },
        }


@dataclass(frozen=True, slots=True, eq=False)
class Writing:
    """How results are written: the format's name for ``-``, the range policy, and ``-o`` as it was given.

    `montage` is the width of the contact sheet that is written in place of the channels; None for the channels.
    """

    container: str | None = None
    policy: str | None = None
    output: str | None = None
    montage: int | None = None


def process(source: str, target: str, operation: Operation, how: Writing) -> Done:
    """Load `source`, apply the operation and write the result to `target`.

    Raises
    ------
    ConvError
        Nothing is written then.
    """
    start = perf_counter()
    picture = images.load(source)
    container = images.format_of(target, how.container, picture.metadata.format)
    loaded = perf_counter()
    if picture.metadata.frames > 1 and same_file(source, target):
        raise ImageError(f"--in-place would keep 1 of the {picture.metadata.frames} frames of '{source}': use -o")
    shape, mode, notes = picture.shape, picture.mode, picture.notes
    bias = None if operation.bias is None else operation.bias.units(picture.full_scale)
    if how.montage is None:
        outcome = pipeline.run(picture, operation, container, how.policy)
    else:
        from convcli import montage  # draws

        outcome = montage.run(picture, operation, source, container, how.policy, how.montage)
    del picture  # its pixels are not needed while the result is encoded
    computed = perf_counter()
    with outputs.folder(target, how.output):
        saved = images.save(outcome.picture, target, outcome.storage, operation.compute.threads)
    return Done(
        source=source,
        target=target,
        operation=operation,
        result=outcome.result,
        input_shape=shape,
        output_shape=outcome.picture.shape,
        mode=mode,
        container=container,
        groups=outcome.groups,
        bias=bias,
        alpha=outcome.alpha,
        policy=outcome.storage.policy,
        clipped=max(saved.clipped, outcome.result.clipped, key=lambda clipped: clipped.total),
        notes=(*notes, *outcome.storage.notes, *saved.notes),
        load_seconds=loaded - start,
        import_seconds=outcome.result.import_seconds,
        compute_seconds=computed - loaded - outcome.result.import_seconds,
        save_seconds=perf_counter() - computed,
    )
