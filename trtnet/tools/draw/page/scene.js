// Draws scenes as SVG elements.

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** Draws an open group's lines, then its boxes. colour: of a box, by its kind and index. */
function drawScene(drawing, scene, colour) {
  const layer = element("g");
  const group = drawing.groups[scene.index];
  const labelled = new Map();
  const labels = [];
  for (const [upper, lower, tensor, upward] of group.segments) {
    const from = scene.boxes[upper];
    layer.append(...drawEdge(from, scene.boxes[lower], tensor, upward));
    if (!upward && isClosed(from)) label(drawing, from, tensor, labelled, labels);
  }
  for (const box of scene.boxes) {
    if (box.kind === "entry") layer.append(...drawLine(`M${box.x} 0V${box.y}`, box.index));
    else if (box.inside) layer.append(drawOpen(drawing, box, colour));
    else if (isClosed(box)) layer.append(drawClosed(drawing, box, colour(box.kind, box.index)));
  }
  layer.append(...labels);
  return layer;
}

const isClosed = (box) => (box.kind === "layer" || box.kind === "group") && !box.inside;

/** A line from the lower side of one box to the upper side of another in the next row. */
function drawEdge(from, to, tensor, upward) {
  const x0 = from.x + from.width / 2 + gate(from, "exit", tensor);
  const x1 = to.x + to.width / 2 + gate(to, "entry", tensor);
  const [y0, y1] = [from.row[1], to.row[0]];
  const middle = (y0 + y1) / 2;
  const d = `M${x0} ${from.y + from.height}V${y0}C${x0} ${middle} ${x1} ${middle} ${x1} ${y1}${to.y > y1 ? `V${to.y}` : ""}`;
  const arrow = upward ? (isClosed(from) ? " upward starts" : " upward") : isClosed(to) ? " ends" : "";
  return drawLine(d, tensor, arrow);
}

/** A line, and an invisible wide one to click on. */
function drawLine(d, tensor, arrow = "") {
  return [
    element("path", { class: `edge${arrow}`, d, "data-tensor": tensor }),
    element("path", { class: "grip", d, "data-tensor": tensor }),
  ];
}

/** A tensor's shape and dtype beside its line: the first two of a box, to the right and to the left. */
function label(drawing, box, tensor, labelled, labels) {
  const known = labelled.get(box) ?? [];
  if (known.includes(tensor) || known.length === 2) return;
  labelled.set(box, [...known, tensor]);
  const side = known.length ? -1 : 1;
  const text = element("text", { class: "shape", "data-tensor": tensor, "text-anchor": side > 0 ? "start" : "end" });
  const x = box.x + box.width / 2 + side * 6;
  const { shape, dtype } = drawing.tensors[tensor];
  text.append(element("tspan", { x, y: box.y + box.height + 15 }, shape));
  text.append(element("tspan", { x, dy: 13 }, dtype));
  labels.push(text);
}

function drawClosed(drawing, box, colour) {
  const { kind, index, x, y, width, height } = box;
  const one = (kind === "layer" ? drawing.layers : drawing.groups)[index];
  const node = element("g", { class: "node", [`data-${kind}`]: index, style: `--colour: ${colour}` });
  const shape = { width, height, rx: 8 };
  if (kind === "group") node.append(element("rect", { ...shape, x: x + 4, y: y + 4, class: "under" }));
  node.append(element("rect", { ...shape, x, y }));
  const middle = x + width / 2;
  node.append(element("text", { class: "name", x: middle, y: y + 18 }, kind === "layer" ? one.title : one.label));
  node.append(element("text", { class: "about", x: middle, y: y + 33 }, kind === "layer" ? one.label : one.subtitle));
  if (kind === "group") node.append(...drawStrip(drawing, box));
  return node;
}

/** At the lower edge of a closed group: which families its layers are of. */
function drawStrip(drawing, { index, x, y, width, height }) {
  const { families, layers } = drawing.groups[index];
  const length = (width - 16) / Math.max(layers, 1);
  let from = x + 8;
  return families.map(([family, count]) => {
    const part = { class: "part", x: from, y: y + height - 5, width: count * length, height: 3, fill: drawing.families[family].colour };
    from += count * length;
    return element("rect", part);
  });
}

function drawOpen(drawing, box, colour) {
  const { index, x, y, width, height, inside } = box;
  const group = drawing.groups[index];
  const frame = element("g", { class: "group", "data-open": index, transform: `translate(${x} ${y})` });
  frame.append(element("rect", { class: "frame", width, height, rx: 12 }));
  const heading = element("g", { class: "heading", "data-group": index });
  heading.append(element("rect", { width, height: 26, rx: 12 }));
  const text = element("text", { x: 12, y: 18 });
  text.append(element("tspan", { class: "name" }, `▾ ${group.label}`));
  text.append(element("tspan", { class: "about", dx: 7 }, group.type));
  heading.append(text);
  frame.append(drawScene(drawing, inside, colour), heading);
  return frame;
}
