export { type Static, type TObject, type TProperties, type TSchema, Type } from 'typebox';
