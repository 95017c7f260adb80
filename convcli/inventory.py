"""The facts behind ``convcli doctor``: what is installed, which devices can compute, which formats can be read and written."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires, version

from convcli import __version__, extras
from convcli.errors import param
from convcli.system import memory, parallel


@dataclass(frozen=True, slots=True)
class Package:
    """A package that convcli uses: its version (None: it is not installed), a detail, and the extra that brings it ("": always)."""

    name: str
    version: str | None
    detail: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A device on which torch can compute: ``cpu`` or ``cuda:N``, and a description."""

    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that was found.

    `memory` is in bytes, None if the platform does not say. `environment` has the ``CONVCLI_`` variables that are set.
    `problems` has a line with a remedy for each thing that is wrong, with parameters as `convcli.errors.param` marks them.
    `missing` has a line for each extra that is not installed: what it is for, and how to get it.
    """

    version: str
    python: str
    system: str
    processors: int
    memory: int | None
    packages: tuple[Package, ...]
    devices: tuple[Device, ...]
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    readable_in_blocks: tuple[str, ...]
    environment: dict[str, str]
    problems: tuple[str, ...]
    missing: tuple[str, ...]


_USES = {
    "torch": "CUDA, half precision, .pt files and large layers",
    "imagecodecs": "TIFF files with other compressions",
    "astropy": "FITS files",
    "distributed": "clusters of Dask",
    "zarr": "Zarr and OME-Zarr",
    "fsspec": "pictures behind URLs",
    "aiohttp": "http:// and https://",
    "s3fs": "s3://",
    "gcsfs": "gs://",
    "adlfs": "az:// and abfs://",
    "h5py": "weights in files of Keras",
}
"""What the package of each extra is for."""

_REMARKS = {
    "torch": "; on Linux this downloads CUDA packages of about 2.8 GB: to use only the CPU, first install torch from PyTorch's "
    "index of CPU builds, see pytorch.org"
}
"""What to know before installing it."""


def versions() -> tuple[Package, ...]:
    """Every package that convcli uses, with its version. Versions are read from metadata; no package is imported."""
    return tuple(Package(name, _version(name), extra=extras.EXTRAS.get(name, "")) for name in _bounds())


def take() -> Inventory:
    """Look at everything. Imports NumPy, Pillow and, where it is installed, torch: if that fails, it is one of the problems."""
    from convcli.images import formats

    details = {"numpy": _blas(), "pillow": formats.libraries()}
    packages = [replace(found, detail=details.get(found.name, "")) for found in versions()]
    absent = [found.name for found in packages if found.extra and found.version is None]
    devices, failure = ((), []) if "torch" in absent else _devices()
    available = memory.total_bytes()
    return Inventory(
        version=__version__,
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        system=f"{platform.system()} {platform.machine()}",
        processors=parallel.workers(None),
        memory=int(available) if available != float("inf") else None,
        packages=tuple(packages),
        devices=devices,
        readable=formats.readable(),
        writable=formats.writable(),
        readable_in_blocks=formats.readable_in_blocks(),
        environment={name: value for name, value in sorted(os.environ.items()) if name.startswith("CONVCLI_")},
        problems=(*_outdated(packages), *failure),
        missing=_how(absent),
    )


def _how(absent: list[str]) -> tuple[str, ...]:
    """A line for each extra that lacks packages: what these are for, and how to get them."""
    said = []
    for extra in dict.fromkeys(extras.EXTRAS[name] for name in absent):
        names = [name for name in absent if extras.EXTRAS[name] == extra]
        what, them = ("is", "it is") if len(names) == 1 else ("are", "they are")
        uses, how = ", ".join(_USES[name] for name in names), extras.how_to_get(names[0])
        said.append(f"{', '.join(names)} {what} not installed; {them} for {uses}: {how}{_REMARKS.get(names[0], '')}")
    return tuple(said)


def _bounds() -> dict[str, str]:
    """Names and lower bounds of the packages in convcli's own metadata: those that it needs, then those of extras."""
    try:
        lines = requires("convcli") or []
    except PackageNotFoundError:  # run from its source
        lines = ["click", "numpy", "pillow", "rich", "tifffile"]
    needed, optional = {}, dict.fromkeys(extras.EXTRAS, "0")
    for line in lines:
        found = re.match(r"([\w.-]+)\s*(?:>=\s*([\d.]+))?[^;]*(?:;.*extra == ['\"]([\w-]+))?", line)
        assert found is not None
        name, bound, extra = found[1], found[2] or "0", found[3]
        if extra is None:
            needed[name] = bound
        elif extras.EXTRAS.get(name) == extra:
            optional[name] = bound
    return needed | optional


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _outdated(packages: list[Package]) -> list[str]:
    """A line for each package that is missing, though it is needed, or older than convcli's lower bound."""
    bounds = _bounds()
    out = []
    for package in packages:
        remedy = f"pip install '{package.name}>={bounds[package.name]}'"
        if package.version is not None and _numbers(package.version) < _numbers(bounds[package.name]):
            out.append(f"{package.name} {package.version} is older than {bounds[package.name]}: {remedy}")
        elif package.version is None and not package.extra:
            out.append(f"{package.name} is not installed: {remedy}")
    return out


def _numbers(text: str) -> tuple[int, ...]:
    """The release of a version: ``2.13.0+cpu`` is (2, 13, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _blas() -> str:
    """The linear algebra library that NumPy was built with, and its version."""
    import numpy as np

    try:
        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{found['name']} {found['version']}"
    except (KeyError, TypeError):  # pragma: no cover (builds differ)
        return ""


def _devices() -> tuple[tuple[Device, ...], list[str]]:
    """The devices that torch can compute on, and a line if torch cannot be imported."""
    try:
        from convcli.backends.torch.device import devices
    except Exception as error:  # a broken build may raise anything
        remedy = f"install it again, or use {param('backend', 'numpy')}"
        return (), [f"torch cannot be imported ({type(error).__name__}): {remedy}"]
    return tuple(Device(name, about) for name, about in devices()), []
