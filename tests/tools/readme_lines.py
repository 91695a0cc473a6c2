"""Runs the examples in README.md and docs/*.md as printed, each page against a server of its own with the examples loaded.

A block that opens with ```sh directly after the line `<!-- test -->` is run by bash -euo pipefail; it must exit 0.
A block that opens with ```text directly after `<!-- output -->` says what the block before it printed: each of its
lines, trimmed, must stand in the output; a line of `...` is skipped. All blocks of a page share one server, in the order
of the page; `<!-- serve: SECTION__KEY=value ... -->` gives that server settings. `grpcurl`, `subprocessor-registry` and a
`python` with the tests' packages are on PATH. A stream needs an end of its own: `timeout 2 ... || true`.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARIES = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
ADDRESS = ("127.0.0.1", 50051)
PREFIX = "SUBPROCESSOR_REGISTRY__"
AT_LEAST = 10  # grpcurl commands


def blocks(name, text):
    """Yields (line number, script, expected lines) of every tested block."""
    pattern = re.compile(
        r"^<!-- (test|output) -->\n(?:```(\w*)\n(.*?)^```$)?", re.MULTILINE | re.DOTALL
    )
    found = []
    for match in pattern.finditer(text):
        mark, language, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        if language != {"test": "sh", "output": "text"}[mark]:
            sys.exit(f"{name}:{line}: <!-- {mark} --> is not followed by its block")
        if mark == "test":
            found.append((line, body, []))
        elif found and not found[-1][2]:
            found[-1][2].extend(row.strip() for row in body.splitlines() if row.strip() not in ("", "..."))
        else:
            sys.exit(f"{name}:{line}: this output belongs to no tested block")
    return found


def settings(text):
    """What a page wants its server to be told."""
    return {
        PREFIX + key: value
        for pairs in re.findall(r"^<!-- serve: (.*) -->$", text, re.MULTILINE)
        for key, value in (pair.split("=", 1) for pair in pairs.split())
    }


def answers():
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(ADDRESS) == 0


def start_server(directory, environment):
    if answers():
        sys.exit(f"something already listens on {ADDRESS[0]}:{ADDRESS[1]}, the pages' own address")
    log = Path(directory) / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            ["subprocessor-registry", "serve", "--with-examples", "--data-dir", f"{directory}/data"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=directory,
        )  # fmt: skip
    deadline = time.monotonic() + 120
    while True:
        health = subprocess.run(
            ["grpcurl", "-plaintext", "%s:%d" % ADDRESS, "grpc.health.v1.Health/Check"],
            capture_output=True, env=environment, text=True,
        )  # fmt: skip
        if '"SERVING"' in health.stdout:
            return server
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            sys.exit(f"the server did not get ready:\n{log.read_text()}")
        time.sleep(0.1)


def stop_server(server):
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def run(script, expected, environment):
    """Runs one block; returns what is wrong with it, or None."""
    shell = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment, cwd=ROOT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        printed, _ = shell.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        # The whole group: what bash started would keep the pipe open.
        os.killpg(shell.pid, signal.SIGKILL)
        return f"not done after 60 s\n{shell.communicate()[0]}"
    if shell.returncode != 0:
        return f"exit {shell.returncode}\n{printed}"
    missing = [row for row in expected if row not in printed]
    if missing:
        return "not printed: " + "\n             ".join(missing) + f"\n{printed}"
    return None


def check(page, environment):
    """Runs the blocks of one page; returns how many it has, how many failed, and how many grpcurl lines there were."""
    name = page.relative_to(ROOT)
    text = page.read_text()
    tested = blocks(name, text)
    if not tested:
        return 0, 0, 0
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        server = start_server(directory, {**environment, **settings(text)})
        try:
            for line, script, expected in tested:
                wrong = run(script, expected, environment)
                failed += wrong is not None
                print(f"{name}:{line}: {'ok' if wrong is None else wrong}", flush=True)
        finally:
            stop_server(server)
    grpcurl = sum(len(re.findall(r"^\s*grpcurl ", script, re.MULTILINE)) for _, script, _ in tested)
    return len(tested), failed, grpcurl


def main():
    path = os.pathsep.join([str(BINARIES), str(ROOT / ".tools/venv/bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    # Pages can be named, to try one while writing it.
    pages = [Path(one).resolve() for one in sys.argv[1:]] or [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
    results = [check(page, environment) for page in pages]
    tested, failed, grpcurl = (sum(column) for column in zip(*results))
    if not sys.argv[1:] and grpcurl < AT_LEAST:
        sys.exit(f"the pages have {grpcurl} tested grpcurl lines, of at least {AT_LEAST}")
    print(f"{tested - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
