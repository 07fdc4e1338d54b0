import { isObject, type Json, type JsonObject } from '../src/base/json.ts'

/** What a caller got to see of a streamed answer, read the way a strict client reads it. */
export interface Transcript {
  /** Every chunk, in order; the usage chunk and errors are not among them. */
  readonly chunks: readonly JsonObject[]
  readonly usage: JsonObject | undefined
  readonly error: JsonObject | undefined
  readonly done: boolean
  /** What no client would understand. */
  readonly flaw: string | undefined
}

const FRAME = 'data: '

/** Reads the whole events of `text`; what follows the last blank line is on its way still. */
export function readTranscript(text: string): Transcript {
  const chunks: JsonObject[] = []
  let usage: JsonObject | undefined
  let error: JsonObject | undefined
  let done = false
  let flaw: string | undefined
  const blocks = text.split('\n\n')
  blocks.pop()
  for (const block of blocks) {
    if (block.startsWith(':')) continue
    if (done || error !== undefined) flaw ??= `after the end came ${block.slice(0, 80)}`
    if (block === 'data: [DONE]') {
      done = true
      continue
    }
    const value = block.startsWith(FRAME) ? parse(block.slice(FRAME.length)) : undefined
    if (!isObject(value)) flaw ??= `no event: ${JSON.stringify(block.slice(0, 80))}`
    else if (isObject(value['error'])) error = value['error']
    else if (isEmptyArray(value['choices']) && isObject(value['usage'])) usage = value['usage']
    else chunks.push(value)
  }
  return { chunks, usage, error, done, flaw }
}

/** All chunks of a stream bear one id, one time and one model. */
export function strayChunk(chunks: readonly JsonObject[]): string | undefined {
  const [first] = chunks
  for (const name of ['id', 'created', 'model'] as const) {
    const odd = chunks.find((chunk) => chunk[name] !== first?.[name])
    if (odd !== undefined) return `${name} is ${JSON.stringify(first?.[name])}, then ${JSON.stringify(odd[name])}`
  }
  return undefined
}

/** A chunk's or an answer's choices, as the engine said them: without what a workflow adds. */
export function choicesIn(frame: JsonObject, ofWorkflow: boolean): Json {
  const choices = frame['choices'] ?? null
  if (!ofWorkflow || !Array.isArray(choices)) return choices
  return (choices as readonly Json[]).map((choice) => {
    if (!isObject(choice)) return choice
    const name = isObject(choice['delta']) ? 'delta' : 'message'
    const { annotations: _, ...said } = isObject(choice[name]) ? choice[name] : {}
    return { ...choice, [name]: said }
  })
}

/** What of an engine's words a workflow lets pass: its one answer, and no calls of tools. */
export function allowedOf(sent: readonly Json[]): Json[] {
  return sent.flatMap((choices) => {
    if (!Array.isArray(choices)) return [choices]
    const [kept] = (choices as readonly Json[]).filter((choice) => isObject(choice) && choice['index'] === 0)
    if (!isObject(kept)) return []
    const name = isObject(kept['delta']) ? 'delta' : 'message'
    const { tool_calls: _, ...said } = isObject(kept[name]) ? kept[name] : {}
    const finish = kept['finish_reason'] === 'tool_calls' ? { finish_reason: 'stop' } : {}
    return [[{ ...kept, [name]: said, ...finish }]]
  })
}

/** Whether `part` is how `whole` begins, choice by choice. */
export function isBeginning(part: readonly Json[], whole: readonly Json[]): boolean {
  return (
    part.length <= whole.length && part.every((choices, at) => JSON.stringify(choices) === JSON.stringify(whole[at]))
  )
}

/** Whether a chunk's choices say anything a person would read. */
export function isSpoken(choices: Json): boolean {
  return (
    JSON.stringify(choices).includes('"content":"r') ||
    JSON.stringify(choices).includes('arguments') ||
    JSON.stringify(choices).includes('reasoning_content')
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isEmptyArray = (value: Json | undefined): boolean => Array.isArray(value) && value.length === 0
