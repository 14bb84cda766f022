"""Commands in processes side by side, each with its own limit, all of them with one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

KILLED = -1
"""The exit code of a command that ran past its limit."""


@dataclass(frozen=True)
class Job:
    """A command. log: of what it prints. limit: seconds, after which it is ended. gpu: the one that it sees."""

    command: tuple[str, ...]
    log: Path
    limit: float = float("inf")
    gpu: int = 0


Ended = Callable[[Job, int, float], Job | None]
"""Called with the exit code and the seconds that a command took; what it returns is run next."""


def side_by_side(jobs: Sequence[Job], width: int, seconds: float, ended: Ended) -> list[Job]:
    """Runs `width` commands at a time for so many seconds. Returns those that did not end."""
    began, waiting, running = time.monotonic(), list(jobs), dict[subprocess.Popen[bytes], tuple[Job, float]]()
    while waiting or running:
        now = time.monotonic()
        if now - began > seconds:
            for process in running:
                end(process)
            return [*(job for job, _ in running.values()), *waiting]
        while waiting and len(running) < width:
            job = waiting.pop(0)
            running[started(job)] = job, now
        for process, (job, since) in list(running.items()):
            late = process.poll() is None and now - since > job.limit
            if late:
                end(process)
            if late or process.poll() is not None:
                del running[process]
                further = ended(job, KILLED if late else process.returncode, now - since)
                waiting = [further, *waiting] if further else waiting
        time.sleep(0.1)
    return []


def seeing(gpu: int) -> dict[str, str]:
    """The environment of a process that sees one GPU."""
    return os.environ | {"CUDA_VISIBLE_DEVICES": str(gpu)}


def started(job: Job) -> subprocess.Popen[bytes]:
    """The process of a job, in a group of its own with all that it starts."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("wb") as log:
        return subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=seeing(job.gpu)
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
