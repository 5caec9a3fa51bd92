"""Files that only their owner may read: passwords, keys, addresses with passwords in them."""

import os
import secrets
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Writes the file with mode 0600, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink()
        raise


def kept_secret(path: Path, size: int = 24) -> str:
    """The secret in the file; the first call makes it from `size` random bytes. Safe in URLs and shells."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(size) + "\n")
    return path.read_text(encoding="utf-8").strip()
