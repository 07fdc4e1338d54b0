import type { Bound } from '../api/keys.ts'

/** What a key is bound to, part by part. */
export function boundWords({ user, team, tenant, tags, models, workflows, mayName }: Bound): {
  readonly name: string
  readonly text: string
}[] {
  const named = Object.entries(mayName).flatMap(([what, naming]) => (naming === 'accept' ? [what] : []))
  const refused = Object.entries(mayName).flatMap(([what, naming]) => (naming === 'refuse' ? [what] : []))
  return [
    ...(user === undefined ? [] : [{ name: 'user', text: user }]),
    ...(team === undefined ? [] : [{ name: 'team', text: team }]),
    ...(tenant === undefined ? [] : [{ name: 'tenant', text: tenant }]),
    ...(tags.length === 0 ? [] : [{ name: 'tags', text: tags.join(', ') }]),
    ...(models === undefined ? [] : [{ name: 'models', text: models.join(', ') }]),
    ...(workflows === undefined ? [] : [{ name: 'workflows', text: workflows.join(', ') }]),
    ...(named.length === 0 ? [] : [{ name: 'may name', text: named.join(', ') }]),
    ...(refused.length === 0 ? [] : [{ name: 'must not name', text: refused.join(', ') }]),
  ]
}

/** Names between commas, each once. */
export const listIn = (text: string): string[] => [
  ...new Set(
    text
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  ),
]
