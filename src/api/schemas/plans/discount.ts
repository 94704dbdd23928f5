import { type Static, Type } from 'typebox';
import { DISCOUNT_KINDS, type DiscountChanges, type NewDiscount, STACKINGS } from '../../../domain/plans/discount.ts';
import { Id, nameText, oneOf, STRICT, Timestamp } from '../common.ts';
import { Category } from './concept.ts';
import { readValue, requireValue, VALUE_IN, VALUE_OUT } from './values.ts';

const Code = nameText(50, 'BECA25');
const Name = nameText(200, 'Beca de excelencia');
const Kind = oneOf(DISCOUNT_KINDS, {
  $id: 'DiscountKind',
  description: 'Scholarships are taken off first. SIBLING: from the child `from_child` of a family on.',
  examples: ['SCHOLARSHIP'],
});
const Stackings = oneOf(STACKINGS, {
  $id: 'Stacking',
  description:
    'EXCLUSIVE: stands alone. CUMULATIVE: chains with the others of its kind on what is left. The larger of the best exclusive one and the chain counts. Default EXCLUSIVE.',
  examples: ['EXCLUSIVE'],
});
const Categories = Type.Array(Category, {
  maxItems: 5,
  uniqueItems: true,
  description: 'Of the concepts it is given on. None named is all.',
});
const FromChild = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  minimum: 2,
  maximum: 20,
  description: 'Of SIBLING: the first child of the family that it is given to. Null for the other kinds.',
  examples: [null],
});

export const DiscountCreate = Type.Object(
  {
    school_id: Id,
    code: Code,
    name: Name,
    kind: Kind,
    ...VALUE_IN,
    categories: Type.Optional(Categories),
    stacking: Type.Optional(Stackings),
    from_child: Type.Optional(FromChild),
  },
  { ...STRICT, $id: 'DiscountCreate' },
);

export const DiscountUpdate = Type.Object(
  {
    code: Type.Optional(Code),
    name: Type.Optional(Name),
    kind: Type.Optional(Kind),
    ...VALUE_IN,
    categories: Type.Optional(Categories),
    stacking: Type.Optional(Stackings),
    from_child: Type.Optional(FromChild),
  },
  { ...STRICT, $id: 'DiscountUpdate' },
);

export const DiscountResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    code: Code,
    name: Name,
    kind: Kind,
    ...VALUE_OUT,
    categories: Categories,
    stacking: Stackings,
    from_child: FromChild,
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'Discount' },
);

export function toNewDiscount(body: Static<typeof DiscountCreate>): NewDiscount {
  const { code, name, kind, categories = [], stacking = 'EXCLUSIVE', from_child: fromChild = null } = body;
  const value = requireValue('#', [body.percent, body.amount]);
  return { schoolId: body.school_id, code, name, kind, value, categories, stacking, fromChild };
}

export function toDiscountChanges(body: Static<typeof DiscountUpdate>): DiscountChanges {
  const { percent, amount, from_child: fromChild, ...changes } = body;
  return {
    ...changes,
    ...(readValue('#', [percent, amount]) === undefined ? {} : { value: requireValue('#', [percent, amount]) }),
    ...(fromChild === undefined ? {} : { fromChild }),
  };
}
