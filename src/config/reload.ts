import { valueAt } from './explain.ts'
import { configFields, reloadAt } from './fields.ts'
import type { LoadedConfig } from './load.ts'
import { pathText, type Path } from './problem.ts'
import type { Secret } from './secret.ts'

/** What a changed file means for the running process. */
export interface ReloadPlan {
  /** Paths that take effect now. */
  readonly applied: readonly string[]
  /** Paths that differ but wait for the next start. */
  readonly needsRestart: readonly string[]
}

/** Compares two loaded configurations. A list or a scalar counts as a whole; an entry that came
 *  or went is named by itself; a secret whose text changed counts for the field that refers to
 *  it. */
export function planReload(before: LoadedConfig, after: LoadedConfig): ReloadPlan {
  const fields = configFields()
  const applied: string[] = []
  const needsRestart: string[] = []
  for (const path of differences(before, after)) {
    const into = reloadAt(fields, path) === 'live' ? applied : needsRestart
    into.push(pathText(path))
  }
  return { applied, needsRestart }
}

/** The configuration a running process has after the plan: the new one, with the old values of
 *  what needs a restart. */
export function applyReload(before: LoadedConfig, after: LoadedConfig): LoadedConfig {
  const fields = configFields()
  let config = after.config
  for (const path of differences(before, after)) {
    if (reloadAt(fields, path) === 'restart') config = withValue(config, path, valueAt(before.config, path))
  }
  return { ...after, config }
}

function withValue<Value>(whole: Value, path: Path, value: unknown): Value {
  const [name, ...rest] = path
  if (name === undefined) return value as Value
  const part = (whole as Mapping)[String(name)]
  return Object.freeze({ ...whole, [name]: withValue(part, rest, value) })
}

function differences(before: LoadedConfig, after: LoadedConfig): Path[] {
  const found: Path[] = []
  const compare = (a: unknown, b: unknown, path: Path): void => {
    if (isMapping(a) && isMapping(b)) {
      for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) compare(a[name], b[name], [...path, name])
    } else if (!same(a, b)) {
      found.push(path)
    } else if (typeof a === 'string' && (path[0] === 'engines' || path[0] === 'guards')) {
      const [old, fresh] = [before.secrets.get(a), after.secrets.get(a)]
      if (old !== undefined && fresh !== undefined && !old.equals(fresh)) found.push(path)
    }
  }
  compare(before.config, after.config, [])
  if (same(before.config.alerts, after.config.alerts))
    for (const [name, keysOf] of Object.entries(ALERT_KEYS))
      if (!sameKeys(keysOf(before), keysOf(after))) found.push(['alerts', name])
  if (before.config.prices === after.config.prices && !sameBytes(before.prices?.bytes, after.prices?.bytes))
    found.push(['prices'])
  return found
}

type Keys = readonly (Secret | undefined)[]

/** What destinations of alerts are reached with. */
const ALERT_KEYS: { readonly [name: string]: (loaded: LoadedConfig) => Keys } = {
  webhooks: ({ config, secrets }) => config.alerts.webhooks.map(({ secret }) => secrets.get(secret ?? '')),
  slack: ({ config, secrets }) => config.alerts.slack.map(({ url }) => secrets.get(url)),
  email: ({ config, secrets }) => [secrets.get(config.alerts.email?.password ?? '')],
}

const sameKeys = (a: Keys, b: Keys): boolean =>
  a.every((one, at) => one === b[at] || (one !== undefined && b[at]?.equals(one) === true))

const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0)

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => same(item, b[at]))
  if (!isMapping(a) || !isMapping(b)) return a === b
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...names].every((name) => same(a[name], b[name]))
}

type Mapping = { readonly [name: string]: unknown }
const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
