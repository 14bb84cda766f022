// The window onto the drawing: zoom, pan and fit.

const CLOSEST = 4;
const FARTHEST = 0.02;

class View {
  constructor(canvas, world) {
    Object.assign(this, { canvas, world, x: 0, y: 0, scale: 1 });
    this.listen();
  }

  apply() {
    this.world.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.scale})`);
    this.canvas.classList.toggle("far", this.scale < 0.45);
    this.canvas.classList.toggle("farther", this.scale < 0.2);
  }

  /** Zooms by a factor; the point of the canvas stays where it is. */
  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const scale = Math.min(Math.max(this.scale * factor, FARTHEST), CLOSEST);
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.apply();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.apply();
  }

  /** Shows all of a scene. */
  fit(scene) {
    const { clientWidth, clientHeight } = this.canvas;
    this.scale = Math.max(Math.min((clientWidth - 48) / scene.width, (clientHeight - 48) / scene.height, 1.2), FARTHEST);
    this.x = (clientWidth - scene.width * this.scale) / 2;
    this.y = (clientHeight - scene.height * this.scale) / 2;
    this.apply();
  }

  /** Shows the top of a scene, as large as can be read; all of it where that can be read. */
  begin(scene) {
    this.fit(scene);
    if (this.scale >= 0.7) return;
    this.scale = Math.min(Math.max((this.canvas.clientWidth - 48) / scene.width, 0.5), 0.9);
    this.x = (this.canvas.clientWidth - scene.width * this.scale) / 2;
    this.y = 16;
    this.apply();
  }

  /** Puts a point of the drawing into the middle, and near enough to be read. */
  centre(x, y) {
    this.scale = Math.max(this.scale, 0.9);
    this.x = this.canvas.clientWidth / 2 - x * this.scale;
    this.y = this.canvas.clientHeight / 2 - y * this.scale;
    this.apply();
  }

  listen() {
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { left, top } = this.canvas.getBoundingClientRect();
      if (event.shiftKey) this.pan(-event.deltaX - event.deltaY, 0);
      else this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0018)), event.clientX - left, event.clientY - top);
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.drag(event));
  }

  /** Pans while the pointer is down; what moved is no click. */
  drag(down) {
    if (down.button !== 0) return;
    let [x, y, moved] = [down.clientX, down.clientY, false];
    const move = (event) => {
      moved = moved || Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 4;
      if (!moved) return;
      this.canvas.classList.add("dragging");
      this.pan(event.clientX - x, event.clientY - y);
      [x, y] = [event.clientX, event.clientY];
    };
    const swallow = (event) => event.stopPropagation();
    const up = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      this.canvas.classList.remove("dragging");
      if (!moved) return;
      this.canvas.addEventListener("click", swallow, { capture: true });
      setTimeout(() => this.canvas.removeEventListener("click", swallow, { capture: true }));
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
  }
}
