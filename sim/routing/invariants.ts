/** Everything this simulation claims to see, by name; `plants.ts` has a fault for each. */
export const ROUTING_INVARIANTS = [
  'no engine is asked too often',
  'an open circuit gets at most its probes',
  'an engine that asks for a pause gets it',
  'nobody pays for the fault of a caller',
  'the books say what is in flight',
  'what one can answer is answered',
  'who is well again is asked again',
  'every request ends',
  'an answer is of one engine, and comes once',
  'who is not listened to is stopped',
  'who keeps to one stays with it',
] as const

export type RoutingInvariant = (typeof ROUTING_INVARIANTS)[number]
