// Coordinates of what is open: the same computation as placing.py.

/** The scene of an open group: its boxes, by their places among its items, and its size. */
function placeGroup(drawing, index, opened) {
  const group = drawing.groups[index];
  const boxes = group.items.map((key) => sizedBox(drawing, key, opened));
  const columns = new Columns(drawing.metrics, group, boxes);
  columns.settleAll();
  const height = placeRows(drawing.metrics, group, boxes);
  let width = drawing.metrics.padding + Math.max(0, ...boxes.map((box) => box.x + box.width / 2 + box.right));
  const shift = Math.max(0, (group.header - width) / 2);
  for (const box of boxes) box.x += shift;
  width += 2 * shift;
  return { index, boxes, width, height };
}

function sizedBox(drawing, key, opened) {
  const [kind, index] = key;
  const box = { kind, index, x: 0, y: 0, width: 0, height: 0, right: 0, gates: new Map(), inside: null };
  if (kind === "group" && opened.has(index)) {
    const scene = placeGroup(drawing, index, opened);
    for (const port of scene.boxes) {
      if (port.kind === "entry" || port.kind === "exit") {
        box.gates.set(port.kind + port.index, port.x + port.width / 2 - scene.width / 2);
      }
    }
    return { ...box, width: scene.width, height: scene.height, right: scene.width / 2, inside: scene };
  }
  if (kind === "layer" || kind === "group") {
    const { width, reach } = (kind === "layer" ? drawing.layers : drawing.groups)[index];
    box.width = width;
    box.right = Math.max(width / 2, reach);
    box.height = drawing.metrics.node_height;
  }
  return box;
}

/** Gives boxes their y and the extent of their row; returns the group's height. */
function placeRows(metrics, group, boxes) {
  const gapAfter = (height) => (height ? metrics.row_gap : metrics.port_gap);
  let y = metrics.header;
  let height = 0;
  for (const rank of group.ranks) {
    height = Math.max(...rank.map((item) => boxes[item].height));
    for (const item of rank) {
      boxes[item].y = y + (height - boxes[item].height) / 2;
      boxes[item].row = [y, y + height];
    }
    y += height + gapAfter(height);
  }
  const hasExits = group.items.some(([kind]) => kind === "exit");
  return y - gapAfter(height) + (hasExits ? 0 : metrics.padding);
}

/** The x of each box: near those it is connected to, in the order of its rank, without overlaps. */
class Columns {
  constructor(metrics, group, boxes) {
    Object.assign(this, { metrics, boxes, ranks: group.ranks, centres: boxes.map(() => 0) });
    this.above = boxes.map(() => []);
    this.below = boxes.map(() => []);
    for (const [upper, lower, tensor] of group.segments) {
      const offset = gate(boxes[upper], "exit", tensor) - gate(boxes[lower], "entry", tensor);
      this.above[lower].push([upper, offset]);
      this.below[upper].push([lower, -offset]);
    }
  }

  settleAll() {
    const { ranks, above, below, metrics } = this;
    for (const rank of ranks) this.settle(rank, () => 0);
    for (let sweep = 0; sweep < metrics.sweeps; sweep++) {
      for (let row = 1; row < ranks.length; row++) this.settle(ranks[row], (item) => this.wanted(item, above[item]));
      for (let row = ranks.length - 2; row >= 0; row--) this.settle(ranks[row], (item) => this.wanted(item, below[item]));
    }
    const left = Math.min(...this.boxes.map((box, item) => this.centres[item] - box.width / 2));
    this.boxes.forEach((box, item) => { box.x = this.centres[item] - left + metrics.padding - box.width / 2; });
  }

  wanted(item, neighbours) {
    if (!neighbours.length) return this.centres[item];
    const pull = this.metrics.pull[this.boxes[item].height > 0];
    let [sum, total] = [0, 0];
    for (const [other, offset] of neighbours) {
      const weight = pull[this.boxes[other].height > 0];
      sum += weight * (this.centres[other] + offset);
      total += weight;
    }
    return sum / total;
  }

  /** The places nearest to those wanted, by least squares, that keep order and distance: isotonic regression. */
  settle(rank, wanted) {
    const offsets = [0];
    for (let i = 1; i < rank.length; i++) {
      const distance = this.boxes[rank[i - 1]].right + this.boxes[rank[i]].width / 2 + this.metrics.column_gap;
      offsets.push(offsets[i - 1] + distance);
    }
    const blocks = [];
    rank.forEach((item, i) => {
      blocks.push({ mean: wanted(item) - offsets[i], weight: this.metrics.stiffness[this.boxes[item].kind], length: 1 });
      while (blocks.length > 1 && blocks.at(-2).mean > blocks.at(-1).mean) merge(blocks.at(-2), blocks.pop());
    });
    let i = 0;
    for (const block of blocks) {
      for (const end = i + block.length; i < end; i++) this.centres[rank[i]] = block.mean + offsets[i];
    }
  }
}

/** Where a tensor passes the upper (entry) or lower (exit) border of a box, from its centre. */
function gate(box, side, tensor) {
  return box.gates.get(side + tensor) ?? 0;
}

function merge(block, next) {
  block.mean = (block.mean * block.weight + next.mean * next.weight) / (block.weight + next.weight);
  block.weight += next.weight;
  block.length += next.length;
}
