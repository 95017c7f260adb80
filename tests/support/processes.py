"""Programs that look at what belongs to their whole process: before, while and after something is done."""

import subprocess
import sys
from pathlib import Path

from support.cli import environment

SNAPSHOT = """
import logging, os, signal, sys, threading, warnings
import numpy as np
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin

REGISTRIES = ("OPEN", "SAVE", "SAVE_ALL", "MIME", "EXTENSION", "DECODERS", "ENCODERS")

def of_torch(torch):
    if torch is None:
        return None
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return (
        torch.get_num_threads(), torch.get_num_interop_threads(), torch.is_grad_enabled(), torch.get_default_dtype(),
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32,
        torch.get_float32_matmul_precision(),
    )

def snapshot():
    loggers = [logging.getLogger(name) for name in (None, "PIL", "PIL.Image", "tifffile")]
    return {
        "limit": Image.MAX_IMAGE_PIXELS,
        "truncated": ImageFile.LOAD_TRUNCATED_IMAGES,
        "block": ImageFile.MAXBLOCK,
        "texts": (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY),
        **{name: dict(getattr(Image, name)) for name in REGISTRIES},
        "order": list(Image.ID),
        "initialised": Image._initialized,
        "kinds of TIFF": dict(TiffImagePlugin.OPEN_INFO),
        "filters": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "loggers": [(one.level, one.propagate, one.disabled, list(one.handlers), list(one.filters)) for one in loggers],
        "environment": dict(os.environ),
        "standard error": (os.fstat(2).st_dev, os.fstat(2).st_ino, sys.stderr),
        "descriptors": sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else [],
        "threads": threading.active_count(),
        "float errors": np.geterr(),
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "affinity": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
        "interval": sys.getswitchinterval(),
        "folder": os.getcwd(),
        "torch": of_torch(sys.modules.get("torch")),
        "excepthook": sys.excepthook,
    }
"""


BEGIN = "Image.init()\nimport tifffile\n"


SAME = """
def same(when, *but):
    for thread in threading.enumerate()[before["threads"] :]:
        thread.join(5)  # one of a pool that is left ends by itself, a moment later
    after = snapshot()
    for name, value in before.items():
        assert name in but or after[name] == value, (when, name, value, after[name])
"""


COMPARE = """
same("in the end")
print("the same")
"""


def ran(code: str, folder: Path) -> str:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    ended = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
