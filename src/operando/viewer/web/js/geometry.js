// Where a plane lies: micrometres, voxels and pixels of the screen. Axes are always z, y, x.

export const AXES = ["z", "y", "x"];

/** Indices of the axes that are rows and columns of a plane across `axis`. */
export function across(axis) {
  const normal = AXES.indexOf(axis);
  const [row, column] = [0, 1, 2].filter((k) => k !== normal);
  return { normal, row, column };
}

/** Number of voxels when binned. */
export function binned(size, factor) { return Math.ceil(size / factor); }

/** Finest binning kept across an axis that is at least `wanted`, else the coarsest. */
export function factorFor(image, axis, wanted) {
  const kept = image.planes.filter(([a]) => a === axis).map(([, f]) => f).sort((a, b) => a - b);
  return kept.find((f) => f >= wanted) ?? kept[kept.length - 1];
}

/** Number of the plane (counted at `factor`) that holds the position, in µm. */
export function planeNumber(image, axis, factor, position) {
  const k = AXES.indexOf(axis);
  const voxel = Math.round((position - image.origin[k]) / image.spacing[k]);
  return Math.floor(Math.min(Math.max(voxel, 0), image.shape[k] - 1) / factor);
}

export function planeShape(image, axis, factor) {
  const { row, column } = across(axis);
  return [binned(image.shape[row], factor), binned(image.shape[column], factor)];
}

/** Edges of the image along an axis, µm: half a voxel beyond the centres. */
export function extent(image, k) {
  const first = image.origin[k] - image.spacing[k] / 2;
  return [first, first + image.shape[k] * image.spacing[k]];
}

export function middle(image) { return [0, 1, 2].map((k) => (extent(image, k)[0] + extent(image, k)[1]) / 2); }

/** From µm to pixels of a canvas: `toX(column µm)`, `toY(row µm)` and back; `scale` in pixels per µm. */
export function mapping(image, axis, width, height, zoom, centre) {
  const { row, column } = across(axis);
  const [top, bottom] = extent(image, row), [left, right] = extent(image, column);
  const scale = Math.min(width / (right - left), height / (bottom - top)) * zoom;
  const x0 = zoom > 1 ? centre[column] : (left + right) / 2;
  const y0 = zoom > 1 ? centre[row] : (top + bottom) / 2;
  return {
    scale, row, column,
    toX: (um) => width / 2 + (um - x0) * scale,
    toY: (um) => height / 2 + (um - y0) * scale,
    fromX: (pixel) => x0 + (pixel - width / 2) / scale,
    fromY: (pixel) => y0 + (pixel - height / 2) / scale,
  };
}

/** A round length, µm, that takes about a quarter of `width` µm. */
export function roundLength(width) {
  const power = 10 ** Math.floor(Math.log10(width / 4));
  return [5, 2, 1].map((m) => m * power).find((length) => length <= width / 4) ?? power;
}

export function distance(a, b) { return Math.hypot(...a.map((value, k) => value - b[k])); }

/** A length for people. */
export function lengthText(um) { return um >= 1000 ? `${(um / 1000).toPrecision(4)} mm` : `${um.toPrecision(4)} µm`; }
