"""Weights in several files with an index, as Hugging Face writes them: ``model.safetensors.index.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from convcli.errors import KernelError
from convcli.kernels.containers.tensors import Tensor, listing
from convcli.system.bounded import contents

MOST_BYTES = 64 << 20
"""The most bytes of an index. Those of the largest models have less than ten million."""


def read(path: Path, key: str | None) -> Mapping[str, Tensor]:
    """The tensors of all shards, or of those that have what belongs to a key.

    Raises `KernelError` if it is not an index, or names files elsewhere.
    """
    what = f"weights '{path}'"
    text = contents(path, MOST_BYTES, what, "is it an index of shards?", KernelError)
    try:
        places = json.loads(text)["weight_map"]
        if not isinstance(places, dict) or not all(isinstance(place, str) for place in places.values()):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        remedy = "name an .index.json of shards, or a file with the weights"
        raise KernelError(what, "are JSON, but no index of shards", remedy) from None
    for place in places.values():
        if Path(place).name != place or "\\" in place or place in ("", ".", ".."):
            raise KernelError(what, f"name the shard '{place}' in another folder", "keep the shards beside their index")
    beside = key.rpartition(".")[0] + "." if key is not None else ""
    wanted = {name: place for name, place in places.items() if name.startswith(beside)} if key in places else places
    found: dict[str, Tensor] = {}
    for place in dict.fromkeys(wanted.values()):
        held = _shard(path.with_name(place), what)
        absent = [name for name in places if places[name] == place and name not in held]
        if absent:
            raise KernelError(f"weights '{path.with_name(place)}'", f"lack {listing(absent)}", "fetch the shard again")
        found |= {name: tensor for name, tensor in held.items() if places.get(name) == place}
    return {name: found[name] for name in places if name in found}


def _shard(path: Path, what: str) -> Mapping[str, Tensor]:
    from convcli.kernels import containers

    if not path.exists():
        raise KernelError(what, f"name the shard '{path.name}', which is not there", "fetch it, too")
    return containers.read(path, whole=False)
