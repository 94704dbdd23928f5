type Fee = readonly [description: string, amount: string];

/** A school whose papers are drawn, what it bills, and what happens to the second of its fees. */
export type School = Readonly<{
  language: 'es' | 'en' | 'pt';
  letterhead: object;
  owing: object;
  cleared: object;
  family: object;
  siblings: readonly [object, object];
  /** The first fee of both siblings, and half of the trip. */
  familyPays: string;
  fees: readonly [enrolment: Fee, first: Fee, second: Fee, third: Fee, trip: Fee];
  words: Readonly<{ discount: string; sibling: string; bounced: string; payments: readonly [string, string] }>;
}>;

export const SCHOOLS: readonly School[] = [
  {
    language: 'es',
    letterhead: {
      name: 'Colegio Miguel Hidalgo',
      country: 'MX',
      currency: 'MXN',
      legal_name: 'Instituto Miguel Hidalgo, A.C.',
      tax_id: 'IMH850101AB1',
      address: 'Av. Reforma 100, Cuauhtémoc\n06600 Ciudad de México',
      phone: '+52 55 5555 0100',
      email: 'caja@hidalgo.example',
      payment_instructions:
        'Transferencia a BBVA, CLABE 012180001234567897, a nombre de Instituto Miguel Hidalgo, A.C.\nEn caja, de lunes a viernes de 8 a 14 h.\nPor favor indique el número del aviso de cobro como referencia.',
    },
    owing: { first_name: 'Sofía', last_name: 'Hernández Ñúñez', email: 'sofia.hernandez@example.com' },
    cleared: { first_name: 'Mateo', last_name: 'Álvarez de la O', email: 'mateo.alvarez@example.com' },
    family: {
      name: 'Familia Ramírez Soto',
      tax_id: 'TRS010101AB1',
      tax_name: 'Transportes Ramírez Soto, S.A. de C.V.',
      tax_address: 'Calle Durango 45, Roma Norte\n06700 Ciudad de México',
    },
    siblings: [
      { first_name: 'Lucía', last_name: 'Ramírez Soto', email: null },
      { first_name: 'Diego', last_name: 'Ramírez Soto', email: null },
    ],
    familyPays: '37500.00',
    fees: [
      ['Inscripción', '6500.00'],
      ['Colegiatura, septiembre', '18500.00'],
      ['Colegiatura, octubre', '18500.00'],
      ['Colegiatura, noviembre', '18500.00'],
      ['Excursión', '1000.00'],
    ],
    words: {
      discount: '1850.00',
      sibling: 'Hermano inscrito, 10 %',
      bounced: 'Sin fondos',
      payments: ['9250.00', '9250.00'],
    },
  },
  {
    language: 'en',
    letterhead: {
      name: 'Lincoln Academy',
      country: 'US',
      currency: 'USD',
      legal_name: 'Lincoln Academy Foundation, Inc.',
      tax_id: '12-3456789',
      address: '100 Main Street\nSan Antonio, TX 78205',
      phone: '+1 210 555 0100',
      email: 'billing@lincoln.example',
      payment_instructions:
        'By ACH to First Example Bank, routing 000000000, account 123456789.\nAt the front office, Monday to Friday, 8 am to 2 pm.',
    },
    owing: { first_name: 'Sophia', last_name: 'O’Brien-Núñez', email: 'sophia.obrien@example.com' },
    cleared: { first_name: 'Noah', last_name: 'Williams', email: 'noah.williams@example.com' },
    family: {
      name: 'The Carter Family',
      tax_id: '98-7654321',
      tax_name: 'Carter & Sons, LLC',
      tax_address: '45 River Walk\nSan Antonio, TX 78205',
    },
    siblings: [
      { first_name: 'Emma', last_name: 'Carter', email: null },
      { first_name: 'Liam', last_name: 'Carter', email: null },
    ],
    familyPays: '3750.00',
    fees: [
      ['Enrolment', '650.00'],
      ['Tuition, September', '1850.00'],
      ['Tuition, October', '1850.00'],
      ['Tuition, November', '1850.00'],
      ['Field trip', '100.00'],
    ],
    words: {
      discount: '185.00',
      sibling: 'Sibling enrolled, 10%',
      bounced: 'Insufficient funds',
      payments: ['925.00', '925.00'],
    },
  },
  {
    language: 'pt',
    letterhead: {
      name: 'Colégio Machado de Assis',
      country: 'BR',
      currency: 'BRL',
      legal_name: 'Associação Educacional Machado de Assis Ltda.',
      tax_id: '12.345.678/0001-90',
      address: 'Rua da Consolação, 100\n01302-000 São Paulo, SP',
      phone: '+55 11 5555-0100',
      email: 'financeiro@machado.example',
      payment_instructions:
        'PIX: financeiro@machado.example\nNa secretaria, de segunda a sexta, das 8 às 14 h.\nInforme o número do aviso de cobrança.',
    },
    owing: { first_name: 'João', last_name: 'Conceição Araújo', email: 'joao.araujo@example.com' },
    cleared: { first_name: 'Inês', last_name: 'Guimarães', email: 'ines.guimaraes@example.com' },
    family: {
      name: 'Família Almeida',
      tax_id: '123.456.789-09',
      tax_name: 'Paula Almeida',
      tax_address: 'Rua Augusta, 45\n01305-000 São Paulo, SP',
    },
    siblings: [
      { first_name: 'Clara', last_name: 'Almeida', email: null },
      { first_name: 'Pedro', last_name: 'Almeida', email: null },
    ],
    familyPays: '6575.00',
    fees: [
      ['Matrícula', '2500.00'],
      ['Mensalidade, setembro', '3200.00'],
      ['Mensalidade, outubro', '3200.00'],
      ['Mensalidade, novembro', '3200.00'],
      ['Excursão', '350.00'],
    ],
    words: {
      discount: '320.00',
      sibling: 'Irmão matriculado, 10 %',
      bounced: 'Sem fundos',
      payments: ['1600.00', '1600.00'],
    },
  },
];
