"""Help texts that need more than a docstring: the table of kernels, examples kept line by line."""

from __future__ import annotations

from typing import Any

import click


class WithExamples(click.Command):
    """A command whose help ends in examples and, if it takes a SPEC, in the table of kernels."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), kernels: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.kernels = kernels

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the kernels and the examples."""
        if self.kernels:
            with formatter.section("Kernels"):
                formatter.write_dl([(usage, f"{about} Scale: {scale}.") for usage, about, scale in kernel_table()])
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def kernel_table() -> list[tuple[str, str, str]]:
    """Usage, description and scale of every named kernel."""
    import convcli.kernels  # noqa: F401  (enters the kernels)
    from convcli.kernels.named import REGISTRY

    return [(recipe.usage, recipe.about, recipe.scale) for recipe in REGISTRY.values()]
