// What is open and what is selected, and what the buttons do.

const byId = (id) => document.getElementById(id);

class Picture {
  constructor(drawing) {
    this.drawing = drawing;
    this.opened = new Set(drawing.open);
    this.selection = null;
    this.measured = drawing.measurement !== null;
    this.pieces = new Pieces();
    this.view = new View(byId("canvas"), byId("world"), (sight) => this.show(sight));
    this.panel = new Panel(drawing, byId("panel"), (selection) => this.go(selection));
    this.outline = new Outline(drawing, byId("outline"), (selection) => this.go(selection));
    this.search = new Search(drawing, byId("search"), byId("results"), (selection) => this.go(selection));
    this.draw();
    this.view.begin(this.scene);
    this.select(null);
  }

  show(sight) {
    if (this.pieces.show(sight)) this.mark();
  }

  /** Draws what is open; to be followed by a move of the view, which shows it. */
  draw() {
    this.scene = placeGroup(this.drawing, 0, this.opened);
    this.scale = this.measured ? scaleOf(this.drawing.measurement, this.visible().map((one) => one.value)) : null;
    this.pieces = new Pieces();
    const world = drawScene(this.drawing, this.scene, (kind, index) => this.colour(kind, index), this.pieces);
    byId("world").replaceChildren(world);
    byId("canvas").classList.toggle("measured", this.measured);
  }

  /** The layers and groups that are seen as one box. */
  visible(scene = this.scene) {
    return scene.boxes.flatMap((box) => {
      if (box.inside) return this.visible(box.inside);
      return isClosed(box) ? [this.one(box.kind, box.index)] : [];
    });
  }

  one(kind, index) {
    return (kind === "layer" ? this.drawing.layers : this.drawing.groups)[index];
  }

  colour(kind, index) {
    const one = this.one(kind, index);
    if (this.measured) return measuredColour(this.scale, one.value);
    return kind === "group" ? MODULE : this.drawing.families[one.family].colour;
  }

  legend() {
    if (!this.measured) return familyLegend(this.drawing);
    return measuredLegend(this.drawing.measurement, this.scale);
  }

  /** Says what is selected and marks it; null for nothing. */
  select(selection) {
    this.selection = selection;
    this.panel.show(selection, this);
    this.outline.mark(this.around(selection));
    this.mark();
  }

  /** Marks the boxes and lines of what is selected. */
  mark() {
    for (const marked of document.querySelectorAll(".selected, .lit")) marked.classList.remove("selected", "lit");
    if (!this.selection) return;
    const [kind, index] = this.selection;
    const names = { layer: `[data-layer="${index}"]`, group: `.node[data-group="${index}"], [data-open="${index}"]` };
    if (names[kind]) document.querySelector(names[kind])?.classList.add("selected");
    for (const tensor of this.tensors(kind, index)) {
      for (const edge of document.querySelectorAll(`.edge[data-tensor="${tensor}"], .shape[data-tensor="${tensor}"]`)) edge.classList.add("lit");
    }
  }

  tensors(kind, index) {
    if (kind === "tensor") return [index];
    return kind === "layer" ? [...this.one(kind, index).inputs, ...this.one(kind, index).outputs] : [];
  }

  /** Opens what is around an item, selects it and brings it into the middle. */
  go([kind, index]) {
    const layer = kind === "tensor" ? this.panel.makers.get(index) ?? this.panel.readers.get(index)[0] : index;
    const [shown, item] = kind === "tensor" ? ["layer", layer] : [kind, index];
    for (let group = this.home(shown, item); group !== null; group = this.drawing.groups[group].parent) this.opened.add(group);
    this.draw();
    const box = this.find(shown, item);
    if (box) this.view.centre(box.x + box.width / 2, box.y + Math.min(box.height / 2, 200));
    else this.view.begin(this.scene);
    this.select([kind, index]);
  }

  /** The group that has an item; null for the model. */
  home(kind, index) {
    const group = this.drawing.groups.findIndex((one) => one.items.some(([k, i]) => k === kind && i === index));
    return group < 0 ? null : group;
  }

  /** The group that is selected, or that what is selected is in; null for none. */
  around(selection) {
    if (!selection || selection[0] === "tensor") return null;
    return selection[0] === "group" ? selection[1] : this.home(...selection);
  }

  /** An item's box, in the coordinates of the whole; null if it is in what is closed. */
  find(kind, index, scene = this.scene, x = 0, y = 0) {
    for (const box of scene.boxes) {
      const placed = { ...box, x: x + box.x, y: y + box.y };
      if (box.kind === kind && box.index === index) return placed;
      const inside = box.inside && this.find(kind, index, box.inside, placed.x, placed.y);
      if (inside) return inside;
    }
    return null;
  }

  /** Opens or closes a group; its upper left corner stays where it is on the screen. */
  toggle(index) {
    const before = this.find("group", index);
    if (!this.opened.delete(index)) this.opened.add(index);
    this.draw();
    const after = this.find("group", index);
    const { scale } = this.view;
    this.view.pan((before.x + before.width / 2 - after.x - after.width / 2) * scale, (before.y - after.y) * scale);
    this.select(["group", index]);
  }

  /** Opens the groups that a test takes, and no others. */
  open(test) {
    const indices = this.drawing.groups.map((_, index) => index);
    this.opened = new Set(indices.filter((index) => index === 0 || test(index)));
    this.draw();
    this.view.begin(this.scene);
    this.select(this.selection);
  }

  depth(index) {
    const { parent } = this.drawing.groups[index];
    return parent === null ? 0 : 1 + this.depth(parent);
  }

  level(step) {
    const reachable = [...this.opened].filter((index) => this.reachable(index));
    const deepest = Math.max(...reachable.map((index) => this.depth(index)));
    this.open((index) => this.depth(index) <= deepest + step);
  }

  reachable(index) {
    const { parent } = this.drawing.groups[index];
    return parent === null || (this.opened.has(parent) && this.reachable(parent));
  }

  click(target) {
    const found = target.closest("[data-layer], [data-group], .grip");
    if (!found) return this.select(null);
    const { layer, group, tensor } = found.dataset;
    if (layer !== undefined) return this.select(["layer", Number(layer)]);
    if (group !== undefined) return this.toggle(Number(group));
    return this.select(["tensor", Number(tensor)]);
  }

  key(event) {
    if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      "/": () => byId("search").select(), "+": () => this.view.zoom(1.25), "=": () => this.view.zoom(1.25),
      "-": () => this.view.zoom(0.8), 0: () => this.view.fit(this.scene), Escape: () => this.select(null),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}

function familyLegend(drawing) {
  const counts = drawing.families.map((_, family) => drawing.layers.filter((one) => one.family === family).length);
  const rows = drawing.families.flatMap(({ name, colour }, family) => (counts[family]
    ? [html("i", { style: `--colour: ${colour}` }), html("span", {}, name), html("span", {}, counts[family].toLocaleString("en"))] : []));
  return [html("h3", {}, "Layers by family"), html("div", { class: "legend" }, ...rows)];
}

function measuredLegend(measurement, scale) {
  const ends = [scale.low, scale.high].map((value) => html("span", {}, valueText(measurement, value)));
  const style = `background: linear-gradient(to right, ${RAMP.join(", ")})`;
  const rule = measurement.adds_up ? "Of the boxes that are seen; a closed module is the sum of its layers." : "Of the boxes that are seen, by powers of ten; a closed module is the worst in it.";
  return [
    html("h3", {}, `Colour: ${measurement.name}`), html("div", { class: "ramp", style }),
    html("div", { class: "ends" }, ...ends), html("p", {}, rule),
  ];
}

function setUp() {
  const drawing = JSON.parse(byId("drawing").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("title").textContent = drawing.title;
  const picture = new Picture(drawing);
  const buttons = {
    "zoom-in": () => picture.view.zoom(1.25), "zoom-out": () => picture.view.zoom(0.8), fit: () => picture.view.fit(picture.scene),
    "open-level": () => picture.level(1), "close-level": () => picture.level(-1),
    collapse: () => picture.open(() => false), expand: () => picture.open(() => true),
    theme: () => { const { dataset } = document.documentElement; dataset.theme = dataset.theme === "dark" ? "light" : "dark"; },
  };
  for (const [id, action] of Object.entries(buttons)) byId(id).addEventListener("click", action);
  byId("canvas").addEventListener("click", (event) => picture.click(event.target));
  document.addEventListener("keydown", (event) => picture.key(event));
  setUpColouring(drawing, picture);
  return picture;
}

/** The choice between families and what was measured, where something was. */
function setUpColouring(drawing, picture) {
  if (!drawing.measurement) return;
  const choice = byId("colouring");
  choice.hidden = false;
  choice.append(html("option", { value: "measured" }, `Colour: ${drawing.measurement.name}`), html("option", { value: "family" }, "Colour: layer family"));
  choice.addEventListener("change", () => {
    picture.measured = choice.value === "measured";
    picture.draw();
    picture.view.apply();
    picture.select(picture.selection);
  });
}

window.picture = setUp();
