/** The elements of PDF's structure (ISO 32000-1, 14.8.4) that our documents are made of. */
export type ElementType = 'Document' | 'Sect' | 'H1' | 'P' | 'Span' | 'Caption' | 'Table' | 'TR' | 'TH' | 'TD';

/** How documents are read aloud: which texts belong together, in which order, and which of them are heads of columns. */
export class Structure {
  readonly #pdf: PDFKit.PDFDocument;
  /** From the document to the element being drawn. */
  readonly #open: PDFKit.PDFStructureElement[] = [];
  /** Whether what is drawn is within a content or a decoration: they hold no others. */
  #isMarked = false;

  constructor(pdf: PDFKit.PDFDocument) {
    this.#pdf = pdf;
    const document = pdf.struct('Document');
    pdf.addStructure(document);
    this.#open.push(document);
  }

  element(type: ElementType, draw: () => void, scope?: 'Column' | 'Row'): void {
    const element = this.#add(type, scope);
    this.#open.push(element);
    draw();
    this.#open.pop();
    element.end();
  }

  content(type: ElementType, draw: () => void, scope?: 'Column' | 'Row'): void {
    const element = this.#add(type, scope);
    const content = this.#pdf.markStructureContent(type);
    this.#draw(draw);
    element.add(content);
    element.end();
  }

  /** Within a content it is part of that. */
  decoration(draw: () => void): void {
    if (this.#isMarked) {
      draw();
      return;
    }
    this.#pdf.markContent('Artifact');
    this.#draw(draw);
  }

  #draw(draw: () => void): void {
    this.#isMarked = true;
    draw();
    this.#isMarked = false;
    this.#pdf.endMarkedContent();
  }

  end(): void {
    for (const element of this.#open.splice(0)) element.end();
  }

  #add(type: ElementType, scope: 'Column' | 'Row' | undefined): PDFKit.PDFStructureElement {
    // pdfkit knows the scope of a head; its types do not.
    const options: Parameters<PDFKit.PDFDocument['struct']>[1] & { scope?: string } =
      scope === undefined ? {} : { scope };
    const element = this.#pdf.struct(type, options);
    this.#open.at(-1)?.add(element);
    return element;
  }
}
