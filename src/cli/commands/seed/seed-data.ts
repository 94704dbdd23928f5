import type { PaymentMethod } from '../../../domain/billing/payment.ts';

/** Amounts are decimal text with two places, days are counted from the day the sample is made: -10 is ten days before. */
export type SeedPayment = Readonly<{ amount: string; method: PaymentMethod; reference: string; paidInDays: number }>;

/** A student's invoice is recognised by its description, a payment by its reference: neither depends on the day. */
export type SeedInvoice = Readonly<{
  description: string;
  amountTotal: string;
  dueInDays: number;
  payments: readonly SeedPayment[];
  /** Why it was voided; absent: it was not. */
  voidReason?: string;
}>;

export type SeedStudent = Readonly<{
  firstName: string;
  lastName: string;
  email: string;
  invoices: readonly SeedInvoice[];
}>;

export type SeedSchool = Readonly<{
  name: string;
  country: string;
  currency: string;
  students: readonly SeedStudent[];
}>;

/** 3 schools, 8 students, 16 invoices in all four statuses, 12 payments. Addresses in .example belong to nobody. */
export const SEED: readonly SeedSchool[] = [
  {
    name: 'Instituto Tecnológico de Monterrey',
    country: 'MX',
    currency: 'MXN',
    students: [
      {
        firstName: 'Sofía',
        lastName: 'Hernández Garza',
        email: 'sofia.hernandez@tec.example',
        invoices: [
          {
            description: 'Colegiatura, primer parcial',
            amountTotal: '18500.00',
            dueInDays: -45,
            payments: [
              { amount: '10000.00', method: 'TRANSFER', reference: 'SPEI-7741902358', paidInDays: -50 },
              { amount: '8500.00', method: 'CARD', reference: 'CARD-4152-883104', paidInDays: -46 },
            ],
          },
          {
            description: 'Colegiatura, segundo parcial',
            amountTotal: '18500.00',
            dueInDays: -12,
            payments: [{ amount: '9250.00', method: 'TRANSFER', reference: 'SPEI-7750138846', paidInDays: -15 }],
          },
        ],
      },
      {
        firstName: 'Diego',
        lastName: 'Martínez Villarreal',
        email: 'diego.martinez@tec.example',
        invoices: [
          {
            description: 'Inscripción semestral',
            amountTotal: '12800.50',
            dueInDays: -20,
            payments: [{ amount: '12800.50', method: 'CASH', reference: 'CASH-CAJA2-00418', paidInDays: -22 }],
          },
          { description: 'Laboratorio de ingeniería', amountTotal: '3450.00', dueInDays: 18, payments: [] },
        ],
      },
      {
        firstName: 'Valentina',
        lastName: 'Treviño Salinas',
        email: 'valentina.trevino@tec.example',
        invoices: [
          { description: 'Residencias, habitación doble', amountTotal: '9600.00', dueInDays: -8, payments: [] },
          {
            description: 'Credencial y seguro escolar',
            amountTotal: '1150.00',
            dueInDays: 25,
            payments: [],
            voidReason: 'Facturada por duplicado en ventanilla',
          },
        ],
      },
    ],
  },
  {
    name: 'Universidad de Los Andes',
    country: 'CO',
    currency: 'COP',
    students: [
      {
        firstName: 'Juan Sebastián',
        lastName: 'Rojas Mejía',
        email: 'juan.rojas@uniandes.example',
        invoices: [
          {
            description: 'Matrícula ordinaria',
            amountTotal: '21480000.00',
            dueInDays: -30,
            payments: [
              { amount: '15000000.00', method: 'TRANSFER', reference: 'PSE-2210584417', paidInDays: -38 },
              { amount: '6480000.00', method: 'TRANSFER', reference: 'PSE-2210991265', paidInDays: -31 },
            ],
          },
          {
            description: 'Curso intersemestral de cálculo',
            amountTotal: '3250000.00',
            dueInDays: 15,
            payments: [{ amount: '1250000.00', method: 'TRANSFER', reference: 'PSE-2211740093', paidInDays: -3 }],
          },
        ],
      },
      {
        firstName: 'María Camila',
        lastName: 'Gómez Restrepo',
        email: 'maria.gomez@uniandes.example',
        invoices: [
          {
            description: 'Matrícula ordinaria',
            amountTotal: '21480000.00',
            dueInDays: -5,
            payments: [
              { amount: '5000000.00', method: 'TRANSFER', reference: 'PSE-2211302874', paidInDays: -9 },
              { amount: '2480000.75', method: 'CARD', reference: 'CARD-5406-120977', paidInDays: -6 },
            ],
          },
          { description: 'Derechos de grado', amountTotal: '1180000.00', dueInDays: 40, payments: [] },
        ],
      },
    ],
  },
  {
    name: 'Universidad San Francisco de Quito',
    country: 'EC',
    currency: 'USD',
    students: [
      {
        firstName: 'Andrés',
        lastName: 'Cevallos Moncayo',
        email: 'andres.cevallos@usfq.example',
        invoices: [
          {
            description: 'Arancel del semestre',
            amountTotal: '5890.00',
            dueInDays: -25,
            payments: [{ amount: '5890.00', method: 'TRANSFER', reference: 'WIRE-20817-PICH', paidInDays: -27 }],
          },
          { description: 'Plan de alimentación', amountTotal: '640.00', dueInDays: 12, payments: [] },
        ],
      },
      {
        firstName: 'Gabriela',
        lastName: 'Paredes Andrade',
        email: 'gabriela.paredes@usfq.example',
        invoices: [
          {
            description: 'Arancel del semestre',
            amountTotal: '5890.00',
            dueInDays: 10,
            payments: [{ amount: '2945.00', method: 'TRANSFER', reference: 'WIRE-20933-PROD', paidInDays: -2 }],
          },
          {
            description: 'Taller de escritura académica',
            amountTotal: '185.50',
            dueInDays: -18,
            payments: [{ amount: '185.50', method: 'CASH', reference: 'CASH-TES-00932', paidInDays: -19 }],
          },
        ],
      },
      {
        firstName: 'Mateo',
        lastName: 'Espinosa Vélez',
        email: 'mateo.espinosa@usfq.example',
        invoices: [
          { description: 'Arancel del semestre', amountTotal: '5890.00', dueInDays: 30, payments: [] },
          {
            description: 'Transporte universitario',
            amountTotal: '220.00',
            dueInDays: -3,
            payments: [],
            voidReason: 'El estudiante canceló el servicio antes de usarlo',
          },
        ],
      },
    ],
  },
];
