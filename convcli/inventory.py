"""The facts behind ``convcli doctor``: what is installed, which devices can compute, which formats can be read and written."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires, version

from convcli import __version__
from convcli.errors import param
from convcli.system import memory, parallel


@dataclass(frozen=True, slots=True)
class Package:
    """A package that convcli needs: its version (None: it is missing), and a detail worth knowing."""

    name: str
    version: str | None
    detail: str = ""


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
    environment: dict[str, str]
    problems: tuple[str, ...]


def versions() -> tuple[Package, ...]:
    """Every package that convcli needs, with its version. Versions are read from metadata; no package is imported."""
    return tuple(Package(name, _version(name)) for name, _ in _needed())


def take() -> Inventory:
    """Look at everything. Imports NumPy, Pillow and torch. If torch cannot be imported, that is one of the problems."""
    from convcli.images import formats

    details = {"numpy": _blas(), "pillow": formats.libraries()}
    packages = [replace(found, detail=details.get(found.name, "")) for found in versions()]
    devices, failure = _devices()
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
        environment={name: value for name, value in sorted(os.environ.items()) if name.startswith("CONVCLI_")},
        problems=(*_outdated(packages), *failure),
    )


def _needed() -> list[tuple[str, str]]:
    """Names and lower bounds of the packages that convcli's own metadata asks for, without extras."""
    try:
        lines = requires("convcli") or []
    except PackageNotFoundError:  # run from its source
        lines = ["click", "numpy", "pillow", "rich", "safetensors", "tifffile", "torch"]
    matches = [re.match(r"([\w.-]+)\s*(?:>=\s*([\d.]+))?", line) for line in lines if "extra ==" not in line]
    return [(match[1], match[2] or "0") for match in matches if match]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _outdated(packages: list[Package]) -> list[str]:
    """A line for each package that is missing, or older than convcli's lower bound."""
    bounds = dict(_needed())
    out = []
    for package in packages:
        remedy = f"pip install '{package.name}>={bounds[package.name]}'"
        if package.version is None:
            out.append(f"{package.name} is not installed: {remedy}")
        elif _numbers(package.version) < _numbers(bounds[package.name]):
            out.append(f"{package.name} {package.version} is older than {bounds[package.name]}: {remedy}")
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
