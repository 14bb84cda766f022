// The tree of modules, each with its share of the whole: of what was measured if that adds up, else of the FLOPs.

class Outline {
  /** go: shows and selects what is named by kind and index. */
  constructor(drawing, place, go) {
    Object.assign(this, { drawing, go, rows: new Map() });
    const { measurement } = drawing;
    this.share = measurement?.adds_up ? (one) => one.value ?? 0 : (one) => one.flops;
    this.whole = this.share(drawing.groups[0]) || 1;
    this.inside = drawing.groups.map((one) => one.items.filter(([kind]) => kind === "group").map(([, index]) => index));
    place.replaceChildren(this.branch(0));
  }

  branch(index) {
    const { groups, title, open } = this.drawing;
    const one = groups[index];
    const link = html("button", { class: "link" }, one.label || title);
    link.addEventListener("click", () => this.go(["group", index]));
    const percent = (100 * this.share(one)) / this.whole;
    const bar = html("span", { class: "share", style: `width: ${(percent * 0.75).toFixed(1)}%`, title: `${percent.toFixed(1)} %` });
    const row = html(this.inside[index].length ? "summary" : "div", { class: "row" }, link, html("small", {}, one.type), bar);
    this.rows.set(index, row);
    if (!this.inside[index].length) return row;
    row.className = "";
    const branch = html("details", {}, row, ...this.inside[index].map((child) => this.branch(child)));
    branch.open = open.includes(index);
    return branch;
  }

  /** Marks a group; null for none. */
  mark(group) {
    for (const row of this.rows.values()) row.classList.remove("current");
    if (group === null) return;
    const row = this.rows.get(group);
    row.classList.add("current");
    for (let at = row.parentElement.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
    row.scrollIntoView({ block: "nearest" });
  }
}
