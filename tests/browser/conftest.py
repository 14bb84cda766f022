"""A headless Chromium, or the reason why there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

FLAGS = (
    "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
SIZE = {"width": 1400, "height": 900}


class Tab:
    """A page of the browser, and what it complained of."""

    def __init__(self, page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type in ("error", "warning") else None)
        page.on(
            "request",
            lambda request: self.errors.append(f"fetched {request.url}") if self.is_foreign(request.url) else None,
        )

    @staticmethod
    def is_foreign(url: str) -> bool:
        return not url.startswith(("file:", "data:", "blob:", "http://localhost", "http://127.0.0.1"))

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri())


@pytest.fixture(scope="module")  # Playwright's event loop stands in the way of others as long as it runs
def browser(tmp_path_factory: pytest.TempPathFactory):
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")), executable_path=executable, headless=True,
            chromium_sandbox=False, args=list(FLAGS), viewport=SIZE, color_scheme="light",
        )  # fmt: skip
        yield context
        context.close()


@pytest.fixture
def tab(browser) -> Iterator[Tab]:
    tab = Tab(browser.new_page())
    yield tab
    tab.page.close()
    assert tab.errors == []
