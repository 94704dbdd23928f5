import {
  FAMILY_COLUMNS,
  type FamilyFields,
  type FamilyRow,
  type GuardianFields,
  readFamily,
} from '../../domain/imports/families.ts';
import type { ImportedFamily, ImportedGuardian } from '../../repositories/imports/family-import-repository.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import type { ImportRun, ImportSource, RowOutcome } from './import-file.ts';
import type { ImportContext } from './import-students.ts';

/** What the file has said of a family so far. */
type Said = {
  readonly line: number;
  readonly fields: FamilyFields;
  /** By full name. */
  readonly guardians: Map<string, Readonly<{ line: number; fields: GuardianFields }>>;
  principal: string | null;
};

/** Families by their external ids, with their guardians, who are named by their names, and students. */
export async function importFamilies(
  run: ImportRun,
  source: ImportSource,
  repositories: Repositories,
  context: ImportContext,
): Promise<void> {
  const { studentImports, familyImports } = repositories;
  const { actor, schoolId, now } = context;
  const said = new Map<string, Said>();
  const studentOf = new Map<string, Readonly<{ line: number; family: string }>>();

  await run.over(source, FAMILY_COLUMNS, readFamily, async (rows) => {
    for (const row of rows) {
      refuseContradiction(run, row, said);
      refuseSecondFamily(run, row, studentOf);
    }
    const names = rows.map(({ studentExternalId }) => studentExternalId);
    const students = new Map(
      (await studentImports.listForUpdate(actor, schoolId, names)).map((one) => [one.externalId, one]),
    );
    for (const { line, studentExternalId } of rows) {
      if (students.has(studentExternalId)) continue;
      const detail = 'the school has no student of this external id';
      run.refuse({ line, column: 'student_external_id', code: 'not_found', detail });
    }

    const right = rows.filter((row) => !run.isWrong(row));
    const families = await writeFamilies(repositories, context, right);
    const guardians = await writeGuardians(repositories, context, right, families.ids);
    const moves = new Map(
      right.flatMap(({ studentExternalId, externalId }) => {
        const student = students.get(studentExternalId);
        const familyId = families.ids.get(externalId);
        if (student === undefined || familyId === undefined || student.familyId === familyId) return [];
        return [[student.id, { studentId: student.id, familyId }] as const];
      }),
    );
    await familyImports.updateFamilies(actor, schoolId, [...moves.values()], now);

    for (const row of right) {
      const student = students.get(row.studentExternalId);
      const isMoved = student !== undefined && moves.has(student.id);
      run.count(outcomeOf(families.outcomes.get(row.externalId), guardians.get(keyOf(row)), isMoved));
    }
  });
}

/** A row made its guardian, changed something, or nothing. */
function outcomeOf(family: RowOutcome | undefined, guardian: RowOutcome | undefined, isMoved: boolean): RowOutcome {
  if (guardian === 'created') return 'created';
  return isMoved || guardian === 'updated' || family === 'updated' ? 'updated' : 'unchanged';
}

async function writeFamilies(
  { familyImports }: Repositories,
  { actor, schoolId, now }: ImportContext,
  rows: readonly FamilyRow[],
): Promise<Readonly<{ ids: Map<string, number>; outcomes: Map<string, RowOutcome> }>> {
  const asked = new Map(rows.map(({ externalId, family }) => [externalId, family]));
  const before = await familyImports.listForUpdate(actor, schoolId, [...asked.keys()]);
  const known = new Set(before.map(({ externalId }) => externalId));
  const fresh = [...asked].filter(([externalId]) => !known.has(externalId));
  const made = await familyImports.insertMany(
    actor,
    schoolId,
    fresh.map(([externalId, family]) => ({ externalId, ...family })),
    now,
  );
  const changed = before.flatMap((family) => {
    const changes = asked.get(family.externalId);
    return changes === undefined || !differs(family, changes) ? [] : [merged(family, changes)];
  });
  await familyImports.updateMany(actor, schoolId, changed, now);
  const outcomes = new Map<string, RowOutcome>([
    ...made.map(({ externalId }) => [externalId, 'created'] as const),
    ...changed.map(({ externalId }) => [externalId, 'updated'] as const),
  ]);
  return { ids: new Map([...before, ...made].map(({ externalId, id }) => [externalId, id])), outcomes };
}

/** @returns what came of each guardian, by {@link keyOf} a row that names it */
async function writeGuardians(
  { familyImports }: Repositories,
  { actor, schoolId, now }: ImportContext,
  rows: readonly FamilyRow[],
  familyIds: ReadonlyMap<string, number>,
): Promise<Map<string, RowOutcome>> {
  const asked = new Map(
    rows.flatMap((row) => {
      const familyId = familyIds.get(row.externalId);
      return familyId === undefined ? [] : [[keyOf(row), { familyId, ...row.guardian }] as const];
    }),
  );
  const externalIds = new Map([...familyIds].map(([externalId, id]) => [id, externalId]));
  const keyOfGuardian = (one: Readonly<{ familyId: number; fullName: string }>): string =>
    keyOf({ externalId: externalIds.get(one.familyId) ?? '', guardian: one });
  const all = await familyImports.listGuardians(actor, [...familyIds.values()]);
  // Of two of the same name the older one is meant.
  const before = new Map(all.toReversed().map((guardian) => [keyOfGuardian(guardian), guardian]));

  const fresh = [...asked].flatMap(([key, guardian]) => (before.has(key) ? [] : [guardian]));
  const made = await familyImports.insertGuardians(actor, schoolId, fresh, now);
  const outcomes = new Map<string, RowOutcome>(made.map((one) => [keyOfGuardian(one), 'created']));
  const changed = [...asked].flatMap(([key, fields]) => {
    const guardian = before.get(key);
    if (guardian === undefined || !differs(guardian, contactOf(fields))) return [];
    outcomes.set(key, 'updated');
    return [merged(guardian, contactOf(fields))];
  });
  await familyImports.updateGuardians(actor, changed, now);

  const ids = new Map([...made.map((one) => [keyOfGuardian(one), one.id] as const), ...idsOf(before)]);
  const named = [...asked].filter(([key, { isPrincipal }]) => isPrincipal && before.get(key)?.isPrincipal !== true);
  const has = new Set([
    ...all.filter(({ isPrincipal }) => isPrincipal).map(({ familyId }) => familyId),
    ...named.map(([, { familyId }]) => familyId),
  ]);
  // The first of a family is its principal one, unless it has one.
  const first = [...asked].filter(([, { familyId }]) => !has.has(familyId) && has.add(familyId));
  const principals = [...named, ...first].flatMap(([key, { familyId }]) => {
    const id = ids.get(key);
    if (id === undefined) return [];
    if (!outcomes.has(key)) outcomes.set(key, 'updated');
    return [{ id, familyId }];
  });
  await familyImports.updatePrincipals(actor, principals, now);
  return outcomes;
}

function idsOf(guardians: ReadonlyMap<string, ImportedGuardian>): (readonly [string, number])[] {
  return [...guardians].map(([key, { id }]) => [key, id] as const);
}

function contactOf({ email, phone, relationship }: GuardianFields) {
  return { email, phone, relationship };
}

/** No name holds the sign between the two. */
function keyOf({ externalId, guardian }: { externalId: string; guardian: Pick<GuardianFields, 'fullName'> }): string {
  return `${externalId}\0${guardian.fullName}`;
}

/** What a file says nothing of (undefined) stays. */
function differs<T extends object>(before: T, changes: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(changes).some(([name, value]) => value !== undefined && value !== Reflect.get(before, name));
}

function merged<T extends ImportedFamily | ImportedGuardian>(
  before: T,
  changes: { [Name in keyof T]?: T[Name] | undefined },
): T {
  const said = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...before, ...Object.fromEntries(said) };
}

/** A file that says two things of one family or guardian means one of them. */
function refuseContradiction(run: ImportRun, row: FamilyRow, said: Map<string, Said>): void {
  const { line, externalId, family, guardian } = row;
  const known = said.get(externalId);
  const guardians = known?.guardians ?? new Map<string, Readonly<{ line: number; fields: GuardianFields }>>();
  const entry = known ?? { line, fields: family, guardians, principal: null };
  said.set(externalId, entry);
  if (differs(entry.fields, family)) {
    const detail = `the family is another in line ${entry.line}`;
    run.refuse({ line, column: 'family_name', code: 'differs', detail });
  }
  const before = guardians.get(guardian.fullName);
  if (before === undefined) guardians.set(guardian.fullName, { line, fields: guardian });
  else if (differs(before.fields, guardian)) {
    const detail = `the guardian is another in line ${before.line}`;
    run.refuse({ line, column: 'guardian_name', code: 'differs', detail });
  }
  if (!guardian.isPrincipal) return;
  if (entry.principal !== null && entry.principal !== guardian.fullName) {
    run.refuse({
      line,
      column: 'is_principal',
      code: 'repeated',
      detail: 'the family has a principal guardian already',
    });
  }
  entry.principal ??= guardian.fullName;
}

function refuseSecondFamily(
  run: ImportRun,
  { line, studentExternalId, externalId }: FamilyRow,
  studentOf: Map<string, Readonly<{ line: number; family: string }>>,
): void {
  const known = studentOf.get(studentExternalId);
  if (known === undefined) studentOf.set(studentExternalId, { line, family: externalId });
  else if (known.family !== externalId) {
    const detail = `the student is in another family in line ${known.line}`;
    run.refuse({ line, column: 'student_external_id', code: 'differs', detail });
  }
}
