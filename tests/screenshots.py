"""Makes the pictures of drawings in docs/img again: `python tests/screenshots.py`. Needs Chromium and playwright."""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from trtnet.tools.draw.files.writing import lay_out, write
from trtnet.tools.draw.from_network import draw_network
from trtnet.tools.targets.networks import Choices, open_network

IMAGES = Path(__file__).parents[1] / "docs" / "img"
SIZE = {"width": 1280, "height": 800}


def open_page(page: Page, model: str, depth: int, folder: Path) -> None:
    drawing = draw_network(open_network(model, Choices(dtype="float16")))
    write(lay_out(drawing, depth), folder / f"{model}.html")
    page.goto((folder / f"{model}.html").as_uri())


def show(page: Page, selection: str, x: float, y: float, scale: float) -> None:
    """Selects an item and puts the middle of the canvas there, in the coordinates of the drawing from that item."""
    page.evaluate(
        """([[kind, name], x, y, scale]) => {
          const { groups, layers } = picture.drawing;
          const all = kind === "group" ? groups.map((group) => group.path) : layers.map((layer) => layer.name);
          const selection = [kind, all.indexOf(name)];
          picture.go(selection);
          const box = picture.find(...selection);
          picture.view.scale = scale;
          picture.view.x = picture.view.canvas.clientWidth / 2 - (box.x + box.width / 2 + x) * scale;
          picture.view.y = picture.view.canvas.clientHeight / 2 - (box.y + y) * scale;
          picture.view.apply();
        }""",
        [selection.split(" "), x, y, scale],
    )


def resnet50(page: Page, folder: Path) -> None:
    open_page(page, "resnet50", 1, folder)
    page.locator(".node", has_text="layer1").click()
    page.locator(".node", has_text="layer1.0").click()
    show(page, "group layer1", 0, 250, 0.95)
    page.keyboard.press("Escape")


def vit(page: Page, folder: Path) -> None:
    open_page(page, "vit_b_16", 1, folder)
    show(page, "layer encoder.layers.encoder_layer_0.self_attention/attention_AttentionInput", 30, 70, 0.85)
    page.click("#theme")


def main() -> None:
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        for name, picture in {"draw_resnet50": resnet50, "draw_vit": vit}.items():
            page = browser.new_page(viewport=SIZE, device_scale_factor=1.5)
            picture(page, Path(folder))
            page.mouse.move(SIZE["width"] / 2, 10)
            image = Image.open(io.BytesIO(page.screenshot()))
            image.convert("RGB").quantize(256).save(IMAGES / f"{name}.png", optimize=True)
            print(IMAGES / f"{name}.png", (IMAGES / f"{name}.png").stat().st_size)
        browser.close()


if __name__ == "__main__":
    main()
