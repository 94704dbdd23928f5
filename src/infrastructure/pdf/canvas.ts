import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import { layOutPlainly, type PlainFont } from './plain-layout.ts';
import { type ElementType, Structure } from './structure.ts';
import { type Measure, printable } from './text.ts';

const WEIGHTS = ['regular', 'bold'] as const;
export type Weight = (typeof WEIGHTS)[number];
export type Style = Readonly<{ size: number; weight?: Weight; color?: string }>;

/** Room at the edges of a page, in points. */
export const MARGIN = { left: 44, right: 44, top: 42, bottom: 54 };

/** Millimetres would be nicer and points are what PDF counts in. */
const PAPER = { LETTER: [612, 792], A4: [595.28, 841.89] } as const;

const INK = '#1f2933';

const require = createRequire(import.meta.url);
/** DejaVu, because the standard fonts of PDF garble everything beyond Latin-1 without an error. Read once. */
const FONTS: Readonly<Record<Weight, Buffer>> = {
  regular: readFileSync(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf')),
  bold: readFileSync(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf')),
};

/** Degrees that a stamp is turned by, times its width in points. */
const STAMP_RISE_MAX = 900;

/** Draws the foot of a page, which says how many there are. */
type Foot = (page: number, pages: number) => void;

/**
 * A PDF being drawn: text at a place, lines, boxes, pages. Every text goes through {@link printable} here.
 *
 * Texts are drawn within {@link element}s of its structure, by which screen readers read it; lines and boxes are none.
 */
export class Canvas {
  readonly width: number;
  readonly bottom: number;
  readonly #pdf: PDFKit.PDFDocument;
  readonly #chunks: Buffer[] = [];
  readonly #fonts = new Map<Weight, PlainFont>();
  readonly #printable = new Map<string, string>();
  readonly #structure: Structure;
  #style = '';
  #page = 0;
  /** Undefined while pages are only counted. */
  #foot: ((page: number) => void) | undefined;

  constructor(about: { title: string; author: string; language: string; paper: keyof typeof PAPER; createdAt: Date }) {
    const [width, height] = PAPER[about.paper];
    this.width = width;
    this.bottom = height - MARGIN.bottom;
    this.#pdf = new PDFDocument({
      size: [width, height],
      pdfVersion: '1.7',
      tagged: true,
      margin: 0,
      autoFirstPage: false,
      lang: about.language,
      displayTitle: true,
      // Of words: nearly every amount is a new one, and a long document would keep them all.
      fontLayoutCache: false,
      info: { Title: about.title, Author: about.author, CreationDate: about.createdAt, Creator: 'mattilda-billing' },
    });
    this.#structure = new Structure(this.#pdf);
    this.#pdf.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    for (const weight of WEIGHTS) {
      this.#pdf.registerFont(weight, FONTS[weight]).font(weight);
      const font = layOutPlainly(this.#pdf);
      if (font !== undefined) this.#fonts.set(weight, font);
    }
  }

  /**
   * Calls `draw` twice: to count the pages, with nothing drawn, and to draw them. So each can say how many there are and
   * is still finished, compressed and let go when the next begins. Kept until all were drawn, a document of 5,000 lines
   * took more memory than a worker has.
   */
  drawPages(draw: () => void, foot: Foot): void {
    this.#foot = undefined;
    this.#page = 0;
    this.addPage();
    draw();
    const pages = this.#page;
    this.#foot = (page) => foot(page, pages);
    this.#page = 0;
    this.addPage();
    this.element('Sect', draw);
  }

  /** What `draw` draws is an element of the structure, within the one being drawn. @param scope of a TH */
  element(type: ElementType, draw: () => void, scope?: 'Column' | 'Row'): void {
    if (this.#foot === undefined) draw();
    else this.#structure.element(type, draw, scope);
  }

  /** What `draw` draws is the text of the element being drawn: one that holds no others. Nothing turns a page in it. */
  content(type: ElementType, draw: () => void, scope?: 'Column' | 'Row'): void {
    if (this.#foot === undefined) draw();
    else this.#structure.content(type, draw, scope);
  }

  /** What `draw` draws is read by nobody: it is said elsewhere already, or says nothing. */
  decoration(draw: () => void): void {
    if (this.#foot === undefined) draw();
    else this.#structure.decoration(draw);
  }

  addPage(): void {
    this.#page += 1;
    if (this.#foot === undefined) return;
    this.#pdf.addPage();
    const foot = this.#foot;
    this.decoration(() => foot(this.#page));
  }

  clean(text: string): string {
    let clean = this.#printable.get(text);
    if (clean === undefined) {
      const font = this.#fonts.get('regular');
      clean = printable(text, (codePoint) => font?.hasGlyph(codePoint) ?? true);
      this.#printable.set(text, clean);
    }
    return clean;
  }

  measure(style: Style): Measure {
    const { size, weight = 'regular' } = style;
    const font = this.#fonts.get(weight);
    return (text) => {
      const plain = font?.width(text);
      if (plain !== undefined) return plain * size;
      this.#use(style);
      return this.#pdf.widthOfString(text);
    };
  }

  /** @param text clean already @param x its left edge, or its right one when `align` says so */
  text(text: string, x: number, y: number, style: Style, align: 'left' | 'right' = 'left'): void {
    if (text === '' || this.#foot === undefined) return;
    const left = align === 'left' ? x : x - this.measure(style)(text);
    this.#use(style);
    this.#pdf.fillColor(style.color ?? INK).text(text, left, y, { lineBreak: false });
  }

  line(y: number, from: number, to: number, { color, width }: { color: string; width: number }): void {
    if (this.#foot === undefined) return;
    this.decoration(() => this.#pdf.moveTo(from, y).lineTo(to, y).lineWidth(width).strokeColor(color).stroke());
  }

  box(x: number, y: number, width: number, height: number, color: string): void {
    if (this.#foot === undefined) return;
    this.decoration(() => this.#pdf.rect(x, y, width, height).fill(color));
  }

  /** A text in a frame, turned a little, as a rubber stamp leaves it. @param right its edge, when it lies straight */
  stamp(text: string, right: number, y: number, { color, size }: { color: string; size: number }): void {
    const style: Style = { size, weight: 'bold', color };
    const width = this.measure(style)(text) + size;
    const height = size * 1.7;
    const x = right - width / 2;
    this.content('P', () => this.#drawStamp(text, { x, y, width, height }, style));
  }

  #drawStamp(text: string, at: { x: number; y: number; width: number; height: number }, style: Style): void {
    if (this.#foot === undefined) return;
    const { x, y, width, height } = at;
    const { size, color = INK } = style;
    // A long one is turned less: it would reach into what is above and below it.
    this.#pdf.save().rotate(-Math.min(8, STAMP_RISE_MAX / width), { origin: [x, y] });
    this.#pdf.opacity(0.75);
    this.#pdf
      .roundedRect(x - width / 2, y - height / 2, width, height, 5)
      .lineWidth(2)
      .strokeColor(color)
      .stroke();
    this.text(text, x - width / 2 + size / 2, y - size * 0.58, style);
    this.#pdf.opacity(1).restore();
  }

  async finish(): Promise<Uint8Array<ArrayBuffer>> {
    const ended = new Promise((resolve, reject) => this.#pdf.once('end', resolve).once('error', reject));
    this.#structure.end();
    this.#pdf.end();
    await ended;
    return new Uint8Array(Buffer.concat(this.#chunks));
  }

  #use({ size, weight = 'regular' }: Style): void {
    const style = `${weight}${size}`;
    if (style === this.#style) return;
    this.#style = style;
    this.#pdf.font(weight, size);
  }
}
