import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import { describe, expect, test } from 'vitest';
import type { PrintedDocument } from '../../../src/domain/shared/ports.ts';
import { layOutPlainly } from '../../../src/infrastructure/pdf/plain-layout.ts';
import { renderPdf } from '../../../src/infrastructure/pdf/render.ts';
import { printable, wordsFromLeft } from '../../../src/infrastructure/pdf/text.ts';
import { readPdf } from '../../support/pdf.ts';

function aDocument(fields: Partial<PrintedDocument> = {}): PrintedDocument {
  return {
    language: 'es-MX',
    paper: 'LETTER',
    title: 'Estado de cuenta',
    subtitle: 'Al 1 de marzo de 2026',
    issuer: { name: 'Colegio Ñandú', details: ['México', 'MXN · peso mexicano'] },
    party: { label: 'Alumno', name: 'Łucja Núñez', details: ['lucja@example.com'] },
    facts: [['Número', 'F-2026-000001']],
    mark: { text: 'PAGADA', tone: 'good' },
    tables: [aTable(3)],
    totals: [
      ['Facturado', 'MXN 30.00'],
      ['Pendiente', 'MXN 12.50'],
    ],
    body: [],
    instructions: null,
    signature: null,
    notes: ['Importes en €: ninguno.'],
    footer: 'Generado el 1 mar 2026',
    pageLabel: 'Página {page} de {pages}',
    createdAt: new Date('2026-03-01T00:00:00Z'),
    ...fields,
  };
}

function aTable(rowCount: number): PrintedDocument['tables'][number] {
  return {
    caption: 'Facturas',
    columns: [
      { label: 'Número', kind: 'word' },
      { label: 'Concepto', kind: 'text' },
      { label: 'Importe', kind: 'amount' },
    ],
    rows: Array.from({ length: rowCount }, (_, index) => [`F-${index}`, `Colegiatura ${index}`, `${index}.10`]),
    sums: ['', 'Total', '999.99'],
    emptyText: 'Sin facturas',
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

describe('renderPdf', () => {
  test('shows every part of a document, letters beyond Latin-1 too', async () => {
    const pdf = await readPdf(await renderPdf(aDocument()));

    expect(pdf.pages).toHaveLength(1);
    expect(pdf.title).toContain('Estado de cuenta');
    for (const part of ['Colegio Ñandú', 'Łucja Núñez', 'F-2026-000001', 'PAGADA', 'Facturas', '2.10', '999.99']) {
      expect(pdf.text).toContain(part);
    }
    for (const part of ['MXN 12.50', 'Importes en €', 'Generado el 1 mar 2026', 'Página 1 de 1']) {
      expect(pdf.text).toContain(part);
    }
  });

  test('breaks a long table over pages and repeats its header on each', async () => {
    const pdf = await readPdf(await renderPdf(aDocument({ paper: 'A4', tables: [aTable(150)], mark: null })));

    expect(pdf.pages.length).toBeGreaterThan(2);
    for (const [index, page] of pdf.pages.entries()) {
      expect(page.lines.join('\n')).toContain(`Página ${index + 1} de ${pdf.pages.length}`);
      if (page.lines.some((line) => line.includes('Colegiatura'))) expect(page.lines.join('\n')).toContain('Concepto');
    }
    const shown = pdf.text.match(/Colegiatura \d+/g) ?? [];
    expect(new Set(shown).size).toBe(150);
  });

  test('the sums of a table are on a page with the last of its rows, however many there are', async () => {
    for (const rowCount of range(25, 45)) {
      const pdf = await readPdf(await renderPdf(aDocument({ tables: [aTable(rowCount)], mark: null, totals: [] })));

      const page = pdf.pages.find(({ lines }) => lines.some((line) => line.includes('999.99')));
      expect(page?.lines.join('\n')).toContain(`Colegiatura ${rowCount - 1}`);
    }
  });

  test('a dot between two parts stays on the line of the first', async () => {
    const rows = range(1, 60).map((length) => ['F-1', `${'x'.repeat(length)} · ${'y'.repeat(60)} · zz`, '1.00']);
    const pdf = await readPdf(await renderPdf(aDocument({ tables: [{ ...aTable(1), rows }] })));

    const parts = pdf.pages.flatMap(({ texts }) => texts.map(({ text }) => text.trim()));
    expect(parts.filter((text) => text.startsWith('·'))).toEqual([]);
    expect(parts.some((text) => text.endsWith('·'))).toBe(true);
  });

  test('an empty table says so, and hostile texts neither break nor leave the page', async () => {
    const long = 'Ñ'.repeat(255);
    const hostile = `\u0007 ${'palabra '.repeat(60)}\u202Eabc 🎓`;
    const document = aDocument({
      title: long,
      issuer: { name: long, details: [hostile] },
      party: { label: 'Alumno', name: hostile, details: [] },
      tables: [
        { ...aTable(0), sums: null },
        { ...aTable(1), rows: [['F-1', hostile, '1.00']] },
      ],
      mark: { text: 'ANULADA', tone: 'bad' },
    });

    const pdf = await readPdf(await renderPdf(document));

    expect(pdf.text).toContain('Sin facturas');
    expect(pdf.text).toContain('1.00');
    for (const page of pdf.pages) {
      for (const { x, width } of page.texts) expect(x + width).toBeLessThanOrEqual(page.width);
    }
  });
});

describe('text that people type', () => {
  test('loses what nobody sees: joiners, fillers, selectors, marks that reorder', () => {
    const invisible = '\u00ad\u034f\u115f\u17b4\u200b\u202e\u2060\u3164\ufe0f\ufeff\uffa0\u{e0100}';
    expect(printable(`a${invisible}b`, () => true)).toBe('ab');
  });

  // fontkit shapes Tifinagh by syllables and has none for a grapheme joiner. It throws, and with it every document did
  // that had both in one text.
  test('stands letter by letter where the library cannot shape it', () => {
    const pdf = new PDFDocument();
    pdf.font(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'), 10);
    expect(() => pdf.widthOfString('\u2d40\u034f')).toThrow(TypeError);

    layOutPlainly(pdf);

    const joiner = pdf.widthOfString('\u034f');
    expect(pdf.widthOfString('\u2d40\u034f')).toBeCloseTo(pdf.widthOfString('\u2d40') + joiner, 6);
  });

  // Laid out from the left, a Hebrew or Arabic name is read with the surname first, and two of its words without a space.
  test.each([
    ['Łucja Núñez  2026', ['Łucja', ' ', 'Núñez', '  ', '2026']],
    ['דוד כהן', ['כהן', ' ', 'דוד']],
    ['דוד כהן 123', ['123', ' ', 'כהן', ' ', 'דוד']],
    ['Ana דוד 12 כהן · Eva', ['Ana', ' ', 'כהן', ' ', '12', ' ', 'דוד', ' ', '·', ' ', 'Eva']],
    ['محمد الهاشمي, Ana دار السلام', ['الهاشمي,', ' ', 'محمد', ' ', 'Ana', ' ', 'السلام', ' ', 'دار']],
    ['', []],
  ])('stands word by word in the direction its script runs: %j', (line, words) => {
    expect(wordsFromLeft(line)).toEqual(words);
  });

  test('is as wide as its words and the spaces between them', () => {
    const pdf = new PDFDocument();
    pdf.font(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'), 10);
    layOutPlainly(pdf);
    const widths = ['محمد', ' ', 'الهاشمي'].map((word) => pdf.widthOfString(word));
    expect(pdf.widthOfString('محمد الهاشمي')).toBeCloseTo(
      widths.reduce((sum, width) => sum + width, 0),
      6,
    );
  });
});
