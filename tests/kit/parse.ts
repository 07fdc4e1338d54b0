import assert from 'node:assert/strict'
import { systemClock } from '../../src/base/clock.ts'
import { type ErrorCode, Refusal, sentenceOf } from '../../src/base/errors.ts'
import type { ParsedDocument } from '../../src/parse/document.ts'
import { type Deadline, deadline } from '../../src/parse/limits.ts'
import { parse } from '../../src/parse/parse.ts'

/** Reading documents in tests. */

export const soon = (): Deadline => deadline(systemClock)

const bytesOf = (data: string | Uint8Array): Uint8Array => (typeof data === 'string' ? Buffer.from(data) : data)

export async function read(name: string, data: string | Uint8Array): Promise<ParsedDocument> {
  const parsed = await parse(name, bytesOf(data), soon())
  if (parsed instanceof Refusal) assert.fail(sentenceOf(parsed))
  return parsed
}

export async function refused(
  name: string,
  data: string | Uint8Array,
  code: ErrorCode,
  sentence: RegExp,
  limit = soon(),
): Promise<void> {
  const parsed = await parse(name, bytesOf(data), limit)
  assert.ok(parsed instanceof Refusal, `${name} was read`)
  assert.equal(parsed.code, code, sentenceOf(parsed))
  assert.match(sentenceOf(parsed), sentence)
}

/** Blocks as `kind: text`; marks, which have none, as `# name`. */
export const texts = ({ text, blocks }: ParsedDocument): string[] =>
  blocks.map((block) =>
    block.end === block.start ? `# ${block.text}` : `${block.kind}: ${text.slice(block.start, block.end)}`,
  )
