// The window onto the drawing: zoom, pan and fit.

const CLOSEST = 4;
const FARTHEST = 0.02;

class View {
  /** moved: called with the part of the drawing that is in sight, whenever that changes. */
  constructor(canvas, world, moved) {
    Object.assign(this, { canvas, world, moved, x: 0, y: 0, scale: 1 });
    this.listen();
  }

  apply() {
    this.world.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.scale})`);
    this.canvas.classList.toggle("far", this.scale < 0.45);
    this.canvas.classList.toggle("farther", this.scale < 0.2);
    this.moved(this.sight());
  }

  /** The part of the drawing that is in sight, and as much again around it. */
  sight() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const at = (pixels, offset) => (pixels - offset) / this.scale;
    return {
      left: at(-width / 2, this.x), right: at(1.5 * width, this.x),
      top: at(-height / 2, this.y), bottom: at(1.5 * height, this.y),
    };
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
    const scale = Math.max(this.fitting(scene), FARTHEST);
    this.look(scene, scale, (this.canvas.clientHeight - scene.height * scale) / 2);
  }

  /** Shows all of a scene where that can be read, else the top of it as large as the width allows. */
  begin(scene) {
    if (this.fitting(scene) >= 0.7) return this.fit(scene);
    return this.look(scene, Math.min(Math.max((this.canvas.clientWidth - 48) / scene.width, 0.5), 0.9), 16);
  }

  fitting(scene) {
    const { clientWidth, clientHeight } = this.canvas;
    return Math.min((clientWidth - 48) / scene.width, (clientHeight - 48) / scene.height, 1.2);
  }

  /** Puts the middle of a scene into the middle, and its top at y. */
  look(scene, scale, y) {
    Object.assign(this, { scale, y, x: (this.canvas.clientWidth - scene.width * scale) / 2 });
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
    window.addEventListener("resize", () => this.apply());
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
