import type { GrowthRow } from './growth.ts';
import type { Row } from './measure.ts';
import { limitOf, type Report } from './report.ts';

const WIDTH = 960;
const LABEL_WIDTH = 190;
const BAR_HEIGHT = 12;
const GROUP_GAP = 14;
const CHART_WIDTH = WIDTH - LABEL_WIDTH - 120;
const TITLE_HEIGHT = 46;
/** Answers per second on a logarithmic scale: the cases are four powers of ten apart. */
const RATE_MIN = 10;
const RATE_MAX = 100_000;
const COLOURS = { XS: '#9ecae1', S: '#3182bd', L: '#08306b', limit: '#d9d9d9' } as const;
const SIZES = ['XS', 'S', 'L'] as const;

/**
 * Two charts in one SVG: throughput at 16 clients beside its limit, and how it changes from XS to S to L.
 *
 * @param reports of the sizes that were measured
 * @param grown sizes measured by turns; where there are none, those of the reports are shown
 */
export function plotOf(reports: readonly Report[], grown: readonly GrowthRow[]): string {
  const main = reports.find(({ size }) => size === 'S') ?? reports[0];
  if (main === undefined) return '';
  const names = [...new Set(main.rows.map((row) => row.case))];
  const throughput = chart(`Answers per second at 16 clients (data set ${main.size}; grey: limit)`, names, (name) => {
    const row = rowOf(main, name);
    const limit = row === undefined ? null : limitOf(row);
    return [
      ...(row === undefined
        ? []
        : [{ value: row.perSecond, colour: COLOURS.S, text: String(Math.round(row.perSecond)) }]),
      ...(limit === null ? [] : [{ value: limit, colour: COLOURS.limit, text: String(Math.round(limit)) }]),
    ];
  });
  const growth = chart('Growth: answers per second at 16 clients by data set', names, (name) =>
    SIZES.flatMap((size) => {
      const report = reports.find((one) => one.size === size);
      const byTurns = grown.find((row) => row.case === name && row.clients === 16)?.bySize[size];
      const row = byTurns ?? (report && rowOf(report, name));
      return row === undefined
        ? []
        : [{ value: row.perSecond, colour: COLOURS[size], text: `${size} ${Math.round(row.perSecond)}` }];
    }),
  );
  const height = throughput.height + growth.height;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">
<rect width="${WIDTH}" height="${height}" fill="white"/>
${throughput.svg}
<g transform="translate(0 ${throughput.height})">
${growth.svg}
</g>
</svg>
`;
}

type Bar = Readonly<{ value: number; colour: string; text: string }>;

function chart(
  title: string,
  names: readonly string[],
  barsOf: (name: string) => Bar[],
): { svg: string; height: number } {
  const parts = [`<text x="12" y="22" font-size="15">${title}</text>`];
  let y = TITLE_HEIGHT;
  for (const name of names) {
    const bars = barsOf(name);
    if (bars.length === 0) continue;
    parts.push(`<text x="${LABEL_WIDTH - 8}" y="${y + 10}" text-anchor="end">${name}</text>`);
    for (const { value, colour, text } of bars) {
      const width = lengthOf(value);
      parts.push(
        `<rect x="${LABEL_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT - 1}" fill="${colour}"/>`,
        `<text x="${LABEL_WIDTH + width + 5}" y="${y + 10}">${text}</text>`,
      );
      y += BAR_HEIGHT;
    }
    y += GROUP_GAP;
  }
  for (let rate = RATE_MIN; rate <= RATE_MAX; rate *= 10) {
    const x = LABEL_WIDTH + lengthOf(rate);
    parts.push(
      `<line x1="${x}" x2="${x}" y1="${TITLE_HEIGHT - 8}" y2="${y - GROUP_GAP}" stroke="#000" stroke-opacity="0.12"/>`,
      `<text x="${x}" y="${TITLE_HEIGHT - 10}" text-anchor="middle" fill="#666">${rate.toLocaleString('en')}</text>`,
    );
  }
  return { svg: parts.join('\n'), height: y + GROUP_GAP };
}

function lengthOf(value: number): number {
  const share = Math.log(Math.max(value, RATE_MIN) / RATE_MIN) / Math.log(RATE_MAX / RATE_MIN);
  return Math.round(share * CHART_WIDTH);
}

function rowOf({ rows }: Report, name: string): Row | undefined {
  const own = rows.filter((row) => row.case === name);
  return own.find(({ clients }) => clients === 16) ?? own.at(-1);
}
