"""Links between the pages: each leads to a file that is there, and to a heading that it has."""

import re

import pytest
from conftest import ROOT

PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "benches/*.md", "catalog/*.md", "examples/**/*.md", "helm/*.md")
    for page in ROOT.glob(pattern)
    if "node_modules" not in page.parts
)

# Linked to, and written at the same time on other branches. The last test here says when this can go.
COMING = {ROOT / path for path in ("helm/README.md", "helm/values.yaml", "examples/clients")}


def text_of(page):
    """What a page says, without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() and target not in COMING:
            wrong.append(f"{link}: there is no such file")
        elif anchor and anchor not in anchors(target):
            wrong.append(f"{link}: there is no such heading")
    assert not wrong, "\n".join(wrong)


def test_every_page_of_docs_is_in_the_index():
    index = ROOT / "docs/README.md"
    linked = set(re.findall(r"\]\(([^)#\s]+)\)", index.read_text()))
    pages = {str(page.relative_to(index.parent)) for page in index.parent.glob("**/*.md")} - {"README.md"}
    assert pages <= linked, f"not in docs/README.md: {sorted(pages - linked)}"


def test_nothing_is_still_to_come_that_is_there():
    there = [str(path.relative_to(ROOT)) for path in COMING if path.exists()]
    assert not there, f"take it out of COMING: {there}"
