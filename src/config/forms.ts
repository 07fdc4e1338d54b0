/** What names look like, and how to say so. Apart from the schema, whose library not every process
 *  that meets a name shall load. */

/** Engines and collections: also file and folder names. */
export const PLAIN_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/
/** Models and workflows: what callers already send, such as `Qwen/Qwen3-32B`. */
export const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,126}$/

const RULES: ReadonlyMap<RegExp, string> = new Map([
  [
    PLAIN_NAME,
    'Begin with a lower-case letter or a digit; then lower-case letters, digits, ".", "_" and "-", ' +
      '63 characters at most.',
  ],
  [
    MODEL_NAME,
    'Begin with a letter or a digit; then letters, digits, ".", "_", ":", "/" and "-", 127 characters at most.',
  ],
])

/** What a name of that form (or of that pattern, as text) may look like, as a remedy. */
export function nameRule(form: RegExp | string): string | undefined {
  for (const [known, rule] of RULES) if (String(known) === String(form)) return rule
  return undefined
}

/** Processes that share the port; more than a machine has cores are of no use. */
export const GATEWAYS_MAX = 64
