"""convcli: convolutions on images. Apply it, size it, explain it, prove it.

The functions are imported when they are first used: ``import convcli`` alone takes no longer than ``convcli shape``.
"""

from typing import TYPE_CHECKING

__version__ = "0.2.0"

__all__ = [
    "Animation", "Applied", "Explanation", "Plan", "animate", "apply", "conv2d", "conv_transpose2d", "explain", "kernel",
    "output_size", "plan",
]  # fmt: skip

if TYPE_CHECKING:
    from convcli.library.animating import Animation, animate
    from convcli.library.applying import Applied, apply
    from convcli.library.banks import kernel
    from convcli.library.convolutions import conv2d, conv_transpose2d
    from convcli.library.explaining import Explanation, explain
    from convcli.library.planning import Plan, plan
    from convcli.library.sizes import output_size
else:

    def __getattr__(name: str) -> object:
        """Import the module of a name, once."""
        modules = {
            "animating": "Animation animate", "applying": "Applied apply", "banks": "kernel",
            "convolutions": "conv2d conv_transpose2d", "explaining": "Explanation explain", "planning": "Plan plan",
            "sizes": "output_size",
        }  # fmt: skip
        for module, names in modules.items():
            if name in names.split():
                from importlib import import_module

                found = globals()[name] = getattr(import_module(f"convcli.library.{module}"), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__} - {"TYPE_CHECKING"})
