import { nearest } from '../base/nearest.ts'
import { nameRule } from './forms.ts'
import { configFields, fieldAt, type Field } from './fields.ts'
import { shown, type ConfigProblem, type Path } from './problem.ts'
import type { YamlFile } from './yaml.ts'

/** What the schema's checks report, as far as it is used. */
export interface Issue {
  readonly code: string
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly input?: unknown
  readonly keys?: readonly string[]
  readonly values?: readonly unknown[]
  readonly options?: readonly unknown[]
  readonly expected?: string
  readonly minimum?: number | bigint
  readonly maximum?: number | bigint
  readonly origin?: string
  readonly params?: { readonly remedy?: unknown }
  readonly issues?: readonly { readonly pattern?: string }[]
}

/** Planned fields. They are refused rather than ignored: a budget that does nothing is worse
 *  than none. `*` stands for any name. */
const NOT_YET = new Set(['store', 'blobs', 'retention', 'roles', 'users', 'teams', 'policies', 'streams', 'events'])

const KINDS_NOT_YET = new Set(['vertex', 'azure', 'vllm', 'sglang', 'llamacpp'])

/** Turns the schema's reports into problems a person can act on. */
export function explain(issues: readonly Issue[], root: unknown, file: YamlFile): ConfigProblem[] {
  if (issues.length === 0) return [] // The common case need not build the schema's description.
  const fields = configFields()
  return issues.flatMap((issue) => explainOne(issue, root, file, fields))
}

function explainOne(issue: Issue, root: unknown, file: YamlFile, fields: Field): ConfigProblem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  const kindOf = (at: Path): unknown => valueAt(root, [...at, 'kind'])
  const field = fieldAt(fields, path, kindOf)
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((name) => unknownField([...path, name], Object.keys(field?.properties ?? {}), file))
  }
  const place = file.locate(path, issue.code === 'invalid_key' ? 'name' : 'value')
  const hidden = path.some((_, at) => fieldAt(fields, path.slice(0, at + 1), kindOf)?.hidden === true)
  const input = valueAt(root, path)
  const value = issue.code === 'invalid_key' ? undefined : hidden && input !== undefined ? '[hidden]' : shown(input)
  const [wrong, remedy] = say(issue, input, field)
  return [{ path, wrong, remedy, ...(place === undefined ? {} : { place }), ...(value === undefined ? {} : { value }) }]
}

function unknownField(path: Path, known: readonly string[], file: YamlFile): ConfigProblem {
  const place = file.locate(path, 'name')
  const at = place === undefined ? {} : { place }
  const name = String(path.at(-1))
  const pattern = path.map((part, depth) => (path.length > 2 && depth === 1 ? '*' : part)).join('.')
  if (NOT_YET.has(pattern)) {
    return {
      path,
      ...at,
      wrong: 'is not available in this version',
      remedy: 'Take it out: it would have no effect. CHANGELOG.md says when it comes.',
    }
  }
  const near = nearest(name, known)
  const remedy =
    near === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean "${near}"? Known here: ${known.join(', ')}.`
  return { path, ...at, wrong: 'is not a known field', remedy }
}

function say(issue: Issue, input: unknown, field: Field | undefined): [wrong: string, remedy: string] {
  const kind = expectedText(issue, field)
  switch (issue.code) {
    case 'invalid_type':
      if (input === undefined)
        return ['is missing', `Add it: ${kind}.${field?.description === undefined ? '' : ` ${field.description}`}`]
      return [
        `is not ${kind}`,
        `Write ${kind}.${typeof input === 'number' && kind === 'a text' ? ' Put it in quotes.' : ''}`,
      ]
    case 'invalid_union': {
      const options = (issue.options ?? []).filter((one) => typeof one === 'string')
      if (options.length === 0) return [`is not ${kind}`, `Write ${kind}.`]
      if (input === undefined) return ['is missing', `Add it: one of ${options.join(', ')}.`]
      if (typeof input === 'string' && KINDS_NOT_YET.has(input))
        return ['is not available in this version', "Servers that speak OpenAI's interface have `kind: openai`."]
      return [`is no kind of ${issue.path[0] === 'collections' ? 'source' : 'engine'}`, choose(input, options)]
    }
    case 'invalid_value':
      return ['is not among the choices', choose(input, (issue.values ?? []).map(String))]
    case 'invalid_key':
      return ['is not a valid name', nameRule(issue.issues?.[0]?.pattern ?? '') ?? 'Use letters, digits and "-".']
    case 'too_small':
      return issue.origin === 'number'
        ? [`is below ${issue.minimum}`, rangeText(field)]
        : ['is empty', `Give at least ${issue.minimum}.`]
    case 'too_big':
      return issue.origin === 'number'
        ? [`is above ${issue.maximum}`, rangeText(field)]
        : ['is too long', `Keep it to ${issue.maximum} at most.`]
    default:
      return [issue.message, String(issue.params?.remedy ?? 'docs/configuration.md describes it.')]
  }
}

const choose = (input: unknown, options: readonly string[]): string => {
  const near = typeof input === 'string' ? nearest(input, options) : undefined
  return `${near === undefined ? '' : `Did you mean "${near}"? `}Choose one of: ${options.join(', ')}.`
}

const rangeText = (field: Field | undefined): string =>
  `Write a whole number from ${field?.minimum ?? 0} to ${field?.maximum ?? 'the limit'}.`

function expectedText(issue: Issue, field: Field | undefined): string {
  if (field?.shown === 'decimal') return 'a price, such as "0.15"'
  switch (issue.expected ?? field?.type) {
    case 'object':
    case 'record':
      return 'a mapping (`name: value` lines, indented)'
    case 'array':
      return 'a list (`- item` lines, or [a, b])'
    case 'int':
    case 'integer':
    case 'number':
      return `a whole number${field?.minimum === undefined ? '' : ` from ${field.minimum} to ${field.maximum}`}`
    default:
      return 'a text'
  }
}

export function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as { readonly [name: string | number]: unknown })[part]
  }
  return value
}
