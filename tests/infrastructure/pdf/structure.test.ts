import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { describe, expect, test } from 'vitest';
import type { PrintedDocument, PrintedTable } from '../../../src/domain/shared/ports.ts';
import { renderPdf } from '../../../src/infrastructure/pdf/render.ts';

function aTable(rowCount: number): PrintedTable {
  return {
    caption: 'Facturas',
    columns: [
      { label: 'Número', kind: 'word' },
      { label: 'Importe', kind: 'amount' },
    ],
    rows: Array.from({ length: rowCount }, (_, index) => [`F-${index}`, `${index}.10`]),
    sums: ['Total', '999.99'],
    emptyText: 'Sin facturas',
  };
}

function aDocument(fields: Partial<PrintedDocument> = {}): PrintedDocument {
  return {
    language: 'es-MX',
    paper: 'LETTER',
    title: 'Estado de cuenta',
    subtitle: 'Al 1',
    issuer: { name: 'Colegio', details: [] },
    party: null,
    facts: [['Moneda', 'MXN']],
    mark: { text: 'PAGADA', tone: 'good' },
    body: ['Hace constar'],
    tables: [aTable(2)],
    totals: [['Saldo', 'MXN 1.00']],
    instructions: null,
    notes: [],
    signature: null,
    footer: 'Pie de página',
    pageLabel: 'Página {page} de {pages}',
    createdAt: new Date('2026-03-01T00:00:00Z'),
    ...fields,
  };
}

type Node = { role?: string; id?: string; children?: Node[] };

/** Each page as a reader of its structure hears it: `role(what is in it)`, texts in quotes. */
async function heard(document: PrintedDocument): Promise<{ isTagged: boolean; pages: string[] }> {
  const pdf = await getDocument({ data: new Uint8Array(await renderPdf(document)), verbosity: 0 }).promise;
  const pages: string[] = [];
  for (let number = 1; number <= pdf.numPages; number++) {
    const page = await pdf.getPage(number);
    const texts = new Map<string, string>();
    const open: string[] = [];
    for (const item of (await page.getTextContent({ includeMarkedContent: true })).items) {
      const id = open.findLast((one) => one !== '') ?? '';
      if ('str' in item) texts.set(id, `${texts.get(id) ?? ''}${item.str}`);
      else if (item.type === 'endMarkedContent') open.pop();
      else open.push(item.id ?? '');
    }
    const write = ({ role = '', id, children = [] }: Node): string =>
      id === undefined ? `${role}(${children.map(write).join(' ')})` : `"${(texts.get(id) ?? '').trim()}"`;
    const tree: Node | null = await page.getStructTree();
    pages.push(tree === null ? '' : write(tree));
  }
  const isTagged = (await pdf.getMarkInfo())?.['Marked'] === true;
  await pdf.destroy();
  return { isTagged, pages };
}

describe('What a screen reader hears', () => {
  test('is the title, the facts, the stamp, tables with heads, and totals; not the foot of the page', async () => {
    const { isTagged, pages } = await heard(aDocument());
    expect(isTagged).toBe(true);
    expect(pages[0]).toBe(
      'Root(Document(Sect(P("Colegio") H1("Estado de cuenta") P("Al 1") P("Moneda MXN") P("PAGADA") P(Span("Hace constar")) ' +
        'Table(Caption("Facturas") TR(TH("Número") TH("Importe")) TR(TD("F-0") TD("0.10")) TR(TD("F-1") TD("1.10")) ' +
        'TR(TD("Total") TD("999.99"))) Table(TR(TH("Saldo") TD("MXN 1.00"))))))',
    );
  });

  test('is a head once, on however many pages it is drawn', async () => {
    const { pages } = await heard(aDocument({ tables: [aTable(120)] }));
    expect(pages.length).toBeGreaterThan(2);
    expect(pages.map((page) => page.match(/TH\("Número"\)/g)?.length ?? 0)).toEqual([
      1,
      ...Array<number>(pages.length - 1).fill(0),
    ]);
    expect(pages.join('').match(/TR\(TD\("F-\d+"\) TD\("[\d.]+"\)\)/g)).toHaveLength(120);
  });

  test('is one text a row where there are more than anybody hears cell by cell; none is missing', async () => {
    const { pages } = await heard(aDocument({ tables: [aTable(501)] }));
    expect(pages.join('').match(/P\("F-\d+ ?\d+\.10"\)/g)).toHaveLength(501);
    expect(pages.join('')).not.toContain('TD("F-');
  });

  test('is each of several papers for itself', async () => {
    const { pages } = await heard(aDocument({ following: [aDocument({ title: 'Otro' })] }));
    expect(pages.map((page) => /H1\("(.*?)"\)/.exec(page)?.[1])).toEqual(['Estado de cuenta', 'Otro']);
  });
});
