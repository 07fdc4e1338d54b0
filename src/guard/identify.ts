import { refuse, Refusal } from '../base/errors.ts'
import type { Headers } from '../base/http.ts'
import { isObject, type Json } from '../base/json.ts'
import { isScopeName, isTag, matchesAny, type MayName, SCOPE_NAME_RULE, TAG_RULE, TAGS_MAX } from './bindings.ts'
import type { Principal } from './principal.ts'

/** Whom a request counts for: what budgets, usage and its entry in the journal are kept by. */
export interface Scopes {
  /** The key's id. */
  readonly key: string
  readonly user?: string
  readonly team?: string
  readonly tenant?: string
  readonly workflow?: string
  /** Which prompt it was made from, by the caller's own name for it. */
  readonly prompt?: string
  readonly tags: readonly string[]
}

/** Where a request may name each, in the order they are believed. `metadata.` fields are OpenAI's
 *  map of strings; `user` and `safety_identifier` are its names of the end user. */
const PLACES: { readonly [What in keyof MayName]-?: readonly string[] } = {
  user: ['x-headworks-user', 'metadata.user', 'safety_identifier', 'user'],
  workflow: ['x-headworks-workflow', 'metadata.workflow'],
  prompt: ['x-headworks-prompt', 'metadata.prompt'],
  tags: ['x-headworks-tags', 'metadata.tags'],
}

interface Named {
  readonly field: string
  readonly value: Json
}

/** The scopes of one request: those its key is bound to, and those it names itself as far as its
 *  key lets it. `name_not_allowed`, `field_invalid`. */
export function identify(principal: Principal, body: Json, headers: Headers): Scopes | Refusal {
  const { id: key, bindings } = principal
  const { user, team, tenant, mayName } = bindings
  const names = (what: keyof MayName): Named[] =>
    (mayName[what] ?? 'ignore') === 'ignore' ? [] : namesIn(PLACES[what], body, headers)

  const namedUser = mayName.user === 'accept' ? oneOf(names('user')) : others('user', names('user'), user)
  if (namedUser instanceof Refusal) return namedUser
  const named = names('workflow')
  const workflow = mayName.workflow === 'accept' ? oneOf(named) : others('workflow', named, undefined)
  if (workflow instanceof Refusal) return workflow
  if (workflow !== undefined && bindings.workflows !== undefined && !matchesAny(bindings.workflows, workflow))
    return refuse('model_not_allowed', { model: workflow, field: named[0]?.field })
  const prompt = mayName.prompt === 'accept' ? oneOf(names('prompt')) : others('prompt', names('prompt'), undefined)
  if (prompt instanceof Refusal) return prompt
  const tags =
    mayName.tags === 'accept' ? tagsOf(names('tags'), bindings.tags) : others('tags', names('tags'), undefined)
  if (tags instanceof Refusal) return tags

  return {
    key,
    ...optional('user', user ?? namedUser),
    ...optional('team', team),
    ...optional('tenant', tenant),
    ...optional('workflow', workflow),
    ...optional('prompt', prompt),
    tags: tags ?? bindings.tags,
  }
}

/** Every name given, most believed first; clients leave a field empty to leave it out. */
function namesIn(places: readonly string[], body: Json, headers: Headers): Named[] {
  const fields = isObject(body) ? body : {}
  const metadata = isObject(fields['metadata']) ? fields['metadata'] : {}
  return places.flatMap((field) => {
    const value = field.startsWith('x-')
      ? headers[field]?.trim()
      : field.startsWith('metadata.')
        ? metadata[field.slice('metadata.'.length)]
        : fields[field]
    return value === undefined || value === null || value === '' ? [] : [{ field, value }]
  })
}

function oneOf([first]: readonly Named[]): string | undefined | Refusal {
  if (first === undefined) return undefined
  if (isScopeName(first.value)) return first.value
  return refuse('field_invalid', { field: first.field, problem: SCOPE_NAME_RULE, remedy: 'Send a short, stable name.' })
}

/** Refuses any name but the one the key is bound to anyway. */
function others(what: keyof MayName, named: readonly Named[], bound: string | undefined): undefined | Refusal {
  const other = named.find(({ value }) => value !== bound)
  return other === undefined ? undefined : refuse('name_not_allowed', { what, field: other.field })
}

/** The tags given, separated by commas, with those of the key. */
function tagsOf([first]: readonly Named[], bound: readonly string[]): readonly string[] | Refusal {
  if (first === undefined) return bound
  const given = typeof first.value === 'string' ? first.value.split(',').map((tag) => tag.trim()) : [undefined]
  const all = [...new Set([...bound, ...given])]
  if (all.length <= TAGS_MAX && all.every(isTag)) return all
  return refuse('field_invalid', {
    field: first.field,
    problem: `must be tags separated by commas, at most ${TAGS_MAX} with those of the key; ${TAG_RULE}`,
    remedy: 'Send fewer or simpler tags.',
  })
}

const optional = <Name extends string>(name: Name, value: string | undefined): { [N in Name]?: string } =>
  value === undefined ? {} : ({ [name]: value } as { [N in Name]?: string })
