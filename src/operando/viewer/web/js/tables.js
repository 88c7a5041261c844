// The numbers of summary.json as tables.

const $ = (id) => document.getElementById(id);
const NAMES = { volume_balance: "Charge against volume", cycles: "Cycles", events: "Events", causes: "What moved the lines", scans: "Scans", spectra: "Spectra", warnings: "Warnings" };

export class Tables {
  constructor(app) {
    this.app = app;
    $("table-name").replaceChildren(...Object.entries(NAMES).map(([name, title]) => new Option(title, name)));
    $("table-name").addEventListener("change", () => this.draw());
  }

  async show() {
    if (this.revision !== this.app.source.overview.revision) {
      this.revision = this.app.source.overview.revision;
      try {
        this.summary = await this.app.source.summary();
      } catch (error) {
        this.summary = { warnings: [{ file: null, text: error.message }] };
      }
    }
    this.draw();
  }

  draw() {
    const rows = (this.summary[$("table-name").value] ?? []).map((row) => Object.fromEntries(flat(row, "")));
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    const head = document.createElement("tr");
    head.append(...columns.map((name) => cell("th", name, typeof rows[0]?.[name] === "string")));
    const body = rows.map((row) => {
      const line = document.createElement("tr");
      line.append(...columns.map((name) => cell("td", text(row[name]), typeof row[name] === "string")));
      return line;
    });
    if (!rows.length) head.append(cell("td", "nothing", true));
    $("table").replaceChildren(head, ...body);
  }
}

function cell(kind, content, isText) {
  const element = document.createElement(kind);
  element.textContent = content;
  if (isText) element.className = "text";
  if (kind === "th") element.scope = "col";
  return element;
}

/** Nested objects as columns; quantities and lists in one cell. */
function flat(value, prefix) {
  return Object.entries(value ?? {}).flatMap(([name, inner]) => {
    const title = prefix ? `${prefix} ${name}` : name;
    if (inner && typeof inner === "object" && !Array.isArray(inner) && !("value" in inner)) return flat(inner, title);
    return [[title, inner]];
  });
}

function text(value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.every((one) => typeof one !== "object") ? value.join(" ") : value.map(short).join("; ");
  if (typeof value === "object") return short(value);
  return typeof value === "number" ? String(Number(value.toPrecision(7))) : String(value);
}

const UNITS = { um3: "µm³", um2: "µm²", um: "µm", angstrom: "Å", ohm: "Ω", 1: "" };

function short(value) {
  if (value === null || typeof value !== "object") return text(value);
  if (!("value" in value)) return Object.values(value).map(text).join(" ");
  const digits = (number) => (number === null || number === undefined ? "–" : Number(number.toPrecision(5)));
  return `${digits(value.value)} (${digits(value.low)} … ${digits(value.high)}) ${UNITS[value.unit] ?? value.unit ?? ""}`.trim();
}
