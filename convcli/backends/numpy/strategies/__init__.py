"""The strategies. Each module can be read alone: its cost, the size of its tiles, and the steps that fill a tile.

``taps``       shift and accumulate: for every kernel, exact in integers if no sum can leave the type
``prefix``     flat kernels as differences of prefix sums, in exact integers
``toeplitz``   a dense kernel as products with banded matrices
``separable``  kernels of low rank as passes along the columns and the rows
``fft``        large kernels: overlapping tiles in the frequency domain
``gemm``       many channels: matrix products over gathered windows

``common``  what a strategy has to provide, and what all strategies share
``pairs``   sums that several taps share
``flat``    flat kernels as steps and stretches of columns
``passes``  passes along the columns and along the rows
"""

from collections.abc import Iterator, Mapping
from importlib import import_module

from convcli.backends.numpy.strategies.common import Strategy
from convcli.vocabulary import PLANS


class _Strategies(Mapping[str, Strategy]):
    """The modules by the names of their plans. One is imported when it is weighed: small jobs are for taps alone."""

    def __getitem__(self, name: str) -> Strategy:
        if name not in PLANS:
            raise KeyError(name)
        strategy: Strategy = import_module(f"{__name__}.{name}")
        return strategy

    def __iter__(self) -> Iterator[str]:
        return iter(PLANS)

    def __len__(self) -> int:
        return len(PLANS)


STRATEGIES = _Strategies()
