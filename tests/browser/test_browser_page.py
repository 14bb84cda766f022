"""The page that `trtnet draw` writes, in a real browser."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from helpers.tools import drawings

from trtnet.graph.layers.titles import times
from trtnet.tools.draw.drawing import Drawing, Measurement
from trtnet.tools.draw.files import writing
from trtnet.tools.draw.files.writing import Layout, lay_out
from trtnet.tools.draw.from_network import draw_network
from trtnet.tools.draw.layout.placing import Scene, place

COUNT_NODES = "picture.visible().length"


def opened(tab, path: Path, drawing: Drawing, depth: int | None = None) -> Layout:
    layout = lay_out(drawing, depth)
    writing.write(layout, path / "page.html")
    tab.open(path / "page.html")
    return layout


def names(tab) -> list[str]:
    return tab.page.locator(".node .name").all_text_contents()


def in_view(tab, selector: str) -> bool:
    box, canvas = tab.page.locator(selector).first.bounding_box(), tab.page.locator("#canvas").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return (
        canvas["x"] < middle[0] < canvas["x"] + canvas["width"]
        and canvas["y"] < middle[1] < canvas["y"] + canvas["height"]
    )


def test_a_network_opens(tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, drawings.resnet18())
    assert tab.page.title() == "resnet18"
    assert f"Conv {times((7, 7))} /2" in names(tab) and "layer1.0" in names(tab)
    shapes = tab.page.locator(".shape").all_text_contents()
    assert times(("batch", 64, 112, "112float32")) in shapes
    panel = tab.page.locator("#panel").inner_text()
    assert "convolution" in panel and "GFLOP" in panel and "no output needs them" not in panel


def test_search_finds_opens_and_shows(tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, drawings.resnet18(), depth=1)
    layer = next(i for i, x in enumerate(drawings.resnet18().layers) if x.name == "layer3.1.conv2/convolution")
    assert tab.page.locator(f"[data-layer='{layer}']").count() == 0
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("layer3.1 CONV2")
    assert tab.page.locator("#results li").first.inner_text().startswith("layer3.1.conv2/convolution")
    tab.page.keyboard.press("Enter")
    assert tab.page.locator(f".node.selected[data-layer='{layer}']").count() == 1
    assert in_view(tab, f"[data-layer='{layer}']")
    assert not tab.page.locator("#results").is_visible()


def test_search_by_class_and_without_success(tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, drawings.resnet18())
    tab.page.fill("#search", "BasicBlock")
    assert tab.page.locator("#results li").count() == 8
    tab.page.fill("#search", "transformer")
    assert tab.page.locator("#results").inner_text() == "nothing found"


def test_a_click_shows_what_a_layer_is(tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, drawings.lenet())
    tab.page.locator(".node", has_text="conv2").click()
    panel = tab.page.locator("#panel").inner_text()
    for said in (
        "CONVOLUTION",
        "conv2/convolution",
        "models/lenet.py:32",
        times((5, 5)),
        "num_output_maps",
        "480 kFLOP",
    ):
        assert said in panel
    assert times(("batch", 6, 14, "14 float16")) in panel
    assert tab.page.locator(".edge.lit").count() == 2
    tab.page.locator("#panel button", has_text="max_pool").first.click()
    assert "made by" in tab.page.locator("#panel").inner_text()
    tab.page.keyboard.press("Escape")
    assert tab.page.locator(".lit, .selected").count() == 0


def test_modules_open_and_close_by_a_click(tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, drawings.resnet18(), depth=1)
    closed = tab.page.evaluate(COUNT_NODES)
    block = tab.page.locator(".node[data-group]", has_text="layer1")
    before = block.bounding_box()
    block.click()
    assert {"layer1.0", "layer1.1"} <= set(names(tab))
    heading = tab.page.locator(".heading", has_text="layer1").first
    after = heading.bounding_box()
    assert abs(after["y"] - before["y"]) < 2  # what was clicked stays under the pointer
    assert tab.page.evaluate(COUNT_NODES) == closed + 1
    heading.click()
    assert tab.page.evaluate(COUNT_NODES) == closed


def test_levels(tab, tmp_path: Path) -> None:
    layout = opened(tab, tmp_path, drawings.resnet18(), depth=1)
    counts = [tab.page.evaluate(COUNT_NODES)]
    for _ in range(2):
        tab.page.click("#open-level")
        counts.append(tab.page.evaluate(COUNT_NODES))
    assert counts == sorted(set(counts)) and counts[-1] == len(layout.drawing.layers)
    tab.page.click("#close-level")
    assert tab.page.evaluate(COUNT_NODES) == counts[-2]
    tab.page.click("#expand")
    assert tab.page.evaluate(COUNT_NODES) == counts[-1]
    tab.page.click("#collapse")
    assert tab.page.evaluate(COUNT_NODES) == counts[0]


def test_zoom_pan_and_fit(tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, drawings.resnet18())

    def view() -> dict[str, float]:
        return tab.page.evaluate("({x: picture.view.x, y: picture.view.y, scale: picture.view.scale})")

    first = view()
    tab.page.mouse.move(600, 400)
    tab.page.mouse.wheel(0, -300)
    tab.page.wait_for_function(f"picture.view.scale > {first['scale']} * 1.3")
    near = view()
    box = tab.page.locator("#canvas").bounding_box()
    for axis, pointer in (("x", 600 - box["x"]), ("y", 400 - box["y"])):  # the point under the pointer stays there
        before = (pointer - first[axis]) / first["scale"]
        assert (pointer - near[axis]) / near["scale"] == pytest.approx(before, abs=0.5)
    tab.page.mouse.down()
    tab.page.mouse.move(650, 330, steps=4)
    tab.page.mouse.up()
    moved = view()
    assert (moved["x"] - near["x"], moved["y"] - near["y"]) == pytest.approx((50, -70), abs=1)
    tab.page.keyboard.press("-")
    assert view()["scale"] == pytest.approx(moved["scale"] * 0.8)
    tab.page.keyboard.press("0")
    scene = tab.page.locator("#world").bounding_box()
    assert scene["height"] <= box["height"] and scene["width"] <= box["width"]


def test_the_outline_leads_to_modules(tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, drawings.resnet18(), depth=1)
    tab.page.locator("#outline summary", has_text="layer4").first.locator("button").click()
    assert "layer4" in tab.page.locator("#panel h2").inner_text()
    assert in_view(tab, ".selected")


def test_names_are_never_markup(tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, drawings.hostile())
    tab.page.click("#expand")
    assert tab.page.title() == drawings.HOSTILE
    assert tab.page.locator("img").count() == 0
    assert drawings.HOSTILE in names(tab)
    for node in tab.page.locator(".node").all():
        node.click()
    tab.page.fill("#search", "script")
    assert tab.page.locator("#results li").count() >= 2
    assert tab.page.locator("img").count() == 0 and tab.page.title() == drawings.HOSTILE


def test_colours_by_what_was_measured(tab, tmp_path: Path) -> None:
    drawing = drawings.chain(["a.x", "a.x", "b", "b"])
    measurement = Measurement("time", "ms", adds_up=True, layers={1: 1.0, 2: 3.0, 3: 0.5})
    opened(tab, tmp_path, Drawing("measured", drawing.layers, drawing.tensors, measurement=measurement), depth=1)
    panel = tab.page.locator("#panel").inner_text()
    assert "4.5 ms" in panel and "0 ms" in panel and "4 ms" in panel

    def colour(name: str) -> str:
        return tab.page.locator(".node", has_text=name).first.evaluate(
            "node => node.style.getPropertyValue('--colour')"
        )

    assert colour("a") == tab.page.evaluate("rampColour(1)")
    assert colour("b") == tab.page.evaluate("rampColour(0.125)")
    tab.page.select_option("#colouring", "family")
    assert "Layers by family".upper() in tab.page.locator("#panel").inner_text().upper()


def test_infinite_errors_are_the_worst(tab, tmp_path: Path) -> None:
    drawing = drawings.chain(["a", "b", "c"])
    measurement = Measurement("error", "", adds_up=False, modules={"a": 1e-6, "b": float("inf"), "c": 1e-2})
    opened(tab, tmp_path, Drawing("errors", drawing.layers, drawing.tensors, measurement=measurement))
    places = tab.page.evaluate(
        "['a', 'b', 'c'].map(x => measuredColour(picture.scale, picture.drawing.layers.find(l => l.label === x).value))"
    )
    assert places[1] == places[2] == tab.page.evaluate("rampColour(1)")
    assert places[0] == tab.page.evaluate("rampColour(0)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(tab, tmp_path: Path, scheme: str) -> None:
    tab.page.emulate_media(color_scheme=scheme)
    opened(tab, tmp_path, drawings.lenet())
    assert tab.page.evaluate("document.documentElement.dataset.theme") == scheme
    contrasts = tab.page.evaluate(CONTRASTS)
    assert len(contrasts) > 10 and min(contrasts) > 4.5  # WCAG AA
    tab.page.click("#theme")
    assert min(tab.page.evaluate(CONTRASTS)) > 4.5


CONTRASTS = """() => {
  const rgb = (colour) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  const light = (colour) => rgb(colour).map((x) => linear(x / 255))
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  return [...document.querySelectorAll(".node text")].map((text) => {
    const box = text.parentNode.querySelector("rect:not(.under)");
    const [a, b] = [text, box].map((one) => light(getComputedStyle(one).fill));
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
}"""


def test_the_page_places_as_python_does(tab, tmp_path: Path) -> None:
    layout = opened(tab, tmp_path, drawings.model("unet"))
    for depth in range(1, 5):
        groups = [group.index for group in layout.tree.groups if group.depth < depth]
        found = tab.page.evaluate(
            f"flat(placeGroup(picture.drawing, 0, new Set({groups})))".replace("flat(", FLAT + "(")
        )
        expected = flat(place(layout.tree, layout.arrangements, groups))
        assert len(found) == len(expected)
        for ours, theirs in zip(expected, found, strict=True):
            assert theirs == pytest.approx(ours, abs=1e-6)


FLAT = """(function flat(scene) {
  const rows = [[scene.width, scene.height, 0, 0]];
  for (const box of scene.boxes) {
    rows.push([box.x, box.y, box.width, box.height]);
    if (box.inside) rows.push(...flat(box.inside));
  }
  return rows;
})"""


def flat(scene: Scene) -> list[list[float]]:
    rows = [[scene.width, scene.height, 0, 0]]
    for box in scene.boxes:
        rows.append([box.x, box.y, box.width, box.height])
        rows += flat(box.inside) if box.inside else []
    return rows


def seconds(tab, call: str) -> float:
    """How long a call takes until the page is laid out."""
    timed = (
        "const start = performance.now(); {}; document.body.getBoundingClientRect(); return performance.now() - start;"
    )
    return tab.page.evaluate("() => {" + timed.replace("{}", call) + "}") / 1000


def test_two_thousand_layers_stay_usable(tab, tmp_path: Path) -> None:
    target = drawings.deep()
    start = time.perf_counter()
    layout = opened(tab, tmp_path, draw_network(target))
    assert time.perf_counter() - start < 5
    assert sum(layer.kind not in ("INPUT", "OUTPUT") for layer in layout.drawing.layers) == 2000
    assert tab.page.evaluate(COUNT_NODES) <= 50
    assert seconds(tab, "picture.open(() => true)") < 2
    assert tab.page.evaluate(COUNT_NODES) == 2002
    assert seconds(tab, "picture.toggle(5)") < 1
    assert seconds(tab, "picture.view.pan(0, -5000)") < 1
    assert seconds(tab, "picture.view.fit(picture.scene)") < 2
    tab.page.fill("#search", "stages.7.blocks.3/relu_4")
    tab.page.keyboard.press("Enter")
    assert in_view(tab, ".selected")
