// What boxes are coloured by: the family of a layer, or what was measured.

const RAMP = ["#2b6cb0", "#38a169", "#d69e2e", "#dd6b20", "#c53030"];
const UNKNOWN = "#94a3b8";
const MODULE = "#64748b";

/** A colour for each place from 0 to 1 on the ramp. */
function rampColour(place) {
  const position = Math.min(Math.max(place, 0), 1) * (RAMP.length - 1);
  const index = Math.min(Math.floor(position), RAMP.length - 2);
  return `color-mix(in srgb, ${RAMP[index + 1]} ${Math.round((position - index) * 100)}%, ${RAMP[index]})`;
}

/** The scale of the values that are seen: from nothing for what adds up, else by powers of ten. */
function scaleOf(measurement, values) {
  const finite = values.filter((value) => typeof value === "number" && value >= 0);
  const high = Math.max(0, ...finite);
  if (measurement.adds_up) return { low: 0, high, place: (value) => (high ? value / high : 0) };
  const low = Math.max(Math.min(...finite.filter((value) => value > 0), high), high * 1e-9);
  const span = Math.log(high / low) || 1;
  return { low, high, place: (value) => (value > low ? Math.log(value / low) / span : 0) };
}

function valueText(measurement, value) {
  const digits = typeof value === "number" ? Number(value.toPrecision(3)).toString() : value;
  return measurement.unit ? `${digits} ${measurement.unit}` : digits;
}

/** What is not finite has the last colour of the ramp. */
function measuredColour(scale, value) {
  if (value === null) return UNKNOWN;
  return rampColour(typeof value === "number" ? scale.place(value) : 1);
}
