import { isObject, type Json, type JsonObject } from '../../base/json.ts'

/** What a request may come to in tokens, guessed in no time: what routing weighs. Budgets and bills
 *  count for themselves (`meter/bound.ts`). */

export interface RequestSize {
  readonly inputTokens: number
  /** The cap of all answers together. */
  readonly outputTokens: number
}

export const tokensOf = ({ inputTokens, outputTokens }: RequestSize): number => inputTokens + outputTokens

/** Texts whose length is looked at. Of more, every so-manieth stands for the others. */
const LOOKS_MAX = 256
/** Parts of one message, likewise. */
const PARTS_LOOKED_AT_MAX = 8
export const UNITS_PER_TOKEN = 4

/** Of a chat completion body; the length of its texts makes no difference to the time it takes. */
export const sizeOfChat = (body: JsonObject, outputTokens: number): RequestSize => ({
  inputTokens: Math.ceil(unitsOf(listOf(body['messages']), LOOKS_MAX, unitsOfMessage) / UNITS_PER_TOKEN),
  outputTokens,
})

export const sizeOfTexts = (texts: readonly string[]): RequestSize => ({
  inputTokens: Math.ceil(unitsOf(texts, LOOKS_MAX, ({ length }) => length) / UNITS_PER_TOKEN),
  outputTokens: 0,
})

function unitsOf<Item>(items: readonly Item[], looksMax: number, measure: (item: Item) => number): number {
  if (items.length === 0) return 0
  // Odd, so that taking turns (user, assistant, user ...) is seen from both sides.
  const step = items.length <= looksMax ? 1 : Math.ceil(items.length / looksMax) | 1
  let units = 0
  let looks = 0
  for (let at = 0; at < items.length; at += step) {
    const item = items[at]
    if (item !== undefined) units += measure(item)
    looks++
  }
  return (units / looks) * items.length
}

function unitsOfMessage(message: Json): number {
  const content = isObject(message) ? message['content'] : undefined
  return typeof content === 'string' ? content.length : unitsOf(listOf(content), PARTS_LOOKED_AT_MAX, unitsOfPart)
}

const unitsOfPart = (part: Json): number =>
  isObject(part) && typeof part['text'] === 'string' ? part['text'].length : 0

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [])
