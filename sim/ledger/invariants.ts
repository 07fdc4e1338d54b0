/** Everything this simulation claims to see, by name; `plants.ts` has a fault for each. */
export const LEDGER_INVARIANTS = [
  'posted and leased stay within the limit',
  'the double entry balances',
  'no engine uses more than the limit',
  'what was used is posted or leased',
  'usage is the sum of its parts',
  'running requests use nothing up',
  'a hold ends once',
  'no hold is orphaned',
  'a budget is used before it is refused',
  'every request is answered',
] as const

export type LedgerInvariant = (typeof LEDGER_INVARIANTS)[number]
