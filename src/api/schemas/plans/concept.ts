import { type Static, Type } from 'typebox';
import { CONCEPT_CATEGORIES, type ConceptChanges, type NewConcept } from '../../../domain/plans/concept.ts';
import { amountOut, Id, nameText, oneOf, STRICT, Timestamp } from '../common.ts';
import { percentIn, readPercent } from './values.ts';

const Code = nameText(50, 'COL');
const Name = nameText(200, 'Colegiatura');
const TaxRate = percentIn({
  zero: true,
  description: 'Percent of what is left after discounts. Default 0.00.',
  example: '16.00',
});
export const Category = oneOf(CONCEPT_CATEGORIES, { $id: 'ConceptCategory', examples: ['TUITION'] });

export const ConceptCreate = Type.Object(
  { school_id: Id, code: Code, name: Name, category: Category, tax_rate: Type.Optional(TaxRate) },
  { ...STRICT, $id: 'ConceptCreate' },
);

export const ConceptUpdate = Type.Object(
  {
    code: Type.Optional(Code),
    name: Type.Optional(Name),
    category: Type.Optional(Category),
    tax_rate: Type.Optional(TaxRate),
  },
  { ...STRICT, $id: 'ConceptUpdate' },
);

export const ConceptResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    code: Code,
    name: Name,
    category: Category,
    tax_rate: amountOut('16.00', 'Percent of what is left after discounts.'),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'Concept' },
);

export function toNewConcept(body: Static<typeof ConceptCreate>): NewConcept {
  const { school_id: schoolId, code, name, category, tax_rate: taxRate = '0.00' } = body;
  return { schoolId, code, name, category, taxRate: readPercent(taxRate) };
}

export function toConceptChanges({ tax_rate: taxRate, ...changes }: Static<typeof ConceptUpdate>): ConceptChanges {
  return { ...changes, ...(taxRate === undefined ? {} : { taxRate: readPercent(taxRate) }) };
}
