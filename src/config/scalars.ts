import * as z from 'zod'
import { isReference } from './secret.ts'

/** What the fields of `headworks.yaml` are made of. */

type Reload = 'live' | 'restart'

interface Meta {
  readonly description: string
  readonly reload?: Reload
  /** The type in words, where the schema's own is not what a person would say. */
  readonly shown?: string
  /** Shown in messages as `[hidden]`: it may hold a secret. */
  readonly hidden?: boolean
}

export const meta = (description: string, more: Omit<Meta, 'description'> = {}): Meta & Record<string, unknown> => ({
  description,
  ...more,
})

export const named = <Value extends z.ZodType>(form: RegExp, value: Value) =>
  // Without a prototype, so that a caller's "constructor" finds nothing.
  z
    .record(z.string().regex(form), value)
    .transform((record) => Object.assign(Object.create(null) as typeof record, record))

export const integer = (least: number, most: number) => z.int().min(least).max(most)
export const MS_MAX = 3_600_000
export const text = (lengthMax: number) => z.string().min(1).max(lengthMax)

export const wrong = (message: string, remedy: string, input: unknown) =>
  ({ code: 'custom', message, params: { remedy }, input }) as const

export const SECRET_REMEDY =
  'Put the secret into an environment variable or a file and refer to it: env:NAME or file:PATH. A key that was in this file should be replaced.'

export const secret = z.string().check((context) => {
  if (!isReference(context.value)) context.issues.push(wrong('is a literal secret', SECRET_REMEDY, context.value))
})
