"""A Triton server of the package nvidia-pytriton, on this machine without a GPU, with this Python in its backend."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from helpers.waiting import wait_for

READY = 180.0
"""Seconds that a server may take to start."""


def package() -> Path | None:
    """The folder of the server's package; None where it is not installed."""
    spec = find_spec("pytriton")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


class Server:
    """A server of a repository. As a context manager it is stopped at the end.

    folder: where it puts its backend and its log. control: how models are updated, "explicit" (by :meth:`load`),
    "poll" (it looks each second) or "none". options: more of tritonserver's.
    """

    def __init__(self, repository: Path, folder: Path, control: str = "explicit", *options: str) -> None:
        self.repository, self._folder, self._control, self._options = repository, folder, control, options
        self.http, self.grpc, self.metrics = _free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it, and waits until its models are ready and it tells its metrics, which it does a little later."""
        home = package()
        assert home is not None, "nvidia-pytriton is not installed"
        server = home / "tritonserver"
        backends = self._folder / "backends"
        if not backends.exists():
            shutil.copytree(server / "backends", backends)
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            shutil.copy2(server / "python_backend_stubs" / version / "triton_python_backend_stub", backends / "python")
        models = ["--load-model=*"] if self._control == "explicit" else []
        command = [
            server / "bin/tritonserver", f"--model-repository={self.repository}", f"--backend-directory={backends}",
            f"--cache-directory={server / 'caches'}", f"--model-control-mode={self._control}", *models,
            f"--http-port={self.http}", f"--grpc-port={self.grpc}", f"--metrics-port={self.metrics}",
            "--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--repository-poll-secs=1",
            "--disable-auto-complete-config", *self._options,
        ]  # fmt: skip
        libraries = [str(home.parent / "nvidia_pytriton.libs"), str(sysconfig.get_config_var("LIBDIR"))]
        libraries += filter(None, [os.environ.get("LD_LIBRARY_PATH")])
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # the backend's Python is python3 there
        environment = os.environ | {
            "LD_LIBRARY_PATH": os.pathsep.join(libraries), "PATH": path, "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        with (self._folder / "server.log").open("ab") as log:
            # a backend's Python looks for modules where the server was started, too
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def _wait(self) -> None:
        try:
            wait_for(self._is_up, READY, lambda: f"it is not ready after {READY:.0f} s")
        except AssertionError as error:
            self.kill()
            said = [line for line in self.log().splitlines() if line.startswith("E") or "failed" in line]
            raise AssertionError(f"the server did not start: {error}\n" + "\n".join(said[-20:])) from None

    def _is_up(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "it ended"
        return self.is_ready() and _answers(f"http://127.0.0.1:{self.metrics}/metrics")

    def is_ready(self) -> bool:
        return _answers(f"http://127.0.0.1:{self.http}/v2/health/ready")

    def load(self, model: str) -> None:
        """Loads a model as it is in the repository now, in the place of what is served."""
        url = f"http://127.0.0.1:{self.http}/v2/repository/models/{model}/load"
        with urllib.request.urlopen(url, data=b"{}", timeout=60) as answer:
            assert answer.status == 200, answer.read()

    def kill(self) -> None:
        """Ends it as SIGKILL does; its stubs, which are in its session, end too."""
        if self._process is not None:
            _kill_session(self._process.pid)
            self._process.wait()
            self._process = None

    def log(self) -> str:
        return (self._folder / "server.log").read_text(errors="replace")

    def counts(self, metric: str) -> dict[str, float]:
        """A metric of the server, by model."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        found: dict[str, float] = {}
        for line in lines:
            if line.startswith(f"{metric}{{"):
                model = line.split('model="')[1].split('"')[0]
                found[model] = found.get(model, 0.0) + float(line.rpartition(" ")[2])
        return found

    def wait_for_count(self, metric: str, model: str, count: float, seconds: float = 10) -> None:
        """Waits until a metric of a model is a number: an answer may be counted after it was sent."""
        wait_for(
            lambda: self.counts(metric)[model] == count, seconds,
            lambda: f"{metric} of {model} is {self.counts(metric)[model]}, not {count}",
        )  # fmt: skip


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _kill_session(leader: int) -> None:
    """Kills the processes that were started in a session of their own."""
    import signal

    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int((path / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
