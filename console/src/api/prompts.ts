import type { Fetch } from './chat.ts'
import { get, post, read } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, timeOf, type Json } from './shape.ts'

/** Prompts: versions that never change, and labels that point at one of them. */

export interface Prompt {
  readonly name: string
  readonly versions: number
  readonly labels: Labels
}

export type Labels = readonly (readonly [label: string, version: number])[]

export interface Version {
  readonly version: number
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  readonly variables: Json
  readonly settings: Json
  readonly note: string
  readonly atMs: number | undefined
  readonly by: string
}

export interface Versions {
  readonly labels: Labels
  /** The newest first. */
  readonly versions: readonly Version[]
  /** Where older ones begin; undefined: there are none. */
  readonly next: string | undefined
}

export interface Difference {
  readonly isSame: boolean
  /** In unified format. */
  readonly patch: string
}

export interface Turn {
  readonly version: number
  readonly atMs: number | undefined
  readonly by: string
  readonly reason: string
}

export interface PromptsApi {
  list(): Promise<Result<readonly Prompt[]>>
  versions(name: string, before?: string): Promise<Result<Versions>>
  difference(name: string, from: number, to: number): Promise<Result<Difference>>
  /** The newest first. */
  history(name: string, label: string): Promise<Result<readonly Turn[]>>
  turn(name: string, label: string, version: number, reason: string): Promise<Result<unknown>>
  rollBack(name: string, label: string, reason: string): Promise<Result<unknown>>
}

export function openPrompts(fetch: Fetch): PromptsApi {
  const path = (name: string) => `/api/prompts/${encodeURIComponent(name)}`
  const labelPath = (name: string, label: string) => `${path(name)}/labels/${encodeURIComponent(label)}`
  return {
    list: async () => read(await get(fetch, '/api/prompts'), 'list of prompts', readPrompts),
    versions: async (name, before) => {
      const query = new URLSearchParams(before === undefined ? {} : { before })
      return read(await get(fetch, `${path(name)}?${query}`), 'list of versions', readVersions)
    },
    difference: async (name, from, to) =>
      read(await get(fetch, `${path(name)}/diff?from=${from}&to=${to}`), 'difference', readDifference),
    history: async (name, label) =>
      read(await get(fetch, labelPath(name, label)), 'history of a label', (body) =>
        isRecord(body) && Array.isArray(body['turns']) ? listOf(body['turns'], readTurn) : undefined,
      ),
    turn: async (name, label, version, reason) =>
      read(await post(fetch, labelPath(name, label), { version, reason }), 'label', isRecord),
    rollBack: async (name, label, reason) =>
      read(await post(fetch, `${labelPath(name, label)}/rollback`, { reason }), 'label', isRecord),
  }
}

function readPrompts(body: unknown): Prompt[] | undefined {
  if (!isRecord(body) || !Array.isArray(body['prompts'])) return undefined
  return listOf(body['prompts'], (value) => {
    const name = isRecord(value) ? textOf(value['name']) : undefined
    if (!isRecord(value) || name === undefined) return undefined
    return { name, versions: numberOf(value['versions']) ?? 0, labels: labelsOf(value['labels']) }
  })
}

const labelsOf = (value: unknown): Labels =>
  Object.entries(isRecord(value) ? value : {}).flatMap(([label, version]) =>
    typeof version === 'number' ? [[label, version] as const] : [],
  )

function readVersions(body: unknown): Versions | undefined {
  if (!isRecord(body) || !Array.isArray(body['versions'])) return undefined
  return {
    labels: labelsOf(body['labels']),
    versions: listOf(body['versions'], readVersion),
    next: textOf(body['next']),
  }
}

function readVersion(value: unknown): Version | undefined {
  const version = isRecord(value) ? numberOf(value['version']) : undefined
  if (!isRecord(value) || version === undefined) return undefined
  return {
    version,
    messages: listOf(value['messages'], (message) =>
      isRecord(message)
        ? { role: textOf(message['role']) ?? '', content: textOf(message['content']) ?? '' }
        : undefined,
    ),
    variables: isRecord(value['variables']) ? value['variables'] : {},
    settings: isRecord(value['settings']) ? value['settings'] : {},
    note: textOf(value['note']) ?? '',
    atMs: timeOf(value['at']),
    by: textOf(value['by']) ?? '',
  }
}

const readDifference = (body: unknown): Difference | undefined =>
  isRecord(body) && typeof body['diff'] === 'string'
    ? { isSame: body['same'] === true, patch: body['diff'] }
    : undefined

function readTurn(value: unknown): Turn | undefined {
  const version = isRecord(value) ? numberOf(value['version']) : undefined
  if (!isRecord(value) || version === undefined) return undefined
  return {
    version,
    atMs: timeOf(value['at']),
    by: textOf(value['by']) ?? '',
    reason: textOf(value['reason']) ?? '',
  }
}
