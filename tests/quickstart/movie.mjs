// A terminal above a page, as frames of one SVG that CSS plays without end; with reduced motion its last frame stands.
const COLUMNS = 100;
const ROWS = 30;
const CELL = { width: 7.2, height: 15 };
const MARGIN = 12;
const COLORS = { '1;31': '#ff7b72" font-weight="bold', 31: '#ff7b72', 35: '#d2a8ff', 36: '#79c0ff', 2: '#7d8590', 32: '#7ee787', 33: '#d29922' };
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A line with the colours of a terminal as SVG. */
function drawn(line) {
  const parts = line.split(/\x1b\[([\d;]*)m/);
  return parts.map((text, index) => {
    if (index % 2 || !text) return '';
    const color = COLORS[parts[index - 1]];
    return color ? `<tspan fill="${color}">${escaped(text)}</tspan>` : escaped(text);
  }).join('');
}

export class Movie {
  width = Math.ceil(COLUMNS * CELL.width) + 2 * MARGIN;
  seconds = 0;
  #lines = [];
  #frames = [];
  #pages = [];

  /** A command that is typed. */
  type(command) {
    this.rest(0.4);
    this.line(`\x1b[36m$ ${command}\x1b[0m`);
    this.rest(1);
  }

  line(text) {
    this.#lines.push(text);
    const last = this.#frames.at(-1);
    // What comes within a moment is one frame.
    if (last && this.seconds - last.at < 0.25) this.#frames.pop();
    this.#frames.push({ at: last && this.seconds - last.at < 0.25 ? last.at : this.seconds, lines: this.#lines.slice(-ROWS) });
    this.seconds += 0.04;
  }

  clear() {
    this.#lines = [];
  }

  rest(seconds) {
    this.seconds += seconds;
  }

  page(png) {
    this.#pages.push({ at: this.seconds, png });
  }

  svg(title) {
    const top = ROWS * CELL.height + 2 * MARGIN;
    const height = top + 430;
    const styles = [];
    /** Shows each of `list` from its time to the next one's. */
    const played = (list, prefix, draw) => list.map((one, index) => {
      const name = `${prefix}${index}`;
      const percent = (at) => Math.min(100, (100 * at) / this.seconds).toFixed(3);
      const [from, to] = [percent(index === 0 ? 0 : one.at), index + 1 < list.length ? percent(list[index + 1].at) : '100'];
      styles.push(`@keyframes ${name}{${from === '0.000' ? '' : '0%{visibility:hidden}'}${from}%{visibility:visible}${to === '100' ? '' : `${to}%,100%{visibility:hidden}`}}#${name}{visibility:${index + 1 < list.length ? 'hidden' : 'visible'};animation:${name} ${this.seconds.toFixed(2)}s steps(1) infinite}`);
      return `<g id="${name}">${draw(one)}</g>`;
    }).join('');
    const terminal = played(this.#frames, 'f', ({ lines }) => lines.map((line, row) => (
      line ? `<text x="${MARGIN}" y="${MARGIN + (row + 1) * CELL.height - 4}">${drawn(line)}</text>` : '')).join(''));
    const pages = played(this.#pages, 'p', ({ png }) => `<image x="0" y="${top}" width="${this.width}" height="430" href="data:image/png;base64,${png.toString('base64')}"/>`);
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${this.width} ${height}" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="12" fill="#d0d7de">`
      + `<title>${escaped(title)}</title><style>text{white-space:pre}${styles.join('')}@media(prefers-reduced-motion:reduce){g{animation:none!important}}</style>`
      + `<rect width="100%" height="100%" fill="#0d1117"/>${terminal}${pages}</svg>\n`;
  }
}
