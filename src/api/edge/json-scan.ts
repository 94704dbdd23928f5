/** Names of members and numbers of items, from the outermost in. */
export type JsonPath = readonly string[];

/** What JSON.parse does not tell of a text: where it breaks off, and what is lost of it without a word. */
export type JsonScan = Readonly<{
  /** The first character that cannot be there; the length of the text where it ends too early. Undefined: it is JSON. */
  brokenAt?: number;
  /** The first member whose name its object has already. JSON.parse takes the last. */
  repeated?: JsonPath;
  /** The first number that `isLost` is true of. */
  lost?: JsonPath;
}>;

/** An object or an array that is open: the names it has, or null, and the member or item that is being read. */
type Open = { readonly names: Set<string> | null; name: string; index: number };

/** What may come next, besides white space. */
type Next = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or end' | 'end';

const SPACE = /[ \t\n\r]*/y;
/** All of a string but the quote at its end: so that it can be told where one breaks off. */
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

/** Looks at every character once, and calls itself for nothing, however deep the text is nested. RFC 8259. */
export function scanJson(text: string, isLost: (number: string) => boolean): JsonScan {
  return new Scanner(text, isLost).scan();
}

class Scanner {
  readonly #text: string;
  readonly #isLost: (number: string) => boolean;
  readonly #open: Open[] = [];
  #at = 0;
  #next: Next = 'value';
  #repeated: JsonPath | undefined;
  #lost: JsonPath | undefined;

  constructor(text: string, isLost: (number: string) => boolean) {
    this.#text = text;
    this.#isLost = isLost;
  }

  scan(): JsonScan {
    do {
      this.#end(SPACE);
    } while (this.#step());
    if (this.#next !== 'end' || this.#at < this.#text.length) return { brokenAt: this.#at };
    return {
      ...(this.#repeated === undefined ? {} : { repeated: this.#repeated }),
      ...(this.#lost === undefined ? {} : { lost: this.#lost }),
    };
  }

  /** Reads what is there, if that may be there. */
  #step(): boolean {
    const char = this.#text.charAt(this.#at);
    switch (this.#next) {
      case 'value or ]':
        return char === ']' ? this.#close() : this.#readValue(char);
      case 'value':
        return this.#readValue(char);
      case 'name or }':
        return char === '}' ? this.#close() : this.#readName();
      case 'name':
        return this.#readName();
      case ':':
        return char === ':' && this.#pass('value');
      case ', or end':
        return this.#goOn(char);
      case 'end':
        return false;
    }
  }

  #readValue(char: string): boolean {
    if (char === '{' || char === '[') {
      this.#open.push({ names: char === '{' ? new Set() : null, name: '', index: 0 });
      return this.#pass(char === '{' ? 'name or }' : 'value or ]');
    }
    if (char === '"') return this.#readString() && this.#afterValue();
    if (this.#end(WORD)) return this.#afterValue();
    const start = this.#at;
    if (!this.#end(NUMBER)) return false;
    if (this.#lost === undefined && this.#isLost(this.#text.slice(start, this.#at))) this.#lost = this.#path();
    return this.#afterValue();
  }

  #readName(): boolean {
    const start = this.#at;
    if (!this.#readString()) return false;
    const literal = this.#text.slice(start, this.#at);
    // Two spellings of one name are one name.
    const name: string = literal.includes('\\') ? JSON.parse(literal) : literal.slice(1, -1);
    const inside = this.#open.at(-1);
    if (inside !== undefined) {
      inside.name = name;
      if (inside.names?.has(name) === true) this.#repeated ??= this.#path();
      inside.names?.add(name);
    }
    this.#next = ':';
    return true;
  }

  #goOn(char: string): boolean {
    const inside = this.#open.at(-1);
    const isObject = inside?.names !== null;
    if (char === (isObject ? '}' : ']')) return this.#close();
    if (char !== ',') return false;
    if (inside !== undefined) inside.index += 1;
    return this.#pass(isObject ? 'name' : 'value');
  }

  #close(): boolean {
    this.#open.pop();
    this.#at += 1;
    return this.#afterValue();
  }

  #afterValue(): boolean {
    this.#next = this.#open.length === 0 ? 'end' : ', or end';
    return true;
  }

  #pass(next: Next): boolean {
    this.#at += 1;
    this.#next = next;
    return true;
  }

  #readString(): boolean {
    if (!this.#end(STRING) || this.#text.charAt(this.#at) !== '"') return false;
    this.#at += 1;
    return true;
  }

  /** Goes to the end of what matches here. */
  #end(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #path(): JsonPath {
    return this.#open.map(({ names, name, index }) => (names === null ? String(index) : name));
  }
}
