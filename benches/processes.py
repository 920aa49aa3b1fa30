"""A client as the kernel sees it: its processes, whichever it started, their CPU and their memory."""

import os
import signal
import time
from pathlib import Path


def tree(root):
    """A process and all that came of it, itself first. Empty once it has ended."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # What a program calls itself stands in brackets, and may hold any character.
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            children.setdefault(int(parent), []).append(int(stat.parent.name))
        elif int(stat.parent.name) == root:
            return []
    found = [root] if Path(f"/proc/{root}").exists() else []
    for process in found:
        found += children.get(process, [])
    return found


def cpu_seconds(pid):
    """User and system time of all threads, to the nanosecond: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def cpu_of_each(root):
    """The CPU seconds of each process of a tree. What one has used that ended since is lost."""
    seconds = {}
    for pid in tree(root):
        try:
            seconds[pid] = cpu_seconds(pid)
        except OSError:
            continue
    return seconds


def cpu_between(start, end):
    """From one `cpu_of_each` to a later one."""
    return sum(seconds - start.get(pid, 0.0) for pid, seconds in end.items())


def resident_bytes(root):
    """Of all processes of a tree; what two of them share counts twice."""
    return sum(resident_bytes_of_one(pid) for pid in tree(root))


def resident_bytes_of_one(pid):
    return memory_of_one(pid, "VmRSS:")


def peak_bytes(pid):
    """The most that one process had at any time so far."""
    return memory_of_one(pid, "VmHWM:")


def memory_of_one(pid, name):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith(name)]
    return sizes[0] if sizes else 0


def stop(process, patience):
    """Ends a started process and all that came of it: politely, and after so many seconds by force."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        left = tree(process.pid)
        for pid in left:
            send(pid, how)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            process.poll()
            left = [pid for pid in left if is_alive(pid)]
            if not left:
                return
            time.sleep(0.02)


def send(pid, how):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
