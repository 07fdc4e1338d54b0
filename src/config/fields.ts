import * as z from 'zod'
import type { Path } from './problem.ts'
import { CONFIG } from './schema.ts'

/** The schema as data, for whoever asks about fields rather than values: messages, the reference
 *  page, the editor's schema, the plan of a reload. */
export interface Field {
  readonly description?: string
  readonly reload?: 'live' | 'restart'
  readonly shown?: string
  readonly hidden?: boolean
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly maxItems?: number
  readonly properties?: { readonly [name: string]: Field }
  readonly required?: readonly string[]
  /** What a named section holds under each name; false: nothing beyond `properties`. */
  readonly additionalProperties?: Field | false
  readonly items?: Field
  readonly oneOf?: readonly Field[]
  readonly anyOf?: readonly Field[]
}

export function configFields(): Field {
  return z.toJSONSchema(CONFIG, { io: 'input' }) as Field
}

/** The JSON schema for editors: a text, ready to be written. */
export function editorSchema(): string {
  const schema = z.toJSONSchema(CONFIG, {
    io: 'input',
    override: ({ jsonSchema }) => {
      for (const own of ['reload', 'shown', 'hidden']) delete jsonSchema[own]
    },
  })
  return `${JSON.stringify(schema, null, 2)}\n`
}

/** The field at `path`; `kindOf` says which of several kinds the value there is. Undefined where
 *  the schema knows none. */
export function fieldAt(root: Field, path: Path, kindOf: (path: Path) => unknown): Field | undefined {
  let field: Field | undefined = root
  for (const [depth, part] of path.entries()) {
    field = field && ofKind(field, kindOf(path.slice(0, depth)))
    field =
      typeof part === 'number'
        ? field?.items
        : (field?.properties?.[part] ?? (field?.additionalProperties || undefined))
  }
  return field && ofKind(field, kindOf(path))
}

function ofKind(field: Field, kind: unknown): Field | undefined {
  if (field.oneOf === undefined) return field
  const tag = (one: Field): Field | undefined => one.properties?.['kind']
  return (
    field.oneOf.find((one) => tag(one)?.const === kind) ??
    (kind === undefined ? field.oneOf.find((one) => tag(one)?.default !== undefined) : undefined) ??
    field
  )
}

/** Whether a change at `path` reaches the running process: what the nearest field above says. */
export function reloadAt(root: Field, path: Path): 'live' | 'restart' {
  for (let length = path.length; length > 0; length--) {
    const reload = fieldAt(root, path.slice(0, length), () => undefined)?.reload
    if (reload !== undefined) return reload
  }
  return 'restart'
}
