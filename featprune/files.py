"""Write files so that a crash leaves the old one or the new one, never half of either."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path beside `target` to write to, and rename it to `target` on success.

    Parameters
    ----------
    target : str or path
        The file to make or to replace; its folder must exist.

    Yields
    ------
    Path
        An empty file in the same folder and with the same suffix. It is removed if the
        block raises, and `target` is then as it was.
    """
    target = Path(target)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent
    )
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)  # mkstemp makes it private; a result is not
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
