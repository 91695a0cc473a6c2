"""Makes docs/images: photographs the pages of the real binary, with docs/acme.yaml and its notice in it.

Run by `make screenshots` when the pages look different. The clock stands still, so that the dates on the pictures do.
"""

import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug/subprocessor-registry"
LISTEN = "127.0.0.1:50059"
BASE = f"http://{LISTEN}"
NOW = "2026-11-23T09:00:00Z"
NOTICE = "organizations/acme/notices/chatnest"
# Each picture: its name, the page, the size of the window, and pixels for each of its own.
PICTURES = [
    ("public-page", "/organizations/acme", (1200, 1900), 1),
    ("timeline", "/internal/organizations/acme/timeline.svg?from=2018-01-01&to=2028-12-31", (1000, 281), 2),
]


def client(*arguments):
    subprocess.run([BINARY, *arguments, "--endpoint", BASE], check=True, stdout=subprocess.DEVNULL)


def fill():
    """An organization, and a notice to its customers that runs."""
    client("apply", ROOT / "docs/acme.yaml", "--yes")
    client("notice", "create", ROOT / "docs/chatnest.yaml", "--organization", "acme")
    client("notice", "approve", NOTICE, "--principal", "dpo")
    client("notice", "publish", NOTICE)


def wait_until_it_answers(server):
    for _ in range(600):
        try:
            return urllib.request.urlopen(f"{BASE}/organizations/crescendo", timeout=5).read()
        except OSError:
            assert server.poll() is None, "the server ended"
            time.sleep(0.1)
    raise TimeoutError("the server does not answer")


def photograph():
    images = ROOT / "docs/images"
    images.mkdir(exist_ok=True)
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        for name, path, (width, height), scale in PICTURES:
            page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
            if path.split("?")[0].endswith(".svg"):
                # Chromium does not photograph a document that is an image.
                page.set_content(f'<body style="margin: 0"><img src="{BASE}{path}" style="width: 100%; display: block">')
                page.wait_for_function("document.images[0].complete")
            else:
                page.goto(BASE + path)
            page.screenshot(path=images / f"{name}.png")
        browser.close()


def main():
    with tempfile.TemporaryDirectory() as directory:
        clock = Path(directory) / "now"
        clock.write_text(NOW)
        command = [BINARY, "serve", "--with-examples", "--listen", LISTEN, "--data-dir", f"{directory}/data"]
        environment = {**os.environ, "SUBPROCESSOR_REGISTRY__CLOCK__FILE": str(clock)}
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                wait_until_it_answers(server)
                fill()
                photograph()
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
