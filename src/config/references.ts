import { resolve } from 'node:path'
import { reasonOf } from '../base/errors.ts'
import type { Path } from './problem.ts'
import { isReference, Secret, type Secrets } from './secret.ts'
import { SOURCE_SECRETS } from './sources.ts'

export interface SecretSources {
  readonly readFile: (path: string) => Promise<Uint8Array | undefined>
  readonly env: (name: string) => string | undefined
  /** Where relative paths start. */
  readonly base: string
}

/** Every reference to a secret, with where it stands; from unvalidated values. */
export function referencesIn(whole: { readonly [name: string]: unknown }): { path: Path; reference: string }[] {
  const found: { path: Path; reference: string }[] = []
  const named = ['engines', 'guards'].flatMap((section) =>
    entries(whole[section]).map(([name, fields]) => ({ section, name, fields })),
  )
  for (const { section, name, fields } of named) {
    for (const [field, value] of entries(fields)) {
      const path = [section, name, field]
      if (ENGINE_SECRETS.has(field) && typeof value === 'string' && isReference(value))
        found.push({ path, reference: value })
      if (field !== 'headers') continue
      for (const [header, text] of entries(value)) {
        if (typeof text === 'string' && isReference(text)) found.push({ path: [...path, header], reference: text })
      }
    }
  }
  for (const [name, collection] of entries(whole['collections'])) {
    const sources = entries(collection).find(([field]) => field === 'sources')?.[1]
    for (const [at, source] of Array.isArray(sources) ? sources.entries() : []) {
      for (const [field, value] of entries(source)) {
        if (SOURCE_SECRETS.includes(field) && typeof value === 'string' && isReference(value))
          found.push({ path: ['collections', name, 'sources', at, field], reference: value })
      }
    }
  }
  for (const [list, field] of [
    ['webhooks', 'secret'],
    ['slack', 'url'],
  ] as const) {
    const all = within(whole['alerts'], list)
    for (const [at, one] of Array.isArray(all) ? all.entries() : []) {
      const value = within(one, field)
      if (typeof value === 'string' && isReference(value))
        found.push({ path: ['alerts', list, at, field], reference: value })
    }
  }
  const password = within(within(whole['alerts'], 'email'), 'password')
  if (typeof password === 'string' && isReference(password))
    found.push({ path: ['alerts', 'email', 'password'], reference: password })
  for (const [field, value] of entries(whole['index'])) {
    const path = ['index', field]
    const isSecret = field === 'key' || field === 'url'
    if (isSecret && typeof value === 'string' && isReference(value)) found.push({ path, reference: value })
    if (field !== 'storage') continue
    for (const [name, text] of entries(value))
      if (typeof text === 'string' && isReference(text)) found.push({ path: [...path, name], reference: text })
  }
  return found
}

/** Of an engine, beside its headers. */
const ENGINE_SECRETS: ReadonlySet<string> = new Set(['key', 'accessKeyId', 'secretAccessKey', 'sessionToken'])

const within = (value: unknown, name: string): unknown => entries(value).find(([one]) => one === name)?.[1]

const entries = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : []

const SECRET_BYTES_MAX = 65_536

/** The secret behind a reference, or what is wrong with it. */
export async function lookUp(
  reference: string,
  { readFile, env, base }: SecretSources,
): Promise<Secret | { wrong: string; remedy: string }> {
  const at = reference.indexOf(':') + 1
  const target = reference.slice(at)
  if (reference.startsWith('env:')) {
    const value = env(target)
    if (value === undefined)
      return {
        wrong: 'refers to a variable that is not set',
        remedy: `Set ${target} in the environment of the process.`,
      }
    return usable(value, `the variable ${target}`)
  }
  try {
    const bytes = await readFile(resolve(base, target))
    if (bytes === undefined)
      return { wrong: 'refers to a file that does not exist', remedy: 'Create it, or correct the path.' }
    if (bytes.length > SECRET_BYTES_MAX)
      return {
        wrong: `refers to a file larger than ${SECRET_BYTES_MAX} bytes`,
        remedy: 'The file holds the secret and nothing else.',
      }
    return usable(new TextDecoder().decode(bytes).replace(/\r?\n$/, ''), 'the file')
  } catch (error) {
    return {
      wrong: `refers to a file that cannot be read: ${reasonOf(error)}`,
      remedy: 'Make it readable to this process.',
    }
  }
}

/** A secret travels in a header: anything else in it is a slip, such as a second line. */
function usable(text: string, where: string): Secret | { wrong: string; remedy: string } {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)) return new Secret(text)
  return {
    wrong: 'refers to a secret that is empty or has characters no header can carry',
    remedy: `Look for line breaks, blanks at the ends or typographic characters in ${where}.`,
  }
}

/** A header's value or a key as it is to be sent: the secret behind a reference, else the text. */
export function revealed(text: string, secrets: Secrets): string {
  return secrets.get(text)?.reveal() ?? text
}
