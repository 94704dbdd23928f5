import { faker } from '@faker-js/faker/locale/es_MX';

/** So that a failure shows the same names again, whichever files came before; unique fields carry a number of their own. */
export function seedNames(): void {
  faker.seed(20_260_101);
}
seedNames();

let serial = 0;
const unique = `${process.pid.toString(36)}${Date.now().toString(36)}`;

/** The body of POST /schools. */
export function schoolBody(fields: Record<string, unknown> = {}): Record<string, unknown> {
  serial += 1;
  return { name: `Colegio ${faker.person.lastName()} ${unique}-${serial}`, country: 'MX', currency: 'MXN', ...fields };
}

/** The body of POST /students. */
export function studentBody(schoolId: number, fields: Record<string, unknown> = {}): Record<string, unknown> {
  serial += 1;
  return {
    school_id: schoolId,
    first_name: faker.person.firstName(),
    last_name: faker.person.lastName(),
    email: `alumno.${unique}.${serial}@example.com`,
    ...fields,
  };
}

/** The body of POST /invoices. */
export function invoiceBody(studentId: number, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    student_id: studentId,
    amount_total: '1000.00',
    currency: 'MXN',
    due_date: '2027-01-31',
    description: faker.commerce.productName(),
    ...fields,
  };
}

/** The body of POST /users. */
export function userBody(fields: Record<string, unknown> = {}): Record<string, unknown> {
  serial += 1;
  return {
    email: `persona.${unique}.${serial}@example.com`,
    name: faker.person.fullName(),
    locale: 'es',
    memberships: [{ school_id: null, role: 'viewer' }],
    ...fields,
  };
}
