"""The public pages in a real browser, and what programs read, by parsers and validators that are not ours."""

import base64
import contextlib
import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
import types
import urllib.error
import urllib.request
from pathlib import Path

import axe_playwright_python
import feedparser
import grpc
import html5lib
import jsonschema
import pytest
from playwright.sync_api import sync_playwright

from conftest import BINARY, ROOT, free_port, wait_until_serving

DATA = ROOT / "tests" / "data" / "public"
LIST = "/organizations/northwind"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# Every kind of page.
PAGES = {
    "list": LIST,
    "search": f"{LIST}?q=mail&location=US",
    "nothing": f"{LIST}?q=zzz",
    "past": f"{LIST}?date=2020-06-01",
    "history": f"{LIST}/history",
    "notice": f"{LIST}/notices/joins",
    "moves": f"{LIST}/notices/moves",
    "subscribe": f"{LIST}/subscribe",
    "missing": "/organizations/nobody",
    "refused": f"{LIST}?colour=red",
    "no-link": f"{LIST}/subscriptions/x/confirm?token=y",
}


def command(site, *arguments):
    done = subprocess.run(
        [BINARY, *arguments, "--endpoint", site.address], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server with one public list, and a mail server that it writes to."""
    directory = tmp_path_factory.mktemp("pages")
    sink = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "tools" / "smtp_sink.py"], stdout=subprocess.PIPE, text=True
    )
    address = f"127.0.0.1:{free_port()}"
    environment = {
        "SECRETS__KEY": base64.b64encode(bytes(32)).decode(),
        "EMAIL__SMTP_HOST": "127.0.0.1",
        "EMAIL__SMTP_PORT": sink.stdout.readline().strip(),
        "EMAIL__TLS": "none",
        "EMAIL__FROM": "privacy@northwind.example",
        "SCHEDULE__POLL_INTERVAL_MS": "50",
    }
    log = directory / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [BINARY, "serve", "--listen", address, "--data-dir", directory / "data"],
            env=os.environ | {f"SUBPROCESSOR_REGISTRY__{key}": value for key, value in environment.items()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with grpc.insecure_channel(address) as channel:
            wait_until_serving(channel, process, log)
        site = types.SimpleNamespace(address=f"http://{address}", sink=sink.stdout)
        command(site, "apply", str(DATA / "northwind.yaml"), "--yes")
        for notice in ["joins", "moves"]:
            name = f"organizations/northwind/notices/{notice}"
            command(
                site,
                *["notice", "create", "--organization", "northwind", str(DATA / f"notice-{notice}.yaml"), "--id", notice],
            )
            command(site, "notice", "approve", name, "--principal", "approver")
            command(site, "notice", "publish", name)
        yield site
        assert process.poll() is None, f"the server ended by itself:\n{log.read_text()}"
    finally:
        for running in (process, sink):
            running.kill()
            running.wait()


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.fail("chromium is missing: run tests/tools/install.sh")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield running
        running.close()


@pytest.fixture
def page(site, browser):
    """Opens pages, and sees to it that nothing is loaded from elsewhere or refused by our own policy."""
    seen = []
    with contextlib.ExitStack() as open_contexts:

        def opened(path, **options):
            context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
            open_contexts.callback(context.close)
            tab = context.new_page()
            tab.on("request", lambda request: seen.append(request.url))
            # A page that is left before its icon has come has not failed.
            failed = lambda request: request.failure != "net::ERR_ABORTED"  # noqa: E731
            tab.on(
                "requestfailed",
                lambda request: seen.append(f"failed: {request.url}: {request.failure}") if failed(request) else None,
            )
            tab.on("console", lambda said: seen.append(f"console: {said.text}") if "policy" in said.text else None)
            tab.goto(site.address + path)
            return tab

        yield opened
    strange = [url for url in seen if not url.startswith(site.address)]
    assert not strange, strange


def fetched(site, path):
    """The text at an address, whatever its status."""
    try:
        with urllib.request.urlopen(site.address + path, timeout=30) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.read().decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(page, scheme):
    tab = page(LIST, color_scheme=scheme)
    address = tab.url.removesuffix(LIST)
    for name, path in PAGES.items():
        for width in (1280, 320):
            tab.set_viewport_size({"width": width, "height": 900})
            tab.goto(address + path)
            tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            tab.evaluate(AXE)
            found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
            told = [(one["id"], one["help"], [node["html"] for node in one["nodes"]]) for one in found]
            assert not told, f"{name}, {width} pixels, {scheme}: {told}"


@pytest.mark.parametrize("name", PAGES)
def test_html_is_valid(site, name):
    # Strict: whatever a browser would have to mend is an error here.
    html5lib.HTMLParser(strict=True).parse(fetched(site, PAGES[name]))


def test_nothing_is_wider_than_320_pixels(page):
    # The same as a window of 1280 pixels at 400 %.
    tab = page(LIST, viewport={"width": 320, "height": 640})
    address = tab.url.removesuffix(LIST)
    for name, path in PAGES.items():
        tab.goto(address + path)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 320, name


def test_the_keyboard_is_enough_and_no_script_is_needed(page):
    tab = page(LIST, java_script_enabled=False)
    tab.keyboard.press("Tab")
    assert tab.locator(":focus").inner_text() == "Skip to the content"
    assert tab.locator(":focus").bounding_box()["y"] >= 0, "what has the focus is seen"
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#main")
    for _ in range(30):
        tab.keyboard.press("Tab")
        if tab.locator(":focus").get_attribute("id") == "q":
            break
    tab.keyboard.type("e-mail")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**q=e-mail**")
    assert tab.get_by_role("status").inner_text() == "1 of 5 sub-processors"
    assert tab.locator("tbody th .name").all_inner_texts() == ["Twilio SendGrid"]
    tab.get_by_role("link", name="Clear").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"**{LIST}")
    assert tab.get_by_role("status").inner_text() == "5 sub-processors"


def test_filters_and_days(page):
    tab = page(LIST)
    tab.get_by_label("Location").select_option(label="United Kingdom")
    tab.get_by_role("button", name="Show").click()
    assert tab.locator("tbody th .name").all_inner_texts() == ["Northwind Analytics UK Ltd"]
    assert tab.get_by_label("Location").input_value() == "GB"
    tab.goto(tab.url.split("?")[0])
    tab.get_by_label("In effect on").fill("2019-06-01")
    tab.get_by_role("button", name="Show").click()
    names = tab.locator("tbody th .name").all_inner_texts()
    assert names == ["Amazon Web Services", "Intercom", "Northwind Analytics UK Ltd", "Zendesk"]
    assert "in effect on 1 June 2019" in tab.get_by_role("note").inner_text()
    tab.get_by_role("link", name="Back to the current list").click()
    # Nothing was known then.
    tab.get_by_label("As known on").fill("2001-01-01")
    tab.get_by_role("button", name="Show").click()
    assert tab.get_by_role("heading", level=1).inner_text() == "There is no such page"


def test_print_shows_what_matters(page):
    tab = page(LIST)
    tab.emulate_media(media="print")
    for gone in ["nav", "form", ".skip", ".forms"]:
        assert not tab.locator(gone).first.is_visible(), gone
    assert tab.get_by_role("cell", name="United States").first.is_visible()
    assert tab.get_by_text("IP addresses").is_visible(), "what is folded away on a screen is on paper"
    assert tab.pdf().startswith(b"%PDF")


def test_colours_follow_the_organization_and_the_reader(page):
    colour = "getComputedStyle(document.querySelector('.forms a')).color"
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = page(LIST, color_scheme="light"), page(LIST, color_scheme="dark")
    assert light.evaluate(colour) == "rgb(11, 93, 91)"
    assert light.evaluate(ground) == "rgb(255, 255, 255)"
    assert dark.evaluate(colour) != light.evaluate(colour)
    assert dark.evaluate(ground) == "rgb(22, 25, 29)"


def mailed(site):
    """The next mail: its headers and its text."""
    kept = json.loads(site.sink.readline())
    message = email.message_from_bytes(base64.b64decode(kept["message"]), policy=email.policy.default)
    return message, message.get_body(("plain",)).get_content()


def test_subscribing_and_unsubscribing_by_the_links_of_mails(page, site):
    tab = page(LIST, java_script_enabled=False)
    tab.get_by_role("link", name="Subscribe").click()
    tab.get_by_label("E-mail address").fill("ann@example.com")
    tab.get_by_label("Northwind Assist").check()
    tab.get_by_role("button", name="Subscribe").click()
    assert tab.get_by_role("heading", level=1).inner_text() == "Look into your mail"
    message, text = mailed(site)
    assert message["To"] == "ann@example.com"
    confirm = re.search(r"http\S+/confirm\?\S+", text)[0]
    tab.goto(confirm)
    tab.get_by_role("button", name="Confirm").click()
    assert tab.get_by_role("heading", level=1).inner_text() == "You are subscribed"
    name = re.search(r"organizations/\S+/subscriptions/[^/]+", confirm)[0]
    assert '"ACTIVE"' in command(site, "get", name, "-o", "json")
    # Each mail that follows has a link to end it: a page for people, one request for mail programs (RFC 8058).
    command(site, "subscriptions", "test", name)
    message, text = mailed(site)
    if "/unsubscribe?" not in text:  # what says that it is confirmed may come first
        message, text = mailed(site)
    unsubscribe = re.search(r"http\S+/unsubscribe\?\S+", text)[0]
    assert unsubscribe in message["List-Unsubscribe"]
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    tab.goto(unsubscribe.replace("/unsubscribe?", "/confirm?"))
    assert tab.get_by_role("heading", level=1).inner_text() == "There is no such page", "a link is good for one thing"
    tab.goto(unsubscribe)
    tab.get_by_role("button", name="Unsubscribe").click()
    assert tab.get_by_role("heading", level=1).inner_text() == "You are unsubscribed"
    with urllib.request.urlopen(unsubscribe, data=b"List-Unsubscribe=One-Click", timeout=30) as again:
        assert again.status == 200
    tab.goto(confirm)
    assert tab.get_by_role("heading", level=1).inner_text() == "This subscription has ended"


def test_the_feed_is_read_by_another_parser(site):
    feed = feedparser.parse(fetched(site, f"{LIST}/feed.atom"))
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    assert feed.feed.id.startswith("urn:uuid:")
    titles = [entry.title for entry in feed.entries]
    assert {"Zendesk also answers from Ireland", "Snowflake joins, for reporting"} <= set(titles)
    assert len({entry.id for entry in feed.entries}) == len(feed.entries)
    for entry in feed.entries:
        assert entry.updated_parsed and entry.link and entry.content[0].type == "text/html"


def test_what_is_published_fits_its_schema(site):
    schema = json.loads(fetched(site, "/schemas/subprocessors.json"))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    validator.check_schema(schema)
    for path in [f"{LIST}/subprocessors.json", f"{LIST}/subprocessors.json?date=2020-01-01", "/.well-known/subprocessors.json"]:
        document = json.loads(fetched(site, path))
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
        assert not errors, errors
    # And the schema does refuse.
    document = json.loads(fetched(site, f"{LIST}/subprocessors.json"))
    assert len(document["upcoming"]) == 2
    for broken in [{"schema_version": "2.0"}, {"date": "soon"}, {"subprocessors": [{"id": "x"}]}, {"upcoming": [{}]}]:
        assert not validator.is_valid(document | broken), broken


def test_a_preview_is_one_file(site, page, tmp_path):
    file = tmp_path / "page.html"
    command(site, "page", "preview", "northwind", "-o", str(file))
    text = file.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert "stylesheet" not in text and "Amazon Web Services" in text and "--accent: #0b5d5b" in text
