import { createTwoFilesPatch } from 'diff'
import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Audit } from '../guard/audit.ts'
import {
  LABEL_NAME,
  type LabelTurn,
  type Prompts,
  PROMPT_NAME,
  type PromptVersion,
  readReference,
  versionJson,
} from '../prompt/prompts.ts'
import { readTemplate, textOf } from '../prompt/template.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

export interface PromptDependencies {
  readonly prompts: Prompts
  readonly audit: Audit
  /** Labels that are turned with a reason, or not at all. */
  readonly isProtected: (label: string) => boolean
}

const LIMIT_DEFAULT = 50
const LIMIT_MAX = 1_000
const REASON_CHARS_MAX = 1_000

export function promptRoutes(dependencies: PromptDependencies): Route[] {
  const { prompts } = dependencies
  return [
    {
      method: 'GET',
      path: '/api/prompts',
      summary: 'The prompts, with what their labels point at.',
      role: 'user',
      answer: async () => ok({ prompts: (await prompts.list()).map((one) => ({ ...one, labels: { ...one.labels } })) }),
    },
    {
      method: 'GET',
      path: '/api/prompts/{name}',
      summary: `The versions of a prompt, the newest first. \`limit\` (1 to ${LIMIT_MAX}), \`before\` (from \`next\`).`,
      role: 'user',
      answer: (context) => versions(prompts, context),
    },
    {
      method: 'POST',
      path: '/api/prompts/{name}',
      summary:
        'Makes a version: {messages, variables, settings, note}. The same as the newest is the newest again. Versions never change.',
      role: 'admin',
      answer: (context) => create(dependencies, context),
    },
    {
      method: 'GET',
      path: '/api/prompts/{name}/versions/{version}',
      summary: 'One version, by its number, a label or `latest`.',
      role: 'user',
      async answer({ params }) {
        const found = await versionOf(prompts, params['name'] ?? '', params['version'] ?? '')
        return found instanceof Refusal ? found : ok(versionJson(found))
      },
    },
    {
      method: 'GET',
      path: '/api/prompts/{name}/diff',
      summary: 'What changed between two versions, `from` and `to`: numbers, labels or `latest`; as a unified diff.',
      role: 'user',
      answer: (context) => difference(prompts, context),
    },
    {
      method: 'GET',
      path: '/api/prompts/{name}/labels/{label}',
      summary: 'Every turn of a label, the newest first; with `at`, what it pointed at at that time.',
      role: 'user',
      answer: (context) => history(prompts, context),
    },
    {
      method: 'POST',
      path: '/api/prompts/{name}/labels/{label}',
      summary: 'Points a label at a version: {version, reason}. Labels that are protected take a reason.',
      role: 'admin',
      answer: (context) => turn(dependencies, context),
    },
    {
      method: 'POST',
      path: '/api/prompts/{name}/labels/{label}/rollback',
      summary: 'Points a label at the version that it pointed at before: {reason}.',
      role: 'admin',
      answer: (context) => rollBack(dependencies, context),
    },
  ]
}

async function versions(prompts: Prompts, { params, query }: Context): Promise<Answer | Refusal> {
  const limit = limitOf(query, { default: LIMIT_DEFAULT, most: LIMIT_MAX, cursor: 'before' })
  if (limit instanceof Refusal) return limit
  const before = query.get('before')
  if (before !== null && !/^[1-9]\d{0,4}$/.test(before))
    return wrong('before', 'is no number of a version', 'Pass `next` of the page before.')
  const { name = '' } = params
  const found = await prompts.versions(name, limit, before === null ? undefined : Number(before))
  if (found === undefined) return refuse('not_found', { what: 'prompt', id: name })
  const labels = (await prompts.list()).find((one) => one.name === name)?.labels ?? {}
  const next = found.length === limit ? String(found.at(-1)?.version ?? '') : null
  return ok({ name, labels: { ...labels }, versions: found.map(versionJson), next })
}

async function create(
  { prompts, audit }: PromptDependencies,
  { params, body, principal }: Context,
): Promise<Answer | Refusal> {
  const { name = '' } = params
  if (!PROMPT_NAME.test(name))
    return wrong(
      'name',
      'is no name of a prompt',
      'Use lower-case letters, digits, ".", "_", "-"; 63 characters at most.',
    )
  const template = readTemplate(body)
  if (template instanceof Refusal) return template
  const note = reasonOf(body, 'note')
  if (note instanceof Refusal) return note
  const by = principal?.name ?? ''
  const act = { action: 'prompt.create', object: name, details: { note } }
  const made = await audit.record(
    principal,
    act,
    () => prompts.create(name, template, { by, note }),
    (one) => (one instanceof Refusal ? {} : { version: one.version }),
  )
  return made instanceof Refusal ? made : { status: 201, value: versionJson(made) }
}

async function difference(prompts: Prompts, { params, query }: Context): Promise<Answer | Refusal> {
  const { name = '' } = params
  const found: PromptVersion[] = []
  for (const side of ['from', 'to']) {
    const version = await versionOf(prompts, name, query.get(side) ?? (side === 'to' ? 'latest' : 'production'))
    if (version instanceof Refusal) return version
    found.push(version)
  }
  const [from, to] = found
  if (from === undefined || to === undefined) return refuse('not_found', { what: 'prompt', id: name })
  const titled = (one: PromptVersion): string => `${one.name}@${one.version}`
  const diff = createTwoFilesPatch(titled(from), titled(to), textOf(from.template), textOf(to.template), '', '', {
    context: 3,
  })
  return ok({
    name,
    from: from.version,
    to: to.version,
    same: from.hash === to.hash,
    diff: from.hash === to.hash ? '' : diff,
  })
}

async function history(prompts: Prompts, { params, query }: Context): Promise<Answer | Refusal> {
  const { name = '', label = '' } = params
  const id = `${name}@${label}`
  const at = query.get('at')
  if (at === null) {
    const turns = await prompts.history(name, label)
    return turns.length === 0
      ? refuse('not_found', { what: 'label', id })
      : ok({ name, label, turns: turns.map(turnJson) })
  }
  const atMs = Date.parse(at)
  if (Number.isNaN(atMs)) return wrong('at', 'is no time', 'Write it as 2026-11-23T10:00:00Z.')
  const turned = await prompts.versionAt(name, label, atMs)
  return turned === undefined
    ? refuse('not_found', { what: 'label at that time', id })
    : ok({ name, ...turnJson(turned) })
}

async function turn(dependencies: PromptDependencies, context: Context): Promise<Answer | Refusal> {
  const { params, body } = context
  const { name = '', label = '' } = params
  const version = isObject(body) ? body['version'] : undefined
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1)
    return wrong('version', 'must be the number of a version', 'Send {"version": 3}.')
  return await turned(dependencies, context, 'prompt.label', { version }, (who) =>
    dependencies.prompts.turn(name, label, version, who),
  )
}

const rollBack = (dependencies: PromptDependencies, context: Context): Promise<Answer | Refusal> => {
  const { name = '', label = '' } = context.params
  return turned(dependencies, context, 'prompt.rollback', {}, (who) => dependencies.prompts.rollBack(name, label, who))
}

async function turned(
  { audit, isProtected }: PromptDependencies,
  { params, body, principal }: Context,
  action: string,
  details: JsonObject,
  run: (who: { by: string; reason: string }) => Promise<LabelTurn | Refusal>,
): Promise<Answer | Refusal> {
  const { name = '', label = '' } = params
  const reason = reasonOf(body, 'reason')
  if (reason instanceof Refusal) return reason
  if (reason === '' && isProtected(label))
    return wrong('reason', `is missing, and the label "${label}" is protected`, 'Say why it is turned.')
  const act = { action, object: `${name}@${label}`, details: { ...details, reason } }
  const done = await audit.record(
    principal,
    act,
    () => run({ by: principal?.name ?? '', reason }),
    (one) => (one instanceof Refusal ? {} : { version: one.version }),
  )
  return done instanceof Refusal ? done : ok({ name, ...turnJson(done) })
}

async function versionOf(prompts: Prompts, name: string, at: string): Promise<PromptVersion | Refusal> {
  const reference = readReference(`${name}@${at}`)
  if (reference === undefined || !(LABEL_NAME.test(at) || /^\d+$/.test(at)))
    return refuse('not_found', { what: 'prompt', id: `${name}@${at}` })
  return await prompts.resolve(reference)
}

function reasonOf(body: Json, field: string): string | Refusal {
  const reason = isObject(body) ? (body[field] ?? '') : ''
  if (typeof reason === 'string' && reason.length <= REASON_CHARS_MAX) return reason
  return wrong(field, `must be a text of at most ${REASON_CHARS_MAX} characters`, 'Leave it out, or say less.')
}

const turnJson = ({ label, version, atMs, by, reason }: LabelTurn): JsonObject => ({
  label,
  version,
  at: new Date(atMs).toISOString(),
  by,
  reason,
})

const wrong = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
