"""deny.toml: what is linked into the binary may be, by its licence, its origin and what it is."""

import subprocess

from chart import ROOT, TOOLS


def test_what_is_linked_may_be():
    # Without the advisories, whose database is in no package registry.
    command = [TOOLS / "chart/bin/cargo-deny", "--offline", "--locked", "check", "licenses", "bans", "sources"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "bans ok, licenses ok, sources ok" in done.stdout + done.stderr
