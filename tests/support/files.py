"""What lies below a folder, and what one image alone becomes."""

from pathlib import Path

from support.cli import done

BOX = ["-k", "box"]


def made(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def alone(source: Path) -> bytes:
    """What `-k box` makes of one image alone."""
    return done("apply", source, *BOX, "-o", "-", "--format", source.suffix[1:]).out


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def filtered(source: Path) -> bytes:
    """What `-k box` makes of a file, as PNG."""
    return done("apply", source, *BOX, "-o", "-", "--format", "png").out
