"""The account under which the servers run, for PostgreSQL refuses to run as root.

Root steps down to the owner of the data, else of the checkout, else to `nobody`. Directories above (such as
/root, mode 0700) may be closed to that account and are not ours to open, so the server then keeps one
capability, CAP_DAC_OVERRIDE. The kernel drops it inside access(2), which PostgreSQL asks about its own
binaries, unless the securebit `no_setuid_fixup` is set.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CAPABILITY = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup")


class NoAccount(RuntimeError):
    """Root cannot step down to an ordinary account here."""


@dataclass(frozen=True)
class Account:
    """The account that owns a server's folder and runs it; `None` for the account of this process."""

    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        """Gives the file or directory (not what is in it) to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def prefix(self, *paths: Path) -> list[str]:
        """What to put before a command so that it runs as this account and reaches the paths."""
        if self.uid is None:
            return []
        step_down = [_setpriv(), f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        if all(_reaches(step_down, path) for path in paths):
            return step_down
        return step_down + list(CAPABILITY)


def account_for(folder: Path, checkout: Path) -> Account:
    """The account for a server whose data is, or will be, in the folder."""
    if os.geteuid() != 0:
        return Account()
    for place in (folder, checkout):
        if place.exists() and (owner := place.stat()).st_uid != 0 and _has_name(owner.st_uid):
            return Account(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as missing:
        raise NoAccount(
            "PostgreSQL does not run as root and there is no account `nobody`; "
            "run this as an ordinary user, or set DATABASE_URL and REDIS_URL"
        ) from missing
    return Account(nobody.pw_uid, nobody.pw_gid)


def _has_name(uid: int) -> bool:
    """Whether the system knows the account by name, which initdb insists on."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _setpriv() -> str:
    found = shutil.which("setpriv", path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin")
    if found is None:
        raise NoAccount(
            "PostgreSQL does not run as root and `setpriv` (util-linux) is missing; "
            "run this as an ordinary user, or set DATABASE_URL and REDIS_URL"
        )
    return found


def _reaches(step_down: list[str], path: Path) -> bool:
    return subprocess.run([*step_down, "test", "-x", str(path)], check=False).returncode == 0
