// Draws scenes as SVG elements.

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** Elements that are made when they come into sight, and taken out when they leave it. */
class Pieces {
  constructor() {
    this.pieces = [];
  }

  /** Makes an element in a parent when the box from one corner to another, in the whole, is in sight. */
  add(parent, make, left, top, right, bottom) {
    this.pieces.push({ parent, make, left, top, right, bottom, made: null, shown: false });
  }

  /** Shows what is in a part of the whole; what that makes may add pieces of its own. Returns whether any is new. */
  show({ left, top, right, bottom }) {
    let changed = false;
    for (let i = 0; i < this.pieces.length; i++) {
      const piece = this.pieces[i];
      const shown = piece.right >= left && piece.left <= right && piece.bottom >= top && piece.top <= bottom;
      if (shown === piece.shown) continue;
      piece.shown = shown;
      if (!shown) piece.made.remove();
      else piece.parent.append((piece.made ??= piece.make()));
      changed ||= shown;
    }
    return changed;
  }
}

/** Draws an open group: its lines, then its boxes, then what is written on lines. x, y: of the group in the whole. */
function drawScene(drawing, scene, colour, pieces, x = 0, y = 0) {
  const [lines, boxes, labels] = [element("g"), element("g"), element("g")];
  const add = (parent, box, make) => (
    pieces.add(parent, make, x + box.x, y + box.y, x + box.x + box.width, y + box.y + box.height));
  const labelled = new Map();
  for (const [upper, lower, tensor, upward] of drawing.groups[scene.index].segments) {
    const [from, to] = [scene.boxes[upper], scene.boxes[lower]];
    const left = Math.min(from.x, to.x);
    const right = Math.max(from.x + from.width, to.x + to.width);
    const around = { x: left, y: from.y, width: right - left, height: to.y - from.y };
    add(lines, around, () => drawEdge(from, to, tensor, upward));
    const side = upward || !isClosed(from) ? 0 : labelSide(labelled, from, tensor);
    if (side) add(labels, around, () => drawLabel(drawing.tensors[tensor], from, tensor, side));
  }
  for (const box of scene.boxes) {
    if (box.kind === "entry") add(lines, { ...box, y: 0, height: box.y }, () => drawLine(`M${box.x} 0V${box.y}`, box.index));
    else if (box.inside) add(boxes, box, () => drawOpen(drawing, box, colour, pieces, x + box.x, y + box.y));
    else if (isClosed(box)) add(boxes, box, () => drawClosed(drawing, box, colour(box.kind, box.index)));
  }
  const layer = element("g");
  layer.append(lines, boxes, labels);
  return layer;
}

/** Beside its line: to the right (1) of the first tensor of a box, to the left (-1) of its second; else nowhere (0). */
function labelSide(labelled, box, tensor) {
  const known = labelled.get(box) ?? [];
  if (known.includes(tensor) || known.length === 2) return 0;
  labelled.set(box, [...known, tensor]);
  return known.length ? -1 : 1;
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
  const line = element("g");
  line.append(
    element("path", { class: `edge${arrow}`, d, "data-tensor": tensor }),
    element("path", { class: "grip", d, "data-tensor": tensor }),
  );
  return line;
}

/** A tensor's shape and dtype. */
function drawLabel({ shape, dtype }, box, tensor, side) {
  const text = element("text", { class: "shape", "data-tensor": tensor, "text-anchor": side > 0 ? "start" : "end" });
  const x = box.x + box.width / 2 + side * 6;
  text.append(element("tspan", { x, y: box.y + box.height + 15 }, shape), element("tspan", { x, dy: 13 }, dtype));
  return text;
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

/** left, top: of the box in the whole. */
function drawOpen(drawing, box, colour, pieces, left, top) {
  const { index, width, height, inside } = box;
  const group = drawing.groups[index];
  const frame = element("g", { class: "group", "data-open": index, transform: `translate(${box.x} ${box.y})` });
  frame.append(element("rect", { class: "frame", width, height, rx: 12 }));
  const heading = element("g", { class: "heading", "data-group": index });
  heading.append(element("rect", { width, height: 26, rx: 12 }));
  const text = element("text", { x: 12, y: 18 });
  text.append(element("tspan", { class: "name" }, `▾ ${group.label}`));
  text.append(element("tspan", { class: "about", dx: 7 }, group.type));
  heading.append(text);
  frame.append(drawScene(drawing, inside, colour, pieces, left, top), heading);
  return frame;
}
