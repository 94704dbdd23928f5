import { wordsFromLeft } from './text.ts';

/** Fonts as pdfkit and its fontkit have them, as far as they are used here. */
type Glyph = Readonly<{ advanceWidth: number }>;
type Position = Readonly<{ xAdvance: number; yAdvance: 0; xOffset: 0; yOffset: 0; advanceWidth: number }>;
type Run = Readonly<{ glyphs: readonly Glyph[]; positions: readonly Position[]; advanceWidth: number }>;
type FontFile = {
  glyphForCodePoint(codePoint: number): Glyph;
  hasGlyphForCodePoint(codePoint: number): boolean;
};
type PdfFont = {
  layout: (text: string, features?: unknown, onlyWidth?: boolean) => Run;
  /** From units of the font to thousandths of its size. */
  readonly scale: number;
  readonly font: FontFile;
};

/** A font that knows plain text by heart. */
export type PlainFont = Readonly<{
  /** Width at a size of 1; undefined for text that must be shaped to be measured. */
  width(text: string): number | undefined;
  hasGlyph(codePoint: number): boolean;
}>;

/** Scripts whose letters stand one after the other as they are: Latin with its accents, digits, punctuation, currencies. */
const PLAIN = /^[ -~\u00a0-\u024f\u2010-\u2027\u20a0-\u20bf\u25a1]*$/;

/**
 * Takes the current font of a PDF and makes it lay out plain text letter by letter, each letter looked up once. fontkit
 * shapes every word by the whole of OpenType, and pdfkit keeps every word: for a thousand lines of different amounts that
 * is twice the work and memory that grows with them, and what it would add is kerning. Other scripts are still shaped;
 * text that fontkit cannot shape (it throws on some mixtures of scripts) stands letter by letter too, because no name
 * may keep a document from being made.
 *
 * @returns undefined should pdfkit keep its font elsewhere one day: then everything is shaped, and slow
 */
export function layOutPlainly(pdf: object): PlainFont | undefined {
  const font: unknown = Reflect.get(pdf, '_font');
  if (!isPdfFont(font)) return undefined;
  const letters = new Map<string, { glyph: Glyph; position: Position }>();
  const letter = (character: string): { glyph: Glyph; position: Position } => {
    let known = letters.get(character);
    if (known === undefined) {
      const glyph = font.font.glyphForCodePoint(character.codePointAt(0) ?? 0);
      const advanceWidth = glyph.advanceWidth * font.scale;
      known = { glyph, position: { xAdvance: advanceWidth, yAdvance: 0, xOffset: 0, yOffset: 0, advanceWidth } };
      letters.set(character, known);
    }
    return known;
  };
  const inLetters = (characters: readonly string[]): Run => {
    const run = characters.map(letter);
    return {
      glyphs: run.map(({ glyph }) => glyph),
      positions: run.map(({ position }) => position),
      advanceWidth: run.reduce((sum, { position }) => sum + position.advanceWidth, 0),
    };
  };
  const shape = font.layout.bind(font);
  const layOut = (text: string, features: unknown): Run => {
    // Every plain character is one UTF-16 unit.
    if (PLAIN.test(text)) return inLetters(text.split(''));
    try {
      return shape(text, features);
    } catch {
      return inLetters([...text]);
    }
  };
  // Word by word: pdfkit would lay each out with the space behind it, and all of them from the left.
  font.layout = (text, features) =>
    PLAIN.test(text) ? layOut(text, features) : joined(wordsFromLeft(text).map((word) => layOut(word, features)));
  return {
    width: (text) => {
      if (!PLAIN.test(text)) return undefined;
      let width = 0;
      for (let index = 0; index < text.length; index++) width += letter(text.charAt(index)).position.advanceWidth;
      return width / 1_000;
    },
    hasGlyph: (codePoint) => font.font.hasGlyphForCodePoint(codePoint),
  };
}

function joined(runs: readonly Run[]): Run {
  return {
    glyphs: runs.flatMap(({ glyphs }) => glyphs),
    positions: runs.flatMap(({ positions }) => positions),
    advanceWidth: runs.reduce((sum, run) => sum + run.advanceWidth, 0),
  };
}

function isPdfFont(font: unknown): font is PdfFont {
  if (!has(font, ['layout', 'scale', 'font'])) return false;
  return has(Reflect.get(font, 'font'), ['glyphForCodePoint', 'hasGlyphForCodePoint']);
}

function has(value: unknown, members: readonly string[]): value is object {
  return typeof value === 'object' && value !== null && members.every((name) => name in value);
}
