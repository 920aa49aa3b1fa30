"""haproxy in front of the bare server: the same work over HTTP/1.1 and over HTTP/2, through the same proxy."""

import atexit
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
MOST = 40_000  # connections that are asked of it at once
STARTS = 10  # seconds that it may take until it listens
CONFIGURATION = """
global
    maxconn {most}
    nbthread 1
    tune.h2.max-concurrent-streams 100
    tune.idle-pool.shared off

defaults
    mode http
    timeout connect 10s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h

frontend http1
    bind 127.0.0.1:{http1}
    default_backend behind

frontend http2
    bind 127.0.0.1:{http2} proto h2
    default_backend behind

backend behind
    server one 127.0.0.1:{behind}
"""
_running = {}


class Front:
    """One in front of a port, for as many connections as this machine lets it hold. It is ended with this process."""

    def __init__(self, behind):
        self.http1, self.http2 = free_ports(2)
        text = CONFIGURATION.format(most=allowed(), http1=self.http1, http2=self.http2, behind=behind)
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "haproxy.cfg"
        file.write_text(text)
        # On the core of the server: it belongs to what is asked.
        core = max(os.sched_getaffinity(0))
        self.process = subprocess.Popen(["taskset", "-c", str(core), PROGRAM, "-db", "-f", str(file)])
        atexit.register(self.stop)
        end = time.monotonic() + STARTS
        while not is_listening(self.http2):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("haproxy does not listen")
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def before(port):
    """The one in front of this port, which is started when it is first asked for."""
    if port not in _running:
        _running[port] = Front(port)
    return _running[port]


def allowed():
    """How many connections it may hold: each has a descriptor on both sides, and some are for haproxy itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if hard == resource.RLIM_INFINITY else min(MOST, (hard - 200) // 2)


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
