import { refuse, type Refusal } from '../base/errors.ts'
import type { Json, JsonObject } from '../base/json.ts'

/** What a key is bound to: on whose account its requests run, what they may call, and what they
 *  may say about themselves. */
export interface Bindings {
  readonly user?: string
  readonly team?: string
  readonly tenant?: string
  readonly tags: readonly string[]
  /** Names, or beginnings of names followed by `*`, of what may be called: models and workflows
   *  alike, since workflows are called as models. */
  readonly models?: readonly string[]
  /** Likewise, of workflows only. With neither list everything may be called; with either, only
   *  what one of them names. */
  readonly workflows?: readonly string[]
  /** Likewise, of collections that may be read. A key that is limited in what it calls reads none
   *  but these: it has its collections by the workflows it may call. */
  readonly collections?: readonly string[]
  readonly mayName: MayName
  /** Whose inputs and outputs may be read, beyond what the role lets: of its own requests, or of its
   *  tenant's. Absent: nobody's. */
  readonly content?: 'own' | 'tenant'
  /** Whether its requests wait behind others where a model is overloaded; absent: they do not. */
  readonly priority?: 'batch'
  /** Budgets of its own, as the ledger keeps them; here they only travel along. */
  readonly budgets?: readonly JsonObject[]
}

/** What becomes of a request that names its own user, workflow, prompt or tags: it is taken at its
 *  word, the name is not looked at, or the request is refused. */
export interface MayName {
  readonly user: Naming
  readonly workflow: Naming
  /** Keys made before prompts were named have none: their names are not looked at. */
  readonly prompt?: Naming
  readonly tags: Naming
}

export type Naming = 'accept' | 'ignore' | 'refuse'

/** The name of a user, team, tenant, workflow or prompt, in UTF-16 units. */
const SCOPE_UNITS_MAX = 256
const TAG_UNITS_MAX = 64
/** Tags of a key, and of a request with those of its key. */
export const TAGS_MAX = 16
/** Entries of `models` and of `workflows`. */
const PATTERNS_MAX = 100
const PATTERN_UNITS_MAX = 256

const NAMINGS: readonly Naming[] = ['accept', 'ignore', 'refuse']
const BINDINGS = [
  'user',
  'team',
  'tenant',
  'tags',
  'models',
  'workflows',
  'collections',
  'mayName',
  'content',
  'priority',
  'budgets',
] as const

/** What a body that describes bindings may contain. */
export const isBinding = (field: string): boolean => BINDINGS.some((one) => one === field)

/** Of a key that says nothing about it. Naming is ignored unless granted: a caller that chooses
 *  its user chooses its budget. Administrators may do everything. */
export const unbound = (role: 'admin' | 'user'): Bindings => frozen({ tags: [], mayName: mayNameOf(role, false) })

const mayNameOf = (role: 'admin' | 'user', hasUser: boolean): MayName => ({
  user: role === 'admin' && !hasUser ? 'accept' : 'ignore',
  workflow: role === 'admin' ? 'accept' : 'ignore',
  prompt: role === 'admin' ? 'accept' : 'ignore',
  tags: role === 'admin' ? 'accept' : 'ignore',
})

export function frozen(bindings: Bindings): Bindings {
  for (const value of Object.values(bindings)) Object.freeze(value)
  return Object.freeze(bindings)
}

/** Reads bindings from outside; `null` counts as left out. */
export function readBindings(body: JsonObject, role: 'admin' | 'user'): Bindings | Refusal {
  const names: { user?: string; team?: string; tenant?: string } = {}
  for (const field of ['user', 'team', 'tenant'] as const) {
    const name = body[field] ?? undefined
    if (name === undefined) continue
    if (!isScopeName(name)) return invalid(field, SCOPE_NAME_RULE, 'Leave it out, or name one.')
    names[field] = name
  }
  const tags = body['tags'] ?? []
  if (!isListOf(tags, isTag) || tags.length > TAGS_MAX)
    return invalid('tags', `must be a list of at most ${TAGS_MAX} tags; ${TAG_RULE}`, 'Leave it out for none.')
  const lists: { models?: readonly string[]; workflows?: readonly string[]; collections?: readonly string[] } = {}
  for (const field of ['models', 'workflows', 'collections'] as const) {
    const patterns = body[field] ?? undefined
    if (patterns === undefined) continue
    if (!isListOf(patterns, isPattern) || patterns.length === 0 || patterns.length > PATTERNS_MAX)
      return invalid(
        field,
        `must be a list of 1 to ${PATTERNS_MAX} names, with * only at the end of one`,
        'Leave it out for all of them; GET /v1/models and GET /v1/vector_stores list what there is.',
      )
    lists[field] = patterns
  }
  const priority = body['priority'] ?? undefined
  if (priority !== undefined && priority !== 'batch' && priority !== 'interactive')
    return invalid('priority', 'must be "interactive" or "batch"', 'Leave it out for "interactive".')
  const mayName = readMayName(body['mayName'] ?? {}, role, names.user !== undefined)
  if ('code' in mayName) return mayName
  const content = body['content'] ?? undefined
  if (content !== undefined && content !== 'own' && content !== 'tenant')
    return invalid('content', 'must be "own" or "tenant"', 'Leave it out where the key reads no inputs and outputs.')
  if (content === 'tenant' && names.tenant === undefined)
    return invalid('content', 'lets the key read its tenant’s, and it has none', 'Name a `tenant`, or say "own".')
  const reads: Pick<Bindings, 'content'> = content === undefined ? {} : { content }
  const behind = priority === 'batch' ? { priority: 'batch' as const } : {}
  return frozen({ ...names, tags: [...new Set(tags)], ...lists, mayName, ...reads, ...behind })
}

function readMayName(given: Json, role: 'admin' | 'user', hasUser: boolean): MayName | Refusal {
  const rules = mayNameOf(role, hasUser)
  const shape = 'must be an object of `user`, `workflow`, `prompt` and `tags`, each "accept", "ignore" or "refuse"'
  const remedy = 'Leave it out to ignore names in requests.'
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return invalid('mayName', shape, remedy)
  for (const [what, naming] of Object.entries(given)) {
    if (!Object.hasOwn(rules, what) || !NAMINGS.some((one) => one === naming)) return invalid('mayName', shape, remedy)
  }
  const mayName: MayName = { ...rules, ...given }
  if (hasUser && mayName.user === 'accept')
    return invalid(
      'mayName',
      'lets requests name a user although the key is bound to one',
      'Leave out `user`, or the permission to name another.',
    )
  return mayName
}

/** Whether a name may be called. Of a name that does not exist (`kind` undefined) it is said
 *  whether it could be, so that a key learns nothing about what it may not call. */
export function mayCall(
  { models, workflows }: Bindings,
  name: string,
  kind: 'model' | 'workflow' | undefined,
): boolean {
  if (models === undefined && workflows === undefined) return true
  return matchesAny(models, name) || (kind !== 'model' && matchesAny(workflows, name))
}

/** Whether the documents of a collection may be read as they are. */
export const mayRead = ({ models, workflows, collections }: Bindings, collection: string): boolean =>
  collections === undefined ? models === undefined && workflows === undefined : matchesAny(collections, collection)

export const matchesAny = (patterns: readonly string[] | undefined, name: string): boolean =>
  patterns?.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : one === name)) === true

export const SCOPE_NAME_RULE = `must be 1 to ${SCOPE_UNITS_MAX} characters without control characters or blanks around them`
export const TAG_RULE = `a tag is 1 to ${TAG_UNITS_MAX} letters, digits or any of _ . : / @ = + -`

export const isScopeName = (value: unknown): value is string =>
  typeof value === 'string' &&
  value.length > 0 &&
  value.length <= SCOPE_UNITS_MAX &&
  value.trim() === value &&
  !/\p{C}/u.test(value)

export const isTag = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= TAG_UNITS_MAX && /^[\p{L}\p{N}_.:/@=+-]+$/u.test(value)

const isPattern = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= PATTERN_UNITS_MAX && isScopeName(value) && !/\*./.test(value)

const isListOf = (value: Json, fits: (one: unknown) => one is string): value is readonly string[] =>
  Array.isArray(value) && value.every(fits)

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
