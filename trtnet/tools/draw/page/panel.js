// The panel at the side: the network as a whole, or what is selected.

function html(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** In powers of 1000, three digits. */
function quantity(value, unit) {
  const prefixes = ["", "k", "M", "G", "T", "P"];
  let power = 0;
  while (value >= 999.5 && power < prefixes.length - 1) [value, power] = [value / 1000, power + 1];
  return `${Number(value.toPrecision(3))} ${prefixes[power]}${unit}`;
}

class Panel {
  /** go: shows and selects what is named by kind and index. */
  constructor(drawing, place, go) {
    Object.assign(this, { drawing, place, go });
    this.makers = new Map();
    this.readers = new Map();
    drawing.layers.forEach((layer, index) => {
      for (const tensor of layer.outputs) this.makers.set(tensor, index);
      for (const tensor of layer.inputs) this.readers.set(tensor, [...(this.readers.get(tensor) ?? []), index]);
    });
  }

  show(selection, colours) {
    const [kind, index] = selection ?? ["model", 0];
    const parts = { model: () => this.model(colours), layer: () => this.layer(index), group: () => this.group(index), tensor: () => this.tensor(index) };
    this.place.replaceChildren(...parts[kind]());
    this.place.scrollTop = 0;
  }

  model(colours) {
    const { title, notes, groups } = this.drawing;
    return [
      html("h2", {}, title), ...this.numbers(groups[0]), ...colours.legend(),
      ...(notes.length ? [html("h3", {}, "Notes"), ...notes.map((note) => html("p", {}, note))] : []),
      html("h3", {}, "Keys"), table([["/", "search"], ["+  −  0", "closer, farther, all of it"], ["Escape", "select nothing"]]),
    ];
  }

  layer(index) {
    const one = this.drawing.layers[index];
    const badge = html("span", { class: "badge", style: `--colour: ${this.drawing.families[one.family].colour}` }, one.kind);
    return [
      html("p", {}, badge), html("h2", {}, one.title), html("p", {}, html("code", {}, one.name)),
      table([["module", this.modules(one.module)], ...(one.source ? [["source", html("code", {}, one.source)]] : [])]),
      ...this.numbers(one), ...this.tensors("Inputs", one.inputs), ...this.tensors("Outputs", one.outputs),
      ...section("Attributes", Object.entries(one.attributes).map(([name, value]) => [name, html("code", {}, value)])),
    ];
  }

  group(index) {
    const one = this.drawing.groups[index];
    const inside = one.items.filter(([kind]) => kind === "layer" || kind === "group");
    const rows = inside.map(([kind, i]) => {
      const item = (kind === "layer" ? this.drawing.layers : this.drawing.groups)[i];
      return [this.link(item.label, [kind, i]), kind === "layer" ? item.title : item.subtitle];
    });
    return [
      html("p", {}, one.type || "module"), html("h2", {}, one.path || this.drawing.title),
      ...(one.path ? [table([["module", this.modules(one.path)]])] : []), ...this.numbers(one), ...section("Inside", rows),
    ];
  }

  tensor(index) {
    const { name, shape, dtype } = this.drawing.tensors[index];
    const ends = [this.makers.get(index), ...(this.readers.get(index) ?? [])].filter((layer) => layer !== undefined);
    const role = (layer) => (layer === this.makers.get(index) ? "made by" : "read by");
    return [
      html("p", {}, "tensor"), html("h2", {}, `${shape} ${dtype}`), html("p", {}, html("code", {}, name)),
      table(ends.map((layer) => [role(layer), this.link(this.drawing.layers[layer].name, ["layer", layer])])),
    ];
  }

  numbers({ layers, flops, bytes, weight_bytes, value }) {
    const { measurement } = this.drawing;
    const rows = [];
    if (layers > 1) rows.push(["layers", layers.toLocaleString("en")]);
    if (flops) rows.push(["FLOPs", quantity(flops, "FLOP")]);
    if (bytes) rows.push(["read and written", quantity(bytes, "B")]);
    if (weight_bytes) rows.push(["weights", quantity(weight_bytes, "B")]);
    if (value !== null) rows.push([measurement.name, valueText(measurement, value)]);
    return section("Numbers", rows);
  }

  tensors(heading, indices) {
    const rows = indices.map((index) => {
      const { name, shape, dtype } = this.drawing.tensors[index];
      return html("p", { class: "tensor" }, `${shape} ${dtype}`, html("br"), this.link(name, ["tensor", index]));
    });
    return rows.length ? [html("h3", {}, heading), ...rows] : [];
  }

  modules(path) {
    const group = this.drawing.groups.findLastIndex((one) => path === one.path || path.startsWith(`${one.path}.`));
    return this.link(path || "(model)", ["group", Math.max(group, 0)]);
  }

  link(text, selection) {
    const made = html("button", { class: "link" }, text);
    made.addEventListener("click", () => this.go(selection));
    return made;
  }
}

function table(rows) {
  return html("table", {}, ...rows.map((cells) => html("tr", {}, ...cells.map((cell) => html("td", {}, cell)))));
}

function section(heading, rows) {
  return rows.length ? [html("h3", {}, heading), table(rows)] : [];
}
