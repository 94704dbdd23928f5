import type { Static, TObject, TProperties, TSchema, Type as Typebox } from 'typebox';

export type { Static, TObject, TProperties, TSchema };

/** A schema that {@link Type.Optional} has been over; not enumerable, so that no document shows it. */
const OPTIONAL = '~optional';

/** One entry per kind of schema that is used here; each makes exactly the JSON Schema that typebox makes. */
const makers = {
  String: (options: object = {}) => ({ type: 'string', ...options }),
  Integer: (options: object = {}) => ({ type: 'integer', ...options }),
  Boolean: (options: object = {}) => ({ type: 'boolean', ...options }),
  Enum: (values: readonly unknown[], options: object = {}) => ({ enum: values, ...options }),
  Array: (items: object, options: object = {}) => ({ type: 'array', items, ...options }),
  Object: (properties: Readonly<Record<string, object>>, options: object = {}) => {
    const required = Object.keys(properties).filter((name) => !(OPTIONAL in (properties[name] ?? {})));
    return { type: 'object', ...(required.length > 0 ? { required } : {}), properties, ...options };
  },
  /** Keys are any text. */
  Record: (_key: object, value: object, options: object = {}) => ({
    type: 'object',
    patternProperties: { '^.*$': value },
    ...options,
  }),
  Union: (anyOf: readonly object[], options: object = {}) => ({ anyOf, ...options }),
  Ref: (id: string, options: object = {}) => ({ $ref: id, ...options }),
  Optional: (schema: object) => Object.defineProperty({ ...schema }, OPTIONAL, { value: true }),
  Unsafe: (schema: object) => ({ ...schema }),
};

/**
 * typebox's types around our own makers of the same schemas: typebox itself is 300 modules at run time, which were 40 %
 * of the processor time of a start and 17 MB.
 */
export const Type = makers as unknown as Pick<typeof Typebox, keyof typeof makers>;
