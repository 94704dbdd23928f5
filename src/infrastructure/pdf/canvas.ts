import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import PDFDocument from 'pdfkit';
import { layOutPlainly, type PlainFont } from './plain-layout.ts';
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

/** Draws the foot of a page, which says how many there are. */
type Foot = (page: number, pages: number) => void;

/** A PDF being drawn: text at a place, lines, boxes, pages. Every text goes through {@link printable} here. */
export class Canvas {
  readonly width: number;
  readonly bottom: number;
  readonly #pdf: PDFKit.PDFDocument;
  readonly #chunks: Buffer[] = [];
  readonly #fonts = new Map<Weight, PlainFont>();
  readonly #printable = new Map<string, string>();
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
      margin: 0,
      autoFirstPage: false,
      lang: about.language,
      displayTitle: true,
      // Of words: nearly every amount is a new one, and a long document would keep them all.
      fontLayoutCache: false,
      info: { Title: about.title, Author: about.author, CreationDate: about.createdAt, Creator: 'mattilda-billing' },
    });
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
    draw();
  }

  addPage(): void {
    this.#page += 1;
    if (this.#foot === undefined) return;
    this.#pdf.addPage();
    this.#foot(this.#page);
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
    this.#pdf.moveTo(from, y).lineTo(to, y).lineWidth(width).strokeColor(color).stroke();
  }

  box(x: number, y: number, width: number, height: number, color: string): void {
    if (this.#foot === undefined) return;
    this.#pdf.rect(x, y, width, height).fill(color);
  }

  /** A text in a frame, turned a little, as a rubber stamp leaves it. */
  stamp(text: string, x: number, y: number, { color, size }: { color: string; size: number }): void {
    if (this.#foot === undefined) return;
    const style: Style = { size, weight: 'bold', color };
    const width = this.measure(style)(text) + size;
    const height = size * 1.7;
    this.#pdf.save().rotate(-8, { origin: [x, y] });
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
