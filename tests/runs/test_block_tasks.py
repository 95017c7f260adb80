"""The tasks of a picture in blocks, as they are sent to other processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convcli.geometry import Size
from convcli.images.writing.blocks import Layout
from convcli.runs.block_tasks import BlockJob
from convcli.runs.block_work import Request


def test_a_job_of_blocks_looks_for_input_and_output(tmp_path: Path) -> None:
    (tmp_path / "in.tif").write_bytes(b"II")
    request: Any = Request(str(tmp_path / "in.tif"), None, None, "TIFF", None)  # type: ignore[arg-type]
    layout = Layout(str(tmp_path / "out.tif"), "TIFF", (3, *Size(9, 9)), "uint8")
    job = BlockJob(request, layout)
    assert job.seen() == ""
    assert (
        job._replace(request=request._replace(source=str(tmp_path / "none.tif"))).seen().startswith("does not see it")
    )
    lost = job._replace(layout=layout._replace(target=str(tmp_path / "none" / "out.tif")))
    assert lost.seen() == f"cannot write to '{tmp_path / 'none'}'"
    assert job._replace(layout=layout._replace(target="s3://bucket/out.zarr")).seen() == ""
