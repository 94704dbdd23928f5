import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CatalogueServices } from '../../../services/plans/kinds.ts';
import { Id } from '../../schemas/common.ts';
import {
  ConceptCreate,
  ConceptResponse,
  ConceptUpdate,
  toConceptChanges,
  toNewConcept,
} from '../../schemas/plans/concept.ts';
import {
  DiscountCreate,
  DiscountResponse,
  DiscountUpdate,
  toDiscountChanges,
  toNewDiscount,
} from '../../schemas/plans/discount.ts';
import {
  EnrolmentCreate,
  EnrolmentQuery,
  EnrolmentResponse,
  EnrolmentUpdate,
  toAskedEnrolment,
  toEnrolmentChanges,
} from '../../schemas/plans/enrolment.ts';
import {
  LateFeePolicyCreate,
  LateFeePolicyResponse,
  LateFeePolicyUpdate,
  toLateFeePolicyChanges,
  toNewLateFeePolicy,
} from '../../schemas/plans/late-fee-policy.ts';
import {
  PeriodCreate,
  PeriodResponse,
  PeriodUpdate,
  toNewPeriod,
  toPeriodChanges,
} from '../../schemas/plans/period.ts';
import {
  PlanCreate,
  PlanQuery,
  PlanResponse,
  PlanUpdate,
  toAskedPlan,
  toPlanChanges,
} from '../../schemas/plans/plan.ts';
import { catalogueRoutes } from './catalogue.ts';

const OF_SCHOOL = {
  query: { school_id: Type.Optional(Id) },
  filter: ({ school_id: schoolId }: { school_id?: number }) => ({ schoolId }),
};

/** What a school bills: periods, concepts, plans, discounts, enrolments, late fees. */
export function catalogueOf(routes: FastifyInstance, services: CatalogueServices): void {
  catalogueRoutes(routes, {
    resource: services.periods,
    path: '/periods',
    tag: 'periods',
    name: 'Period',
    words: ['period', 'periods'],
    notFound: 'period_not_found',
    inUse: 'period_in_use',
    shape: PeriodResponse,
    ...OF_SCHOOL,
    body: { create: PeriodCreate, update: PeriodUpdate },
    toNew: toNewPeriod,
    toChanges: toPeriodChanges,
    refusals: {
      create: ['school_not_found', 'period_name_taken', 'day_out_of_range'],
      update: ['period_name_taken', 'day_out_of_range', 'period_in_use'],
    },
    descriptions: {
      create: 'A year or a term of a school, in which students are enrolled.',
      update: 'Plans and enrolments stay within it.',
    },
  });

  catalogueRoutes(routes, {
    resource: services.concepts,
    path: '/concepts',
    tag: 'concepts',
    name: 'Concept',
    words: ['concept', 'concepts'],
    notFound: 'concept_not_found',
    inUse: 'concept_in_use',
    shape: ConceptResponse,
    ...OF_SCHOOL,
    body: { create: ConceptCreate, update: ConceptUpdate },
    toNew: toNewConcept,
    toChanges: toConceptChanges,
    refusals: { create: ['school_not_found', 'concept_code_taken'], update: ['concept_code_taken'] },
    descriptions: { create: 'What an invoice is for, such as tuition.', update: 'Invoices stay as they were issued.' },
  });

  catalogueRoutes(routes, {
    resource: services.plans,
    path: '/plans',
    tag: 'plans',
    name: 'Plan',
    words: ['plan', 'plans'],
    notFound: 'plan_not_found',
    inUse: 'plan_in_use',
    shape: PlanResponse,
    query: PlanQuery,
    filter: ({ school_id: schoolId, period_id: periodId }) => ({ schoolId, periodId }),
    body: { create: PlanCreate, update: PlanUpdate },
    toNew: toAskedPlan,
    toChanges: toPlanChanges,
    refusals: {
      create: [
        'school_not_found',
        'period_not_found',
        'concept_not_found',
        'late_fee_policy_not_found',
        'plan_name_taken',
        'plan_invalid',
        'amount_not_whole',
      ],
      update: ['late_fee_policy_not_found', 'plan_name_taken', 'plan_invalid', 'amount_not_whole', 'plan_item_billed'],
    },
    descriptions: {
      create: 'What is billed for one concept in a period, item by item.',
      update: '`items` are all of them, in their order; one that was billed stays at its place as it is.',
    },
  });

  catalogueRoutes(routes, {
    resource: services.discounts,
    path: '/discounts',
    tag: 'discounts',
    name: 'Discount',
    words: ['discount', 'discounts'],
    notFound: 'discount_not_found',
    inUse: 'discount_in_use',
    shape: DiscountResponse,
    ...OF_SCHOOL,
    body: { create: DiscountCreate, update: DiscountUpdate },
    toNew: toNewDiscount,
    toChanges: toDiscountChanges,
    refusals: {
      create: ['school_not_found', 'discount_code_taken', 'discount_invalid', 'amount_not_whole'],
      update: ['discount_code_taken', 'discount_invalid', 'amount_not_whole'],
    },
    descriptions: {
      create: 'A scholarship or a discount, which enrolments carry.',
      update: '`percent` and `amount` are one value. Invoices stay as they were issued.',
    },
  });

  catalogueRoutes(routes, {
    resource: services.enrolments,
    path: '/enrolments',
    tag: 'enrolments',
    name: 'Enrolment',
    words: ['enrolment', 'enrolments'],
    notFound: 'enrolment_not_found',
    inUse: 'enrolment_in_use',
    shape: EnrolmentResponse,
    query: EnrolmentQuery,
    filter: ({ school_id: schoolId, period_id: periodId, student_id: studentId }) => ({
      schoolId,
      periodId,
      studentId,
    }),
    body: { create: EnrolmentCreate, update: EnrolmentUpdate },
    toNew: toAskedEnrolment,
    toChanges: toEnrolmentChanges,
    refusals: {
      create: [
        'student_not_found',
        'period_not_found',
        'plan_not_found',
        'discount_not_found',
        'enrolment_exists',
        'day_out_of_range',
      ],
      update: ['plan_not_found', 'discount_not_found', 'day_out_of_range'],
    },
    descriptions: {
      create: 'A student in a period, once; in the school of the student.',
      update: '`plan_ids` and `discounts` are all of them. What was billed stays.',
      remove: 'Whoever was billed in the period stays enrolled: use a withdrawal.',
    },
  });

  catalogueRoutes(routes, {
    resource: services.lateFeePolicies,
    path: '/late-fee-policies',
    tag: 'late fee policies',
    name: 'LateFeePolicy',
    words: ['late fee policy', 'late fee policies'],
    notFound: 'late_fee_policy_not_found',
    inUse: 'late_fee_policy_in_use',
    shape: LateFeePolicyResponse,
    ...OF_SCHOOL,
    body: { create: LateFeePolicyCreate, update: LateFeePolicyUpdate },
    toNew: toNewLateFeePolicy,
    toChanges: toLateFeePolicyChanges,
    refusals: {
      create: ['school_not_found', 'late_fee_policy_name_taken', 'late_fee_policy_invalid', 'amount_not_whole'],
      update: ['late_fee_policy_name_taken', 'late_fee_policy_invalid', 'amount_not_whole'],
    },
    descriptions: {
      create: 'What a school charges for what is paid late, by plans that name it.',
      update: '`percent` and `amount` are one value, `cap_percent` and `cap_amount` another.',
    },
  });
}
