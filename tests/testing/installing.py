"""An environment of its own for packages that are installed and removed: it sees ours, and ours never sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
OFFLINE = ["--no-index", "--no-deps", "--no-build-isolation"]


class Environment:
    """A virtual environment without pip; what is installed where the tests run can be imported in it."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        self.folder = folder
        self.python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
        (self.site,) = folder.glob("lib/python*/site-packages")
        ours = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (self.site / "zz_ours.pth").write_text(ours)

    def install(self, package: Path) -> None:
        """Build a wheel of a project and install that."""
        dist = self.folder / "dist" / package.name
        subprocess.run([*PIP, "wheel", *OFFLINE, "--wheel-dir", dist, package], check=True, timeout=300)
        (wheel,) = dist.glob("*.whl")
        self._pip("install", "--no-index", "--no-deps", str(wheel))

    def uninstall(self, name: str) -> None:
        """As a user would."""
        self._pip("uninstall", "--yes", name)

    def _pip(self, *arguments: str) -> None:
        subprocess.run([*PIP, "--python", str(self.python), *arguments], check=True, timeout=300)

    def run(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Python in the environment, with these arguments."""
        return subprocess.run(
            [str(self.python), *arguments],
            capture_output=True, text=True, timeout=300, cwd=cwd, env={**os.environ, **environment},
        )  # fmt: skip

    def tts(self, *arguments: str, cwd: Path | None = None, **environment: str) -> str:
        """What the command line writes; warnings are errors."""
        done = self.run("-W", "error", "-m", "tts", *arguments, cwd=cwd, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout
