"""Several processes on one store, each of which runs `shared_run.py`."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from waiting import line, until

SCRIPT = Path(__file__).with_name("shared_run.py")
PER_PROBLEM = 4 + 1 + 4 + 6  # candidates, refinement, scores, verdicts at most


class Group:
    """Processes on one store that begin together."""

    def __init__(self, store: str | Path, log: Path, count: int, problems: int, delay: float = 0.01) -> None:
        self.log = log
        log.touch()
        command = [sys.executable, str(SCRIPT), str(store), str(log), str(delay), str(problems)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.members = [subprocess.Popen(command, text=True, **pipes) for _ in range(count)]  # type: ignore[call-overload]
        for member in self.members:
            assert line(member) == "ready\n"
        for member in self.members:
            member.stdin.write("go\n")
            member.stdin.flush()

    def asked(self) -> int:
        return self.log.read_text().count("\n")

    def until_asked(self, count: int) -> None:
        until(lambda: self.asked() >= count, by=self.members[0])

    def tables(self, ended: tuple[int, ...] = ()) -> list[str]:
        """What each that was left alone has printed."""
        said = [member.communicate(timeout=120) for member in self.members]
        left = [
            (member, one) for at, (member, one) in enumerate(zip(self.members, said, strict=True)) if at not in ended
        ]
        for member, (_, errors) in left:
            assert member.returncode == 0, errors
        return [table for _, (table, _) in left]


def asked_once(log: Path) -> Counter[str]:
    """How often each thing was asked for, by whomever."""
    return Counter(asked.partition(" ")[2] for asked in log.read_text().splitlines())
