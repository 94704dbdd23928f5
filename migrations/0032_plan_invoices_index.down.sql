drop index if exists invoices_school_planned_idx;
