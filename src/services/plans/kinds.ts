import type { Actor } from '../../domain/access/actor.ts';
import {
  assertBilledUnchanged,
  assertEnrolmentSensible,
  assertPeriodSensible,
} from '../../domain/plans/catalogue-rules.ts';
import type { Concept, ConceptChanges, NewConcept } from '../../domain/plans/concept.ts';
import type { Discount, DiscountChanges, NewDiscount } from '../../domain/plans/discount.ts';
import type { Enrolment, EnrolmentChanges, NewEnrolment } from '../../domain/plans/enrolment.ts';
import type {
  ConceptEvent,
  DiscountEvent,
  EnrolmentEvent,
  LateFeePolicyEvent,
  PeriodEvent,
  PlanEvent,
} from '../../domain/plans/events.ts';
import type { LateFeePolicy, LateFeePolicyChanges, NewLateFeePolicy } from '../../domain/plans/late-fee-policy.ts';
import type { NewPeriod, Period, PeriodChanges } from '../../domain/plans/period.ts';
import type { Installments, NewPlan, NewPlanItem, Plan } from '../../domain/plans/plan.ts';
import {
  assertDiscountSensible,
  assertLateFeePolicySensible,
  assertPlanSensible,
  itemsOf,
} from '../../domain/plans/plan-rules.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { ConceptFilter } from '../../repositories/plans/concept-repository.ts';
import type { DiscountFilter } from '../../repositories/plans/discount-repository.ts';
import type { EnrolmentFilter } from '../../repositories/plans/enrolment-repository.ts';
import type { LateFeePolicyFilter } from '../../repositories/plans/late-fee-policy-repository.ts';
import type { PeriodFilter } from '../../repositories/plans/period-repository.ts';
import type { PlanFilter } from '../../repositories/plans/plan-repository.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { ImportService } from '../imports/import-service.ts';
import { type CatalogueDependencies, type CatalogueKind, CatalogueService } from './catalogue-service.ts';
import { WithdrawalService } from './withdrawal-service.ts';

type PeriodKind = CatalogueKind<Period, NewPeriod, NewPeriod, PeriodChanges, PeriodFilter, PeriodEvent>;
export type PeriodService = CatalogueService<Period, NewPeriod, NewPeriod, PeriodChanges, PeriodFilter, PeriodEvent>;

const PERIODS: PeriodKind = {
  repository: ({ periods }) => periods,
  notFound: periodNotFound,
  merge: (before, changes) => ({ ...before, ...changes }),
  prepare: async (actor, { periods }, period, before) => {
    assertPeriodSensible(period);
    if (before !== null && (await periods.hasDaysOutside(actor, { ...before, ...period }))) {
      throw new DomainError('period_in_use', 'There are plans or enrolments of days that the period would lose');
    }
    return period;
  },
  event: (action, { id, schoolId }) => ({ type: `period_${action}`, periodId: id, schoolId }),
};

type ConceptKind = CatalogueKind<Concept, NewConcept, NewConcept, ConceptChanges, ConceptFilter, ConceptEvent>;
export type ConceptService = CatalogueService<
  Concept,
  NewConcept,
  NewConcept,
  ConceptChanges,
  ConceptFilter,
  ConceptEvent
>;

const CONCEPTS: ConceptKind = {
  repository: ({ concepts }) => concepts,
  notFound: (id) => new DomainError('concept_not_found', `Concept with id ${id} not found`),
  merge: (before, changes) => ({ ...before, ...changes }),
  prepare: async (_, __, concept) => concept,
  event: (action, { id, schoolId }) => ({ type: `concept_${action}`, conceptId: id, schoolId }),
};

type DiscountKind = CatalogueKind<Discount, NewDiscount, NewDiscount, DiscountChanges, DiscountFilter, DiscountEvent>;
export type DiscountService = CatalogueService<
  Discount,
  NewDiscount,
  NewDiscount,
  DiscountChanges,
  DiscountFilter,
  DiscountEvent
>;

const DISCOUNTS: DiscountKind = {
  repository: ({ discounts }) => discounts,
  notFound: (id) => new DomainError('discount_not_found', `Discount with id ${id} not found`),
  merge: (before, changes) => ({ ...before, ...changes }),
  prepare: async (actor, repositories, discount) => {
    assertDiscountSensible(discount, await currencyOf(actor, repositories, discount.schoolId));
    return discount;
  },
  event: (action, { id, schoolId }) => ({ type: `discount_${action}`, discountId: id, schoolId }),
};

type LateFeePolicyKind = CatalogueKind<
  LateFeePolicy,
  NewLateFeePolicy,
  NewLateFeePolicy,
  LateFeePolicyChanges,
  LateFeePolicyFilter,
  LateFeePolicyEvent
>;
export type LateFeePolicyService = CatalogueService<
  LateFeePolicy,
  NewLateFeePolicy,
  NewLateFeePolicy,
  LateFeePolicyChanges,
  LateFeePolicyFilter,
  LateFeePolicyEvent
>;

const LATE_FEE_POLICIES: LateFeePolicyKind = {
  repository: ({ lateFeePolicies }) => lateFeePolicies,
  notFound: (id) => new DomainError('late_fee_policy_not_found', `Late fee policy with id ${id} not found`),
  merge: (before, changes) => ({ ...before, ...changes }),
  prepare: async (actor, repositories, policy) => {
    assertLateFeePolicySensible(policy, await currencyOf(actor, repositories, policy.schoolId));
    return policy;
  },
  event: (action, { id, schoolId }) => ({ type: `late_fee_policy_${action}`, lateFeePolicyId: id, schoolId }),
};

/** A plan whose items are named, or made by a rule. */
export type AskedPlan = Omit<NewPlan, 'items'> & Readonly<{ items: readonly NewPlanItem[] | Installments }>;
/** Absent means unchanged. A plan never changes school, period or concept. */
export type PlanChanges = Partial<Omit<AskedPlan, 'schoolId' | 'periodId' | 'conceptId'>>;

type PlanKind = CatalogueKind<Plan, NewPlan, AskedPlan, PlanChanges, PlanFilter, PlanEvent>;
export type PlanService = CatalogueService<Plan, NewPlan, AskedPlan, PlanChanges, PlanFilter, PlanEvent>;

const PLANS: PlanKind = {
  repository: ({ plans }) => plans,
  notFound: (id) => new DomainError('plan_not_found', `Plan with id ${id} not found`),
  merge: (before, changes) => ({ ...before, ...changes }),
  prepare: async (actor, repositories, asked, before) => {
    const currency = await currencyOf(actor, repositories, asked.schoolId);
    const period = await repositories.periods.findForShare(actor, asked.periodId);
    if (period === undefined || period.schoolId !== asked.schoolId) throw periodNotFound(asked.periodId);
    const items = 'installments' in asked.items ? itemsOf(asked.items, currency) : asked.items;
    const plan = { ...asked, items };
    assertPlanSensible(plan, period, currency);
    if (before !== null) {
      assertBilledUnchanged(before.items, items, await repositories.plans.listBilledSeqs(actor, before));
    }
    return plan;
  },
  event: (action, { id, schoolId }) => ({ type: `plan_${action}`, planId: id, schoolId }),
};

/** `startsOn` null is the first day of the period. */
export type AskedEnrolment = Omit<NewEnrolment, 'startsOn'> & Readonly<{ startsOn: string | null }>;

type EnrolmentKind = CatalogueKind<
  Enrolment,
  NewEnrolment,
  AskedEnrolment,
  EnrolmentChanges,
  EnrolmentFilter,
  EnrolmentEvent
>;
export type EnrolmentService = CatalogueService<
  Enrolment,
  NewEnrolment,
  AskedEnrolment,
  EnrolmentChanges,
  EnrolmentFilter,
  EnrolmentEvent
>;

const ENROLMENTS: EnrolmentKind = {
  repository: ({ enrolments }) => enrolments,
  notFound: (id) => new DomainError('enrolment_not_found', `Enrolment with id ${id} not found`),
  merge: (before, changes) => ({ ...before, ...changes }),
  prepare: async (actor, { students, periods }, asked) => {
    const { studentId, periodId } = asked;
    const student = await students.find(actor, studentId);
    if (student === undefined) throw new DomainError('student_not_found', `Student with id ${studentId} not found`);
    const period = await periods.findForShare(actor, periodId);
    if (period === undefined || period.schoolId !== student.schoolId) throw periodNotFound(periodId);
    const enrolment = { ...asked, startsOn: asked.startsOn ?? period.startsOn };
    assertEnrolmentSensible(enrolment, period);
    return enrolment;
  },
  event: (action, { id, schoolId }) => ({ type: `enrolment_${action}`, enrolmentId: id, schoolId }),
};

export type CatalogueServices = Readonly<{
  periods: PeriodService;
  concepts: ConceptService;
  plans: PlanService;
  discounts: DiscountService;
  enrolments: EnrolmentService;
  lateFeePolicies: LateFeePolicyService;
  withdrawals: WithdrawalService;
  imports: ImportService;
}>;

export function catalogueServices(dependencies: CatalogueDependencies): CatalogueServices {
  return {
    periods: new CatalogueService(dependencies, PERIODS),
    concepts: new CatalogueService(dependencies, CONCEPTS),
    plans: new CatalogueService(dependencies, PLANS),
    discounts: new CatalogueService(dependencies, DISCOUNTS),
    enrolments: new CatalogueService(dependencies, ENROLMENTS),
    lateFeePolicies: new CatalogueService(dependencies, LATE_FEE_POLICIES),
    withdrawals: new WithdrawalService(dependencies),
    imports: new ImportService(dependencies),
  };
}

function periodNotFound(id: number): DomainError {
  return new DomainError('period_not_found', `Period with id ${id} not found`);
}

/** It stays so until the transaction ends, and then for as long as what is saved is there. @throws DomainError `school_not_found` */
async function currencyOf(actor: Actor, { schools }: Repositories, schoolId: number): Promise<string> {
  const school = await schools.findForShare(actor, schoolId);
  if (school === undefined) throw new DomainError('school_not_found', `School with id ${schoolId} not found`);
  return school.currency;
}
