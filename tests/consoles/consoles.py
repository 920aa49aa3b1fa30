"""Runs the console blocks of the documents, each page in a folder of its own, against the built-in server.

A comment right above a block says what is to be known of it; there may be several:

    <!-- console: not run: REASON -->        what it takes is not here; all of these are listed in not-run.txt
    <!-- console: slow -->                   run by `scripts/test --all` alone
    <!-- console: with ARGUMENTS -->         added to each command that runs a load, to make it short
    <!-- console: replace OLD by NEW -->     in its text; above a scenario too
    <!-- console: ends with CODE -->         the exit code, where it is not 0

A scenario that has a name stands in the folder as NAME.toml. What listens on a port of the documents is the built-in server: that
which the page starts, else one with rooms.
"""

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")), "reports/README.md"]
PORTS = re.compile(r"(?:127\.0\.0\.1|localhost):(?:3000|3001|8080|9001)\b")
LOADS = ("run", "watch", "search", "ab", "probe", "try")
INSTALLS = "cargo install "  # the program is here already; `scripts/test --all` does it
TRIES = 4  # where the machine is too busy for a verdict, or for the times of a gate
LIMIT_S = 120  # of one command


@dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    never: str = ""
    slow: bool = False
    more: str = ""
    code: int = 0
    replaced: list = field(default_factory=list)

    def __str__(self):
        return f"{self.page}:{self.line}"

    def told(self, words):
        """Takes what a comment says."""
        kind, _, rest = words.partition(" ")
        if words == "slow":
            self.slow = True
        elif words.startswith("not run: "):
            self.never = words.removeprefix("not run: ")
        elif kind == "with" and rest:
            self.more = rest
        elif kind == "replace" and rest.count(" by ") == 1:
            self.replaced.append(rest.split(" by "))
        elif words.startswith("ends with "):
            self.code = int(words.removeprefix("ends with "))
        else:
            raise ValueError(f"{self}: what is `{words}`?")

    def changed(self):
        """Its text, with what is to be replaced."""
        text = self.text
        for old, new in self.replaced:
            if old not in text:
                raise ValueError(f"{self}: there is no {old} to replace")
            text = text.replace(old, new)
        return text

    def commands(self):
        """The lines with a prompt, without the comments behind them."""
        lines = [line[2:] for line in self.changed().splitlines() if line.startswith("$ ")]
        return [re.split(r"\s+# ", line)[0].strip() for line in lines]


def blocks(page, text):
    """All fenced blocks of a page, with what stands above them."""
    found, above, inside = [], [], None
    for number, line in enumerate(text.splitlines(), 1):
        if inside is not None:
            if line.startswith("```"):
                block = Block(page, inside, language, "\n".join(lines))
                for words in above:
                    block.told(words)
                found.append(block)
                inside, above = None, []
            else:
                lines.append(line)
        elif line.startswith("```"):
            inside, language, lines = number, line[3:].strip(), []
        elif comment := re.fullmatch(r"<!-- console: (.*) -->", line):
            above.append(comment.group(1))
        elif above:
            raise ValueError(f"{page}:{number}: no block stands below the comment")
    return found


def page_blocks(page):
    return blocks(page, (ROOT / page).read_text())


class Failed(Exception):
    """A command that did not end as it should."""


class Stage:
    """A folder in which the commands of one page are run, and the servers that they start."""

    def __init__(self, folder, program):
        self.folder, self.servers, self.scenarios, self.undecided, self.address = folder, [], [], [], None
        (folder / "bin").mkdir()
        (folder / "bin/wsbench").symlink_to(program)
        opener = folder / "bin/xdg-open"  # no page shall open where the tests run
        opener.write_text("#!/bin/sh\n")
        opener.chmod(0o755)
        self.work = folder / "work"
        self.work.mkdir()
        # Where the documents have the scenarios of their reader, those that ship stand here.
        for name in ("scenarios", "load"):
            (self.work / name).symlink_to(ROOT / "scenarios")
        (self.work / "baselines").mkdir()
        self.environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TOKEN": "token"}

    def close(self):
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
        for server in self.servers:
            server.communicate()

    def serve(self, command):
        """Starts a server on a free port; from now on it is the one that the page speaks of."""
        command = re.sub(r" --port \d+", "", command) + " --port 0"
        server = subprocess.Popen(
            ["sh", "-c", f"exec {command}"], cwd=self.work, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.servers.append(server)
        for line in server.stdout:
            if listening := re.search(r"listening on ws://(\S+)", line):
                self.address = listening.group(1)
                return
        raise Failed(f"`{command}` ended with {server.wait()}")

    def placed(self, text):
        return PORTS.sub(lambda _: self.address, text)

    def run(self, block):
        """Runs all commands of a block. Returns how many."""
        if not block.commands():
            raise Failed(f"{block}: no command")
        commands = [command for command in block.commands() if not command.startswith(INSTALLS)]
        for command in commands:
            command = re.sub(r"^cargo run --release -- ", "wsbench ", command)
            kind = (command.split() + ["", ""])[1] if command.startswith("wsbench ") else ""
            if kind == "serve":
                self.serve(command)
                continue
            if self.address is None and PORTS.search(command + "".join(text for _, text in self.scenarios)):
                self.serve("wsbench serve --rooms")
            for name, text in self.scenarios:
                (self.work / f"{name}.toml").write_text(self.placed(text))
            if kind in LOADS and block.more:
                command, *behind = re.split(r"(?= > )", command, maxsplit=1)
                command = f"{command} {block.more}{''.join(behind)}"
            self.command(block, self.placed(command), kind)
        return len(commands)

    def command(self, block, command, kind):
        for attempt in range(TRIES):
            for folder in re.findall(r" --out (\S+)", command) if attempt else []:
                shutil.rmtree(self.work / folder, ignore_errors=True)
            done = subprocess.run(
                ["sh", "-c", command], cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
            if done.returncode == block.code:
                return
            if kind not in LOADS or done.returncode not in (3, 4):
                break
        if kind in LOADS and done.returncode == 4:
            # It was played to its end each time, and said that this machine is too busy to judge.
            self.undecided.append(command)
            return
        raise Failed(f"{block}: `{command}` ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def play(page, folder, program, slow):
    """Runs the blocks of a page that are to be run. Returns how many commands it ran, and those without a verdict."""
    stage = Stage(folder, program)
    ran = 0
    try:
        for block in page_blocks(page):
            if block.language == "toml":
                if name := re.search(r'\A(?:\s*#.*\n)*\s*name = "([\w-]+)"', block.changed()):
                    stage.scenarios.append((name.group(1), block.changed()))
            elif block.language == "console" and not block.never and (slow or not block.slow):
                ran += stage.run(block)
    finally:
        stage.close()
    return ran, stage.undecided


def not_run():
    """What is never run, with the reasons."""
    lines = []
    for page in PAGES:
        for block in page_blocks(page):
            if block.language != "console":
                continue
            for command in block.commands():
                if why := block.never or (command.startswith(INSTALLS) and "the program is there; `scripts/test --all` does it"):
                    lines.append(f"{page}: {command}  # {why}")
    return lines
