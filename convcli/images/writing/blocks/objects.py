"""Where the objects of a Zarr are written: to an unfinished folder beside the wanted one, or behind a URL.

An object store has no names that change. There nothing is a picture before the root's ``zarr.json``, which comes last. One that
is replaced stays until the new one is complete, which is then copied by the store, object by object.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from convcli.errors import ImageError
from convcli.images.writing.blocks import Layout
from convcli.system import addresses, files, names, stores
from convcli.system.files import telling
from convcli.system.parts import Part, nothing_left

ROOT = "zarr.json"
"""What makes a Zarr of all the rest."""

_FIRST = f"0/{ROOT}"
_ROOTS = ROOT, ".zgroup", ".zarray", ".zattrs"


class Objects(Protocol):
    """Objects by their names, ``0/c/0/1/2``. Errors are those of a `convcli.images.writing.blocks.BlockTarget`."""

    def begin(self) -> None:
        """Make the place, without anything in it."""

    def resume(self) -> None:
        """Go on with what is there."""

    def check(self) -> None:
        """Raise `ImageError` if nobody has begun."""

    def put(self, name: str, data: bytes) -> None:
        """Write an object, whole or not at all."""

    def array(self, level: int) -> Any:
        """The array of a level, as zarr reads it."""

    def telling(self) -> Any:
        """Tell errors of reading as an `ImageError`: a context."""

    def commit(self, root: bytes) -> None:
        """Write the root, and show all."""

    def abandon(self) -> None:
        """Delete all."""

    def close(self) -> None:
        """Let go."""


def objects_of(layout: Layout) -> Objects:
    """The objects of a layout's target."""
    return _Local(layout) if addresses.place_of(layout.target).is_local else _Remote(layout)


class _Local:
    """A folder."""

    def __init__(self, layout: Layout) -> None:
        self._target = addresses.place_of(layout.target).name
        self._part = Part(self._target, layout.source, layout.replace, folder=True)

    def begin(self) -> None:
        self._check_replaced()
        self._part.begin()

    def _check_replaced(self) -> None:
        """Refuse to replace a folder that is no Zarr."""
        if self._part.path.is_dir() and not any((self._part.path / name).exists() for name in _ROOTS):
            with telling(self._target):
                empty = next(self._part.path.iterdir(), None) is None
            if not empty:
                rule = "is a folder with something else than a Zarr"
                raise ImageError(f"output '{self._target}'", rule, "use another name")

    def resume(self) -> None:
        self._check_replaced()
        self._part.resume()

    def check(self) -> None:
        with telling(self._target):
            os.stat(self._part.name / _FIRST)

    def put(self, name: str, data: bytes) -> None:
        path = self._part.name / name
        with telling(self._target):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with files.writing(str(path)) as stream:
                stream.write(data)
        except ImageError as error:
            raise type(error)(f"output '{self._target}'", error.rule, error.remedy, error.why) from None

    def array(self, level: int) -> Any:
        import zarr

        with self.telling():
            return zarr.open_array(self._part.name / str(level), mode="r")

    def telling(self) -> Any:
        return telling(self._target)

    def commit(self, root: bytes) -> None:
        self._check_replaced()
        self.put(ROOT, root)
        self._part.commit()

    def abandon(self) -> None:
        self._part.abandon()

    def close(self) -> None:
        self._part.close()


class _Remote:
    """Objects behind a URL: below it if nothing complete is there, else below ``.NAME.part`` beside it, until the end."""

    def __init__(self, layout: Layout) -> None:
        self._target, self._replace = layout.target.rstrip("/"), layout.replace
        self._system = stores.file_system(self._target)
        folder, _, name = self._target.rpartition("/")
        self._part = f"{folder}/.{name}.part"
        self._place: str | None = None  # one of the two, once it is known

    def begin(self) -> None:
        with self.telling():
            found = {entry.name for entry in stores.entries(self._target)}
        complete = found & {*stores.ROOTS}
        if complete and not self._replace:
            raise names.exists(self._target)
        if found and not found & {*_ROOTS, "0"}:
            raise ImageError(f"output '{self._target}'", "has something else than a Zarr in it", "use another name")
        for place in (self._part, *(() if complete else (self._target,))):
            stores.remove(place)
        self._place = self._part if complete else self._target

    def _found(self) -> str | None:
        """Where there is an unfinished Zarr."""
        for place in (self._part, self._target):
            if self._system.exists(f"{place}/{_FIRST}"):
                return place if place == self._part or not stores.exists(f"{place}/{ROOT}") else None
        return None

    def resume(self) -> None:
        with self.telling():
            if not self._replace and stores.exists(f"{self._target}/{ROOT}"):
                raise names.exists(self._target)
            self._place = self._found()
        if self._place is None:
            raise nothing_left(self._target, "unfinished Zarr")

    def check(self) -> None:
        if self._place is None:
            with self.telling():
                self._place = self._found()
                if self._place is None:
                    raise FileNotFoundError

    def _url(self, name: str) -> str:
        assert self._place is not None
        return f"{self._place}/{name}"

    def put(self, name: str, data: bytes) -> None:
        stores.put(self._url(name), data)

    def array(self, level: int) -> Any:
        import zarr

        with self.telling():
            return zarr.open_array(self._system.get_mapper(self._url(str(level))), mode="r")

    @contextmanager
    def telling(self) -> Iterator[None]:
        with addresses.reached(self._target, "output", "cannot be written"):
            yield

    def commit(self, root: bytes) -> None:
        if self._place == self._part:
            with self.telling():  # the older one is whole, or it is none
                for key in {entry.name for entry in stores.entries(self._target)} & {*stores.ROOTS}:
                    self._system.rm_file(f"{self._target}/{key}")
            stores.remove(self._target)
            stores.copy(self._part, self._target)
        stores.put(f"{self._target}/{ROOT}", root)
        if self._place == self._part:
            with suppress(ImageError):  # the next run deletes what is left
                stores.remove(self._part)

    def abandon(self) -> None:
        with suppress(ImageError):
            stores.remove(self._place or self._part)

    def close(self) -> None:
        """There is nothing to let go of."""
