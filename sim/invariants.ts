/** Everything the simulation claims to see, by name. `plants/` has a fault for each. */
export const INVARIANTS = [
  // The journal
  'every opened request is closed',
  'a request is closed once',
  'a request is opened once',
  'a closing has its opening',
  'a closing tells the truth',
  'nothing acknowledged is lost',
  // The answer
  'no stream is silently truncated',
  'no answer is cut short',
  "an answer is one engine's, in order",
  'the status waits for content',
  'a stream is well formed',
  'every answer has its id',
  'an error says what and why',
  'every caller hears an end',
  'nobody waits too long',
  'what nothing hinders is answered',
  'the refused reach no engine',
  // The bill
  "usage is the engine's",
  'usage is told',
  'usage sums',
  'what was delivered is charged',
  // The budgets
  'what is charged is on the books',
  'nothing is charged that nobody used',
  'the books keep to the limit',
  'nothing stays held',
  'a crash costs what was open',
  'no engine may use more than is left',
  'only so many run at once',
  "an overrun is an engine's",
  'a refusal names its budget',
  'a refusal is on record',
  'a budget refuses only what it cannot afford',
  // What must not stay behind
  'an engine is let go with its caller',
  'no engine is left working',
  'no engine is asked too often',
  'no timer is left',
  'counts return to zero',
  'comes to rest',
  // The ports
  'the reply is used as its port says',
  'a slow reader is waited for',
  'nothing throws into a port',
  'no promise is left to fail alone',
] as const

export type Invariant = (typeof INVARIANTS)[number]

export interface Violation<Name extends string = Invariant> {
  readonly invariant: Name
  readonly detail: string
}
