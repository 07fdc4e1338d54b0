import type { Clock } from '../base/clock.ts'
import { fault, refuse, Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { put, type Rows, scanAll, type Stored, table } from '../store/rows.ts'
import { hashOf, type Template } from './template.ts'

/** Prompts as versioned artefacts. A version never changes; a label such as `production` points at one, and
 *  its history is only ever added to, so that it can be told what it pointed at at any time. */

interface PromptRow {
  readonly name: string
  readonly versions: number
  /** Of the newest version. */
  readonly hash: string
}

export interface PromptVersion {
  readonly name: string
  /** From 1, without gaps. */
  readonly version: number
  readonly hash: string
  readonly template: Template
  /** Why it was made. */
  readonly note: string
  readonly atMs: number
  readonly by: string
}

/** One turn of a label. */
export interface LabelTurn {
  readonly label: string
  readonly version: number
  readonly atMs: number
  readonly by: string
  readonly reason: string
}

interface LabelRow {
  readonly version: number
  /** How many turns there were. */
  readonly turns: number
}

const PROMPTS = table<PromptRow>('prompts')
const VERSIONS = table<PromptVersion>('prompt-versions')
const LABELS = table<LabelRow>('prompt-labels')
const TURNS = table<LabelTurn>('prompt-label-turns')

export const PROMPT_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/
export const LABEL_NAME = /^[a-z][a-z0-9._-]{0,31}$/
const VERSIONS_MAX = 10_000
const PROMPTS_MAX = 10_000
/** Attempts at one change while others make changes too. */
const TRIES_MAX = 20
/** For how long a label that was read is believed: another process may have turned it since. */
const BELIEVED_MS = 500
/** Versions kept in memory. */
const KEPT_MAX = 1_000

/** Any version that was made is this. */
export const LATEST = 'latest'

export interface PromptsDependencies {
  readonly rows: Rows
  readonly clock: Clock
}

/** How callers name a version: a prompt, and a number, a label or `latest`. */
export interface PromptReference {
  readonly name: string
  readonly at: string
}

/** `support@production`, `support@3`, `support`, which is its `production`. */
export function readReference(text: string): PromptReference | undefined {
  const [name = '', at = 'production', ...more] = text.split('@')
  const fits = PROMPT_NAME.test(name) && (LABEL_NAME.test(at) || /^[1-9]\d{0,4}$/.test(at)) && more.length === 0
  return fits ? { name, at } : undefined
}

export class Prompts {
  readonly #dependencies: PromptsDependencies
  readonly #versions = new Map<string, PromptVersion>()
  readonly #labels = new Map<string, { readonly version: number; readonly untilMs: number }>()

  constructor(dependencies: PromptsDependencies) {
    this.#dependencies = dependencies
  }

  /** Makes a version; the newest one again where nothing has changed. */
  async create(
    name: string,
    template: Template,
    { by, note }: { readonly by: string; readonly note: string },
  ): Promise<PromptVersion | Refusal> {
    const { rows, clock } = this.#dependencies
    const hash = hashOf(template)
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const known = await rows.get(PROMPTS, [name])
      if (known?.row.hash === hash) return await this.version(name, known.row.versions)
      if (known === undefined && (await rows.scan(PROMPTS, { limit: PROMPTS_MAX })).length >= PROMPTS_MAX)
        return refuse('field_invalid', {
          field: 'name',
          problem: `would be one of more than ${PROMPTS_MAX} prompts`,
          remedy: 'Use one that there is.',
        })
      const version = (known?.row.versions ?? 0) + 1
      if (version > VERSIONS_MAX)
        return refuse('field_invalid', {
          field: 'name',
          problem: `has ${VERSIONS_MAX} versions`,
          remedy: 'Begin a prompt of another name.',
        })
      const made: PromptVersion = { name, version, hash, template, note, atMs: clock.wallMs(), by }
      const changes = [
        put(PROMPTS, [name], { name, versions: version, hash }, known?.version ?? 0),
        put(VERSIONS, [name, padded(version)], made, 0),
      ]
      if (await rows.commit(changes)) return made
    }
    throw contended()
  }

  /** Points a label at a version. */
  async turn(
    name: string,
    label: string,
    version: number,
    { by, reason }: { readonly by: string; readonly reason: string },
  ): Promise<LabelTurn | Refusal> {
    const { rows, clock } = this.#dependencies
    if (!LABEL_NAME.test(label) || label === LATEST)
      return refuse('field_invalid', {
        field: 'label',
        problem: 'is no label',
        remedy: 'Use a word such as production: lower-case letters, digits, ".", "_", "-".',
      })
    const target = await this.version(name, version)
    if (target instanceof Refusal) return target
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const known = await rows.get(LABELS, [name, label])
      const turns = (known?.row.turns ?? 0) + 1
      const turn: LabelTurn = { label, version, atMs: clock.wallMs(), by, reason }
      const changes = [
        put(LABELS, [name, label], { version, turns }, known?.version ?? 0),
        put(TURNS, [name, label, padded(turns)], turn, 0),
      ]
      if (!(await rows.commit(changes))) continue
      this.#labels.delete(`${name}@${label}`)
      return turn
    }
    throw contended()
  }

  /** Points a label at what it pointed at before the last turn that changed it. */
  async rollBack(
    name: string,
    label: string,
    who: { readonly by: string; readonly reason: string },
  ): Promise<LabelTurn | Refusal> {
    const turns = await this.history(name, label)
    const [now] = turns
    const before = turns.find(({ version }) => version !== now?.version)
    if (now === undefined || before === undefined)
      return refuse('not_found', { what: 'earlier version under the label', id: `${name}@${label}` })
    return await this.turn(name, label, before.version, who)
  }

  /** The turns of a label, the newest first. */
  async history(name: string, label: string): Promise<LabelTurn[]> {
    const turns: LabelTurn[] = []
    for await (const { row } of scanAll(this.#dependencies.rows, TURNS, [name, label])) turns.push(row)
    return turns.reverse()
  }

  /** What a label pointed at, at an instant. */
  async versionAt(name: string, label: string, atMs: number): Promise<LabelTurn | undefined> {
    return (await this.history(name, label)).find((turn) => turn.atMs <= atMs)
  }

  async version(name: string, version: number): Promise<PromptVersion | Refusal> {
    const key = `${name}@${version}`
    const kept = this.#versions.get(key)
    if (kept !== undefined) return kept
    const stored = await this.#dependencies.rows.get(VERSIONS, [name, padded(version)])
    if (stored === undefined) return refuse('not_found', { what: 'prompt', id: key })
    if (this.#versions.size >= KEPT_MAX) this.#versions.clear()
    this.#versions.set(key, stored.row)
    return stored.row
  }

  /** The version that a reference names now. */
  async resolve({ name, at }: PromptReference): Promise<PromptVersion | Refusal> {
    if (/^\d+$/.test(at)) return await this.version(name, Number(at))
    const { rows, clock } = this.#dependencies
    const key = `${name}@${at}`
    const believed = this.#labels.get(key)
    if (believed !== undefined && believed.untilMs > clock.monotonicMs())
      return await this.version(name, believed.version)
    const version =
      at === LATEST
        ? (await rows.get(PROMPTS, [name]))?.row.versions
        : (await rows.get(LABELS, [name, at]))?.row.version
    if (version === undefined) return refuse('not_found', { what: 'prompt', id: key })
    if (this.#labels.size >= KEPT_MAX) this.#labels.clear()
    this.#labels.set(key, { version, untilMs: clock.monotonicMs() + BELIEVED_MS })
    return await this.version(name, version)
  }

  /** Every prompt, with what its labels point at. */
  async list(): Promise<
    { readonly name: string; readonly versions: number; readonly labels: { readonly [label: string]: number } }[]
  > {
    const { rows } = this.#dependencies
    const labels = new Map<string, { [label: string]: number }>()
    for await (const { key, row } of scanAll(rows, LABELS)) {
      const [name = '', label = ''] = key
      const of = labels.get(name) ?? {}
      of[label] = row.version
      labels.set(name, of)
    }
    const listed: Stored<PromptRow>[] = []
    for await (const one of scanAll(rows, PROMPTS)) listed.push(one)
    return listed.map(({ row }) => ({ name: row.name, versions: row.versions, labels: labels.get(row.name) ?? {} }))
  }

  /** The versions of a prompt, the newest first; undefined where there is no such prompt. */
  async versions(name: string, limit: number, before: number | undefined): Promise<PromptVersion[] | undefined> {
    const { rows } = this.#dependencies
    if ((await rows.get(PROMPTS, [name])) === undefined) return undefined
    const from = before === undefined ? {} : { after: [name, padded(before)] }
    const page = await rows.scan(VERSIONS, { prefix: [name], limit, reverse: true, ...from })
    return page.map(({ row }) => row)
  }
}

/** So that numbers are ordered as keys are. */
const padded = (number: number): string => String(number).padStart(8, '0')

const contended = () => fault('store_unavailable', { reason: 'others change the same prompt at the same moment' })

/** As a caller sees it. */
export const versionJson = ({ name, version, hash, template, note, atMs, by }: PromptVersion): JsonObject => ({
  name,
  version,
  hash,
  messages: template.messages.map((message) => ({ ...message })),
  variables: JSON.parse(JSON.stringify(template.variables)) as JsonObject,
  settings: template.settings,
  note,
  at: new Date(atMs).toISOString(),
  by,
})
