// Finds layers and modules by their names, kinds and classes.

const MOST = 60;

class Search {
  /** go: shows and selects what is named by kind and index. */
  constructor(drawing, input, results, go) {
    Object.assign(this, { input, results, go, found: [], chosen: 0 });
    const groups = drawing.groups.map((one, i) => entry(["group", i], one.path, `${one.type || "module"} · ${one.layers} layers`));
    const layers = drawing.layers.map((one, i) => entry(["layer", i], one.name, `${one.title} · ${one.kind}`, one.source));
    this.entries = [...groups.slice(1), ...layers];
    input.addEventListener("input", () => this.update());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => { results.hidden = true; });
    input.addEventListener("focus", () => this.update());
  }

  update() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = words.length ? this.entries.filter(({ text }) => words.every((word) => text.includes(word))) : [];
    this.found = matching.slice(0, MOST);
    this.chosen = 0;
    const rows = this.found.map((one) => {
      const row = html("li", {}, one.name, html("small", {}, one.about));
      row.addEventListener("pointerdown", () => this.take(one));
      return row;
    });
    if (matching.length > MOST) rows.push(html("small", {}, `and ${matching.length - MOST} more`));
    if (words.length && !matching.length) rows.push(html("small", {}, "nothing found"));
    this.results.replaceChildren(...rows);
    this.results.hidden = !words.length;
    this.mark();
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      event.preventDefault();
      this.chosen = (this.chosen + step + this.found.length) % this.found.length;
      this.mark();
    } else if (event.key === "Enter" && this.found.length) {
      this.take(this.found[this.chosen]);
    } else if (event.key === "Escape") {
      this.input.blur();
    }
  }

  take(one) {
    this.go(one.selection);
    this.input.blur();
  }

  mark() {
    [...this.results.children].forEach((row, i) => row.classList.toggle("chosen", i === this.chosen && this.found.length > 0));
    this.results.children[this.chosen]?.scrollIntoView({ block: "nearest" });
  }
}

function entry(selection, name, about, more = "") {
  return { selection, name, about, text: `${name} ${about} ${more}`.toLowerCase() };
}
