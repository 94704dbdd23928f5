/** Draws nothing: turns what people typed into lines that fit. */

export type Measure = (text: string) => number;

/** Controls, line breaks and half characters: they separate words at most. */
const SEPARATORS = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\s]+/gu;
/** Marks that reorder text (a name could swap the digits beside it), joiners, fillers, selectors: nothing without others. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** Accents piled on one letter, beyond what any writing needs: they would run over the lines above and below. */
const PILED_MARKS = /(\p{M}{2})\p{M}+/gu;
/** Stands for a character the font does not have. */
const MISSING = '\u25a1';
const ELLIPSIS = '…';
/** Longer input is cut before it is measured: nothing printed here has room for more. */
const LENGTH_MAX = 1_000;

/** Text of one line without anything a font cannot draw. */
export function printable(text: string, hasGlyph: (codePoint: number) => boolean): string {
  const cut = text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}${ELLIPSIS}` : text;
  const visible = cut
    .normalize('NFC')
    .replaceAll(INVISIBLE, '')
    .replaceAll(SEPARATORS, ' ')
    .replaceAll(PILED_MARKS, '$1')
    .trim();
  let drawn = '';
  for (const character of visible) drawn += hasGlyph(character.codePointAt(0) ?? 0) ? character : MISSING;
  return drawn;
}

/** `text` in at most `linesMax` lines no wider than `width`; the last ends in … when something is left out. */
export function wrap(text: string, width: number, linesMax: number, measure: Measure): string[] {
  if (measure(text) <= width) return [text];
  const lines: string[] = [];
  let rest = text;
  while (rest !== '' && lines.length < linesMax - 1) {
    const line = headOf(rest, width, measure);
    lines.push(line.trimEnd());
    rest = rest.slice(line.length).trimStart();
  }
  if (rest !== '') lines.push(truncate(rest, width, measure));
  return lines;
}

/** `text`, or as much of its beginning as fits with an … behind it. */
export function truncate(text: string, width: number, measure: Measure): string {
  if (measure(text) <= width) return text;
  const characters = [...text];
  const count = longest(characters.length, (size) => measure(characters.slice(0, size).join('') + ELLIPSIS) <= width);
  return characters.slice(0, count).join('').trimEnd() + ELLIPSIS;
}

/** As many whole words as fit, else as many characters, at least one: so that wrapping always ends. */
function headOf(text: string, width: number, measure: Measure): string {
  if (measure(text) <= width) return text;
  // A dot between parts stays at the end of a line, where it says that more comes.
  const words = text.split(/(?<= )(?!· )/u);
  const wordCount = longest(words.length, (size) => measure(words.slice(0, size).join('').trimEnd()) <= width);
  if (wordCount > 0) return words.slice(0, wordCount).join('');
  const characters = [...text];
  const count = longest(characters.length, (size) => measure(characters.slice(0, size).join('')) <= width);
  return characters.slice(0, Math.max(1, count)).join('');
}

/** The largest size from 0 to `max` that fits, where a size that fits means that all below do. */
function longest(max: number, fits: (size: number) => boolean): number {
  let low = 0;
  let high = max;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Nko}]/u;
/** A word that ends what runs from right to left: the page itself is read from the left. */
const LEFT_TO_RIGHT = /\p{L}/u;

/**
 * The words of a line, and the spaces between them, in the order they stand on the page from the left: words of scripts
 * that run from right to left follow each other that way too, numbers among and behind them included. The letters within
 * a word are the font's business.
 */
export function wordsFromLeft(line: string): string[] {
  const words = line.split(/( +)/).filter((word) => word !== '');
  const ordered: string[] = [];
  for (let start = 0; start < words.length; ) {
    const end = endOfRun(words, start);
    ordered.push(...words.slice(start, end).reverse());
    start = end;
  }
  return ordered;
}

/** Past the last word that stands in one direction with the word at `start`; just past that one where it is the left's. */
function endOfRun(words: readonly string[], start: number): number {
  let end = start + 1;
  if (!RIGHT_TO_LEFT.test(words[start] ?? '')) return end;
  for (let index = end; index < words.length; index++) {
    const word = words[index] ?? '';
    if (!RIGHT_TO_LEFT.test(word) && LEFT_TO_RIGHT.test(word)) break;
    if (RIGHT_TO_LEFT.test(word) || /\d/.test(word)) end = index + 1;
  }
  return end;
}
