"""Two processes on 127.0.0.1 that make one run."""

import os
import socket
import subprocess
import sys
import time

TIMEOUT = 10  # seconds without a sign of life


def free_address():
    """Where two processes can meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def start_pair(folder, command, *words, own=((), ()), programs=(("-m", "jaxlr"),) * 2):
    """As many processes as have words of their own, of two, that write what they say to files."""
    coordinator = free_address()
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    processes = []
    for place, mine in enumerate(own):
        ours = ["--coordinator", coordinator, "--num-processes", "2", "--process-id", str(place)]
        timeout = [] if "--peer-timeout" in words else ["--peer-timeout", str(TIMEOUT)]
        line = [sys.executable, *programs[place], command, *words, *mine, *ours, *timeout]
        with (folder / f"said{place}").open("w") as said:
            processes.append(subprocess.Popen(line, cwd=folder, env=environment, stdout=said, stderr=said))
    return processes


def end(processes):
    for process in processes:
        process.kill()
        process.wait()


def wait_for(condition, processes):
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)
