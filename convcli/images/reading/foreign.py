"""Formats that nothing here reads, by their first bytes, so that an error can name them. Loaded only for that error."""

from __future__ import annotations

MARKS = (
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"v/1\1", "OpenEXR"),
    (0, b"#?R", "Radiance HDR"),
    (0, b"P7\n", "PAM"),
    (0, b"PF\n", "PFM file of colours"),
    (0, b"II\xbc\1", "JPEG XR"),
    (0, b"SDPX", "DPX"),
    (0, b"XPDS", "DPX"),
    (0, b"farbfeld", "farbfeld"),
    (0, b"gimp xcf", "XCF"),
    (0, b"YUV4MPEG2", "Y4M"),
    (0, b"\x1aE\xdf\xa3", "Matroska"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"PK\3\4", "ZIP"),
    (0, b"CDF", "NetCDF"),
    (128, b"DICM", "DICOM"),
    (344, b"n+1\0", "NIfTI"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftypmsf1", "HEIF"),
    (4, b"ftypcrx ", "CR3"),
    (4, b"ftyp", "MP4"),
)
"""The place of a mark, the mark, and the format."""

_PACKED = "gzip", "ZIP"


def remedy_of(head: bytes) -> tuple[str, str] | None:
    """The rule that a file with these first bytes breaks, and the remedy; None if its format is not known."""
    if head[4:11] == b"ftypavi" or b"avif" in head[16:64]:
        return "is an AVIF file that cannot be decoded", "is it truncated, damaged or of a rare kind?"
    name = next((name for place, mark, name in MARKS if head.startswith(mark, place)), "")
    if not name:
        return None
    what = name if "file" in name else f"{name} file"
    article = "an" if name[0] in "ODFHSX" and name in ("OpenEXR", "XML", "XCF", "SVG", "MP4") else "a"
    return (
        f"is {article} {what}, which is not read here",
        "unpack it" if name in _PACKED else "convert it to png or tif first",
    )
